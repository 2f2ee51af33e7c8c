"""What a simulated Intercom workspace holds. Only the deeds in conversations.py, staff.py and tickets.py change it."""

import html
import itertools
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from steelyard.demo.intercom.record import Record

Json = dict[str, Any]

PRIORITIES = ("none", "low", "medium", "high", "urgent")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_BREAK = re.compile(r"<br\s*/?>|</p>\s*<p[^>]*>|</li>\s*<li[^>]*>", re.IGNORECASE)


class Text(NamedTuple):
    """A body twice: REST answers HTML, webhooks carry plain text."""

    html: str
    plain: str


def typed(plain: str) -> Text:
    """What a person typed."""
    if not plain:
        return Text("", "")
    return Text(f"<p>{html.escape(plain, quote=False)}</p>".replace("\n", "<br>"), plain)


def sent(body: str) -> Text:
    """What an API caller sent: HTML if it has a tag in it, else as if typed."""
    if _TAG.search(body):
        return Text(body, html.unescape(_TAG.sub("", _BREAK.sub("\n", body))).strip())
    return typed(body)


@dataclass(slots=True)
class Admin:
    id: int
    name: str
    email: str
    job_title: str = "Support engineer"
    zone: str = "UTC"
    """IANA name. Intercom's admin has no zone: this is the simulator's own knowledge, as are the languages."""
    languages: tuple[str, ...] = ("en",)
    seat: bool = True
    away: bool = False
    reassign: bool = False
    """Away, and customers' replies take their conversations off them."""
    reason: int | None = None
    logged_in: bool = True


@dataclass(slots=True)
class Team:
    id: int
    name: str
    members: list[int] = field(default_factory=list[int])
    distribution: str | None = None
    """How Intercom itself assigns in it: `round_robin`, `load_balanced`. Told, not done: people assign here."""


class Reason(NamedTuple):
    id: int
    label: str
    emoji: str
    deleted: bool = False


class Tag(NamedTuple):
    id: int
    name: str


class Applied(NamedTuple):
    """A tag on a conversation."""

    tag: Tag
    at: int
    by: int


class Attribute(NamedTuple):
    """A conversation attribute: `string`, `integer`, `list`, ... Its name is its key."""

    id: int
    name: str
    data_type: str
    created_at: int
    admin: int
    description: str = ""
    required: bool = False
    options: tuple[str, ...] = ()


@dataclass(slots=True)
class Contact:
    id: str
    role: str
    """`user` or `lead`."""
    name: str
    email: str
    created_at: int
    language: str = ""


class Author(NamedTuple):
    """Who made a part. `package` marks parts made by an app through the API."""

    type: str
    id: str
    name: str
    email: str
    package: str | None = None


class Reference(NamedTuple):
    """What a part assigned a conversation to; `nobody_admin` with None takes the assignee away."""

    type: str
    id: int | None


@dataclass(slots=True)
class Part:
    id: int
    kind: str
    at: int
    author: Author
    state: str
    body: Text | None = None
    assigned: Reference | None = None
    event: Json | None = None


@dataclass(slots=True)
class Statistics:
    """Seconds since 1970 for `*_at`, seconds for `time_to_*`; None is left out of answers."""

    time_to_assignment: int | None = None
    time_to_admin_reply: int | None = None
    time_to_first_close: int | None = None
    time_to_last_close: int | None = None
    first_contact_reply_at: int | None = None
    first_assignment_at: int | None = None
    first_admin_reply_at: int | None = None
    first_close_at: int | None = None
    last_assignment_at: int | None = None
    last_assignment_admin_reply_at: int | None = None
    last_contact_reply_at: int | None = None
    last_admin_reply_at: int | None = None
    last_close_at: int | None = None
    last_closed_by_id: str | None = None
    count_reopens: int = 0
    count_assignments: int = 0
    count_conversation_parts: int = 0


class TicketState(NamedTuple):
    id: int
    category: str
    label: str


