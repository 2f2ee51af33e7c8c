"""How fast a site is scanned, beside yara-python with the same rules and clamscan with one signature on the same files.

A site of 20,000 files with 300 MB on this machine's disk, reached over SSH. `core_s`: every file of WordPress compared
with its manifest, from the first question to what is kept. `files_per_s`: PHP that no manifest knows (WordPress's own,
as if it were not known, and plugins' code), read on the host, sent over SSH, judged in the locked scanners, with their
start. `host_files_per_s`: the same files judged where they lie, by a yara-x of the host's own (the bench's, copied).
The others read the same files from the disk. Paired and interleaved; medians of five rounds.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import files, version
from pathlib import Path
from typing import Any

import yara  # pyright: ignore[reportMissingTypeStubs]

from _ground import add_keys, add_workspace, median, result, rounds, say, server
from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Hosting, Site
from steelyard.demo.hosting.odd import fill_files
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection, Database
from steelyard.toolbox.hosted.places import is_program
from steelyard.toolbox.hosted.scanner.looking import GLOBALS
from steelyard.toolbox.model import Host, HostId, RunId, Token
from steelyard.toolbox.model import Site as Known
from steelyard.toolbox.reach import Errand, Login, Reached
from steelyard.toolbox.registry import NewHost, NewSite, add_host, add_site
from steelyard.toolbox.scanning.model import Entry, Layout, Memory
from steelyard.toolbox.scanning.on_host import OnHost
from steelyard.toolbox.scanning.packs import own_pack
from steelyard.toolbox.scanning.scan import survey, worker_verbs
from steelyard.toolbox.scanning.search import Search
from steelyard.toolbox.steps import RunContext

FILES = int(os.environ.get("FILES", "20000"))
CORE_S, FILES_PER_S = 0.3, 2000
Files = Mapping[str, tuple[str, int]]


def main() -> None:
    """Runs the rounds and prints the result."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-scan-", dir=os.environ.get("FOLDER")))
    folder.chmod(0o755)
    try:
        with server() as embedded, Hosting.start(folder / "host") as hosting:
            site = hosting.make_site("shop.example")
            fill_files(site, FILES, FILES * 3 // 200)
            asyncio.run(measure(embedded.app_url, site, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def measure(url: str, site: Site, folder: Path) -> None:
    """The rounds."""
    workspace = add_workspace(url, add_keys(folder))
    host = Host(HostId(1), "web1", "127.0.0.1", site.hosting.sshd.port, site.hosting.sshd.user)
    async with Database.open(url) as database:
        context = await known(database, workspace, site, host)
        async with SshReach(Keys(site.hosting)).open(host, Errand(context.token, context.site)) as reached:
            core = Path(site.hosting.template.wordpress.core)
            scan = Scan(reached, context, core, yara_of_the_host(folder / "yara"))
            await scan.look()
            others = Others([Path(each.name) for each in scan.programs], folder)
            names = ("core_s", "files_per_s", "host_files_per_s", "yara_python", "clamscan")
            times: dict[str, list[float]] = {name: [] for name in names}
            say(f"{len(scan.programs)} PHP files with {scan.megabytes:.0f} MB of {scan.files} files")
            await scan.core()
            for number in rounds():
                times["core_s"].append(await scan.core())
                times["files_per_s"].append(await scan.search())
                times["host_files_per_s"].append(await scan.search(there=True))
                times["yara_python"].append(await asyncio.to_thread(others.yara_python))
                times["clamscan"].append(await asyncio.to_thread(others.clamscan))
                say(f"round {number}: " + ", ".join(f"{name} {each[-1]:.2f}" for name, each in times.items()))
    report(times, scan.found)


def report(times: Mapping[str, Sequence[float]], found: int) -> None:
    """Medians; the ratio is to the faster of the two in the same round."""
    medians = {name: median(each) for name, each in times.items()}
    pairs = zip(times["files_per_s"], times["yara_python"], times["clamscan"], strict=True)
    ratio = median([ours / max(others) for ours, *others in pairs])
    met = {"core_s": medians["core_s"] <= CORE_S, "files_per_s": medians["files_per_s"] >= FILES_PER_S}
    passed = found == 0 and ratio >= 1 and all(met.values())
    paired = "yara-python, same rules, 2 threads; clamscan, one signature"
    result(**medians, ratio=ratio, findings=found, paired_with=paired, met=met, **{"pass": passed})


class Scan:
    """Our way, over one connection."""

    def __init__(self, reached: Reached, context: RunContext, core: Path, python: str) -> None:
        """`python`: one of the host's that has yara-x."""
        self._reached, self._context = reached, context
        self._yara = {"python": python, "version": version("yara-x")}
        docroot = context.site.docroot
        self._layout = Layout(docroot, docroot, f"{docroot}/wp-content", f"{docroot}/wp-content/plugins")
        self._verbs = worker_verbs(Held(files_of(core)))
        self.programs: list[Entry] = []
        self.files = self.found = 0

    async def look(self) -> None:
        """Finds the PHP of the site."""
        seen = await survey(self._reached, self._layout, self._context)
        self._layout = seen.layout
        self.files = len(seen.entries)
        self.programs = [each for each in seen.entries.values() if is_program(each.name)]

    @property
    def megabytes(self) -> float:
        """Of PHP."""
        return sum(each.size for each in self.programs) / 1e6

    async def core(self) -> float:
        """Seconds until core is known by its manifest."""
        args = {"layout": list(self._layout), "version": "7.1.1", "locale": "en_US", "core_only": True}
        began = time.monotonic()
        told = await self._verbs["scan.compare"](self._reached, args, self._context)
        took = time.monotonic() - began
        if told["report"]["compared"]["known"] < 3700 or told["findings"]:
            raise SystemExit(f"core was not known: {told}")
        return took

    async def search(self, *, there: bool = False) -> float:
        """PHP files a second, as if nothing was known of any; `there`: judged by the host's own yara-x."""
        memory, tell, packs = Memory("bench"), self._context.tell, [own_pack()]
        host = OnHost(self._reached, tell, self._yara, packs, self._layout, "web1") if there else None
        search = Search(self._reached, tell, self._layout, packs, memory, host)
        began = time.monotonic()
        await search.all(self.programs, nothing)
        took = time.monotonic() - began
        told = search.told()
        where = told["on_host"] == told["read"] if there else "calls" in told["locks"]
        if told["read"] != len(self.programs) or told["skipped_count"] or not where:
            raise SystemExit(f"not all was looked at, or not locked in: {told}")
        self.found = max(self.found, sum(len(each.hits) for each in memory.files.values()))
        return len(self.programs) / took


class Others:
    """What scanners do that read from the disk."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._files = files
        self._rules: Any = yara.compile(  # pyright: ignore[reportUnknownMemberType, reportAttributeAccessIssue]
            source=own_pack().rules, externals=dict.fromkeys(GLOBALS, "")
        )
        self._list, self._database = folder / "files", folder / "one.ndb"
        self._list.write_text("".join(f"{each}\n" for each in files))
        self._database.write_text("Steelyard.Bench:0:*:0123456789abcdef0123456789abcdef\n")

    def yara_python(self) -> float:
        """Files a second, in two threads."""
        waiting = iter(self._files)
        lock = threading.Lock()
        began = time.monotonic()

        def work() -> None:
            while True:
                with lock:
                    path = next(waiting, None)
                if path is None:
                    return
                data = path.read_bytes()
                hashlib.sha256(data).hexdigest()
                self._rules.match(data=data, externals={"extension": path.suffix})

        threads = [threading.Thread(target=work) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return len(self._files) / (time.monotonic() - began)

    def clamscan(self) -> float:
        """Files a second, with its start."""
        argv = ["clamscan", f"--database={self._database}", f"--file-list={self._list}", "--infected", "--no-summary"]
        began = time.monotonic()
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise SystemExit(f"clamscan ended with {done.returncode}: {done.stderr[-300:]}")
        return len(self._files) / (time.monotonic() - began)


class Held:
    """A manifest of core, as a slot would give it."""

    def __init__(self, files: Files) -> None:
        self._files = files

    async def __call__(self, conn: Connection, kind: str, slug: str, version: str, locale: str) -> Files | None:
        """See manifests.Releases."""
        return self._files if kind == "core" else None


def yara_of_the_host(folder: Path) -> str:
    """A Python in `folder` that every account of this machine can run, with the yara-x of this one."""
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for each in files("yara-x") or ():
        (packages / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(each.locate(), packages / each)
    return str(folder / "bin" / "python")


def files_of(folder: Path) -> Files:
    """SHA-256 and bytes of all files in a folder."""
    found = (each for each in folder.rglob("*") if each.is_file())
    return {
        each.relative_to(folder).as_posix(): (hashlib.sha256(each.read_bytes()).hexdigest(), each.stat().st_size)
        for each in found
    }


async def known(database: Database, workspace: WorkspaceId, site: Site, host: Host) -> RunContext:
    """The site in the registry, and a run that scans it."""
    now = datetime.now(UTC)
    async with database.transaction(workspace) as conn:
        number = await add_host(conn, workspace, NewHost("web1", "local", host.account, local=True), now)
        new = NewSite(site.name, number, str(site.docroot), host.account, site.url, "")
        registered = await add_site(conn, workspace, new, now)
        row = await (
            await conn.execute(
                "INSERT INTO run (workspace, token, runbook, digest, risk, site, params, state, minutes, asked_at)"
                " VALUES (%s, '0a1b2c3d', 'scan_malware', '', 'reads', %s, '{}', 'running', 20, %s) RETURNING run",
                [workspace, registered, now],
            )
        ).fetchone()
    if row is None:
        raise SystemExit("there is no run")
    known_site = Known(registered, site.name, site.url, str(site.docroot), host.account, host)
    token = Token("0a1b2c3d")
    return RunContext(workspace, RunId(row[0]), known_site, token, database, unheard, now)


async def nothing() -> None:
    """Nothing is kept on the way."""


def unheard(_: Any) -> None:
    """Nobody listens."""


class Keys:
    """How the host is signed in on."""

    def __init__(self, hosting: Hosting) -> None:
        self._hosting = hosting

    async def of(self, host: Host) -> Login:
        """The same for every host."""
        sshd = self._hosting.sshd
        return Login("127.0.0.1", sshd.port, sshd.user, sshd.host_key, sshd.client_key)


if __name__ == "__main__":
    main()
