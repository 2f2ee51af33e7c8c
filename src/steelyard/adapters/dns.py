"""The DNS by dnspython: what a host's addresses are, what it is an alias of, who its name servers are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, cast

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.message import ChainingResult, QueryMessage

from steelyard.companion.lookup import DnsError, Names

_PATIENCE: Final = 4.0
"""Seconds in which all is answered, or is not."""
_MOST_LEVELS: Final = 5
"""How far up the name servers of a zone are looked for."""
_NOTHING: Final = 60.0
"""Seconds for which it holds that there is nothing."""
_UNREADABLE = (dns.exception.DNSException, OSError, ValueError)
"""What a broken answer, or no answer at all, raises."""


class _Answer(NamedTuple):
    """What was answered: the records, what the name is an alias of, and for how many seconds that holds."""

    texts: tuple[str, ...]
    aliases: tuple[str, ...]
    ttl: float


_NO_SERVERS: Final = _Answer((), (), _NOTHING)


class Resolver:
    """The DNS by the name servers of this machine. See companion.lookup.Lookup."""

    def __init__(self, servers: Sequence[str] = (), port: int = 53, patience: float = _PATIENCE) -> None:
        """`servers`: addresses of name servers; empty: those that this machine uses. `patience`: seconds for all."""
        self._servers, self._port, self._patience = list(servers), port, patience
        self._made: dns.asyncresolver.Resolver | None = None

    async def names(self, host: str) -> Names:
        """What the DNS says of a host, public or not. Raises DnsError where no server answered in time."""
        name = dns.name.from_text(host)
        asked = (self._ask(name, "A"), self._ask(name, "AAAA"), self._servers_of(name))
        four, six, zone = await asyncio.gather(*asked)
        found = [each for each in (four, six) if each is not None]
        if not found:
            raise DnsError("no name server answered in time")
        aliases = max((each.aliases for each in found), key=len)
        ttl = min((each.ttl for each in found if each.texts), default=_NOTHING)
        # What was answered in part is asked again soon.
        ttl = ttl if len(found) == 2 and zone is not None else 0.0
        return Names(host, _texts(four), _texts(six), aliases, _texts(zone), ttl)

    async def _servers_of(self, name: dns.name.Name) -> _Answer | None:
        """The name servers of the closest zone below the top; an alias has none of its own. None as `_ask`."""
        try:
            async with asyncio.timeout(self._patience):
                return await self._closest(name)
        except TimeoutError:
            return None

    async def _closest(self, name: dns.name.Name) -> _Answer | None:
        for _ in range(_MOST_LEVELS):
            if len(name.labels) < 3:  # one label, and the root's, which is empty
                break
            answer = await self._ask(name, "NS")
            if answer is None or (answer.texts and not answer.aliases):
                return answer
            name = name.parent()
        return _NO_SERVERS

    async def _ask(self, name: dns.name.Name, kind: Literal["A", "AAAA", "NS"]) -> _Answer | None:
        """One question; None where no server answered it in time."""
        try:
            async with asyncio.timeout(self._patience):
                answer = await self._resolver().resolve(name, kind, search=False, raise_on_no_answer=False)
                return _read(answer.chaining_result)
        except dns.resolver.NXDOMAIN as error:
            return _nothing(error, name)
        except (TimeoutError, *_UNREADABLE):
            return None

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Read late: a machine without name servers fails where it asks, not where it starts."""
        if self._made is None:
            made = dns.asyncresolver.Resolver(configure=not self._servers)
            if self._servers:
                made.nameservers, made.port = list(self._servers), self._port
            made.lifetime, made.timeout = self._patience, self._patience / 2
            self._made = made
        return self._made


def _read(result: ChainingResult) -> _Answer:
    aliases = tuple(_text(each[0].target) for each in result.cnames if len(each))  # pyright: ignore
    texts = tuple(sorted(_text(each) for each in cast("Iterable[object]", result.answer or ())))
    return _Answer(texts, aliases, float(result.minimum_ttl))


def _nothing(error: dns.resolver.NXDOMAIN, name: dns.name.Name) -> _Answer:
    """There is no such name; where an alias leads to it, it is told where to."""
    try:
        response = cast("object", error.response(name))  # pyright: ignore[reportUnknownMemberType]
        aliases = _read(response.resolve_chaining()).aliases if isinstance(response, QueryMessage) else ()
    except (KeyError, *_UNREADABLE):
        aliases = ()
    return _Answer((), aliases, _NOTHING)


def _texts(answer: _Answer | None) -> tuple[str, ...]:
    return answer.texts if answer is not None else ()


def _text(value: object) -> str:
    """A name or an address as text."""
    return str(value).rstrip(".").lower()
