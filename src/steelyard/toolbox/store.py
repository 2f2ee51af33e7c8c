"""The tables of runs, written: every change of state is one statement that heeds the table of transitions.

What a worker writes names its attempt: where another worker has taken the run since, nothing is written and the worker
is told that the run is not its any more (Fenced).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from steelyard.kit.ids import ConversationId, PersonId, WorkspaceId
from steelyard.toolbox.journal import MOST_LINES, Answer, Entry, Outcome, Scrub, entries_of, entry, packed, unpacked
from steelyard.toolbox.model import Json, Plan, Risk, RunId, SiteId, Token, decode, encode
from steelyard.toolbox.runbook import Values
from steelyard.toolbox.states import Event, Reason, State, after, sources

Conn = AsyncConnection[Any]

RUNS_CHANNEL: Final = "runs"
"""Hints that something of a run changed: see Database.listen."""


NO_SECRETS: Final = Scrub(())
"""For what holds none, and may hold what a table cannot."""


class Fenced(Exception):
    """Another worker has taken the run, or its state is another by now: whoever is told so stops at once."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run as it is asked for."""

    token: Token
    runbook: str
    digest: str
    risk: Risk
    site: SiteId
    params: Values
    sealed: Mapping[str, str]
    minutes: int
    person: PersonId | None
    why: str = ""
    conversation: ConversationId | None = None
    batch: int | None = None
    undoes: RunId | None = None
    confirmed: bool = False
    """Whether it goes on by itself once it is planned: what only reads, and what puts back."""


@dataclass(frozen=True, slots=True)
class Run:
    """What whoever works on a run has to know of it."""

    run: RunId
    token: Token
    runbook: str
    digest: str
    risk: Risk
    site: SiteId
    batch: int | None
    undoes: RunId | None
    params: Values
    sealed: Mapping[str, str]
    state: State
    person: PersonId | None
    plan: Json
    plan_digest: str
    minutes: int
    asked_at: datetime
    holds_until: datetime | None
    confirmed_at: datetime | None
    confirmed_by: PersonId | None
    started_at: datetime | None
    ended_at: datetime | None
    cancel_at: datetime | None
    undo_until: datetime | None
    undone_by: RunId | None
    erased_at: datetime | None
    attempt: int
    why: str
    conversation: ConversationId | None
    changed: bool
    """Whether its site changed since somebody confirmed its plan: there is a new one to look at."""
    confirmed: bool

    @property
    def keeps(self) -> Mapping[str, Json]:
        """What its undo has to know."""
        return decode(unpacked(self.plan["keeps"])) if self.plan else {}

    @property
    def undoable(self) -> bool:
        """Whether its plan said that it can be put back."""
        return bool(self.plan and self.plan["undoable"])


CONFIRMED: Final[LiteralString] = """
(run.confirmed_at IS NOT NULL OR EXISTS (
    SELECT FROM batch
    WHERE batch.workspace = run.workspace AND batch.batch = run.batch AND batch.confirmed_at IS NOT NULL)) AS confirmed
"""
"""Whether somebody confirmed a run, or the request that it is of, in which it waits for its turn."""

_RUN: Final[LiteralString] = f"""
SELECT run, token, runbook, digest, risk, site, batch, undoes, params, sealed, state, person, plan, plan_digest,
       minutes, asked_at, holds_until, confirmed_at, confirmed_by, started_at, ended_at, cancel_at, undo_until,
       undone_by, erased_at, attempt, why, conversation, coalesce(reason->>'code' = 'changed', false) AS changed,
       {CONFIRMED}
FROM run WHERE run = %(run)s
"""  # noqa: S608 - constants alone


async def rows(conn: Conn, query: LiteralString, values: Mapping[str, object]) -> list[dict[str, Any]]:
    """All rows of `query` by the names of their columns."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


def _run(row: dict[str, Any]) -> Run:
    known: dict[str, Any] = {**row, "risk": Risk(row["risk"]), "state": State(row["state"])}
    return Run(**known)


async def find_run(conn: Conn, run: RunId, *, locked: bool = False) -> Run | None:
    """A run of the transaction's workspace; `locked` until it ends."""
    lock: LiteralString = " FOR UPDATE" if locked else ""
    found = await rows(conn, _RUN + lock, {"run": run})
    return _run(found[0]) if found else None


async def add_run(conn: Conn, workspace: WorkspaceId, new: NewRun, now: datetime) -> RunId:
    """Stores a run in the state `planning`."""
    found = await rows(
        conn,
        """INSERT INTO run (workspace, token, runbook, digest, risk, site, params, sealed, state, person, why,
                            conversation, batch, undoes, minutes, asked_at, confirmed_at)
           VALUES (%(workspace)s, %(token)s, %(runbook)s, %(digest)s, %(risk)s, %(site)s, %(params)s, %(sealed)s,
                   'planning', %(person)s, %(why)s, %(conversation)s, %(batch)s, %(undoes)s, %(minutes)s, %(now)s,
                   CASE WHEN %(confirmed)s THEN %(now)s::timestamptz END)
           RETURNING run""",
        {
            "workspace": workspace,
            "token": new.token,
            "runbook": new.runbook,
            "digest": new.digest,
            "risk": new.risk.value,
            "site": new.site,
            "params": Jsonb(dict(new.params)),
            "sealed": Jsonb(dict(new.sealed)),
            "person": new.person,
            "why": new.why,
            "conversation": new.conversation,
            "batch": new.batch,
            "undoes": new.undoes,
            "minutes": new.minutes,
            "now": now,
            "confirmed": new.confirmed,
        },
    )
    return RunId(found[0]["run"])


