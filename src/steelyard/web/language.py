"""Languages: which one a reader gets, its messages, and how it writes numbers and times."""

import io
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from gettext import NullTranslations
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from steelyard.web.said import N_ as N_
from steelyard.web.said import Message as Message
from steelyard.web.said import Millis, Size
from steelyard.web.said import Said as Said
from steelyard.web.said import term as term

LOCALES = Path(__file__).parents[1] / "locale"
LANGUAGES = {"en": "English", "fr": "Français"}
"""The first is the source of all messages and the last resort."""

DOMAIN = "steelyard"


UNITS = {"en": ("B", "kB", "MB", "GB", "TB"), "fr": ("o", "ko", "Mo", "Go", "To")}
"""How languages call bytes by the thousand."""

ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)
"""The zone that times are written in, for as long as a page is drawn."""


def catalog_path(language: str) -> Path:
    """Where the messages of `language` lie."""
    return LOCALES / language / "LC_MESSAGES" / f"{DOMAIN}.po"


@cache
def messages(language: str) -> NullTranslations:
    """The messages of `language`, read once, from their .po: compiled files would be a second truth."""
    compiled = io.BytesIO()
    with catalog_path(language).open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled, DOMAIN)


def negotiate(asked: str | None, remembered: str | None, accepted: str) -> str:
    """The language of a page: the one asked for, else the remembered one, else the best of Accept-Language."""
    for wish in (asked, remembered, *_by_preference(accepted)):
        if wish and wish.lower() in LANGUAGES:
            return wish.lower()
    return next(iter(LANGUAGES))


def _by_preference(accepted: str) -> list[str]:
    """Two-letter codes of an Accept-Language header, the dearest first; what cannot be read is left out."""
    wishes: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted[:500].split(",")):
        code, _, quality = part.partition(";")
        try:
            dear = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if dear > 0:
            wishes.append((-dear, place, code.strip().partition("-")[0]))
    return [code for _, _, code in sorted(wishes)]


@dataclass(frozen=True, slots=True)
class Writer:
    """How one language writes numbers and times. Templates get its methods as `number(...)`, `clock(...)` and so on."""

    locale: Locale

    def number(self, value: float) -> str:
        """At most two digits after the point: `1,284.5`, `1 284,5`."""
        return format_decimal(value, format="#,##0.##", locale=self.locale)

    def size(self, count: int) -> str:
        """Bytes in the largest unit that leaves a number of at least 1: `110 MB`, `1,5 Mo`. Of 1000, as disks are."""
        names = UNITS.get(self.locale.language, UNITS["en"])
        power = max((p for p in range(len(names)) if abs(count) >= 1000**p), default=0)
        value = count / 1000**power
        pattern = "#,##0.#" if value < 10 else "#,##0"
        return f"{format_decimal(value, format=pattern, locale=self.locale)}\xa0{names[power]}"

    def took(self, ms: float) -> str:
        """A length of time to the hundredth of a second, to the second from a minute on: `0.35 s`, `2 min 05 s`."""
        if ms < 59_995:
            return f"{format_decimal(ms / 1000, format='#,##0.00', locale=self.locale)}\xa0s"
        minutes, seconds = divmod(round(ms / 1000), 60)
        return f"{self.number(minutes)}\xa0min {seconds:02}\xa0s"

    def write(self, value: object) -> str:
        """A value as it stands in a sentence: numbers, sizes, times taken and moments in the reader's way."""
        match value:
            case Size():
                return self.size(value.bytes)
            case Millis():
                return self.took(value.ms)
            case bool():
                return str(value)
            case int() | float():
                return self.number(value)
            case datetime():
                return f"{self._write(value, 'd MMMM y, HH:mm')} {zone_name(value)}"
            case _:
                return str(value)

    def clock(self, at: datetime) -> str:
        """`15:42` in the page's zone."""
        return self._write(at, "HH:mm")

    def second(self, at: datetime) -> str:
        """`15:42:08` in the page's zone."""
        return self._write(at, "HH:mm:ss")

    def day(self, at: datetime) -> str:
        """`Sunday 22 November`."""
        written = self._write(at, "EEEE d MMMM")
        return written[:1].upper() + written[1:]

    def date(self, at: datetime) -> str:
        """`22 Nov 2026`."""
        return self._write(at, "d MMM y")

    def whole(self, at: datetime) -> str:
        """`22 November 2026, 15:42:08 UTC`: everything, for the one who points at a time."""
        return f"{self._write(at, 'd MMMM y, HH:mm:ss')} {zone_name(at)}"

    def _write(self, at: datetime, pattern: str) -> str:
        return format_datetime(at, pattern, tzinfo=ZONE.get(), locale=self.locale)


def zone_name(at: datetime) -> str:
    """The short name of the page's zone at a moment: `UTC`, `CET`, or `UTC-03` where it has no name."""
    name = at.astimezone(ZONE.get()).tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def age(seconds: float) -> str:
    """A length of time as a clock: `0:06`, `8:40`, `1:02:10`. The same in every language."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
