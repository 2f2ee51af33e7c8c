"""A page's Markdown as safe HTML: no HTML of its own, no address but http(s), mailto and the console's own. Pure.

Steps (the items of numbered lists) and blocks of code get a button that copies them as they stand; headings can be
linked to; images are links, since nothing is loaded from outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape

from steelyard.toolbox.handbook.model import fold, is_slug

_READER: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
# What may be linked to is decided below, where it is also known what exists.
_READER.validateLink = lambda url: True

_AWAY: Final = ' rel="noreferrer"'

SHELLS: Final = frozenset({"bash", "sh", "shell", "console"})
"""Languages of blocks that are commands."""


class Words(NamedTuple):
    """What the page says of its own, in the reader's language."""

    copy_step: str = "Copy this step"
    copy_code: str = "Copy"
    copied: str = "Copied"
    to_heading: str = "Link to this section"
    table: str = "Table"
    image: str = "Image"


class Target(NamedTuple):
    """Where a link of a page leads. `exists` is False for a page or runbook that is not there."""

    href: str
    exists: bool = True
    host: str = ""
    """Of another site."""


class Heading(NamedTuple):
    """A line of the table of contents."""

    level: int
    text: str
    anchor: str


class Code(NamedTuple):
    """A block of code: its language, empty where the page does not say, and its text without the last line's end."""

    language: str
    text: str


class Step(NamedTuple):
    """An item of a numbered list: its Markdown as it stands, its words alone, and its blocks of code."""

    source: str
    text: str
    codes: tuple[Code, ...]


class Drawn(NamedTuple):
    """A page as HTML, and what it is made of."""

    html: Markup
    headings: tuple[Heading, ...]


Resolve = Callable[[str], Target | None]
"""Where an address that stands in a page leads; None for one that must not be linked to."""


def draw(body: str, resolve: Resolve, words: Words = Words()) -> Drawn:  # noqa: B008 - immutable
    """`body` as HTML. Addresses go through `resolve`."""
    tokens = _READER.parse(body)
    headings = _anchored(tokens)
    renderer = _Page(body, resolve, words, {each.anchor for each in headings})
    return Drawn(Markup(renderer.render(tokens, _READER.options, {})), tuple(headings))  # noqa: S704 - made here


def steps_of(body: str) -> tuple[Step, ...]:
    """The steps of a page: the items of its numbered lists that stand in no other list."""
    lines = body.split("\n")
    tokens = _READER.parse(body)
    found: list[Step] = []
    for place, token in enumerate(tokens):
        if token.type == "list_item_open" and token.level == 1 and token.info and token.map is not None:
            inside = tokens[place + 1 : _end_of(tokens, place)]
            found.append(Step(_dedented(lines, token), _text_of(inside), _codes_of(inside)))
    return tuple(found)


def codes_of(body: str) -> tuple[Code, ...]:
    """All blocks of code of a page."""
    return _codes_of(_READER.parse(body))


def links_of(body: str) -> tuple[str, ...]:
    """Every address that a page links to, images too, as it stands there."""
    found: list[str] = []
    for token in _READER.parse(body):
        for each in token.children or ():
            if each.type in ("link_open", "image"):
                found.append(str(each.attrs.get("href") or each.attrs.get("src") or ""))
    return tuple(dict.fromkeys(found))


def anchors_of(body: str) -> frozenset[str]:
    """What can be linked to within a page."""
    return frozenset(each.anchor for each in _anchored(_READER.parse(body)))


def page_in(address: str) -> str | None:
    """The slug of the page of the handbook that an address means: `x.md`, `../fr/x.md`, `/handbook/x`; else None."""
    path = address.partition("#")[0].partition("?")[0]
    if path.startswith("/handbook/"):
        slug = path.removeprefix("/handbook/")
    elif re.fullmatch(r"(?:\.{1,2}/)*(?:[\w-]+/)*[\w-]+\.md", path):
        slug = path.rpartition("/")[2].removesuffix(".md")
    else:
        return None
    return slug if is_slug(slug) else None


