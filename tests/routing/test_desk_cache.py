"""A remembered desk is the desk: whatever happens in whatever order, it equals the one that is read from the tables."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from desk_seed import ASKED, POLICY, Desk, closed
from steelyard.kit.ids import ConversationId, EngineerId, TeamId, WorkspaceId
from steelyard.kit.instants import micros
from steelyard.routing import store, switch
from steelyard.routing.desk_cache import CachedDesk
from steelyard.routing.mine import Mine
from steelyard.routing.model import Phase, Switch, Text
from steelyard.routing.seen import Gone, SeenConversation, SeenEngineer, SeenSwitch
from steelyard.store.database import Database

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


@pytest.fixture
async def desk(database: Database, make_workspace: MakeWorkspace) -> Desk:
    """Four engineers in two teams, and nothing to do."""
    desk = Desk(database, await make_workspace())
    await desk.adopt()
    for id in (1, 2, 3, 4):
        await desk.person(id, f"Engineer {id}", "Europe/Paris" if id % 2 else "")
    await desk.team(7, "Security", 1, 2)
    await desk.team(8, "Nobody's")
    return desk


class Happening:
    """Something that happens on a desk, drawn by chance: the same for the same seed."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.draw = desk, random.Random(seed)
        self.number = 5000

    async def happen(self) -> str:
        """What it was."""
        self.desk.now += timedelta(seconds=self.draw.choice([1, 40, 4000]))
        deed = self.draw.choice(
            (
                *(
                    self.ask,
                    self.ask,
                    self.ask,
                    self.close,
                    self.move,
                    self.away,
                    self.settle,
                    self.switch,
                    self.delete,
                ),
                *(self.rename, self.policy, self.teams, self.hear, self.lose_text, self.many),
            )
        )
        await deed()
        return deed.__name__

    async def ask(self) -> None:
        self.number += 1
        subject, body = self.draw.choice(ASKED)
        team = self.draw.choice([None, None, TeamId(7), TeamId(8), TeamId(9)])
        assignee = self.draw.choice([None, None, EngineerId(3)])
        await self.desk.ask(self.number, subject, body, f"shop{self.number}.example", team=team, assignee=assignee)

    async def many(self) -> None:
        for _ in range(15):
            await self.ask()

    async def close(self) -> None:
        if (id := self._any()) is not None:
            await self.desk.see(closed(self.desk, id))

    async def move(self) -> None:
        if (id := self._any()) is not None:
            known = self.desk.known[id]
            to = self.draw.choice([None, EngineerId(1), EngineerId(4), EngineerId(77)])
            await self.desk.see(
                SeenConversation(
                    "conversation.assigned",
                    ConversationId(id),
                    self.desk.second,
                    self.desk.order(),
                    Phase.OPEN,
                    to,
                    self.draw.choice([known.team, TeamId(7)]),
                    0,
                    known.since,
                    Text("", "", (), (), ""),
                    "",
                )
            )

    async def hear(self) -> None:
        if (id := self._any()) is not None:
            known = self.desk.known[id]
            text = Text(*self.draw.choice(ASKED), (), (), "en")
            await self.desk.see(
                SeenConversation(
                    "conversation.customer_replied",
                    ConversationId(id),
                    self.desk.second,
                    self.desk.order(),
                    Phase.OPEN,
                    known.assignee,
                    known.team,
                    0,
                    known.since,
                    text,
                    "new.example",
                )
            )

    async def away(self) -> None:
        id = EngineerId(self.draw.choice([1, 2, 3, 4]))
        register = self.draw.choice(
            [{"away": True}, {"away": False}, {"seat": False}, {"seat": True}, {"member": False}]
        )
        await self.desk.see(
            SeenEngineer("engineer.seen", id, self.desk.second, self.desk.order(), **register)  # type: ignore[arg-type]
        )

    async def settle(self) -> None:
        if self.desk.decided:
            position, conversation = self.draw.choice(self.desk.decided)
            await self.desk.settle(position, conversation, self.draw.choice(["delivered", "overtaken", "failed"]))

    async def switch(self) -> None:
        new = self.draw.choice([Switch(), Switch(()), Switch((TeamId(7),)), Switch(None, paused=True)])
        async with self.desk.database.transaction(self.desk.workspace) as conn:
            await switch.write_switch(conn, self.desk.workspace, new, micros(self.desk.now), None)
        await self.desk.see(SeenSwitch(new, self.desk.second))

    async def delete(self) -> None:
        if (id := self._any()) is not None:
            await self.desk.see(Gone(ConversationId(id), self.desk.second, self.desk.order()))

    async def rename(self) -> None:
        name = self.draw.choice(["Ana", "", "Zoë"])
        async with self.desk.database.transaction(self.desk.workspace) as conn:
            await store.write_names(conn, self.desk.workspace, {EngineerId(1): name}, {TeamId(7): (name, "")})

    async def policy(self) -> None:
        await self.desk.adopt(POLICY + f"\n# {self.draw.random()}\n")

    async def teams(self) -> None:
        await self.desk.team(7, "Security", *self.draw.sample([1, 2, 3, 4], self.draw.choice([0, 2, 3])))

    async def lose_text(self) -> None:
        """As its retention has it."""
        async with self.desk.database.transaction(self.desk.workspace) as conn:
            await conn.execute("DELETE FROM conversation_text")

    def _any(self) -> int | None:
        known = list(self.desk.state.conversations)
        return self.draw.choice(known) if known else None


@pytest.mark.parametrize("seed", range(8))
async def test_what_is_remembered_is_what_is_there(desk: Desk, seed: int) -> None:
    happening, cached = Happening(desk, seed), CachedDesk(desk.database, desk.workspace)
    done: list[str] = []
    for _ in range(40):
        done.append(await happening.happen())
        if happening.draw.random() < 0.4:
            continue  # several things before the next look
        for team in (None, 7):
            kept, read = [
                (await of.view(desk.now, team))._replace(scale=None)  # type: ignore[arg-type]
                for of in (cached, CachedDesk(desk.database, desk.workspace))
            ]
            assert kept == read, done
        for engineer in (1, 77):
            fresh = CachedDesk(desk.database, desk.workspace)
            await fresh.view(desk.now)
            assert unnamed(await cached.mine(engineer)) == unnamed(await fresh.mine(engineer)), done


def unnamed(mine: Mine | None) -> Mine | None:
    """Without the names of customers, which are remembered for a minute."""
    if mine is None:
        return None
    return mine._replace(conversations=tuple(each._replace(contact="") for each in mine.conversations))
