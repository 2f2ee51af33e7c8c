"""Signed webhooks, as Intercom sends them: five seconds to answer, one retry, and faults on purpose."""

import asyncio
import contextlib
import hmac
import itertools
import json
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from steelyard.demo.intercom.faults import Faults
from steelyard.demo.intercom.model import Publish
from steelyard.demo.intercom.record import Record
from steelyard.demo.intercom.wire import Address, Connection

USER_AGENT = "intercom-parrot-service-client/1.0"
LONGEST_THROTTLE = 2 * 3600.0
"""Seconds. A notification that has met 429 for so long is dropped."""
MOST_ERRORS, ERROR_SPAN = 1_000, 900.0
"""More errors on end within so many seconds, and for as long nothing is sent and everything dropped."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. A workspace that should live faster than Intercom's shortens them."""

    answer: float = 5.0
    retry: float = 60.0
    throttle: float = 60.0
    window: int = 10
    """Of the rate limit."""
    late: float = 3.0
    """How much later a webhook comes that is struck by `late`."""
    slow: float = 12.0
    """How much later an answer comes to a call that is struck by `slow`: Steelyard's client waits for 10."""


@dataclass(slots=True, eq=False)
class Notification:
    topic: str
    conversation: int | None
    item: str
    created_at: int
    cut: Literal["", "before", "after"] = ""
    """What becomes of the first attempt."""
    id: str = field(default_factory=lambda: f"notif_{uuid.uuid4()}")
    attempts: int = 0
    first_sent_at: int = 0

    def body(self, app_id: str) -> bytes:
        return (
            f'{{"type":"notification_event","app_id":{json.dumps(app_id)},'
            f'"data":{{"type":"notification_event_data","item":{self.item}}},"links":{{}},"id":"{self.id}",'
            f'"topic":"{self.topic}","self":null,"created_at":{self.created_at},'
            f'"delivery_attempts":{self.attempts},"first_sent_at":{self.first_sent_at}}}'
        ).encode()


def signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature for the raw `body`."""
    return "sha1=" + hmac.digest(secret.encode(), body, "sha1").hex()


class Sender:
    """Takes what the workspace publishes and sends it to one address over a few keep-alive connections.

    Nothing is sent before `subscribe` names the address; what is published until then is nobody's.
    """

    def __init__(
        self, *, app_id: str, secret: str, record: Record, faults: Faults, timing: Timing, senders: int = 8
    ) -> None:
        self._app_id, self._secret = app_id, secret
        self._record, self._faults, self._timing, self._senders = record, faults, timing, senders
        self._address: Address | None = None
        self._queue: asyncio.Queue[Notification] = asyncio.Queue()
        self._held: deque[tuple[int, Notification]] = deque()
        self._published = itertools.count(1)
        self._unsettled = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.disabled = False
        """The address answered 410: nothing is sent until it is subscribed again."""
        self._throttle = timing.throttle
        self._errors: list[float] = []
        self._silent_until = self._dropping_until = 0.0

    async def subscribe(self, url: str) -> int:
        """Sends to `url` from now on. Answers with the status of the HEAD that Intercom tries first, 0 for none.

        Raises ValueError unless the address is on this machine.
        """
        self._address, self.disabled = Address.of(url), False
        connection = Connection(self._address)
        try:
            async with asyncio.timeout(self._timing.answer):
                return await connection.request("HEAD", {"User-Agent": USER_AGENT})
        except (OSError, EOFError, TimeoutError, ValueError):
            return 0
        finally:
            connection.close()

    def publish(self, what: Publish) -> None:
        if self._address is None:
            return
        counts = self._record.counts
        counts["published"] += 1
        self._record.topics[what.topic] += 1
        fate = self._faults.fate("webhook")
        if self.disabled or time.monotonic() < self._dropping_until or not fate.copies:
            counts["dropped"] += 1
            return
        number = next(self._published)
        item, now = json.dumps(what.item), int(time.time())
        notification = Notification(what.topic, what.conversation, item, now, fate.cut)
        counts["duplicates"] += fate.copies - 1
        counts["reordered"] += fate.behind > 0
        counts["late"] += fate.late
        counts["cut"] += fate.cut == "before"
        counts["hung_up"] += fate.cut == "after"
        self._unsettled += fate.copies
        self._idle.clear()
        for _ in range(fate.copies):
            if fate.behind:
                self._held.append((number + fate.behind, notification))
            elif fate.late:
                asyncio.get_running_loop().call_later(self._timing.late, self._queue.put_nowait, notification)
            else:
                self._queue.put_nowait(notification)
        while self._held and self._held[0][0] <= number:
            self._queue.put_nowait(self._held.popleft()[1])

    def ping(self) -> None:
        """The topic every app is subscribed to."""
        self.publish(Publish("ping", {"type": "ping"}, None))

    @property
    def unsettled(self) -> int:
        """Webhooks that are queued, held back, late, on their way or waiting for their retry."""
        return self._unsettled

    async def drain(self, seconds: float) -> bool:
        """Sends what is held back, then waits until everything is settled, `seconds` at most. False: it was not."""
        while self._held:
            self._queue.put_nowait(self._held.popleft()[1])
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Sends until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._senders):
                group.create_task(self._send_on_one_connection())

    async def _send_on_one_connection(self) -> None:
        connection: Connection | None = None
        address: Address | None = None
        try:
            while True:
                notification = await self._queue.get()
                await asyncio.sleep(max(0.0, self._silent_until - time.monotonic()))
                if connection is None or address != self._address:
                    if connection is not None:
                        connection.close()
                    address = self._address
                    connection = Connection(address) if address else None
                self._settle(notification, await self._send(connection, notification) if connection else 0)
        finally:
            if connection is not None:
                connection.close()

    async def _send(self, connection: Connection, notification: Notification) -> int:
        notification.attempts += 1
        notification.first_sent_at = notification.first_sent_at or int(time.time())
        body = notification.body(self._app_id)
        headers = {
            "User-Agent": USER_AGENT,
            "Content-Type": "application/json",
            "Accept": "*/*",
            "X-Hub-Signature": signature(self._secret, body),
        }
        self._record.sent(notification.topic, notification.conversation)
        status = 0
        with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
            async with asyncio.timeout(self._timing.answer):
                if notification.cut and notification.attempts == 1:
                    await connection.cut("POST", headers, body, after=notification.cut == "after")
                else:
                    status = await connection.request("POST", headers, body)
        self._record.answered(notification.topic, notification.conversation, status)
        return status

    def _settle(self, notification: Notification, status: int) -> None:
        """What Intercom does with that answer."""
        if 200 <= status < 300:
            self._throttle = self._timing.throttle
            self._errors.clear()
            self._settled()
        elif status == 410:
            self.disabled = True
            self._settled("failed")
        elif status == 429:
            self._slow_down(notification)
        else:
            self._count_error()
            if notification.attempts > 1:
                self._settled("failed")
            else:
                self._record.counts["retried"] += 1
                asyncio.get_running_loop().call_later(self._timing.retry, self._queue.put_nowait, notification)

    def _slow_down(self, notification: Notification) -> None:
        self._silent_until = time.monotonic() + self._throttle
        self._throttle = min(2 * self._throttle, LONGEST_THROTTLE)
        if time.time() - notification.first_sent_at > LONGEST_THROTTLE:
            self._settled("dropped")
        else:
            self._queue.put_nowait(notification)

    def _count_error(self) -> None:
        now = time.monotonic()
        self._errors = [at for at in self._errors[-MOST_ERRORS:] if at > now - ERROR_SPAN] + [now]
        if len(self._errors) > MOST_ERRORS:
            self._dropping_until = now + ERROR_SPAN
            self._errors.clear()

    def _settled(self, outcome: str | None = None) -> None:
        if outcome is not None:
            self._record.counts[outcome] += 1
        self._unsettled -= 1
        if self._unsettled == 0:
            self._idle.set()
