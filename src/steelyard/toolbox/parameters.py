"""What was chosen for a runbook's parameters, as texts of a form, into values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from steelyard.toolbox.runbook import Parameter, Runbook, Value
from steelyard.web.said import N_, Message, Said

GIVEN: Final = "given"
"""What stands in the values for a secret that was given."""

_LONGEST: Final = 4000
_YES: Final = frozenset({"on", "1", "true", "yes"})
_NO: Final = frozenset({"", "off", "0", "false", "no"})


class Chosen(NamedTuple):
    """What was chosen. `wrong` says what is wrong with which parameter; then `values` are not to be used."""

    values: Mapping[str, Value]
    secrets: Mapping[str, str]
    wrong: Mapping[str, Said]


class _Wrong(Exception):
    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.says = Said(message, values)


def read_values(runbook: Runbook, given: Mapping[str, str]) -> Chosen:
    """The value of every parameter of `runbook`: what was given by its name, else its default."""
    values: dict[str, Value] = {}
    secrets: dict[str, str] = {}
    wrong: dict[str, Said] = {}
    for unknown in given.keys() - {each.name for each in runbook.parameters}:
        wrong[unknown] = Said(N_("“%(name)s” is no parameter of this runbook."), {"name": unknown[:60]})
    for each in runbook.parameters:
        try:
            value = _read(each, given.get(each.name))
        except _Wrong as error:
            wrong[each.name] = error.says
            continue
        if each.secret and value:
            secrets[each.name], value = str(value), GIVEN
        values[each.name] = value
    return Chosen(values, secrets, wrong)


def default_of(each: Parameter) -> Value:
    """What a parameter is where nothing is chosen."""
    if each.kind == "choice" and not each.default and each.choices:
        return each.choices[0].value
    if each.kind == "switch":
        return bool(each.default)
    if each.kind == "number":
        return each.default if isinstance(each.default, int) else int(each.default or each.least)
    return each.default


def _read(each: Parameter, text: str | None) -> Value:
    if text is None:
        if each.required and not default_of(each):
            raise _Wrong(N_("This is needed."))
        return default_of(each)
    match each.kind:
        case "switch":
            return _switch(text)
        case "number":
            return _number(each, text)
        case "choice":
            if text not in {choice.value for choice in each.choices}:
                raise _Wrong(N_("“%(text)s” is none of the choices."), text=text[:60])
            return text
        case "text":
            return _text(each, text)


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise _Wrong(N_("“%(text)s” is neither yes nor no."), text=text[:60])
    return word in _YES


def _number(each: Parameter, text: str) -> int:
    word = text.strip()
    if not re.fullmatch(r"-?[0-9]{1,18}", word) or not each.least <= int(word) <= each.most:
        raise _Wrong(N_("Enter a whole number from %(least)s to %(most)s."), least=each.least, most=each.most)
    return int(word)


def _text(each: Parameter, text: str) -> str:
    value = text if each.secret else text.strip()
    if not value:
        if each.required:
            raise _Wrong(N_("This is needed."))
        return ""
    if len(value) > _LONGEST or not all(mark.isprintable() or mark == "\n" for mark in value):
        raise _Wrong(N_("Enter at most %(most)s characters, all of them printable."), most=_LONGEST)
    if each.pattern and not re.fullmatch(each.pattern, value):
        raise _Wrong(Message(each.refusal) if each.refusal else N_("This is not of the expected form."))
    return value
