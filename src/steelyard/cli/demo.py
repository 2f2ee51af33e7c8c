"""The command that shows Steelyard at work."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from steelyard.cli.base import AsJson, app, out
from steelyard.demo.hosting import prepared
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
        options = demonstration.DemoOptions(rate, seed, duration, messages)
        with free_port(port) as free:
            figures = demonstration.demo(folder, free, options, lambda intercom: _say_ready(free, intercom, as_json))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        _table("What happened", figures)


def _say_ready(port: int, intercom: str, quiet: bool) -> None:
    if quiet:
        return
    out.print(f"\nThe desk: [bold]http://127.0.0.1:{port}/desk[/bold]\nIts Intercom: [bold]{intercom}[/bold]")
    if prepared() is None:
        out.print("Its runbooks have no site to work on: `make demo-site` gets a real WordPress, on Debian.")
    out.print("Ctrl-C ends the demo and removes its data.\n")


def _table(title: str, figures: dict[str, Any]) -> None:
    table = Table(title=title, show_header=False)
    for name, value in figures.items():
        table.add_row(name.replace("_", " "), str(value))
    out.print(table)


@contextmanager
def free_port(wanted: int) -> Generator[int]:
    """`wanted` or another port that nobody listens on, kept from other demos while the block runs.

    A desk begins to listen seconds after its port was chosen: a demo that starts meanwhile has to choose another one.
    """
    for port in (wanted, 0):
        with socket.socket() as probe, socket.socket(socket.AF_UNIX) as claim:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                free = int(probe.getsockname()[1])
                if sys.platform == "linux":
                    claim.bind(f"\0steelyard-demo-{free}")  # a name without a file, gone with this process
            except OSError:
                continue
            probe.close()
            yield free
            return
    raise SteelyardError(f"port {wanted} is taken on 127.0.0.1, and no other is free")
