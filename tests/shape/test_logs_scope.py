"""Every field of a log line is declared with its scope, and a line about a workspace's own names the workspace."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard.kit.logs import FIELDS
from steelyard.kit.scopes import Scope

SOURCE = Path(__file__).parents[2] / "src" / "steelyard"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
SPREAD = {"job.task_kwargs", "reading.found"}
"""Mappings that lines carry whole: a job's arguments are ids (test_jobs_scope), drift is counted by kind."""


def lines() -> Iterator[tuple[str, ast.Call]]:
    """Every call that logs an event with fields. Those that log a sentence carry no field."""
    for file in sorted(SOURCE.rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in LEVELS):
                continue
            if ast.unparse(call.func.value) in ("log", "_log", "structlog.get_logger()") and call.keywords:
                yield f"{file.relative_to(SOURCE)}:{call.lineno}", call


ALL = list(lines())


def test_there_are_lines() -> None:
    assert len(ALL) > 15


@pytest.mark.parametrize(("where", "call"), ALL, ids=[where for where, _ in ALL])
def test_every_field_is_declared_and_a_workspaces_own_names_it(where: str, call: ast.Call) -> None:
    event = call.args[0]
    assert isinstance(event, ast.Constant), where
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", str(event.value)), where
    names = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    spread = "".join(ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg is None)
    assert not spread or any(known in spread for known in SPREAD), where
    assert [name for name in names if name not in FIELDS] == [], where
    of_workspace = any(FIELDS[name] is Scope.WORKSPACE for name in names)
    assert not of_workspace or "workspace" in names, where
