"""Which host names are a site's, in the form in which all of them are compared. Pure.

Only what people entered counts: what a site's own WordPress calls itself is what somebody there wants to be believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import ada_url

_LONGEST: Final = 1000
_PLAIN: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z][a-z0-9]*")
"""Names that stand as they are compared already."""
_NEVER: Final = re.compile(r"[\u0000-\u0020\u007f/\\?#@]")
"""What ends a host's name, stands before it, or is left out by the parser of addresses."""
_WWW: Final = "www."


def canonical(text: str) -> str:
    """The host of `name`, `name:port` or `[address]:port` as a browser compares it; empty for what names none."""
    if not text or len(text) > _LONGEST or _NEVER.search(text):
        return ""
    if _PLAIN.fullmatch(text) and "xn--" not in text:
        return text
    try:
        return ada_url.URL(f"http://{text}/").hostname.removesuffix(".")
    except ValueError:
        return ""


def twin(name: str) -> str:
    """The same name with `www.` before it, or without; empty where it has none: an address, a single word."""
    bare = name.removeprefix(_WWW)
    if "." not in bare or bare.startswith(_WWW) or bare.rpartition(".")[2].isdigit():
        return ""
    return bare if bare != name else _WWW + name


def names_of(name: str, url: str) -> Iterator[str]:
    """The host names of a site with this main domain, which is opened at `url`."""
    own = [name] if url == f"https://{name}" else [name, urlsplit(url).hostname or ""]
    for host in filter(None, map(canonical, own)):
        yield host
        if other := twin(host):
            yield other
