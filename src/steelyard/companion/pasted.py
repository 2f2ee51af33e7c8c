"""Headers as people paste them, from a browser's tools or from curl: evidence to try rules on. Pure."""

from __future__ import annotations

import re
from typing import Final

from steelyard.companion.hosts import Evidence

MOST_PAGES: Final = 20
NO_ADDRESS: Final = "https://pasted.invalid/"
"""What stands for the address of a page that was pasted without one."""
_ADDRESS: Final = re.compile(r"(?:(?:GET|HEAD|POST|\*|>) +|\$ curl(?: +[^ ]+)*? +)?(https?://\S+)")
_STATUS: Final = re.compile(r"<? ?HTTP/[0-9.]+ +([0-9]{3})\b.*")
_HEADER: Final = re.compile(r"<? ?([!#$%&'*+.^_`|~0-9A-Za-z-]+) *: *(.*)")
_LOOKED_UP: Final = re.compile(r"(a|aaaa|cname|ns|ip) *= *(.+)", re.I)
"""What the DNS says, written as `cname = shop.example.net`."""


def pages_in(text: str) -> list[Evidence]:
    """The pages in a text, with empty lines between them: an address, a status, headers, `cname = …`; in any order."""
    blocks = (block for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")))
    found = (_page(block) for block in blocks if block.strip())
    return [page for page in found if page is not None][:MOST_PAGES]


def _page(block: str) -> Evidence | None:
    url, status, headers = "", 0, list[tuple[str, str]]()
    looked: dict[str, list[str]] = {}
    for line in (each.strip() for each in block.splitlines()):
        if found := _STATUS.fullmatch(line):
            status = int(found[1])
        elif found := _ADDRESS.fullmatch(line):
            url = found[1]
        elif found := _LOOKED_UP.fullmatch(line):
            looked.setdefault(found[1].lower(), []).extend(re.split(r"[ ,]+", found[2].strip()))
        elif found := _HEADER.fullmatch(line):
            headers.append((found[1], found[2]))
    if not (url or headers or looked):
        return None
    ip = (looked.get("ip") or [""])[0]
    a, aaaa, cname, ns = (tuple(looked.get(name, ())) for name in ("a", "aaaa", "cname", "ns"))
    seen = bool(headers or status or ip)
    return Evidence(url or NO_ADDRESS, seen, "", status or 200, ip, "", tuple(headers), a, aaaa, cname, ns)
