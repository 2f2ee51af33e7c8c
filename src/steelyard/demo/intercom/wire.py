"""One keep-alive HTTP/1.1 connection to a loopback address, as lean as a webhook needs."""

import asyncio
from typing import NamedTuple
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST = 64 * 1024


class Address(NamedTuple):
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Address":
        """Raises ValueError unless `url` is plain HTTP on this machine: the simulator talks to nobody else."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in _LOOPBACK:
            raise ValueError(f"the simulated Intercom sends to http://127.0.0.1 only, not to {url}")
        return cls(parts.hostname, parts.port or 80, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


class Connection:
    """Sends one request at a time. Opens itself when needed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, headers: dict[str, str], body: bytes = b"") -> int:
        """The answer's status. Raises OSError or EOFError where there is none; the connection is closed then.

        A server may close an idle connection just when it is used again: that one case is repeated at once.
        """
        request = self._whole(method, headers, body)
        reused = self._streams is not None
        try:
            return await self._exchange(method, request)
        except (OSError, EOFError):
            self.close()
            if not reused:
                raise
        except BaseException:
            self.close()
            raise
        try:
            return await self._exchange(method, request)
        except BaseException:
            self.close()
            raise

    async def cut(self, method: str, headers: dict[str, str], body: bytes, *, after: bool) -> None:
        """Sends a request and closes before there can be an answer: `after` all of it was sent, else half-way.

        Raises OSError where it cannot be sent.
        """
        self.close()  # an idle connection may be closed already, and nobody would notice
        request = self._whole(method, headers, body)
        _, writer = await asyncio.open_connection(self._address.host, self._address.port)
        try:
            writer.write(request if after else request[: len(request) - len(body) // 2])
            await writer.drain()
        finally:
            writer.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    def _whole(self, method: str, headers: dict[str, str], body: bytes) -> bytes:
        lines = [f"{method} {self._address.path} HTTP/1.1", f"Host: {self._address.host}:{self._address.port}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body

    async def _exchange(self, method: str, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._address.host, self._address.port, limit=_MOST)
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        status = int(first.split(" ", 2)[1])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length")
        if method != "HEAD" and status != 204 and length is not None:
            await reader.readexactly(min(int(length), _MOST))
        unread = method != "HEAD" and status != 204 and (length is None or int(length) > _MOST)
        if unread or headers.get("connection", "").lower() == "close":
            self.close()
        return status
