"""A large workspace at work: 200 engineers in teams, 20,000 open conversations, and changes as a router makes them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId, TopicId, WorkspaceId
from steelyard.kit.instants import Micros, micros
from steelyard.main import ground
from steelyard.routing import codec, store
from steelyard.routing.decide import decide
from steelyard.routing.model import Conversation, Engineer, Exclusion, Match, Order, Phase, Team, Text
from steelyard.routing.policy import parse
from steelyard.routing.router import scale
from steelyard.routing.seen import Seen, SeenConversation, Settled
from steelyard.routing.state import State, build
from steelyard.store.database import Database

ENGINEERS, OPEN, TEAMS = 200, 20_000, 12
AWAY, WAITING, DECIDED = 20, 60, 5_000
"""Of the engineers are away; of the conversations nobody has; decisions of today that are delivered."""

ASKED = [
    "Since we changed nameservers yesterday the DNS of our domain is wrong.",
    "Our site redirects to a phishing page, there is malware in wp-content.",
    "Redis object cache fills up and evicts our sessions.",
    "The TTFB is above 4 s since Monday, pagespeed is red.",
    "Our reverse proxy in front of /blog sends the wrong Host header.",
    "I need an invoice with our VAT number.",
    "Please migrate our site from another host to you.",
]

_FIRST = (
    "Amira",
    "Tom",
    "Noor",
    "Chloé",
    "Mateo",
    "Wanjiru",
    "Jonas",
    "Elif",
    "Inês",
    "Ravi",
    "Sam",
    "Petra",
    "Étienne",
)
_LAST = ("Haddad", "Becker", "Visser", "Tremblay", "Rojas", "Kamau", "Lindqvist", "Aydın", "Duarte", "Iyer", "O’Neill")
_ZONES = ("Europe/Paris", "America/Toronto", "Asia/Kolkata", "Africa/Nairobi", "America/Bogota", "Europe/Istanbul")


class Office:
    """The workspace, and what happens in it. Its state is kept as a router keeps it."""

    def __init__(self, database: Database, workspace: WorkspaceId, seed: int = 5) -> None:
        self.database, self.workspace = database, workspace
        self._draw = random.Random(seed)
        self._scale = scale(parse(ground.shipped_policy()))
        self._ledger = ground.ledger()
        self._number = 0
        self.state = State()

    async def open(self) -> None:
        """Stores everybody and everything to begin with."""
        self.state = self._state()
        self.state.changed_conversations = dict(self.state.conversations)
        self.state.changed_engineers = set(self.state.engineers)
        self.state.changed_teams = set(self.state.teams)
        async with self.database.transaction(self.workspace) as conn:
            await ground.adopt_policy(conn, self.workspace, ground.shipped_policy())
            for each in self._begun():
                await self._ledger.append(conn, self.workspace, each)
            self.state.position = Position(OPEN)
            self.state.version = OPEN
            await store.write_state(conn, self.workspace, self.state)
            await store.write_names(conn, self.workspace, self._names(), self._team_names())
            await conn.execute(
                "UPDATE teammate_name SET zone = (%s::text[])[1 + engineer %% %s]", [list(_ZONES), len(_ZONES)]
            )
            await self._write_texts(conn)
            await self._write_decisions(conn)
        async with await self.database.connect() as conn:
            for table in ("conversation", "ledger", "conversation_text", "decision", "engineer", "inbox"):
                await conn.execute(f"ANALYZE {table}")  # type: ignore[arg-type]

    async def change(self) -> int | None:
        """One thing happens: a conversation comes in, is given to somebody and delivered, or one is closed.

        The number of the decision, if one was made.
        """
        decision = await self.begin() if self._draw.random() < 0.5 else await self.close()
        await self.database.notify(store.DESK)
        return decision

    async def begin(self) -> int | None:
        """A customer writes, and somebody is chosen."""
        self._number += 1
        id = ConversationId(10**6 + self._number)
        text = Text("", self._draw.choice(ASKED), (), (), "en")
        return await self._see(
            SeenConversation(
                "conversation.created",
                id,
                self._second(),
                self._order(),
                Phase.OPEN,
                None,
                None,
                0,
                self._second(),
                text,
                f"shop{self._number}.example",
            )
        )

    async def close(self) -> int | None:
        """An engineer closes one."""
        known = self._draw.choice(list(self.state.conversations.values()))
        return await self._see(
            SeenConversation(
                "conversation.closed",
                known.id,
                self._second(),
                self._order(),
                Phase.CLOSED,
                known.owner,
                known.team,
                0,
                known.since,
                Text("", "", (), (), ""),
                "",
            )
        )

    async def _see(self, seen: Seen) -> int | None:
        state = self.state.fork()
        known = state.conversations.get(getattr(seen, "id", ConversationId(0)))
        now = micros(datetime.now(UTC))
        async with self.database.transaction(self.workspace) as conn:
            changes = decide(state, seen, known, self._scale, now)
            for position, made in changes.decisions:
                settled = Settled(position, made.conversation, "delivered", "", Micros(now + 400_000), None)
                more = decide(state, settled, state.conversations.get(made.conversation), self._scale, now)
                changes = changes._replace(facts=(*changes.facts, *more.facts))
            await self._ledger.append(conn, self.workspace, changes.facts)
            state.version = state.position
            await store.write_state(conn, self.workspace, state)
            if isinstance(seen, SeenConversation) and seen.contact:
                await store.write_texts(conn, self.workspace, [seen])
        self.state = state
        return changes.decisions[0][0] if changes.decisions else None

    # To begin with

    def _state(self) -> State:
        engineers = [
            Engineer(
                EngineerId(1000 + n),
                away=n % (ENGINEERS // AWAY) == 3,
                capacity=500 if n % 17 == 5 else 1000,
                last_assigned=Micros(n * 7_919 % ENGINEERS),
            )
            for n in range(ENGINEERS)
        ]
        teams = [
            Team(TeamId(70 + t), tuple(each.id for n, each in enumerate(engineers) if n % TEAMS == t))
            for t in range(TEAMS)
        ]
        return build(Exclusion.NONE, Position(OPEN), OPEN, (engineers, teams, map(self._conversation, range(OPEN))))

    def _conversation(self, n: int) -> Conversation:
        weighed = self._scale.weigh(Text("", ASKED[n % len(ASKED)], (), (), "en"))
        at = int(datetime.now(UTC).timestamp()) - 40_000 + n
        owner = EngineerId(1000 + self._draw.randrange(ENGINEERS)) if n % (OPEN // WAITING) else None
        topic, weight, matches = TopicId(weighed.topic), weighed.weight, tuple(Match(*each) for each in weighed.matches)
        team = TeamId(70 + n % TEAMS) if owner is None else None
        refused = Position(1) if owner is None else None
        return Conversation(
            ConversationId(10_000 + n),
            Order(at, 1, at, "1seed"),
            Phase.OPEN,
            owner,
            team,
            0,
            at,
            topic,
            weight,
            matches,
            None,
            None,
            None,
            failed=refused,
        )

    def _begun(self) -> Sequence[list[Fact]]:
        facts = [
            Fact("conversation.created", Micros(each.since * 1_000_000), each.id, None, codec.dump({"c": each}))
            for each in self.state.conversations.values()
        ]
        return [facts[start : start + 2_000] for start in range(0, len(facts), 2_000)]

    def _names(self) -> dict[EngineerId, str]:
        everybody = enumerate(sorted(self.state.engineers))
        return {id: f"{_FIRST[n % len(_FIRST)]} {_LAST[n % len(_LAST)]}" for n, id in everybody}

    def _team_names(self) -> dict[TeamId, tuple[str, str]]:
        return {id: (f"Team {id}", "") for id in self.state.teams}

    async def _write_texts(self, conn: Any) -> None:
        await conn.execute(
            "INSERT INTO conversation_text"
            " (workspace, conversation, subject, body, tags, attributes, language, contact)"
            " SELECT workspace, conversation, 'Help', 'Hello', '{}', '{}', 'en', 'shop' || conversation || '.example'"
            " FROM conversation"
        )

    async def _write_decisions(self, conn: Any) -> None:
        """Those of today, each about one of the conversations."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        share = (datetime.now(UTC) - midnight) / DECIDED
        await conn.execute(
            "INSERT INTO decision (workspace, decision, conversation, at, topic, weight, matches, winner, winner_load,"
            " runner_up, runner_up_load, policy, engine, digest, outcome, settled_at)"
            " SELECT workspace, row_number() OVER (), conversation, %s + %s * row_number() OVER (), topic, weight,"
            " '[]', owner, 10, owner, 10, 'policy', 1, '', 'delivered',"
            " %s + %s * row_number() OVER () + interval '0.5 s'"
            " FROM conversation WHERE owner IS NOT NULL LIMIT %s",
            [midnight, share, midnight, share, DECIDED],
        )

    def _second(self) -> int:
        return int(datetime.now(UTC).timestamp())

    def _order(self) -> Order:
        self._number += 1
        at = self._second() + 10 + self._number // 100
        return Order(at, 1, at, f"bench{self._number}")
