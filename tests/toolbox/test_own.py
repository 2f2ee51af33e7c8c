"""A team's own script: what its folder says becomes a runbook, or is refused in a sentence."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.errors import RunbookError
from steelyard.toolbox.cases import judge
from steelyard.toolbox.model import Host, HostId, Secret, Site, SiteId, Token
from steelyard.toolbox.own import MOST_BYTES, read_own
from steelyard.toolbox.runbook import Asked, Left

SITE = Site(
    SiteId(1), "shop.example", "https://shop.example", "/srv/shop", "shop", Host(HostId(1), "web-4", "::1", 22, "s")
)
TOML = """
name = "purge_logs"
title = "Purge old logs"
title_fr = "Purger les vieux journaux"
summary = "Removes logs of the site that are older than some days."
risk = "changes"
minutes = 5
args = ["--days={days}", "{mode}"]

[[parameters]]
name = "days"
label = "Days"
kind = "number"
default = 30

[[parameters]]
name = "mode"
label = "Mode"
kind = "choice"
choices = ["gently", "at once"]

[[parameters]]
name = "key"
label = "Key"
secret = true
"""
RUN = b"#!/bin/sh\necho $STEELYARD_DAYS\n"


def files(toml: str = TOML, **more: bytes) -> dict[str, bytes]:
    return {"runbook.toml": toml.encode(), "run": RUN, **more}


def asked(**values: str | int | bool) -> Asked:
    chosen = {"days": 7, "mode": "gently", "key": "", **values}
    return Asked(SITE, chosen, Token("0a1b2c3d"), datetime(2026, 11, 22, tzinfo=UTC))


def test_what_was_chosen_reaches_it_in_the_environment_and_as_arguments() -> None:
    runbook = read_own("purge_logs", files(undo=b"#!/bin/sh\n", check=b"#!/bin/sh\n"))
    plan = runbook.plan(asked(mode="at once; rm -rf /", key="given"), {})
    (action,) = plan.steps[0].actions
    assert action.args["argv"] == ["--days=7", "at once; rm -rf /"]
    assert action.args["env"]["STEELYARD_DAYS"] == "7"
    assert action.args["env"]["STEELYARD_KEY"] == Secret("key")
    assert action.args["env"]["STEELYARD_SITE_DOCROOT"] == action.args["cwd"] == "/srv/shop"
    assert (plan.undoable, len(plan.checks), runbook.french["Purge old logs"]) == (
        True,
        1,
        "Purger les vieux journaux",
    )


def test_without_an_undo_it_says_so() -> None:
    runbook = read_own("purge_logs", files())
    assert runbook.undo is None
    assert not runbook.plan(asked(), {}).undoable


def test_undo_is_given_what_was_chosen() -> None:
    runbook = read_own("purge_logs", files(undo=b"#!/bin/sh\n"))
    assert runbook.undo is not None
    back = runbook.undo(Left(SITE, asked().values, Token("0a1b2c3d"), asked().now, {}), {})
    assert back.steps[0].actions[0].args["program"] == "undo"
    assert back.steps[0].actions[0].args["env"]["STEELYARD_DAYS"] == "7"


def test_its_plan_is_read_before_and_shown() -> None:
    runbook = read_own("purge_logs", files(plan=b"#!/bin/sh\n"))
    (read,) = runbook.reads(asked())
    assert read.action.args["program"] == "plan"
    shown = runbook.plan(asked(), {read.into: {"status": 0, "out": "would remove 12 files"}})
    assert "would remove 12 files" in [row.value for row in shown.concerns]


@pytest.mark.parametrize(
    ("name", "given_files", "words"),
    [
        ("Purge-Logs", files(), "a-z, 0-9"),
        ("purge_logs", {"runbook.toml": TOML.encode()}, "no executable called `run`"),
        ("purge_logs", {"run": RUN}, "steelyard runbook new"),
        ("purge_logs", files("risk = ["), "as TOML"),
        ("purge_logs", files(TOML.replace('risk = "changes"', 'risk = "some"')), "risk"),
        ("purge_logs", files(TOML.replace("minutes = 5", "minutes = 0")), "minutes"),
        ("purge_logs", files(TOML.replace("minutes = 5", "minutes = 5\nsudo = true")), "sudo"),
        ("other_name", files(), "the folder's"),
        ("purge_logs", files(TOML.replace("{mode}", "{nothing}")), "no parameter"),
        ("purge_logs", files(TOML.replace("{mode}", "{key}")), "STEELYARD_KEY"),
        ("purge_logs", files(TOML.replace('choices = ["gently", "at once"]', "")), "without choices"),
        ("purge_logs", files(big=b"x" * MOST_BYTES), "256 KB"),
    ],
)
def test_a_folder_that_is_none_is_refused(name: str, given_files: dict[str, bytes], words: str) -> None:
    with pytest.raises(RunbookError, match=words):
        read_own(name, given_files)


@given(st.text(max_size=30), st.dictionaries(st.text(max_size=12), st.binary(max_size=60), max_size=4))
def test_whatever_lies_in_a_folder_it_is_read_or_refused(name: str, given_files: dict[str, bytes]) -> None:
    with suppress(RunbookError):
        assert read_own(name, given_files).name == name


MISTAKES = [
    (
        "",
        'risk = "dangerous"\n',
        "`risk`: it should be 'reads', 'changes' or 'destroys'. See docs/how-to/add-a-runbook.md",
    ),
    ("minutes = 3", "", "`minutes` is missing"),
    ("minutes = 3", 'minutes = "three"', "`minutes`: it should be a valid integer"),
    ("minutes = 3", "minutes = 3\nminuts = 4", "`minuts` is no key: there are name, title,"),
    (
        'kind = "number"',
        'kind = "date"',
        "`kind` of the parameter days: it should be 'text', 'choice', 'switch' or 'number'",
    ),
    ('name = "days"', 'name = "Days"', "`name` of the parameter Days has to be of a-z, 0-9 and _"),
    ('name = "days"', "", "`name` of parameter 1 is missing"),
    (
        "default = 7",
        "default = 7\nleast = 10",
        "the default of the parameter days is 7: write a number from 10 to 1000000",
    ),
    ("default = 7", 'default = "a week"', "the default of the parameter days is 'a week': write a number from 0"),
    ("default = 7", "least = 3\nmost = 2", "a `least` of 3 and a `most` of 2"),
    ("default = 7", '[[parameters]]\nname = "days"\nlabel = "Again"', "two parameters have one name, of days"),
    ('kind = "number"\ndefault = 7', 'kind = "choice"\nchoices = ["a"]\ndefault = "b"', "none of its choices: 'b'"),
]
RIGHT = """name = "look"
title = "Look at it"
summary = "Looks at a site and says what it sees."
risk = "reads"
minutes = 3

[[parameters]]
name = "days"
label = "Days"
kind = "number"
default = 7
"""


@pytest.mark.parametrize(("right", "wrong", "said"), MISTAKES, ids=lambda text: text[:30])
def test_a_mistake_in_the_description_is_told_with_what_to_write_instead(right: str, wrong: str, said: str) -> None:
    written = RIGHT.replace(right, wrong) if right else RIGHT.replace('risk = "reads"\n', wrong)
    assert written != RIGHT
    read_own("look", {"run": b"#!/bin/sh\n", "runbook.toml": RIGHT.encode()})
    with pytest.raises(RunbookError, match=re.escape(said)):
        read_own("look", {"run": b"#!/bin/sh\n", "runbook.toml": written.encode()})


def test_a_case_that_chooses_what_is_no_parameter_is_refused() -> None:
    runbook = read_own("look", {"run": b"#!/bin/sh\n", "runbook.toml": RIGHT.encode()})
    with pytest.raises(RunbookError, match="chooses day, which is no parameter"):
        judge(runbook, "any", {"asked": {"values": {"day": 7}}, "plan": {}})
