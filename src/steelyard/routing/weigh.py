"""Weighing: a conversation's text -> what it is about, how heavy that is, and the rules that said so. Pure and total.

Every rule that a text fulfils gives its points once. The topic with the most points wins; of equals the heavier one,
then the one whose id comes first. A text below the policy's `least_points` is about `other`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from steelyard.kit.ids import TopicId
from steelyard.routing.model import Match, Text, Weighed
from steelyard.routing.policy import STEM, Index, Phrase, Policy, Rule, attribute_value
from steelyard.routing.words import NEAR, READ, Words, fold, read

MATCHES = 12
_VALUES = 100
_VALUE_LENGTH = 200
_TAG = re.compile(r"\s*weight\s*:\s*([0-9]{1,4})\s*", re.IGNORECASE)
_NOTE = re.compile(r"^[^\S\n]*/weight[^\S\n]+([0-9]{1,4}|auto)[^\S\n]*$", re.IGNORECASE | re.MULTILINE)


class Asked(NamedTuple):
    """What a person's note asks for; `weight` None takes back what was asked before."""

    weight: int | None


class _Hit(NamedTuple):
    """A phrase found at the words `first` up to, not including, `last`."""

    first: int
    last: int
    phrase: Phrase


def weigh(text: Text, policy: Policy) -> Weighed:
    """The topic and weight of any `text`, and at most 12 matches. Time is linear in the characters read."""
    matches: dict[str, Match] = {}
    for match in _matches(text, policy):
        known = matches.get(match.rule)
        if known is None or match.points > known.points:
            matches[match.rule] = match
    points: dict[TopicId, int] = {}
    for match in matches.values():
        points[match.topic] = points.get(match.topic, 0) + match.points
    topic = min(points, key=lambda each: (-points[each], -policy.topics[each].weight, each), default=policy.other)
    if points.get(topic, 0) < policy.least_points:
        topic = policy.other
    strongest = sorted(matches.values(), key=lambda each: (-each.points, each.topic != topic, each))
    return Weighed(topic, policy.topics[topic].weight, tuple(strongest[:MATCHES]))


def parse_weight_tag(name: str, heaviest: int) -> int | None:
    """The weight that a tag such as `weight:8` sets, from 1 to `heaviest`; None for any other tag."""
    found = _TAG.fullmatch(name)
    return _within(found[1], heaviest) if found else None


def parse_weight_note(text: str, heaviest: int) -> Asked | None:
    """What an internal note asks for: its last line `/weight 8` (1 to `heaviest`) or `/weight auto`. None: nothing."""
    asked = None
    for found in _NOTE.finditer(text[:READ]):
        if found[1].lower() == "auto":
            asked = Asked(None)
        elif (weight := _within(found[1], heaviest)) is not None:
            asked = Asked(weight)
    return asked


def _within(digits: str, heaviest: int) -> int | None:
    weight = int(digits)
    return weight if 1 <= weight <= heaviest else None


def _matches(text: Text, policy: Policy) -> Iterator[Match]:
    """Every match, the same rule perhaps more than once."""
    for name, content, times in (("subject", text.subject, policy.subject_times), ("body", text.body, 1)):
        words = read(content)
        for hit in _hits(words, policy.index):
            if (rule := hit.phrase.rule) is not None:
                start, end = words.starts[hit.first], words.ends[hit.last - 1]
                yield Match(rule.topic, rule.id, name, start, end, rule.points * times)
    values = policy.index.values
    for tag in text.tags[:_VALUES]:
        yield from _whole(values.get(("tag", fold(tag[:_VALUE_LENGTH].strip())), ()), len(tag))
    for key, value in text.attributes[:_VALUES]:
        wanted = attribute_value(key[:_VALUE_LENGTH], value[:_VALUE_LENGTH])
        yield from _whole(values.get(("attribute", wanted), ()), len(value))
    yield from _whole(values.get(("language", fold(text.language[:_VALUE_LENGTH].strip())), ()), len(text.language))


def _whole(rules: Iterable[Rule], length: int) -> Iterator[Match]:
    for rule in rules:
        yield Match(rule.topic, rule.id, rule.field, 0, length, rule.points)


def _hits(words: Words, index: Index) -> Sequence[_Hit]:
    """The phrases in `words`, without those inside a longer one and those that a topic's `not` takes back."""
    hits: list[_Hit] = []
    exact, stems = index.words, index.stems
    for first, word in enumerate(words.folded):
        if word in exact:
            hits += _from(words, first, exact[word])
        if (stem := word[:STEM]) in stems:
            hits += _from(words, first, stems[stem])
    return _standing(_outermost(hits)) if hits else hits


def _from(words: Words, first: int, phrases: Sequence[Phrase]) -> Iterator[_Hit]:
    """Those of `phrases` whose words stand next to each other from the word `first` on."""
    folded, starts, ends = words
    for phrase in phrases:
        last = first + len(phrase.words)
        if last > len(folded):
            continue
        for at, (wanted, is_stem) in enumerate(phrase.words, start=first):
            if not (folded[at].startswith(wanted) if is_stem else folded[at] == wanted):
                break
            if at > first and starts[at] - ends[at - 1] > NEAR:
                break
        else:
            yield _Hit(first, last, phrase)


def _outermost(hits: list[_Hit]) -> list[_Hit]:
    """Without the hits of rules that lie inside a longer one: in "redis cache", "cache" alone says nothing more."""
    kept: list[_Hit] = []
    outer = (0, 0)
    for hit in sorted(hits, key=lambda each: (each.first, -each.last)):
        if hit.phrase.rule is None:
            kept.append(hit)
            continue
        if hit.last > outer[1]:
            outer = (hit.first, hit.last)
        if hit.last == outer[1] and hit.first == outer[0]:
            kept.append(hit)
    return kept


def _standing(hits: list[_Hit]) -> list[_Hit]:
    """Without the `not` phrases, and what they touch of their own topic."""
    taken_back = {
        (hit.phrase.topic, at) for hit in hits if hit.phrase.rule is None for at in range(hit.first, hit.last)
    }
    if not taken_back:
        return hits
    return [
        hit
        for hit in hits
        if hit.phrase.rule is not None
        and not any((hit.phrase.topic, at) in taken_back for at in range(hit.first, hit.last))
    ]
