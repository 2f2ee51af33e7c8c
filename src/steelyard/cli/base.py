"""What every command shares: the application they hang on, the console they print to, and common options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="Weighs every customer conversation and gives it to the engineer who carries the least.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

out = Console(highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
InWorkspace = Annotated[str | None, typer.Option("--workspace", help="Which one, where the cell has several.")]


class Role(StrEnum):
    """What a process does."""

    ALL = "all"
    WEB = "web"
    WORKER = "worker"
