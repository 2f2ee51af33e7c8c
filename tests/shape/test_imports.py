"""The contract of imports knows every part: an unplanned folder fails `lint-imports`, not only a review."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
ROUTING = ROOT / "src" / "steelyard" / "routing"
# What the flow's pure stages are called (DESIGN: the pure core). Everything else of the room may do I/O.
DOES_IO = {
    "acts", "alarms", "aside", "bodies", "calls", "canvas", "canvas_app", "canvas_words", "connections",
    "decisions", "deeds", "deliver", "desk", "entries", "fault", "health_page", "health_pages", "inbox",
    "ingest", "labels", "metrics", "notifications", "notifications_forms", "notifications_pages", "pages",
    "readings", "ready", "reconcile", "replay", "router", "rows", "settings", "settings_ground",
    "settings_intercom", "settings_pages", "settings_words", "shadow", "shadow_pages", "store", "switch",
    "switch_page", "tasks", "teammates", "tell", "telling", "watch", "why", "work",
}  # fmt: skip


def test_the_layers_are_exhaustive() -> None:
    layers = next(each for each in CONTRACTS if each["type"] == "layers")
    assert layers["containers"] == ["steelyard"]
    assert layers["exhaustive"] is True


def test_every_module_of_a_room_is_either_pure_or_known_to_do_io() -> None:
    pure = next(each for each in CONTRACTS if each["type"] == "forbidden")["source_modules"]
    modules = {path.stem for path in ROUTING.glob("*.py")} - {"__init__"}
    declared = {name.rpartition(".")[2] for name in pure if name.startswith("steelyard.routing.")}
    assert modules - declared == DOES_IO
    assert declared <= modules
