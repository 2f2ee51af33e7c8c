"""The inbox app's canvas: a card in a language, as the components that Intercom draws. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from steelyard.routing.alarms import said_in
from steelyard.routing.canvas import Card
from steelyard.routing.conversations import State
from steelyard.routing.desk import Wait
from steelyard.routing.entries import Entry
from steelyard.routing.labels import Person

REFRESH = "refresh"
"""The button that asks for the canvas again."""

_LONGEST = 80
"""Characters of a name."""

_NO_LINKS = str.maketrans({"[": "(", "]": ")", "\n": " ", "\r": " "})
"""Texts of a canvas may hold links; names of people and topics may not make one."""

Component = dict[str, Any]
Say = Callable[[str], str]


def canvas_of(card: Card | None, language: str, link: str) -> dict[str, Any]:
    """The answer to Intercom. `card` None: the conversation is not known. `link` is empty where there is no console
    that people open by an address."""
    _ = said_in(language).gettext
    parts = _unknown(_) if card is None else _known(card, language, _)
    parts.append({"type": "spacer", "size": "s"})
    if link and card is not None:
        action = {"type": "url", "url": link}
        parts.append(_button("open", _("Open it in Steelyard"), "primary", action))
    parts.append(_button(REFRESH, _("Refresh"), "secondary", {"type": "submit"}))
    return {"canvas": {"content": {"components": parts}, "stored_data": {}}}


def _known(card: Card, language: str, _: Say) -> list[Component]:
    topic = _named(card.label.name(language))
    weight = _("Weight %(weight)s, set by hand") if card.by_hand else _("Weight %(weight)s")
    rows = [(_("Topic"), topic), (_("With"), _person(card.has_it, _) if card.has_it is not None else _("nobody yet"))]
    if card.team:
        rows.append((_("Team"), _named(card.team)))
    if card.entry is not None:
        rows.append((_("Next best"), _next_best(card.entry, _)))
    return [
        _component(weight % {"weight": card.weight}, "header"),
        _component(why(card, language), "paragraph"),
        {"type": "data-table", "items": [{"type": "field-value", "field": a, "value": b} for a, b in rows]},
    ]


def _unknown(_: Say) -> list[Component]:
    return [
        _component(_("Steelyard does not know this conversation yet"), "header"),
        _component(
            _(
                "It has not been told of it: its webhook is still on its way, or the conversation was closed before"
                " this workspace was connected. What is open is read from Intercom every few minutes."
            ),
            "paragraph",
        ),
    ]


def why(card: Card, language: str) -> str:
    """Who has it and why, in one or two sentences."""
    _ = said_in(language).gettext
    match card.state:
        case State.DELETED:
            return _("It was deleted in Intercom.")
        case State.CLOSED:
            return _("It is closed, so it weighs on nobody.")
        case State.SNOOZED:
            return _("It is snoozed, so it weighs on nobody until it is opened again.")
        case State.WAITING:
            return _waits(card, _)
        case State.SHADOW:
            chosen = _("Nobody has it yet. In the shadow, Steelyard would give it to %(name)s.")
            return _because(card, chosen, _)
        case State.ON_ITS_WAY:
            return _because(card, _("It is on its way to %(name)s."), _)
        case State.WITH:
            return _has_it(card, _)


def _has_it(card: Card, _: Say) -> str:
    entry, name = card.entry, _person(card.has_it, _)
    if card.ticket:
        return _("It is a ticket, which people assign. It weighs on %(name)s.") % {"name": name}
    if entry is None:
        return _("%(name)s has it. Steelyard decided nothing here: it was assigned by a person or before.") % {
            "name": name
        }
    if card.has_it is not None and entry.winner.id == card.has_it.id:
        return _because(card, _("%(name)s has it."), _)
    chosen = {"name": name, "other": _person(entry.winner, _)}
    if entry.outcome == "compared":
        return _("%(name)s got it in Intercom. In the shadow, Steelyard would have chosen %(other)s.") % chosen
    if entry.outcome == "overtaken":
        return _("%(name)s has it: a person was faster than Steelyard’s choice, %(other)s.") % chosen
    return _("%(name)s has it. Steelyard had given it to %(other)s, and a person moved it.") % chosen


def _because(card: Card, first: str, _: Say) -> str:
    """The first sentence about whom it is with, and a second one why they were chosen."""
    name = _person(card.has_it, _)
    entry = card.entry
    if entry is None:
        return first % {"name": name}
    values = {"name": name, "load": entry.winner_load, "other": _person(entry.runner_up, _)}
    if entry.runner_up is None:
        reason = _("They carried %(load)s, and nobody else could take it.")
    elif entry.runner_up_load == entry.winner_load:
        reason = _("They carried %(load)s like %(other)s, but were free for longer.")
    else:
        reason = _("They carried %(load)s, and %(other)s, the next best, %(more)s.")
        values["more"] = entry.runner_up_load or 0
    return f"{first % values} {reason % values}"


def _waits(card: Card, _: Say) -> str:
    team = {"team": _named(card.team)}
    match card.why:
        case Wait.TEAM_AWAY:
            return _("Nobody has it yet: nobody of %(team)s is available.") % team
        case Wait.TEAM_EMPTY:
            return _("Nobody has it yet: nobody is in %(team)s. Add someone in Intercom.") % team
        case Wait.TEAM_UNKNOWN:
            return _("Nobody has it yet: its team is not known here, and is read again every few minutes.")
        case Wait.ALL_AWAY:
            return _("Nobody has it yet: nobody is available. It goes out the moment somebody is.")
        case Wait.REFUSED:
            return _("Nobody has it yet: Intercom refused the assignment. It is decided again after its next change.")
        case Wait.TICKET:
            return _("Nobody has it yet: it is a ticket, which people assign.")
        case _other:
            return _("Nobody has it yet. It is decided in a moment.")


def _next_best(entry: Entry, _: Say) -> str:
    if entry.runner_up is None:
        return _("nobody else could")
    return _("%(name)s, who carried %(load)s") % {
        "name": _person(entry.runner_up, _),
        "load": entry.runner_up_load or 0,
    }


def _person(who: Person | None, _: Say) -> str:
    if who is None:
        return _("nobody")
    return _named(who.name) if who.name else _("Engineer %(id)s") % {"id": who.id}


def _named(text: str) -> str:
    return text.translate(_NO_LINKS)[:_LONGEST]


def _component(text: str, style: str) -> Component:
    return {"type": "text", "text": text, "style": style}


def _button(id: str, label: str, style: str, action: dict[str, str]) -> Component:
    return {"type": "button", "id": id, "label": label, "style": style, "action": action}