async def change(
    conn: Conn, run: Run, event: Event, *, reason: Reason | None = None, attempt: int | None = None
) -> State:
    """Takes a run to where `event` leads from its state. Raises Fenced where it is in another by now."""
    state = after(run.state, event)
    if state is None:
        raise Fenced(f"run {run.run} is {run.state.value}: {event.value} cannot happen")
    found = await rows(
        conn,
        """UPDATE run SET state = %(state)s, reason = %(reason)s
           WHERE run = %(run)s AND state = %(before)s AND (%(attempt)s::integer IS NULL OR attempt = %(attempt)s)
           RETURNING run""",
        {"run": run.run, "state": state.value, "before": run.state.value, "attempt": attempt,
         "reason": _reason(reason)},
    )  # fmt: skip
    if not found:
        raise Fenced(f"run {run.run} is not {run.state.value} any more")
    return state


def _reason(reason: Reason | None) -> Jsonb | None:
    return None if reason is None else Jsonb({"code": reason.code, "says": NO_SECRETS.json(encode(reason.says))})


async def read_reason(conn: Conn, run: RunId) -> Reason | None:
    """Why a run is in its state."""
    found = await rows(conn, "SELECT reason FROM run WHERE run = %(run)s", {"run": run})
    return reason_of(found[0]["reason"]) if found else None


def reason_of(kept: Json) -> Reason | None:
    """A reason as its column keeps it."""
    return None if kept is None else Reason(kept["code"], decode(kept["says"]))


async def take(conn: Conn, run: RunId, now: datetime) -> Run | None:
    """Takes a run up: whoever had it before is fenced off. None where there is nothing to do for it."""
    found = await rows(
        conn,
        """UPDATE run SET attempt = attempt + 1,
                          started_at = coalesce(started_at, CASE WHEN state = 'queued' THEN %(now)s::timestamptz END),
                          state = CASE WHEN state = 'queued' THEN 'running' ELSE state END
           WHERE run = %(run)s AND state = ANY(%(states)s) RETURNING run""",
        {"run": run, "now": now, "states": [*sources(Event.BEGIN), State.PLANNING.value]},
    )
    return await find_run(conn, run) if found else None


async def hold(conn: Conn, run: Run) -> datetime | None:
    """Holds the run's row until the transaction ends; since when it is to be cancelled. Raises Fenced."""
    found = await rows(
        conn,
        "SELECT cancel_at FROM run WHERE run = %(run)s AND attempt = %(attempt)s AND state = ANY(%(states)s)"
        " FOR UPDATE",
        {"run": run.run, "attempt": run.attempt, "states": [State.PLANNING.value, *sources(Event.BEGIN)]},
    )
    if not found:
        raise Fenced(f"another worker has taken run {run.run}")
    return found[0]["cancel_at"]


async def keep_plan(
    conn: Conn, workspace: WorkspaceId, run: Run, plan: Plan, scrub: Scrub, now: datetime, until: datetime
) -> None:
    """Stores a plan with its steps, in place of an earlier one."""
    kept = {
        "concerns": [[scrub.json(encode(row.label)), scrub.json(encode(row.value))] for row in plan.concerns],
        "warnings": scrub.json(encode(plan.warnings)),
        "left": scrub.json(encode(plan.left)),
        "keeps": packed(encode(plan.keeps)),
        "undoable": plan.undoable,
        "nothing": scrub.json(encode(plan.nothing)),
    }
    await conn.execute(
        "UPDATE run SET plan = %s, plan_digest = %s, expected_ms = %s, planned_at = %s, holds_until = %s"
        " WHERE run = %s",
        [Jsonb(kept), plan.digest(), round(plan.seconds * 1000), now, until, run.run],
    )
    await conn.execute("DELETE FROM run_step WHERE run = %s", [run.run])
    await add_entries(conn, workspace, run.run, entries_of(plan, "do"), scrub)


async def add_entries(conn: Conn, workspace: WorkspaceId, run: RunId, entries: Sequence[Entry], scrub: Scrub) -> None:
    """Appends rows to a run's journal."""
    listed = [
        {"step": each.number, "phase": each.phase, "name": each.name, "title": scrub.json(encode(each.title)),
         "says": scrub.json(encode(each.says)), "work": each.work, "expected_ms": round(each.seconds * 1000)}
        for each in entries
    ]  # fmt: skip
    await conn.execute(
        """INSERT INTO run_step (workspace, run, step, phase, name, title, says, work, expected_ms)
           SELECT %s, %s, step, phase, name, title, says, work, expected_ms
           FROM jsonb_to_recordset(%s) AS row (step integer, phase text, name text, title jsonb, says jsonb,
                                               work jsonb, expected_ms integer)""",
        [workspace, run, Jsonb(listed)],
    )


