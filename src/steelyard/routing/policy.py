"""The policy: the versioned document that says how to weigh, read into values. How leads edit it: docs/how-to."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from steelyard.kit.errors import PolicyError
from steelyard.kit.ids import TopicId
from steelyard.routing.table import Table
from steelyard.routing.words import fold, read

FAMILIES = ("domains", "site", "speed", "edge", "security", "account")
"""The hues of topics on the desk."""

HEAVIEST = 1000
MOST_POINTS = 100
MOST_WORDS = 8
STEM = 3
"""Letters before a `*`, at least: with fewer it would match too much, and these are what stems are looked up by."""

_TOPIC = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2}|any")


class Rule(NamedTuple):
    """One line of a topic: what it looks for and the points it gives, once per text."""

    id: str
    """`topic/number`; the numbers follow the alphabet of the phrases, not their order in the file."""
    topic: TopicId
    field: str
    """`words`, `tag`, `attribute` or `language`."""
    phrase: str
    """As written in the policy."""
    points: int


class Phrase(NamedTuple):
    """Words to look for in a row: folded, and whether any ending may follow each (`nameserver*`)."""

    words: tuple[tuple[str, bool], ...]
    topic: TopicId
    rule: Rule | None
    """None: a phrase of `not`, which takes back this topic's matches that it touches."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a conversation can be about."""

    id: TopicId
    names: Mapping[str, str]
    """By language; `en` and `fr` at least."""
    short_names: Mapping[str, str]
    family: str
    weight: int
    rules: tuple[Rule, ...]

    def name(self, language: str) -> str:
        """What people call it in `language` (`en`, `fr`), in English where the policy names it in no such language."""
        return self.names.get(language, self.names["en"])

    def short_name(self, language: str) -> str:
        """The name for narrow places; the full one where the policy has none shorter."""
        return self.short_names.get(language, self.name(language))


@dataclass(frozen=True, slots=True)
class Index:
    """All rules by what a text has to show first: weighing looks each word up instead of trying each rule."""

    words: dict[str, list[Phrase]] = field(default_factory=lambda: {})
    """By the whole first word."""
    stems: dict[str, list[Phrase]] = field(default_factory=lambda: {})
    """By the first `STEM` letters of a first word that may have any ending."""
    values: dict[tuple[str, str], list[Rule]] = field(default_factory=lambda: {})
    """Rules on tags, attributes and languages, by (field, folded value)."""

    def add(self, phrase: Phrase) -> None:
        """Enters a phrase under its first word."""
        head, is_stem = phrase.words[0]
        (self.stems.setdefault(head[:STEM], []) if is_stem else self.words.setdefault(head, [])).append(phrase)


@dataclass(frozen=True, slots=True)
class Policy:
    """How to weigh, when someone counts as away, and what is written back."""

    digest: str
    """SHA-256, in hex, of the text it was read from with Unix line ends."""
    topics: Mapping[TopicId, Topic]
    rules: Mapping[str, Rule]
    """By id, to explain a match."""
    other: TopicId
    """The topic of what no rule recognises."""
    least_points: int
    subject_times: int
    heaviest: int
    """The largest weight that a person may set by tag or note."""
    logged_out_counts_as_away: bool
    note: bool
    """Whether each assignment leaves an internal note with its reason."""
    index: Index = field(repr=False, compare=False)


def parse(text: str) -> Policy:
    """The policy in `text` (TOML). Raises PolicyError: which table and key, what is wrong, what to write."""
    document = Table("", _toml(text))
    weighing, availability, delivery = (document.table(key) for key in ("weighing", "availability", "delivery"))
    index = Index()
    topics = _topics(document.table("topics"), index)
    policy = Policy(
        digest=hashlib.sha256(text.replace("\r\n", "\n").encode("utf-8", "surrogatepass")).hexdigest(),
        topics=topics,
        rules={rule.id: rule for topic in topics.values() for rule in topic.rules},
        other=TopicId(weighing.choice("other", sorted(topics), "other")),
        least_points=weighing.number("least_points", MOST_POINTS, 3),
        subject_times=weighing.number("subject_times", 10, 2),
        heaviest=weighing.number("heaviest", HEAVIEST, 50),
        logged_out_counts_as_away=availability.choice("logged_out", ("away", "available"), "away") == "away",
        note=delivery.flag("note", False),
        index=index,
    )
    for table in (weighing, availability, delivery, document):
        table.finish()
    return policy


