"""Webhooks that come twice, late, out of order or not at all: each is processed once, and nothing is missed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ground import SETTLED, check_decided_once, check_open_mirrored, check_processed_once, read_back, remember_accepted
from test_live import check_nobody_lost, live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FAULTS = {"duplicate": 0.1, "late": 0.1, "reorder": 0.1, "drop": 0.1, "hang_up": 0.05}


async def test_whatever_becomes_of_deliveries_each_is_processed_once_and_none_is_missed(
    app_url: str, tmp_path: Path
) -> None:
    async with live(app_url, tmp_path) as steelyard:
        simulator = steelyard.simulator
        accepted = remember_accepted(simulator)
        simulator.faults.set(FAULTS)
        await steelyard.people(500)
        simulator.faults.set(dict.fromkeys(FAULTS, 0.0))
        await steelyard.settle(SETTLED)
        counts = simulator.record.counts
        assert counts["published"] > 2_000
        assert min(counts[name] for name in ("duplicates", "late", "reordered", "dropped", "hung_up")) > 50
        await read_back(steelyard)
        await steelyard.settle(SETTLED)
        check_nobody_lost(simulator)
        await check_processed_once(steelyard, accepted)
        await check_decided_once(steelyard)
        await check_open_mirrored(steelyard)
