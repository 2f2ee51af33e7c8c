"""Commands about this installation: its schema, its settings, its version."""

from __future__ import annotations

import json
import sys

from steelyard import __version__, config
from steelyard.cli.base import AsJson, app, out
from steelyard.config import Settings
from steelyard.operations import database


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
