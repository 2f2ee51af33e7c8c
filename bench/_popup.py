"""How soon the companion's popup can be used: from opening it until the verdict, the headers and all buttons are drawn.

And how soon it is whole: with what closed tabs held.

Paired with an empty page of the extension, opened in turns in the same browser: what the browser itself takes.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from _ground import median, say

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/companion"))
from origin import serving
from popping import Popping, Site, popping
from watching import permitted

OPENINGS = 20
HEADERS = ["Server: cloudflare", "CF-RAY: 8c5f0e7d1f2e9b1a-FRA", "X-Powered-By: PHP/7.4.33", "Cache-Control: no-cache"]
EMPTY = '<!doctype html><title>empty</title><main id="glance"></main><script type="module" src="empty.js"></script>'
DRAWS = """document.querySelector("#glance").append(document.createElement("dl"));
performance.mark("drawn", { detail: "glance" });"""
#: When each part of a page was drawn first, in milliseconds from the opening.
DRAWN = """() => {
  const drawn = performance.getEntriesByName("drawn").reverse();
  return Object.fromEntries(drawn.map(({ detail, startTime }) => [detail, startTime]));
}"""
#: What one opens the popup for, and what only some find in it.
PARTS = ["site", "glance"]
REST = "held"


async def popup_figures(folder: Path) -> dict[str, float]:
    """Opens both pages in turns: the real extension, a real server, one browser."""
    extension = permitted(folder / "extension", "http://*/*")
    (extension / "ui/empty.html").write_text(EMPTY)
    (extension / "ui/empty.js").write_text(DRAWS)
    taken: dict[str, list[dict[str, float]]] = {"popup": [], "empty": []}
    async with serving() as origin, popping(extension, folder / "profile") as browser:
        site = await browser.site(origin.at("/", "shop.example", header=HEADERS))
        for number in range(OPENINGS):
            for name in ["popup", "empty"] if number % 2 else ["empty", "popup"]:
                taken[name].append(await opened(browser, name, site))
            last = {name: max(each[-1].values()) for name, each in taken.items() if each}
            say(f"opening {number + 1}: " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in last.items()))
    usable = [max(each[part] for part in PARTS) for each in taken["popup"]]
    return {
        "popup_ms": median(usable),
        "popup_p95_ms": round(statistics.quantiles(usable, n=20)[-1], 1),
        "popup_whole_ms": median([max(each.values()) for each in taken["popup"]]),
        "empty_page_ms": median([max(each.values()) for each in taken["empty"]]),
    }


async def opened(browser: Popping, name: str, site: Site) -> dict[str, float]:
    """Milliseconds until each part of a page was drawn."""
    page = await browser.open(name, site)
    await page.wait_for_selector("#glance dl", state="attached")
    if name == "popup":
        await page.wait_for_selector(".verdict")
        await page.wait_for_function(f"({DRAWN})().{REST}")
    drawn: dict[str, float] = await page.evaluate(DRAWN)
    await page.close()
    return drawn
