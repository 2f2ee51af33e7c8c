"""The command that shows Steelyard at work."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from steelyard.cli.base import AsJson, app, out
from steelyard.kit.errors import SteelyardError
from steelyard.main import logs
from steelyard.operations import demo as demonstration


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
    logs.log_as("warning", sys.stderr.isatty())
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
