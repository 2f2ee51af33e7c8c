"""The handbook put together: routing says what conversations are about, the toolbox what it knows of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from steelyard.kit.ids import WorkspaceId
from steelyard.main.ground import ledger
from steelyard.main.runs import runbooks_of
from steelyard.routing.desk import policy_in_force
from steelyard.routing.labels import Label, label_of
from steelyard.store.database import Database
from steelyard.toolbox import site_at
from steelyard.toolbox.handbook import pages as handbook_pages
from steelyard.toolbox.handbook.ground import HandbookGround, Topic
from steelyard.web.console import Clock
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute

Connection = AsyncConnection[Any]


class RoutedTopics:
    """The topics of the policy in force, and of conversations, as routing keeps them."""

    async def all(self, conn: Connection, workspace: WorkspaceId) -> tuple[Topic, ...]:
        """The topics of the policy in force, in its order."""
        policy = await policy_in_force(conn, workspace)
        return tuple(_topic(label_of(each, policy)) for each in policy.topics) if policy is not None else ()

    async def of(self, conn: Connection, workspace: WorkspaceId, conversation: int) -> Topic | None:
        """The topic of a conversation; None for one that is not known."""
        found = await conn.execute(
            "SELECT topic FROM conversation WHERE workspace = %s AND conversation = %s", (workspace, conversation)
        )
        row = await found.fetchone()
        return _topic(label_of(row[0], await policy_in_force(conn, workspace))) if row is not None else None


def _topic(label: Label) -> Topic:
    return Topic(label.topic, label.names, label.family)


def handbook_routes(database: Database, pages: Pages, own: Path | None, clock: Clock) -> list[PageRoute]:
    """The routes of the handbook, and of sites with what there is to read. `own`: the operator's folder of runbooks."""
    ground = HandbookGround(database, ledger(), pages, clock, RoutedTopics(), lambda: runbooks_of(own).all)
    return [*handbook_pages.routes(ground), *site_at.routes(ground)]
