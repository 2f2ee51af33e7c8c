"""What the DNS says of a host, asked by the server: kept for as long as the answer holds, and one question at a time.

Only public names are asked for, and nothing that is in a network of somebody's own is told.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, Protocol

import ada_url

from steelyard.companion.names import TLDS
from steelyard.kit.errors import RemoteError

SHORTEST, LONGEST, FAILED = 30.0, 3600.0, 15.0
"""Seconds for which an answer is kept, whatever it says of itself; and for which a failure is."""
_MOST_KEPT: Final = 5000
_MOST_NAMES: Final = 32
_LONGEST_NAME: Final = 253
_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{2,63}")
_NEVER: Final = frozenset("/\\?#@:[]%")
_OWN: Final = frozenset({"arpa", "alt", "example", "internal", "invalid", "local", "localhost", "onion", "test"})
"""Last labels of names that are nobody's in public."""
_NAT64: Final = ip_network("64:ff9b::/96")
_GIVEN_OUT: Final = ip_network("2000::/3")
"""What of the sixth version is given out to networks of the internet, but for `_NOBODYS`."""
_NOBODYS: Final = ip_network("3fff::/20")
_HOLDS_LAST: Final = frozenset({0x00005EFE, 0x02005EFE})
"""What stands before an address of the fourth version in one of the sixth that holds it (ISATAP)."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the DNS says of a host. `ttl`: for how many seconds."""

    host: str
    a: tuple[str, ...] = ()
    aaaa: tuple[str, ...] = ()
    cname: tuple[str, ...] = ()
    """What it is an alias of, and what that is one of, in this order."""
    ns: tuple[str, ...] = ()
    """The name servers of the closest zone."""
    ttl: float = SHORTEST


class DnsError(RemoteError):
    """No name server answered in time."""

    permanent = False


class Lookup(Protocol):
    """The DNS, as this server reaches it."""

    async def names(self, host: str) -> Names:
        """What it says of a host: everything, as it came. Raises DnsError."""
        ...


class Known:
    """What is asked of the DNS: each host once in the time that its answer holds, however many ask."""

    def __init__(self, lookup: Lookup, clock: Callable[[], float], most: int = _MOST_KEPT) -> None:
        """`clock`: seconds that only go forward. `most`: answers that are kept."""
        self._lookup, self._clock, self._most = lookup, clock, most
        self._kept: OrderedDict[str, tuple[float, Names | DnsError]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Names | DnsError]] = {}

    async def names(self, host: str) -> Names:
        """What may be told of a host, as `public_host` writes it. Raises DnsError."""
        kept = self._kept.get(host)
        if kept is not None and kept[0] > self._clock():
            self._kept.move_to_end(host)
            answer = kept[1]
        else:
            answer = await asyncio.shield(self._asked(host))  # who stops waiting stops nobody else
        if isinstance(answer, DnsError):
            raise DnsError(str(answer))
        return answer

    def holds(self, host: str) -> bool:
        """Whether it is known, so that nobody need be asked."""
        kept = self._kept.get(host)
        return kept is not None and kept[0] > self._clock()

    def _asked(self, host: str) -> asyncio.Task[Names | DnsError]:
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = asyncio.create_task(self._ask(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        return task

    async def _ask(self, host: str) -> Names | DnsError:
        try:
            answer = told(await self._lookup.names(host))
        except DnsError as error:
            answer = error
        ttl = FAILED if isinstance(answer, DnsError) else min(LONGEST, max(SHORTEST, answer.ttl))
        self._kept[host] = (self._clock() + ttl, answer)
        self._kept.move_to_end(host)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return answer


def public_host(text: str) -> str | None:
    """The host that a text names, as a browser would ask for it; None for what is no name in the public DNS."""
    if not text or len(text) > _LONGEST_NAME or any(each in _NEVER or each.isspace() for each in text):
        return None
    try:
        host = ada_url.URL(f"http://{text}/").hostname.removesuffix(".")
    except ValueError:
        return None
    return host if len(host) <= _LONGEST_NAME and _NAME.fullmatch(host) and _is_public_name(host) else None


def told(names: Names) -> Names:
    """Without what is in a network of somebody's own. Where nothing public is left of an alias, it is left out too."""
    a, aaaa = _public(names.a), _public(names.aaaa)
    hidden = (names.a or names.aaaa) and not (a or aaaa)
    cname = () if hidden else _named(names.cname)
    return Names(names.host, a, aaaa, cname, _named(names.ns), names.ttl)


def is_public(address: str) -> bool:
    """Whether an address is one of the whole internet, also where it holds another one."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return _is_given_out(found) and all(each.is_global and not each.is_multicast for each in (found, *_within(found)))


def data(names: Names) -> dict[str, Any]:
    """As it is answered."""
    lists = {"a": names.a, "aaaa": names.aaaa, "cname": names.cname, "ns": names.ns}
    return {"host": names.host} | {name: list(each) for name, each in lists.items()}


def _is_given_out(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address) or address in _NAT64 or address.ipv4_mapped:
        return True
    return address in _GIVEN_OUT and address not in _NOBODYS


def _within(address: IPv4Address | IPv6Address) -> Sequence[IPv4Address]:
    """The addresses that an address of the sixth version holds."""
    if isinstance(address, IPv4Address):
        return ()
    teredo = address.teredo or ()
    holds = address in _NAT64 or int(address) >> 32 & 0xFFFFFFFF in _HOLDS_LAST
    last = (IPv4Address(int(address) & 0xFFFFFFFF),) if holds else ()
    return [each for each in (address.ipv4_mapped, address.sixtofour, *teredo, *last) if each is not None]


def _public(addresses: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({each for each in addresses if is_public(each)})[:_MOST_NAMES])


def _named(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in names if _is_public_name(each))[:_MOST_NAMES]


def _is_public_name(host: str) -> bool:
    last = host.rpartition(".")[2]
    return last in TLDS and last not in _OWN
