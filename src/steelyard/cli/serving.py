"""The command that runs Steelyard."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from steelyard import config
from steelyard.cli.base import Role, app
from steelyard.main import logs
from steelyard.operations import serving


@app.command()
def serve(
    role: Annotated[Role, typer.Option(help="`web` and `worker` run apart, on any number of machines.")] = Role.ALL,
) -> None:
    """Run Steelyard: web and worker, and PostgreSQL where DATABASE_URL names none."""
    settings = config.load()
    logs.log_as(settings.log_level, sys.stderr.isatty())
    serving.serve(settings, role.value)
