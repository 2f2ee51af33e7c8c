"""Host rules as a lead writes them: JSON, read refused by rule and field, compared with others. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple, cast

from steelyard.companion.ruleset import WORDS, Rule, ruleset
from steelyard.web.said import N_, Said

MOST_CHARACTERS: Final = 200_000


class Problem(NamedTuple):
    """What is wrong, at which rule and field; both empty where it is about the whole text."""

    rule: str
    field: str
    says: Said


class RulesRead(NamedTuple):
    """A text as it was read. `rules` are those that can be used, `written` are all, as JSON has them."""

    rules: list[Rule]
    written: list[Any]
    problems: tuple[Problem, ...]


class Changes(NamedTuple):
    """By which hosts and CDNs two sets of rules differ."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def read_rules(text: str) -> RulesRead:
    """The rules in a text: a list of them, or `{"version": 1, "rules": [...]}` as the built-in ones are written."""
    try:
        parsed: Any = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        json.dumps(parsed, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        says = Said(_NO_JSON, {"line": error.lineno, "column": error.colno, "why": _why(error)})
        return RulesRead([], [], (Problem("", "", says),))
    except _TwiceError as error:
        return RulesRead([], [], (Problem("", str(error), Said(_TWICE)),))
    except UnicodeEncodeError:  # half of a sign, which can be written in JSON, and no page can hold
        return RulesRead([], [], (Problem("", "", Said(WORDS["unseen"])),))
    except (ValueError, RecursionError):
        return RulesRead([], [], (Problem("", "", Said(_NO_VALUES)),))
    listed = cast("dict[str, Any]", parsed).get("rules") if isinstance(parsed, dict) else parsed
    if listed == []:
        return RulesRead([], [], (Problem("", "", Said(_NONE)),))
    ready, refused = ruleset(listed)
    problems = tuple(Problem(each.rule, each.field, each.said) for each in refused)
    return RulesRead(ready, cast("list[Any]", listed) if isinstance(listed, list) else [], problems)


def text_of(rules: Sequence[Any]) -> str:
    """Rules as they are laid out to be edited: a rule on each line, its longer fields below."""
    return "[\n" + ",\n".join(_laid_out(each) for each in rules) + "\n]\n"


def changes(before: Iterable[Any], after: Iterable[Any]) -> Changes:
    """What differs, by the name of the host or CDN; the order of rules of different names means nothing."""
    old, new = _by_name(before), _by_name(after)
    return Changes(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(name for name in new.keys() & old.keys() if new[name] != old[name])),
        tuple(sorted(old.keys() - new.keys())),
    )


class _TwiceError(ValueError):
    """A key that stands twice in an object; the message is the key."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(name[:60].encode(errors="replace").decode())
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _why(error: json.JSONDecodeError) -> Said:
    return Said(_WHY.get(error.msg, N_("this is not what JSON has here")))


def _laid_out(rule: Any) -> str:
    if not isinstance(rule, dict):
        return f"  {json.dumps(rule, ensure_ascii=False)}"
    pairs = cast("dict[str, Any]", rule).items()
    fields = ",\n".join(f"    {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in pairs)
    return f"  {{\n{fields}\n  }}"


def _by_name(rules: Iterable[Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in rules:
        rule = cast("dict[str, Any]", each) if isinstance(each, dict) else {}
        found.setdefault(str(rule.get("name", "?"))[:60], []).append(json.dumps(each, sort_keys=True))
    return found


_NO_JSON: Final = N_("This is no JSON: line %(line)s, column %(column)s, %(why)s.")
_TWICE: Final = N_("This field stands there twice.")
_NO_VALUES: Final = N_("There is a number or a nesting in it that no rule has.")
_NONE: Final = N_("There is no rule in it. To go without rules of your own, put the built-in ones back.")
_WHY: Final = {
    "Expecting value": N_("a value is missing"),
    "Expecting ',' delimiter": N_("a comma is missing before it"),
    "Expecting ':' delimiter": N_("a colon is missing before it"),
    "Expecting property name enclosed in double quotes": N_("the name of a field in double quotes is missing"),
    "Illegal trailing comma before end of array": N_("a comma stands before the end of a list"),
    "Illegal trailing comma before end of object": N_("a comma stands before the end of an object"),
    "Unterminated string starting at": N_("this text has no end"),
    "Extra data": N_("something stands behind the end"),
    "Invalid \\escape": N_("in a text, write \\\\ for each \\"),
}
"""What Python says of JSON, in our words."""
