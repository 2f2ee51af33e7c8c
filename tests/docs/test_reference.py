"""The reference says what the code does: each page is what `make docs` would write, and it leaves nothing out."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from steelyard import config
from steelyard.people.record import KINDS
from steelyard.routing.metrics import METRICS
from steelyard.routing.receive import TOPICS, UNWANTED
from steelyard.store.retention import TABLES
from steelyard.toolbox.metrics import METRICS as RUNS_METRICS
from steelyard.web.exposition import PROCESS

DOCS = Path(__file__).parents[2] / "docs"
BUILD: dict[str, Any] = runpy.run_path(str(DOCS / "build.py"))


def page(name: str) -> str:
    return (DOCS / "reference" / name).read_text("utf-8")


def headings(name: str) -> set[str]:
    return set(re.findall(r"^## `(.+)`$", page(name), re.M))


def rows(name: str) -> dict[str, list[str]]:
    """The rows of a page's tables whose first cell is code, by it."""
    found = re.findall(r"^\| `([^`|]+)` \|(.*)\|$", page(name), re.M)
    return {first: [cell.strip() for cell in rest.split("|")] for first, rest in found}


@pytest.mark.parametrize("name", ["settings.md", "commands.md", "facts.md", "topics.md", "tables.md", "metrics.md"])
def test_the_page_is_what_make_docs_writes(name: str) -> None:
    assert page(name) == BUILD["pages"]()[name], "run `make docs` and commit what it changes"


def test_every_setting_has_its_heading_its_help_and_its_default() -> None:
    fields = config.Settings.model_fields
    assert headings("settings.md") == {config.environment_name(field) for field in fields}
    for field, info in fields.items():
        section = page("settings.md").partition(f"## `{config.environment_name(field)}`\n")[2].partition("\n## ")[0]
        assert info.description, field
        assert info.description in section
        if info.default not in (None, {}) and not info.is_required() and info.default_factory is None:
            assert f"Default: `{info.default}`." in section


def test_every_command_has_its_heading_and_its_options() -> None:
    commands = dict(BUILD["commands"]())
    assert {"steelyard demo", "steelyard policy adopt"} <= commands.keys()
    assert headings("commands.md") == commands.keys()
    for name, command in commands.items():
        section = page("commands.md").partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        for each in command.params:
            if each.param_type_name == "option":
                assert each.help, f"{name} {each.opts}"
                assert f"`{each.opts[0]}`" in section


def test_every_kind_of_fact_has_its_row() -> None:
    kinds = BUILD["fact_kinds"]()
    assert {"decision.made", "decision.failed", "engineer.left", "ticket.created"} <= kinds
    described = {name for name in rows("facts.md") if "." in name and "*" not in name}
    assert described == kinds | KINDS.keys() | BUILD["ROOMS"].keys()


def test_every_topic_becomes_a_fact_that_is_described() -> None:
    described = rows("topics.md")
    assert described.keys() == TOPICS.keys() | UNWANTED.keys() | set(BUILD["own_topics"]())
    for topic in TOPICS.keys() - BUILD["OWN"].keys():
        kind = BUILD["becomes"](topic)
        assert not kind or kind in BUILD["FACTS"], topic
    for topic, why in UNWANTED.items():
        assert described[topic] == [why]


def test_every_table_has_its_row_with_scope_and_retention() -> None:
    described = rows("tables.md")
    assert list(described) == [table.name for table in TABLES]
    for table in TABLES:
        scope, kept, why = described[table.name]
        assert (scope, why) == (table.scope.value, table.why)
        if table.keep is None:
            assert kept == "no limit"
        elif table.keep.days:
            assert kept == f"{table.keep.days} day{'s' * (table.keep.days > 1)}"


def test_every_metric_has_its_row() -> None:
    described = rows("metrics.md")
    assert list(described) == [each.name for each in (*METRICS, *RUNS_METRICS, *PROCESS)]
    for each in (*METRICS, *RUNS_METRICS, *PROCESS):
        assert described[each.name][:2] == [each.kind.value, each.scope.value]
        assert described[each.name][3] == each.help
