"""The pages that ship: one for every topic and every runbook, in both languages, and each of them can be used."""

from __future__ import annotations

import re
import subprocess
from importlib import resources

import pytest

from steelyard.routing.policy import parse as parse_policy
from steelyard.toolbox.handbook.markdown import SHELLS, broken_in, codes_of, links_of, runbook_in, steps_of
from steelyard.toolbox.handbook.model import LANGUAGES, parse, snippet, write
from steelyard.toolbox.handbook.shipped import Key, shipped
from steelyard.toolbox.runbooks import load

TOPICS = set(parse_policy(resources.files("steelyard.routing").joinpath("policy.toml").read_text("utf-8")).topics)
PLANNED = {
    "reset_wordpress", "set_up_redis", "install_php_extension", "scan_malware", "quarantine_files", "diagnose_site",
    "verify_core", "search_replace_domain", "fix_permissions", "clear_caches", "rotate_salts", "create_admin_link",
}  # fmt: skip
CATALOG = {each.name for each in resources.files("steelyard.toolbox.catalog").iterdir() if each.is_dir()}
RUNBOOKS = PLANNED | {name for name in CATALOG if not name.startswith(("_", "."))}
SLUGS = frozenset(slug for slug, _ in shipped())
PLACEHOLDER = re.compile(r"lorem|\btodo\b|\btbd\b|xxx|\bfixme\b|à compléter|@\d+@", re.I)
KEYS = sorted(shipped())


def both(slug: str) -> list[Key]:
    return [(slug, language) for language in LANGUAGES]


def test_every_topic_and_every_runbook_has_a_page_in_both_languages() -> None:
    wanted = TOPICS | {name.replace("_", "-") for name in RUNBOOKS}
    assert [key for slug in sorted(wanted) for key in both(slug) if key not in shipped()] == []
    assert [key for slug in sorted(SLUGS) for key in both(slug) if key not in shipped()] == []


def test_a_topics_page_is_about_it_and_a_runbooks_page_has_its_button() -> None:
    for topic in TOPICS:
        assert all(topic in shipped()[key].text.topics for key in both(topic)), topic
    for name in RUNBOOKS:
        assert all(shipped()[key].text.runbooks == (name,) for key in both(name.replace("_", "-"))), name


def test_what_pages_are_tied_to_is_there() -> None:
    for (slug, _), page in shipped().items():
        assert set(page.text.topics) <= TOPICS, slug
        assert page.text.topics, slug
        assert set(page.text.runbooks) <= RUNBOOKS, slug
        assert page.checked is not None, slug


@pytest.mark.parametrize("slug", sorted(SLUGS))
def test_both_languages_say_the_same(slug: str) -> None:
    english, french = (shipped()[key].text for key in both(slug))
    assert (english.topics, english.runbooks) == (french.topics, french.runbooks)
    assert english.title != french.title or slug == "dns"
    steps = [steps_of(each.body) for each in (english, french)]
    assert len(steps[0]) == len(steps[1]) >= 3
    assert [step.codes for step in steps[0]] == [step.codes for step in steps[1]]
    assert codes_of(english.body) == codes_of(french.body)
    assert [line[:3] for line in english.body.split("\n") if line.startswith("#")] == [
        line[:3] for line in french.body.split("\n") if line.startswith("#")
    ]
    assert links_of(english.body) == links_of(french.body)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_page_can_be_read(key: Key) -> None:
    body = shipped()[key].text.body
    assert broken_in(body, SLUGS, frozenset(RUNBOOKS)) == ()
    assert PLACEHOLDER.search(body) is None
    assert len(body) > 1500
    assert "`" not in re.sub(r"```.*?```|`[^`\n]+`", "", body, flags=re.DOTALL)
    assert all(runbook in RUNBOOKS for runbook in map(runbook_in, links_of(body)) if runbook is not None)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_texts_are_set_as_their_language_sets_them(key: Key) -> None:
    page = shipped()[key]
    said = re.sub(r"```.*?```|`[^`\n]+`|\]\([^)]*\)|^\|[-|]+\|$", "x", page.text.body, flags=re.DOTALL | re.MULTILINE)
    said = f"{page.text.title}\n{said}"
    assert re.findall(r"\w'\w", said) == []
    if key[1] == "fr":
        assert re.findall(r"[^\s\u202f][;!?»]|[ \u00a0][:;!?»]|«[^\u202f]", said) == []
    else:
        assert re.findall(r"\s[:;!?]", said) == []


@pytest.mark.parametrize("slug", sorted(SLUGS))
def test_commands_parse(slug: str) -> None:
    blocks = [code for code in codes_of(shipped()[slug, "en"].text.body)]
    assert all(code.language for code in blocks), "each block says what it is"
    for code in blocks:
        if code.language in SHELLS:
            done = subprocess.run(["/bin/bash", "-n"], input=code.text, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, ""), code.text


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_page_is_what_its_file_would_be(key: Key) -> None:
    page, language = shipped()[key], key[1]
    written = parse(write(page.text, language, page.checked))
    assert (written.text, written.language, written.checked) == (page.text, language, page.checked)


def test_what_is_searched_is_found_where_it_stands() -> None:
    body = shipped()["ssl", "fr"].text.body
    assert any(part.marked and "certificat" in part.text.lower() for part in snippet(body, ["certificats"]))


def test_no_runbook_that_ships_is_broken() -> None:
    assert load().broken == {}
