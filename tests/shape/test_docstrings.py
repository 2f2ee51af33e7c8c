"""Every public module, class and function of the product says what it is."""

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "steelyard"
# The simulated Intercom's parts bear Intercom's names, which say it; its modules say what they are all the same.
SIMULATION = SOURCE / "demo" / "intercom"
# What a runbook's functions are is said once, where Runbook asks for them.
RUNBOOK = {"reads", "plan", "undo", "undo_reads", "erase"}
MODULES = {path: ast.parse(text) for path in SOURCE.rglob("*.py") if (text := path.read_text("utf-8")).strip()}


def unsaid(name: str, body: list[ast.stmt]) -> Iterator[str]:
    """What is public in `body`, also inside public classes, and has no docstring."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield f"{name}:{node.name}"
            if isinstance(node, ast.ClassDef):
                yield from unsaid(f"{name}:{node.name}", node.body)


def test_every_module_says_what_it_is() -> None:
    assert len(MODULES) > 80
    assert [str(path.relative_to(SOURCE)) for path, tree in MODULES.items() if ast.get_docstring(tree) is None] == []


def test_everything_public_says_what_it_is() -> None:
    found: list[str] = []
    for path, tree in MODULES.items():
        if not path.is_relative_to(SIMULATION):
            of_runbook = path.match("toolbox/catalog/*/runbook.py")
            body = [each for each in tree.body if not (of_runbook and getattr(each, "name", "") in RUNBOOK)]
            found += unsaid(str(path.relative_to(SOURCE)), body)
    assert found == []
