"""The gate before every route: who asks, in which workspace, and whether they may. The console has no other check."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.ids import CellId, PersonId
from steelyard.kit.scopes import Scope
from steelyard.people.forms import LOOPBACK, machine_of
from steelyard.people.permissions import Permission, Standing, granted, judge
from steelyard.people.sessions import Membership, cookie_name, places_of_cell, read_session
from steelyard.people.tokens import TokenRefused, read_token
from steelyard.people.words import PERMISSIONS, ROLES
from steelyard.store.database import Database
from steelyard.web.console import Clock, utc_now
from steelyard.web.guard import SAFE_METHODS
from steelyard.web.pages import Pages
from steelyard.web.pages import wants_data as wants_data
from steelyard.web.routes import OPEN, SIGNED_IN, PageRoute
from steelyard.web.viewer import KEY, NOBODY, Preferences, Viewer

_IDENTITY: Final = "steelyard.identity"
_REFUSED: Final = "steelyard.refused"
_SECRETS: Final = ("password", "token", "secret")
"""Fields that are never written into a page again."""


class Identity(NamedTuple):
    """Who asks. `person` is nobody for this machine. `membership` is in the workspace that the request is about."""

    person: PersonId | None
    session: int | None
    membership: Membership | None
    memberships: tuple[Membership, ...]
    scopes: frozenset[Permission] | None = None
    token: int | None = None
    """The number of the API token they ask with."""

    @property
    def standing(self) -> Standing | None:
        """What they are in the workspace that the request is about; None where they are nothing in it."""
        at = self.membership
        return None if at is None else Standing(at.workspace, self.person, at.roles, at.engineer, self.scopes)


class Kept(NamedTuple):
    """What somebody sent whose session had ended: where to, and the fields, none of them a secret."""

    path: str
    fields: tuple[tuple[str, str], ...]


class Gate:
    """Identifies by session, by API token or, where the console is open to it, as this machine."""

    def __init__(
        self,
        database: Database,
        pages: Pages,
        cell: CellId,
        *,
        secure: bool = False,
        open_to_loopback: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        """`secure`: the console is reached by https. `open_to_loopback`: this machine may do all without signing in."""
        self._database, self._pages, self._cell, self._clock = database, pages, cell, clock
        self._cookie, self._open_to_loopback = cookie_name(secure), open_to_loopback

    async def identify(self, request: Request, *, noted: bool = True) -> None:
        """Leaves identity and viewer in the request's scope; of a token that opens nothing, why.

        Sessions that are `noted` to be in use stay open for longer.
        """
        try:
            identity, viewer = await self._who(request, noted)
        except TokenRefused as error:
            request.scope[_REFUSED] = error
            return
        if identity is not None:
            identity = identity._replace(membership=_wanted(request, identity.memberships))
            viewer = _placed(viewer, identity)
        request.scope[_IDENTITY], request.scope[KEY] = identity, viewer

    async def admit(self, request: Request, route: PageRoute) -> Response | None:
        """None where the request may go on, else why it may not: signing in, or the roles that would open it."""
        if route.needs == OPEN:
            return None
        refused = request.scope.get(_REFUSED)
        if isinstance(refused, TokenRefused):
            return JSONResponse({"error": {"status": refused.status, "message": str(refused)}}, refused.status)
        identity = identity_of(request)
        if identity is None:
            return await self._sign_in_first(request)
        if route.needs == SIGNED_IN and route.shows is not Scope.WORKSPACE:
            return self._no_tokens() if identity.scopes is not None else None
        standing = identity.standing
        if standing is None:
            return self._nowhere(request, identity, route)
        if route.needs == SIGNED_IN:
            return None
        verdict = judge(standing, Permission(route.needs))
        if verdict.allowed:
            return None
        if wants_data(request):
            message = f"this needs the permission {verdict.permission.value}"
            return JSONResponse({"error": {"status": 403, "message": message}}, 403)
        return self._pages.answer(
            request,
            "people/refused.html",
            status=403,
            verdict=verdict,
            standing=standing,
            permissions=PERMISSIONS,
            role_words=ROLES,
        )

    def ended(self, request: Request) -> Callable[[], Awaitable[bool]]:
        """To be asked later, by an answer without end: whether who was admitted is so no longer."""
        admitted = identity_of(request)

        async def asked() -> bool:
            again = Request({name: value for name, value in request.scope.items() if name not in (_IDENTITY, KEY)})
            await self.identify(again, noted=False)
            now = identity_of(again)
            return now is None or admitted is None or now.standing != admitted.standing

        return asked

    async def _who(self, request: Request, noted: bool) -> tuple[Identity | None, Viewer]:
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return await self._by_token(bearer.strip())
        cookie = request.cookies.get(self._cookie)
        known = await read_session(self._database, cookie, self._clock(), noted) if cookie else None
        if known is not None:
            identity = Identity(known.person, known.session, None, known.memberships)
            return identity, Viewer(known.name, preferences=known.preferences, signed_in=True)
        if self._open_to_loopback and from_loopback(request):
            return Identity(None, None, None, await places_of_cell(self._database)), NOBODY
        return None, NOBODY

    async def _by_token(self, bearer: str) -> tuple[Identity, Viewer]:
        token = await read_token(self._database, self._cell, bearer, self._clock())
        identity = Identity(token.person, None, None, (token.membership,), token.scopes, token.token)
        return identity, Viewer(preferences=Preferences(zone="utc"))

    async def _sign_in_first(self, request: Request) -> Response:
        if wants_data(request):
            return JSONResponse({"error": {"status": 401, "message": "sign in first, or send an API token"}}, 401)
        kept = None
        if request.method not in SAFE_METHODS:
            async with request.form() as form:
                kept = Kept(_local(request), _fields(form))
        return self._pages.answer(
            request,
            "people/sign_in.html",
            status=401,
            kept=kept,
            address="",
            problem="",
            next=_local(request),
            until=None,
            people=(),
            role_words=ROLES,
        )

    def _no_tokens(self) -> Response:
        """What is a person's own, in all workspaces, is not in any token's scope."""
        message = "this is for people who sign in: an API token opens one workspace, not its owner's account"
        return JSONResponse({"error": {"status": 403, "message": message}}, 403)

    def _nowhere(self, request: Request, identity: Identity, route: PageRoute) -> Response | None:
        """There is nothing of that workspace for them; where they have none at all, a page says what to do about it."""
        if identity.memberships or route.shows is not Scope.WORKSPACE or wants_data(request):
            raise HTTPException(404)
        known = identity.person is not None
        return self._pages.answer(request, "people/nowhere.html", status=404 if known else 200, connected=known)


def identity_of(request: Request) -> Identity | None:
    """Who asks; None for nobody who signed in."""
    found = request.scope.get(_IDENTITY)
    return found if isinstance(found, Identity) else None


def standing_of(request: Request) -> Standing:
    """What the asker is in the workspace that the request is about. Raises HTTPException where that is nothing."""
    identity = identity_of(request)
    if identity is None or identity.standing is None:
        raise HTTPException(404)
    return identity.standing


def session_of(request: Request) -> tuple[PersonId, int]:
    """Who signed in, and the number of their session. Raises HTTPException for this machine."""
    identity = identity_of(request)
    if identity is None or identity.person is None or identity.session is None:
        raise HTTPException(404)
    return identity.person, identity.session


def person_of(request: Request) -> PersonId:
    """Who signed in. Raises HTTPException for this machine, which is nobody in particular."""
    identity = identity_of(request)
    if identity is None or identity.person is None:
        raise HTTPException(404)
    return identity.person


def token_of(request: Request) -> int | None:
    """The number of the API token that is asked with; None for a person in a browser and for this machine."""
    identity = identity_of(request)
    return identity.token if identity is not None else None


def counted_as(request: Request) -> str:
    """What somebody's open streams are counted by: their session or API token, else the machine that asks."""
    identity = identity_of(request)
    if identity is not None and identity.session is not None:
        return f"session {identity.session}"
    if identity is not None and identity.token is not None:
        return f"token {identity.token}"
    return f"machine {machine_of(request)}"


def from_loopback(request: Request) -> bool:
    """Whether this machine asks, and nothing stands between: a proxy says for whom it asks."""
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
    return request.client is not None and request.client.host in LOOPBACK and not forwarded


def _wanted(request: Request, memberships: tuple[Membership, ...]) -> Membership | None:
    wanted = request.query_params.get("workspace")
    if wanted is None:
        return memberships[0] if memberships else None
    return next((each for each in memberships if each.workspace == wanted), None)


def _placed(viewer: Viewer, identity: Identity) -> Viewer:
    at, standing = identity.membership, identity.standing
    return Viewer(
        name=viewer.name,
        granted=frozenset(granted(standing)) if standing is not None else frozenset(),
        preferences=viewer.preferences,
        place=at.place if at is not None else None,
        places=tuple(each.place for each in identity.memberships),
        workspace_zone=at.zone if at is not None else "UTC",
        signed_in=viewer.signed_in,
    )


def _local(request: Request) -> str:
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _fields(form: FormData) -> tuple[tuple[str, str], ...]:
    pairs = ((name, value) for name, value in form.multi_items() if isinstance(value, str))
    return tuple((name, value) for name, value in pairs if not any(secret in name for secret in _SECRETS))
