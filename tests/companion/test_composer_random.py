"""Whatever one does in an editor, nothing untrusted goes out live, and no word of one's own is lost."""

from __future__ import annotations

import random

import pytest
from composing import Composer, open_composer
from playwright.async_api import BrowserContext
from waiting import until

from steelyard.companion.defang import defang
from steelyard.companion.trust import is_trusted_target, trusting

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

TRUSTED = trusting(["example.com"])
WORDS = [
    "http://evil.com/a",
    "www.evil.org,",
    "(https://evil.app)",
    "https://example.com/b",
    "readme.md",
    "evil.com:8080",
    "http://1.2.3.4/",
]
MOVES = ["Enter", "Home", "End", "ArrowLeft", "ArrowUp", "Backspace", "Control+z"]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("editor", ["prosemirror", "tiptap", "quill", "plain", "textarea"])
async def test_nothing_untrusted_is_sent_whatever_was_done(inbox: BrowserContext, editor: str, seed: int) -> None:
    composer = await open_composer(inbox, editor)
    chance = random.Random(seed)
    for number in range(30):
        await act(composer, chance, number)
    await composer.page.keyboard.press("Control+End")
    for _ in range(2):
        await composer.page.keyboard.press("Control+Enter")
    text = await composer.text()
    if await composer.sent():
        assert defang(text, TRUSTED) == text
        assert [href for href in await composer.links() if not is_trusted_target(href, TRUSTED)] == []
    else:
        assert any(line.startswith("Not sent") for line in await composer.hint())
    assert composer.wrong == []


async def act(composer: Composer, chance: random.Random, number: int) -> None:
    """One thing that a person may do."""
    kind = chance.random()
    if kind < 0.5:
        await composer.type(f"{chance.choice(WORDS)} ", delay=0)
    elif kind < 0.7:
        await composer.type(f"w{number} ", delay=0)
    elif kind < 0.8:
        await composer.paste(f"{chance.choice(WORDS)} pasted ")
    else:
        await composer.page.keyboard.press(chance.choice(MOVES))


@pytest.mark.parametrize("editor", ["prosemirror", "tiptap", "quill", "plain", "textarea"])
async def test_no_word_is_lost_or_moved(inbox: BrowserContext, editor: str) -> None:
    composer = await open_composer(inbox, editor)
    chance = random.Random(3)
    typed = [word for number in range(40) for word in (f"w{number}", chance.choice(WORDS[:4]))]
    for number, word in enumerate(typed):
        await composer.type(f"{word} ", delay=0)
        if number % 15 == 14:
            await composer.page.keyboard.press("Enter")
    wanted = [defang(word, TRUSTED) for word in typed]
    await until(composer.text, lambda text: text.split() == wanted, f"it does not have {wanted}")
