"""How fast a site is reset: over the same by WP-CLI's commands, one after the other, with a backup.

A site of 20,000 files with 300 MB, and 42 tables with 190 MB, on real servers on this machine's disk. Ours is a run of
the engine, whole, from the press that confirms its plan to the last check: a new SSH connection, facts and plan once
more, every step with its journal. `reset_s` takes a spare that lies beside the site, `copied_s` copies the slot.
Paired and interleaved; medians of five rounds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from _ground import add_keys, add_workspace, median, result, rounds, say, server
from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Hosting, Site
from steelyard.demo.hosting.odd import fill_database, fill_files
from steelyard.jobs.app import deferring_app
from steelyard.kit.ids import WorkspaceId
from steelyard.store.boxes import lid_of, publish_lid
from steelyard.store.database import Connection, Database
from steelyard.store.keys import WORKER, key_file
from steelyard.store.ledger import Ledger
from steelyard.toolbox import slots, slots_archive, slots_template
from steelyard.toolbox.acts import Request, RunActs, command_line
from steelyard.toolbox.batches import Turns
from steelyard.toolbox.ground import RunGround
from steelyard.toolbox.model import Action, Host, Json, RunId, SiteId, Token
from steelyard.toolbox.model import Site as Known
from steelyard.toolbox.reach import Errand, Login
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site
from steelyard.toolbox.run import work_on
from steelyard.toolbox.runbooks import load
from steelyard.toolbox.runs_read import read_run
from steelyard.toolbox.secrets import opened_with
from steelyard.toolbox.tasks import RunJobs
from steelyard.toolbox.tools import core

FILES = int(os.environ.get("FILES", "20000"))
MEGABYTES = int(os.environ.get("MEGABYTES", "190"))
NAME = "shop.example"


def main() -> None:
    """Runs the rounds and prints the result."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-reset-", dir=os.environ.get("FOLDER")))
    folder.chmod(0o755)
    try:
        with server() as embedded, Hosting.start(folder / "host", buffer_pool="1G") as hosting:
            asyncio.run(measure(embedded.app_url, hosting, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(url: str, hosting: Hosting, folder: Path) -> None:
    """The rounds: the naive way on one site, ours on another of the same size, its undo, and again without a spare."""
    keys = add_keys(folder)
    workspace = add_workspace(url, keys)
    held = await asyncio.to_thread(make_slot, hosting, folder / "slots")
    ours = await asyncio.to_thread(large, hosting, NAME)
    naive = await asyncio.to_thread(large, hosting, "naive.example")
    times: dict[str, list[float]] = {"reset": [], "undo": [], "naive": [], "copied": [], "steps": []}
    saved = await asyncio.to_thread(save, naive, folder)
    async with Database.open(url) as database, runner(database, workspace, hosting, folder, keys, held) as engine:
        await engine.ready(ours)
        await engine.turn("reset", {})  # warm: bytecode, buffer pool
        await engine.turn("undo", {})
        for number in rounds():
            await engine.spare(ours, held)
            times["reset"].append(await engine.turn("reset", {}))
            times["undo"].append(await engine.turn("undo", {}))
            times["steps"].append(engine.took)
            times["copied"].append(await engine.turn("reset", {}))
            await engine.turn("undo", {})
            times["naive"].append(await asyncio.to_thread(reset_naively, naive, folder))
            await asyncio.to_thread(restore, naive, saved, folder)
            say(f"round {number}: " + ", ".join(f"{name} {each[-1]:.2f}" for name, each in times.items()))
    medians = {f"{name}_s": median(each) for name, each in times.items()}
    ratio = median([slow / fast for slow, fast in zip(times["naive"], times["reset"], strict=True)])
    result(**medians, ratio=ratio)


def make_slot(hosting: Hosting, folder: Path) -> Mapping[str, Json]:
    """The slot on the host, and what the cell offers of it."""
    slot = folder / "core-7.1.1-en_US"
    files = slots_archive.unpack(hosting.template.wordpress.archive, slot / "files").files
    template = slots_template.make(hosting.template.wordpress.core, "en_US")
    manifest = slots.manifest("core", "wordpress", "7.1.1", "en_US", files, template)
    (slot / "manifest.json").write_bytes(manifest)
    (slot / "template.json").write_text(template)
    one = {"version": "7.1.1", "locale": "en_US", "sha256": hashlib.sha256(manifest).hexdigest(), "files": len(files)}
    return {"core": [{**one, "bytes": sum(each[1] for each in files), "tables": json.loads(manifest)["tables"]}]}


def large(hosting: Hosting, name: str) -> Site:
    """A site as large as the facts say."""
    site = hosting.make_site(name)
    fill_files(site, FILES)
    fill_database(site, megabytes=MEGABYTES)
    say(f"{name}: {FILES} files, {len(site.tables())} tables with {MEGABYTES} MB")
    return site


class Engine:
    """Runs of one site, worked off here."""

    def __init__(
        self, ground: RunGround, acts: RunActs, workspace: WorkspaceId, hosting: Hosting, folder: Path
    ) -> None:
        self.ground, self.acts, self.workspace, self.hosting, self.folder = ground, acts, workspace, hosting, folder
        self.standing = command_line(workspace)
        self.last = RunId(0)
        self.took = 0.0
        self.site = SiteId(0)

    async def ready(self, site: Site) -> None:
        """The site and its host are in the registry."""
        hints = {
            "php": str(self.hosting.php.binary),
            "slots": str(self.folder / "slots"),
            "http_to": ["127.0.0.1", self.hosting.nginx.port],
            "fpm_pools": str(self.hosting.php.folder / "fpm/pool.d"),
            "fpm_reload": {"argv": self.hosting.php.reload_command, "by": "site"},
        }
        user, now = self.hosting.sshd.user, datetime.now(UTC)
        async with self.ground.database.transaction(self.workspace) as conn:
            new = NewHost("web1", "127.0.0.1", user, local=True, hints=hints)
            host = await add_host(conn, self.workspace, new, now)
            known = NewSite(site.name, host, str(site.docroot), user, site.url, "")
            self.site = await add_site(conn, self.workspace, known, now)

    async def turn(self, what: str, given: Mapping[str, str]) -> float:
        """Seconds from the press to the end of a run: a reset, or the undo of the last one."""
        if what == "reset":
            self.last = await self.acts.ask(self.standing, Request("reset_wordpress", [self.site], given))
            await work_on(self.ground, self.workspace, self.last)
            plan = await self.seen(self.last)
            if plan.state != "planned":
                raise SystemExit(f"it cannot be reset: {plan.reason}")
            began = time.monotonic()
            await self.acts.confirm(self.standing, self.last, plan.plan_digest, NAME)
            run = self.last
        else:
            began = time.monotonic()
            run = await self.acts.undo(self.standing, self.last)
        await work_on(self.ground, self.workspace, run)
        took = time.monotonic() - began
        ended = await self.seen(run)
        if ended.state != "done":
            raise SystemExit(f"the {what} ended as {ended.state}: {ended.reason}")
        self.took = sum(each.took_ms or 0 for each in ended.steps) / 1000
        if os.environ.get("STEPS"):
            say(f"  {what} {took:.2f}: " + ", ".join(f"{each.name} {each.took_ms}" for each in ended.steps))
        return took

    async def seen(self, run: RunId) -> Any:
        """A run as it stands."""
        async with self.ground.database.transaction(self.workspace) as conn:
            return await read_run(conn, run)

    async def spare(self, site: Site, held: Mapping[str, Json]) -> None:
        """A copy of WordPress beside the site, as `steelyard core copy --site` makes it."""
        slot = core.slots(held)[0]
        path = str(self.folder / "slots" / slot.name)
        await self.call(core.spare(str(site.docroot), path, slot.sha256), site)

    async def call(self, action: Action, site: Site) -> None:
        """One action on the host, besides any run."""
        host = Host(1, "web1", "127.0.0.1", self.hosting.sshd.port, self.hosting.sshd.user)  # type: ignore[arg-type]
        known = Known(self.site, site.name, site.url, str(site.docroot), host.account, host)
        async with SshReach(Keys(self.hosting)).open(host, Errand(Token("5a5a5a5a"), known)) as reached:
            await reached.call(action, lambda _: None)


@asynccontextmanager
async def runner(
    database: Database, workspace: WorkspaceId, hosting: Hosting, folder: Path, keys: Path, held: Mapping[str, Json]
) -> AsyncGenerator[Engine]:
    """The engine as a worker has it, over SSH."""

    async def offered(_: Connection) -> Mapping[str, Json]:
        return held

    async with database.cell() as conn:
        await publish_lid(conn, lid_of(key_file(keys, WORKER)))
    jobs, ledger, runbooks = RunJobs(deferring_app()), Ledger(), load()
    acts = RunActs(database, ledger, runbooks, jobs, lambda: datetime.now(UTC))
    way = SshReach(Keys(hosting))
    ground = RunGround(
        database, ledger, runbooks, lambda _: way, opened_with(keys), Turns(acts), acts.clock, {}, offered
    )
    yield Engine(ground, acts, workspace, hosting, folder)


class Keys:
    """How the host is signed in on."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting

    async def of(self, host: Host) -> Login:
        """The same for every host."""
        sshd = self._hosting.sshd
        return Login("127.0.0.1", sshd.port, sshd.user, sshd.host_key, sshd.client_key)


# The naive way: what a support engineer types today, on the host itself, without any SSH


def reset_naively(site: Site, folder: Path) -> float:
    """Backup, database, files, install, looks: the commands one after the other."""
    hosting, backup = site.hosting, folder / "backup"
    hosting.owner.make_folder(backup)
    cache = hosting.owner.make_folder(folder / "cache/core")
    shutil.copy(hosting.template.wordpress.archive, cache)
    environment = {"WP_CLI_CACHE_DIR": str(folder / "cache")}
    wp = [str(hosting.php.binary), str(hosting.wp_cli), f"--path={site.docroot}"]
    access = [f"--dbname={site.database}", f"--dbuser={site.user}", f"--dbpass={site.password}"]
    began = time.monotonic()
    for argv in (
        [*wp, "db", "export", str(backup / "site.sql")],
        ["tar", "-cf", str(backup / "site.tar"), "-C", str(site.docroot), "."],
        [*wp, "db", "reset", "--yes"],
        ["find", str(site.docroot), "-mindepth", "1", "-delete"],
        [*wp, "core", "download", "--version=7.1.1", "--locale=en_US"],
        [*wp, "config", "create", *access, f"--dbhost=localhost:{hosting.mariadb.socket}", "--skip-check"],
        [*wp, "core", "install", f"--url={site.url}", "--title=Shop", "--admin_user=admin", "--admin_password=x",
         "--admin_email=a@shop.example", "--skip-email"],
        [*wp, "core", "version"],
        [*wp, "user", "list", "--format=count"],
        [*wp, "option", "get", "siteurl"],
    ):  # fmt: skip
        hosting.owner.run(argv, folder=folder / "host/home", environment=environment, timeout=300)
    return time.monotonic() - began


def save(site: Site, folder: Path) -> Path:
    """What is put back between the rounds."""
    saved = folder / "saved"
    subprocess.run(["cp", "-a", str(site.docroot), str(saved)], check=True)
    dump = [*site.hosting.mariadb.admin_arguments, "--single-transaction", site.database]
    with (folder / "saved.sql").open("wb") as out:
        subprocess.run(["mariadb-dump", *dump], check=True, stdout=out)
    return saved


def restore(site: Site, saved: Path, folder: Path) -> None:
    """The naive site as large as before."""
    shutil.rmtree(site.docroot)
    subprocess.run(["cp", "-a", str(saved), str(site.docroot)], check=True)
    shutil.rmtree(folder / "backup", ignore_errors=True)
    arguments = site.hosting.mariadb.admin_arguments
    reset = f"DROP DATABASE `{site.database}`; CREATE DATABASE `{site.database}` CHARACTER SET utf8mb4"
    subprocess.run(["mariadb", *arguments, f"--execute={reset}"], check=True)
    with (folder / "saved.sql").open("rb") as saved_sql:
        subprocess.run(["mariadb", *arguments, site.database], check=True, stdin=saved_sql)


if __name__ == "__main__":
    main()
