"""What a diagnosis found stands on the page of its run: what is bad first, in words, and hostile text as text."""

from __future__ import annotations

import json
from html import unescape

from test_findings_page import HOSTILE, Office, office

from desk_seed import NOW
from steelyard.toolbox.model import RunId

__all__ = ["office"]

LINES = [
    {"what": "wordpress", "state": "good", "says": "wordpress", "value": {"version": "7.1.1", "locale": "fr_FR"}},
    {"what": "log", "state": "bad", "says": "log_fatal",
     "value": {"path": HOSTILE, "size": 3_000_000_000, "count": 2, "last": HOSTILE}},
    {"what": "autoload", "state": "look", "says": "autoload_large", "value": {"size": 900_000}},
    {"what": "log", "state": "bad", "says": "not_of_this_version", "value": {}},
]  # fmt: skip


async def diagnosed(office: Office) -> RunId:
    async with office.database.transaction(office.workspace) as conn:
        row = await (
            await conn.execute(
                "INSERT INTO run (workspace, token, runbook, digest, risk, site, params, state, minutes, asked_at,"
                " started_at, ended_at, report) VALUES (%s, '0a1b2c3d', 'diagnose_site', '', 'reads', %s, '{}', 'done',"
                " 15, %s, %s, %s, %s::jsonb) RETURNING run",
                [office.workspace, office.site, NOW, NOW, NOW, json.dumps({"diagnosis": LINES})],
            )
        ).fetchone()
    assert row is not None
    return RunId(row[0])


async def test_it_is_told_in_words_worst_first(office: Office) -> None:
    run = await diagnosed(office)
    page = (await office.client.get(f"/runs/{run}")).text
    plain = unescape(page)
    assert "What it found" in plain
    assert HOSTILE not in page
    assert plain.count(HOSTILE) == 2
    assert plain.index("fatal errors at its end") < plain.index("with each page") < plain.index("7.1.1, language fr_FR")
    assert "not_of_this_version" not in plain
    french = unescape((await office.client.get(f"/runs/{run}?lang=fr")).text)
    assert "erreurs fatales à la fin" in french
    data = (await office.client.get(f"/runs/{run}.json")).json()
    assert data["report"]["diagnosis"] == LINES
