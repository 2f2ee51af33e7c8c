"""The form of an address that is told of alarms: its fields, and what is in it."""

from __future__ import annotations

from datetime import time
from typing import Final

from steelyard.routing import alarms
from steelyard.routing.health import Kind
from steelyard.routing.notifications import Choice, Notification
from steelyard.routing.settings import zones
from steelyard.web import tables
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.language import LANGUAGES, N_

ALL: Final = tuple(each.value for each in Kind)
"""Every kind of alarm that this release knows."""

UNUSABLE: Final = N_(
    "No message can be sent to this address. Write it as Apprise does, such as %(example)s. What acts on the worker’s"
    " own machine, or names a file of it, is not taken."
)
EXAMPLE: Final = "slack://token-a/token-b/token-c/#channel"
"""An address as Apprise writes it."""

NO_KEYS: Final = N_(
    "The address cannot be sealed, because this machine has no web.keys that fits. steelyard doctor says more."
)


def form_in(language: str, *, fresh: bool) -> Form:
    """The form, its alarms named in `language`. Only a fresh one needs an address: empty keeps what is stored."""
    return Form(
        (
            Field("name", N_("Name"), most=60, help=N_("Such as “On call” or “#support-ops”.")),
            Field(
                "secret_address",
                N_("Address"),
                "password",
                required=fresh,
                most=2_000,
                autocomplete="new-password",
                help=_FRESH if fresh else _KEPT,
            ),
            Field(
                "kinds",
                N_("Alarms"),
                "choices",
                choices=tuple(tables.Choice(each, alarms.name_of(each, language)) for each in ALL),
                help=N_("With all of them chosen, those of later releases are told too."),
            ),
            Field(
                "language",
                N_("Language"),
                "choice",
                choices=tuple(tables.Choice(code, name) for code, name in LANGUAGES.items()),
            ),
            Field("quiet_from", N_("Quiet from"), "time", required=False, read=time.fromisoformat),
            Field("quiet_to", N_("Quiet until"), "time", required=False, read=time.fromisoformat, help=_QUIET),
            Field(
                "zone",
                N_("Zone of the quiet hours"),
                "choice",
                choices=tuple(tables.Choice(each, each.replace("_", " ")) for each in zones()),
            ),
        )
    )


def to_begin_with(zone: str, language: str) -> dict[str, object]:
    """What is in a fresh form."""
    return {"kinds": ALL, "language": language, "zone": zone}


def values_of(known: Notification) -> dict[str, object]:
    """What is stored, as the form holds it."""
    return {**known.choice._asdict(), "kinds": known.kinds if known.kinds is not None else ALL}


def choice_in(filled: Filled) -> Choice:
    """What was chosen in a form without errors."""
    found = filled.values
    kinds = tuple(each for each in ALL if each in filled.input("kinds").texts)
    begins, ends = found["quiet_from"], found["quiet_to"]
    return Choice(
        name=str(found["name"]),
        kinds=None if kinds == ALL else kinds,
        language=str(found["language"]),
        quiet_from=begins if isinstance(begins, time) else None,
        quiet_to=ends if isinstance(ends, time) else None,
        zone=str(found["zone"]),
    )


def judged(filled: Filled) -> Filled:
    """The same, judged by what no field can judge alone."""
    if not filled.ok:
        return filled
    begins, ends = filled.values["quiet_from"], filled.values["quiet_to"]
    if (begins is None) != (ends is None):
        missing = "quiet_to" if ends is None else "quiet_from"
        return filled.wrong(missing, N_("Quiet hours need both times: from when, and until when."))
    if begins is not None and begins == ends:
        return filled.wrong("quiet_to", N_("Quiet hours of no length: leave both empty for none."))
    return filled


_FRESH: Final = N_(
    "As Apprise writes it: the service, then its tokens. It holds secrets, so it is sealed, and never shown again."
)
_KEPT: Final = N_("Leave it empty to keep the one that is stored. It is sealed, and never shown.")
_QUIET: Final = N_(
    "An alarm that begins in quiet hours is told when they are over, if it still holds. Leave both empty for none."
)
