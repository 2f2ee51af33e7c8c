"""policy.toml is read as it is meant, and what is wrong in it is refused by name with what to write instead."""

import re
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.errors import PolicyError
from steelyard.routing.policy import FAMILIES, Policy, parse

SHIPPED = files("steelyard.routing").joinpath("policy.toml").read_text("utf-8")
SMALL = """
[topics.dns]
names = { en = "DNS", fr = "DNS" }
family = "domains"
weight = 1
tags = { "dns" = 100 }
not = ["dns is fine"]
words.any = { "dns" = 5, "mx record*" = 4 }

[topics.other]
names = { en = "Other", fr = "Autre" }
family = "account"
weight = 2
"""


def test_the_shipped_policy_has_a_hosting_companys_topics_in_english_and_french() -> None:
    policy = parse(SHIPPED)
    assert " ".join(policy.topics) == (
        "dns domains ssl email billing access migration plugins php caching performance database malware "
        "reverse-proxy other"
    )
    for topic in policy.topics.values():
        assert topic.name("en")
        assert topic.name("fr")
        assert len(topic.short_name("fr")) <= 14
        assert topic.family in FAMILIES
        if topic.id != policy.other:
            kinds = {rule.field for rule in topic.rules}
            assert {"words", "tag"} <= kinds, f"{topic.id} cannot be recognised by words and by a tag"
    weights = {id: topic.weight for id, topic in policy.topics.items()}
    assert weights["dns"] == min(weights.values()), "DNS is light"
    assert weights["reverse-proxy"] == max(weights.values()), "a reverse proxy is heavy"


def test_the_shipped_settings() -> None:
    policy = parse(SHIPPED)
    assert (policy.other, policy.least_points, policy.subject_times, policy.heaviest) == ("other", 3, 2, 50)
    assert policy.logged_out_counts_as_away
    assert not policy.note


def test_what_is_not_written_has_the_shipped_value() -> None:
    shipped, small = parse(SHIPPED), parse(SMALL)
    for setting in ("other", "least_points", "subject_times", "heaviest", "logged_out_counts_as_away", "note"):
        assert getattr(small, setting) == getattr(shipped, setting), setting


def test_settings_are_read() -> None:
    policy = parse(
        '[weighing]\nleast_points = 7\nsubject_times = 1\nother = "dns"\nheaviest = 9\n'
        '[availability]\nlogged_out = "available"\n[delivery]\nnote = true\n' + SMALL
    )
    assert (policy.other, policy.least_points, policy.subject_times, policy.heaviest) == ("dns", 7, 1, 9)
    assert not policy.logged_out_counts_as_away
    assert policy.note


def test_a_language_without_a_name_falls_back_to_english() -> None:
    other = parse(SMALL).topics[parse(SMALL).other]
    assert (other.name("fr"), other.name("de"), other.short_name("fr")) == ("Autre", "Other", "Autre")


def test_the_digest_is_of_the_text_whatever_its_line_ends() -> None:
    assert parse(SMALL).digest == parse(SMALL.replace("\n", "\r\n")).digest
    assert parse(SMALL).digest != parse(SMALL + "# a remark\n").digest
    assert len(parse(SMALL).digest) == 64


