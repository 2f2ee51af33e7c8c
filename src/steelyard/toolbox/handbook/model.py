"""What a page of the handbook is: Markdown with front matter, in one language, about topics and runbooks. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Final, Literal, NamedTuple

Language = Literal["en", "fr"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr")

LONGEST_BODY: Final = 100_000
"""Characters of a page."""
LONGEST_TITLE: Final = 150
_LONGEST_SLUG: Final = 80
_MOST_NAMES: Final = 20

RESERVED: Final = frozenset({"new", "import", "search", "broken"})
"""Words that stand for pages of the console itself, so that no page of the handbook can have them for its slug."""

_SLUG: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_NAME: Final = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
_FRONT: Final = re.compile(r"\A\ufeff?---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+")
_MARKS: Final = re.compile(r"^#+ |^```.*$|[`*]+|\]\([^)]*\)|\[|^\|[-| ]+\|$", re.MULTILINE)
"""What of Markdown is not said."""
_LIGATURES: Final = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss", "ø": "o", "ł": "l", "đ": "d", "’": "'"})


class BadPage(ValueError):
    """What was read is no page. `code` says why in a word: see words.py."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Text(NamedTuple):
    """A page as somebody wrote it."""

    title: str
    body: str
    """Markdown, without its title and front matter."""
    topics: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()


class Written(NamedTuple):
    """A page as it stands in a file: its text, and what else its front matter says."""

    text: Text
    language: Language | None = None
    checked: date | None = None
    """When its authors last checked it."""
    slug: str = ""


def is_slug(text: str) -> bool:
    """Whether a page can have this address: lower-case letters, digits and single dashes, 80 at most."""
    return len(text) <= _LONGEST_SLUG and _SLUG.fullmatch(text) is not None and text not in RESERVED


def slug_of(text: str) -> str:
    """An address made of any text; empty where nothing of it can stand in one."""
    made = re.sub(r"[^a-z0-9]+", "-", fold(text)).strip("-")[:_LONGEST_SLUG].strip("-")
    return f"page-{made}"[:_LONGEST_SLUG] if made in RESERVED else made


def language_in(text: str) -> Language | None:
    """The language that `text` names, such as `fr` or `fr_FR`; None for one that the handbook is not written in."""
    return next((each for each in LANGUAGES if text.lower().replace("_", "-").partition("-")[0] == each), None)


def other_than(language: Language) -> Language:
    """The other language."""
    return "fr" if language == "en" else "en"


def fold(text: str) -> str:
    """`text` without accents, ligatures and capitals: `Œuvre réglée` is `oeuvre reglee`."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LIGATURES))
    return "".join(each for each in plain if not unicodedata.combining(each)).casefold()


def words_of(text: str) -> list[str]:
    """The words of `text`, folded: what is searched, and what is searched for."""
    return _WORD.findall(fold(text))


def folded(text: Text) -> str:
    """What is searched of a page: the words of its title on the first line, those of all the rest on the second."""
    whole = " ".join((text.body, *text.topics, *text.runbooks))
    return f"{' '.join(words_of(text.title))}\n{' '.join(words_of(whole))}"


def parse(source: str) -> Written:
    """A page from Markdown with front matter; without a `title:` its first heading is the title. Raises BadPage."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in source:
        raise BadPage("binary", "it holds a zero byte, so it is no text")
    found = _FRONT.match(source)
    front: Mapping[str, str] = _read_front(found[1]) if found is not None else {}
    body = source[found.end() :] if found is not None else source.removeprefix("\ufeff")
    title, body = _titled(front.get("title", ""), body.strip("\n").rstrip())
    if not title:
        raise BadPage("no_title", "it has neither `title:` nor a heading that begins with #")
    if len(title) > LONGEST_TITLE:
        raise BadPage("long_title", f"its title has {len(title)} characters: {LONGEST_TITLE} at most")
    if len(body) > LONGEST_BODY:
        raise BadPage("long", f"it has {len(body)} characters: {LONGEST_BODY} at most")
    text = Text(title, body, names_in(front.get("topics", "")), names_in(front.get("runbooks", "")))
    return Written(text, language_in(front.get("language", "")), _day(front.get("checked", "")), front.get("slug", ""))


def write(text: Text, language: Language, checked: date | None = None) -> str:
    """A page as a file. `parse` is its inverse."""
    lines = [f"title: {text.title}", f"language: {language}"]
    lines += [f"topics: {', '.join(text.topics)}"] if text.topics else []
    lines += [f"runbooks: {', '.join(text.runbooks)}"] if text.runbooks else []
    lines += [f"checked: {checked.isoformat()}"] if checked is not None else []
    return "---\n" + "\n".join(lines) + f"\n---\n{text.body}\n"