def attribute_value(key: str, value: str) -> str:
    """An attribute with its value, as a rule and a conversation are compared."""
    return f"{fold(key.strip())}={fold(value.strip())}"


def _toml(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"policy.toml is not TOML: {error}. Write key = value on lines below a [table].") from error


def _topics(table: Table, index: Index) -> dict[TopicId, Topic]:
    topics = {TopicId(key): _topic(TopicId(key), each, index) for key, each in table.tables().items()}
    if not topics:
        table.refuse("", "there is no topic", "[topics.other] with names, family and weight, at least")
    return topics


def _topic(id: TopicId, table: Table, index: Index) -> Topic:
    if not _TOPIC.fullmatch(id):
        table.refuse("", "an id has lower-case letters, digits and dashes, 40 at most", "[topics.plugin-errors]")
    names = table.texts("names")
    if not {"en", "fr"} <= set(names):
        table.refuse("names", "a name in English or French is missing", 'names = { en = "Domains", fr = "Domaines" }')
    for phrase in table.strings("not"):
        index.add(Phrase(_words(table, "not", phrase), id, None))
    topic = Topic(
        id=id,
        names=names,
        short_names=table.texts("short_names"),
        family=table.choice("family", FAMILIES, None),
        weight=table.number("weight", HEAVIEST, None),
        rules=_rules(id, table, index),
    )
    table.finish()
    return topic


def _rules(topic: TopicId, table: Table, index: Index) -> tuple[Rule, ...]:
    """The topic's rules, entered in the index. Numbered by alphabet: moving a line in the file changes nothing."""
    lists = table.table("words")
    found = [("words", *each) for language in lists.tables() for each in lists.points(language, MOST_POINTS)]
    for language in lists.tables():
        if not _LANGUAGE.fullmatch(language):
            lists.refuse(language, "is no language", "words.en, words.fr, or words.any for what is said in both")
    for key, name in (("tags", "tag"), ("attributes", "attribute"), ("languages", "language")):
        found += [(name, *each) for each in table.points(key, MOST_POINTS)]
    rules = tuple(Rule(f"{topic}/{number}", topic, *each) for number, each in enumerate(sorted(found), start=1))
    seen: dict[object, Rule] = {}
    for rule in rules:
        sought = _words(table, "words", rule.phrase) if rule.field == "words" else _value(table, rule)
        if (twin := seen.setdefault((rule.field, sought), rule)) is not rule:
            table.refuse(rule.field, f'"{rule.phrase}" looks for the same as "{twin.phrase}"', "one of the two")
        if isinstance(sought, str):
            index.values.setdefault((rule.field, sought), []).append(rule)
        else:
            index.add(Phrase(sought, topic, rule))
    return rules


def _words(table: Table, key: str, phrase: str) -> tuple[tuple[str, bool], ...]:
    """A phrase as the words to look for, read as texts are read."""
    words: list[tuple[str, bool]] = []
    for part in phrase.split():
        stem = part.removesuffix("*")
        folded = read(stem).folded
        if "*" in stem or not all(folded) or not folded:
            table.refuse(key, f'"{phrase[:80]}" cannot be read as words', 'words and phrases such as "mx record*"')
        words += [(word, False) for word in folded[:-1]]
        words.append((folded[-1], stem != part))
    if not 1 <= len(words) <= MOST_WORDS:
        table.refuse(key, f'"{phrase[:80]}" has {len(words)} words', f"1 to {MOST_WORDS} words")
    if any(is_stem and len(word) < STEM for word, is_stem in words):
        table.refuse(key, f'"{phrase}" would match too much', f"{STEM} letters or more before each *")
    return tuple(words)


def _value(table: Table, rule: Rule) -> str:
    """What a rule on a tag, an attribute or a language is compared with."""
    if rule.field == "attribute":
        key, _, value = rule.phrase.partition("=")
        if not (key.strip() and value.strip()):
            table.refuse("attributes", f'"{rule.phrase}" is not a name and a value', '"product=cdn" = 3')
        return attribute_value(key, value)
    if not rule.phrase.strip():
        table.refuse(f"{rule.field}s", "a name is empty", '"dns" = 100')
    return fold(rule.phrase.strip())
