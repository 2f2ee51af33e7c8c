"""A host for tests: the machine they run on, and verbs as they run there."""

from __future__ import annotations

import os
import pwd
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from steelyard.adapters.local import LocalReach
from steelyard.toolbox.model import Host, HostId, Site, SiteId, Token
from steelyard.toolbox.reach import Errand, Reached

ACCOUNT = pwd.getpwuid(os.geteuid()).pw_name
HOST = Host(HostId(1), "here", "local", 22, ACCOUNT)
TOKEN = Token("0a1b2c3d")


def a_site(docroot: Path | str, **more: Any) -> Site:
    """A site on this machine, whose files are the tests' own."""
    fields: dict[str, Any] = {"name": "shop.example", "url": "https://shop.example", "account": ACCOUNT, "host": HOST}
    return Site(SiteId(1), docroot=str(docroot), **(fields | more))


@asynccontextmanager
async def reaching(
    site: Site | None, *, hold: bool = False, secrets: Mapping[str, str] | None = None
) -> AsyncGenerator[Reached]:
    """This machine, reached for a site as a run reaches it."""
    async with LocalReach().open(HOST, Errand(TOKEN, site, hold, secrets or {})) as reached:
        yield reached
