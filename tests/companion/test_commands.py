"""The keys, pressed for real: what they copy and what they open."""

from __future__ import annotations

import pytest
from origin import Origin
from watching import Tab, Watched

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ALT_SHIFT = 1 | 8


async def press(tab: Tab, letter: str) -> None:
    """Alt, Shift and a letter, in that tab."""
    pipe, at = tab.browser.pipe, await tab.browser.run("(tab) => chrome.tabs.get(tab).then((it) => it.url)", tab.number)
    targets = (await pipe.send("Target.getTargets"))["targetInfos"]
    target = next(each["targetId"] for each in targets if each["url"] == at)
    session = (await pipe.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    await pipe.send("Page.bringToFront", session)
    focus = {"expression": "document.hasFocus()"}
    await tab.browser.until(lambda: pipe.send("Runtime.evaluate", session, **focus), lambda it: it["result"]["value"])
    key = {
        "key": letter,
        "code": f"Key{letter}",
        "windowsVirtualKeyCode": ord(letter),
        "nativeVirtualKeyCode": ord(letter),
        "isSystemKey": True,
    }
    for kind in ("rawKeyDown", "keyUp"):
        await pipe.send("Input.dispatchKeyEvent", session, type=kind, modifiers=ALT_SHIFT, **key)


async def panel(everywhere: Watched) -> list[str]:
    """What the side panel shows."""
    where = "chrome.runtime.getContexts({ contextTypes: ['SIDE_PANEL'] })"
    urls = await everywhere.run(f"async () => (await {where}).map((it) => it.documentUrl)")
    return [url.rpartition("/")[2] for url in urls]


async def test_every_key_is_free(everywhere: Watched) -> None:
    """Chrome gives none that it has a use for itself, and says nothing."""
    keys = await everywhere.run("() => chrome.commands.getAll()")
    assert {each["name"] for each in keys} == {"_execute_action", "panel", "copy", "notes"}
    assert all(each["shortcut"] for each in keys)


async def test_the_headers_are_copied_as_markdown(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/copied", "shop.example", header="X-Hostile: ```<script>")
    tab = await everywhere.open(url)
    await tab.at(url)
    await everywhere.pipe.send("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    await press(tab, "M")
    await tab.says("MD", "Headers copied as Markdown")
    await everywhere.run("async () => void chrome.tabs.update((await chrome.tabs.getCurrent()).id, { active: true })")
    copied: str = await everywhere.until(
        lambda: everywhere.run("() => navigator.clipboard.readText().catch(() => '')"), bool
    )
    assert copied.startswith("### Headers of `http://shop.example")
    assert "\n````http\nX-Number: " in copied
    assert "X-Hostile: ```<script>" in copied
    await tab.says("?", "not known")


PASTE = "() => navigator.clipboard.readText().catch(() => '')"


async def test_where_no_response_was_seen_nothing_is_copied(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/gone", "shop.example", drop="1")
    tab = await everywhere.open(url)
    await tab.at(url)
    await press(tab, "M")
    await tab.says("?", "Nothing to copy")


async def test_the_panel_opens_at_what_was_asked_for(everywhere: Watched, origin: Origin) -> None:
    url = origin.at("/panel", "shop.example")
    tab = await everywhere.open(url)
    await tab.at(url)
    await press(tab, "K")
    await everywhere.until(lambda: panel(everywhere), lambda shown: shown == ["panel.html#notes"])
    await press(tab, "O")
    await everywhere.until(lambda: panel(everywhere), lambda shown: shown == ["panel.html"])
