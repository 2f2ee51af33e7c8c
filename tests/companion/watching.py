"""A browser in which nothing but the companion watches: no tool is attached to its tabs, nor to the worker.

A tool that is attached forbids prerendering and the back-forward cache, and holds a worker that starts. So the browser
is steered from a page of the extension, by what the extension may do.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from composing import CHROMIUM, ROOT
from waiting import PATIENCE, until

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]
# In the page itself, so that its history and its service worker are its own.
IN_PAGE = """async ([tabId, code, value]) => {
  const func = (code, value) => (0, eval)(code)(value);
  const injection = { target: { tabId }, world: "MAIN", func, args: [code, value] };
  return (await chrome.scripting.executeScript(injection))[0].result;
}"""
READY = "async () => (await chrome.action?.getTitle({}))?.toLowerCase().includes('reload')"


def permitted(folder: Path, *hosts: str) -> Path:
    """A copy of the extension that has the permission for these hosts: no test can press the browser's own prompt."""
    shutil.copytree(ROOT / "extension", folder, ignore=shutil.ignore_patterns("tests"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["host_permissions"] = hosts
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "probe.html").write_text("<!doctype html><title>probe</title>")
    return folder


class Pipe:
    """The browser's own protocol, over a pair of pipes."""

    def __init__(self, reader: asyncio.StreamReader, writer: int) -> None:
        self.heard: list[dict[str, Any]] = []
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self.reading = asyncio.create_task(self._read())

    async def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """What the browser answers."""
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        call = {"id": number, "method": method, "params": parameters, **({"sessionId": session} if session else {})}
        os.write(self._writer, json.dumps(call).encode() + b"\0")
        answer = await asyncio.wait_for(answered, PATIENCE)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    async def _read(self) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                if waiting := self._waiting.pop(message.get("id", 0), None):
                    if not waiting.done():
                        waiting.set_result(message)
                else:
                    self.heard.append(message)


@dataclass
class Watched:
    """The browser."""

    pipe: Pipe
    probe: str
    id: str

    async def run(self, code: str, argument: Any = None) -> Any:
        """Calls a function where the extension's own pages run."""
        call = f"({code})({json.dumps(argument)})"
        how = {"expression": call, "awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = await self.pipe.send("Runtime.evaluate", self.probe, **how)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", answer))
        return answer["result"].get("value")

    async def until(self, read: Callable[[], Awaitable[Any]], holds: Callable[[Any], object]) -> Any:
        """What is read, once that holds of it."""
        return await until(read, holds)

    async def open(self, url: str = "about:blank") -> Tab:
        """A new tab, in front."""
        number = await self.run("(url) => chrome.tabs.create({ url }).then((tab) => tab.id)", url)
        return Tab(number, self)

    async def kept(self) -> dict[str, Any]:
        """All that the companion has of tabs."""
        all_of_it: dict[str, Any] = await self.run("() => chrome.storage.session.get()")
        return {name: value for name, value in all_of_it.items() if name.startswith("tab ")}

    async def kill(self) -> None:
        """Stops the worker, as the browser does with one that has nothing to do, and waits until it is."""
        before = len(self.pipe.heard)
        if "running" not in self._states(0)[-1:]:
            return
        await self.pipe.send("ServiceWorker.stopAllWorkers", self.probe)

        async def states() -> list[str]:
            return self._states(before)

        await until(states, lambda told: "stopped" in told, "it runs")

    def _states(self, since: int) -> list[str]:
        """What was told of the worker, in order."""
        told = [event for event in self.pipe.heard[since:] if event["method"] == "ServiceWorker.workerVersionUpdated"]
        versions = [version for event in told for version in event["params"]["versions"]]
        return [each["runningStatus"] for each in versions if self.id in each["scriptURL"]]


