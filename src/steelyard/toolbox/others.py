"""What other runs at a site mean for one: which has to be settled before it is begun, put back or erased."""

from __future__ import annotations

from typing import Final, LiteralString

from steelyard.toolbox.acting import Around
from steelyard.toolbox.model import Risk, RunId, SiteId
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.store import Conn, rows
from steelyard.web.said import N_, Said

SITE_STOPPED: Final = N_("Run %(run)s at this site stopped in the middle. Resume it or put it back first.")
DONE_SINCE: Final = N_("Run %(run)s replaced the site since. Put that one back first.")
_REMOVED: Final = N_("Its site is not in the registry any more: nothing begins there.")
_AT_IT: Final = N_("Run %(run)s is putting it back.")

PUTTING_BACK: Final = ["planning", "queued", "running", "stopped"]
"""States of a run that undoes another, in which it may still need what that one moved aside."""

_PUT_BACK_BY: Final[LiteralString] = """
SELECT run FROM run WHERE undoes = %(run)s AND state = ANY(%(states)s) LIMIT 1
"""
# What has no way back can only be resumed: if that never succeeds, its site is not lost to all others.
_STOPPED: Final[LiteralString] = """
SELECT run FROM run WHERE site = %(site)s AND state = 'stopped' AND run <> %(run)s
       AND (undoes IS NOT NULL OR (plan->>'undoable')::boolean) ORDER BY run LIMIT 1
"""
_DESTROYED: Final[LiteralString] = """
SELECT run FROM run WHERE site = %(site)s AND run > %(run)s AND risk = %(risk)s AND state = 'done'
       AND undoes IS NULL AND undone_by IS NULL ORDER BY run DESC LIMIT 1
"""


async def put_back_by(conn: Conn, run: RunId) -> RunId | None:
    """The run that is putting back what `run` did, or stopped while it did so."""
    return await _first(conn, _PUT_BACK_BY, {"run": run, "states": PUTTING_BACK})


async def stopped_at(conn: Conn, run: RunId, site: SiteId) -> RunId | None:
    """Another run that stopped in the middle of this one's site and can be put back: nothing is built upon that."""
    return await _first(conn, _STOPPED, {"site": site, "run": run})


async def destroyed_since(conn: Conn, run: RunId, site: SiteId) -> RunId | None:
    """A later run that replaced what this one left at its site, and was not put back."""
    return await _first(conn, _DESTROYED, {"site": site, "run": run, "risk": Risk.DESTROYS.value})


async def around(conn: Conn, run: RunSeen) -> Around:
    """What holds `run` back where it is looked at: the same that its acts refuse for."""
    stopped = await stopped_at(conn, run.run, run.site) if run.risk is not Risk.READS else None
    back, later = await put_back_by(conn, run.run), await destroyed_since(conn, run.run, run.site)
    return Around(
        site=Said(_REMOVED) if run.site_removed else None,
        begin=Said(SITE_STOPPED, {"run": stopped}) if stopped else None,
        undo=Said(_AT_IT, {"run": back}) if back else Said(DONE_SINCE, {"run": later}) if later else None,
    )


async def _first(conn: Conn, query: LiteralString, values: dict[str, object]) -> RunId | None:
    found = await rows(conn, query, values)
    return RunId(found[0]["run"]) if found else None
