"""Reaches the machine that the worker itself runs on."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from steelyard.toolbox.hosted.here import Failed, Here, Place
from steelyard.toolbox.model import Action, Host, Json, encode
from steelyard.toolbox.reach import Errand, HostError, Line, Progress, Tell


class _Reached:
    def __init__(self, errand: Errand) -> None:
        account = pwd.getpwuid(os.geteuid())
        self._errand = errand
        self._place = Place(account.pw_name, account.pw_dir, f"/var/tmp/steelyard-{os.geteuid()}", errand.token, {})

    async def call(self, action: Action, tell: Tell) -> Json:
        loop = asyncio.get_running_loop()

        def said(told: Json) -> None:
            line = Line(told["level"], told["said"]) if "said" in told else Progress(**told)
            loop.call_soon_threadsafe(tell, line)

        verbs = import_module(
            f"steelyard.toolbox.hosted.{action.verb.partition('.')[0] if '.' in action.verb else 'commands'}"
        )
        try:
            here = Here(self._place, said)
            return await asyncio.to_thread(verbs.VERBS[action.verb], here, encode(action.args))
        except Failed as failed:
            raise HostError(failed.code, failed.message) from failed


class LocalReach:
    """The same contract as over SSH, for sites on the worker's own machine."""

    @asynccontextmanager
    async def open(self, host: Host, errand: Errand) -> AsyncIterator[_Reached]:
        yield _Reached(errand)
