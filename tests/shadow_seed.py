"""A workspace in the shadow: Steelyard decides, Intercom gives conversations to whom it likes, a while later."""

from __future__ import annotations

from datetime import timedelta

from desk_seed import ASKED, NOW, PEOPLE, Desk
from steelyard.kit.ids import ConversationId, EngineerId, TeamId, WorkspaceId
from steelyard.routing.model import Order, Phase, Switch, Text
from steelyard.routing.seen import SeenConversation, SeenSwitch
from steelyard.store.database import Database

SUPPORT, SECURITY, FRENCH = 6, 8, 7


async def switch(desk: Desk, new: Switch) -> None:
    """Switches as the page and then the router do, at the desk's own time."""
    async with desk.database.transaction(desk.workspace) as conn:
        await conn.execute(
            "UPDATE workspace SET routed = %s, paused = %s, paused_at = CASE WHEN %s THEN %s::timestamptz END",
            (list(new.routed) if new.routed is not None else None, new.paused, new.paused, desk.now),
        )
    await desk.see(SeenSwitch(new, desk.second))


async def give(desk: Desk, conversation: int, engineer: int, after: int = 0) -> None:
    """Intercom shows `engineer` with the conversation, so many seconds later."""
    text = Text(*ASKED[(conversation - 5000) * 5 % len(ASKED)], (), (), "en")
    desk.now += timedelta(seconds=after)
    known = desk.known[conversation]
    order = Order(desk.second, 1, desk.second, f"given {conversation}")
    await desk.see(
        SeenConversation(
            "conversation.assigned",
            ConversationId(conversation),
            desk.second,
            order,
            Phase.OPEN,
            EngineerId(engineer),
            known.team,
            0,
            known.since,
            text,
            "",
        )
    )


async def shadow_desk(database: Database, workspace: WorkspaceId) -> Desk:
    """Nothing is on. Intercom gives most to the first three of a team in turn, once to somebody away; five wait."""
    desk = Desk(database, workspace, now=NOW - timedelta(hours=3))
    await desk.adopt()
    for id, (name, zone) in enumerate(PEOPLE, start=101):
        await desk.person(id, name, zone, away=id in (112, 113))
    await desk.team(SUPPORT, "Support", *range(101, 112))
    await desk.team(FRENCH, "Support francophone", 112, 113)
    await desk.team(SECURITY, "Security", 102, 107, 109)
    async with database.transaction(workspace) as conn:
        await conn.execute("UPDATE team_name SET distribution = 'round_robin' WHERE team = %s", (SECURITY,))
        await conn.execute("UPDATE connection SET name = 'Nordlys Hosting'")
    await switch(desk, Switch(()))
    for number in range(48):
        subject, body = ASKED[number * 5 % len(ASKED)]
        team = SECURITY if number % 6 == 5 else None if number % 8 == 7 else SUPPORT
        await desk.ask(5000 + number, subject, body, f"shop{number}.example", team=TeamId(team) if team else None)
        if number % 10 == 9:
            continue
        turn = (102, 107, 109)[number % 3] if team == SECURITY else (101, 102, 103, 104, 105)[number % 5]
        await give(desk, 5000 + number, 112 if number == 30 else turn, 20 + number * 7 % 200)
    await desk.ask(6000, "Bonjour", "Notre certificat SSL a expiré.", "atelier.example", team=TeamId(FRENCH))
    return desk