async def read_entries(conn: Conn, run: RunId) -> list[Entry]:
    """The journal of a run, in order."""
    found = await rows(
        conn,
        "SELECT step, phase, name, title, says, work, expected_ms, intent_at, outcome FROM run_step"
        " WHERE run = %(run)s ORDER BY step",
        {"run": run},
    )
    return [entry(row) for row in found]


async def forget_unfinished_undo(conn: Conn, run: RunId) -> int:
    """Removes what an earlier putting back planned and did not end; from which number the next one's steps count."""
    await conn.execute("DELETE FROM run_step WHERE run = %s AND phase = 'undo' AND outcome = ''", [run])
    found = await rows(conn, "SELECT max(step) AS last FROM run_step WHERE run = %(run)s", {"run": run})
    last = found[0]["last"]
    return 0 if last is None else last + 1


class Receipt(NamedTuple):
    """How a step ended."""

    step: int
    outcome: Outcome
    took_ms: int
    answer: Answer = Answer(None)


async def keep_receipts(conn: Conn, run: Run, receipts: Sequence[Receipt], now: datetime) -> None:
    """Writes down how steps ended; held by `hold` in the same transaction."""
    for each in receipts:
        await conn.execute(
            "UPDATE run_step SET receipt_at = %s, outcome = %s, took_ms = %s, result = %s, progress = NULL"
            " WHERE run = %s AND step = %s",
            [now, each.outcome, each.took_ms, Jsonb(each.answer.result), run.run, each.step],
        )
        if each.answer.report is not None:
            await conn.execute("UPDATE run SET report = %s WHERE run = %s", [Jsonb(each.answer.report), run.run])


async def keep_intent(conn: Conn, run: Run, step: int, now: datetime) -> None:
    """Writes down that a step is begun; held by `hold` in the same transaction."""
    await conn.execute(
        "UPDATE run_step SET intent_at = coalesce(intent_at, %s), outcome = '', receipt_at = NULL"
        " WHERE run = %s AND step = %s",
        [now, run.run, step],
    )


class SaidLine(NamedTuple):
    """A line as it is kept."""

    step: int
    at_ms: int
    level: str
    said: str


async def keep_said(
    conn: Conn, workspace: WorkspaceId, run: Run, lines: Sequence[SaidLine], progress: Mapping[int, Json], now: datetime
) -> None:
    """Appends lines, up to MOST_LINES of a run, and how far steps are; held by `hold` in the same transaction."""
    if lines:
        await conn.execute(
            """WITH known AS (SELECT coalesce(max(line), 0) AS last FROM run_line WHERE run = %(run)s)
               INSERT INTO run_line (workspace, run, line, step, at_ms, level, said, at)
               SELECT %(workspace)s, %(run)s, last + place, step, at_ms, level, said, %(now)s
               FROM known, unnest(%(steps)s::integer[], %(ats)s::integer[], %(levels)s::text[], %(saids)s::text[])
                    WITH ORDINALITY AS new (step, at_ms, level, said, place)
               WHERE last + place <= %(most)s""",
            {
                "workspace": workspace,
                "run": run.run,
                "now": now,
                "most": MOST_LINES,
                "steps": [line.step for line in lines],
                "ats": [line.at_ms for line in lines],
                "levels": [line.level for line in lines],
                "saids": [line.said for line in lines],
            },
        )
    for step, at in progress.items():
        await conn.execute("UPDATE run_step SET progress = %s WHERE run = %s AND step = %s", [Jsonb(at), run.run, step])


async def end(
    conn: Conn, run: Run, event: Event, reason: Reason | None, now: datetime, took_ms: int, undo_until: datetime | None
) -> State:
    """Ends a run, or stops it. What was secret of it goes, unless somebody may resume it."""
    state = await change(conn, run, event, reason=reason, attempt=run.attempt)
    await conn.execute(
        "UPDATE run SET ended_at = %s, took_ms = coalesce(took_ms, 0) + %s, undo_until = %s,"
        " sealed = CASE WHEN %s THEN sealed ELSE '{}' END WHERE run = %s",
        [now, took_ms, undo_until, state is State.STOPPED, run.run],
    )
    return state


async def read_defaults(conn: Conn, workspace: WorkspaceId) -> tuple[int, bool, int]:
    """Days that trash is kept, whether what destroys needs a second person, and how many runs of a batch at once."""
    found = await rows(
        conn,
        "SELECT keep_trash, approve_destroys, runs_at_once FROM workspace WHERE workspace = %(workspace)s",
        {"workspace": workspace},
    )
    row = found[0]
    return row["keep_trash"], row["approve_destroys"], row["runs_at_once"]


def facts_data(**numbers: object) -> str:
    """The data of a fact: ids, numbers and digests."""
    return json.dumps({name: value for name, value in numbers.items() if value is not None}, separators=(",", ":"))
