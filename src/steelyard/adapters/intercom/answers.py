"""Reading Intercom's answers. They are checked where we rely on them; the wrong place is named in the AnswerError."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from steelyard.adapters.intercom.errors import (
    AnswerError,
    Conflict,
    Forbidden,
    IntercomError,
    Invalid,
    NotFound,
    ServerFault,
    Unauthorized,
)
from steelyard.kit.ids import EngineerId, TeamId, numeric_id

Json = dict[str, object]
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Admin(NamedTuple):
    """A teammate. `seat`: they have an inbox; `reassign`: while away, new replies go to the default inbox."""

    id: EngineerId
    name: str
    email: str
    away: bool
    reassign: bool
    seat: bool
    teams: tuple[TeamId, ...]


class App(NamedTuple):
    """The workspace that a token opens. `region` as Intercom spells it: compare it without case."""

    id: str
    name: str
    region: str
    timezone: str


class Me(NamedTuple):
    """Whose token it is, and of which workspace."""

    id: EngineerId
    name: str
    email: str
    app: App


class Team(NamedTuple):
    """A team and its members. `distribution`: Intercom's own assignment in it, empty if it does not say."""

    id: TeamId
    name: str
    members: tuple[EngineerId, ...]
    distribution: str


class Tag(NamedTuple):
    """A tag of the workspace."""

    id: int
    name: str


class Attribute(NamedTuple):
    """A conversation attribute. It is written by its `name`; `data_type` is integer, string, list and so on."""

    id: int
    name: str
    data_type: str
    archived: bool


class Page(NamedTuple):
    """One page of a list, and the cursor of the next (None: this is the last)."""

    items: list[Json]
    following: str | None
    total: int | None
    """Items of all pages, where Intercom says so."""


class Answer:
    """A value in an answer, and its place to name when it is wrong. Every reading raises AnswerError if it is."""

    __slots__ = ("_call", "_place", "_value")

    def __init__(self, call: str, value: object, place: str = "answer") -> None:
        self._call = call
        self._value = value
        self._place = place

    def wrong(self) -> AnswerError:
        """The error that names this place."""
        return AnswerError(self._call, self._place)

    def raw(self) -> Json:
        """The JSON object as it came."""
        value = self._value
        if not isinstance(value, dict):
            raise self.wrong()
        return cast(Json, value)

    def at(self, key: str) -> "Answer":
        """A member of the object; null where it has none."""
        return Answer(self._call, self.raw().get(key), f"{self._place}.{key}")

    def optional(self, key: str) -> "Answer | None":
        """A member of the object; None where it has none or null."""
        return None if self.raw().get(key) is None else self.at(key)

    def items(self) -> "list[Answer]":
        """The members of a list."""
        value = self._value
        if not isinstance(value, list):
            raise self.wrong()
        members = enumerate(cast(list[object], value))
        return [Answer(self._call, member, f"{self._place}[{position}]") for position, member in members]

    def id(self) -> int:
        """A numeric id, sent as a number or as text."""
        number = numeric_id(self._value)
        if number is None:
            raise self.wrong()
        return number

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self._value, bool):
            raise self.wrong()
        return self._value

    def text(self) -> str:
        """A text."""
        if not isinstance(self._value, str):
            raise self.wrong()
        return self._value


def decoded(call: str, content: bytes) -> Answer:
    """The answer to `call`. Raises AnswerError for what is not JSON."""
    try:
        return Answer(call, json.loads(content))
    except (ValueError, RecursionError):
        raise AnswerError(call, "answer (not JSON)") from None


def admin(answer: Answer) -> Admin:
    """An Admin. Whether they are away and have an inbox decides who gets work: neither is guessed."""
    reassign = answer.optional("away_mode_reassign")
    return Admin(
        id=EngineerId(answer.at("id").id()),
        name=_text(answer, "name"),
        email=_text(answer, "email"),
        away=answer.at("away_mode_enabled").flag(),
        reassign=reassign is not None and reassign.flag(),
        seat=answer.at("has_inbox_seat").flag(),
        teams=tuple(map(TeamId, _ids(answer, "team_ids"))),
    )


def me(answer: Answer) -> Me:
    """The token's admin and workspace."""
    app = answer.at("app")
    return Me(
        id=EngineerId(answer.at("id").id()),
        name=_text(answer, "name"),
        email=_text(answer, "email"),
        app=App(app.at("id_code").text(), _text(app, "name"), app.at("region").text(), _text(app, "timezone")),
    )


def team(answer: Answer) -> Team:
    """A Team with its members."""
    members = tuple(map(EngineerId, _ids(answer, "admin_ids")))
    return Team(TeamId(answer.at("id").id()), _text(answer, "name"), members, _text(answer, "distribution_method"))


def tag(answer: Answer) -> Tag:
    """A Tag."""
    return Tag(answer.at("id").id(), answer.at("name").text())


def attribute(answer: Answer) -> Attribute:
    """A conversation Attribute."""
    archived = answer.optional("archived")
    return Attribute(
        id=answer.at("id").id(),
        name=answer.at("name").text(),
        data_type=answer.at("data_type").text(),
        archived=archived is not None and archived.flag(),
    )


def identified(answer: Answer, wanted: int) -> Json:
    """The conversation or ticket as it came, which must be the one that was asked for."""
    if answer.at("id").id() != wanted:
        raise answer.at("id").wrong()
    return answer.raw()


def page(answer: Answer, name: str) -> Page:
    """A page of the list `name`, every item an object with an id."""
    items: list[Json] = []
    for item in answer.at(name).items():
        item.at("id").id()
        items.append(item.raw())
    pages = answer.optional("pages")
    following = pages.optional("next") if pages else None
    cursor = following.optional("starting_after") if following else None
    total = answer.raw().get("total_count")
    return Page(items, cursor.text() if cursor else None, total if type(total) is int and total >= 0 else None)


def refusal(call: str, status: int, content: bytes, headers: Mapping[str, str]) -> IntercomError:
    """The error that an answer of `status` is, 429 apart. Of its text only code, field and request id are kept."""
    code, field, request_id = reported(content)
    request_id = request_id or _word(headers.get("x-request-id"))
    if status < 400:
        return AnswerError(call, "answer (not the described status)", status=status, request_id=request_id)
    if status == 408 or status >= 500:
        return ServerFault(call, status=status, code=code, request_id=request_id, may_have_happened=True)
    if kind := _REFUSALS.get(status):
        return kind(call, status=status, code=code, request_id=request_id)
    return Invalid(call, status=status, code=code, request_id=request_id, field=field)


_REFUSALS: Mapping[int, type[IntercomError]] = {
    401: Unauthorized,
    402: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: NotFound,
}


def reported(content: bytes) -> tuple[str, str, str]:
    """Code, field and request id of an error list; empty where it is none or they are no plain words."""
    try:
        answer = decoded("", content)
        first = answer.at("errors").items()[:1]
        code, field = (first[0].raw().get(name) for name in ("code", "field")) if first else ("", "")
        return _word(code), _word(field), _word(answer.raw().get("request_id"))
    except AnswerError:
        return "", "", ""


def _word(value: object) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _text(answer: Answer, key: str) -> str:
    value = answer.optional(key)
    return value.text() if value else ""


def _ids(answer: Answer, key: str) -> Sequence[int]:
    value = answer.optional(key)
    return [member.id() for member in value.items()] if value else []
