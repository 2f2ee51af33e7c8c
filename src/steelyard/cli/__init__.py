"""The command line.

Each command is imported when it is run: `COMMANDS` says where it is and what it does, which is all that
`steelyard --help` needs. So a command takes the time of what it needs itself, and not of all the others.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from steelyard.cli.base import app
from steelyard.jobs.processes import end_in_order
from steelyard.kit.errors import SteelyardError

__all__ = ["COMMANDS", "command_line", "start", "whole"]

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "defang": (
        "defang",
        "Write untrusted addresses in a text so that nothing makes a link of them: hxxps://evil[.]com.",
    ),
    "demo": ("demo", "Show Steelyard at work: a simulated Intercom, a team of 24 and a stream of conversations."),
    "serve": ("serving", "Run Steelyard: web and worker, and PostgreSQL where DATABASE_URL names none."),
    "migrate": (
        "settings",
        "Bring the database to this release's schema. Needs DATABASE_OWNER_URL, or Steelyard's own server.",
    ),
    "settings": ("settings", "List every setting: its environment name, its default and what it is for."),
    "version": ("settings", "Print the version."),
    "doctor": (
        "health",
        "Say what is wrong with this installation, and how to mend it. Exit status 1 where something is.",
    ),
    "link": (
        "people",
        "Print a link that works once, for an hour: whoever opens it becomes an administrator, or chooses a password.",
    ),
    "people": ("people", "List who may open a workspace in the console, as what, and when they were last there."),
    "reconcile": ("reading", "Read Intercom back now: heal what no webhook told of, and say how much that was."),
    "retry": ("reading", "Handle everything that was set aside once more, after a fix."),
    "connect": ("connecting", "Connect a workspace to this cell."),
    "core": ("core", "Releases that are known: what sites are reset to, and what scans need not read."),
    "policy": ("desk", "The policy: how to weigh, and whom to choose."),
    "handbook": ("handbook", "What the team knows, beside the buttons that do it."),
    "host": ("hosts", "The machines that sites are on, and how workers sign in on them."),
    "runbook": ("own_runbooks", "The team's procedures: plan them, do them, put them back."),
    "rules": ("rules", "The rules by which scans judge files: the packs that are loaded."),
    "secrets": ("secrets", "The keys that the stored tokens and client secrets are sealed under."),
    "site": ("sites", "The customers' sites that runbooks work on."),
    "switch": ("switching", "For which teams Steelyard assigns; all others are in the shadow."),
}
"""The module of each command and what its help begins with, in the order of `steelyard --help`."""


class Later(TyperCommand):
    """A command or a group of them, of which only what the help says is known until it is run."""

    def __init__(self, name: str) -> None:
        super().__init__(name, help=COMMANDS[name][1])

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hands over to the command itself, with its parameters."""
        [command] = loaded(str(self.name))
        return command.make_context(info_name, args, parent, **extra)


def loaded(*names: str) -> list[Any]:
    """The commands themselves, of which the modules are imported now."""
    for name in names:
        import_module(f"steelyard.cli.{COMMANDS[name][0]}")
    known = typer.main.get_group(app).commands
    return [known[name] for name in names]


def command_line() -> TyperGroup:
    """The command line, with commands that are imported when they are run."""
    group = typer.main.get_group(app)
    group.commands.update({name: Later(name) for name in COMMANDS})
    return group


def whole() -> TyperGroup:
    """The command line with every command imported, for who describes them all."""
    group = typer.main.get_group(app)
    group.commands = dict(zip(COMMANDS, loaded(*COMMANDS), strict=True))
    return group


def start() -> None:
    """Runs the command line; errors that people can mend are one sentence and exit status 1."""
    end_in_order()
    try:
        command_line()()
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
