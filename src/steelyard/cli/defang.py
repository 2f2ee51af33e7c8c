"""The command that writes addresses so that nobody opens them by mistake."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from steelyard.cli.base import AsJson, app
from steelyard.companion import defang as written
from steelyard.companion.trust import trusting

Text = Annotated[str, typer.Argument(help="The text; - or nothing reads it from standard input.")]
Trust = Annotated[
    list[str] | None,
    typer.Option(
        "--trust", help="A domain to leave as it is, with all below it; =DOMAIN is that host alone. Repeatable."
    ),
]
Back = Annotated[bool, typer.Option("--back", help="Write such addresses as they were.")]


@app.command()
def defang(text: Text = "-", trust: Trust = None, back: Back = False, as_json: AsJson = False) -> None:
    """Write untrusted addresses in a text so that nothing makes a link of them: hxxps://evil[.]com."""
    try:
        trusted = trusting(trust or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--trust") from error
    source = sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text
    done = written.refang(source) if back else written.defang(source, trusted)
    if as_json:
        sys.stdout.write(json.dumps({"text": done, "changed": done != source}) + "\n")
        return
    sys.stdout.buffer.write(done.encode("utf-8", "replace"))
    if text != "-":
        sys.stdout.buffer.write(b"\n")
