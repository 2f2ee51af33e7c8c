"""The pages that come with this release, read from the package once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import NamedTuple

from steelyard.toolbox.handbook.model import LANGUAGES, BadPage, Language, Text, is_slug, parse

Key = tuple[str, Language]
"""A page in one language: its slug, and which."""


class Shipped(NamedTuple):
    """A page of this release."""

    text: Text
    checked: date | None


@cache
def shipped() -> Mapping[Key, Shipped]:
    """All of them. Raises BadPage for a file that is none: then this release was packed wrong."""
    found: dict[Key, Shipped] = {}
    for language in LANGUAGES:
        for file in resources.files(__package__ or "").joinpath("pages", language).iterdir():
            slug = file.name.removesuffix(".md")
            if not file.name.endswith(".md") or not is_slug(slug):
                raise BadPage("bad_file", f"pages/{language}/{file.name} is no page of the handbook")
            written = parse(file.read_text("utf-8"))
            found[slug, language] = Shipped(written.text, written.checked)
    return dict(sorted(found.items()))
