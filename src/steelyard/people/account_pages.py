"""What is one's own: name, language, appearance, password, and the browsers one is signed in with."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from steelyard.kit.facts import Fact
from steelyard.kit.ids import PersonId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.accounts import Wrong, change_password, read_account, write_account
from steelyard.people.attempts import Held
from steelyard.people.forms import caller_of, text_of
from steelyard.people.gate import identity_of, session_of
from steelyard.people.ground import Ground
from steelyard.people.passwords import PasswordError
from steelyard.people.record import act, change_own
from steelyard.people.sessions import Session, end_session, end_sessions, sessions_of
from steelyard.people.words import PASSWORD_PROBLEMS
from steelyard.store.database import Connection
from steelyard.web.data import plain
from steelyard.web.forms import Field, Filled, Form, sent_of
from steelyard.web.language import LANGUAGES, N_
from steelyard.web.routes import SIGNED_IN, PageRoute
from steelyard.web.tables import Choice
from steelyard.web.toasts import Done, done_of, told
from steelyard.web.viewer import Preferences, place_of

_BROWSERS: Final = N_("as the browser says")
ACCOUNT: Final = Form(
    (
        Field("name", N_("Name"), most=100, autocomplete="name", help=N_("Colleagues see it beside what you do.")),
        Field(
            "language",
            N_("Language"),
            "choice",
            choices=(Choice("browser", _BROWSERS), *(Choice(code, name) for code, name in LANGUAGES.items())),
        ),
        Field(
            "theme",
            N_("Appearance"),
            "choice",
            choices=(Choice("system", _BROWSERS), Choice("light", N_("light")), Choice("dark", N_("dark"))),
        ),
        Field(
            "zone",
            N_("Times"),
            "choice",
            choices=(
                Choice("browser", _BROWSERS),
                Choice("workspace", N_("in the workspace’s zone")),
                Choice("utc", N_("in UTC")),
            ),
        ),
        Field("single_keys", N_("Single keys press buttons and lead to pages"), "switch", required=False),
    )
)


class Account(NamedTuple):
    """Somebody as they are to themselves. `session` is the one that asks."""

    person: PersonId
    name: str
    address: str
    preferences: Preferences
    session: int
    sessions: tuple[Session, ...]


class AccountPages:
    """What these routes do."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def account(self, request: Request) -> Response:
        """One's own page. This machine has none, and may sign in."""
        identity = identity_of(request)
        if identity is not None and identity.person is None:
            return RedirectResponse("/sign-in?next=/account", 303)
        return await self._show(request)

    async def account_data(self, request: Request) -> Response:
        """The same as JSON."""
        view = await self._read(request)
        return JSONResponse(plain(view._asdict() | {"preferences": asdict(view.preferences)}))

    async def change(self, request: Request) -> Response:
        """Stores name and preferences."""
        person, _ = session_of(request)
        filled = await ACCOUNT.of(request)
        if filled.ok:
            async with self._ground.database.person(person) as conn:
                stored = await read_account(conn, person)
                filled = filled.against(ACCOUNT.texts(_values(stored[0], stored[2])))
                if filled.ok:
                    await write_account(conn, person, str(filled.values["name"]), _preferences(filled))
        if filled.ok:
            return told(place_of(request), "/account", Done("kept"))
        return await self._show(request, filled, status=filled.status)

    async def change_password(self, request: Request) -> Response:
        """Puts a new password in the place of the old one, which ends all other sessions."""
        person, session = session_of(request)
        async with request.form() as form:
            old, new = sent_of(form, "old"), sent_of(form, "password")
        ground, now = self._ground, self._ground.clock()
        try:
            result = await change_password(
                ground.database, ground.ledger, person, session, old, new, caller_of(request), now
            )
        except PasswordError as error:
            return await self._show(request, problem=error.code, status=422)
        if isinstance(result, Held):
            return await self._show(request, problem="held", status=429)
        if isinstance(result, Wrong):
            return await self._show(request, problem="wrong", status=422)
        return told(place_of(request), "/account", Done("password"))

    async def end(self, request: Request) -> Response:
        """Ends one session, or all but the one that asks."""
        person, own = session_of(request)
        async with request.form() as form:
            chosen = text_of(form, "session")
        number = numeric_id(chosen)
        if number is None and chosen != "others":
            raise HTTPException(400)
        ended = 0

        async def change(conn: Connection) -> Fact | None:
            nonlocal ended
            ended = await (end_sessions(conn, keep=own) if number is None else end_session(conn, number))
            now = self._ground.clock()
            return act("person.sessions_ended", person, now, of=person, count=ended) if ended else None

        await change_own(self._ground.ledger, self._ground.database, person, change)
        return told(place_of(request), "/account", Done("ended", (ended,)))

    async def _read(self, request: Request) -> Account:
        person, session = session_of(request)
        async with self._ground.database.person(person) as conn:
            name, address, preferences = await read_account(conn, person)
        sessions = await sessions_of(self._ground.database, person, self._ground.clock())
        return Account(person, name, address, preferences, session, tuple(sessions))

    async def _show(
        self, request: Request, filled: Filled | None = None, problem: str = "", status: int = 200
    ) -> Response:
        view = await self._read(request)
        return self._ground.pages.answer(
            request,
            "people/account.html",
            status=status,
            view=view,
            form=filled or ACCOUNT.loaded(_values(view.name, view.preferences)),
            problem=PASSWORD_PROBLEMS.get(problem, ""),
            wrong_old=problem in ("wrong", "held"),
            done=done_of(request.query_params, {"kept", "password", "ended"}),
        )


def routes(ground: Ground) -> list[PageRoute]:
    """`/account` and what is below it."""
    room, cell = AccountPages(ground), Scope.CELL
    return [
        PageRoute("/account", room.account, cell, SIGNED_IN, methods=["GET"]),
        PageRoute("/account.json", room.account_data, cell, SIGNED_IN, methods=["GET"]),
        PageRoute("/account", room.change, cell, SIGNED_IN, methods=["POST"]),
        PageRoute("/account/password", room.change_password, cell, SIGNED_IN, methods=["POST"]),
        PageRoute("/account/sessions", room.end, cell, SIGNED_IN, methods=["POST"]),
    ]


def _values(name: str, preferences: Preferences) -> dict[str, object]:
    return {
        "name": name,
        "language": preferences.language or "browser",
        "theme": preferences.theme or "system",
        "zone": preferences.zone,
        "single_keys": preferences.single_keys,
    }


def _preferences(filled: Filled) -> Preferences:
    language, zone = str(filled.values["language"]), filled.values["zone"]
    return Preferences(
        language="" if language == "browser" else language,
        theme=str(filled.values["theme"]),
        zone="workspace" if zone == "workspace" else "utc" if zone == "utc" else "browser",
        single_keys=filled.values["single_keys"] is True,
    )
