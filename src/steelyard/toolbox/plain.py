"""temporary"""

from __future__ import annotations

from typing import Any

from steelyard.toolbox.helped import Wanted
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.way import Way


class Plain:
    @classmethod
    async def start(cls, way: Way, wanted: Wanted) -> Any:
        raise HostError("no_python", "no python")
