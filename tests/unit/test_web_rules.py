"""Rules that hold for every template, style sheet and element of every room, and for what a first visit loads."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from steelyard.kit.ids import CellId
from steelyard.main.console import Site, console
from steelyard.main.ground import ROOMS
from steelyard.web.static import read_static

PACKAGE = Path(__file__).parents[2] / "src/steelyard"
TEMPLATES = sorted(PACKAGE.glob("**/templates/**/*.html"))
SHEETS = sorted((PACKAGE / "web/css").glob("*.css"))
ELEMENTS = sorted((PACKAGE / "web/elements").glob("*.js"))

FORBIDDEN = {
    "a handler in an attribute": r"\son[a-z]+\s*=",
    "a handler of htmx": r"hx-on|hx-vals=.js:|js:|hx-vars|hx-ext",
    "a filter in a trigger": r"hx-trigger=\"[^\"]*\[",
    "an inline style": r"<style|\sstyle\s*=",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "an address of a script": r"javascript:|data:text/html",
    "markup that is not escaped": r"\|\s*safe(?!\w)|autoescape false|\bMarkup\b",
    "another origin": r"(src|action|hx-get|hx-post)=\"(https?:)?//|<link[^>]*//",
}
SAFE = re.compile(r"=(?:'|\")<[^{}]*>(?:'|\")\|safe|\bparts\[[^{}]*\]\|safe")
"""Constant markup that stands in the place of a message, and the desk's parts, which templates have drawn."""


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: "/".join(path.parts[-3:]))
def test_no_template_breaks_the_policy(template: Path) -> None:
    text = SAFE.sub("", template.read_text("utf-8"))
    assert {name for name, pattern in FORBIDDEN.items() if re.search(pattern, text)} == set()


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_rules_see_what_they_forbid(name: str) -> None:
    examples = {
        "a handler in an attribute": '<a onclick="x">',
        "a handler of htmx": '<a hx-on:click="x">',
        "a filter in a trigger": '<a hx-trigger="click[x]">',
        "an inline style": '<p style="x">',
        "an inline script": "<script>x</script>",
        "an address of a script": '<a href="javascript:x">',
        "markup that is not escaped": "{{ name|safe }}",
        "another origin": '<img src="https://x">',
    }
    assert re.search(FORBIDDEN[name], SAFE.sub("", examples[name]))


@pytest.mark.parametrize("element", ELEMENTS, ids=lambda path: path.name)
def test_no_element_makes_markup_of_text(element: Path) -> None:
    text = element.read_text("utf-8")
    found = re.findall(r"\.innerHTML\s*=|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)
    assert found == []
    assert not re.search(r"fetch\(\s*[\"'`]http", text)


def test_htmx_evaluates_nothing() -> None:
    base = (PACKAGE / "web/templates/base.html").read_text("utf-8")
    assert """name="htmx-config" content='{"allowEval":false,"includeIndicatorCSS":false}'""" in base


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_raw_colours_stand_in_the_tokens_alone(sheet: Path) -> None:
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.DOTALL)
    if sheet.name != "tokens.css":
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|rgba?\(|hsla?\(|oklch\(", text) == []
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_every_token_that_is_used_exists() -> None:
    tokens = set(re.findall(r"(--[a-z0-9-]+)\s*:", "".join(each.read_text("utf-8") for each in SHEETS)))
    drawn = [*SHEETS, *TEMPLATES]
    used = {name for each in drawn for name in re.findall(r"var\((--[a-z0-9-]+)\)", each.read_text("utf-8"))}
    assert used - tokens == set()


@pytest.mark.parametrize("path", ["/styleguide", "/sign-in"])
async def test_a_first_visit_is_light(path: str, tmp_path: Path) -> None:
    nothing: Starlette | None = None
    static = read_static()
    app = console(nothing, static, Site(CellId("eu1"), tmp_path))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        page = (await client.get(path)).text
        loaded = set(re.findall(r"(?:src|href)=\"(/static/[^\"]+\.(?:js|css))\"", page))
        loaded |= {f"/static/{static.version}/elements/{name}.js" for name in ("clock", "draft", "keys")}
        sizes = {path: len(gzip.compress(page.encode()))}
        for address in loaded:
            async with client.stream("GET", address, headers={"Accept-Encoding": "gzip"}) as answer:
                raw = b"".join([chunk async for chunk in answer.aiter_raw()])
            assert answer.headers["content-encoding"] == "gzip"
            assert gzip.decompress(raw) == static.files[address.split("/", 3)[3]]
            sizes[address] = len(raw)
    assert sum(sizes.values()) < 120_000, sizes
    assert sum(sizes.values()) < 60_000, "far below what is promised"


def test_what_cannot_be_unpacked_is_served_as_it_is() -> None:
    assert set(read_static().packed) == set(read_static().files)


def test_rooms_have_templates() -> None:
    assert all(any(folder.glob("*.html")) for folder in ROOMS.values())
