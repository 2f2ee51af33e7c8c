"""Tests are collected by the names of their modules, from any folders on one command line."""

import ast
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[1]
MODULES = [path for path in TESTS.rglob("*.py") if "runbooks" not in path.parts]


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


def test_every_module_has_a_name_of_its_own() -> None:
    counted = Counter(path.stem for path in MODULES if path.name != "conftest.py")
    assert len(counted) > 200
    assert [name for name, count in counted.items() if count > 1] == []


def test_nothing_is_taken_from_a_conftest() -> None:
    """Each folder has one: which of them Python finds under that name depends on what ran before."""
    assert [str(path.relative_to(TESTS)) for path in MODULES if "conftest" in imported(path)] == []
