"""Odd ways of writing and odd pages: what is written there is made unclickable as well, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from composing import FIELDS, INBOX, Composer, configure, open_composer, told
from playwright.async_api import BrowserContext, Route
from waiting import until

from steelyard.companion.defang import defang
from steelyard.companion.trust import trusting

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TRUSTED = trusting(["example.com"])
WRITABLE = ["prosemirror", "tiptap", "quill", "plain", "plaintext", "textarea"]


async def insert(composer: Composer, text: str) -> None:
    """As dictation and input methods write: all at once."""
    session: Any = await composer.page.context.new_cdp_session(composer.page)
    await session.send("Input.insertText", {"text": text})
    await session.detach()


@pytest.mark.parametrize("editor", WRITABLE)
async def test_what_is_dictated(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await insert(composer, "Please look at http://evil.com/x and https://example.com/a today.")
    await composer.until("Please look at hxxp://evil[.]com/x and https://example.com/a today.")


@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_a_word_that_the_spelling_replaces(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("one evilcom two")
    for key in ["Home", *["ArrowRight"] * 4, *["Shift+ArrowRight"] * 7]:
        await composer.page.keyboard.press(key)
    await composer.page.evaluate("document.execCommand('insertText', false, 'evil.com')")
    await composer.page.keyboard.press("End")
    await composer.until("one evil[.]com two")


@pytest.mark.parametrize("editor", WRITABLE)
async def test_select_all_and_write(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    for number in range(3):
        await composer.type(f"http://evil{number}.com/x and more ", delay=0)
        await composer.page.wait_for_timeout(80)
        await composer.page.keyboard.press("Control+a")
    await composer.type("http://evil.com/y last ", delay=0)
    await composer.until("hxxp://evil[.]com/y last ")


@pytest.mark.parametrize("editor", ["prosemirror", "plain", "textarea"])
async def test_a_key_that_is_held(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("http://evil.com/")
    for _ in range(50):
        await composer.page.keyboard.down("m")
    await composer.page.keyboard.up("m")
    await composer.type(" end")
    await composer.until(f"hxxp://evil[.]com/{'m' * 50} end")


@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_a_huge_paste(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    line = "some words about http://evil.com/x and https://example.com/a with more of them all over the line\n"
    await composer.paste(line * 2000)
    await composer.type("end ")
    text = (await composer.text()).replace("\n\n", "\n")
    assert text.rstrip() == (defang(line, TRUSTED) * 2000 + "end").rstrip()


ODD = [
    "👩‍👩‍👧 http://evil.com/👍 🎉 done",
    "שלום http://evil.com/שלום עולם done",
    "see http://ev\u200bil.com/x and \u202ehttp://evil.org/ done",
    "ｅｖｉｌ．ｃｏｍ or http://evil。com/ done",
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_signs_of_all_sorts(inbox: BrowserContext, editor: str, text: str) -> None:
    composer = await open_composer(inbox, editor)
    for word in text.split(" "):
        await insert(composer, word)
        await composer.page.keyboard.press("Space")
    await composer.until(defang(text, TRUSTED) + " ")


@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_undo_and_redo_over_and_over(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("one http://evil.com/x two http://evil.org/y three ")
    done = "one hxxp://evil[.]com/x two hxxp://evil[.]org/y three "
    await composer.until(done)
    redo = "Control+y" if editor == "prosemirror" else "Control+Shift+Z"
    for _ in range(3):
        for key in [*["Control+z"] * 12, *[redo] * 20]:
            await composer.page.keyboard.press(key)
        await composer.page.wait_for_timeout(50)
    text = (await composer.text()).rstrip()
    assert text.replace("hxxp", "http").replace("[.]", ".") == "one http://evil.com/x two http://evil.org/y three"
    await composer.page.keyboard.press("Control+Enter")
    await composer.page.keyboard.press("Control+Enter")
    assert all("http://evil" not in sent for sent in await composer.sent())
    assert composer.wrong == []


@pytest.mark.parametrize("editor", ["plain", "textarea", "prosemirror", "quill"])
async def test_editors_in_a_shadow(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor, shadow=1)
    await composer.type("see http://evil.com/x and ")
    if editor in {"plain", "textarea"}:
        await composer.until("see hxxp://evil[.]com/x and")
    else:
        await composer.page.wait_for_timeout(250)
    await composer.type("http://evil.org/y")
    for _ in range(2):
        await composer.page.keyboard.press("Control+Enter")
    assert all("http://" not in sent for sent in await composer.sent())


@pytest.mark.parametrize("how", ["", "?written"])
async def test_an_editor_in_a_page_without_an_address(inbox: BrowserContext, how: str) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.page.goto(f"{INBOX}/blank{how}")
    composer.frame = composer.page.frames[1]
    await composer.page.wait_for_timeout(300)
    await composer.editor.click()
    await composer.type("see http://evil.com/x and ")
    await composer.until("see hxxp://evil[.]com/x and ")
    await composer.type("http://evil.org/y")
    await composer.page.keyboard.press("Control+Enter")
    assert await composer.sent() == []


@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_an_editor_that_is_made_anew(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    for number in range(3):
        await composer.type(f"see http://evil{number}.com/x", delay=0)
        await composer.page.evaluate("(editor) => window.make(editor)", editor)
        await composer.editor.click()
        await composer.type(f"http://evil{number}.org/x then ")
        await composer.until(f"hxxp://evil{number}[.]org/x then ")
        await composer.page.keyboard.press("Control+a")
    assert composer.wrong == []


async def test_a_reply_that_becomes_a_note_and_a_reply_again(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror", note=1, settings={"notes": False})
    await composer.type("note http://evil.com/x then ")
    await composer.until("note http://evil.com/x then ")
    await composer.page.evaluate("document.getElementById('composer').className = ''")
    await composer.type("reply http://evil.org/y then ")
    await composer.until("note hxxp://evil[.]com/x then reply hxxp://evil[.]org/y then ")


@pytest.mark.parametrize("editor", ["prosemirror", "plain", "textarea"])
async def test_several_editors_keep_apart(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor, also="box", settings={"editors": [BOTH]})
    await composer.type("one http://evil.com/x")
    await composer.page.click("#other")
    await composer.type("two http://evil.org/y")
    await composer.editor.click()
    await composer.page.keyboard.press("End")
    await composer.type(" three http://evil.net/z ")
    await composer.until("one hxxp://evil[.]com/x three hxxp://evil[.]net/z ")
    other = await composer.page.evaluate(
        "(({ value, innerText }) => value ?? innerText)(document.getElementById('other'))"
    )
    assert other.strip() == "two hxxp://evil[.]org/y"


BOTH = {"origin": "https://app.intercom.com", "editor": "#editor, #other", "note": "", "send": "button"}


@pytest.mark.parametrize("editor", ["prosemirror", "plain", "textarea"])
async def test_a_button_beside_the_frame_of_the_editor_finishes_its_word(inbox: BrowserContext, editor: str) -> None:
    await configure(inbox, trusted=["example.com"], editors=[FIELDS])
    page = await inbox.new_page()
    await page.goto(f"{INBOX}/framed?src={INBOX}%3Feditor={editor}")
    frame = page.frame("frame0")
    assert frame is not None
    await frame.wait_for_selector("[data-ready]", state="attached")
    composer = Composer(page, frame)
    await page.evaluate(BESIDE)
    await composer.editor.click()
    await told(inbox, {"do": "nothing"})
    await composer.type("see http://evil.com/x")
    await page.click("#beside", delay=100)
    assert await page.evaluate("window.sent") == ["see hxxp://evil[.]com/x"]
    assert await page.evaluate("document.activeElement.id") == "beside"


BESIDE = """() => {
  const button = document.createElement("button");
  button.id = "beside";
  button.textContent = "Send";
  window.sent = [];
  button.addEventListener("click", () => {
    const editor = window.frames[0].document.getElementById("editor");
    window.sent.push((editor.value ?? editor.innerText).replaceAll("\\u00a0", " "));
  });
  document.body.prepend(button);
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def late(inbox: BrowserContext) -> AsyncIterator[Callable[[], None]]:
    """The companion's modules come into pages only when this is called."""
    asked = asyncio.Event()

    async def hold(route: Route) -> None:
        await asked.wait()
        await route.continue_()

    await inbox.route("chrome-extension://*/composer/main.js", hold)
    yield asked.set
    asked.set()
    await inbox.unroute("chrome-extension://*/composer/main.js")


@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_pastes_before_the_companion_is_loaded(
    inbox: BrowserContext, late: Callable[[], None], editor: str
) -> None:
    composer = await open_composer(inbox, editor, early=True)
    await composer.editor.click()
    await composer.type("one ")
    await composer.paste("http://evil.com/1 two ")
    await composer.paste("http://evil.com/2 three ")
    assert (await composer.text()).strip() == "one"
    await composer.page.keyboard.press("Control+Enter")
    assert await composer.sent() == []
    late()
    await told(inbox, {"do": "nothing"})
    await composer.type("end")
    await composer.until("one hxxp://evil[.]com/1 two hxxp://evil[.]com/2 three end")


async def test_files_pasted_before_the_companion_is_loaded(inbox: BrowserContext, late: Callable[[], None]) -> None:
    composer = await open_composer(inbox, "plain", early=True)
    await composer.page.evaluate(FILES)
    await composer.editor.click()
    await composer.page.evaluate("navigator.clipboard.write([new ClipboardItem({ 'image/png': window.picture })])")
    await composer.page.keyboard.press("Control+v")
    late()
    await told(inbox, {"do": "nothing"})
    assert await composer.page.evaluate("window.files") == ["image/png"]


FILES = """async () => {
  window.files = [];
  document.getElementById("editor").addEventListener("paste", (event) => {
    event.preventDefault();
    window.files.push(...[...event.clipboardData.files].map(({ type }) => type));
  });
  window.picture = await new OffscreenCanvas(1, 1).getContext("2d").canvas.convertToBlob({ type: "image/png" });
}"""


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("editor", ["prosemirror", "quill", "plain", "textarea"])
async def test_the_same_is_written_as_without_the_companion(inbox: BrowserContext, editor: str, seed: int) -> None:
    texts: list[str] = []
    for settings in ({"notes": False}, {}):  # a note that is left alone is an editor without the companion
        composer = await open_composer(inbox, editor, note=1, settings=settings)
        await composer.page.add_style_tag(
            content="#composer * { width: 9000px !important }"
        )  # Home is of the line drawn
        chance = random.Random(seed)
        for number in range(25):
            await act(composer, chance, number)
        await composer.page.keyboard.press("Control+End")
        await composer.type(" end")
        wanted = [defang(text, TRUSTED) for text in texts]
        texts.append(await until(composer.text, lambda text, wanted=wanted: not wanted or [text] == wanted))
        await composer.page.wait_for_timeout(150)
        assert await composer.text() == texts[-1]
        assert composer.wrong == []


async def act(composer: Composer, chance: random.Random, number: int) -> None:
    """One thing that a person may do whose outcome does not depend on how long a link is."""
    press = composer.page.keyboard.press
    word = chance.choice(
        ["http://evil.com/a", "www.evil.org,", "https://example.com/b", "readme.md", "évil 👍", f"w{number}"]
    )
    kind = chance.random()
    if kind < 0.55:
        await composer.type(f"{word} ", delay=chance.choice([0, 0, 3]))
    elif kind < 0.65:
        await composer.paste(f"{word} pasted ")
    elif kind < 0.75:
        await press("Enter")
    elif kind < 0.85:
        await press(chance.choice(["Home", "End", "Control+Home", "Control+End"]))
    elif kind < 0.9:
        await press(chance.choice(["Shift+Home", "Shift+End"]))
        await composer.type(f"over{number} ", delay=0)
    else:
        await composer.type(f"x{number}", delay=0)
        for _ in range(2):
            await press("Backspace")
        await composer.type("y ", delay=0)


@pytest.mark.parametrize("editor", ["prosemirror", "tiptap", "quill", "plain", "textarea"])
async def test_an_address_is_not_left_to_a_pause(inbox: BrowserContext, editor: str) -> None:
    begin = "see evil.c" if editor == "textarea" else "<p>see evil.c</p>"
    composer = await open_composer(inbox, editor, begin)
    await composer.page.keyboard.press("Control+Home")
    await composer.type("I ")
    await composer.page.wait_for_timeout(600)
    await composer.page.keyboard.press("Control+End")
    await composer.type("om and so it goes ", delay=40)
    assert (await composer.text()).strip() == "I see evil[.]com and so it goes"
    await composer.type("http://bad.test/x one evil.org two end.My 2 three four", delay=40)
    written = "I see evil[.]com and so it goes hxxp://bad[.]test/x one evil[.]org two end[.]My 2 three four"
    assert (await composer.text()).strip() == written


@pytest.mark.parametrize("editor", ["plain", "textarea"])
async def test_a_letter_that_the_page_makes_an_address_of(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("one two ")
    await composer.editor.evaluate(EXPANDS)
    await composer.type("x", delay=0)
    await composer.until("one two hxxp://evil[.]com/x and more")


#: Within the same change of the same text.
EXPANDS = """(editor) => editor.addEventListener("input", () => {
  const text = "one two http://evil.com/x and more";
  if (editor.value !== undefined) editor.value = text;
  else {
    const node = document.getSelection().focusNode;
    node.data = text;
    document.getSelection().collapse(node, text.length);
  }
}, { once: true, capture: true })"""
