"""Our own rules find each family they are for, and stay silent on WordPress and on code that only comes near."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scan_samples import ORDINARY, SAMPLES, Sample

from steelyard.demo.hosting import Template
from steelyard.toolbox.hosted.places import is_program
from steelyard.toolbox.hosted.scanner.looking import Scanning
from steelyard.toolbox.scanning.model import Hit, Layout, Severity
from steelyard.toolbox.scanning.packs import own_pack
from steelyard.toolbox.scanning.words import RULES

LAYOUT = Layout("/site", "/site", "/site/wp-content", "/site/wp-content/plugins")
NAMES = re.findall(r"^rule (\w+)", own_pack().rules, re.MULTILINE)


@pytest.fixture(scope="module")
def scanning() -> Scanning:
    return Scanning([own_pack()], LAYOUT)


def hits_of(scanning: Scanning, name: str, data: bytes) -> list[Hit]:
    _, hits, problem = scanning.of(f"/site/wp-content/plugins/x/{name}", data)
    assert problem == ""
    return hits


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda each: f"{each.rule} {each.name}")
def test_each_family_is_found(scanning: Scanning, sample: Sample) -> None:
    hits = {each.rule: each for each in hits_of(scanning, sample.name, sample.data)}
    assert sample.rule in hits
    found = hits[sample.rule]
    assert (found.severity, found.pack, found.author, found.licence) == (
        sample.severity, "steelyard", "Steelyard", "Apache-2.0",
    )  # fmt: skip
    assert found.evidence
    assert len(found.evidence) <= 800


def test_every_rule_has_a_sample_and_is_said_in_words() -> None:
    assert len(NAMES) > 30
    assert set(NAMES) == {each.rule for each in SAMPLES}
    assert set(NAMES) <= RULES.keys()


def test_samples_together_are_all_but_the_smallest_part_malicious(scanning: Scanning) -> None:
    worst = [
        min(list(Severity).index(Severity(hit.severity)) for hit in hits_of(scanning, each.name, each.data))
        for each in SAMPLES
    ]
    assert worst.count(0) > 0.75 * len(SAMPLES)


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_code_is_left_in_peace(scanning: Scanning, name: str) -> None:
    assert hits_of(scanning, name, ORDINARY[name].encode()) == []


def test_the_rules_are_silent_on_wordpress(scanning: Scanning, hosting_template: Template) -> None:
    core = Path(hosting_template.wordpress.core)
    programs = [each for each in core.rglob("*") if each.is_file() and is_program(each.name)]
    assert len(programs) > 1400
    found = {
        str(each): [hit.rule for hit in hits]
        for each in programs
        if (hits := scanning.of(f"/site/{each.relative_to(core)}", each.read_bytes())[1])
    }
    assert found == {}
