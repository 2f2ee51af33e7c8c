"""What the companion itself inserts goes to the caret of the composer, as if it were pasted."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from composing import FRAMED, INBOX, open_composer, told
from playwright.async_api import BrowserContext, Frame

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

NOTE = "see http://evil.com/x and https://example.com/a now"
SAFE = "see hxxp://evil[.]com/x and https://example.com/a now"
NO_NOTE = {"ok": False, "why": "No internal note is open on this page: choose “Note” first."}


@pytest.mark.parametrize("editor", ["prosemirror", "tiptap", "quill", "plain", "plaintext", "textarea", "lexical"])
async def test_it_goes_where_the_caret_was(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("before after")
    for _ in "after":
        await composer.page.keyboard.press("ArrowLeft")
    await composer.page.wait_for_timeout(100)
    await composer.page.click("#elsewhere")
    assert await told(inbox, {"do": "insert", "text": f"{NOTE} "}) == {"ok": True}
    assert (await composer.text()).rstrip() == f"before {SAFE} after"
    await composer.type("Z")
    assert (await composer.text()).rstrip() == f"before {SAFE} Zafter"


@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_one_undo_takes_it_back(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("mine ")
    await composer.page.wait_for_timeout(1100)  # the longest pause that an editor joins over
    assert await told(inbox, {"do": "insert", "text": NOTE}) == {"ok": True}
    await composer.page.wait_for_timeout(600)
    await composer.page.keyboard.press("Control+z")
    await composer.until("mine ")


@pytest.mark.parametrize("editor", ["prosemirror", "plain", "textarea"])
async def test_lines_stay_lines(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    assert await told(inbox, {"do": "insert", "text": "one\ntwo\nthree"}) == {"ok": True}
    assert [line for line in (await composer.text()).split("\n") if line] == ["one", "two", "three"]


async def test_an_editor_that_nobody_was_in_takes_it_at_its_end(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror", "<p>Hello,</p><p>bye&nbsp;</p>", focus=False)
    assert await told(inbox, {"do": "insert", "text": NOTE}) == {"ok": True}
    assert (await composer.text()).split("\n")[-1] == f"bye {SAFE}"


async def test_the_internal_note_is_told_from_the_reply(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror", also="o__note", settings={"editors": [], "notes": False})
    await composer.type("reply ")
    assert await told(inbox, {"do": "insert", "text": NOTE, "note": True}) == {"ok": True}
    assert (await composer.text()).rstrip() == "reply"
    assert await composer.page.inner_text("#other") == NOTE
    await composer.editor.click()
    assert await told(inbox, {"do": "insert", "text": NOTE}) == {"ok": True}
    assert (await composer.text()).rstrip() == f"reply {SAFE}"


async def test_without_a_note_it_says_so(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror")
    assert await told(inbox, {"do": "insert", "text": NOTE, "note": True}) == NO_NOTE
    assert (await composer.text()).rstrip() == ""


async def test_without_any_editor_it_says_so(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.page.evaluate("document.getElementById('editor').remove()")
    assert await told(inbox, {"do": "insert", "text": NOTE}) == {"ok": False, "why": "No editor is open on this page."}


async def test_the_frame_whose_editor_was_used_last_takes_it(inbox: BrowserContext) -> None:
    first = await open_composer(inbox, "plain")
    sources = [f"{INBOX}?editor={editor}" for editor in ("plain", "prosemirror", "textarea")]
    await first.page.goto(f"{FRAMED}?{'&'.join(f'src={quote(source)}' for source in sources)}")
    frames: list[Frame] = [each for each in first.page.frames if each.parent_frame]
    for frame in [*frames, frames[1]]:
        await frame.wait_for_selector("[data-ready]", state="attached")
        await frame.click("#editor")
    await first.page.click("#elsewhere")
    assert await told(inbox, {"do": "insert", "text": NOTE}) == {"ok": True}
    await first.page.wait_for_timeout(200)
    texts = [await frame.evaluate("document.getElementById('editor').innerText.trim()") for frame in frames]
    assert texts == ["", SAFE, ""]
    assert await frames[2].evaluate("document.getElementById('editor').value") == ""


async def test_frames_that_nobody_was_in_do_not_take_it_twice(inbox: BrowserContext) -> None:
    first = await open_composer(inbox, "plain")
    source = quote(f"{INBOX}?editor=plain")
    await first.page.goto(f"{FRAMED}?src={source}&src={source}")
    frames: list[Frame] = [each for each in first.page.frames if each.parent_frame]
    for frame in frames:
        await frame.wait_for_selector("[data-ready]", state="attached")
    await first.page.wait_for_timeout(300)
    assert await told(inbox, {"do": "insert", "text": NOTE}) == {"ok": True}
    await first.page.wait_for_timeout(200)
    texts = [await frame.evaluate("document.getElementById('editor').innerText.trim()") for frame in frames]
    assert sorted(texts) == ["", SAFE]
