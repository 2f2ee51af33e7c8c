"""Asks a site for a page, from its host. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from steelyard.toolbox.model import Action, By, Check, Json, Site, one_of
from steelyard.web.said import N_, Said

LETS_IN: Final = one_of(200, 301, 302, 303, 307, 308, 401, 403)
"""How a site answers that works, also one that is behind a password."""


def get(
    url: str,
    *,
    to: Sequence[str | int] | None = None,
    headers: Mapping[str, str] | None = None,
    contains: str = "",
    timeout: float = 10.0,
    by: By = By.SITE,
) -> Action:
    """`http.get`: `to` is the address and port to connect to instead of the name's own, as of the hint `http_to`."""
    args: dict[str, Json] = {"url": url, "contains": contains, "timeout": timeout}
    if to:
        args["to"] = list(to)
    return Action("http.get", args | ({"headers": dict(headers)} if headers else {}), by, timeout + 5.0)


def answers(site: Site, *, tries: int = 10) -> Check:
    """The check that a site lets in who asks its host for the first page."""
    first = get(f"{site.url}/", to=site.hints.get("http_to"))
    return Check(Said(N_("The site answers")), first, {"status": LETS_IN}, tries=tries)
