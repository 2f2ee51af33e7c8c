"""What scans found and what they remember, in the toolbox's tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row

from steelyard.kit.ids import WorkspaceId
from steelyard.toolbox.model import Json, RunId, SiteId
from steelyard.toolbox.scanning.judge import worst_first
from steelyard.toolbox.scanning.model import Finding, Kept, Kind, Memory, Severity

MOST: Final = 5000
"""Findings of a run that are kept: whoever has more has to begin somewhere."""
Conn = AsyncConnection[Any]


async def keep_findings(
    conn: Conn, workspace: WorkspaceId, run: RunId, kinds: Iterable[Kind], found: Iterable[Finding], now: datetime
) -> int:
    """Keeps what a step of a run found, in the place of what it found before a kill; how many there were."""
    chosen = worst_first(found)
    await conn.execute("DELETE FROM finding WHERE run = %s AND kind = ANY(%s)", [run, [str(each) for each in kinds]])
    cursor = await conn.execute("SELECT coalesce(max(finding), 0) FROM finding WHERE run = %s", [run])
    row = await cursor.fetchone()
    first = (row[0] if row else 0) + 1
    if rows := [_row(each) for each in chosen[:MOST]]:
        numbers = list(range(first, first + len(rows)))
        columns = [list(column) for column in zip(*rows, strict=True)]
        await conn.execute(_INSERT, [workspace, run, now, numbers, *columns])
    return len(chosen)


_INSERT: Final = """
INSERT INTO finding (workspace, run, at, finding, kind, place, severity, rule, pack, author, licence, about, evidence,
                     sha256)
SELECT %s, %s, %s, new.*
FROM unnest(%s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
            %s::text[], %s::text[]) AS new
"""


def _row(found: Finding) -> tuple[str, ...]:
    return str(found.kind), found.place[:4000], *map(_storable, found.hit), found.sha256


def _storable(text: str) -> str:
    """Without what no text of the database may hold."""
    return str(text).replace("\0", "·").encode("utf-8", "replace").decode()


async def read_findings(conn: Conn, run: RunId) -> list[Kept]:
    """What a run found, worst first."""
    async with conn.cursor(row_factory=class_row(Kept)) as cursor:
        await cursor.execute(
            "SELECT finding, kind, place, severity, rule, pack, author, licence, about, evidence, sha256, quarantined,"
            " at FROM finding WHERE run = %s"
            " ORDER BY array_position(ARRAY['malicious', 'suspicious', 'odd'], severity),"
            " kind, place, finding LIMIT %s",
            [run, 2 * MOST],
        )
        return await cursor.fetchall()


async def count_findings(conn: Conn, run: RunId) -> dict[str, int]:
    """How many findings a run has, by severity."""
    cursor = await conn.execute("SELECT severity, count(*) FROM finding WHERE run = %s GROUP BY severity", [run])
    found = {str(row[0]): int(row[1]) for row in await cursor.fetchall()}
    return {severity.value: found.get(severity.value, 0) for severity in Severity}


async def read_places(conn: Conn, site: SiteId, run: RunId, numbers: Sequence[int]) -> list[list[str]]:
    """Name and SHA-256 of the files of these findings of a run on a site, each once."""
    cursor = await conn.execute(
        "SELECT DISTINCT finding.place, finding.sha256 FROM finding JOIN run USING (workspace, run)"
        " WHERE run.site = %s AND finding.run = %s AND finding.finding = ANY(%s)"
        " AND finding.kind IN ('file', 'core') AND finding.sha256 != '' ORDER BY 1 LIMIT 2000",
        [site, run, list(numbers)],
    )
    return [[str(row[0]), str(row[1])] for row in await cursor.fetchall()]


async def mark_quarantined(conn: Conn, run: RunId, places: Sequence[str], quarantined: bool) -> None:
    """Notes of a run's findings that their files were moved away, or put back."""
    await conn.execute(
        "UPDATE finding SET quarantined = %s WHERE run = %s AND place = ANY(%s)", [quarantined, run, list(places)]
    )


async def read_memory(conn: Conn, site: SiteId, rules: str) -> Memory:
    """What the last scan of a site saw, where it judged by the same rules; else nothing."""
    cursor = await conn.execute("SELECT seen FROM scan_memory WHERE site = %s AND rules = %s", [site, rules])
    row = await cursor.fetchone()
    return Memory.load(rules, bytes(row[0])) if row else Memory(rules)


async def keep_memory(conn: Conn, workspace: WorkspaceId, site: SiteId, rules: str, seen: bytes, now: datetime) -> None:
    """Remembers a dumped memory for the next scan of a site."""
    await conn.execute(
        "INSERT INTO scan_memory (workspace, site, rules, seen, at) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (workspace, site) DO UPDATE SET rules = excluded.rules, seen = excluded.seen, at = excluded.at",
        [workspace, site, rules, seen, now],
    )


async def read_report(conn: Conn, run: RunId) -> dict[str, Json]:
    """What the steps of a run told so far."""
    cursor = await conn.execute("SELECT report FROM run WHERE run = %s", [run])
    row = await cursor.fetchone()
    return dict(row[0]) if row and isinstance(row[0], dict) else {}
