"""Editors on a page of the inbox, and what a person does in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import BrowserContext, Frame, Page, Playwright, Route, Worker
from waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
MODULES = Path(os.environ.get("STEELYARD_NODE_MODULES", ROOT / "node_modules"))
ESBUILD = MODULES / ".bin/esbuild"
INBOX = "https://app.intercom.com/inbox"
PAGES = "https://app.intercom.com/*"
EDITORS = "https://app.intercom.com/editors.js"
FRAMED = f"{INBOX}/framed"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Inbox</title>
<style>body { font: 16px sans-serif } #composer > * { min-height: 4rem; width: 40rem; white-space: pre-wrap }</style>
<p id="source" draggable="true">drag me</p><input id="elsewhere">
<div class="box"><div id="composer"></div><button id="send" type="button">Send</button></div>
<script src="/editors.js"></script>"""
BLANK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Inbox</title><input id="elsewhere">
<script>
const frame = document.createElement("iframe");
document.body.append(frame);
const inner = frame.contentDocument;
if (location.search === "?written") {
  inner.open();
  inner.write("<!doctype html><title>Editor</title><body><div id=editor contenteditable></div>");
  inner.close();
} else inner.body.innerHTML = "<div id=editor contenteditable></div>";
frame.contentWindow.sent = [];
frame.contentWindow.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.ctrlKey) frame.contentWindow.sent.push(inner.body.innerHTML);
});
</script>"""
FRAMES = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Inbox</title>
<input id="elsewhere"><div id="frames"></div>
<script>for (const src of new URL(location.href).searchParams.getAll("src")) {
  const frame = document.createElement("iframe");
  frame.name = `frame${frames.length}`;
  frame.src = src;
  frame.width = 800;
  document.getElementById("frames").append(frame);
}</script>"""
SEEN = """(root) => ({
  text: root.value ?? root.innerText.replaceAll("\\u00a0", " ").replaceAll("\\ufeff", ""),
  links: root.value === undefined ? [...root.querySelectorAll("a[href]")].map((each) => each.getAttribute("href")) : [],
})"""


READ = 350
"""Milliseconds after which a hint can be pressed, and some."""


@dataclass
class Composer:
    """One editor on a page of the inbox, with the companion at work in it."""

    page: Page
    frame: Page | Frame
    asked: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    @property
    def editor(self) -> Any:
        return self.frame.locator("#editor")

    async def text(self) -> str:
        return (await self.editor.evaluate(SEEN))["text"].strip("\n")

    async def links(self) -> list[str]:
        return (await self.editor.evaluate(SEEN))["links"]

    async def until(self, text: str, links: list[str] | None = None) -> None:
        """Waits until the editor has this text, and keeps it; fails with what it has instead."""
        wanted = (text.rstrip(), links or [])
        await until(self.seen, lambda seen: seen == wanted, f"it does not have {wanted!r}")
        await self.page.wait_for_timeout(150)
        seen = await self.seen()
        assert seen == wanted, f"it has {seen!r}"

    async def seen(self) -> tuple[str, list[str]]:
        """Text and links, of one moment."""
        seen = await self.editor.evaluate(SEEN)
        return seen["text"].strip("\n").rstrip(), seen["links"]

    async def type(self, text: str, delay: float = 5) -> None:
        await self.page.keyboard.type(text, delay=delay)

    async def paste(self, text: str, html: str = "") -> None:
        """As Ctrl+V does, from the real clipboard."""
        await self.page.evaluate(COPY, [text, html])
        await self.page.keyboard.press("Control+v")

    async def sent(self) -> list[str]:
        return await self.frame.evaluate("window.sent")

    async def hint(self) -> dict[str, Any]:
        """The text of the hint and its buttons with their places: the page itself cannot look into it."""
        session: Any = await self.page.context.new_cdp_session(self.page)
        found: dict[str, Any] = {}
        try:
            root = (await session.send("DOM.getDocument", {"depth": -1, "pierce": True}))["root"]
            for node in nodes(root, inside=False):
                if node["nodeName"] in {"P", "BUTTON"}:
                    found["".join(each["nodeValue"] for each in node["children"])] = node["backendNodeId"]
            for name, number in found.items():
                box = (await session.send("DOM.getBoxModel", {"backendNodeId": number}))["model"]["content"]
                found[name] = ((box[0] + box[4]) / 2, (box[1] + box[5]) / 2)
        finally:
            await session.detach()
        return found

    async def choose(self, label: str) -> None:
        """Presses a button of the hint."""
        ways = await until(self.hint, lambda ways: label in ways, f"no {label!r}")
        await self.page.wait_for_timeout(READ)
        await self.page.mouse.click(*ways[label])


def nodes(node: dict[str, Any], *, inside: bool) -> Iterator[dict[str, Any]]:
    """All nodes of the hint's own tree."""
    if inside:
        yield node
    for child in [*node.get("children", []), *node.get("shadowRoots", [])]:
        yield from nodes(child, inside=inside or node["nodeName"] == "STEELYARD-HINT")


