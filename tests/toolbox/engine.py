"""An engine for tests: a workspace with sites on this machine, and runs that are worked off when a test says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from reaching import ACCOUNT

from steelyard.adapters.local import LocalReach
from steelyard.jobs.app import deferring_app
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.permissions import Role, Standing
from steelyard.store.boxes import lid_of, publish_lid
from steelyard.store.database import Connection, Database
from steelyard.store.keys import WORKER, key_file
from steelyard.store.ledger import Ledger
from steelyard.toolbox.acts import Request, RunActs, command_line
from steelyard.toolbox.batches import Batches, Turns
from steelyard.toolbox.erasing import tidy
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.model import Json, RunId, SiteId
from steelyard.toolbox.reach import Reach
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site
from steelyard.toolbox.run import work_on
from steelyard.toolbox.runbooks import load
from steelyard.toolbox.runs_read import read_lines, read_run
from steelyard.toolbox.runs_seen import RunSeen
from steelyard.toolbox.secrets import opened_with
from steelyard.toolbox.tasks import RunJobs

RUNBOOKS = load(Path(__file__).parent / "runbooks")


@dataclass
class Moving:
    """A clock that a test moves; it goes on by itself a little, too."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Engine:
    """Runs in one workspace."""

    database: Database
    workspace: WorkspaceId
    ground: RunGround
    acts: RunActs
    folder: Path
    clock: Moving
    sites: dict[str, SiteId] = field(default_factory=dict)

    @property
    def batches(self) -> Batches:
        return Batches(self.acts)

    @property
    def here(self) -> Standing:
        """Who may do everything."""
        return command_line(self.workspace)

    def person(self, number: int, *roles: Role) -> Standing:
        return Standing(self.workspace, PersonId(number), frozenset(roles or (Role.ENGINEER,)))

    def docroot(self, name: str = "shop.example") -> Path:
        return self.folder / name

    def motto(self, name: str = "shop.example") -> str:
        return (self.docroot(name) / "motto").read_text()

    async def add_site(self, name: str = "shop.example", motto: str = "old", group: str = "") -> SiteId:
        self.docroot(name).mkdir(parents=True)
        (self.docroot(name) / "motto").write_text(motto)
        async with self.database.transaction(self.workspace) as conn:
            if not self.sites:
                host = NewHost("here", "local", ACCOUNT, local=True)
                self.host = await add_host(conn, self.workspace, host, self.clock())
            new = NewSite(name, self.host, str(self.docroot(name)), ACCOUNT, f"http://{name}", group)
            self.sites[name] = await add_site(conn, self.workspace, new, self.clock())
        return self.sites[name]

    async def ask(self, runbook: str, who: Standing | None = None, *sites: str, **given: Any) -> RunId:
        names = sites or ("shop.example",)
        at_once = given.pop("at_once", False)
        request = Request(
            runbook, [self.sites[name] for name in names], {k: str(v) for k, v in given.items()}, at_once=at_once
        )
        return await self.acts.ask(who or self.here, request)

    async def planned(self, runbook: str, who: Standing | None = None, **given: Any) -> RunSeen:
        run = await self.ask(runbook, who, **given)
        await self.work(run)
        return await self.run(run)

    async def done(self, runbook: str, **given: Any) -> RunSeen:
        """Asked, planned, confirmed, done."""
        seen = await self.planned(runbook, **given)
        await self.acts.confirm(self.here, seen.run, seen.plan_digest, "shop.example")
        await self.work(seen.run)
        return await self.run(seen.run)

    async def work(self, run: RunId) -> None:
        await work_on(self.ground, self.workspace, run)

    async def settle(self) -> None:
        """Works off all that waits for a worker."""
        for _ in range(100):
            rows = await self.rows(
                "SELECT run FROM run WHERE state IN ('planning', 'queued', 'running', 'undoing') ORDER BY run"
            )
            if not rows:
                return
            for (run,) in rows:
                await self.work(RunId(run))
        raise AssertionError("it does not settle")

    async def run(self, run: RunId) -> RunSeen:
        async with self.database.transaction(self.workspace) as conn:
            seen = await read_run(conn, run)
        assert seen is not None
        return seen

    async def lines(self, run: RunId) -> list[str]:
        async with self.database.transaction(self.workspace) as conn:
            return [line.said for line in await read_lines(conn, run)]

    async def rows(self, query: Any, *values: object) -> list[Any]:
        async with self.database.transaction(self.workspace) as conn:
            return await (await conn.execute(query, values)).fetchall()

    async def facts(self) -> list[tuple[str, dict[str, Any], int | None]]:
        return await self.rows("SELECT kind, data, person FROM ledger ORDER BY position")

    async def tidy(self) -> int:
        return await tidy(self.database, self.workspace, self.acts.jobs, self.clock)  # type: ignore[arg-type]


async def no_slots(_: Connection) -> Mapping[str, Json]:
    return {}


async def engine_in(
    database: Database, workspace: WorkspaceId, folder: Path, keys: Path, reach: Reach | None = None
) -> Engine:
    """An engine whose first site is shop.example."""
    clock, ledger, jobs = Moving(), Ledger(), RunJobs(deferring_app())
    acts = RunActs(database, ledger, RUNBOOKS, jobs, clock)
    async with database.cell() as conn:
        await publish_lid(conn, lid_of(key_file(keys, WORKER)))
    way = reach or LocalReach()
    ground = RunGround(
        database,
        ledger,
        RUNBOOKS,
        lambda _: way,
        opened_with(keys),
        Turns(acts),
        clock,
        {},
        no_slots,
        (0.01, 0.01),
    )
    engine = Engine(database, workspace, ground, acts, folder, clock)
    await engine.add_site()
    return engine
