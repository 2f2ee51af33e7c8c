"""Bodies as a page may show them: whoever wrote one, only paragraphs, line breaks and links are left of it. Pure."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup

_SCHEMES: Final = frozenset({"http", "https", "mailto"})
_UNSAID: Final = frozenset({"script", "style", "template", "title"})
_NO_TAG: Final = re.compile(r"<(?![^<>]{1,4096}>)")
"""What begins no tag: the parser would read to the end from each of them."""
_BLOCKS: Final = frozenset({"p", "div", "li", "h1", "h2", "h3", "h4", "pre", "blockquote", "tr"})


def cleaned(body: str) -> Markup:
    """A body as safe HTML: its text, in paragraphs, with its links."""
    reading = _Reading()
    reading.feed(_NO_TAG.sub("&lt;", body))
    reading.close()
    return Markup(reading.whole())  # noqa: S704 - all that is in it was escaped or written here


class _Reading(HTMLParser):
    """Writes anew what is known, and escapes the rest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._out: list[str] = []
        self._linked = False
        self._unsaid = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _UNSAID:
            self._unsaid += 1
        elif tag == "br":
            self._out.append("<br>")
        elif tag in _BLOCKS:
            self._end_link()
            self._out.append("<p>")
        elif tag == "a":
            self._end_link()
            self._begin_link(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _UNSAID:
            self._unsaid = max(0, self._unsaid - 1)
        elif tag == "a":
            self._end_link()
        elif tag in _BLOCKS:
            self._end_link()
            self._out.append("</p>")

    def handle_data(self, data: str) -> None:
        if not self._unsaid:
            self._out.append(html.escape(data))

    def whole(self) -> str:
        self._end_link()
        return "".join(self._out)

    def _begin_link(self, href: str) -> None:
        try:
            leads = urlsplit(href.strip()).scheme.lower() in _SCHEMES
        except ValueError:
            leads = False
        if leads:
            self._out.append(f'<a href="{html.escape(href.strip())}" rel="noreferrer">')
            self._linked = True

    def _end_link(self) -> None:
        if self._linked:
            self._out.append("</a>")
            self._linked = False
