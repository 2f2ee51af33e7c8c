"""The page of the companion: connecting a browser, which ones are connected, what the team trusts."""

from __future__ import annotations

from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from steelyard.companion import domains
from steelyard.companion.connecting import Browser, browsers_of, make_code
from steelyard.companion.domains import Domain, State
from steelyard.companion.ground import WORDS, CompanionGround, CompanionRefused
from steelyard.companion.rules_store import rules_in_force, written
from steelyard.kit.ids import PersonId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.forms import text_of
from steelyard.people.gate import person_of, standing_of
from steelyard.people.permissions import Permission
from steelyard.people.record import act, record
from steelyard.people.tokens import revoke
from steelyard.web.data import plain
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.routes import SIGNED_IN, PageRoute
from steelyard.web.said import N_
from steelyard.web.static import COMPANION
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import place_of, viewer_of

CONNECT: Final = "/companion/connect"
"""Where a link to connect by leads; the code stands behind a `#`, which browsers send to nobody."""
_DOMAIN: Final = Form(
    (
        Field(
            "domain",
            N_("Domain"),
            most=300,
            help=N_("example.com stands for all below it too, =example.com for that host alone."),
        ),
    )
)
_STATES: Final = tuple(State)
_LARGEST: Final = 2**63 - 1


class CompanionPages:
    """What these routes do."""

    def __init__(self, ground: CompanionGround) -> None:
        self._ground, self._database = ground, ground.database

    async def show(self, request: Request) -> Response:
        """What of the companion there is here."""
        return await self._draw(request, _DOMAIN.empty())

    async def data(self, request: Request) -> Response:
        """The same as JSON."""
        shown = await self._read(request)
        return JSONResponse(
            {
                "browsers": [_browser_data(each) for each in shown["browsers"]],
                "proposed": [_domain_data(each) for each in shown["proposed"]],
                "trusted": [_domain_data(each) for each in shown["trusted"]],
                "declined": [_domain_data(each) for each in shown["declined"]],
                "rules": {"version": shown["version"], "count": shown["count"]},
            }
        )

    async def code(self, request: Request) -> Response:
        """Makes a link to connect a browser by, and leads there; or shows it, for another browser."""
        standing, person = standing_of(request), person_of(request)
        async with request.form() as form:
            shown = text_of(form, "show") == "link"
        async with self._database.transaction(standing.workspace) as conn:
            code = await make_code(conn, standing.workspace, person, self._ground.clock())
        if not shown:
            return RedirectResponse(f"{CONNECT}#{code}", 303)
        base = self._ground.url or f"{request.url.scheme}://{request.url.netloc}"
        link = f"{base.rstrip('/')}{CONNECT}#{code}"
        return self._ground.pages.answer(request, "companion/link.html", link=link)

    async def connect(self, request: Request) -> Response:
        """Where the link leads: the browser knows the code, and this server is not told of it."""
        return self._ground.pages.answer(request, "companion/connect.html", package=COMPANION)

    async def revoke(self, request: Request) -> Response:
        """Ends the token of a browser for good: one's own, or anybody's for who may."""
        standing, now = standing_of(request), self._ground.clock()
        token, anybodys = numeric_id(request.path_params["token"]), viewer_of(request).may(Permission.CHANGE_TOKENS)
        if token is None or (standing.person is None and not anybodys):
            raise HTTPException(404)
        async with self._database.transaction(standing.workspace) as conn:
            whose = None if anybodys else standing.person
            known = any(each.token.token == token for each in await browsers_of(conn, whose))
            owner = await revoke(conn, token, whose, now) if known else None
            if owner is None:
                raise HTTPException(404)
            fact = act("token.revoked", standing.person, now, of=owner, token=token)
            await record(self._ground.ledger, conn, standing.workspace, fact)
        return told(place_of(request), "/companion", Done("revoked", (token,)))

    async def add(self, request: Request) -> Response:
        """Has a domain trusted; for who may not decide that, proposes it."""
        filled = await _DOMAIN.of(request)
        if not filled.ok:
            return await self._draw(request, filled)
        decides = viewer_of(request).may(Permission.CHANGE_COMPANION)
        put = domains.add if decides else domains.propose
        text = str(filled.values["domain"])
        standing = standing_of(request)
        async with self._database.transaction(standing.workspace) as conn:
            before = {each.domain: each.state for each in await domains.read_domains(conn)}
        try:
            known = await put(self._ground, standing, text)
        except CompanionRefused as error:
            return await self._draw(request, filled.wrong("domain", WORDS[error.code], **error.says.values))
        was = before.get(known.domain, State.REMOVED)
        what = known.state.value if was is not known.state else "known"
        return told(place_of(request), "/companion", Done(what, (known.trust, _STATES.index(was))))

    async def decide(self, request: Request) -> Response:
        """Moves a domain from where it was seen to another state, also back."""
        async with request.form() as form:
            seen, to = _state(text_of(form, "seen")), _state(text_of(form, "to"))
        trust = cast("int", request.path_params["trust"])
        if seen is None or to is None or trust > _LARGEST:
            raise HTTPException(404)
        try:
            await domains.decide(self._ground, standing_of(request), trust, seen, to)
        except CompanionRefused as error:
            if error.code == "no_domain":
                raise HTTPException(404) from None
            return await self._draw(request, _DOMAIN.empty(), error)
        return told(place_of(request), "/companion", Done(to.value, (trust, _STATES.index(seen))))

    async def _read(self, request: Request) -> dict[str, Any]:
        standing, now = standing_of(request), self._ground.clock()
        viewer = viewer_of(request)
        anybodys = viewer.may(Permission.CHANGE_TOKENS)
        async with self._database.transaction(standing.workspace) as conn:
            all = await domains.read_domains(conn)
            listed = await browsers_of(conn, None if anybodys else standing.person or PersonId(0))
            version = await rules_in_force(conn)
        of_state = {state: [each for each in all if each.state is state] for state in State}
        return {
            "browsers": [each for each in listed if each.token.is_open(now)],
            "gone": {each.token.token: each for each in listed if each.token.revoked_at},
            "domains": {each.trust: each for each in all},
            "proposed": of_state[State.PROPOSED],
            "trusted": of_state[State.TRUSTED],
            "declined": of_state[State.DECLINED],
            "version": version.version if version is not None and version.text else None,
            "count": len(written(version)),
            "anybodys": anybodys,
        }

    async def _draw(self, request: Request, filled: Filled, refused: CompanionRefused | None = None) -> Response:
        shown, standing = await self._read(request), standing_of(request)
        done = done_of(request.query_params, {"revoked", "known", *_STATES})
        return self._ground.pages.answer(
            request,
            "companion/companion.html",
            status=refused.status if refused is not None else filled.status,
            form=filled,
            refused=refused.says if refused is not None else None,
            package=COMPANION,
            connects=standing.person is not None and standing.scopes is None and viewer_of(request).may("tokens.own"),
            states=State,
            done=_told(request, done, shown) if done is not None else None,
            **shown,
        )


