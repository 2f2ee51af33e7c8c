"""English is the source, French is whole, and both are in step with what pages say."""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Message

from steelyard.web.catalogs import extract, read
from steelyard.web.language import LANGUAGES, messages

PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def said(message: Message) -> list[str]:
    strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return [each for each in strings]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalog_has_every_message_and_no_other(language: str) -> None:
    wanted = {message.id for message in extract() if message.id}
    there = {message.id for message in read(language) if message.id}
    assert wanted - there == set(), "run python -m steelyard.web.catalogs, then translate"
    assert there - wanted == set(), "run python -m steelyard.web.catalogs"


def test_french_is_whole() -> None:
    for message in read("fr"):
        if message.id:
            assert all(said(message)), f"no French for {message.id!r}"
            assert not message.fuzzy, message.id


def test_placeholders_are_the_same() -> None:
    for message in read("fr"):
        ids = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
        wanted = {name for each in ids for name in PLACEHOLDER.findall(each)}
        for each in said(message):
            assert set(PLACEHOLDER.findall(each)) == wanted, message.id


def test_french_is_set_in_french() -> None:
    for message in read("fr"):
        for each in said(message) if message.id else []:
            assert not re.search(r"(?<!\u202f)[;:!?»](?!//|\w)", each), (
                f"a narrow no-break space is missing in {each!r}"
            )
            assert not re.search(r"«(?!\u202f)", each), f"a narrow no-break space is missing in {each!r}"
            assert "'" not in each, f"an apostrophe is straight in {each!r}"
            assert '"' not in each, f"a quote is straight in {each!r}"


def test_messages_are_read_without_compiled_files() -> None:
    french = messages("fr")
    assert french.gettext("Waiting") == "En attente"
    assert french.ngettext("%(count)s engineer", "%(count)s engineers, lowest score first", 1) == "%(count)s personne"
