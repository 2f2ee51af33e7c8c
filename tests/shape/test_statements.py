"""Statements go to the database one by one: psycopg's pipeline mode outlived an error and spoiled a connection."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "steelyard"
PIPELINED = {"executemany", "pipeline"}


def test_no_statement_is_sent_in_pipeline_mode() -> None:
    """Many rows are one statement: `INSERT ... SELECT ... FROM unnest(...)`."""
    found = [
        f"{file.relative_to(SOURCE)}:{call.lineno}"
        for file in sorted(SOURCE.rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in PIPELINED
    ]
    assert found == []
