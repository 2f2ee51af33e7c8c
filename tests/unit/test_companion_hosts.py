"""Host rules: the cases that the extension passes too, and what holds of whatever comes."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.companion.cidr import address, network
from steelyard.companion.hosts import BUILT_IN, Evidence, Verdict, verdict
from steelyard.companion.pattern import MOST_VALUE, compiled, plain, steps
from steelyard.companion.ruleset import WORDS, Rule, lowered, ruleset

ROOT = Path(__file__).parents[2]
RULES, REFUSED = ruleset(BUILT_IN["rules"])


def cases(name: str) -> list[dict[str, Any]]:
    return json.loads((ROOT / "cases" / "hosts" / f"{name}.json").read_text("utf-8"))


CASES = [each for name in ("captures", "layers", "doubts", "odd", "ours") for each in cases(name)]


def short(found: Verdict) -> dict[str, Any]:
    """A verdict as the cases write it."""
    return {
        "state": found.state,
        "hosts": [
            [f"{each.name} {each.kind} {each.confidence}"]
            + [f"{one.signal} {one.what}: {one.says}" for one in each.evidence]
            for each in found.hosts
        ],
        "ours": found.ours,
        "doubts": [[each.why, each.names, each.what] for each in found.doubts],
    }


def test_there_are_cases_enough() -> None:
    assert len(CASES) >= 160
    assert len({each["name"] for each in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda each: each["name"])
def test_a_case_of_both_languages(case: dict[str, Any]) -> None:
    rules = RULES if case["rules"] == "built in" else ruleset(case["rules"])[0]
    assert short(verdict(rules, Evidence(**case["evidence"]))) == case["expect"]


@pytest.mark.parametrize("case", cases("addresses"), ids=lambda each: repr(each["address"])[:40])
def test_an_address(case: dict[str, Any]) -> None:
    found = address(case["address"])
    assert (None if found is None else list(found.packed)) == case["bytes"]


@pytest.mark.parametrize("case", cases("networks"), ids=lambda each: repr(each["network"])[:40])
def test_a_network(case: dict[str, Any]) -> None:
    found = network(case["network"])
    assert (found if isinstance(found, str) else "network") == case["is"]
    if not isinstance(found, str):
        assert all(address(each) in found for each in case["inside"])
        assert not any(address(each) in found for each in case["outside"])


@pytest.mark.parametrize("case", cases("patterns"), ids=lambda each: repr(each["pattern"])[:40])
def test_a_pattern(case: dict[str, Any]) -> None:
    assert steps(case["pattern"]) == case["is"]
    for value in case["yes"]:
        assert compiled(case["pattern"]).search(plain(value)), value
    for value in case["no"]:
        assert not compiled(case["pattern"]).search(plain(value)), value


@pytest.mark.parametrize("case", cases("refused"), ids=lambda each: repr(each["name"])[:40])
def test_rules_are_refused_by_name_and_field(case: dict[str, Any]) -> None:
    rules, refused = ruleset(case["rules"])
    assert [[each.rule, each.field, each.why, each.what] for each in refused] == case["refused"]
    assert len(rules) == case["used"]
    for each in refused:
        assert each.said.message % each.said.values


def test_every_reason_to_refuse_has_a_case() -> None:
    assert {why for case in cases("refused") for _, _, why, _ in case["refused"]} == set(WORDS)


def test_the_extension_has_the_same_rules() -> None:
    assert json.loads((ROOT / "extension" / "rules" / "hosts.json").read_text("utf-8")) == BUILT_IN


def test_every_built_in_rule_can_be_used_and_says_where_it_is_documented() -> None:
    assert REFUSED == []
    assert len({(each.kind, each.name) for each in RULES}) >= 25
    assert all(each.about.startswith("https:") for each in RULES)


def test_every_built_in_host_and_cdn_has_a_case() -> None:
    seen = {
        host[0].rsplit(" ", 1)[0] for each in CASES if each["rules"] == "built in" for host in each["expect"]["hosts"]
    }
    assert {f"{each.name} {each.kind}" for each in RULES} <= seen


def test_every_pattern_of_the_built_in_rules_has_a_case() -> None:
    """A header whose value decides is matched by one of the captures, and not by every value."""
    told = [(lowered(name), plain(value)) for each in CASES for name, value in each["evidence"].get("headers", ())]
    for rule in RULES:
        for wanted, pattern in rule.headers:
            if pattern is not None:
                values = [value for name, value in told if name == wanted]
                assert any(map(pattern.search, values)), (rule.name, wanted)
                assert not pattern.search("something else"), (rule.name, wanted)


# ---- what holds of whatever comes

NAMES = sorted({name for each in RULES for name, _ in each.headers} | {"date", "x-cache", "set-cookie"})
VALUES = ["HIT", "cloudflare", "Pantheon", "Pressable", "hostinger", "WP Engine", "1.1 vegur", "cache-cdg1-CDG", "1"]
IPS = [
    "104.16.132.229",
    "::ffff:104.16.1.1",
    "23.185.0.2",
    "185.199.108.153",
    "203.0.113.9",
    "10.0.0.1",
    "2606:4700::1",
]
ours = [{"name": "Ours", "kind": "host", "ours": True, "confidence": 1, "headers": {"x-ours": ""}}]
ours[0] |= {"cidrs": ["203.0.113.0/24"], "complete": True}
OURS = ruleset(ours)[0]
header = st.tuples(st.sampled_from(NAMES), st.one_of(st.sampled_from(VALUES), st.text(max_size=20)))
anything = st.builds(
    Evidence,
    url=st.one_of(st.sampled_from(["https://a.example/", "https://x.vercel.app/"]), st.text(max_size=30)),
    seen=st.booleans() | st.just(True),
    status=st.sampled_from([200, 403, 503]),
    ip=st.one_of(st.sampled_from(IPS), st.text(max_size=10)),
    source=st.sampled_from(["network", "cache"]),
    headers=st.lists(header, max_size=8),
    a=st.lists(st.sampled_from(IPS), max_size=2),
    cname=st.lists(st.sampled_from(["x.fastly.net", "x.herokudns.com", "y.example"]), max_size=2),
    site=st.sampled_from(["", "", "Shop"]),
)


@settings(max_examples=300, deadline=None)
@given(anything, st.randoms(use_true_random=False))
def test_the_order_and_case_of_headers_and_other_headers_change_nothing(evidence: Evidence, random: Any) -> None:
    spelled = [
        ("".join(random.choice([each, each.upper()]) for each in name), value) for name, value in evidence.headers
    ]
    more = [*spelled, ("x-unrelated-thing", random.choice(VALUES))]
    random.shuffle(more)
    assert verdict(RULES, replace(evidence, headers=more)) == verdict(RULES, evidence)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_ours_wins_and_is_said(evidence: Evidence) -> None:
    known = replace(evidence, seen=True, headers=[*evidence.headers, ("x-ours", "1")])
    found = verdict([*RULES, *OURS], known)
    assert found.state == "ours"
    assert "Ours" in found.ours
    assert any(each.ours and any(one.what == "x-ours" for one in each.evidence) for each in found.hosts)
    if any(each.kind == "host" and each.confidence >= 2 and not each.ours for each in verdict(RULES, known).hosts):
        assert any(each.why == "conflict" and "Ours" in each.names for each in found.doubts)


@settings(max_examples=300, deadline=None)
@given(anything)
def test_only_a_sure_host_says_not_ours(evidence: Evidence) -> None:
    found = verdict(RULES, evidence)
    sure = [each for each in found.hosts if each.kind == "host" and each.confidence == 3]
    assert (found.state == "not_ours") == (bool(sure) and not evidence.site)
    assert verdict([each for each in RULES if each.kind == "cdn"], evidence).state != "not_ours"


@settings(max_examples=200, deadline=None)
@given(anything)
def test_what_is_shown_is_short_and_printable(evidence: Evidence) -> None:
    for host in verdict(RULES, evidence).hosts:
        for each in host.evidence:
            if each.signal == "header":
                assert re.fullmatch(r"[ -~\ufffd]{0,256}", each.says)
                assert each.what == lowered(each.what)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["name", "kind", "headers", "cidrs", "names", "ns", "confidence", "about", "ours", "complete", "other"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=6) | json_values, max_size=4))
def test_whatever_is_written_is_used_or_refused_by_name(written: list[Any]) -> None:
    rules, refused = ruleset(written)
    assert len(rules) + len({each.rule for each in refused}) <= max(len(written), len(rules) + len(refused))
    assert len(rules) == len(written) or refused
    assert all(isinstance(each, Rule) for each in rules)


PIECES = ["a", "b", "[ab]", ".", "\\w", "a?", "a*", "a+", ".*", "b{0,9}", "(a|b)", "(a|ab)?", "(?:aa|a)", "|", "^", "$"]
BAD = ["a{3,}", "(a*b)?", ")", "(", "(a+)+", "\\1"]
HARD = ["a" * MOST_VALUE, "ab" * 127 + "x", "a" * 255 + "b", "b" * 256]


@settings(max_examples=1_500, deadline=None)
@given(st.lists(st.sampled_from(PIECES + BAD), min_size=1, max_size=12).map("".join))
def test_whatever_pattern_is_let_pass_ends_soon(pattern: str) -> None:
    if isinstance(steps(pattern), int):
        assert not re.search(r"\)[*+{]|\\\d", pattern)  # before it is tried: nothing could stop it
        started = time.process_time()
        for value in HARD:
            compiled(pattern).search(value)
        assert time.process_time() - started < 1
