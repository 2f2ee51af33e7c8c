"""Pages that a wiki exported as HTML become Markdown: the main content, blocks of code as they stand. Pure."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, cast

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

from steelyard.toolbox.handbook.model import BadPage, Language, language_in, plain_line

# Where wikis put what a page says: Confluence, MediaWiki, BookStack, DokuWiki, XWiki, then what many others do.
_CONTENT: Final = (
    "#main-content",
    "#mw-content-text",
    ".page-content",
    "#dokuwiki__content .page",
    ".dokuwiki",
    "#xwikicontent",
    "main",
    "article",
    "[role=main]",
    "#content",
    "body",
)
_NOISE: Final = (
    "script, style, noscript, template, iframe, object, embed, form, button, nav, svg, link, meta, .mw-editsection,"
    " #toc, .toc, .toc-macro, .breadcrumb-section, #breadcrumbs, .page-metadata, .pageSection.group, .attachments,"
    " #likes-and-labels-container, .printfooter, .catlinks, #footer, .secedit, .pointer, .bookstack-page-nav"
)
_TITLES: Final = ("#title-text", "#firstHeading", "h1", "title")
_DEEPEST: Final = 100


class Exported(NamedTuple):
    """What an exported page says."""

    title: str
    body: str
    language: Language | None


def read_html(source: str) -> Exported:
    """A wiki's page as Markdown. Raises BadPage where nothing in it is content."""
    soup = BeautifulSoup(source, "html.parser")
    _require_shallow(soup)
    title = _title_of(soup)
    content = next((found for found in map(soup.select_one, _CONTENT) if found is not None), None)
    if content is None:
        raise BadPage("no_content", "nothing in it is the content of a page")
    for each in content.select(_NOISE):
        each.decompose()
    heading = content.find("h1")
    if isinstance(heading, Tag) and plain_line(heading.get_text()) == title:
        heading.decompose()
    body = _tidied(
        _Converter(heading_style="ATX", bullets="-", code_language_callback=_language_of).convert_soup(content)
    )
    if not body:
        raise BadPage("no_content", "nothing in it is the content of a page")
    html = soup.find("html")
    return Exported(title, body, language_in(str(html.get("lang") or "")) if isinstance(html, Tag) else None)


def _require_shallow(soup: BeautifulSoup) -> None:
    """What is nested deeper than any page is cannot be walked."""
    deep: list[tuple[Tag, int]] = [(soup, 0)]
    while deep:
        tag, depth = deep.pop()
        if depth > _DEEPEST:
            raise BadPage("too_deep", f"its tags are nested more than {_DEEPEST} deep")
        deep += [(each, depth + 1) for each in tag.children if isinstance(each, Tag)]


def _title_of(soup: BeautifulSoup) -> str:
    for each in _TITLES:
        found = soup.select_one(each)
        title = plain_line(found.get_text()) if found is not None else ""
        if title:
            # `Space : Page` and `Page - Wiki` name the wiki, too.
            return title.partition(" : ")[2] or title if each in ("#title-text", "title") else title
    return ""


def _tidied(text: str) -> str:
    lines = [line.rstrip() for line in text.replace("\xa0", " ").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _language_of(tag: Any) -> str:
    """The language that a wiki names for a block of code, as its class or parameter."""
    said = " ".join([*_classes(tag), str(tag.get("data-syntaxhighlighter-params") or "")])
    if tag.code is not None:
        said += " " + " ".join(_classes(tag.code))
    found = re.search(r"(?:language-|lang-|brush:\s*|code\s+)([a-z]+)", said.lower())
    return {"shell": "bash", "sh": "bash"}.get(found[1], found[1]) if found is not None else ""


def _classes(tag: Any) -> list[str]:
    named: list[str] = tag.get("class") or []
    return [str(each) for each in named]


class _Converter(MarkdownConverter):
    """markdownify, with code kept exact: no mark in it is escaped and no line of it is wrapped."""

    def convert_pre(self, el: Any, text: str, parent_tags: Any) -> str:
        code = cast("str", el.get_text()).strip("\n")
        fence = "`" * max(3, 1 + max((len(each) for each in re.findall(r"`+", code)), default=0))
        return f"\n\n{fence}{_language_of(el)}\n{code}\n{fence}\n\n" if code else ""
