"""What is done to what all workspaces share stands in the audit of each: what was loaded, removed and added."""

from __future__ import annotations

from pathlib import Path

from engine import Engine
from pydantic import SecretStr
from releases import CART, a_zip

from signing_in import Clock, browsers
from steelyard.config import Settings
from steelyard.operations import core_slots, scan_rules
from steelyard.operations.core_slots import Pins
from steelyard.toolbox.scanning.model import Severity
from steelyard.web.static import read_static


async def test_packs_and_slots_are_told_in_the_audit(engine: Engine, app_url: str, keys: Path, tmp_path: Path) -> None:
    settings = Settings(cell="eu1", database_url=SecretStr(app_url), keys=tmp_path / "keys", slots=tmp_path / "slots")
    settings.keys.mkdir()
    core_slots.key(settings)
    added = await core_slots.add(settings, a_zip(tmp_path / "cart.zip", CART), Pins(), lambda _: None)
    rules = tmp_path / "rules.yar"
    rules.write_text("rule one { condition: false }")
    pack = (await scan_rules.load(settings, rules, "theirs", "MIT", "", Severity.ODD)).pack
    await scan_rules.remove(settings, "theirs")
    assert await engine.facts() == [
        ("toolbox.slot_added", {"digest": added.archive}, None),
        ("toolbox.pack_loaded", {"rules": 1, "digest": pack.sha256}, None),
        ("toolbox.pack_removed", {"digest": pack.sha256}, None),
    ]
    async with browsers(engine.database, read_static(), keys, Clock(), "127.0.0.1", open_to_loopback=True) as make:
        page = (await make().get("/audit")).text
    assert f"Added a slot from the archive with the SHA-256 {added.archive[:12]}" in page
    assert f"Loaded 1 rule for scans, SHA-256 {pack.sha256[:12]}" in page
    assert f"Removed rules for scans, SHA-256 {pack.sha256[:12]}" in page
