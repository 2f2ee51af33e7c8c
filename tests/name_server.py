"""A real name server on loopback, which answers by UDP and TCP with the records that a test gives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = Mapping[str, Mapping[str, list[str]]]


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """`records`: by name and kind. An alias is followed as far as it is known."""

    records: Records
    ttl: int = 300
    broken: str = ""
    """`silent` answers nothing, `servfail` that it cannot, `rubbish` with what is no message, `cut` by TCP alone."""
    delay: float = 0
    """Seconds before each answer by UDP."""
    asked: list[str] = field(default_factory=list[str])
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.answer(data, udp=True)
        if answer is not None:
            asyncio.get_running_loop().call_later(self.delay, self._send, answer, addr)

    def _send(self, answer: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(answer, addr)  # type: ignore[attr-defined]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = int.from_bytes(await reader.readexactly(2), "big")
        answer = self.answer(await reader.readexactly(size), udp=False)
        if answer is not None:
            writer.write(len(answer).to_bytes(2, "big") + answer)
            await writer.drain()
        writer.close()

    def answer(self, data: bytes, udp: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        self.asked.append(f"{question.name} {dns.rdatatype.to_text(question.rdtype)}")
        if self.broken == "silent":
            return None
        if self.broken == "rubbish":
            return data[:2] + b"\xff" * 20
        response = dns.message.make_response(query, recursion_available=True)
        if self.broken == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif self.broken == "cut" and udp:
            response.flags |= dns.flags.TC
        else:
            self._fill(response, question.name, question.rdtype)
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> None:
        for _ in range(20):
            known = self.records.get(name.to_text(omit_final_dot=True).lower())
            if known is None:
                response.set_rcode(dns.rcode.NXDOMAIN)
                return
            wanted = dns.rdatatype.to_text(kind)
            if wanted in known:
                response.answer.append(dns.rrset.from_text(name, self.ttl, "IN", wanted, *known[wanted]))
            if wanted in known or "CNAME" not in known:
                return
            response.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "CNAME", *known["CNAME"]))
            name = dns.name.from_text(known["CNAME"][0])


@asynccontextmanager
async def name_server(records: Records, broken: str = "", ttl: int = 300) -> AsyncIterator[NameServer]:
    """Serves `records` at 127.0.0.1, at a port of its own."""
    server = NameServer(records, ttl, broken)
    tcp = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    server.port = tcp.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", server.port))
    try:
        yield server
    finally:
        transport.close()
        tcp.close()
        await tcp.wait_closed()
