"""What the tests of the simulated Intercom share: a judged client, a receiver of webhooks, a conversation to use."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import spec

from steelyard.demo.intercom import Config, Simulator, people, running
from steelyard.demo.intercom.model import Conversation
from steelyard.demo.intercom.webhooks import Timing

FAST = Timing(answer=0.3, retry=0.05, throttle=0.05)


class Api:
    """Calls the simulator; every request and every answer is judged by Intercom's own description."""

    def __init__(self, simulator: Simulator, client: httpx.AsyncClient) -> None:
        self.simulator, self.client = simulator, client
        self.tried: set[tuple[str, str]] = set()

    async def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The JSON answer. A request that is meant to be refused need not fit the description, its answer must."""
        if status == 200:
            spec.check_request(method, path, body)
            self.tried.add((method, spec.operation(method, path)[0]))
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        spec.check_response(method, path, answer.status_code, answer.json())
        return answer.json()

    async def control(self, path: str, body: Any = None, *, status: int = 200) -> Any:
        """A call of the control API: POST with a body, else GET."""
        path = f"/_simulator/{path}"
        answer = await (self.client.get(path) if body is None else self.client.post(path, json=body))
        assert answer.status_code == status, answer.text
        return answer.json()


@contextlib.asynccontextmanager
async def simulated(**config: Any) -> AsyncIterator[Api]:
    """Served over a real port, with webhooks."""
    settings = Config(**({"timing": FAST} | config))
    async with running(settings) as simulator, _client(simulator, httpx.AsyncHTTPTransport()) as client:
        yield Api(simulator, client)


@contextlib.asynccontextmanager
async def answering(**config: Any) -> AsyncIterator[Api]:
    """The application alone, called without a port: quick, no webhooks, nobody wakes by themselves."""
    simulator = Simulator(Config(**config))
    async with _client(simulator, httpx.ASGITransport(simulator.app)) as client:
        yield Api(simulator, client)


def _client(simulator: Simulator, transport: httpx.AsyncBaseTransport) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {simulator.config.token}", "Intercom-Version": "2.16"}
    url = simulator.base_url or "http://simulator.test"
    return httpx.AsyncClient(base_url=url, headers=headers, transport=transport)


def written(simulator: Simulator, body: str = "My site shows a <blank> page", **more: Any) -> Conversation:
    """A conversation that a customer has just begun."""
    contact = people.customer(simulator.workspace, "Alba Moreno", "alba@example.test")
    return people.write_in(simulator.workspace, contact, more.pop("subject", ""), body, **more)


async def until(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    """Waits until it has happened; fails when it has not in time."""
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110 - what is waited for lies in the simulator, which has no event for it
            await asyncio.sleep(0.01)


class Receiver:
    """Takes webhooks. Answers `statuses` in turn, then 200; `None` answers nothing at all.

    With `hangs_up` it closes each connection after one answer without having said so, as after an idle time.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int | None] = []
        self.hangs_up = False
        self.url = ""

    @property
    def notifications(self) -> list[dict[str, Any]]:
        return [json.loads(body) for method, _, body in self.requests if method == "POST"]

    @property
    def topics(self) -> list[str]:
        return [each["topic"] for each in self.notifications]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers["content-length"]))
                self.requests.append((first.split()[0], headers, body))
                status = self.statuses.pop(0) if self.statuses and first.startswith("POST") else 200
                if status is not None:
                    writer.write(f"HTTP/1.1 {status} So\r\nContent-Length: 0\r\n\r\n".encode())
                if self.hangs_up:
                    break
        writer.close()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/intercom/eu"
    try:
        yield receiver
    finally:
        server.close()
