"""Every table with its scope and how long its rows are kept; and the round that removes what has outlived it.

A table that is not here fails a test, and so does one that holds a workspace's rows without row-level security.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import sql

from steelyard.kit.scopes import Scope
from steelyard.store.database import Database


@dataclass(frozen=True, slots=True)
class Table:
    """A table, how long its rows are kept (None: for ever), and why.

    `expire` removes at most %(most)s rows from before %(before)s and returns how many. Where there is none, `why` says
    who removes the rows. Where a workspace chooses how long, `chosen` is its column of `workspace`, `keep` what it is
    when nobody has chosen, and %(before)s is now.
    """

    name: str
    scope: Scope
    keep: timedelta | None
    why: str
    expire: sql.SQL | None = None
    chosen: str = ""


_W, _C = Scope.WORKSPACE, Scope.CELL
_EVIDENCE = "decisions stay explainable and replayable; ids and numbers only; until the workspace is erased"
_STATE = "the state as it is now; ids and numbers only; until the workspace is erased"
_JOBS = "removed with its job"

TABLES = (
    Table("workspace", _W, None, "the workspace itself, until it is erased"),
    Table("connection", _W, None, "how to reach its Intercom, until the workspace is erased"),
    Table(
        "inbox",
        _W,
        timedelta(days=30),
        "raw webhooks hold messages; handled ones are kept to look into mistakes, unhandled ones are work",
        sql.SQL("SELECT expire_inbox(%(before)s, %(most)s)"),
        "keep_webhooks",
    ),
    Table("ledger", _W, None, _EVIDENCE),
    Table("decision", _W, None, _EVIDENCE),
    Table("snapshot", _W, None, _EVIDENCE),
    Table("policy", _W, None, _EVIDENCE),
    Table("conversation", _W, None, _STATE),
    Table("engineer", _W, None, _STATE),
    Table("team", _W, None, _STATE),
    Table("team_name", _W, None, "what teams are called, no person; until the workspace is erased"),
    Table(
        "conversation_text",
        _W,
        timedelta(days=90),
        "what customers wrote: long enough to weigh again under a new policy",
        sql.SQL("SELECT expire_conversation_text(%(before)s, %(most)s)"),
        "keep_messages",
    ),
    Table(
        "teammate_name",
        _W,
        timedelta(days=365),
        "names of engineers, kept after they were last seen so that last year's decisions can still be read",
        sql.SQL("SELECT expire_teammate_name(%(before)s, %(most)s)"),
    ),
    Table(
        "reading",
        _W,
        timedelta(days=90),
        "readings of Intercom with the drift they found: numbers only, long enough to see a trend",
        sql.SQL("SELECT expire_reading(%(before)s, %(most)s)"),
    ),
    Table(
        "alarm",
        _W,
        timedelta(days=365),
        "what was wrong and when it was over: numbers and codes only; what is still wrong stays",
        sql.SQL("SELECT expire_alarm(%(before)s, %(most)s)"),
    ),
    Table(
        "notification",
        _W,
        timedelta(days=1),
        "where alarms are told, its address sealed; one that was removed can be put back for a day",
        sql.SQL("SELECT expire_notification(%(before)s, %(most)s)"),
    ),
    Table(
        "telling", _W, timedelta(days=365), "what was told where, so that nothing is told twice; goes with its alarm"
    ),
    Table("membership", _W, None, "what people are here; one that ended still names who did what in the audit"),
    Table(
        "api_token",
        _W,
        timedelta(days=90),
        "keys for programs: hashes only; those that ended are kept a while to see who used them",
        sql.SQL("SELECT expire_api_token(%(before)s, %(most)s)"),
    ),
    Table("link", _W, timedelta(0), "useless once expired", sql.SQL("SELECT expire_link(%(before)s, %(most)s)")),
    Table(
        "companion_code",
        _W,
        timedelta(0),
        "useless once expired",
        sql.SQL("SELECT expire_companion_code(%(before)s, %(most)s)"),
    ),
    Table("companion_browser", _W, None, "which API tokens are a companion's; goes with its token"),
    Table("companion_trust", _W, None, "the domains that the team trusts, or was asked to"),
    Table("companion_rules", _W, None, "every version of the host rules"),
    Table("ssh_key", _W, None, "keys for hosts, sealed; a revoked one has no private half any more"),
    Table("host", _W, None, "machines of customers, and what was found on them"),
    Table("host_secret", _W, None, "what services of a host ask for, sealed; goes with its host"),
    Table("site", _W, None, "sites of customers, and what was found on them"),
    Table("toolbox_rule", _W, None, "who may run what on which sites"),
    Table("batch", _W, None, "requests for several sites"),
    Table(
        "run",
        _W,
        timedelta(days=7),
        "what was done to which site, by whom and why: kept; plans that nobody confirmed go",
        sql.SQL("SELECT expire_run(%(before)s, %(most)s)"),
    ),
    Table("run_step", _W, None, "the journal of a run; goes with it"),
    Table(
        "run_line",
        _W,
        timedelta(days=90),
        "what hosts said during a run: it may hold what is on a site",
        sql.SQL("SELECT expire_run_line(%(before)s, %(most)s)"),
    ),
    Table(
        "finding",
        _W,
        timedelta(days=365),
        "what scans found, with a few lines of it",
        sql.SQL("SELECT expire_finding(%(before)s, %(most)s)"),
    ),
    Table("scan_memory", _W, None, "what the last scan of a site saw, for the next one; goes with its site"),
    Table("handbook_page", _W, None, "the team's own documentation"),
    Table("sealing_key", _C, None, "the public half of the workers' key, with which everybody seals for them"),
    Table("slot", _C, None, "what WordPress, plugins and themes are made of, loaded by operators"),
    Table("rule_pack", _C, None, "rules of scans, loaded by operators"),
    Table("person", _C, None, "who may sign in: address, name and preferences, until they are erased"),
    Table("session", _C, timedelta(0), "useless once expired", sql.SQL("SELECT expire_session(%(before)s, %(most)s)")),
    Table(
        "attempt",
        _C,
        timedelta(days=1),
        "failed sign-ins by hash, for as long as they slow the next one down",
        sql.SQL(
            "WITH gone AS (DELETE FROM attempt WHERE what IN (SELECT what FROM attempt"
            " WHERE last_at <= %(before)s LIMIT %(most)s) RETURNING 1) SELECT count(*)::integer FROM gone"
        ),
    ),
    Table("migration", _C, None, "which schema this database has"),
    Table(
        "procrastinate_jobs",
        _C,
        timedelta(days=30),
        "done jobs go at once; failed and cancelled ones are kept to look into what went wrong; arguments are ids",
        sql.SQL(
            "WITH gone AS (DELETE FROM procrastinate_jobs WHERE id IN (SELECT job.id FROM procrastinate_jobs AS job"
            " WHERE job.status IN ('succeeded', 'failed', 'cancelled', 'aborted') AND NOT EXISTS"
            " (SELECT FROM procrastinate_events AS event WHERE event.job_id = job.id AND event.at >= %(before)s)"
            " LIMIT %(most)s) RETURNING 1) SELECT count(*)::integer FROM gone"
        ),
    ),
    Table("procrastinate_events", _C, timedelta(days=30), _JOBS),
    Table("procrastinate_periodic_defers", _C, timedelta(days=30), "the next time of the same task replaces it"),
    Table("procrastinate_workers", _C, timedelta(minutes=1), "the rescue of stalled jobs forgets silent workers"),
)


async def expire(database: Database, now: datetime, *, batch: int = 1000, rounds: int = 1000) -> dict[str, int]:
    """Removes what has outlived its retention at `now` and returns how many rows of which table went.

    Each batch is a transaction of its own, so nobody waits long; after `rounds` of them the next call goes on.
    """
    gone: dict[str, int] = {}
    for table in TABLES:
        if table.expire is None or table.keep is None:
            continue
        for _ in range(rounds):
            async with database.cell() as conn:
                before = now if table.chosen else now - table.keep
                cursor = await conn.execute(table.expire, {"before": before, "most": batch})
                row = await cursor.fetchone()
            removed = int(row[0]) if row else 0
            gone[table.name] = gone.get(table.name, 0) + removed
            if removed < batch:
                break
    return gone
