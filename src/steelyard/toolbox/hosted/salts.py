"""The keys and salts of a wp-config.php: read as they stand, made anew on the host, put back to the byte.

No value of them leaves the host. Nothing else of the file changes.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.mysql import ask, cells, credentials, name
from steelyard.toolbox.hosted.wordpress import config_of, core_of
from steelyard.toolbox.hosted.wp_edit import Token, put_in, tokens

NAMES = tuple(f"{who}_{what}" for what in ("KEY", "SALT") for who in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE"))
_LENGTH = 64
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#%^&*()-_ []{}<>~`+=,.;:/?|"
"""None that PHP would read as anything else between single quotes."""
_NOTE = "salts"


class _Value(NamedTuple):
    name: str
    token: Token


def look(here: Here, args: dict[str, Any]) -> Any:
    """`salts.look`: {docroot, php} -> what `salts.read` says, and `users`: how many are signed in. {} without a
    WordPress; `users` is None where the database does not say."""
    try:
        core = core_of(here, here.real(args["docroot"]))
    except Failed:
        return {}
    config = config_of(here, core) if core is not None else None
    if config is None:
        return {}
    try:
        found = credentials(here, config, args.get("php", ""))
        users = name(found["prefix"] + "usermeta")
        rows = cells(ask(here, found, f"SELECT count(*) FROM {users} WHERE meta_key = 'session_tokens'"))  # noqa: S608
        signed_in = int(rows[0][0] or 0)
    except (Failed, IndexError, ValueError):
        signed_in = None
    return {**read(here, {"config": config}), "users": signed_in}


def read(here: Here, args: dict[str, Any]) -> Any:
    """`salts.read`: {config} -> {set: [names], missing: [names], odd: [names], left}.

    `odd` are those that are no plain text. `left`: `rotated` where this run wrote them and they stand as it did,
    `changed` where somebody else wrote the file since, empty where this run wrote nothing.
    """
    text = _text(here, args["config"])
    values, odd = _values(text)
    known = {each.name for each in values}
    return {
        "set": [each for each in NAMES if each in known],
        "missing": [each for each in NAMES if each not in known | set(odd)],
        "odd": odd,
        "left": _left(here, text),
    }


def _left(here: Here, text: str) -> str:
    note = here.notes.get(_NOTE)
    if note is None or _digest(text) == note["before"]:
        return ""
    return "rotated" if _digest(text) == note["after"] else "changed"


def rotate(here: Here, args: dict[str, Any]) -> Any:
    """`salts.rotate`: {config} -> {rotated: how many}. What was there is kept in the run's folder, for the undo.

    Done again after a kill it makes them anew again: nobody can have used those that came before.
    """
    config = args["config"]
    seen = here.stat(config)
    text = _text(here, config)
    if seen is None:
        raise Failed("missing", f"There is no {shown(config)}")
    kept = _kept(here)
    if here.stat(kept) is None:
        here.write(kept, text.encode("utf-8", "surrogateescape"), 0o600)
    values, odd = _values(text)
    if odd:
        raise Failed("odd_config", f"{', '.join(odd)} in wp-config.php are no plain texts: set them by hand")
    fresh = _replaced(text, values)
    missing = [each for each in NAMES if each not in {value.name for value in values}]
    if missing:
        fresh = put_in(fresh, f"{os.path.basename(here.work)}-salts", {each: _salt() for each in missing})
    before = here.read(kept).decode("utf-8", "surrogateescape")
    here.note(_NOTE, {"before": _digest(before), "after": _digest(fresh)})
    here.write(config, fresh.encode("utf-8", "surrogateescape"), seen.mode)
    return {"rotated": len(NAMES)}


def restore(here: Here, args: dict[str, Any]) -> Any:
    """`salts.restore`: {config} -> {restored: bool}. Raises Failed `changed` where somebody wrote the file since."""
    config, note = args["config"], here.notes.get(_NOTE)
    text = _text(here, config)
    if note is None or _digest(text) == note["before"]:
        return {"restored": False}
    if _digest(text) != note["after"]:
        raise Failed(
            "changed",
            f"{shown(config)} was written by somebody else since: compare it with {shown(_kept(here))} by hand",
        )
    seen = here.stat(config)
    here.write(config, here.read(_kept(here)), seen.mode if seen is not None else 0o640)
    return {"restored": True}


VERBS = {"salts.look": look, "salts.read": read, "salts.rotate": rotate, "salts.restore": restore}


def _kept(here: Here) -> str:
    return here.work + "/wp-config.before"


def _text(here: Here, path: str) -> str:
    return here.read(path, most=2_000_000).decode("utf-8", "surrogateescape")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _values(text: str) -> tuple[list[_Value], list[str]]:
    """The texts that keys are defined as, and the names of those that are defined as something else."""
    code = [each for each in tokens(text) if each.kind != "space"]
    found: list[_Value] = []
    odd: list[str] = []
    for at, token in enumerate(code[:-4]):
        if token.kind != "name" or token.text.lower().lstrip("\\") != "define" or code[at + 1].text != "(":
            continue
        word, comma, value, closing = code[at + 2 : at + 6] if len(code) > at + 5 else (token, token, token, token)
        if word.kind not in ("single", "double") or word.text[1:-1] not in NAMES:
            continue
        if comma.text == "," and value.kind in ("single", "double") and closing.text == ")":
            found.append(_Value(word.text[1:-1], value))
        else:
            odd.append(word.text[1:-1])
    return found, odd


def _replaced(text: str, values: list[_Value]) -> str:
    pieces: list[str] = []
    place = 0
    for each in values:
        pieces += [text[place : each.token.start], f"'{_salt()}'"]
        place = each.token.end
    return "".join([*pieces, text[place:]])


def _salt() -> str:
    most = 256 - 256 % len(_LETTERS)
    found = ""
    while len(found) < _LENGTH:
        found += "".join(_LETTERS[each % len(_LETTERS)] for each in os.urandom(_LENGTH) if each < most)
    return found[:_LENGTH]
