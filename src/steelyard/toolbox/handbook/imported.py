"""What an import would do: files become pages, links between files become links between pages. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote

from steelyard.toolbox.handbook.model import BadPage, Language, Text, is_slug, language_in, parse, slug_of
from steelyard.toolbox.handbook.wiki import read_html

Key = tuple[str, Language]

What = Literal["new", "changed", "unchanged", "edited", "refused"]
"""`edited`: the file changed, and so did somebody here since it was imported; only taken where that is asked for."""

INDEXES: Final = frozenset({"index", "readme", "_index", "start", "home"})
_LINK: Final = re.compile(r"(!?\[(?:[^\[\]\n]|\[[^\]\n]*\])*\]\()(<[^>\n]*>|[^)\s]+)((?:\s+\"[^\"\n]*\")?\))")
_FENCED: Final = re.compile(r"^( *)(`{3,}|~{3,}).*?^ *\2`*~* *$", re.MULTILINE | re.DOTALL)


class Source(NamedTuple):
    """A file: its path in the folder, its text, and the code of why it cannot be read, where it cannot."""

    path: str
    text: str
    refused: str = ""


class Stored(NamedTuple):
    """What stands in the handbook already: the digests of its text now, and of that which was imported."""

    source: str
    now: str
    imported: str
    own: bool


class Line(NamedTuple):
    """What becomes of one file."""

    what: What
    source: str
    slug: str = ""
    language: Language = "en"
    text: Text = Text("", "")
    reason: str = ""
    """The code of why it is refused."""


class _Read(NamedTuple):
    source: str
    slug: str
    language: Language
    text: Text


def plan(
    sources: Sequence[Source],
    stored: Mapping[Key, Stored],
    digest: Callable[[Text], str],
    *,
    language: Language = "en",
    over: bool = False,
) -> tuple[Line, ...]:
    """What importing `sources` would do, in their order. `language`: of files that do not say theirs.

    `over`: pages that were edited here since, or written here, are overwritten, too.
    """
    lines: dict[str, Line] = {}
    read: list[_Read] = []
    keys = _Keys(stored, digest)
    for source in sources:
        try:
            read.append(_read(source, language, keys))
        except BadPage as error:
            lines[source.path] = Line("refused", source.path, reason=error.code)
    slugs = {each.source: each.slug for each in read}
    for each in read:
        linked = each.text._replace(body=_relinked(each.text.body, each.source, slugs))
        what, reason = _judged(each, linked, stored.get((each.slug, each.language)), digest, over)
        lines[each.source] = Line(what, each.source, each.slug, each.language, linked, reason)
    return tuple(lines[source.path] for source in sources)


class _Keys:
    """Gives each file its page: the one that it became before, else one by its name, else one by its whole path."""

    def __init__(self, stored: Mapping[Key, Stored], digest: Callable[[Text], str]) -> None:
        self._digest = digest
        self._now = {key: each.now for key, each in stored.items()}
        self._before = {(each.source, key[1]): key[0] for key, each in stored.items() if each.source}
        self._taken: set[Key] = {key for key, each in stored.items() if each.source}

    def of(self, path: str, wanted: str, language: Language, text: Text) -> str:
        """Raises BadPage where no address can be made, or all are taken by other files."""
        before = self._before.get((path, language))
        if before is not None:
            return before
        offered = [each for each in (wanted, slug_of(_named(path)), slug_of(_inside(path))) if is_slug(each)]
        for slug in offered:
            same = self._now.get((slug, language)) == self._digest(text)  # as when what was exported comes back
            if same or (slug, language) not in self._taken:
                self._taken.add((slug, language))
                return slug
        raise BadPage("same", f"{path} would be the same page as another file")


def _read(source: Source, language: Language, keys: _Keys) -> _Read:
    if source.refused:
        raise BadPage(source.refused, source.path)
    if source.path.lower().endswith((".html", ".htm")):
        page = read_html(source.text)
        title = page.title or _named(source.path)
        written = parse(f"---\ntitle: {title}\n---\n{page.body}")
        said, slug = page.language, ""
    else:
        written = parse(source.text)
        said, slug = written.language, written.slug
    chosen = said if said is not None and not source.path.lower().endswith((".html", ".htm")) else None
    spoken = chosen or _language_of(source.path) or said or language
    return _Read(source.path, keys.of(source.path, slug, spoken, written.text), spoken, written.text)


def _language_of(path: str) -> Language | None:
    """By a folder such as `fr/`, or an ending such as `redis.fr.md`."""
    *folders, name = path.split("/")
    said = [*(part for part in folders if len(part) in (2, 5)), name.partition(".")[2].rpartition(".")[0]]
    return next((found for found in map(language_in, said) if found is not None), None)


def _named(path: str) -> str:
    """The file's own name, or that of its folder for an index; without the number that a wiki adds."""
    folder, stem = posixpath.basename(posixpath.dirname(path)), posixpath.basename(path).partition(".")[0]
    if stem.lower() in INDEXES and folder and language_in(folder) is None:
        stem = folder
    return re.sub(r"_\d{4,}$", "", stem)


def _inside(path: str) -> str:
    """All of the path but folders that only name a language."""
    *folders, name = path.split("/")
    told = [part for part in folders if not (len(part) in (2, 5) and language_in(part))]
    return "-".join([*told, name.partition(".")[0]])


def _relinked(body: str, source: str, slugs: Mapping[str, str]) -> str:
    """The body with links to other files as links to their pages; blocks of code stay as they are."""
    out: list[str] = []
    at = 0
    for block in _FENCED.finditer(body):
        out += [_relinked_text(body[at : block.start()], source, slugs), block[0]]
        at = block.end()
    out.append(_relinked_text(body[at:], source, slugs))
    return "".join(out)


def _relinked_text(text: str, source: str, slugs: Mapping[str, str]) -> str:
    def link(found: re.Match[str]) -> str:
        if found[1].startswith("!"):
            return found[0]
        address, mark, fragment = found[2].strip("<>").partition("#")
        slug = slugs.get(_resolved(source, unquote(address)))
        return f"{found[1]}{slug}.md{mark}{fragment}{found[3]}" if slug is not None else found[0]

    return _LINK.sub(link, text)


def _resolved(source: str, address: str) -> str:
    """The file that a relative address means."""
    parts: list[str] = [] if address.startswith("/") else source.split("/")[:-1]
    for part in address.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)


def _judged(
    read: _Read, text: Text, stored: Stored | None, digest: Callable[[Text], str], over: bool
) -> tuple[What, str]:
    if stored is None or not stored.own:
        return "new", ""
    new = digest(text)
    if stored.now == new or (stored.source == read.source and stored.imported == new):
        return "unchanged", ""
    if over or (stored.source == read.source and stored.now == stored.imported):
        return "changed", ""
    return ("edited", "") if stored.source == read.source else ("refused", "taken")
