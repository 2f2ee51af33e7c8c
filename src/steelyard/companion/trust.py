"""Whether a link leads where the team trusts: decided on the host that a browser would go to. Pure; as trust.js."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Set

import ada_url

from steelyard.companion.detect import Found, find

_SCHEMES = frozenset({"", "http", "https"})
_SCHEME = re.compile(r"\s*([a-z][a-z0-9+.-]*):", re.I | re.A)
_NUMBER = re.compile(r"[0-9.]+")
_LETTERS = frozenset({"Ll", "Lo", "Mn", "Mc", "Me"})


def trusting(domains: Iterable[str]) -> frozenset[str]:
    """The domains that are trusted, as they are compared: `example.com` with all below it, `=example.com` alone.

    Raises ValueError for one that is no host.
    """
    found: set[str] = set()
    for each in domains:
        exact = each.strip().startswith("=")
        host = ada_url.URL(f"http://{re.sub(r'^(=|[*][.])', '', each.strip())}/").hostname
        found.add(f"={host}" if exact else host)
    return frozenset(found)


def is_trusted_host(host: str, trusted: Set[str]) -> bool:
    """Whether the host, or one above it, is trusted. `host`: as the parser of addresses writes it."""
    if f"={host}" in trusted or host in trusted:
        return True
    if _NUMBER.fullmatch(host) or host.startswith("["):
        return False
    labels = host.split(".")
    return any(".".join(labels[at:]) in trusted for at in range(1, len(labels)))


def is_trusted(text: str, found: Found, trusted: Set[str]) -> bool:
    """Whether what was found in a text leads to a trusted host, for every program that may read it."""
    if found.scheme not in _SCHEMES:
        return False
    url = _parsed(("" if found.scheme else "http://") + text[found.start : found.end])
    if url is None or url.username or url.password or not is_trusted_host(url.hostname, trusted):
        return False
    if found.scheme and text[found.start + len(found.scheme) : found.authority] != "://":
        return False
    backslash = text[found.rest : found.rest + 1] == "\\"
    return not backslash and _is_plain(text[found.authority : found.rest], url.hostname)


def is_trusted_target(href: str, trusted: Set[str]) -> bool:
    """Whether the target of a link that was made already is trusted. `href`: as it stands."""
    scheme = _SCHEME.match(href)
    if scheme and scheme[1].lower() in ("mailto", "tel"):
        return True
    stripped = href.strip()
    found = find(stripped)
    if len(found) != 1 or (found[0].start, found[0].end) != (0, len(stripped)) or not found[0].scheme:
        return False
    return is_trusted(stripped, found[0], trusted)


def _is_plain(authority: str, host: str) -> bool:
    """Whether the host is spelled as every program reads it: in lower or upper case, or with letters nobody maps."""
    spelled = re.sub(r":[0-9]{1,5}\Z", "", authority.lower()).split(".")
    read = host.split(".")
    if len(spelled) != len(read):
        return False
    return all(label == other or _is_letters(label, other) for label, other in zip(spelled, read, strict=True))


def _is_letters(label: str, read: str) -> bool:
    """`read`: the same as the parser of addresses writes it."""
    return (
        read.startswith("xn--")
        and unicodedata.normalize("NFC", label) == label
        and all(each in "-0123456789" or unicodedata.category(each) in _LETTERS for each in label)
    )


def _parsed(text: str) -> ada_url.URL | None:
    try:
        return ada_url.URL(text)
    except ValueError:
        return None