def runbook_in(address: str) -> str | None:
    """The name of the runbook that an address means; None for any other."""
    found = re.fullmatch(r"/runbooks/([a-z0-9]+(?:_[a-z0-9]+)*)", address.partition("#")[0].partition("?")[0])
    return found[1] if found is not None else None


def outside(address: str) -> Target | None:
    """An address of another site or of a mailbox, or a path of the console; None for what must not be linked to."""
    if re.search(r"[\s\x00-\x20\\]", address):
        return None
    try:
        split = urlsplit(address)
        host = split.hostname or ""
    except ValueError:
        return None
    match split.scheme.lower():
        case "http" | "https" if host:
            return Target(address, host=host)
        case "mailto" if "@" in split.path:
            return Target(address)
        case "" if address.startswith("/") and not address.startswith("//"):
            return Target(address)
        case _:
            return None


class _Page(RendererHTML):
    """markdown-it's renderer, with what pages of the handbook have more."""

    def __init__(self, body: str, resolve: Resolve, words: Words, anchors: set[str]) -> None:
        self._lines, self._resolve, self._words, self._anchors = body.split("\n"), resolve, words, anchors
        self._codes = 0
        self._closing: list[str] = []
        super().__init__()

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        self._codes += 1
        id = f"code-{self._codes}"
        told = escape(token.info.split()[0]) if token.info.split() else ""
        kind = f' data-language="{told}"' if told else ""
        button = _button(self._words.copy_code, self._words.copied, f'data-copies="{id}"')
        code = f'<pre tabindex="0"><code id="{id}">{escape(_code(token))}</code></pre>'
        return f'<div class="code"{kind}>{code}{button}</div>\n'

    code_block = fence

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        return f'<{token.tag} id="{token.meta["anchor"]}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        meta = tokens[idx].meta
        label = escape(f"{self._words.to_heading}: {meta['text']}")
        return f' <a class="anchor" href="#{meta["anchor"]}" aria-label="{label}">#</a></{tokens[idx].tag}>\n'

    def list_item_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<li class="step">' if tokens[idx].info else "<li>"

    def list_item_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        source = tokens[idx].meta.get("opened")
        if source is None:
            return "</li>\n"
        text = escape(_dedented(self._lines, source))
        return _button(self._words.copy_step, self._words.copied, f'data-text="{text}"') + "</li>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<div class="scroll" role="region" aria-label="{escape(self._words.table)}" tabindex="0"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<th scope="col">'

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "<td>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        target = self._target(str(tokens[idx].attrs.get("href", "")))
        if target is None:
            self._closing.append("")
            return ""
        if not target.exists:
            self._closing.append("</span>")
            return '<span class="is-broken">'
        shown = "".join(each.content for each in tokens[idx + 1 : idx + 2])
        told = f" <small>({escape(target.host)})</small>" if target.host and target.host not in shown else ""
        self._closing.append(f"</a>{told}")
        return f'<a href="{escape(target.href)}"{_AWAY if target.host else ""}>'

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return self._closing.pop()

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        alt = f"{self._words.image}: {token.content}" if token.content else self._words.image
        target = outside(str(token.attrs.get("src", "")))
        if target is None or not target.host or self._closing:
            return str(escape(alt))
        return f'<a href="{escape(target.href)}"{_AWAY}>{escape(alt)}</a> <small>({escape(target.host)})</small>'

    def _target(self, address: str) -> Target | None:
        if address.startswith("#"):
            anchor = anchor_of(address[1:])
            return Target(f"#{anchor}", anchor in self._anchors)
        return self._resolve(address)


def anchor_of(text: str) -> str:
    """The id of a heading; no id of the page around it begins so."""
    return f"at-{re.sub(r'[^a-z0-9]+', '-', fold(unquote(text))).strip('-') or 'here'}"


