"""Small files, short functions, names that say something, nothing left for later."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "steelyard"
KINDS = {".py", ".js", ".css", ".html", ".sql"}
FILES = sorted(
    path
    for path in SOURCE.rglob("*")
    if path.suffix in KINDS and not {"vendor", "migrations", "__pycache__"} & set(path.parts)
)
COMPANION = sorted(
    path
    for folder in ("extension", "tests/companion", "tests/companion_server")
    for path in (SOURCE.parents[1] / folder).rglob("*")
    if path.suffix in KINDS
)
LONGEST_FILE, LONGEST_FUNCTION = 400, 40
SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "misc"}
FOR_LATER = re.compile(r"\b(?:TODO|FIXME|XXX)\b|raise NotImplementedError")


def functions() -> Iterator[tuple[str, int]]:
    """Every function with its place and its lines."""
    for path in FILES:
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{path.relative_to(SOURCE)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_there_is_something_to_look_at() -> None:
    assert {path.suffix for path in FILES} >= {".py", ".js", ".css", ".html"}
    assert len(FILES) > 100


def test_no_file_is_long() -> None:
    assert {path.suffix for path in COMPANION} >= {".js", ".css", ".html"}
    files = [*FILES, *COMPANION]
    lines = {str(path.relative_to(SOURCE.parents[1])): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: count for path, count in lines.items() if count > LONGEST_FILE} == {}


def test_no_function_is_long() -> None:
    found = list(functions())
    print(f"{len(found)} functions, the median has {statistics.median(lines for _, lines in found):.0f} lines")
    assert [each for each in found if each[1] > LONGEST_FUNCTION] == []


def test_names_say_something() -> None:
    names = [path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.stem in SAY_NOTHING]
    assert [name for name in names if "vendor" not in name.parts] == []


def test_nothing_is_left_for_later() -> None:
    assert [str(path.relative_to(SOURCE)) for path in FILES if FOR_LATER.search(path.read_text("utf-8"))] == []