def _told(request: Request, done: Done, shown: dict[str, Any]) -> dict[str, Any] | None:
    """What was just done, where it still holds, with the way back."""
    if not done.ids:
        return None
    if done.what == "revoked":
        gone = shown["gone"].get(done.ids[0])
        return {"what": "revoked", "name": gone.browser, "undo": None} if gone is not None else None
    domain: Domain | None = shown["domains"].get(done.ids[0])
    if domain is None:
        return None
    if done.what == "known":
        return {"what": f"known_{domain.state.value}", "name": domain.domain, "undo": None}
    was = _STATES[done.ids[1]] if len(done.ids) > 1 and done.ids[1] < len(_STATES) else None
    if domain.state.value != done.what or was is None:
        return None
    fields = (("seen", domain.state.value), ("to", was.value))
    may = viewer_of(request).may(Permission.CHANGE_COMPANION) and was is not domain.state
    undo = Undo(place_of(request).link(f"/companion/domains/{domain.trust}"), fields) if may else None
    return {"what": done.what, "name": domain.domain, "undo": undo}


def _state(text: str) -> State | None:
    return next((state for state in State if state.value == text), None)


def _browser_data(browser: Browser) -> dict[str, Any]:
    token = browser.token
    times = {"connected_at": token.created_at, "used_at": token.used_at, "expires_at": token.expires_at}
    return {"browser": browser.browser, "token": token.token, "owner": token.owner} | plain(times)


def _domain_data(domain: Domain) -> dict[str, Any]:
    return cast("dict[str, Any]", plain(domain))


def routes(ground: CompanionGround) -> list[PageRoute]:
    """`/companion` and what is below it, but for the rules."""
    room, own, see = CompanionPages(ground), Scope.WORKSPACE, Permission.SEE_DESK
    tokens, change = Permission.USE_TOKENS, Permission.CHANGE_COMPANION
    return [
        PageRoute("/companion", room.show, own, see, methods=["GET"]),
        PageRoute("/companion.json", room.data, own, see, methods=["GET"]),
        PageRoute("/companion/code", room.code, own, tokens, methods=["POST"]),
        PageRoute(CONNECT, room.connect, Scope.CELL, SIGNED_IN, methods=["GET"]),
        PageRoute("/companion/browsers/{token:int}/revoke", room.revoke, own, tokens, methods=["POST"]),
        PageRoute("/companion/domains", room.add, own, see, methods=["POST"]),
        PageRoute("/companion/domains/{trust:int}", room.decide, own, change, methods=["POST"]),
    ]