@dataclass
class Tab:
    """A tab, by the number that the extension knows it by."""

    number: int
    browser: Watched = field(repr=False)

    async def go(self, url: str) -> None:
        await self.browser.run("([tab, url]) => chrome.tabs.update(tab, { url }).then(() => 0)", [self.number, url])

    async def run(self, code: str, argument: Any = None) -> Any:
        """Calls a function in the page itself."""
        return await self.browser.run(IN_PAGE, [self.number, code, argument])

    async def does(self, deed: str) -> None:
        """reload, goBack, remove, discard: as the browser's own buttons."""
        await self.browser.run(f"(tab) => chrome.tabs.{deed}(tab).then(() => 0)", self.number)

    async def shown(self) -> dict[str, Any] | None:
        """What the companion has kept as this tab's page."""
        key = f"tab {self.number}"
        return await self.browser.run("(key) => chrome.storage.session.get(key).then((all) => all[key]?.page)", key)

    async def until(self, holds: Callable[[Any], object]) -> dict[str, Any]:
        """Its page once that holds of it; fails with what is kept instead."""
        return await self.browser.until(self.shown, lambda page: page and holds(page))

    async def at(self, url: str) -> dict[str, Any]:
        """Its page once it is this one, and all of it was there if it was seen."""
        return await self.until(lambda page: page["at"] == url and (page["ms"] or not page["seen"]))

    async def badge(self) -> list[str]:
        """What the toolbar says: the sign and the sentence."""
        calls = "Promise.all([chrome.action.getBadgeText({ tabId }), chrome.action.getTitle({ tabId })])"
        return await self.browser.run(f"(tabId) => {calls}", self.number)

    async def says(self, sign: str, sentence: str = "") -> None:
        """Waits until the toolbar says this."""
        await self.browser.until(self.badge, lambda badge: badge[0] == sign and sentence in badge[1])


@asynccontextmanager
async def watched(extension: Path, profile: Path, language: str = "en") -> AsyncIterator[Watched]:
    """A browser with that extension, in which every invented name leads to this machine."""
    to_browser, from_browser = os.pipe(), os.pipe()
    loading = [f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    options = [*FLAGS, *loading, f"--lang={language}", f"--user-data-dir={profile}", "about:blank"]
    script = f'exec 3<&{to_browser[0]} 4>&{from_browser[1]}; exec "$@"'
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, "bash", CHROMIUM, *options, pass_fds=(to_browser[0], from_browser[1]),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(to_browser[0])
    os.close(from_browser[1])
    reader = asyncio.StreamReader(limit=2**26)
    reading = os.fdopen(from_browser[0], "rb", 0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), reading)
    pipe = Pipe(reader, to_browser[1])
    try:
        yield await started(pipe, extension)
        with suppress(RuntimeError, TimeoutError):
            await pipe.send("Browser.close")
        await asyncio.wait_for(process.wait(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
        pipe.reading.cancel()
        os.close(to_browser[1])


@asynccontextmanager
async def permitting(folder: Path, *hosts: str) -> AsyncIterator[Watched]:
    """A browser in which the companion has the permission for these hosts."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
    async with watched(permitted(folder / "extension", *hosts), folder / "profile") as browser:
        yield browser


def named(extension: Path) -> str:
    """What the browser calls an extension that is loaded from a folder."""
    digest = hashlib.sha256(str(extension.resolve()).encode()).hexdigest()[:32]
    return "".join(chr(ord("a") + int(each, 16)) for each in digest)


async def started(pipe: Pipe, extension: Path) -> Watched:
    """The browser once the worker has done what it does first."""
    name = named(extension)
    await until(
        lambda: pipe.send("Target.getTargets"),
        lambda told: any(each["type"] == "service_worker" and name in each["url"] for each in told["targetInfos"]),
        "no worker",
    )
    target = (await pipe.send("Target.createTarget", url=f"chrome-extension://{name}/probe.html"))["targetId"]
    session = (await pipe.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    await pipe.send("ServiceWorker.enable", session)
    watched = Watched(pipe, session, name)
    await watched.until(
        lambda: watched.run("() => chrome.action?.getTitle({})"), lambda title: title and "reload" in title.lower()
    )
    return watched
