"""What a worker does once in a while for the toolbox goes on whatever is broken beside it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from engine import Engine

from steelyard.main.toolbox import tidy_toolbox
from steelyard.store.keys import WORKER, key_file
from steelyard.toolbox.states import State


async def test_a_damaged_key_keeps_no_plan_from_expiring(engine: Engine, tmp_path: Path) -> None:
    seen = await engine.planned("set_motto", text="new")
    late = seen.asked_at - timedelta(hours=2)
    await engine.rows("UPDATE run SET holds_until = %s RETURNING 1", late)
    key_file(tmp_path, WORKER).write_text("no key")
    await tidy_toolbox(engine.database, tmp_path)
    assert (await engine.run(seen.run)).state is State.CANCELLED
