"""Ingest: verifies a webhook, stores it, answers. It decides nothing, and many requests share one commit.

A bare ASGI callable, since it answers every event of every workspace of the cell.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

from structlog import get_logger

from steelyard.kit.ids import CellId, WorkspaceId
from steelyard.kit.metrics import Histogram
from steelyard.routing.bodies import Bodies, Receive, Scope, Send, answer, parsed
from steelyard.store.database import advice_on

LARGEST_BODY = 1 << 20
"""Bytes of a webhook that are read: 1 MiB."""

MOST_PENDING = 10_000
"""Webhooks that may wait for their commit."""

LARGEST_BATCH = 256
"""Webhooks of one commit."""

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, LARGEST_BATCH)
COMMITS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Bounds of the buckets in which commits are counted: webhooks, and seconds."""

QUIET = 10.0
"""Seconds between two lines of the log about webhooks that cannot be stored: each would have one of its own."""

LINGER = 0.001
"""Seconds after a commit in which others may join the next one: as many as have just been answered tend to come."""

FAILED_LATELY = 10.0
"""Seconds after a commit that failed in which no other succeeded, for which webhooks count as not storable."""

OWN_TOPICS = "steelyard."
"""Topics that only Steelyard's own jobs may put into the inbox."""

_PATH = "/hooks/intercom/"
_SIGNATURE = b"x-hub-signature"
_NOT_STORED = "not stored: send it again"
_NOBODY = b"nobody's secret, so that an unknown app takes as long as a bad signature"

Verify = Callable[[bytes, bytes, bytes], bool]
"""(secret, body, signature header) -> whether the signature is of that body."""

log = get_logger()


class Owner(NamedTuple):
    """The workspace that an app id names, and the secret its webhooks are signed with."""

    workspace: WorkspaceId
    secret: bytes


class Row(NamedTuple):
    """A webhook as it is stored."""

    workspace: WorkspaceId
    notification: str
    topic: str
    body: bytes


class Inbox(Protocol):
    """Where webhooks are stored."""

    async def owner(self, app_id: str) -> Owner | None:
        """Whose app it is; None for an unknown one."""
        ...

    async def store(self, rows: list[Row]) -> None:
        """Stores them durably, all in one commit; a copy of a stored one is counted, not stored."""
        ...


