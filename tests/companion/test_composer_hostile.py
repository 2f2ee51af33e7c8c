"""Whatever a page, a macro or a person does, nothing untrusted goes out live by sending; nothing is lost in trying."""

from __future__ import annotations

import pytest
from composing import READ, Composer, open_composer
from playwright.async_api import BrowserContext
from waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PUT = "([html]) => { document.getElementById('editor').innerHTML = html; document.getElementById('editor').focus(); }"
LINKS = {
    "javascript": '<p>a <a href="javascript:alert(1)">here</a> b</p>',
    "data": '<p>a <a href="data:text/html,x">here</a> b</p>',
    "relative to the scheme": '<p>a <a href="//evil.com/x">here</a> b</p>',
    "with a user": '<p>a <a href="https://example.com@evil.com/">https://example.com/</a> b</p>',
    "with white space": '<p>a <a href=" \t\nhttps://evil.com">https://example.com/</a> b</p>',
    "with backslashes": '<p>a <a href="https:\\\\evil.com">https://example.com/</a> b</p>',
    "in marks": '<p>a <b><i><a href="http://evil.com/"><u>he</u>re</a></i></b> b</p>',
    "in two": '<p>a <a href="http://evil.com/">he</a><a href="http://evil.org/">re</a> b</p>',
    "another protocol": '<p>a <a href="tel:+1">x</a> <a href="vbscript:x">y</a> b</p>',
}
STUCK = {
    "a picture": '<p>a <a href="http://evil.com/"><img alt="x" src="data:,"></a> b</p>',
    "a drawing": '<p>a <svg width="9" height="9"><a href="http://evil.com/"><text y="9">x</text></a></svg> b</p>',
    "an old drawing": '<p>a <svg width="9"><a xlink:href="http://evil.com/"><text y="9">x</text></a></svg> b</p>',
    "an area": '<p>a <map name="m"><area shape="default" href="http://evil.com/"></map> b</p>',
    "a card": '<p>a <span contenteditable="false"><a href="http://evil.com/">card</a></span> b</p>',
    "nothing": '<p>a <a href="http://evil.com/"></a> b</p>',
}


async def live(composer: Composer) -> list[str]:
    return [href for href in await composer.links() if not href.startswith(("https://example.com/", "mailto:", "tel:"))]


