"""A template is compiled once in a process, and again when it was changed."""

from __future__ import annotations

import pytest
from jinja2 import DictLoader, Environment, TemplateSyntaxError

from steelyard.web.compiled import Compiled


class Counting(Environment):
    """Counts what it compiles."""

    compiled = 0

    def _compile(self, *given: object, **more: object):
        Counting.compiled += 1
        return super()._compile(*given, **more)


def test_it_is_shared_until_the_source_changes() -> None:
    kept, sources = Compiled(), {"a": "{{ _('weigh') }} {{ name }}"}
    first, second = (Counting(loader=DictLoader(sources), bytecode_cache=kept) for _ in range(2))
    first.globals["_"], second.globals["_"] = str.upper, str.title
    assert first.get_template("a").render(name="x") == "WEIGH x"
    assert second.get_template("a").render(name="y") == "Weigh y", "each environment says it its own way"
    assert Counting.compiled == 1
    sources["a"] = "anew {{ name }}"
    third = Counting(loader=DictLoader(sources), bytecode_cache=kept)
    assert third.get_template("a").render(name="z") == "anew z"
    assert Counting.compiled == 2


def test_what_cannot_be_compiled_is_not_kept() -> None:
    environment = Environment(loader=DictLoader({"a": "{% if %}"}), bytecode_cache=Compiled())
    for _ in range(2):
        with pytest.raises(TemplateSyntaxError):
            environment.get_template("a")
