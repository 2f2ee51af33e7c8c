"""The client over real connections: one is kept for many calls, and a broken one is told apart from a closed port."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from client_calls import TOKEN, Clock

from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.errors import Unreachable

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def speaking_to(talk: Talk) -> AsyncIterator[Intercom]:
    """A client of a server on loopback whose connections `talk` serves."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clock = Clock()
    async with Intercom(f"http://127.0.0.1:{port}", TOKEN, clock=clock, sleep=clock.sleep) as intercom:
        yield intercom
    server.close()
    await server.wait_closed()


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + await reader.readexactly(sum(length))


async def test_one_connection_serves_many_calls():
    connections, requests = 0, []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        for _ in range(5):
            requests.append(await _request(reader))
            answer = b'{"type":"tag","id":"86","name":"x"}'
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer))
            await writer.drain()

    async with speaking_to(talk) as intercom:
        for _ in range(5):
            await intercom.untag(17, 1, 86)
    assert connections == 1
    assert len(requests) == 5
    assert all(request.startswith(b"DELETE /conversations/17/tags/86 HTTP/1.1\r\n") for request in requests)
    assert all(request.endswith(b'\r\n\r\n{"admin_id": "1"}') for request in requests)


async def test_a_connection_broken_after_the_request_may_have_happened_and_is_not_repeated():
    requests = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await _request(reader)
        requests += 1

    async with speaking_to(talk) as intercom:
        with pytest.raises(Unreachable) as caught:
            await intercom.assign(17, 1, 7)
        assert caught.value.may_have_happened
        assert requests == 1
        with pytest.raises(Unreachable):
            await intercom.conversation(17)
        assert requests == 4


async def test_a_closed_port_is_never_sent_to():
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nobody connects")

    async with speaking_to(talk) as intercom:
        base = str(intercom._http.base_url)
    clock = Clock()
    async with Intercom(base, TOKEN, clock=clock, sleep=clock.sleep) as intercom:
        with pytest.raises(Unreachable) as caught:
            await intercom.assign(17, 1, 7)
    assert not caught.value.may_have_happened
    assert caught.value.code == "ConnectError"
    assert len(clock.slept) == 2
