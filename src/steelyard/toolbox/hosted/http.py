"""Asks the site what it answers, from its own host."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.here import Here


def get(here: Here, args: dict[str, Any]) -> Any:
    """`http.get`: {url, to?, headers?, contains?, timeout?} -> {status, seconds, has, location, type, body_start}.

    `to`: [address, port] to connect to. `has`: whether the first 2 MB of the body contain the text of `contains`.
    """
    began = time.monotonic()
    to = tuple(args["to"]) if args.get("to") else None
    status, headers, body = here.http(args["url"], to, args.get("headers"), args.get("timeout", 10.0), 2_000_000)
    return {
        "status": status,
        "seconds": round(time.monotonic() - began, 4),
        "has": args.get("contains", "").encode() in body,
        "location": headers.get("location", "")[:2000],
        "type": headers.get("content-type", "")[:200],
        "body_start": body[:2000].decode("utf-8", "replace"),
    }


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {"http.get": get}
