"""The command line."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from steelyard import __version__, config, main, operations
from steelyard.config import Settings
from steelyard.jobs.processes import end_in_order, run
from steelyard.kit.errors import SteelyardError

app = typer.Typer(
    help="Weighs every customer conversation and gives it to the engineer who carries the least.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
policy_app = typer.Typer(help="The policy: how to weigh, and whom to choose.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")

out = Console(highlight=False)


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]


@app.command()
def demo(
    duration: Annotated[
        float | None, typer.Option(help="Seconds to run, then print figures. Until Ctrl-C without.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.01, max=200, help="Conversations that begin per second.")] = 0.5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same team and the same messages.")] = 1,
    messages: Annotated[
        Path | None, typer.Option(help="A CSV file of messages (column `text`), one conversation each.")
    ] = None,
    port: Annotated[int, typer.Option(help="The desk's port; a free one where it is taken.")] = 8420,
    as_json: AsJson = False,
) -> None:
    """Show Steelyard at work: a simulated Intercom, a team of 24 and a stream of conversations."""
    main.log_as("warning", sys.stderr.isatty())
    folder = Path(tempfile.mkdtemp(prefix="steelyard-demo-"))
    folder.chmod(0o755)
    try:
        port = _free_port(port)
        options = operations.DemoOptions(rate, seed, duration, messages)
        figures = operations.demo(folder, port, options, lambda intercom: _say_ready(port, intercom, as_json))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        _table("What happened", figures)


@app.command()
def serve(
    role: Annotated[Role, typer.Option(help="`web` and `worker` run apart, on any number of machines.")] = Role.ALL,
) -> None:
    """Run Steelyard: web and worker, and PostgreSQL where DATABASE_URL names none."""
    settings = config.load()
    main.log_as(settings.log_level, sys.stderr.isatty())
    operations.serve(settings, role.value)


@app.command()
def link() -> None:
    """Print a one-time link to the desk. It works once, for ten minutes."""
    settings = config.load()
    token = run(operations.new_desk_link(settings))
    sys.stdout.write(f"http://{settings.host}:{settings.port}/enter?token={token}\n")


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema. Needs DATABASE_OWNER_URL, or Steelyard's own server."""
    for step in operations.migrate(config.load()):
        out.print(f"applied {step}")
    out.print("The schema is that of this release.")


@app.command()
def settings(as_json: AsJson = False) -> None:
    """List every setting: its environment name, its default and what it is for."""
    rows = {
        config.environment_name(name): {
            "default": None if field.is_required() else str(field.get_default(call_default_factory=True)),
            "help": field.description,
        }
        for name, field in Settings.model_fields.items()
    }
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    for name, row in rows.items():
        out.print(f"[bold]{name}[/bold]  default: {row['default']}\n    {row['help']}")


@policy_app.command("check")
def policy_check(file: Path) -> None:
    """Say whether a policy can be read, and what it holds."""
    policy = operations.read_policy(file)
    out.print(f"{file}: {len(policy.topics)} topics, {len(policy.rules)} rules. Digest {policy.digest[:12]}")


@policy_app.command("adopt")
def policy_adopt(
    file: Path, workspace: Annotated[str | None, typer.Option(help="Which one, where the cell has several.")] = None
) -> None:
    """Put a policy in force, from the next decision on."""
    adopted, policy = run(operations.adopt_policy_file(config.load(), file, workspace))
    out.print(f"{adopted} routes by policy {policy.digest[:12]} from its next decision on.")


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")


def start() -> None:
    """Runs the command line; errors that people can mend are one sentence and exit status 1."""
    end_in_order()
    try:
        app()
    except SteelyardError as error:
        sys.stderr.write(f"steelyard: {error}\n")
        sys.exit(1)
    except ExceptionGroup as errors:
        known, others = errors.split(SteelyardError)
        if others is not None or known is None:
            raise
        sys.stderr.write(f"steelyard: {_first(known)}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except asyncio.CancelledError:
        sys.exit(143)


def _first(errors: BaseExceptionGroup[SteelyardError]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _say_ready(port: int, intercom: str, quiet: bool) -> None:
    if not quiet:
        out.print(
            f"\nThe desk: [bold]http://127.0.0.1:{port}/desk[/bold]\nIts Intercom: {intercom}\n"
            "Ctrl-C ends the demo and removes its data.\n"
        )


def _table(title: str, figures: dict[str, Any]) -> None:
    table = Table(title=title, show_header=False)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), str(value))
    out.print(table)


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SteelyardError(f"port {wanted} is taken on 127.0.0.1, and no other is free")
