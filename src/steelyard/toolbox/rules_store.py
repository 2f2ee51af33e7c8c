"""The rules of a workspace: who may run what on which sites, whether two are needed, how long trash is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from steelyard.kit.errors import ActError
from steelyard.kit.facts import Fact
from steelyard.kit.instants import micros
from steelyard.people.permissions import Permission, Role, Standing, judge
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Ledger
from steelyard.toolbox import store
from steelyard.toolbox.model import digest_of
from steelyard.toolbox.rules import MOST, Rule


class Safety(NamedTuple):
    """What people choose for a workspace's runs."""

    approve_destroys: bool = False
    """Whether what destroys needs a second person."""
    keep_trash: int = 7
    """Days in which a run can be undone."""
    runs_at_once: int = 5
    """Of one request for several sites."""


async def read_rules(conn: Connection) -> tuple[Rule, ...]:
    """The rules of the transaction's workspace. Those for roles that this release does not know are left out."""
    found = await store.rows(conn, "SELECT site_group, role, most FROM toolbox_rule ORDER BY site_group, role", {})
    known = {role.value for role in Role}
    return tuple(Rule(row["site_group"], Role(row["role"]), row["most"]) for row in found if row["role"] in known)


async def read_safety(conn: Connection) -> Safety:
    """What is chosen in the transaction's workspace."""
    found = await store.rows(conn, "SELECT approve_destroys, keep_trash, runs_at_once FROM workspace", {})
    return Safety(**found[0])


async def change_rules(
    database: Database,
    ledger: Ledger,
    who: Standing,
    rules: Sequence[Rule],
    safety: Safety,
    clock: Callable[[], datetime],
) -> None:
    """Puts these rules in place of all others. Raises ActError."""
    if not judge(who, Permission.CHANGE_TOOLBOX).allowed:
        raise ActError("not_allowed", "changing who may run what takes the permission toolbox.change")
    if any(rule.most not in MOST for rule in rules):
        raise ActError("wrong", f"a rule allows one of {', '.join(MOST)}")
    if not (1 <= safety.keep_trash <= 365 and 1 <= safety.runs_at_once <= 50):
        raise ActError("wrong", "trash is kept for 1 to 365 days, and 1 to 50 sites are done at once")
    async with database.transaction(who.workspace) as conn:
        await conn.execute("DELETE FROM toolbox_rule")
        for rule in rules:
            await conn.execute(
                "INSERT INTO toolbox_rule (workspace, site_group, role, most) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (workspace, site_group, role) DO UPDATE SET most = excluded.most",
                [who.workspace, rule.group, rule.role.value, rule.most],
            )
        await conn.execute(
            "UPDATE workspace SET approve_destroys = %s, keep_trash = %s, runs_at_once = %s WHERE workspace = %s",
            [*safety, who.workspace],
        )
        listed = sorted([rule.group, rule.role.value, rule.most] for rule in rules)
        data = store.facts_data(
            rules=len(rules), digest=digest_of(listed), approval=safety.approve_destroys, days=safety.keep_trash
        )
        now = micros(clock())
        await ledger.append(conn, who.workspace, [Fact("toolbox.rules_changed", now, None, None, data, who.person)])
