"""What was just done, told on the page that follows: in its address, so that reloading loses neither it nor its undo.

The address names only what kind of thing was done, and to which ids. The page looks whether that still holds, says it
in its own words, and offers the way back; nothing that stands in an address is ever shown as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from starlette.responses import RedirectResponse

from steelyard.web.place import Place

_CODE = re.compile(r"([a-z][a-z_-]{0,40})((?:\.[0-9]{1,19}){0,4})", re.ASCII)


class Done(NamedTuple):
    """What was done: a word that the page knows, and the ids it was done to."""

    what: str
    ids: tuple[int, ...] = ()

    @property
    def code(self) -> str:
        """As it stands in an address: `rotation-off.103`."""
        return ".".join((self.what, *map(str, self.ids)))


class Undo(NamedTuple):
    """The way back: a form of one button."""

    action: str
    """Where it is sent."""
    fields: tuple[tuple[str, str], ...] = ()


def done_of(query: Mapping[str, str], known: Collection[str]) -> Done | None:
    """What an address says was done, where the page knows the word for it."""
    found = _CODE.fullmatch(query.get("done", ""))
    if found is None or found[1] not in known:
        return None
    return Done(found[1], tuple(int(each) for each in found[2].split(".")[1:]))


def told(place: Place, path: str, done: Done, **query: str) -> RedirectResponse:
    """The answer to what was sent: the page that says so."""
    return RedirectResponse(place.link(path, **query, done=done.code), 303)
