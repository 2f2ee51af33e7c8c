"""A workspace as the router leaves it: facts in the ledger; state, names and texts in their tables."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from steelyard.kit.ids import CellId, ConversationId, EngineerId, Position, TeamId, WorkspaceId, workspace_id
from steelyard.kit.instants import Micros, micros
from steelyard.routing import store
from steelyard.routing.connections import Link, write_link
from steelyard.routing.decide import decide
from steelyard.routing.decisions import fold_decisions
from steelyard.routing.model import Conversation, Order, Phase, Team, Text
from steelyard.routing.policy import parse
from steelyard.routing.router import scale
from steelyard.routing.seen import Seen, SeenConversation, SeenEngineer, SeenTeam, Settled
from steelyard.routing.state import State
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, key_file
from steelyard.store.ledger import Fold, Ledger

NOW = datetime(2026, 11, 22, 15, 42, 8, tzinfo=UTC)
POLICY = resources.files("steelyard.routing").joinpath("policy.toml").read_text("utf-8")
SCALE = scale(parse(POLICY))
DNS = ("Nameservers", "Hello, since we changed nameservers yesterday the MX record is missing. Could you look?")


async def connected(
    database: Database,
    keys: Path,
    app_id: str = "a86dr8yl",
    cell: str = "eu1",
    *,
    region: str = "eu",
    api_url: str = "http://127.0.0.1:9",
    client_secret: str = "sesame",
    access_token: str = "token",
    actor: int = 1,
    package_code: str | None = None,
) -> WorkspaceId:
    """A workspace with its connection to an Intercom at `api_url`."""
    workspace = workspace_id(CellId(cell), app_id)
    async with database.transaction(workspace) as conn:
        await conn.execute("INSERT INTO workspace (workspace) VALUES (%s)", [workspace])
        link = Link(app_id, "Test", region, api_url, actor, client_secret, access_token, package_code)
        await write_link(conn, workspace, link, Keys(key_file(keys, WEB)), Keys(key_file(keys, WORKER)))
    return workspace


@dataclass
class Desk:
    """Writes what is seen as the router does, one fact after the other, at its own time."""

    database: Database
    workspace: WorkspaceId
    now: datetime = NOW - timedelta(hours=1)
    state: State = field(default_factory=State)
    known: dict[int, Conversation] = field(default_factory=dict)
    decided: list[tuple[Position, int]] = field(default_factory=list)
    decided_at: dict[Position, Micros] = field(default_factory=dict)

    def copied(self, database: Database) -> Desk:
        """The same in `database`, which is a copy of this one's."""
        known, decided, decided_at = dict(self.known), list(self.decided), dict(self.decided_at)
        return replace(
            self, database=database, state=self.state.fork(), known=known, decided=decided, decided_at=decided_at
        )

    async def adopt(self, text: str = POLICY) -> None:
        async with self.database.transaction(self.workspace) as conn:
            await store.adopt_policy(conn, self.workspace, hashlib.sha256(text.encode()).hexdigest(), text)

    async def see(self, *all_seen: Seen) -> None:
        ledger = Ledger([Fold("decision.", fold_decisions)])
        async with self.database.transaction(self.workspace) as conn:
            for seen in all_seen:
                self.state = state = self.state.fork()
                known = self.known.get(getattr(seen, "id", 0) or getattr(seen, "conversation", 0))
                changes = decide(state, seen, known, SCALE, micros(self.now))
                await ledger.append(conn, self.workspace, changes.facts)
                state.version = state.position
                await store.write_state(conn, self.workspace, state)
                self.known.update(state.conversations)
                self.decided += [(position, made.conversation) for position, made in changes.decisions]
                self.decided_at |= {position: made.at for position, made in changes.decisions}
                if isinstance(seen, SeenConversation):
                    await store.write_texts(conn, self.workspace, [seen])

    async def person(self, id: int, name: str, zone: str = "", **registers: bool) -> None:
        await self.see(SeenEngineer("engineer.seen", EngineerId(id), self.second, self.order(), **registers))
        async with self.database.transaction(self.workspace) as conn:
            await store.write_names(conn, self.workspace, {EngineerId(id): name}, {})
            await conn.execute("UPDATE teammate_name SET zone = %s WHERE engineer = %s", (zone, id))

    async def team(self, id: int, name: str, *members: int) -> None:
        team = Team(TeamId(id), tuple(EngineerId(each) for each in sorted(members)))
        await self.see(SeenTeam(team, self.second, name))
        async with self.database.transaction(self.workspace) as conn:
            await store.write_names(conn, self.workspace, {}, {TeamId(id): (name, "")})

    async def ask(self, id: int, subject: str, body: str, contact: str = "", **more: object) -> None:
        self.now += timedelta(seconds=37)
        text = Text(subject, body, (), (), "en")
        plain = SeenConversation(
            "conversation.created", ConversationId(id), self.second, self.order(), Phase.OPEN, None, None, 0,
            self.second, text, contact,
        )  # fmt: skip
        await self.see(plain._replace(**more))

    async def settle(self, position: Position, conversation: int, outcome: str = "delivered", reason: str = "") -> None:
        """Ends a delivery 0.6 seconds after its decision."""
        at = Micros(self.decided_at[position] + 600_000)
        await self.see(Settled(position, ConversationId(conversation), outcome, reason, at, None))

    @property
    def second(self) -> int:
        return int(self.now.timestamp())

    def order(self) -> Order:
        return Order(self.second, 0, self.second, "test")


