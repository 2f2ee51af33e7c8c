"""Sites as CSV or JSON, line by line: what would be added, what would change, what cannot be taken and why. Pure.

The same text twice changes nothing the second time: a site is known by its name.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from steelyard.toolbox import fields
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.model import HostId, Json
from steelyard.toolbox.registry_rows import NewSite
from steelyard.web.said import N_, Said

COLUMNS: Final = ("name", "host", "docroot", "account", "url", "group", "hints")
REQUIRED: Final = ("name", "host", "docroot", "account")
MOST_LINES: Final = 10_000


class Row(NamedTuple):
    """One site as it was written, and where: the line of a CSV, or the place in a list, from 1."""

    line: int
    texts: Mapping[str, str]


class Refusal(NamedTuple):
    """A line that cannot be taken."""

    line: int
    name: str
    says: Said


class Imported(NamedTuple):
    """What a text would do. The lines of what is refused are in none of the others."""

    added: tuple[NewSite, ...]
    changed: tuple[NewSite, ...]
    same: int
    refused: tuple[Refusal, ...]


def read_import(text: str, hosts: Mapping[str, HostId], known: Mapping[str, NewSite]) -> Imported:
    """What `text`, CSV with a line of headings or a JSON list, would do to the `known` sites on these `hosts`."""
    rows, refused = rows_of(text)
    added, changed, same = list[NewSite](), list[NewSite](), 0
    lines: dict[str, int] = {}
    for row in rows:
        try:
            new = site_of(row.texts, hosts)
            if new.name in lines:
                message = N_("%(name)s is on line %(line)s already: keep one of them.")
                raise Unfit(message, name=new.name, line=lines[new.name])
        except Unfit as unfit:
            refused.append(Refusal(row.line, row.texts.get("name", "")[:80], unfit.says))
            continue
        lines[new.name] = row.line
        before = known.get(new.name)
        if before is None:
            added.append(new)
        elif before == new:
            same += 1
        else:
            changed.append(new)
    return Imported(tuple(added), tuple(changed), same, tuple(sorted(refused, key=lambda each: each.line)))


def site_of(texts: Mapping[str, str], hosts: Mapping[str, HostId]) -> NewSite:
    """A site from its texts by column. Raises Unfit."""
    for column in REQUIRED:
        if not texts.get(column, "").strip():
            message = N_("“%(column)s” is missing: each site has %(columns)s.")
            raise Unfit(message, column=column, columns=", ".join(REQUIRED))
    name = fields.site_name(texts["name"])
    host = hosts.get(texts["host"].strip())
    if host is None:
        message = N_("There is no host “%(host)s”: add it with `steelyard host add`, or use one of: %(hosts)s.")
        raise Unfit(message, host=texts["host"][:80], hosts=", ".join(sorted(hosts)[:10]) or "–")
    return NewSite(
        name,
        host,
        fields.path(texts["docroot"]),
        fields.account(texts["account"]),
        fields.url(texts.get("url", ""), name),
        fields.group(texts.get("group", "")),
        fields.hints(texts.get("hints", "")),
    )


def rows_of(text: str) -> tuple[list[Row], list[Refusal]]:
    """The sites in a text, and what of it is none."""
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        return [], [Refusal(1, "", Said(N_("This is no text: save the table as CSV (UTF-8) or as JSON.")))]
    rows, refused = _of_json(text) if text.lstrip()[:1] in ("[", "{") else _of_csv(text)
    if len(rows) > MOST_LINES:
        message = N_("This has %(count)s sites: import at most %(most)s at once.")
        return [], [Refusal(1, "", Said(message, {"count": len(rows), "most": MOST_LINES}))]
    if not rows and not refused:
        message = N_(
            "There is no site in it: the first line names the columns (%(columns)s), each other line is a site."
        )
        return [], [Refusal(1, "", Said(message, {"columns": ", ".join(COLUMNS)}))]
    return rows, refused


def _of_csv(text: str) -> tuple[list[Row], list[Refusal]]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n")), delimiter=delimiter, strict=True)
    rows, refused = list[Row](), list[Refusal]()
    headings: list[str] = []
    line = 1
    try:
        for cells in reader:
            if not headings:
                headings = [each.strip().lower() for each in cells]
                if (wrong := _wrong(headings)) is not None:
                    return [], [Refusal(line, "", wrong)]
            elif len(cells) > len(headings):
                message = N_("This line has %(cells)s cells for %(columns)s columns: quote what holds a separator.")
                says = Said(message, {"cells": len(cells), "columns": len(headings)})
                refused.append(Refusal(line, cells[0][:80], says))
            elif any(each.strip() for each in cells):
                rows.append(Row(line, dict(zip(headings, cells, strict=False))))
            line = reader.line_num + 1
    except csv.Error:
        message = N_("A quote is not closed, or a cell is too long: look at this line and those before it.")
        refused.append(Refusal(line, "", Said(message)))
    return rows, refused


def _wrong(headings: list[str]) -> Said | None:
    """What is wrong with the line that names the columns."""
    odd = [each for each in headings if each not in COLUMNS or headings.count(each) > 1]
    if not odd:
        return None
    message = N_("“%(column)s” is no column: the first line names some of %(columns)s, each once.")
    return Said(message, {"column": odd[0][:40], "columns": ", ".join(COLUMNS)})


def _of_json(text: str) -> tuple[list[Row], list[Refusal]]:
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else 1
        return [], [Refusal(line, "", Said(N_("This is no JSON: a quote, a comma or a bracket is off here.")))]
    entries = cast("dict[str, Json]", found).get("sites") if isinstance(found, dict) else found
    if not isinstance(entries, list):
        message = N_("JSON has to be a list of sites, or an object with such a list as “sites”.")
        return [], [Refusal(1, "", Said(message))]
    rows, refused = list[Row](), list[Refusal]()
    for number, entry in enumerate(cast("list[Json]", entries), 1):
        try:
            rows.append(Row(number, texts_of(entry)))
        except Unfit as unfit:
            refused.append(Refusal(number, "", unfit.says))
    return rows, refused


def texts_of(entry: Json) -> dict[str, str]:
    """A site given as a JSON object, as texts by column. Raises Unfit."""
    if not isinstance(entry, dict):
        raise Unfit(N_("A site is a JSON object with %(columns)s."), columns=", ".join(COLUMNS))
    given = cast("dict[str, Json]", entry)
    texts: dict[str, str] = {}
    for key, value in given.items():
        if key not in COLUMNS:
            message = N_("“%(column)s” is no column: a site has %(columns)s.")
            raise Unfit(message, column=key[:40], columns=", ".join(COLUMNS))
        if value is None:
            continue
        if isinstance(value, str):
            texts[key] = value
        elif key == "hints":
            texts[key] = json.dumps(fields.judged_hints(value))
        else:
            raise Unfit(N_("“%(column)s” has to be a text."), column=key)
    return texts
