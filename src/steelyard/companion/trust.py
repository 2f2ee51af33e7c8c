"""Whether a link leads where the team trusts: decided on the host that a browser would go to.

Pure; the same as extension/lib/trust.js.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set

import ada_url

from steelyard.companion.detect import SEPARATORS, WHITE, Begun
from steelyard.companion.names import TLDS, ascii_of

_SCHEMES = frozenset({"", "http", "https"})
_LONGEST = 253
"""Of a name of a host."""
_LETTERS = frozenset({"Ll", "Lo", "Mn", "Mc", "Me"})
_TARGET = re.compile(
    r"[\u0000-\u0020]*https?://([^/\\?#\u0000-\u0020]+)(?:[/?#][^\u0000-\u001f\u007f]*| *)", re.I | re.A
)
"""A target as every program reads it, and the host in it."""
_MAIL = re.compile(r"[\u0000-\u0020]*(?:mailto|tel):", re.I | re.A)
_LEFT = re.compile(f"[^\u0000-\u007f{SEPARATORS}]")
"""What some programs read as a part of the name that follows."""
_ON = re.compile(rf'[^{WHITE}"<>`/\\?#]{{0,1000}}')
"""On to where every program stops."""
_LAST = re.compile("[.\u3002\uff0e\uff61]([^.\u3002\uff0e\uff61]+)[.\u3002\uff0e\uff61]*\\Z")
_ANYBODYS = re.compile(
    "(?:ac|asso|asn|biz|co|com|ed|edu|firm|gen|go|gob|gouv|gov|govt|gr|gv|ind|lg|ltd|mil|ne|net|nhs|nic|nom|or|org|plc"
    r"|police|re|sch|school)\.[a-z][a-z]|(?:br|cn|de|eu|gb|jpn|ru|sa|uk|us|za)\.com|(?:gb|se|uk)\.net"
    r"|eu\.org|id\.au|me\.uk|web\.za"
)
"""What countries sell names under, as in `co.uk`, and the best known of those that sell as they do."""
_TRUSTABLE = re.compile(r"\s*(=?)(?:\*\.)?([^\s/\\?#@:=*]+|\[[0-9a-f:.]+\])\s*", re.I)
_PORT = re.compile(r":[0-9]{0,5}\Z")
_PLAIN = re.compile(r"[a-z0-9_-]*")


class AnybodysError(ValueError):
    """Anybody can have a name under this domain."""

    def __init__(self, domain: str) -> None:
        super().__init__(
            f"Anybody can have a name under {domain}: trust one below it, or that host alone as ={domain}."
        )
        self.domain = domain


def trusting(domains: Iterable[str]) -> frozenset[str]:
    """The domains that are trusted, as they are compared: `example.com` with all below it, `=example.com` alone.

    Raises ValueError for one that is no host, and for one under which anybody can have a name: `com`, `co.uk`.
    """
    found: set[str] = set()
    for each in domains:
        match = _TRUSTABLE.fullmatch(each)
        url = _parsed(f"http://{match[2]}/") if match else None
        host = url.hostname.removesuffix(".") if url else ""
        if match is None or "" in host.split(".") or host in TLDS:
            raise ValueError(f"{each} is no domain that can be trusted.")
        if not match[1] and _ANYBODYS.fullmatch(host):
            raise AnybodysError(host)
        found.add(match[1] + host)
    return frozenset(found)


def is_trusted_host(host: str, trusted: Set[str]) -> bool:
    """Whether the host, or one above it, is trusted. `host`: as the parser of addresses writes it."""
    name = host.removesuffix(".")
    if len(name) > _LONGEST:
        return False
    if f"={name}" in trusted or name in trusted:
        return True
    labels = name.split(".")
    return any(".".join(labels[at:]) in trusted for at in range(1, len(labels)))


def is_trusted(text: str, begun: Begun, trusted: Set[str]) -> bool:
    """Whether what begins in a text leads to a trusted host, for every program that may read it."""
    start, scheme, authority, rest, _ = begun
    if scheme not in _SCHEMES:
        return False
    if scheme and text[start + len(scheme) : authority] != "://":
        return False
    if text[rest : rest + 1] == "\\" or not _is_trusted_authority(text[authority:rest], trusted):
        return False
    if not scheme and _LEFT.match(text[max(0, start - 1) : start]):
        return False
    return not (scheme or text[authority : authority + 4].lower() == "www.") or _is_read_alike(text, rest)


def is_trusted_target(href: str, trusted: Set[str]) -> bool:
    """Whether the target of a link that was made already is trusted. `href`: as it stands."""
    if _MAIL.match(href):
        return True
    target = _TARGET.fullmatch(href)
    return target is not None and _is_trusted_authority(target[1], trusted)


def _is_trusted_authority(authority: str, trusted: Set[str]) -> bool:
    """Whether a host with or without a port is trusted, and spelled as every program reads it."""
    spelled = _lower(_PORT.sub("", authority))
    if spelled.isascii() and not is_trusted_host(spelled, trusted):
        return False
    url = _parsed(f"http://{authority}/")
    return url is not None and is_trusted_host(url.hostname, trusted) and _is_plain(spelled, url.hostname)


def _is_plain(spelled: str, host: str) -> bool:
    """Whether it is written as it is read: in lower or upper case, or with letters that no program maps."""
    if spelled == host and host.startswith("["):
        return True
    read = host.split(".")
    labels = spelled.split(".")
    return len(labels) == len(read) and all(map(_is_label, labels, read))


def _is_label(label: str, read: str) -> bool:
    """`read`: the same as the parser of addresses writes it."""
    if label == read:
        return bool(_PLAIN.fullmatch(label))
    small = label.lower()
    return (
        read.startswith("xn--")
        and unicodedata.normalize("NFKC", small) == small
        and all(each in "-0123456789" or unicodedata.category(each) in _LETTERS for each in small)
    )


def _is_read_alike(text: str, rest: int) -> bool:
    """Whether a program that reads on to the next white space goes to the same place."""
    match = _ON.match(text, rest)
    on = match[0] if match else ""
    if len(on) == 1000 or "@" in on:
        return False
    last = _LAST.search(on)
    return last is None or ascii_of(last[1]) not in TLDS


def _lower(text: str) -> str:
    """Only what is ASCII in lower case."""
    return re.sub("[A-Z]+", lambda each: each[0].lower(), text)


def _parsed(text: str) -> ada_url.URL | None:
    try:
        return ada_url.URL(text)
    except ValueError:
        return None