class TicketType(NamedTuple):
    id: int
    name: str
    category: str


@dataclass(slots=True)
class Ticket:
    """What a conversation gains by becoming a ticket. It keeps its id; `number` is the one people see."""

    number: int
    type: TicketType
    state: TicketState
    attributes: Json = field(default_factory=dict[str, Any])
    previous: TicketState | None = None


@dataclass(slots=True)
class Conversation:
    id: int
    contact: Contact
    subject: Text
    body: Text
    message: int
    """The id of the message that began it."""
    created_at: int
    updated_at: int
    waiting_since: int | None
    title: str | None = None
    state: str = "open"
    """`open`, `snoozed` or `closed`. Intercom's `open` flag is also true while snoozed."""
    snoozed_until: int | None = None
    read: bool = False
    priority: str = "none"
    admin: int = 0
    team: int = 0
    tags: dict[int, Applied] = field(default_factory=dict[int, Applied])
    attributes: Json = field(default_factory=dict[str, Any])
    parts: list[Part] = field(default_factory=list[Part])
    teammates: list[int] = field(default_factory=list[int])
    statistics: Statistics = field(default_factory=Statistics)
    ticket: Ticket | None = None


class Publish(NamedTuple):
    """Something that happened, as a webhook will tell it."""

    topic: str
    item: Json
    conversation: int | None


class Workspace:
    """The whole state. `now` gives seconds since 1970, `publish` takes what happened as soon as it has.

    Ids of conversations and of all that grows count from `first_id`; those of admins and teams are always the same.
    """

    def __init__(
        self,
        *,
        app_id: str,
        package: str,
        region: str = "EU",
        first_id: int = 215_470_000_001,
        record: Record | None = None,
        publish: Callable[[Publish], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.app_id, self.package, self.region = app_id, package, region
        self.record = record or Record()
        self.publish = publish
        self._now = now
        self._first_id = first_id
        self._numbers = {"admin": itertools.count(7_310_401), "team": itertools.count(5_017_690)}
        self.created_at = self.now()
        self.owner = 0
        """The admin whose token the API's callers hold."""
        self.admins: dict[int, Admin] = {}
        self.teams: dict[int, Team] = {}
        self.reasons: dict[int, Reason] = {}
        self.tags: dict[int, Tag] = {}
        self.attributes: dict[str, Attribute] = {}
        self.contacts: dict[str, Contact] = {}
        self.conversations: dict[int, Conversation] = {}
        self.snoozed: set[int] = set()
        """Ids of conversations to look at when time passes."""
        self.ticket_states: dict[int, TicketState] = {}
        self.ticket_types: dict[int, TicketType] = {}

    def now(self) -> int:
        """Seconds since 1970, the only unit Intercom's times have."""
        return int(self._now())

    @property
    def bot(self) -> Author:
        """Whom Intercom names where it acts itself."""
        return Author("bot", "1", "Fin", f"operator+{self.app_id}@example.test")

    def number(self, kind: str) -> int:
        """The next id for `kind`: `admin`, `team`, `conversation`, `part`, ..."""
        return next(self._numbers.setdefault(kind, itertools.count(self._first_id)))

    def available(self, conversation: Conversation) -> list[Admin]:
        """Who could take it: with a seat, logged in, not away, and in its team if it has one."""
        team = self.teams.get(conversation.team)
        return [
            admin
            for admin in self.admins.values()
            if admin.seat and admin.logged_in and not admin.away and (team is None or admin.id in team.members)
        ]

    def contact_at(self, email: str) -> Contact | None:
        return next((contact for contact in self.contacts.values() if contact.email == email), None)

    def tag_named(self, name: str) -> Tag:
        """The tag of that name, made if it is not there. Names do not differ by case."""
        found = next((tag for tag in self.tags.values() if tag.name.lower() == name.lower()), None)
        if found is None:
            found = Tag(self.number("tag"), name)
            self.tags[found.id] = found
        return found
