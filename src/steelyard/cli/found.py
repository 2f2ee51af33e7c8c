"""What was found on hosts and sites, for a terminal and for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Final

from babel import Locale
from rich.markup import escape

from steelyard.cli.base import out
from steelyard.operations.checking import shown
from steelyard.toolbox.looking import Checked
from steelyard.web.language import Writer
from steelyard.web.said import Said, term

_SIGNS: Final = {"ok": "[green]ok[/green]     ", "odd": "[yellow]look[/yellow]   ", "missing": "[red]missing[/red]"}


def print_checked(all_checked: Sequence[Checked], as_json: bool) -> int:
    """Prints findings; the exit status: 1 where something is missing."""
    if as_json:
        sys.stdout.write(json.dumps([_plain(each) for each in all_checked]) + "\n")
    for checked in () if as_json else all_checked:
        out.print(f"[bold]{escape(shown(checked.name))}[/bold]")
        for each in checked.findings:
            out.print(f"  {_SIGNS[each.state]}  {escape(text_of(each.says))}", soft_wrap=True)
            if each.mend is not None:
                out.print(f"           {escape(text_of(each.mend))}", soft_wrap=True)
            if each.command and (each.mend is None or each.command not in text_of(each.mend)):
                out.print(f"           {escape(_line(each.command))}", style="bold", soft_wrap=True)
    return int(any(each.state == "missing" for each in all_checked))


def text_of(says: Said) -> str:
    """A saying in English, on one line: parts of it may come from a host."""
    return _line(term(says, str, Writer(Locale("en")).write))


def _plain(checked: Checked) -> dict[str, object]:
    return {
        "name": checked.name,
        "state": checked.state,
        "findings": [
            {
                "name": each.name,
                "state": each.state,
                "says": text_of(each.says),
                "mend": text_of(each.mend) if each.mend is not None else "",
                "command": each.command,
            }
            for each in checked.findings
        ],
    }


def _line(text: str) -> str:
    return shown(text, 1000)