def _anchored(tokens: Sequence[Token]) -> list[Heading]:
    """Gives each heading its id and each numbered item where it began; a page's headings begin at the second level."""
    found: list[Heading] = []
    seen: dict[str, int] = {}
    above = 1
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            text = _text_of(tokens[place + 1 : place + 2])
            anchor = anchor_of(text)
            seen[anchor] = seen.get(anchor, 0) + 1
            anchor += f"-{seen[anchor]}" if seen[anchor] > 1 else ""
            above = level = min(6, above + 1, max(2, int(token.tag[1])))
            for each in (token, tokens[place + 2]):
                each.tag = f"h{level}"
                each.meta = {"anchor": anchor, "text": text}
            found.append(Heading(level, text, anchor))
        elif token.type == "list_item_open" and token.info:
            tokens[_end_of(tokens, place)].meta = {"opened": token}
    return found


def _end_of(tokens: Sequence[Token], place: int) -> int:
    """Where what opens at `place` closes."""
    level = tokens[place].level
    return next(at for at in range(place + 1, len(tokens)) if tokens[at].level == level and tokens[at].nesting == -1)


def _dedented(lines: Sequence[str], item: Token) -> str:
    """The Markdown of a list's item without its number and the blanks that put it into the list."""
    first, last = item.map or (0, 0)
    inside = [*lines[first:last]]
    marked = re.match(r"\s*\d{1,9}[.)][ \t]*", inside[0]) if inside else None
    if marked is None:
        return "\n".join(inside).strip()
    width = len(marked[0])
    rest = [line[min(width, len(line) - len(line.lstrip(" "))) :] for line in inside[1:]]
    return "\n".join([inside[0][width:], *rest]).strip()


def _text_of(tokens: Sequence[Token]) -> str:
    """The words of some tokens, without code blocks."""
    said: list[str] = []
    for token in tokens:
        for each in token.children or ():
            if each.type in ("text", "code_inline", "image"):
                said.append(each.content)
            elif each.type in ("softbreak", "hardbreak"):
                said.append(" ")
        said.append(" " if token.type == "inline" else "")
    return re.sub(r"\s+", " ", "".join(said)).strip()


def _codes_of(tokens: Sequence[Token]) -> tuple[Code, ...]:
    blocks = [each for each in tokens if each.type in ("fence", "code_block")]
    return tuple(Code(each.info.split()[0].lower() if each.info.split() else "", _code(each)) for each in blocks)


def _code(token: Token) -> str:
    """Without the last line's end: pasted into a terminal it would be run at once."""
    return token.content.removesuffix("\n")


def _button(label: str, done: str, what: str) -> str:
    return f'<button type="button" class="small copy" hidden {what} data-done="{escape(done)}">{escape(label)}</button>'


def resolver(
    pages: Mapping[str, str] | frozenset[str], runbooks: frozenset[str], link: Callable[[str], str]
) -> Resolve:
    """Where addresses lead in one workspace: `pages` and `runbooks` are those that are there."""

    def resolve(address: str) -> Target | None:
        slug, runbook = page_in(address), runbook_in(address)
        fragment = address.partition("#")[2]
        after = f"#{anchor_of(fragment)}" if fragment else ""
        if slug is not None:
            return Target(link(f"/handbook/{slug}") + after, slug in pages)
        if runbook is not None:
            return Target(link(f"/runbooks/{runbook}"), runbook in runbooks)
        target = outside(address)
        own = target is not None and target.href.startswith("/") and not re.search("[?#]", target.href)
        return target._replace(href=link(target.href)) if target is not None and own else target

    return resolve


def broken_in(body: str, pages: frozenset[str], runbooks: frozenset[str]) -> tuple[str, ...]:
    """The addresses of a page that lead to pages, sections or runbooks that do not exist, or are none."""
    resolve, anchors = resolver(pages, runbooks, str), anchors_of(body)

    def leads(address: str) -> bool:
        if address.startswith("#"):
            return anchor_of(address[1:]) in anchors
        target = resolve(address)
        return target is not None and target.exists

    return tuple(each for each in links_of(body) if not leads(each))
