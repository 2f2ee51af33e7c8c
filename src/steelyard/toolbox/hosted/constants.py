"""Addresses that a wp-config.php sets as plain texts: another one put in, and the file put back to the byte."""

from __future__ import annotations

import hashlib
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.serialised import Address
from steelyard.toolbox.hosted.wp_edit import Token, tokens

NAMES = ("WP_HOME", "WP_SITEURL", "DOMAIN_CURRENT_SITE", "COOKIE_DOMAIN", "WP_CONTENT_URL", "WP_PLUGIN_URL")
_NOTE, _KEPT = "constants", "/wp-config.addresses"


def look(here: Here, args: dict[str, Any]) -> Any:
    """`constants.look`: {config} -> {left}: `put` where this run wrote the file and it stands so, `changed` where
    somebody wrote it since, else empty."""
    text, note = _text(here, args["config"]), here.notes.get(_NOTE)
    if note is None or _digest(text) == note["before"]:
        return {"left": ""}
    return {"left": "put" if _digest(text) == note["after"] else "changed"}


def held(here: Here, config: str, address: Address) -> list[str]:
    """The constants that hold the address."""
    return sorted({name for name, _ in _found(_text(here, config), address)})


def put(here: Here, args: dict[str, Any]) -> Any:
    """`constants.put`: {config, from, to} -> {put: names}. What was there is kept in the run's folder."""
    config, address = args["config"], Address(args["from"], args["to"])
    text, seen = _text(here, config), here.stat(config)
    found = _found(text, address)
    if not found or seen is None:
        return {"put": []}
    fresh, place = "", 0
    for _, token in found:
        value = address.put(token.text.encode("utf-8", "surrogateescape"))[0].decode("utf-8", "surrogateescape")
        fresh, place = fresh + text[place : token.start] + value, token.end
    fresh += text[place:]
    here.write(here.work + _KEPT, text.encode("utf-8", "surrogateescape"), 0o600)
    here.note(_NOTE, {"before": _digest(text), "after": _digest(fresh)})
    here.write(config, fresh.encode("utf-8", "surrogateescape"), seen.mode)
    return {"put": sorted({name for name, _ in found})}


def restore(here: Here, args: dict[str, Any]) -> Any:
    """`constants.restore`: {config} -> {restored: bool}. Raises Failed `changed` where somebody wrote it since."""
    config, note, seen = args["config"], here.notes.get(_NOTE), here.stat(args["config"])
    text = _text(here, config)
    if note is None or seen is None or _digest(text) == note["before"]:
        return {"restored": False}
    if _digest(text) != note["after"]:
        kept = shown(here.work + _KEPT)
        raise Failed("changed", f"{shown(config)} was written by somebody else since: compare it with {kept} by hand")
    here.write(config, here.read(here.work + _KEPT), seen.mode)
    return {"restored": True}


VERBS = {"constants.look": look, "constants.put": put, "constants.restore": restore}


def _found(text: str, address: Address) -> list[tuple[str, Token]]:
    """The texts that hold the address and that a constant is defined as, with its name."""
    code = [each for each in tokens(text) if each.kind != "space"]
    found: list[tuple[str, Token]] = []
    for at in range(len(code) - 5):
        word, opening, name, comma, value, closing = code[at : at + 6]
        if word.kind != "name" or word.text.lower().lstrip("\\") != "define" or opening.text != "(":
            continue
        plain = name.kind in ("single", "double") and value.kind in ("single", "double")
        plain = plain and name.text[1:-1] in NAMES and (comma.text, closing.text) == (",", ")")
        if plain and address.found(value.text.encode("utf-8", "surrogateescape")):
            found.append((name.text[1:-1], value))
    return found


def _text(here: Here, path: str) -> str:
    return here.read(path, most=2_000_000).decode("utf-8", "surrogateescape")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
