"""While one writes, untrusted links become unclickable in every editor, however they came; nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from composing import EDITORS, INBOX, READ, Composer, open_composer, told_tab
from playwright.async_api import BrowserContext
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

WRITABLE = ["prosemirror", "tiptap", "quill", "plain", "textarea"]
EVERY = [*WRITABLE, "lexical"]
RICH = ["prosemirror", "tiptap", "quill", "plain"]


@pytest.mark.parametrize("editor", WRITABLE)
async def test_what_is_typed_is_made_unclickable_once_its_word_is_finished(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type(
        "Look at https://evil.test.com/x?y=1 and https://example.com/a but www.evil.com. Or wp-config.php, a@evil.com"
    )
    written = (
        "Look at hxxps://evil[.]test[.]com/x?y=1 and https://example.com/a but www[.]evil[.]com. Or wp-config.php, "
    )
    written += "a@evil.com"
    links = {"tiptap": ["https://example.com/a"]}.get(editor)
    await composer.until(written, links)
    assert composer.wrong == []
    outside = [url for url in composer.asked if not url.startswith(("chrome-extension:", INBOX, EDITORS))]
    assert outside == []


@pytest.mark.parametrize("editor", WRITABLE)
async def test_fast_typing_loses_nothing(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    words = [f"word{number} http://evil{number}.com/p" for number in range(20)]
    await composer.type(" ".join(words) + " end", delay=0)
    safe = [f"word{number} hxxp://evil{number}[.]com/p" for number in range(20)]
    await composer.until(" ".join(safe) + " end")


@pytest.mark.parametrize("editor", EVERY)
async def test_what_is_pasted_has_nothing_untrusted_to_click_on(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("before ")
    await composer.paste("see http://evil.com/q now")
    await composer.type("after")
    await composer.until("before see hxxp://evil[.]com/q nowafter")


@pytest.mark.parametrize("editor", RICH)
async def test_a_pasted_link_that_says_something_else_shows_its_target(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    markup = (
        '<p>pay <a href="http://evil.com/q">our <b>invoice</b></a> or <a href="https://example.com/d">the docs</a></p>'
    )
    await composer.paste("pay our invoice or the docs", markup)
    links = ["https://example.com/d"]
    await composer.until("pay our invoice (hxxp://evil[.]com/q) or the docs", links)


@pytest.mark.parametrize("editor", EVERY)
async def test_one_undo_takes_a_paste_back(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("mine ")
    await composer.page.wait_for_timeout(1100)  # the longest pause that an editor joins over
    await composer.paste("http://evil.com/q ")
    await composer.until("mine hxxp://evil[.]com/q ")
    await composer.page.wait_for_timeout(600)
    await composer.page.keyboard.press("Control+z")
    await composer.until("mine ")


@pytest.mark.parametrize("editor", WRITABLE)
async def test_what_is_dropped_is_made_unclickable(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.page.evaluate(DRAGGED)
    await composer.page.drag_and_drop("#source", "#editor")
    await composer.until("hxxp://evil[.]com/dropped")


DRAGGED = """() => document.getElementById("source").addEventListener("dragstart", (event) => {
  event.dataTransfer.setData("text/uri-list", "http://evil.com/dropped");
  event.dataTransfer.setData("text/plain", "http://evil.com/dropped");
})"""


@pytest.mark.parametrize("editor", RICH)
async def test_what_a_macro_inserts_is_made_unclickable(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.page.evaluate("window.insert('Hello, see http://evil.com/m now')")
    await composer.until("Hello, see hxxp://evil[.]com/m now")


@pytest.mark.parametrize("editor", RICH)
async def test_links_that_are_there_already_are_made_unclickable(inbox: BrowserContext, editor: str) -> None:
    html = '<p>pay <a href="http://evil.com/q">here</a> or <a href="https://evil.app/">evil.app</a> or '
    html += '<a href="https://example.com/d">docs</a> x</p>'
    composer = await open_composer(inbox, editor, html)
    await composer.until("pay here (hxxp://evil[.]com/q) or evil[.]app or docs x", ["https://example.com/d"])


async def test_a_name_of_a_file_that_the_editor_made_a_link_of(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "tiptap")
    await composer.type("read readme.md and wp-config.php and ")
    await composer.until("read readme[.]md and wp-config.php and ")


@pytest.mark.parametrize("editor", WRITABLE)
async def test_undo_brings_back_what_was_typed_and_it_stays(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("see http://evil.com/x ")
    await composer.until("see hxxp://evil[.]com/x ")
    await composer.page.keyboard.press("Control+z")
    await composer.page.wait_for_timeout(400)
    await composer.type("and more words here ")
    await composer.page.wait_for_timeout(300)
    assert (await composer.text()).rstrip() == "see http://evil.com/x and more words here"


@pytest.mark.parametrize("editor", WRITABLE)
async def test_put_back_by_the_hint_stays_until_sending(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("see http://evil.com/x and ")
    await composer.until("see hxxp://evil[.]com/x and ")
    await composer.choose("Put it back")
    await composer.type("more ")
    await composer.page.wait_for_timeout(300)
    assert (await composer.text()).rstrip() == "see http://evil.com/x and more"
    await composer.page.keyboard.press("Control+Enter")
    assert await composer.sent() == []
    said = ["Not sent: this is still clickable: http://evil.com/x"]
    await until(composer.hint, lambda hint: [text for text in hint if text.startswith("Not sent")] == said)


async def test_a_domain_that_is_trusted_stays_from_then_on(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror")
    await composer.type("see http://evil.com/x and ")
    await composer.until("see hxxp://evil[.]com/x and ")
    await composer.choose("Trust evil.com")
    await composer.until("see http://evil.com/x and ")
    await composer.type("http://evil.com/y http://evil.org ")
    await composer.until("see http://evil.com/x and http://evil.com/y hxxp://evil[.]org ")
    worker = inbox.service_workers[0]
    assert await worker.evaluate("chrome.storage.sync.get('trusted')") == {"trusted": ["example.com", "evil.com"]}


@pytest.mark.parametrize("how", ["keys", "button"])
@pytest.mark.parametrize("editor", WRITABLE)
async def test_sending_waits_for_an_unfinished_link(inbox: BrowserContext, editor: str, how: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("see http://evil.com/x")
    await send(composer, how)
    await composer.until("see hxxp://evil[.]com/x")
    assert await composer.sent() == []
    await composer.editor.focus()
    await send(composer, how)
    assert len(await composer.sent()) == 1
    assert "evil[.]com" in (await composer.sent())[0]


async def send(composer: Composer, how: str) -> None:
    await (composer.page.keyboard.press("Control+Enter") if how == "keys" else composer.page.click("#send"))


@pytest.mark.parametrize("how", ["keys", "button"])
async def test_lexical_is_not_rewritten_but_sending_waits_for_a_choice(inbox: BrowserContext, how: str) -> None:
    composer = await open_composer(inbox, "lexical")
    await composer.type("see http://evil.com/x now ")
    await send(composer, how)
    assert (await composer.sent(), (await composer.text()).rstrip()) == ([], "see http://evil.com/x now")
    await composer.choose("Let it out as it is")
    await composer.editor.focus()
    await send(composer, how)
    assert len(await composer.sent()) == 1


@pytest.mark.parametrize("editor", ["lexical", "plain", "textarea"])
async def test_what_was_let_out_is_asked_for_again_in_the_next_message(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    for number in range(2):
        await composer.type("see http://evil.com/x now ")
        if editor != "lexical":
            await composer.until("see hxxp://evil[.]com/x now ")
            await composer.choose("Put it back")
        await send(composer, "keys")
        assert len(await composer.sent()) == number
        await composer.choose("Let it out as it is")
        await composer.editor.focus()
        await send(composer, "keys")
        assert len(await composer.sent()) == number + 1
        await composer.page.keyboard.press("Control+a")
        await composer.page.keyboard.press("Delete")


async def test_pressed_again_the_key_that_sends_goes_to_the_choice(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "lexical")
    await composer.type("see http://evil.com/x now ")
    await composer.page.keyboard.press("Control+Enter")
    assert await composer.editor.evaluate("(editor) => editor === document.activeElement")
    await composer.page.keyboard.press("Control+Enter")
    await composer.page.keyboard.press("Tab")
    await composer.page.wait_for_timeout(READ)
    await composer.page.keyboard.press("Enter")
    assert (await composer.hint(), await composer.sent()) == ({}, [])
    await composer.page.keyboard.press("Control+Enter")
    assert len(await composer.sent()) == 1


@pytest.mark.parametrize("editor", ["lexical", "plain"])
async def test_in_a_modal_dialog_the_hint_can_be_pressed(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.page.evaluate(MODAL)
    await composer.editor.click()
    await composer.type("see http://evil.com/x now ")
    if editor == "lexical":
        await composer.page.keyboard.press("Control+Enter")
    await composer.choose("Let it out as it is" if editor == "lexical" else "Put it back")
    await composer.until("see http://evil.com/x now ")
    await composer.page.wait_for_timeout(100)
    assert await composer.hint() == {}


MODAL = """() => {
  const dialog = document.createElement("dialog");
  document.body.append(dialog);
  dialog.append(document.querySelector(".box"));
  dialog.showModal();
}"""


async def test_internal_notes_are_left_alone_by_choice(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror", note=1, settings={"notes": False})
    await composer.type("see http://evil.com/x now ")
    await composer.paste("http://evil.com/y ")
    await composer.until("see http://evil.com/x now http://evil.com/y ")
    await composer.page.keyboard.press("Control+Enter")
    assert len(await composer.sent()) == 1


async def test_internal_notes_are_looked_at_unless_chosen_otherwise(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror", note=1)
    await composer.type("see http://evil.com/x now ")
    await composer.until("see hxxp://evil[.]com/x now ")


@pytest.mark.parametrize("editor", RICH)
async def test_what_is_composed_is_left_until_it_is_done(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("http://evil.com/x")
    session: Any = await inbox.new_cdp_session(composer.page)
    for text in ["\u3000n", "\u3000に", "\u3000にほ"]:
        await session.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        )
        await composer.page.wait_for_timeout(50)
    assert "http://evil.com/x\u3000にほ" in await composer.text()
    await session.send("Input.insertText", {"text": "\u3000日本"})
    await composer.until("hxxp://evil[.]com/x\u3000日本")


@pytest.mark.parametrize("editor", WRITABLE)
async def test_the_caret_elsewhere_finishes_a_word(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("one http://evil.com/x")
    await composer.page.keyboard.press("Home")
    await composer.until("one hxxp://evil[.]com/x")
    await composer.type("Z")
    await composer.until("Zone hxxp://evil[.]com/x")


@pytest.mark.parametrize("editor", WRITABLE)
async def test_leaving_the_editor_finishes_a_word(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("one http://evil.com/x")
    await composer.page.click("#elsewhere")
    await composer.until("one hxxp://evil[.]com/x")


@pytest.mark.parametrize("how", ["keys", "button"])
@pytest.mark.parametrize("editor", RICH)
async def test_what_is_inserted_while_the_editor_has_no_focus_is_caught_when_sending(
    inbox: BrowserContext, editor: str, how: str
) -> None:
    composer = await open_composer(inbox, editor)
    await composer.type("Hello ")
    await composer.page.click("#elsewhere")
    await composer.page.evaluate("window.insert('see http://evil.com/m now')")
    await composer.page.wait_for_timeout(200)
    await send(composer, how)
    assert await composer.sent() == []
    await composer.until("Hello see hxxp://evil[.]com/m now")
    await send(composer, how)
    assert len(await composer.sent()) == 1


@pytest.mark.parametrize("editor", RICH)
async def test_lines_and_marks_around_a_link_stay(inbox: BrowserContext, editor: str) -> None:
    html = "<p>first <strong>bold</strong> line</p><p>second http://evil.com/<strong>x</strong> <em>line</em></p>"
    html += "<p>third</p>"
    composer = await open_composer(inbox, editor, html)
    wanted = ["first bold line", "second hxxp://evil[.]com/x line", "third"]
    lines = "(root) => [...root.querySelectorAll('p')].map((each) => each.textContent)"
    await until(lambda: composer.editor.evaluate(lines), lambda kept: kept == wanted)
    assert await composer.editor.locator("strong").first.text_content() == "bold"
    assert await composer.editor.locator("em").text_content() == "line"


async def test_a_sentence_without_a_space_before_it_is_none(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror")
    await composer.type("That is the end.My house is at evil.my and ")
    await composer.until("That is the end.My house is at evil[.]my and ")


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.parametrize("editor", RICH)
async def test_what_the_editor_itself_brings_back_stays(inbox: BrowserContext, editor: str, busy: bool) -> None:
    composer = await open_composer(inbox, editor)
    pause = 1100  # the longest that an editor joins over
    await composer.type("see http://evil.com/x")
    await composer.page.wait_for_timeout(pause)
    await composer.page.keyboard.press("Home")
    await composer.until("see hxxp://evil[.]com/x")
    await composer.page.wait_for_timeout(pause)
    await composer.type("Z")
    await composer.page.wait_for_timeout(pause)
    if busy:
        await composer.page.evaluate(BUSY)
    for _ in range(2):
        await composer.page.keyboard.press("Control+z")
        await composer.page.wait_for_timeout(400)
    assert (await composer.text()).rstrip() == "see http://evil.com/x"
    await composer.page.keyboard.press("End")
    await composer.type(" and more ")
    await composer.page.wait_for_timeout(300)
    assert (await composer.text()).rstrip() == "see http://evil.com/x and more"


BUSY = """() => addEventListener("keydown", (event) => event.key === "z" && setTimeout(() => {
  for (const begun = performance.now(); performance.now() - begun < 350; );
}))"""
"""A page that is slow after an undo: the companion comes to look only then."""


async def test_an_editor_that_insists_on_its_link_has_its_way_until_sending(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.page.evaluate(INSISTS)
    await composer.type("see http://evil.com/x now ")

    async def times() -> list[int]:
        before = await composer.page.evaluate("window.times")
        await composer.page.wait_for_timeout(300)
        return [before, await composer.page.evaluate("window.times")]

    before, after = await until(times, lambda seen: seen[0] == seen[1] > 0, "it goes on")
    assert before == after < 40
    await composer.page.keyboard.press("Control+Enter")
    assert await composer.sent() == []


INSISTS = """() => {
  const editor = document.getElementById("editor");
  window.times = 0;
  new MutationObserver(() => {
    if (!editor.textContent.includes("[.]")) return;
    window.times++;
    editor.textContent = editor.textContent.replace("hxxp", "http").replaceAll("[.]", ".");
  }).observe(editor, { subtree: true, childList: true, characterData: true });
}"""


async def test_intercoms_own_composer_is_known_without_any_setting(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "prosemirror", settings={"editors": []})
    await composer.type("see http://evil.com/x")
    await composer.page.click("#send")
    await composer.until("see hxxp://evil[.]com/x")
    assert await composer.sent() == []
    kept = await inbox.service_workers[0].evaluate("chrome.storage.session.get()")
    tab = await told_tab(inbox)
    assert {**kept[f"composer {tab}"], "document": ""} == {
        "editor": True,
        "note": False,
        "writes": True,
        "document": "",
    }
