"""What the companion costs while one types: 5,000 characters stand in ProseMirror, and a link is typed now and then.

Paired: three pages of one browser with the same editor and the same text, each in a window of its own, so that all
are in front; one at an address where the companion works, two where it does not. Each key is typed in all three, in an
order that changes from key to key. A key's own time is what the page's main thread works from this key to the next one:
all its tasks, also what waits until the key is drawn, in the thread's own time as the browser counts it, so that what
other programs take is not in it. No key is left out. After every fifth word nobody types for a while; what is put off
until then is told apart (`added_pause_ms`), and is in no key's time.

The keys of all rounds stand together. `added_p95_percent`: how much later the 95th percentile with the companion is
than that of both pages without; `noise_p95_percent`: the same between those two, which should be nothing; `between`:
the middle 95 % of what comes out if the same keys are drawn again by chance. `p50_ms` and `p95_ms`: what the
companion itself takes for each change of the text, with the look that follows it, if one does, in a pause as well.
`drawn`: what is waited for, from a key until the page has drawn it.
Before that, how soon its popup can be used (`_popup.py`).
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import BrowserContext, Page, async_playwright

from _ground import median, result, rounds, say
from _popup import popup_figures

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/companion"))
from composing import INBOX, bundled, configure, launch, serve

OUTSIDE = "https://inbox.test/inbox"
CONTROL = "https://other.test/inbox"
TEXT = "It was a long message of a customer about a slow site and much else. " * 73
TYPED = "Look at http://evil.com/x?y=1 and then at the page of https://example.com/a that we wrote about it, thanks."
PAUSE = 40  # milliseconds after each key
REST = 700  # milliseconds without a key: longer than what the companion takes for a pause
WORDS = 5  # after so many
AGAIN = 1000  # times that the keys are drawn by chance
MEASURE = """() => {
  window.taken = [];
  window.addEventListener("keydown", () => {
    const from = performance.now();
    const drawn = new MessageChannel();
    drawn.port1.onmessage = () => window.taken.push(performance.now() - from);
    requestAnimationFrame(() => drawn.port2.postMessage(""));
  }, { capture: true });
}"""
INSIDE = """async (folder) => {
  const { Watch } = await import(`${folder}composer/watch.js`);
  const { changed, check } = Watch.prototype;
  const spent = (globalThis.spent = []);
  const timed = (act) => { const from = performance.now(); act(); return performance.now() - from; };
  Watch.prototype.changed = function (records) { spent.push(timed(() => changed.call(this, records))); };
  Watch.prototype.check = function (finished) {
    let done = [];
    const taken = timed(() => { done = check.call(this, finished); });
    if (spent.length) spent[spent.length - 1] += taken;
    return done;
  };
}"""


def main() -> None:
    """Runs the rounds and prints the result."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-companion-") as folder:
        asyncio.run(measured(Path(folder)))


async def measured(folder: Path) -> None:
    """Types in the pages of one browser."""
    script = bundled(folder)
    popup = await popup_figures(folder / "popup")
    async with async_playwright() as playwright:
        context = await launch(playwright, folder)
        try:
            for address in (INBOX, OUTSIDE, CONTROL):
                await serve(context, script, address.removesuffix("/inbox"))
            await configure(context, trusted=["example.com"])
            report([await written(context, number) for number in rounds()], popup)
        finally:
            await context.close()


#: Of each key: with the companion, and twice without.
Keys = Sequence[tuple[float, ...]]


@dataclass
class Round:
    """Milliseconds of one round in each page, the one with the companion first; a key has the same place in all."""

    looks: list[float]
    busy: list[list[float]]
    drawn: list[list[float]]
    pauses: list[list[float]]


async def written(context: BrowserContext, number: int) -> Round:
    """The whole text, key by key, with pauses."""
    writers = [await opened(context, address) for address in (INBOX, OUTSIDE, CONTROL)]
    words = TYPED.split(" ")
    for place, word in enumerate(words, 1):
        for turn, letter in enumerate(f"{word} "):
            order = writers[turn % 3 :] + writers[: turn % 3]
            for writer in order if place % 2 else order[::-1]:
                writer.before.append(await worked(writer))
                await writer.page.keyboard.type(letter)
                await writer.page.wait_for_timeout(PAUSE)
        if place % WORDS == 0 or place == len(words):
            await pause(writers)
    looks = [look for writer in writers for look in await finished(writer, writer.address == INBOX)]
    one = Round(looks, [w.busy for w in writers], [w.drawn for w in writers], [w.pauses for w in writers])
    middle = [statistics.median(each) for each in one.busy]
    say(f"round {number}: p50 {middle[0]:.2f} ms with, {middle[1]:.2f} and {middle[2]:.2f} ms without")
    return one


async def pause(writers: list[Writer]) -> None:
    """Ends the time of the keys so far, and waits."""
    begun = [await worked(writer) for writer in writers]
    await writers[0].page.wait_for_timeout(REST)
    for writer, before in zip(writers, begun, strict=True):
        times = [*writer.before, before]
        writer.busy += [after - each for each, after in pairwise(times)]
        writer.before.clear()
        writer.pauses.append(await worked(writer) - before)


