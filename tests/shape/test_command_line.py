"""The command line is quick: of a command that is not run nothing but a sentence is known."""

from __future__ import annotations

import subprocess
import sys

import typer

from steelyard.cli import COMMANDS, whole
from steelyard.cli.base import app

HEAVY = {
    "apprise", "argon2", "asyncssh", "babel", "bs4", "cryptography", "fastapi", "httpx", "jinja2",
    "procrastinate", "prometheus_client", "psycopg", "pydantic", "starlette", "uvicorn", "yara_x",
}  # fmt: skip
ROOMS = {f"steelyard.{each}" for each in ("main", "operations", "people", "routing", "store", "toolbox", "web")}
IMPORTED = "import sys\ntry: {}\nfinally: print('\\n'.join(['imported:', *sys.modules]))"


def imported(statement: str) -> set[str]:
    """What a process has imported when it ends."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED.format(statement)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.partition("imported:\n")[2].splitlines())


def after(*words: str) -> set[str]:
    """What `steelyard …` has imported when it ends."""
    return imported(f"sys.argv[1:] = {words}; from steelyard.cli import start; start()")


def test_help_needs_little() -> None:
    found = after("--help")
    assert "steelyard.cli.base" in found
    assert found & (HEAVY | ROOMS) == set()


def test_a_command_imports_no_other() -> None:
    found = after("switch", "on", "--help")
    assert {each for each in found if each.startswith("steelyard.cli.")} == {
        "steelyard.cli.base",
        "steelyard.cli.switching",
    }


def test_importing_it_imports_no_command() -> None:
    assert imported("import steelyard.cli") & (HEAVY | ROOMS) == set()


def test_the_root_of_composition_imports_nothing() -> None:
    assert imported("import steelyard.main") & (HEAVY | (ROOMS - {"steelyard.main"})) == set()


def test_help_says_of_each_command_what_it_says_of_itself() -> None:
    said = {name: (command.help or "").split("\n\n")[0] for name, command in whole().commands.items()}
    assert said == {name: help for name, (_, help) in COMMANDS.items()}


def test_every_command_is_in_the_help() -> None:
    whole()
    assert set(typer.main.get_group(app).commands) == set(COMMANDS)


def test_who_looks_after_web_and_worker_imports_neither() -> None:
    found = imported("import steelyard.cli.serving")
    assert "steelyard.operations.serving" in found
    assert found & {"fastapi", "uvicorn", "asyncssh", "yara_x", "steelyard.main.web", "steelyard.main.worker"} == set()