@pytest.mark.parametrize("name", LINKS)
@pytest.mark.parametrize("editor", ["plain", "prosemirror", "quill"])
async def test_no_link_that_a_script_puts_in_goes_out(inbox: BrowserContext, editor: str, name: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.page.evaluate(PUT, [LINKS[name]])
    await composer.page.keyboard.press("Control+Enter")
    await composer.page.wait_for_timeout(150)
    await composer.page.keyboard.press("Control+Enter")
    assert await live(composer) == [] or await composer.sent() == []
    text = await composer.text()
    assert text.startswith("a ")
    assert text.rstrip().endswith(" b")
    assert composer.wrong == []


@pytest.mark.parametrize("name", STUCK)
async def test_what_cannot_be_written_anew_is_asked_for(inbox: BrowserContext, name: str) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.page.evaluate(PUT, [STUCK[name]])
    for _ in range(2):
        await composer.page.keyboard.press("Control+Enter")
    assert await composer.sent() == []
    await composer.choose("Let it out as it is")
    await composer.editor.focus()
    await composer.page.keyboard.press("Control+Enter")
    assert len(await composer.sent()) == 1


async def test_mail_and_trusted_links_stay(inbox: BrowserContext) -> None:
    html = '<p>a <a href="mailto:a@evil.com">a@evil.com</a> <a href="https://example.com/x">docs</a> '
    html += '<a href="https://a.example.com:8443/">more</a> b</p>'
    composer = await open_composer(inbox, "plain")
    await composer.page.evaluate(PUT, [html])
    await composer.page.keyboard.press("Control+Enter")
    assert len(await composer.sent()) == 1
    assert await composer.links() == ["mailto:a@evil.com", "https://example.com/x", "https://a.example.com:8443/"]


async def test_a_target_that_changes_under_its_text(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.page.evaluate(PUT, ['<p>a <a href="https://example.com/x">docs</a> b</p>'])
    await composer.page.wait_for_timeout(200)
    await composer.page.evaluate("document.querySelector('#editor a').href = 'http://evil.com/x'")
    await composer.until("a docs (hxxp://evil[.]com/x) b")


@pytest.mark.parametrize("moment", ["pointerdown", "mousedown", "mouseup"])
async def test_a_link_that_is_made_while_the_button_is_pressed(inbox: BrowserContext, moment: str) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.type("a b")
    await composer.page.evaluate(LATE, moment)
    await composer.page.click("#send")
    assert await composer.sent() == []


LATE = """(moment) => document.getElementById("send").addEventListener(moment, () => {
  document.getElementById("editor").innerHTML = 'a <a href="http://evil.com/">here</a> b';
})"""


@pytest.mark.parametrize("key", ["Enter", " "])
async def test_the_button_by_keyboard(inbox: BrowserContext, key: str) -> None:
    composer = await open_composer(inbox, "prosemirror")
    await composer.type("see http://evil.com/x")
    await composer.page.focus("#send")
    await composer.page.evaluate("window.insert(' http://evil.org/y')")
    await composer.page.keyboard.press(key)
    assert await composer.sent() == []
    await until(composer.text, lambda text: text.count("[.]") == 2)


async def test_a_form_that_is_submitted(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "textarea")
    await composer.page.evaluate(FORM)
    await composer.editor.click()
    await composer.type("see http://evil.com/x")
    await composer.page.evaluate("document.forms[0].requestSubmit()")
    assert await composer.sent() == []
    await composer.until("see hxxp://evil[.]com/x")
    await composer.page.evaluate("document.forms[0].requestSubmit()")
    assert await composer.sent() == ["see hxxp://evil[.]com/x"]


FORM = """() => {
  const form = document.createElement("form");
  document.querySelector(".box").after(form);
  form.append(document.getElementById("editor"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    window.sent.push(document.getElementById("editor").value);
  });
}"""


@pytest.mark.parametrize(
    "markup", ['<div role="menuitem">Send and close</div>', '<button title="Send"><i></i></button>']
)
async def test_other_things_that_send(inbox: BrowserContext, markup: str) -> None:
    composer = await open_composer(inbox, "prosemirror", settings={"editors": []})
    await composer.page.evaluate(MENU, markup)
    await composer.type("see http://evil.com/x")
    await composer.page.click("#menu > *")
    assert await composer.sent() == []
    await composer.until("see hxxp://evil[.]com/x")
    await composer.page.click("#menu > *")
    assert len(await composer.sent()) == 1


@pytest.mark.parametrize("key", ["Enter", " "])
async def test_what_is_no_real_button_by_keyboard(inbox: BrowserContext, key: str) -> None:
    composer = await open_composer(inbox, "prosemirror", settings={"editors": []})
    await composer.page.evaluate(MENU, '<div role="menuitem" tabindex="0">Send and close</div>')
    await composer.page.evaluate(BY_KEY)
    await composer.type("see ")
    await composer.page.focus("#menu > *")
    await composer.page.evaluate("window.insert('http://evil.com/x')")
    await composer.page.keyboard.press(key)
    assert await composer.sent() == []
    await composer.until("see hxxp://evil[.]com/x")
    await composer.page.focus("#menu > *")
    await composer.page.keyboard.press(key)
    assert len(await composer.sent()) == 1


BY_KEY = """() => document.querySelector("#menu > *").addEventListener("keydown", (event) => {
  if (event.key === "Enter" || event.key === " ") window.sent.push(document.getElementById("editor").innerHTML);
})"""

MENU = """(markup) => {
  const menu = document.createElement("div");
  menu.id = "menu";
  menu.innerHTML = markup;
  menu.firstChild.style = "display: inline-block; width: 100px; height: 20px";
  menu.addEventListener("click", () => window.sent.push(document.getElementById("editor").innerHTML));
  document.body.append(menu);
}"""


@pytest.mark.parametrize("editor", ["prosemirror", "plain"])
async def test_enter_alone_that_sends(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    await composer.page.evaluate(ENTER)
    await composer.type("see http://evil.com/x")
    await composer.page.keyboard.press("Enter")
    assert [text.count("hxxp://evil[.]com/x") for text in await composer.sent()] == [1]


ENTER = """() => document.getElementById("editor").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.ctrlKey) window.sent.push(event.currentTarget.innerHTML);
}, { capture: true })"""


async def test_the_page_cannot_choose_for_the_user(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "lexical")
    await composer.type("see http://evil.com/x now ")
    await composer.page.keyboard.press("Control+Enter")
    await composer.page.evaluate(
        "document.querySelector('steelyard-hint').dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    )
    assert await composer.page.evaluate("document.querySelector('steelyard-hint').shadowRoot") is None
    await composer.editor.focus()
    await composer.page.keyboard.press("Control+Enter")
    assert await composer.sent() == []


async def test_a_hint_has_to_be_seen_before_it_can_be_pressed(inbox: BrowserContext) -> None:
    composer = await open_composer(inbox, "plain")
    await composer.type("see http://evil.com ")
    await composer.until("see hxxp://evil[.]com")
    place = (await until(composer.hint, lambda hint: "Put it back" in hint))["Put it back"]
    await composer.page.evaluate(LATE_CLICK)
    for name in ("org", "net", "biz"):  # again where this machine was too slow for it to say anything
        await composer.page.wait_for_timeout(READ)
        await composer.editor.focus()
        await composer.page.keyboard.press("End")
        await composer.type(f"http://evil.{name} ")
        await composer.page.wait_for_function(f"document.getElementById('editor').innerText.includes('evil[.]{name}')")
        await composer.page.evaluate("window.late = undefined")
        await composer.page.mouse.click(*place)
        await composer.page.wait_for_function("window.late !== undefined")
        quick = await composer.page.evaluate("window.late") < 250
        await composer.page.wait_for_timeout(100)
        assert not quick or f"hxxp://evil[.]{name}" in await composer.text()


LATE_CLICK = """() => {
  let shown = 0; // the text and the hint change in the same moment
  const changes = { subtree: true, childList: true, characterData: true };
  const change = () => (shown = performance.now());
  new MutationObserver(change).observe(document.getElementById("editor"), changes);
  window.addEventListener("click", () => (window.late = performance.now() - shown), { capture: true });
}"""
"""How many milliseconds after it was shown the hint hears of a click, on whatever machine."""
