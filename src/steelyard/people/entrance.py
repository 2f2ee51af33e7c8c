"""The way in and out: signing in, the page that a link opens, signing out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from steelyard.kit.ids import PersonId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.accounts import Wrong, enter_by_link, let_in, sign_in
from steelyard.people.attempts import Held
from steelyard.people.forms import caller_of, is_address, local_path, text_of
from steelyard.people.gate import Kept, from_loopback, identity_of, person_of
from steelyard.people.ground import Ground
from steelyard.people.links import Invitation, read_link
from steelyard.people.members import Member, members_of
from steelyard.people.passwords import PasswordError
from steelyard.people.sessions import LONGEST, cookie_name, end_session
from steelyard.people.words import ROLES
from steelyard.web.forms import sent_of
from steelyard.web.routes import OPEN, SIGNED_IN, PageRoute

_KEPT: Final = "kept."


class Entrance:
    """What these routes do."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._database, self._ledger, self._pages = ground, ground.database, ground.ledger, ground.pages
        self._secure, self._clock = ground.secure, ground.clock

    async def show(self, request: Request) -> Response:
        """The form for signing in; for who is signed in already, the first page."""
        if identity_of(request) is not None and self._of_browser(request):
            return RedirectResponse(local_path(request.query_params.get("next", "")), 303)
        people = await self._people_to_be(request)
        return self._form(request, next=request.query_params.get("next", ""), people=people)

    async def enter(self, request: Request) -> Response:
        """Signs in. What was sent before, to a session that had ended, is offered again."""
        async with request.form() as form:
            address, password, kept = text_of(form, "address"), sent_of(form, "password"), _kept(form)
            next = sent_of(form, "next")
        result = await sign_in(self._database, self._ledger, address, password, caller_of(request), self._clock())
        match result:
            case Held():
                return self._form(request, 429, kept, address, "held", next, until=result.until)
            case Wrong():
                return self._form(request, 401, kept, address, "wrong", next)
            case _:
                answer: Response = RedirectResponse(local_path(next), 303)
                if kept is not None:
                    answer = self._pages.answer(request, "people/again.html", kept=kept)
                return self._with_cookie(answer, result)

    async def enter_as(self, request: Request) -> Response:
        """In the demo: signs in as one of its people, from this machine alone."""
        async with request.form() as form:
            person, next = numeric_id(text_of(form, "person")), sent_of(form, "next")
        if person not in [each.person for each in await self._people_to_be(request)]:
            raise HTTPException(404)
        session = await let_in(self._database, self._ledger, PersonId(person or 0), caller_of(request), self._clock())
        return self._with_cookie(RedirectResponse(local_path(next), 303), session)

    async def show_link(self, request: Request) -> Response:
        """What a link opens. Only the button uses it up, so that a preview of the link does not."""
        token = request.query_params.get("token", "")
        invitation = await read_link(self._database, token, self._clock())
        if invitation is None:
            raise HTTPException(410)
        return self._choose(request, token, invitation, invitation)

    async def use_link(self, request: Request) -> Response:
        """Chooses the password, and signs in with it."""
        async with request.form() as form:
            token, password = text_of(form, "token"), sent_of(form, "password")
            name, address = text_of(form, "name")[:100], text_of(form, "address")
        now = self._clock()
        invitation = await read_link(self._database, token, now)
        if invitation is None:
            raise HTTPException(410)
        chosen = invitation if invitation.person is not None else invitation._replace(name=name, address=address)
        problem = _problem_of(chosen)
        if not problem:
            try:
                person = await enter_by_link(
                    self._database, self._ledger, invitation, token, chosen, password, caller_of(request), now
                )
            except PasswordError as error:
                problem = error.code
            else:
                if person is None:
                    raise HTTPException(410)
                session = await let_in(self._database, self._ledger, person, caller_of(request), now)
                return self._with_cookie(RedirectResponse("/", 303), session)
        return self._choose(request, token, invitation, chosen, problem)

    async def leave(self, request: Request) -> Response:
        """Signs out."""
        identity = identity_of(request)
        if identity is not None and identity.session is not None:
            async with self._database.person(person_of(request)) as conn:
                await end_session(conn, identity.session)
        answer = RedirectResponse("/sign-in", 303)
        name = cookie_name(self._secure)
        answer.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
        return answer

    async def _people_to_be(self, request: Request) -> list[Member]:
        """Who can be chosen without a password: nobody, but in the demo, on this machine, its members."""
        if not self._ground.open_to_loopback or not from_loopback(request):
            return []
        async with self._database.cell() as conn:
            places = await (await conn.execute("SELECT workspace FROM places_of_cell() LIMIT 1")).fetchall()
        if not places:
            return []
        async with self._database.transaction(places[0][0]) as conn:
            return await members_of(conn, self._clock())

    def _of_browser(self, request: Request) -> bool:
        identity = identity_of(request)
        return identity is not None and identity.session is not None

    def _form(
        self,
        request: Request,
        status: int = 200,
        kept: Kept | None = None,
        address: str = "",
        problem: str = "",
        next: str = "",
        until: datetime | None = None,
        people: Sequence[Member] = (),
    ) -> Response:
        return self._pages.answer(
            request,
            "people/sign_in.html",
            status=status,
            kept=kept,
            address=address,
            problem=problem,
            next=next,
            until=until,
            people=people,
            role_words=ROLES,
        )

    def _choose(
        self, request: Request, token: str, invitation: Invitation, chosen: Invitation, problem: str = ""
    ) -> Response:
        return self._pages.answer(
            request,
            "people/enter.html",
            status=422 if problem else 200,
            token=token,
            invitation=invitation,
            chosen=chosen,
            problem=problem,
        )

    def _with_cookie(self, response: Response, session: str) -> Response:
        # Lax: a link to a conversation in Intercom opens here signed in. Forms of other sites are refused by the guard.
        name, life = cookie_name(self._secure), int(LONGEST.total_seconds())
        response.set_cookie(name, session, max_age=life, path="/", secure=self._secure, httponly=True, samesite="lax")
        return response


def routes(ground: Ground) -> list[PageRoute]:
    """The routes of the entrance."""
    room = Entrance(ground)
    return [
        PageRoute("/sign-in", room.show, Scope.CELL, OPEN, methods=["GET"]),
        PageRoute("/sign-in", room.enter, Scope.CELL, OPEN, methods=["POST"]),
        PageRoute("/sign-in/as", room.enter_as, Scope.CELL, OPEN, methods=["POST"]),
        PageRoute("/sign-out", room.leave, Scope.CELL, SIGNED_IN, methods=["POST"]),
        PageRoute("/enter", room.show_link, Scope.CELL, OPEN, methods=["GET"]),
        PageRoute("/enter", room.use_link, Scope.CELL, OPEN, methods=["POST"]),
    ]


def _problem_of(chosen: Invitation) -> str:
    if not chosen.name:
        return "name"
    return "" if is_address(chosen.address) else "address"


def _kept(form: FormData) -> Kept | None:
    path = sent_of(form, "kept")
    fields = ((name, value) for name, value in form.multi_items() if isinstance(value, str))
    again = tuple((name.removeprefix(_KEPT), value) for name, value in fields if name.startswith(_KEPT))
    return Kept(local_path(path), again) if path else None
