"""The contract of imports knows every part: an unplanned folder fails `lint-imports`, not only a review."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
ROOMS = ROOT / "src" / "steelyard"
# What the flow's pure stages are called (DESIGN: the pure core). Everything else of the room may do I/O.
ROUTING = {
    "acts", "acts_done", "acts_pages", "alarms", "aside", "asked", "bodies", "calls", "canvas",
    "canvas_app", "canvas_words", "connections", "conversation_page", "conversations",
    "conversations_pages", "decisions", "deeds", "deliver", "desk", "desk_cache", "desk_floor",
    "desk_pages", "desk_parts", "desk_read", "engineer_page", "entries", "fault", "health_page",
    "health_pages", "inbox", "ingest", "labels", "metrics", "mine", "notifications", "notifications_forms",
    "notifications_pages", "pages", "readings", "ready", "reconcile", "replay", "replayed", "router", "rows", "search",
    "settings", "settings_ground", "settings_intercom", "settings_pages", "settings_words", "shadow",
    "shadow_pages", "store", "switch", "switch_page", "tasks", "teammates", "tell", "telling", "watch",
    "why", "work",
}  # fmt: skip
TOOLBOX = {
    "access", "acts", "batches", "bundle", "changes", "checks", "erasing", "ground", "helped", "host_secrets",
    "hosts_pages", "keys", "leaving", "locks", "looking", "looks", "metrics", "others", "plain", "registry",
    "rules_pages", "rules_store", "run", "run_view", "runbooks", "runbooks_live", "runbooks_pages", "runs_api",
    "runs_data", "runs_pages", "runs_read", "saying", "search", "secrets", "session",
    "shelf", "shell", "site_at", "sites_forms", "sites_pages", "sites_tables", "sites_telling", "slots",
    "slots_archive", "slots_bring", "slots_keys", "slots_release", "slots_template", "steps", "store", "tasks",
    "telling",
}  # fmt: skip
COMPANION = {
    "api", "connecting", "domains", "ground", "lookup", "package", "pages", "rules_pages", "rules_store", "telling",
}  # fmt: skip
DOES_IO = {"companion": COMPANION, "routing": ROUTING, "toolbox": TOOLBOX}


def test_the_layers_are_exhaustive() -> None:
    layers = next(each for each in CONTRACTS if each["type"] == "layers")
    assert layers["containers"] == ["steelyard"]
    assert layers["exhaustive"] is True


@pytest.mark.parametrize("room", DOES_IO)
def test_every_module_of_a_room_is_either_pure_or_known_to_do_io(room: str) -> None:
    pure = next(each for each in CONTRACTS if each["type"] == "forbidden")["source_modules"]
    modules = {path.stem for path in (ROOMS / room).glob("*.py")} - {"__init__"}
    of_room = [name.split(".") for name in pure if name.startswith(f"steelyard.{room}.")]
    declared = {parts[2] for parts in of_room if len(parts) == 3}
    assert modules - declared == DOES_IO[room]
    assert declared <= modules
