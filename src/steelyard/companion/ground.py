"""What the pages and the API of the companion stand on, and why something cannot be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from steelyard.companion.lookup import Known
from steelyard.companion.pace import Pace
from steelyard.kit.errors import ActError
from steelyard.kit.ids import CellId
from steelyard.store.database import Database
from steelyard.store.ledger import Ledger
from steelyard.web.console import Clock
from steelyard.web.pages import Pages
from steelyard.web.said import N_, Said

STATUSES: Final[Mapping[str, int]] = {
    "body": 400,
    "code": 410,
    "decided": 409,
    "elsewhere": 421,
    "full": 409,
    "held": 429,
    "no_domain": 404,
    "no_version": 404,
    "not_there": 503,
    "too_fast": 429,
    "tokens": 409,
}
"""The status of each refusal; of the others, 422."""

WORDS: Final[Mapping[str, str]] = {
    "body": N_("This is not what is asked for here: send an object in JSON, with “%(what)s”."),
    "code": N_("This link was used already, or is older than ten minutes. Make another one on the page Companion."),
    "decided": N_("Somebody decided on “%(what)s” meanwhile. Here is how it stands now."),
    "domain": N_("“%(what)s” is no domain: write it as example.com, or =example.com for that host alone."),
    "elsewhere": N_("This link is of another Steelyard: open the address that it begins with."),
    "evidence": N_("“%(what)s” of the evidence cannot be read."),
    "full": N_("So many domains wait for a decision already. A lead decides on them on the page Companion."),
    "held": N_("So many links were tried that the next one has to wait. Try again in some minutes."),
    "host": N_("“%(what)s” is no name in the public DNS."),
    "many": N_("So many domains are trusted already. Remove some that nobody needs any more."),
    "no_domain": N_("There is no such domain any more."),
    "no_version": N_("There is no such version of the rules."),
    "not_there": N_("No name server answered in time. Try again in a moment."),
    "shared": N_(
        "Under “%(what)s” anybody can have a site. Trust a domain below it, or that host alone as “=%(what)s”."
    ),
    "tokens": N_("You have so many open API tokens that there is no room for one more. Revoke some that nothing uses."),
    "too_fast": N_("These were many questions at once. The next one is answered in some seconds."),
}
"""What each refusal says."""


class CompanionRefused(ActError):
    """What the companion, or somebody on its pages, asked for cannot be done. `code` is one of WORDS."""

    def __init__(self, code: str, what: str = "", wait: float = 0) -> None:
        """`what`: the piece that it is about. `wait`: seconds after which it may be asked again."""
        self.says = Said(WORDS[code], {"what": shortened(what)})
        self.wait = wait
        super().__init__(code, WORDS[code] % self.says.values)

    @property
    def status(self) -> int:
        """That of the answer."""
        return STATUSES.get(self.code, 422)


@dataclass(frozen=True, slots=True)
class CompanionGround:
    """What these pages are given."""

    database: Database
    ledger: Ledger
    pages: Pages
    clock: Clock
    cell: CellId
    names: Known
    """The DNS."""
    pace: Pace
    """How fast somebody may ask it."""
    url: str | None = None
    """The https address under which people open the console; None where only this machine does."""


def shortened(text: str) -> str:
    """A piece of what was sent, as it is told again: on one line, and not for ever."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text[:80])