def report(all_rounds: list[Round], popup: dict[str, float]) -> None:
    """Of all keys together."""
    own = [look for each in all_rounds for look in each.looks]
    busy = [key for each in all_rounds for key in zip(*each.busy, strict=True)]
    drawn = [key for each in all_rounds for key in zip(*each.drawn, strict=True)]
    pauses = [key for each in all_rounds for key in zip(*each.pauses, strict=True)]
    result(
        p50_ms=round(statistics.median(own), 3),
        p95_ms=round(late(own), 3),
        added_p50_ms=added(busy),
        added_p95_percent=round(later(busy), 1),
        added_p95_between=between(busy, later),
        noise_p50_ms=median([control - plain for _, plain, control in busy]),
        noise_p95_percent=round(noise(busy), 1),
        noise_p95_between=between(busy, noise),
        key_p50_ms=median([plain for _, plain, _ in busy]),
        key_p95_ms=round(late([plain for _, plain, _ in busy]), 3),
        added_pause_ms=added(pauses),
        drawn_added_p50_ms=added(drawn),
        drawn_added_p95_percent=round(later(drawn), 1),
        drawn_noise_p95_percent=round(noise(drawn), 1),
        keys=len(busy),
        **popup,
        paired_with="the same keys, one by one, in the same editor at two addresses where the companion does not work",
    )


def added(keys: Keys) -> float:
    """Milliseconds that are added to a key, in the middle."""
    return median([ours - (plain + control) / 2 for ours, plain, control in keys])


def later(keys: Keys) -> float:
    """Per cent that are added to the late ones."""
    return 100 * (late([key[0] for key in keys]) / late([each for key in keys for each in key[1:]]) - 1)


def noise(keys: Keys) -> float:
    """The same where nothing is added."""
    return 100 * (late([key[2] for key in keys]) / late([key[1] for key in keys]) - 1)


def between(keys: Keys, figure: Callable[[Keys], float]) -> list[float]:
    """The middle 95 % of a figure, if the keys are drawn again by chance."""
    chance = random.Random(0)
    figures = [figure(chance.choices(keys, k=len(keys))) for _ in range(AGAIN)]
    low, *_, high = statistics.quantiles(figures, n=40)
    return [round(low, 1), round(high, 1)]


@dataclass
class Writer:
    """A page with an editor in which one types, and its milliseconds: of keys, until they were drawn, of pauses."""

    address: str
    page: Page
    session: Any
    inside: dict[str, Any] | None
    before: list[float] = field(default_factory=list[float])
    busy: list[float] = field(default_factory=list[float])
    drawn: list[float] = field(default_factory=list[float])
    pauses: list[float] = field(default_factory=list[float])


async def opened(context: BrowserContext, address: str) -> Writer:
    """The editor with its text and the caret at the end."""
    page = await windowed(context)
    session: Any = await context.new_cdp_session(page)
    worlds: list[dict[str, Any]] = []

    def begun(event: dict[str, Any]) -> None:
        worlds.append(event["context"])

    session.on("Runtime.executionContextCreated", begun)
    await session.send("Runtime.enable")
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.goto(f"{address}?editor=prosemirror&html={quote(f'<p>{TEXT}</p>')}")
    await page.click("#editor")
    await page.keyboard.press("Control+End")
    await page.wait_for_timeout(500)
    inside = next((world for world in worlds if world["origin"].startswith("chrome-extension:")), None)
    if inside:
        await evaluate(session, inside["uniqueId"], f"({INSIDE})('{inside['origin']}/')")
    await page.evaluate(f"({MEASURE})()")
    return Writer(address, page, session, inside)


async def windowed(context: BrowserContext) -> Page:
    """A page in a window of its own."""
    session: Any = await context.new_cdp_session(context.pages[0])
    async with context.expect_page() as opening:
        await session.send("Target.createTarget", {"url": "about:blank", "newWindow": True})
    await session.detach()
    return await opening.value


async def worked(writer: Writer) -> float:
    """Milliseconds of all tasks of the page's main thread so far."""
    metrics = (await writer.session.send("Performance.getMetrics"))["metrics"]
    return next(1000 * each["value"] for each in metrics if each["name"] == "TaskDuration")


async def finished(writer: Writer, safe: bool) -> list[float]:
    """Milliseconds that each look of the companion took; the text must be what it should be."""
    text = await writer.page.inner_text("#editor")
    if ("hxxp://evil[.]com/x?y=1" in text) != safe or (writer.inside is not None) != safe:
        raise RuntimeError(f"with the companion {safe}, but it has {text[-200:]!r}")
    writer.drawn += await writer.page.evaluate("window.taken")
    inside = writer.inside
    spent: list[float] = await evaluate(writer.session, inside["uniqueId"], "globalThis.spent") if inside else []
    await writer.page.close()
    return spent


async def evaluate(session: Any, world: str, code: str) -> Any:
    """What a piece of code gives in the extension's own world of the page."""
    options = {"expression": code, "uniqueContextId": world, "awaitPromise": True, "returnByValue": True}
    return (await session.send("Runtime.evaluate", options))["result"].get("value")


def late(values: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(values, n=20)[-1]


if __name__ == "__main__":
    main()
