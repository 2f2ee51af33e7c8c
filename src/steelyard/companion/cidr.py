"""Addresses and networks, IPv4 and IPv6, as they stand in rules and come from outside.

Pure; the same as extension/lib/cidr.js.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LONGEST = 64
_WRITTEN = re.compile(r"[0-9a-fA-F:.]+")
_BITS = re.compile(r"0|[1-9][0-9]{0,2}")


def address(text: str) -> Address | None:
    """The address as it is written in decimal or hexadecimal; one mapped from IPv4 is IPv4.

    None for anything else: names of zones, brackets, ports, leading zeros, shortened IPv4.
    """
    if len(text) > _LONGEST or not _WRITTEN.fullmatch(text):
        return None
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def network(text: str) -> Network | Literal["address", "beyond"]:
    """The network that a text names, such as `192.0.2.0/24` or `2001:db8::/32`; an address alone is a network of one.

    Else in a word why not: `address`, or `beyond` for an address with bits beyond the network's.
    """
    before, *after = text[: _LONGEST + 1].split("/")
    found = address(before)
    if found is None or len(after) > 1 or (after and not _BITS.fullmatch(after[0])):
        return "address"
    full = 128 if ":" in before else 32
    written = int(after[0]) if after else full
    bits = written - (full - found.max_prefixlen)
    if written > full or bits < 0:
        return "address"
    whole = ipaddress.ip_network((found, bits), strict=False)
    return whole if whole.network_address == found else "beyond"
