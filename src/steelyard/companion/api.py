"""What the browser extension asks of the server: connecting, what the team trusts, the DNS; and the same judgements.

Answers are JSON. Refusals are `{"error": {"status", "code", "message"}}`, their message in the asker's language.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from math import ceil
from typing import Any, Final, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.companion import domains
from steelyard.companion.connecting import connect, look, name_of
from steelyard.companion.defang import defang
from steelyard.companion.evidence import Unreadable, evidence_in
from steelyard.companion.ground import CompanionGround, CompanionRefused
from steelyard.companion.hosts import verdict
from steelyard.companion.lookup import DnsError, data, public_host
from steelyard.companion.rules_store import ready, rules_in_force, written
from steelyard.kit.scopes import Scope
from steelyard.people.forms import machine_of
from steelyard.people.gate import counted_as, standing_of, token_of
from steelyard.people.permissions import Permission, Standing
from steelyard.people.record import act, record
from steelyard.people.tokens import expires_at, revoke
from steelyard.web.pages import language_of
from steelyard.web.routes import OPEN, SIGNED_IN, PageRoute

_LARGEST: Final = 256 * 1024
_LONGEST_CODE: Final = 1024

Answer = Callable[[Request], Awaitable[Response]]


class CompanionApi:
    """What these routes do."""

    def __init__(self, ground: CompanionGround) -> None:
        self._ground, self._database = ground, ground.database

    async def connect(self, request: Request) -> Response:
        """A token for a code that was made on the page: open to whoever has it, once."""
        code, browser = await _code(request)
        made = await connect(self._ground, code, browser, machine_of(request))
        workspace = {"id": made.workspace, "name": made.name}
        answer = {"token": made.token, "workspace": workspace, "expires_at": made.expires_at.isoformat()}
        return JSONResponse(answer, 201)

    async def look(self, request: Request) -> Response:
        """Whom a code would connect, and with which workspace: told first, so that no link tricks anybody."""
        code, _ = await _code(request)
        whom = await look(self._ground, code, machine_of(request))
        workspace, person = {"id": whom.workspace, "name": whom.called}, {"name": whom.name, "address": whom.address}
        return JSONResponse({"workspace": workspace, "person": person})

    async def end(self, request: Request) -> Response:
        """Revokes the API token that is asked with: a browser that disconnects leaves no key behind."""
        who, token, now = standing_of(request), token_of(request), self._ground.clock()
        if token is None:
            raise HTTPException(404)
        async with self._database.transaction(who.workspace) as conn:
            owner = await revoke(conn, token, who.person, now)
            if owner is not None:
                await record(
                    self._ground.ledger, conn, who.workspace, act("token.revoked", owner, now, of=owner, token=token)
                )
        return Response(status_code=204)

    async def team(self, request: Request) -> Response:
        """What the team's companions share. It is answered with 304 where nothing of it changed."""
        who = standing_of(request)
        async with self._database.transaction(who.workspace) as conn:
            trusted, version = await domains.trusted_in(conn), await rules_in_force(conn)
            person = await (await conn.execute("SELECT name FROM person WHERE person = %s", [who.person])).fetchone()
            name, until = await name_of(conn, who.workspace), await expires_at(conn, token_of(request))
        rules = {"version": version.version, "rules": written(version)} if version and version.text else None
        answer = {
            "workspace": {"id": who.workspace, "name": name},
            "person": {"name": person[0] if person is not None else "", "engineer": who.engineer},
            "trusted": sorted(trusted),
            "rules": rules,
            "expires_at": until and until.isoformat(),
        }
        return _unless_known(request, answer)

    async def names(self, request: Request) -> Response:
        """What the DNS says of a public host, as this server sees it."""
        asked = request.query_params.get("host", "")
        host = public_host(asked)
        if host is None:
            raise CompanionRefused("host", asked)
        wait = self._ground.pace.wait(_asker(request))
        if wait:
            raise CompanionRefused("too_fast", wait=wait)
        try:
            return JSONResponse(data(await self._ground.names.names(host)))
        except DnsError:
            raise CompanionRefused("not_there", wait=5) from None

    async def propose(self, request: Request) -> Response:
        """Proposes that a domain be trusted by the team; where it stands."""
        domain = await _text(request, "domain")
        known = await domains.propose(self._ground, standing_of(request), domain)
        return JSONResponse({"domain": known.domain, "state": known.state.value})

    async def defang(self, request: Request) -> Response:
        """A text with every address unclickable that the team does not trust."""
        text = await _text(request, "text")
        _require_whole(text, "text")
        async with self._database.transaction(standing_of(request).workspace) as conn:
            trusted = await domains.trusted_in(conn)
        return JSONResponse({"text": defang(text, trusted)})

    async def verdict(self, request: Request) -> Response:
        """Who hosts a page, and whether it is ours, by the rules in force."""
        sent = (await _body(request, "evidence")).get("evidence")
        if not isinstance(sent, dict):
            raise CompanionRefused("body", "evidence")
        _require_whole(cast("object", sent), "evidence")
        try:
            evidence = evidence_in(cast("dict[str, Any]", sent))
        except Unreadable as error:
            raise CompanionRefused("evidence", str(error)) from None
        async with self._database.transaction(standing_of(request).workspace) as conn:
            version = await rules_in_force(conn)
        # What patterns and networks take, nobody else waits for.
        found = await asyncio.to_thread(lambda: verdict(ready(version), evidence))
        return JSONResponse(dataclasses.asdict(found))


