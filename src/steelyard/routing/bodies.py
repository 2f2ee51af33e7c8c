"""What Intercom posts to us, before anything is known of it: read whole or not at all, within bounds, and answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic_core import from_json

MOST_READING = 64
"""Bodies in several pieces that are read at once: with their size, what strangers can make us hold."""

SLOWEST_BODY = 10.0
"""Seconds in which a body has to be whole."""

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Bodies:
    """The bodies of one kind of request that are being read, each of at most `largest` bytes."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._reading = 0

    @property
    def full(self) -> bool:
        """Whether as many are being read as may be."""
        return self._reading >= MOST_READING

    async def rest(self, message: Mapping[str, Any], receive: Receive) -> bytes | None:
        """The whole body that begins with `message`; None where it is too large, empty where it comes too slowly."""
        parts: list[bytes] = [message.get("body", b"")]
        size = len(parts[0])
        self._reading += 1
        try:
            async with asyncio.timeout(SLOWEST_BODY):
                while message.get("more_body") and size <= self._largest:
                    message = await receive()
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
        except TimeoutError:
            return b""  # half a body is no JSON
        finally:
            self._reading -= 1
        return b"".join(parts) if size <= self._largest else None


def parsed(body: bytes) -> Any:
    """The JSON of `body`. Half an emoji, or more than 200 levels, is no reason to lose it. Raises ValueError and, for
    what is nested too deeply, RecursionError."""
    try:
        return from_json(body)
    except ValueError:
        return json.loads(body.decode())


async def answer(
    send: Send,
    status: int,
    text: str = "",
    header: tuple[bytes, bytes] | None = None,
    kind: bytes = b"text/plain; charset=utf-8",
) -> None:
    """Answers with `text`, and perhaps one more header."""
    body = text.encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if header is not None:
        headers.append(header)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
