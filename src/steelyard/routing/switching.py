"""Changes of the switch, as people make them: a team on, back to the shadow, all of them, the pause. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from steelyard.kit.ids import TeamId
from steelyard.routing.model import NO_TEAM, Switch

_ALL, _NONE, _PAUSED = "all", "none", "-paused"
_FROM = "-from-"
_ID = r"[0-9]{1,18}"
_ONE = re.compile(rf"(on|shadow)-(all|{_ID})")
_SWITCH = re.compile(rf"(?:all|none|{_ID}(?:\.{_ID}){{0,499}})(?:-paused)?")


class Verb(StrEnum):
    """What can be done to the switch."""

    ON = "on"
    SHADOW = "shadow"
    PAUSE = "pause"
    RESUME = "resume"
    BACK = "back"


class Change(NamedTuple):
    """One thing that somebody does to the switch."""

    verb: Verb
    team: TeamId | None = None
    """Which one is switched on or back to the shadow, NO_TEAM among them; None: all."""
    was: Switch = Switch()
    """What `back` puts in force again."""
    after: Switch = Switch()
    """What `back` takes back: where something else is in force by then, it changes nothing."""

    @property
    def code(self) -> str:
        """The change as an address and a button carry it: `on-7`, `shadow-all`, `pause`, `back-7.8-from-7-paused`."""
        match self.verb:
            case Verb.PAUSE | Verb.RESUME:
                return self.verb.value
            case Verb.BACK:
                return f"{self.verb}-{code_of(self.was)}{_FROM}{code_of(self.after)}"
            case _:
                return f"{self.verb}-{_ALL if self.team is None else self.team}"


def change_of(code: str) -> Change:
    """The change with this code. Raises ValueError for anything else."""
    if code in (Verb.PAUSE, Verb.RESUME):
        return Change(Verb(code))
    if code.startswith("back-"):
        was, _, after = code.removeprefix("back-").partition(_FROM)
        return Change(Verb.BACK, was=switch_of(was), after=switch_of(after))
    found = _ONE.fullmatch(code)
    if found is None:
        raise ValueError("no change of the switch")
    verb, team = found.groups()
    return Change(Verb(verb), None if team == _ALL else TeamId(int(team)))


def code_of(switch: Switch) -> str:
    """A switch in a word: `all`, `none`, `7.8`, each with `-paused` perhaps."""
    routed = switch.routed
    word = _ALL if routed is None else ".".join(str(each) for each in sorted(set(routed))) or _NONE
    return word + (_PAUSED if switch.paused else "")


def switch_of(code: str) -> Switch:
    """The switch with this code. Raises ValueError for anything else."""
    if _SWITCH.fullmatch(code) is None:
        raise ValueError("no switch")
    word = code.removesuffix(_PAUSED)
    paused = word != code
    if word in (_ALL, _NONE):
        return Switch(None if word == _ALL else (), paused)
    return Switch(_sorted({TeamId(int(each)) for each in word.split(".")}), paused)


def changed(switch: Switch, change: Change, teams: Collection[TeamId]) -> Switch:
    """`switch` after `change`. `teams`: all there are; where all were on and one goes back, the others stay on."""
    match change.verb:
        case Verb.PAUSE | Verb.RESUME:
            return switch._replace(paused=change.verb is Verb.PAUSE)
        case Verb.BACK:
            return change.was if switch == change.after else switch
        case Verb.ON:
            if change.team is None or switch.routed is None:
                return switch._replace(routed=None)
            return switch._replace(routed=_sorted({*switch.routed, change.team}))
        case Verb.SHADOW:
            if change.team is None:
                return switch._replace(routed=())
            routed = switch.routed if switch.routed is not None else (NO_TEAM, *teams)
            return switch._replace(routed=_sorted({*routed} - {change.team}))


def _sorted(teams: Collection[TeamId]) -> tuple[TeamId, ...]:
    return tuple(sorted(teams))