def routes(ground: CompanionGround) -> list[PageRoute]:
    """`/api/companion/` and what is below it."""
    api, own, see = CompanionApi(ground), Scope.WORKSPACE, Permission.SEE_DESK

    def route(path: str, endpoint: Answer, method: str, shows: Scope = own, needs: str = see) -> PageRoute:
        answer = _answering(ground, endpoint)
        return PageRoute(f"/api/companion/{path}", answer, shows, needs, methods=[method], max_body_size=_LARGEST)

    return [
        route("connect", api.connect, "POST", Scope.CELL, OPEN),
        route("connect/look", api.look, "POST", Scope.CELL, OPEN),
        route("token", api.end, "DELETE", own, SIGNED_IN),
        route("team", api.team, "GET"),
        route("names", api.names, "GET"),
        route("trust", api.propose, "POST"),
        route("defang", api.defang, "POST"),
        route("verdict", api.verdict, "POST"),
    ]


def _answering(ground: CompanionGround, endpoint: Answer) -> Answer:
    """An endpoint whose refusals are told in JSON."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except CompanionRefused as error:
            message = ground.pages.say(error.says, language_of(request))
            told = {"error": {"status": error.status, "code": error.code, "message": message}}
            headers = {"Retry-After": str(ceil(error.wait))} if error.wait else None
            return JSONResponse(told, error.status, headers)

    return answer


async def _body(request: Request, wanted: str) -> dict[str, Any]:
    """The object that was sent. Raises CompanionRefused, which names what is `wanted`."""
    try:
        sent: Any = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise CompanionRefused("body", wanted) from None
    if not isinstance(sent, dict):
        raise CompanionRefused("body", wanted)
    return cast("dict[str, Any]", sent)


async def _code(request: Request) -> tuple[str, str]:
    """The code that was sent, and what the browser calls itself. Raises CompanionRefused."""
    sent = await _body(request, "code")
    code, browser = sent.get("code"), sent.get("browser", "")
    if not isinstance(code, str) or not isinstance(browser, str) or len(code) > _LONGEST_CODE:
        raise CompanionRefused("body", "code")
    return code, browser


async def _text(request: Request, name: str) -> str:
    text = (await _body(request, name)).get(name)
    if not isinstance(text, str):
        raise CompanionRefused("body", name)
    return text


def _require_whole(sent: object, name: str) -> None:
    """That an answer can repeat it: JSON can write half of a sign, and UTF-8 cannot. Raises CompanionRefused."""
    try:
        json.dumps(sent, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CompanionRefused("body", name) from None


def _unless_known(request: Request, answer: dict[str, Any]) -> Response:
    """The answer with its digest as ETag; 304 for who has it already."""
    tag = f'"{sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    return Response(status_code=304, headers=headers) if tag in known else JSONResponse(answer, headers=headers)


def _asker(request: Request) -> str:
    who: Standing = standing_of(request)
    return f"{who.workspace} {counted_as(request)}"