COPY = """async ([text, html]) => {
  const kinds = { "text/plain": new Blob([text], { type: "text/plain" }) };
  if (html) kinds["text/html"] = new Blob([html], { type: "text/html" });
  await navigator.clipboard.write([new ClipboardItem(kinds)]);
}"""


def bundled(folder: Path) -> str:
    """The editors as one script."""
    made = folder / "editors.js"
    command = [ESBUILD, Path(__file__).with_name("editors.js"), "--bundle", "--format=iife", f"--outfile={made}"]
    subprocess.run([*map(str, command), "--log-level=error"], check=True, env={**os.environ, "NODE_PATH": str(MODULES)})
    return made.read_text()


async def launch(
    playwright: Playwright, folder: Path, extension: Path = ROOT / "extension", *more: str
) -> BrowserContext:
    """A browser of its own with the extension, whose first words are closed again. `more`: what it is started with."""
    first = is_new(folder / "profile")
    arguments = ["--disable-gpu", "--disable-background-networking", *more]
    arguments += [f"--disable-extensions-except={extension}", f"--load-extension={extension}"]
    context = await playwright.chromium.launch_persistent_context(
        str(folder / "profile"), executable_path=CHROMIUM, args=arguments, headless=True
    )
    context.set_default_timeout(PATIENCE * 1000)
    if first:
        await (await welcome(context)).close()
    return context


def is_new(profile: Path) -> bool:
    """Whether the extension is installed with the first start of a browser there."""
    return not profile.exists()


async def welcome(context: BrowserContext) -> Page:
    """The page that opens once, when the extension is installed."""

    async def opened() -> Page | None:
        return next((page for page in context.pages if page.url.endswith("/options.html#welcome")), None)

    return await until(opened, bool, "it does not open")


async def serve(context: BrowserContext, bundle: str, origin: str = "https://app.intercom.com") -> None:
    """Answers every address there with the page or its script."""

    async def answer(route: Route) -> None:
        path = route.request.url.partition("?")[0]
        page = {"framed": FRAMES, "blank": BLANK}.get(path.rpartition("/")[2], PAGE)
        body, kind = (bundle, "text/javascript") if path.endswith("/editors.js") else (page, "text/html")
        await route.fulfill(body=body, content_type=kind)

    await context.route(f"{origin}/**", answer)


async def configure(context: BrowserContext, **settings: Any) -> None:
    """What the options page keeps, and nothing else."""
    worker = await worker_of(context)
    await worker.evaluate(
        "(settings) => chrome.storage.sync.clear().then(() => chrome.storage.sync.set(settings))", settings
    )


async def worker_of(context: BrowserContext) -> Worker:
    """The extension's background."""
    return context.service_workers[0] if context.service_workers else await context.wait_for_event("serviceworker")


async def told(context: BrowserContext, message: dict[str, Any], pages: str = PAGES) -> Any:
    """What the page in front, of those at `pages`, answers to a message of the extension."""
    worker = await worker_of(context)
    return await worker.evaluate(TOLD, [message, pages])


async def told_tab(context: BrowserContext) -> int:
    """The number of the page in front."""
    return await (await worker_of(context)).evaluate(f"(url) => {TAB}.then(({{ id }}) => id)", PAGES)


TAB = "chrome.tabs.query({ url }).then((tabs) => tabs.at(-1))"
TOLD = f"""async ([message, url]) => {{
  const tab = await {TAB};
  for (let tries = 0; ; tries++) {{
    try {{
      return await chrome.tabs.sendMessage(tab.id, message);
    }} catch (problem) {{ // the page is not that far
      if (tries > 100) throw problem;
      await new Promise((go) => setTimeout(go, 50));
    }}
  }}
}}"""

FIELDS = {
    "origin": "https://app.intercom.com",
    "editor": ".embercom-prosemirror-composer-editor, #editor",
    "note": ".o__note #editor",
    "send": "button",
    "words": ["send"],
}


async def open_composer(context: BrowserContext, editor: str, html: str = "", **more: Any) -> Composer:
    """A page with that editor, where the companion is at work; `example.com` is trusted.

    Without `focus` nobody was in the editor yet; `early`, the companion may still be loading.
    """
    focus, early = more.pop("focus", True), more.pop("early", False)
    await configure(context, **{"trusted": ["example.com"], "editors": [FIELDS], **more.pop("settings", {})})
    page = await context.new_page()
    composer = Composer(page, page)
    page.on("pageerror", lambda error: composer.wrong.append(str(error)))
    page.on("request", lambda request: composer.asked.append(request.url))
    query = "".join(f"&{name}={quote(str(value))}" for name, value in more.items())
    await page.goto(f"{INBOX}?editor={editor}&html={quote(html)}{query}")
    await page.wait_for_selector("[data-ready]", state="attached")
    if early:
        return composer
    if focus:
        await composer.editor.click()
    await told(context, {"do": "nothing"})
    return composer
