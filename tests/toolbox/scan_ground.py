"""Scans in tests: an engine whose worker scans, with manifests made from the WordPress that the tests install."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine import Engine
from psycopg.types.json import Jsonb
from reaching import ACCOUNT

from steelyard.demo.hosting import Site
from steelyard.store.database import Connection
from steelyard.toolbox.model import RunId
from steelyard.toolbox.registry import NewSite, add_site
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.scanning.findings import read_findings
from steelyard.toolbox.scanning.model import Kept
from steelyard.toolbox.scanning.scan import worker_verbs
from steelyard.toolbox.states import State

Files = Mapping[str, tuple[str, int]]


def files_of(folder: Path) -> Files:
    """SHA-256 and bytes of all files in a folder, as a manifest has them."""
    return {
        path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Held:
    """Manifests as a cell's slots would hold them."""

    files: dict[tuple[str, str, str], Files] = field(default_factory=dict[tuple[str, str, str], Files])

    async def __call__(self, conn: Connection, kind: str, slug: str, version: str, locale: str) -> Files | None:
        return self.files.get((kind, slug, version))


@dataclass
class Scanned:
    """An engine that scans one site."""

    engine: Engine
    held: Held

    async def run(self, runbook: str, **given: Any) -> RunSeen:
        """Asked, planned, confirmed, done."""
        seen = await self.engine.planned(runbook, **given)
        if seen.state is State.PLANNED:
            await self.engine.acts.confirm(self.engine.here, seen.run, seen.plan_digest, "shop.example")
            await self.engine.work(seen.run)
        return await self.engine.run(seen.run)

    async def scan(self, **given: Any) -> tuple[RunSeen, list[Kept]]:
        """A scan that is done, and what it found."""
        seen = await self.run("scan_malware", **given)
        assert seen.state is State.DONE, (seen.reason, await self.engine.lines(seen.run))
        return seen, await self.findings(seen.run)

    async def findings(self, run: RunId) -> list[Kept]:
        async with self.engine.database.transaction(self.engine.workspace) as conn:
            return await read_findings(conn, run)

    async def now_at(self, site: Site) -> None:
        """A real WordPress in the place of the engine's site, with a manifest of its core."""
        engine = self.engine
        async with engine.database.transaction(engine.workspace) as conn:
            await conn.execute("UPDATE site SET removed_at = now()")
            new = NewSite("shop.example", engine.host, str(site.docroot), ACCOUNT, site.url, "")
            engine.sites["shop.example"] = await add_site(conn, engine.workspace, new, engine.clock())
        core = Path(site.hosting.template.wordpress.core)
        self.held.files["core", "wordpress", "7.1.1"] = files_of(core)

    async def hint(self, **hints: Any) -> None:
        """What an operator says of the site's host."""
        async with self.engine.database.transaction(self.engine.workspace) as conn:
            await conn.execute("UPDATE host SET hints = %s", [Jsonb(hints)])


def plant(root: Path, files: Mapping[str, bytes]) -> None:
    """Files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def scanning(engine: Engine) -> Scanned:
    """`engine`, with what a worker that scans can do."""
    held = Held()
    engine.ground = replace(engine.ground, workers=worker_verbs(held))
    return Scanned(engine, held)
