"""What a customer asked, with the words that matched marked, and what these say of its topic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import TopicId
from steelyard.routing.labels import Label, label_of
from steelyard.routing.model import Match
from steelyard.routing.policy import Policy
from steelyard.routing.rows import one


class Segment(NamedTuple):
    """A stretch of a text, and whether a rule matched it."""

    text: str
    marked: bool


class Question(NamedTuple):
    """What the customer wrote, while it is kept."""

    contact: str
    subject: tuple[Segment, ...]
    body: tuple[Segment, ...]


class Words(NamedTuple):
    """What one rule looked for and found. `field`: where, if not in the text itself."""

    text: str
    field: Literal["", "tag", "attribute", "language"]


class Topic(NamedTuple):
    """A topic that matched: the words that spoke for it and their points."""

    label: Label
    words: tuple[Words, ...]
    points: int
    chosen: bool


class Asked(NamedTuple):
    """What was asked, for somebody who may read it or not.

    `question` is None where it is `hidden` from them, or where the text is no longer kept.
    """

    question: Question | None
    hidden: bool
    topics: tuple[Topic, ...]


async def read_asked(
    connection: AsyncConnection[Any],
    conversation: int,
    about: tuple[str, Sequence[Match], Policy | None],
    *,
    reads: bool,
) -> Asked:
    """What was asked in `conversation`. `about`: its topic, the rules that matched, and the policy they are of.

    `reads`: whether the reader may see what customers write. Who may not sees the rules' words instead.
    """
    text = await _read_text(connection, conversation) if reads else None
    topic, matches, policy = about
    return Asked(
        _question(text, matches) if text is not None else None, not reads, _topics(matches, topic, text, policy)
    )


async def _read_text(connection: AsyncConnection[Any], conversation: int) -> dict[str, Any] | None:
    return await one(
        connection, "SELECT subject, body, contact FROM conversation_text WHERE conversation = %s", [conversation]
    )


def _question(text: Mapping[str, Any], matches: Sequence[Match]) -> Question:
    def marked(field: str) -> tuple[Segment, ...]:
        return segments(text[field], [(each.start, each.end) for each in matches if each.field == field])

    return Question(text["contact"], marked("subject"), marked("body"))


def segments(text: str, spans: Iterable[tuple[int, int]]) -> tuple[Segment, ...]:
    """`text` cut where marks begin and end. Overlapping spans are one mark; one outside the text is none."""
    found: list[Segment] = []
    at = 0
    for start, end in sorted(spans):
        start, end = max(start, at), min(end, len(text))
        if start >= end:
            continue
        if start > at:
            found.append(Segment(text[at:start], marked=False))
        if found and found[-1].marked and start == at:
            found[-1] = Segment(found[-1].text + text[start:end], marked=True)
        else:
            found.append(Segment(text[start:end], marked=True))
        at = end
    return (*found, Segment(text[at:], marked=False)) if at < len(text) else tuple(found)


def _topics(
    matches: Sequence[Match], chosen: str, text: Mapping[str, Any] | None, policy: Policy | None
) -> tuple[Topic, ...]:
    """Every topic that matched, the one it is about first, then by points."""
    groups: dict[TopicId, list[Match]] = defaultdict(list)
    for each in matches:
        groups[each.topic].append(each)
    found = [
        Topic(
            label_of(topic, policy),
            tuple(dict.fromkeys(_words(each, text, policy) for each in group)),
            sum(each.points for each in group),
            topic == chosen,
        )
        for topic, group in groups.items()
    ]
    return tuple(sorted(found, key=lambda each: (not each.chosen, -each.points, each.label.topic)))


def _words(match: Match, text: Mapping[str, Any] | None, policy: Policy | None) -> Words:
    """The customer's own words while they are kept, else the rule's."""
    if match.field in ("subject", "body"):
        own = text[match.field][match.start : match.end] if text is not None else ""
        return Words(own or _phrase(match, policy), "")
    field: Literal["tag", "attribute", "language"] = "tag"
    if match.field in ("attribute", "language"):
        field = match.field
    return Words(_phrase(match, policy), field)


def _phrase(match: Match, policy: Policy | None) -> str:
    rule = policy.rules.get(match.rule) if policy is not None else None
    return rule.phrase if rule is not None else match.rule
