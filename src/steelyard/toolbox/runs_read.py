"""Runs as they are looked at: with their steps, what they said, and lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, cast

from steelyard.kit.ids import ConversationId
from steelyard.store.database import Connection
from steelyard.toolbox import store
from steelyard.toolbox.journal import unpacked
from steelyard.toolbox.model import Json, Risk, Row, RunId, SiteId, decode
from steelyard.toolbox.reach import Progress
from steelyard.toolbox.runs_seen import BatchSeen, Being, LineSeen, PlanSeen, RunListed, RunSeen, StepSeen
from steelyard.toolbox.states import AT_WORK, STATE_WORDS, State
from steelyard.toolbox.store import RUNS_CHANNEL
from steelyard.web.said import N_
from steelyard.web.tables import Choice, Clauses, Column, Days, Is, Numbered, Table

__all__ = ["RUNS", "RUNS_CHANNEL", "BatchSeen", "LineSeen", "PlanSeen", "RunListed", "RunSeen", "StepSeen"]


_RUN: Final[LiteralString] = f"""
SELECT run.run, token, runbook, digest, risk, run.site, site.name AS site_name, site.site_group AS "group",
       site.removed_at IS NOT NULL AS site_removed, host.name AS host_name, batch, undoes, undone_by, params, state,
       reason, person, why, conversation, plan, plan_digest, expected_ms, minutes, asked_at, planned_at, holds_until,
       confirmed_at, confirmed_by, approver, approved_at, started_at, ended_at, took_ms, cancelled_by, cancel_at,
       undo_until, erased_at, attempt, report, {store.CONFIRMED}
FROM run JOIN site USING (workspace, site) JOIN host USING (workspace, host) WHERE run.run = %(run)s
"""  # noqa: S608 - constants alone


async def read_run(conn: Connection, run: RunId) -> RunSeen | None:
    """A run of the transaction's workspace with its steps; None where there is none."""
    found = await store.rows(conn, _RUN, {"run": run})
    if not found:
        return None
    steps = await store.rows(
        conn,
        "SELECT step, phase, name, title, says, work, expected_ms, intent_at, receipt_at, outcome, took_ms, result,"
        " progress FROM run_step WHERE run = %(run)s ORDER BY step",
        {"run": run},
    )
    row = found[0]
    state = State(row["state"])
    known: dict[str, Any] = {
        **row,
        "risk": Risk(row["risk"]),
        "state": state,
        "reason": store.reason_of(row["reason"]),
        "plan": _plan(row["plan"]),
    }
    return RunSeen(**known, steps=tuple(_step(each, state in AT_WORK) for each in steps))


def _plan(kept: Json) -> PlanSeen | None:
    if kept is None:
        return None
    return PlanSeen(
        concerns=tuple(Row(decode(label), decode(value)) for label, value in kept["concerns"]),
        warnings=tuple(decode(kept["warnings"])),
        left=tuple(decode(kept["left"])),
        keeps=decode(unpacked(kept["keeps"])),
        undoable=kept["undoable"],
        nothing=decode(kept["nothing"]),
    )


def _step(row: dict[str, Any], at_work: bool) -> StepSeen:
    work, progress = row.pop("work"), row.pop("progress")
    known: dict[str, Any] = {
        **row,
        "title": decode(row["title"]),
        "says": decode(row["says"]),
        "touches": bool(work.get("touches")),
        "check": "expects" in work,
        "progress": Progress(**progress) if progress else None,
    }
    return StepSeen(**known, state=_state(row, at_work))


def _state(row: Mapping[str, Any], at_work: bool) -> Being:
    match row["outcome"]:
        case "done" | "found":
            return "done"
        case "":
            return "waiting" if row["intent_at"] is None else "at" if at_work else "unknown"
        case other:
            return cast("Being", other)


async def read_lines(conn: Connection, run: RunId, after: int = 0, most: int = 500) -> list[LineSeen]:
    """What was said in a run after line `after`, `most` lines at most."""
    found = await store.rows(
        conn,
        "SELECT line, step, at_ms, level, said, at FROM run_line WHERE run = %(run)s AND line > %(after)s"
        " ORDER BY line LIMIT %(most)s",
        {"run": run, "after": after, "most": most},
    )
    return [LineSeen(**row) for row in found]


