"""Commands that run Steelyard: the demo, the server, its schema and its settings."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from steelyard import __version__, config, main
from steelyard.cli.base import AsJson, app, out
from steelyard.config import Settings
from steelyard.kit.errors import SteelyardError
from steelyard.operations import database, serving
from steelyard.operations import demo as demonstration


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"


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
        options = demonstration.DemoOptions(rate, seed, duration, messages)
        figures = demonstration.demo(folder, port, options, lambda intercom: _say_ready(port, intercom, as_json))
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
    serving.serve(settings, role.value)


@app.command()
def migrate() -> None:
    """Bring the database to this release's schema. Needs DATABASE_OWNER_URL, or Steelyard's own server."""
    for step in database.migrate(config.load()):
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


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"{__version__}\n")


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