PEOPLE = [
    ("Amira Haddad", "Europe/Paris"), ("Tom Becker", "Europe/London"), ("Noor Visser", "Europe/Amsterdam"),
    ("Chloé Tremblay", "America/Toronto"), ("Mateo Rojas", "America/Bogota"), ("Wanjiru Kamau", "Africa/Nairobi"),
    ("Jonas Lindqvist", "Europe/Stockholm"), ("Elif Aydın", "Europe/Istanbul"), ("Inês Duarte", "Europe/Lisbon"),
    ("Ravi Iyer", "Asia/Kolkata"), ("Sam O’Neill", "America/Chicago"), ("Petra Novák", "Europe/Prague"),
    ("Étienne Morel", "Europe/Paris"),
]  # fmt: skip

ASKED = [
    DNS,
    ("Site hacked", "Our site redirects to a phishing page, there is malware in wp-content."),
    ("Redis", "Redis object cache fills up and evicts our sessions."),
    ("Slow", "The TTFB is above 4 s since Monday, pagespeed is red."),
    ("Reverse proxy", "Our reverse proxy in front of /blog sends the wrong Host header."),
    ("SSL", "The SSL certificate is not renewed, browsers say not secure."),
    ("Mails", "SMTP does not work, our emails bounce."),
    ("Invoice", "I need an invoice with our VAT number."),
    ("Plugin", "There has been a critical error after a plugin update, WooCommerce checkout is white."),
    ("Migration", "Please migrate our site from another host to you."),
    ("Database", "MySQL deadlocks on wp_options."),
    ("Question", "How are you today?"),
]


async def busy_desk(database: Database, workspace: WorkspaceId) -> Desk:
    """Thirteen engineers of whom two are away, some fifty conversations, and a French team with nobody in."""
    desk = Desk(database, workspace)
    await desk.adopt()
    for id, (name, zone) in enumerate(PEOPLE, start=101):
        await desk.person(id, name, zone, away=id in (112, 113))
    await desk.team(7, "Support francophone", 112, 113)
    await desk.team(8, "Security", 102, 107, 109)
    for number in range(46):
        subject, body = ASKED[number * 7 % len(ASKED)]
        team = TeamId(8) if number % 9 == 1 else None
        await desk.ask(5000 + number, subject, body, f"shop{number}.example", team=team)
        if number % 5 == 3:
            await desk.see(closed(desk, 5000 + number - 2))
    for position, conversation in desk.decided[:-2]:
        await desk.settle(position, conversation, "overtaken" if conversation == 5040 else "delivered")
    for number, (subject, body) in enumerate([("Bonjour", "Notre certificat SSL a expiré."), ASKED[1], ASKED[4]]):
        await desk.ask(6000 + number, subject, body, f"atelier{number}.example", team=TeamId(7))
    async with database.transaction(workspace) as conn:
        await conn.execute("UPDATE connection SET name = 'Nordlys Hosting'")
        await conn.execute(
            "INSERT INTO inbox (workspace, notification, topic, body, received_at) VALUES (%s, 'n', 'ping', '', %s)",
            (workspace, NOW - timedelta(seconds=3)),
        )
        await conn.execute(
            "INSERT INTO notification (workspace, name, address, language, created_at)"
            " VALUES (%s, 'Amira', '', 'en', %s)",
            (workspace, NOW),
        )
    return desk


def closed(desk: Desk, id: int) -> SeenConversation:
    """That conversation, closed."""
    known = desk.known[id]
    return SeenConversation(
        "conversation.closed", known.id, desk.second, desk.order(), Phase.CLOSED, known.owner, known.team, 0,
        known.since, Text("", "", (), (), ""), "",
    )  # fmt: skip
