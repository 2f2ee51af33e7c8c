"""How a text is read: as words, folded, each with its place. The policy's phrases are read by the same rules.

A word is a run of letters, digits and underscores. Case and accents do not count (`É` is `e`, `œ` is `oe`).
Apostrophes and hyphens part words, so `l'hébergement` ends in the word `hebergement` and `php-fpm` is `php`, `fpm`.
Addresses are not words: a URL, an e-mail address or a host name (`mail.example.com`) is passed over whole. A dotted
name that ends like a file (`wp-config.php`) or in a number (`8.2`) is not a host name and is read as its words.
"""

import re
import unicodedata
from typing import NamedTuple

READ = 20_000
"""Characters of a text that are read; what comes after does not count."""

LONGEST = 64
"""Characters of the longest word. What is longer is no word (and folding it could take long): it is passed over."""

NEAR = 3
"""Characters that may stand between two words of one phrase. An address is longer, so no phrase reaches over one."""

_ACCENTS = re.compile(r"[\u0300-\u036f]+")
_WORD = r"\w[\w\u0300-\u036f]*+"
_PLAIN = re.compile(_WORD)
_RUN = re.compile(
    r"(?P<address>(?i:(?:https?|s?ftps?|ssh|git)://|mailto:|www\.)\S++)" rf"|{_WORD}(?P<joined>(?:[.@+-]++{_WORD})++)?+"
)
_PATH = re.compile(r"(?:[/?#]|:\d)\S*+")
_HOST_ENDING = re.compile(r"[a-z]{2,}|[A-Z]{2,}|xn--[\w-]+")
_FILE_ENDINGS = frozenset(
    [
        "bak",
        "bz2",
        "cnf",
        "conf",
        "crt",
        "css",
        "csv",
        "db",
        "env",
        "gif",
        "gz",
        "htaccess",
        "htm",
        "html",
        "ini",
        "jpeg",
        "jpg",
        "js",
        "json",
        "key",
        "lock",
        "log",
        "pdf",
        "pem",
        "php",
        "png",
        "po",
        "sql",
        "svg",
        "tar",
        "tgz",
        "txt",
        "webp",
        "xml",
        "yaml",
        "yml",
        "zip",
    ]
)
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "ı": "i"})


class Words(NamedTuple):
    """The words of a text in their order: folded, and where each starts and ends in the text as given."""

    folded: list[str]
    starts: list[int]
    ends: list[int]


def fold(word: str) -> str:
    """`word` without case and accents: `Hébergé` is `heberge`, `cœur` is `coeur`."""
    if word.isascii():
        return word.lower()
    return _ACCENTS.sub("", unicodedata.normalize("NFKD", word)).casefold().translate(_LETTERS)


def read(text: str) -> Words:
    """The words among the first `READ` characters of any `text`, in time linear in its length."""
    words = Words([], [], [])
    text = text[:READ]
    passed = 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        if start < passed or run["address"] is not None:
            continue
        if run["joined"] is None:
            _append(words, run[0], start, end)
        elif _is_address(run[0]):
            path = _PATH.match(text, end)
            passed = path.end() if path else end
        else:
            for word in _PLAIN.finditer(text, start, end):
                _append(words, word[0], word.start(), word.end())
    return words


def _append(words: Words, word: str, start: int, end: int) -> None:
    if end - start <= LONGEST:
        words.folded.append(word.lower() if word.isascii() else fold(word))
        words.starts.append(start)
        words.ends.append(end)


def _is_address(run: str) -> bool:
    """Whether words joined by dots, hyphens and the like are an e-mail address or a host name."""
    if "@" in run:
        return True
    labels = run.split(".")
    ending = labels[-1]
    return (
        len(labels) > 1 and all(labels) and bool(_HOST_ENDING.fullmatch(ending)) and fold(ending) not in _FILE_ENDINGS
    )
