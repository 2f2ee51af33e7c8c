"""A scan as its page shows it: findings by severity, what was looked at and what not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

from steelyard.toolbox.model import Json, Millis, RunId, SiteId, Size
from steelyard.toolbox.scanning.model import OWN_PACK, Kept, Severity
from steelyard.toolbox.scanning.words import LOCKS, RULES, WHY_GIVEN_UP, WHY_SKIPPED
from steelyard.web.said import N_, Said

PAGE: Final = 200
"""Findings on one page."""
_MOST_TITLES: Final = 50


class Shown(NamedTuple):
    """A finding, with what its rule means in words. `about` is a Message where the rule is our own, else data."""

    finding: Kept
    about: str
    movable: bool
    """Whether its file can be moved away."""


class Line(NamedTuple):
    """A line of what was looked at."""

    label: Said
    value: object


class Skipped(NamedTuple):
    """A file that was not looked at, or not whole."""

    place: str
    why: str


class Report(NamedTuple):
    """All that the page shows."""

    run: RunId
    runbook: str
    site: SiteId
    site_name: str
    ended_at: datetime | None
    counts: Mapping[str, int]
    left_out: int
    """Findings beyond those that are kept."""
    groups: tuple[tuple[Severity, tuple[Shown, ...]], ...]
    """Those of this page, by severity."""
    page: int
    pages: int
    movable: int
    """Malicious files that can be moved away, on all pages."""
    looked: tuple[Line, ...]
    skipped: tuple[Skipped, ...]
    skipped_count: int
    without: tuple[str, ...]
    """What has no signed manifest here, and so was read."""
    lacking: tuple[str, ...]
    """Locks that the scanner's machine does not have."""
    gave_up: str
    """Why the host's own yara-x was not asked to the end; empty where it was, or has none."""
    packs: tuple[tuple[str, str], ...]
    """Name and licence of each pack of rules."""
    problem: str
    """Why the database could not be looked through; empty where it was."""

    @property
    def total(self) -> int:
        """All findings."""
        return sum(self.counts.values())


def is_movable(finding: Kept) -> bool:
    """Whether a finding is about a file as it was found, which is still where it was as far as is known."""
    return finding.kind in ("file", "core") and bool(finding.sha256) and not finding.quarantined


def report_of(
    run: RunId,
    runbook: str,
    site: tuple[SiteId, str],
    ended_at: datetime | None,
    told: Mapping[str, Json],
    found: Sequence[Kept],
    page: int,
) -> Report:
    """The report of a run: `told` is what its steps told, `found` its findings, worst first."""
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, page), pages)
    shown = [_shown(each) for each in found[(page - 1) * PAGE : page * PAGE]]
    groups = ((severity, tuple(each for each in shown if each.finding.severity == severity)) for severity in Severity)
    compared, searched, database = (_part(told, name) for name in ("compared", "searched", "database"))
    return Report(
        run,
        runbook,
        *site,
        ended_at,
        {severity.value: sum(each.severity == severity for each in found) for severity in Severity},
        int(told.get("left_out", 0)),
        tuple((severity, group) for severity, group in groups if group),
        page,
        pages,
        len({each.place for each in found if each.severity == Severity.MALICIOUS and is_movable(each)}),
        tuple(_looked(compared, searched, database)),
        tuple(Skipped(str(name), WHY_SKIPPED.get(str(why), str(why))) for name, why in searched.get("skipped", ())),
        int(searched.get("skipped_count", 0)),
        tuple(map(str, compared.get("without", ())))[:_MOST_TITLES],
        tuple(LOCKS.get(str(each), str(each)) for each in searched.get("lacking", ())),
        _gave_up(str(searched.get("gave_up", ""))),
        tuple((str(name), str(licence)) for name, licence in searched.get("packs", ())),
        str(database.get("problem", "")),
    )


def _gave_up(why: str) -> str:
    return WHY_GIVEN_UP.get(why, why)


def numbers_in(numbers: Sequence[int]) -> str:
    """`3,5-7` for [3, 5, 6, 7]: as the runbook that moves files away reads it."""
    parts: list[list[int]] = []
    for each in sorted(set(numbers)):
        if parts and each == parts[-1][1] + 1:
            parts[-1][1] = each
        else:
            parts.append([each, each])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in parts)


def _shown(finding: Kept) -> Shown:
    own = RULES.get(finding.rule) if finding.pack == OWN_PACK else None
    return Shown(finding, own or finding.about, is_movable(finding))


def _part(told: Mapping[str, Json], name: str) -> Mapping[str, Any]:
    part = told.get(name)
    return cast("Mapping[str, Any]", part) if isinstance(part, Mapping) else {}


def _looked(compared: Mapping[str, Any], searched: Mapping[str, Any], database: Mapping[str, Any]) -> list[Line]:
    lines: list[Line] = []
    if compared:
        titles = [str(each) for each in compared["manifests"]]
        lines += [
            Line(Said(N_("Signed manifests")), ", ".join(titles[:_MOST_TITLES]) or None),
            Line(Said(N_("Files as they were released")), compared["known"]),
            Line(Said(N_("Changed, missing, added")), _three(compared)),
            Line(Said(N_("Compared in")), Millis(compared["took_ms"])),
        ]
    if searched:
        lines += [
            Line(Said(N_("Files in all")), searched["seen"]),
            Line(Said(N_("Not changed since the last scan")), searched["unchanged"]),
            Line(Said(N_("Read and judged by rules")), searched["read"]),
            *_where(searched),
            Line(Said(N_("Size of what was read")), Size(searched["bytes"])),
            Line(Said(N_("Looked through for hidden programs")), searched["looked_through"]),
            Line(Said(N_("Links, not followed")), searched["links"]),
            Line(Said(N_("Judged in")), Millis(searched["took_ms"])),
        ]
    if database:
        lines += [
            Line(Said(N_("Rows of the database")), sum(dict(database["rows"]).values())),
            Line(Said(N_("Database looked through in")), Millis(database["took_ms"])),
        ]
    return lines


def _where(searched: Mapping[str, Any]) -> list[Line]:
    """How many files were judged where, for a host that has a yara-x itself."""
    there = int(searched.get("on_host", 0))
    if not there and not searched.get("gave_up"):
        return []
    return [
        Line(Said(N_("On the host, by its own yara-x")), there),
        Line(Said(N_("Beside the worker")), int(searched["read"]) - there),
    ]


def _three(compared: Mapping[str, Any]) -> str:
    return f"{compared['changed']} · {compared['missing']} · {compared['added']}"
