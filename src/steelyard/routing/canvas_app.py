"""The inbox app that Intercom shows beside a conversation (Canvas Kit): signed requests in, a canvas out.

`POST /canvas/{cell}/initialize` when the app is shown, `/submit` when its button is pressed; both answer the same way.
A bare ASGI callable, since it is asked by Intercom, not by a browser of ours.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol, cast

from structlog import get_logger

from steelyard.kit.ids import CellId, numeric_id
from steelyard.routing.bodies import Bodies, Receive, Scope, Send, answer, parsed
from steelyard.routing.canvas import read_card
from steelyard.routing.canvas_words import canvas_of
from steelyard.routing.ingest import Owner, Verify
from steelyard.routing.rows import one
from steelyard.store.database import Database, advice_on
from steelyard.web.language import negotiate
from steelyard.web.place import Place

PREFIX = "/canvas/"
LARGEST_BODY = 1 << 20
"""Bytes of a request that are read: it holds the conversation as Intercom shows it."""

_CALLS = ("initialize", "submit")
_SIGNATURE = b"x-body-signature"
_NOBODY = b"nobody's secret, so that an unknown app takes as long as a bad signature"

RegionOf = Callable[[str], str | None]
"""The region that Intercom spells so; None for one that is none."""

log = get_logger()


class Owners(Protocol):
    """Whose app it is."""

    async def owner(self, app_id: str) -> Owner | None:
        """The workspace of an app id and the secret its requests are signed with; None for an unknown one."""
        ...


class Asked(NamedTuple):
    """What a request asks for. `region` and `language` are empty where it does not say."""

    app_id: str
    region: str
    conversation: int | None
    language: str


class CanvasApp:
    """Answers Intercom for every workspace of the cell."""

    def __init__(
        self,
        cell: CellId,
        hosts: Mapping[CellId, str],
        database: Database,
        owners: Owners,
        verify: Verify,
        region_of: RegionOf,
        console: str,
    ) -> None:
        """`hosts` says where the other cells answer, `console` under which address people open this cell's console."""
        self._cell, self._hosts, self._database = cell, hosts, database
        self._owners, self._verify, self._region_of, self._console = owners, verify, region_of, console
        self._bodies = Bodies(LARGEST_BODY)
        self.answered: Counter[int] = Counter()
        """Answers by status."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one request."""
        cell, _, call = scope["path"].removeprefix(PREFIX).partition("/")
        if call not in _CALLS:
            return self._answer(send, 404, "Intercom posts to /canvas/{cell}/initialize and /submit")
        if cell != self._cell:
            return self._send_elsewhere(cell, scope["path"], send)
        if scope["method"] != "POST":
            return self._answer(send, 405, "Intercom asks by POST", (b"allow", b"POST"))
        return self._post(scope, receive, send)

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        body = None
        if length.isdigit() and int(length[:12]) <= LARGEST_BODY:
            if self._bodies.full:
                return await self._answer(send, 503, "busy: ask again")
            body = await self._bodies.rest({"more_body": True}, receive)
        if body is None:
            return await self._answer(send, 413, "a request is 1 MiB at most")
        asked = asked_in(body, headers.get(b"accept-language", b"").decode("latin-1"))
        if asked is None:
            return await self._answer(send, 400, "not a request of Canvas Kit: JSON with workspace_id")
        try:
            owner = await self._owners.owner(asked.app_id)
            # Verified also for nobody's app: neither the answer nor its time tells which apps are known.
            secret = owner.secret if owner is not None else _NOBODY
            if not self._verify(secret, body, headers.get(_SIGNATURE, b"")) or owner is None:
                return await self._answer(send, 401, "unknown app or wrong signature")
            status, text = await self._canvas(owner, asked)
        except Exception as error:
            advice = advice_on(error)
            log.error(
                "canvas.not_drawn",
                error=type(error).__name__,
                advice=advice or "this is a defect: report it",
                exc_info=None if advice else error,
            )
            return await self._answer(send, 503, "not available now: refresh it in a moment")
        kind = b"application/json" if status == 200 else b"text/plain; charset=utf-8"
        self.answered[status] += 1
        await answer(send, status, text, kind=kind)

    async def _canvas(self, owner: Owner, asked: Asked) -> tuple[int, str]:
        """Status and text of the answer to a request that Intercom signed."""
        async with self._database.transaction(owner.workspace) as conn:
            stored = await one(conn, "SELECT region FROM connection WHERE workspace = %s", (owner.workspace,))
            region = stored["region"] if stored is not None else ""
            if asked.region and self._region_of(asked.region) != region:
                return 421, f"this workspace is connected in {region}"
            card = None if asked.conversation is None else await read_card(conn, owner.workspace, asked.conversation)
        link = Place("", region, owner.workspace).link(f"/conversations/{asked.conversation}")
        link = f"{self._console}{link}" if self._console else ""
        return 200, json.dumps(canvas_of(card, asked.language, link), ensure_ascii=False)

    async def _send_elsewhere(self, cell: str, path: str, send: Send) -> None:
        host = self._hosts.get(CellId(cell))
        if host is None:
            return await self._answer(send, 404, "no such cell")
        await self._answer(send, 421, f"this workspace lives in another cell: send to https://{host}{path}")

    async def _answer(self, send: Send, status: int, text: str, header: tuple[bytes, bytes] | None = None) -> None:
        self.answered[status] += 1
        await answer(send, status, text, header)


def asked_in(body: bytes, accepted: str) -> Asked | None:
    """What a body asks for; None where it is no request of Canvas Kit. It may hold anything."""
    try:
        whole = parsed(body)
    except (ValueError, RecursionError):
        return None
    app_id = _text_at(whole, "workspace_id")
    if not (0 < len(app_id) <= 200 and app_id.isprintable()):
        return None
    locale = _text_at(whole, "admin", "locale") or _text_at(whole, "context", "locale")
    return Asked(
        app_id,
        _text_at(whole, "workspace_region")[:20],
        numeric_id(_within(whole, "conversation", "id")),
        negotiate(locale[:2], None, accepted),
    )


def _within(whole: object, *path: str) -> object:
    """What lies at `path`; None where there is no such thing."""
    for name in path:
        if not isinstance(whole, dict):
            return None
        whole = cast("dict[str, Any]", whole).get(name)
    return whole


def _text_at(whole: object, *path: str) -> str:
    found = _within(whole, *path)
    return found if isinstance(found, str) else ""