RUNS: Final = Table[RunListed](
    "runs",
    (
        Column("run", N_("Run"), lambda row: row.run, sorts=True, sql="run.run", heads=True),
        Column("at", N_("Asked"), lambda row: row.asked_at, sorts=True, filter=Days(), sql="asked_at"),
        Column("runbook", N_("Runbook"), lambda row: row.runbook, filter=Is(), where="runbook"),
        Column("site", N_("Site"), lambda row: row.site_name, filter=Is(), where="run.site"),
        Column("state", N_("State"), lambda row: STATE_WORDS[row.state], where="state",
               filter=Is(tuple(Choice(state.value, words) for state, words in STATE_WORDS.items()))),
        Column("person", N_("Who"), lambda row: row.person, filter=Is(), where="person"),
        Column("took", N_("Took"), lambda row: row.took_ms, sorts=True, number=True, sql="took_ms"),
        Column("saved", N_("Saved"), lambda row: row.saved_s, number=True),
        Column("why", N_("Why"), lambda row: row.why),
        Column("batch", N_("Request"), lambda row: row.batch, filter=Numbered(), where="batch", data_only=True),
        Column("undoes", N_("Undoes"), lambda row: row.undoes, data_only=True),
        Column("undone_by", N_("Undone by"), lambda row: row.undone_by, data_only=True),
    ),
    sort="-run",
    tie="run.run DESC",
)  # fmt: skip

_LIST: Final[LiteralString] = f"""
SELECT run.run, asked_at, runbook, risk, run.site, site.name AS site_name, state, reason, person, took_ms, minutes, why,
       batch, undoes, undone_by, {store.CONFIRMED}
FROM run JOIN site USING (workspace, site) WHERE true
"""  # noqa: S608 - constants alone


_COUNT: Final[LiteralString] = "SELECT count(*) AS total FROM run WHERE true "


async def read_runs(conn: Connection, asked: Clauses) -> tuple[list[RunListed], int]:
    """One page of the runs of the transaction's workspace, and how many there are."""
    query = " ".join((_LIST, asked.where, asked.order, asked.limit))
    found = await store.rows(conn, query, asked.values)
    counted = await store.rows(conn, _COUNT + asked.where, asked.values)
    return _listed(found), counted[0]["total"]


async def last_runs(conn: Connection, most: int = 30) -> list[RunListed]:
    """The last runs of the transaction's workspace, the newest first."""
    return _listed(await store.rows(conn, _LIST + " ORDER BY run.run DESC LIMIT %(most)s", {"most": most}))


async def site_runs(conn: Connection, site: SiteId, most: int = 20) -> list[RunListed]:
    """The last runs at a site, the newest first."""
    query = _LIST + " AND run.site = %(site)s ORDER BY run.run DESC LIMIT %(most)s"
    return _listed(await store.rows(conn, query, {"site": site, "most": most}))


async def runs_of_runbook(conn: Connection, runbook: str, most: int = 20) -> list[RunListed]:
    """The last runs of a runbook, the newest first."""
    query = _LIST + " AND runbook = %(runbook)s ORDER BY run.run DESC LIMIT %(most)s"
    return _listed(await store.rows(conn, query, {"runbook": runbook, "most": most}))


async def runs_of_conversation(conn: Connection, conversation: ConversationId, most: int = 20) -> list[RunListed]:
    """The last runs that were asked for in a conversation, the newest first."""
    query = _LIST + " AND conversation = %(conversation)s ORDER BY run.run DESC LIMIT %(most)s"
    return _listed(await store.rows(conn, query, {"conversation": conversation, "most": most}))


async def read_batch(conn: Connection, batch: int) -> BatchSeen | None:
    """A request with its runs, in their order; None where there is none."""
    found = await store.rows(
        conn,
        "SELECT batch, runbook, at_once, most_failures, person, asked_at, confirmed_at, confirmed_by, approver,"
        " approved_at, stopped_at FROM batch WHERE batch = %(batch)s",
        {"batch": batch},
    )
    if not found:
        return None
    query = _LIST + " AND batch = %(batch)s ORDER BY run.run"
    groups = await store.rows(
        conn,
        'SELECT DISTINCT site_group AS "group" FROM run JOIN site USING (workspace, site) WHERE batch = %(batch)s'
        " ORDER BY site_group",
        {"batch": batch},
    )
    return BatchSeen(
        **found[0],
        runs=tuple(_listed(await store.rows(conn, query, {"batch": batch}))),
        groups=tuple(each["group"] for each in groups),
    )


def _listed(found: Sequence[dict[str, Any]]) -> list[RunListed]:
    made: list[RunListed] = []
    for row in found:
        known: dict[str, Any] = {
            **row,
            "risk": Risk(row["risk"]),
            "state": State(row["state"]),
            "reason": store.reason_of(row["reason"]),
        }
        made.append(RunListed(**known))
    return made