def test_rule_ids_do_not_depend_on_the_order_in_the_file() -> None:
    turned = SMALL.replace('"dns" = 5, "mx record*" = 4', '"mx record*" = 4, "dns" = 5')
    assert turned != SMALL
    assert parse(turned).rules == parse(SMALL).rules
    assert parse(SMALL).rules["dns/1"].phrase == "dns"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("weight = 1", "weight = 0", ["[topics.dns] weight", "0", "1 to 1000", "Write weight ="]),
        ("weight = 1", "weight = true", ["[topics.dns] weight", "True"]),
        ("weight = 1", 'weight = "1"', ["[topics.dns] weight", "'1'"]),
        ("weight = 1", "", ["[topics.dns] weight", "missing"]),
        ("weight = 1", "wieght = 1", ["[topics.dns] weight", "missing"]),
        ("weight = 1", "weight = 1\nwieght = 1", ["[topics.dns] wieght", "no such key", "Write weight"]),
        ('family = "domains"', 'family = "blue"', ["[topics.dns] family", "'blue'", '"domains"']),
        (', fr = "DNS"', "", ["[topics.dns] names", "French"]),
        ('fr = "DNS"', 'fr = ""', ["[topics.dns.names] fr", "no text"]),
        ('"dns" = 5', '"dns" = 500', ['[topics.dns.words.any] "dns"', "500", "1 to 100"]),
        ('"dns" = 5', '"DNS" = 5, "dns" = 4', ["[topics.dns] words", '"dns"', '"DNS"', "one of the two"]),
        ('"dns" = 5', '"d*" = 5', ["[topics.dns] words", '"d*"', "3 letters"]),
        ('"dns" = 5', '"dn*s" = 5', ["[topics.dns] words", '"dn*s"']),
        ('"dns" = 5', '"mail.shop.example" = 5', ["[topics.dns] words", "mail.shop.example"]),
        ('"dns" = 5', '"!" = 5', ["[topics.dns] words", '"!"']),
        ('"dns" = 5', '"" = 5', ["[topics.dns] words", "0 words"]),
        ('"dns" = 5', '"a b c d e f g h i" = 5', ["[topics.dns] words", "9 words"]),
        ("words.any", "words.english", ["[topics.dns.words] english", "words.en"]),
        ('not = ["dns is fine"]', 'not = "dns is fine"', ["[topics.dns] not", "list"]),
        ('not = ["dns is fine"]', 'not = ["..."]', ["[topics.dns] not", "..."]),
        ('tags = { "dns" = 100 }', 'tags = { " " = 100 }', ["[topics.dns] tags", "empty"]),
        ("tags = {", "attributes = {", ["[topics.dns] attributes", '"product=cdn"']),
        ("tags = {", "tag = {", ["[topics.dns] tag", "Write tags"]),
        ("[topics.dns]", "[topics.DNS]", ["[topics.DNS]", "lower-case"]),
        ("[topics.dns]", "[topic.dns]", ["[topic]", "no such key", "topics"]),
        ("[topics.other]", "[topics.rest]", ["[weighing] other", "'other'"]),
        ("[topics.dns]", "[weighing]\nleast_point = 1\n[topics.dns]", ["[weighing] least_point", "least_points"]),
        ("[topics.dns]", '[availability]\nlogged_out = "gone"\n[topics.dns]', ["[availability] logged_out", '"away"']),
        ("[topics.dns]", "[delivery]\nnote = 1\n[topics.dns]", ["[delivery] note", "true"]),
        ("[topics.dns]", "delivery = 3\n[topics.dns]", ["[delivery]", "not a table"]),
        ("weight = 1", "weight = ", ["not TOML", "line 5"]),
    ],
)
def test_a_mistake_is_refused_by_name(before: str, after: str, said: list[str]) -> None:
    assert before in SMALL
    with pytest.raises(PolicyError) as refused:
        parse(SMALL.replace(before, after, 1))
    for part in said:
        assert part in str(refused.value), str(refused.value)


def test_an_empty_policy_says_what_to_write() -> None:
    with pytest.raises(PolicyError, match=r"\[topics\]: there is no topic"):
        parse("")


@pytest.mark.parametrize("number", range(3))
def test_the_examples_of_the_guide_are_policies(number: int) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "edit-the-policy.md").read_text("utf-8")
    examples = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert len(examples) == 3
    assert parse(examples[number] + SMALL).topics


@given(st.text())
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    _parse_or_refuse(text)


@given(st.integers(0, len(SMALL)), st.integers(0, 12), st.text(alphabet='"=[]{}.*,\n 0a\ud800é#', max_size=6))
def test_any_slip_of_the_hand_is_a_policy_or_a_policy_error(at: int, lost: int, typed: str) -> None:
    _parse_or_refuse(SMALL[:at] + typed + SMALL[at + lost :])


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = " + "9" * 50_000, "a = 0001-99-99", "\ud800", "\0"])
def test_hostile_toml_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        parse(text)


def _parse_or_refuse(text: str) -> None:
    with suppress(PolicyError):
        assert isinstance(parse(text), Policy)
