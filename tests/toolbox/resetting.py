"""Resets of real sites over a real SSH server, as a worker does them; a core slot on the host, made once."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reaching import Keys, host_of, login_of

from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Hosting
from steelyard.demo.hosting import Site as RealSite
from steelyard.toolbox import slots
from steelyard.toolbox.catalog.reset_wordpress.runbook import RUNBOOK
from steelyard.toolbox.journal import agrees
from steelyard.toolbox.model import Action, Plan, Site, SiteId, Token, decode, encode
from steelyard.toolbox.parameters import read_values
from steelyard.toolbox.reach import Errand, Line, Progress, Reached
from steelyard.toolbox.runbook import Asked, Left
from steelyard.toolbox.slots_archive import unpack

TOKEN = Token("0a1b2c3d")


@dataclass(frozen=True)
class HostSlot:
    """A slot as it lies on a host, and as the cell offers it."""

    folder: Path
    offered: Mapping[str, Any]

    @property
    def path(self) -> Path:
        one = self.offered["core"][0]
        return self.folder / slots.name_of("core", "wordpress", one["version"], one["locale"])

    def without_template(self) -> dict[str, Any]:
        return {"core": [{**self.offered["core"][0], "tables": []}]}


def make_slot(hosting: Hosting, folder: Path, template: str) -> HostSlot:
    """Of the archive that the tests have. `template`: of its tables."""
    slot = folder / "core-7.1.1-en_US"
    files = unpack(hosting.template.wordpress.archive, slot / "files").files
    manifest = slots.manifest("core", "wordpress", "7.1.1", "en_US", files, template)
    (slot / "manifest.json").write_bytes(manifest)
    (slot / "template.json").write_text(template)
    one = {
        "version": "7.1.1",
        "locale": "en_US",
        "sha256": slots.hashlib.sha256(manifest).hexdigest(),
        "files": len(files),
        "bytes": sum(size for _, size, _ in files),
        "tables": json.loads(manifest)["tables"],
    }
    return HostSlot(folder, {"core": [one]})


@dataclass
class Resetting:
    """One site and its resets."""

    real: RealSite
    slot: HostSlot
    token: Token = TOKEN
    given: dict[str, str] = field(default_factory=dict)
    offered: Mapping[str, Any] | None = None
    hints: Mapping[str, Any] = field(default_factory=dict[str, Any])
    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    @property
    def site(self) -> Site:
        hosting = self.real.hosting
        hints = {
            "php": str(hosting.php.binary),
            "slots": str(self.slot.folder),
            "http_to": ["127.0.0.1", hosting.nginx.port],
            "fpm_pools": str(hosting.php.folder / "fpm/pool.d"),
            "fpm_reload": {"argv": hosting.php.reload_command, "by": "site"},
            **self.hints,
        }
        host = host_of(hosting)
        return Site(SiteId(1), self.real.name, self.real.url, str(self.real.docroot), host.account, host, "", hints)

    @property
    def asked(self) -> Asked:
        values = read_values(RUNBOOK, self.given)
        assert not values.wrong, values.wrong
        now, held = datetime.now(UTC), self.offered if self.offered is not None else self.slot.offered
        return Asked(self.site, values.values, self.token, now, slots=held)

    @asynccontextmanager
    async def reached(self) -> AsyncGenerator[Reached]:
        reach = SshReach(Keys(web1=login_of(self.real.hosting)))
        async with reach.open(self.site.host, Errand(self.token, self.site, True, self.secrets)) as reached:
            yield reached

    async def call(self, reached: Reached, action: Action) -> Any:
        # What a plan holds is stored before it is done.
        return await reached.call(decode(json.loads(json.dumps(encode(action)))), self._tell)

    def _tell(self, told: Line | Progress) -> None:
        if isinstance(told, Line):
            self.said.append(told.said)

    async def facts(self, reached: Reached) -> dict[str, Any]:
        reads = RUNBOOK.reads(self.asked)
        answers = await asyncio.gather(*(self.call(reached, each.action) for each in reads))
        return {each.into: answer for each, answer in zip(reads, answers, strict=True)}

    async def plan(self, reached: Reached) -> Plan:
        return RUNBOOK.plan(self.asked, await self.facts(reached))

    async def do(self, reached: Reached, plan: Plan, until: str = "") -> None:
        """The steps; those from `until` on are left out."""
        for step in plan.steps:
            if step.name == until:
                return
            for action in step.actions:
                await self.call(reached, action)

    async def prove(self, reached: Reached, plan: Plan) -> list[Any]:
        """What checks answer that do not agree."""
        wrong: list[Any] = []
        for check in plan.checks:
            for _ in range(check.tries):
                answer = await self.call(reached, check.action)
                if agrees(check.expects, answer):
                    break
                await asyncio.sleep(0.2)
            else:
                wrong.append(answer)
        return wrong

    async def reset(self) -> Plan:
        """Whole, over one connection."""
        async with self.reached() as reached:
            plan = await self.plan(reached)
            await self.do(reached, plan)
            assert await self.prove(reached, plan) == []
        return plan

    def left(self, plan: Plan) -> Left:
        keeps = json.loads(json.dumps(dict(plan.keeps)))
        return Left(self.site, self.asked.values, self.token, datetime.now(UTC), keeps)

    async def back(self, reached: Reached, plan: Plan) -> Plan:
        left = self.left(plan)
        assert RUNBOOK.undo
        assert RUNBOOK.undo_reads
        facts = {each.into: await self.call(reached, each.action) for each in RUNBOOK.undo_reads(left)}
        return RUNBOOK.undo(left, facts)

    async def undo(self, plan: Plan) -> Plan:
        async with self.reached() as reached:
            back = await self.back(reached, plan)
            await self.do(reached, back)
            assert await self.prove(reached, back) == []
        return back

    async def erase(self, plan: Plan) -> None:
        assert RUNBOOK.erase
        async with self.reached() as reached:
            for action in RUNBOOK.erase(self.left(plan)):
                await self.call(reached, action)


def seen(site: RealSite) -> dict[str, Any]:
    """All of a site that a reset may not lose: every file with its content and permissions, every row."""
    files: dict[str, Any] = {}
    for path in sorted(site.docroot.resolve().rglob("*")):
        stat = path.lstat()
        what = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        files[str(path.relative_to(site.docroot.resolve()))] = (what, stat.st_mode, stat.st_uid)
    quoted = {each: each.replace("`", "``") for each in site.tables() if not each.startswith("sy")}
    tables = {each: site.sql(f"SELECT * FROM `{name}`") for each, name in quoted.items()}
    return {"files": files, "tables": tables}


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