class Ingest:
    """`POST` and `HEAD` `/hooks/intercom/{cell}`."""

    def __init__(self, cell: CellId, hosts: Mapping[CellId, str], inbox: Inbox, verify: Verify) -> None:
        """`hosts` says where the other cells answer."""
        self._path = _PATH + cell
        self._hosts = hosts
        self._inbox = inbox
        self._verify = verify
        self._pending: list[tuple[Row, asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None
        self._bodies = Bodies(LARGEST_BODY)
        self._failed_at: float | None = None
        self.refused: Counter[int] = Counter()
        """Answers that are not those of stored webhooks, by status."""
        self.batches = Histogram(BATCHES)
        """Webhooks of each commit; their sum is how many were answered 200."""
        self.commits = Histogram(COMMITS)
        """Seconds that each commit took."""
        self._untold = 0
        self._quiet_until = 0.0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one request."""
        if scope["path"] != self._path:
            return self._send_elsewhere(scope["path"], send)
        if scope["method"] == "POST":
            return self._post(scope, receive, send)
        if scope["method"] == "HEAD":
            return self._answer(send, 200)
        return self._answer(send, 405, "send webhooks by POST", (b"allow", b"POST, HEAD"))

    async def _post(self, scope: Scope, receive: Receive, send: Send) -> None:
        signature = b""
        for name, value in scope["headers"]:
            if name == _SIGNATURE:
                signature = value
            elif name == b"content-length" and (not value.isdigit() or int(value[:12]) > LARGEST_BODY):
                return await self._answer(send, 413, "a webhook is 1 MiB at most")
        message = await receive()
        body: bytes | None = message.get("body", b"")
        if message.get("more_body"):
            if self._bodies.full:
                return await self._answer(send, 503, _NOT_STORED)
            body = await self._bodies.rest(message, receive)
        if body is None or len(body) > LARGEST_BODY:
            return await self._answer(send, 413, "a webhook is 1 MiB at most")
        named = _named(body)
        if named is None:
            return await answer(send, 400, "not a notification: JSON with app_id, id and topic, of 1 to 200 characters")
        if len(self._pending) >= MOST_PENDING:
            return await self._answer(send, 503, _NOT_STORED)
        app_id, notification, topic = named
        try:
            owner = await self._inbox.owner(app_id)
        except Exception as error:
            self._complain(error, 1)
            return await self._answer(send, 503, _NOT_STORED)
        # Verified also for nobody's app: neither the answer nor its time tells which apps are known.
        verified = self._verify(owner.secret if owner is not None else _NOBODY, body, signature)
        if owner is None or not verified:
            return await self._answer(send, 401, "unknown app or wrong signature")
        try:
            await self._stored(Row(owner.workspace, notification, topic, body))
        except Exception:  # whatever it was, it is logged once for its batch; Intercom sends again what got no 200
            return await self._answer(send, 503, _NOT_STORED)
        await send(_OK_START)
        await send(_OK_BODY)

    async def _send_elsewhere(self, path: str, send: Send) -> None:
        host = self._hosts.get(CellId(path.removeprefix(_PATH))) if path.startswith(_PATH) else None
        if host is None:
            return await self._answer(send, 404, "no such cell")
        await self._answer(send, 421, f"this workspace lives in another cell: send to https://{host}{path}")

    async def _answer(self, send: Send, status: int, text: str = "", header: tuple[bytes, bytes] | None = None) -> None:
        self.refused[status] += 1
        await answer(send, status, text, header)

    def trouble(self) -> str:
        """`inbox_failing` where webhooks could not be stored a moment ago, and none could be since; else empty."""
        failed_at = self._failed_at
        lately = failed_at is not None and asyncio.get_running_loop().time() - failed_at < FAILED_LATELY
        return "inbox_failing" if lately else ""

    # One commit for all that came while the last one was under way

    def _stored(self, row: Row) -> asyncio.Future[None]:
        """Done when `row` is committed."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((row, done))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        return done

    async def _commit(self) -> None:
        clock = asyncio.get_running_loop().time
        try:
            while self._pending:
                batch, self._pending = self._pending[:LARGEST_BATCH], self._pending[LARGEST_BATCH:]
                began = clock()
                try:
                    await self._inbox.store([row for row, _ in batch])
                except Exception as error:
                    self._failed_at = clock()
                    self._complain(error, len(batch))
                    _settle(batch, error)
                else:
                    self._failed_at = None
                    self.batches.observe(len(batch))
                    self.commits.observe(clock() - began)
                    _settle(batch, None)
                await asyncio.sleep(LINGER)
        finally:
            self._committing = None
            if self._pending:
                self._committing = asyncio.create_task(self._commit())

    def _complain(self, error: Exception, webhooks: int) -> None:
        """Says why webhooks are answered with 503, and how many were since it last said so."""
        self._untold += webhooks
        now = asyncio.get_running_loop().time()
        if now < self._quiet_until:
            return
        advice = advice_on(error)
        log.error(
            "ingest.not_stored",
            webhooks=self._untold,
            error=type(error).__name__,
            advice=advice or "this is a defect: report it",
            exc_info=None if advice else error,
        )
        self._untold, self._quiet_until = 0, now + QUIET


def _settle(batch: list[tuple[Row, asyncio.Future[None]]], error: Exception | None) -> None:
    for _, done in batch:
        if done.cancelled():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _named(body: bytes) -> tuple[str, str, str] | None:
    """What a notification names: app id, its own id and its topic; None where it is none."""
    try:
        whole = parsed(body)
        app_id, topic, notification = whole["app_id"], whole["topic"], whole.get("id")
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if topic == "ping" and notification is None:  # Intercom's test of the address has no id
        notification = f"ping {hashlib.sha256(body).hexdigest()}"
    if not (_is_usable(app_id) and _is_usable(notification) and _is_usable(topic)) or topic.startswith(OWN_TOPICS):
        return None
    return app_id, notification, topic


def _is_usable(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text) <= 200 and text.isprintable()


_OK_START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
_OK_BODY: dict[str, Any] = {"type": "http.response.body", "body": b""}
