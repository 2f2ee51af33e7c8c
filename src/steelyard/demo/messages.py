"""What customers of a WordPress hosting company write: endless, seeded, with the topic each was written about."""

import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from random import Random
from typing import NamedTuple, TypedDict, cast

_FRENCH = 0.35
_WITH_SUBJECT = 0.4


class Message(NamedTuple):
    """One customer's first message, and the topic it was written about."""

    subject: str
    """Empty where it came through the messenger."""
    body: str
    language: str
    """`en` or `fr`."""
    topic: str


class _Topic(TypedDict):
    share: int
    en: list[tuple[str, str]]
    fr: list[tuple[str, str]]


class _Phrasebook(TypedDict):
    """messages.toml."""

    sites: list[str]
    people: list[str]
    openings: Mapping[str, list[str]]
    closings: Mapping[str, list[str]]
    topics: Mapping[str, _Topic]


def messages(random: Random) -> Iterator[Message]:
    """Messages without end, the same for the same seed, each topic as often as its share."""
    book = cast(_Phrasebook, tomllib.loads(files("steelyard.demo").joinpath("messages.toml").read_text("utf-8")))
    topics = list(book["topics"])
    shares = [book["topics"][topic]["share"] for topic in topics]
    while True:
        [topic] = random.choices(topics, shares)
        language = "fr" if random.random() < _FRENCH else "en"
        subject, body = random.choice(book["topics"][topic]["fr" if language == "fr" else "en"])
        if topic != "other":  # those are short, and some are only a greeting
            body = random.choice(book["openings"][language]) + body + random.choice(book["closings"][language])
        body = body.format(**_details(book, random))
        yield Message(subject if random.random() < _WITH_SUBJECT else "", body, language, topic)


def _details(book: _Phrasebook, random: Random) -> dict[str, str]:
    site = random.choice(book["sites"]) + ".example"
    return {
        "site": site,
        "mail": f"{random.choice(('info', 'contact', 'office', 'team'))}@{site}",
        "person": random.choice(book["people"]),
        "days": str(random.randint(2, 14)),
        "amount": f"{random.choice((29, 49, 99, 249))} €",
        "host": f"web{random.randint(1, 40)}.hosting.example",
    }