def names_in(text: str) -> tuple[str, ...]:
    """Ids of topics or runbooks in a list such as `[dns, ssl]` or `dns, ssl`. Raises BadPage for what is none."""
    names = tuple(dict.fromkeys(each.strip(" \t\"'") for each in re.split(r"[,\s]+", text.strip().strip("[]"))))
    names = tuple(each for each in names if each)
    odd = next((each for each in names if len(each) > 60 or _NAME.fullmatch(each) is None), None)
    if odd is not None:
        raise BadPage("bad_name", f"{odd[:60]!r} is no id of a topic or runbook")
    if len(names) > _MOST_NAMES:
        raise BadPage("many_names", f"it names {len(names)} topics or runbooks: {_MOST_NAMES} at most")
    return names


def _read_front(front: str) -> Mapping[str, str]:
    """`key: value` lines, and lists as wikis write them, one `- item` a line. What is neither is left out."""
    values: dict[str, str] = {}
    key = ""
    for line in front.split("\n"):
        named = re.fullmatch(r"([A-Za-z_]+):[ \t]*(.*?)[ \t]*", line)
        item = re.fullmatch(r"[ \t]*-[ \t]+(.+?)[ \t]*", line)
        if named is not None:
            key = named[1].lower()
            values[key] = _unquoted(named[2])
        elif item is not None and key:
            values[key] = f"{values[key]}, {_unquoted(item[1])}".lstrip(", ")
    return values


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _titled(title: str, body: str) -> tuple[str, str]:
    """The title, and the body without it where it begins with the same one."""
    heading = re.match(r"#[ \t]+(.+?)[ \t]*#*(?:\n+|\Z)", body)
    if heading is not None and (not title or fold(heading[1]) == fold(title)):
        return (title or plain_line(heading[1])), body[heading.end() :]
    return plain_line(title), body


def plain_line(text: str) -> str:
    """One line of text without Markdown's marks and without what cannot be seen."""
    seen = "".join(each if each.isprintable() or each in "\u00a0\u202f" else " " for each in text)
    return re.sub(" +", " ", re.sub(r"[`*]+|\\(?=[^\w\s])", "", seen)).strip()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadPage("bad_day", f"checked: {text[:40]!r} is no day such as 2026-11-22") from None


class Part(NamedTuple):
    """A piece of text, and whether it is what was searched for."""

    text: str
    marked: bool


def snippet(body: str, words: Sequence[str], length: int = 220) -> tuple[Part, ...]:
    """Where most of `words` (folded) stand together in `body`, with them marked; its beginning where none does."""
    text = re.sub(r"\s+", " ", _MARKS.sub("", body))
    asked = tuple(words)
    spots = [(each.start(), each.end(), word) for each in _WORD.finditer(text) if (word := _meant(each[0], asked))]
    best = max(spots, key=lambda spot: _worth(spots, spot[0], length), default=(0, 0, ""))
    start = _word_start(text, max(0, best[0] - length // 4))
    end = min(len(text), start + length)
    if end < len(text):
        end = text.rfind(" ", start, end) if " " in text[start:end] else end
    parts = [Part("… ", False)] if start else []
    at = start
    for first, last, _ in (spot for spot in spots if start <= spot[0] and spot[1] <= end):
        parts += [Part(text[at:first], False), Part(text[first:last], True)]
        at = last
    parts.append(Part(text[at:end] + (" …" if end < len(text) else ""), False))
    return tuple(each for each in parts if each.text)


def _worth(spots: Sequence[tuple[int, int, str]], at: int, length: int) -> tuple[int, int]:
    """How many different words stand within `length` from `at`, and how many in all."""
    near = [word for first, _, word in spots if at <= first < at + length * 3 // 4]
    return len(set(near)), len(near)


def _word_start(text: str, at: int) -> int:
    return at if at == 0 else text.find(" ", at) + 1 or at


@lru_cache(maxsize=50_000)
def _meant(word: str, asked: tuple[str, ...]) -> str:
    """Which of `asked` a word is in some form: `certificates` is `certificate` and `certif`. Else empty."""
    found = fold(word)
    for each in asked:
        stem, more = each[: max(4, len(each) - 3)], len(each) // 3
        if found.startswith(each) or (found.startswith(stem) and len(found) <= len(each) + more):
            return each
    return ""
