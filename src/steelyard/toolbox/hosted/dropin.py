"""A site's object-cache.php and the constants it goes by: put in, seen, and taken back to the byte."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted import kept, wordpress
from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.wp_edit import put_in, take_out

SOURCE = "php/object-cache.php"
FILES = ("php/object-cache.php",)
_NAME = re.compile(r"Plugin Name:\s*([^\n*]{1,80})")
_MOST = 5_000_000


def look(here: Here, args: dict[str, Any]) -> Any:
    """`dropin.look`: {docroot, php?, token?, plugin?} -> what lies where WordPress looks for its object cache.

    Answers `path`, `kind` (none, file, link, folder, other), `ours` (whether it is our own, as it ships), `name` (of
    the plugin that it says to be), `size`; `config` (the real path of wp-config.php), `mine` (whether the account may
    change both), and with `token` how far that run can be put back: `left`: `{"dropin": state, "config": state}`, see
    kept.py; with `plugin` (an archive, see `dropin.put`) `plugin`: `{"name", "bytes"}`, or `missing` and `message`.
    Without a WordPress, `{"missing": reason}`.
    """
    site = wordpress.read(here, args)
    if "missing" in site:
        return site
    path, config = f"{site['content']}/object-cache.php", here.real(site["config"])
    found, seen = here.stat(path), here.stat(config)
    text = _text(here, path) if found and found.kind in ("file", "link") else b""
    name = _NAME.search(text[:4000].decode("utf-8", "replace"))
    folders = [site["content"], config.rpartition("/")[0]]
    writes = all(here.run(["test", "-w", folder]).status == 0 for folder in folders)
    return {
        "path": path,
        "kind": found.kind if found else "none",
        "ours": text == here.resource(SOURCE),
        "name": name.group(1).strip() if name else "",
        "size": found.size if found else 0,
        "config": config,
        "mine": writes and seen is not None and seen.owner == here.account,
        "left": _left(here, args["token"], path, config) if args.get("token") else {},
        "plugin": _seen_in(here, args["plugin"]) if args.get("plugin") else {},
    }


def _seen_in(here: Here, plugin: dict[str, str]) -> dict[str, Any]:
    try:
        source = _packed(here, plugin)
    except Failed as failed:
        return {"missing": failed.code, "message": failed.message}
    name = _NAME.search(source[:4000].decode("utf-8", "replace"))
    return {"name": name.group(1).strip() if name else "", "bytes": len(source)}


def _packed(here: Here, plugin: dict[str, str]) -> bytes:
    """The object-cache.php in a plugin's zip, which is what was pinned. Raises Failed `wrong_hash`, `no_dropin`."""
    archive = here.read(plugin["archive"], most=50_000_000)
    digest = hashlib.sha256(archive).hexdigest()
    if digest != plugin["sha256"]:
        raise Failed("wrong_hash", f"{shown(plugin['archive'])} is not what was pinned: its SHA-256 is {digest}")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            names = [each for each in opened.infolist() if each.filename.rpartition("/")[2] == "object-cache.php"]
            found = min(names, key=lambda each: each.filename.count("/"), default=None)
            if found is not None and found.file_size < _MOST:
                return opened.read(found)
    except (zipfile.BadZipFile, ValueError, RuntimeError, OSError) as error:
        raise Failed("no_dropin", f"{shown(plugin['archive'])} cannot be read: {error}") from error
    raise Failed("no_dropin", f"{shown(plugin['archive'])} holds no object-cache.php: give the plugin's zip")


def _left(here: Here, token: str, path: str, config: str) -> dict[str, str]:
    return {
        "dropin": kept.state(here, token, "object-cache", path),
        "config": kept.state(here, token, "wp-config", config),
    }


def configure(here: Here, args: dict[str, Any]) -> Any:
    """`dropin.configure`: {config, token, constants, php} -> {changed}. Sets constants in wp-config.php.

    The file as it was is kept first, and what is written is looked over by `php` before. Raises Failed `odd_config`.
    """
    path = here.real(args["config"])
    before = here.stat(path)
    raw = here.read(path, most=_MOST)
    after = put_in(raw.decode("latin-1"), args["token"], _latin(args["constants"])).encode("latin-1")
    if after == raw or before is None:
        return {"changed": False}
    ran = here.run([args["php"], "-n", "-l"], stdin=after)
    if ran.status != 0:
        raise Failed(
            "odd_config", f"PHP would not read {shown(path)} with the new lines: {ran.said()}. It is as it was"
        )
    kept.keep(here, args["token"], "wp-config", path, after)
    here.write(path, after, before.mode)
    return {"changed": True}


def unconfigure(here: Here, args: dict[str, Any]) -> Any:
    """`dropin.unconfigure`: {config, token} -> {how}. wp-config.php as it was; changed since: it is, without our lines.

    `how`: whole, lines (only ours were taken out), back (it was already), none (the run never changed it).
    """
    path = here.real(args["config"])
    how = kept.put_back(here, args["token"], "wp-config", path)
    if how != "changed":
        return {"how": how}
    raw, found = here.read(path, most=_MOST), here.stat(path)
    after = take_out(raw.decode("latin-1"), args["token"]).encode("latin-1")
    if after != raw and found is not None:
        here.write(path, after, found.mode)
    here.tell("warning", f"{shown(path)} was changed since: only the lines of this run were taken out")
    return {"how": "lines"}


def put(here: Here, args: dict[str, Any]) -> Any:
    """`dropin.put`: {path, token, plugin?} -> {changed}. Our object-cache.php; what was there is kept first.

    `plugin`: instead, that of a plugin's zip on the host: its path as `archive`, with `sha256`.
    """
    source = _packed(here, args["plugin"]) if args.get("plugin") else here.resource(SOURCE)
    found = here.stat(args["path"])
    if found is not None and found.kind == "file" and here.read(args["path"], most=_MOST) == source:
        return {"changed": False}
    kept.keep(here, args["token"], "object-cache", args["path"], source)
    here.write(args["path"], source, 0o644)
    return {"changed": True}


def take(here: Here, args: dict[str, Any]) -> Any:
    """`dropin.take`: {path, token} -> {how}. object-cache.php as it was; one that was changed since stays."""
    how = kept.put_back(here, args["token"], "object-cache", args["path"])
    if how == "changed":
        here.tell("warning", f"{shown(args['path'])} was changed since: it stays as it is")
    return {"how": how}


def _text(here: Here, path: str) -> bytes:
    try:
        return here.read(path, most=_MOST)
    except Failed:
        return b""


def _latin(value: Any) -> Any:
    """Texts as the bytes that they are in UTF-8, each byte a character, as the file is held."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    if isinstance(value, list):
        return [_latin(each) for each in value]  # pyright: ignore
    if isinstance(value, dict):
        return {key: _latin(each) for key, each in value.items()}  # pyright: ignore
    return value


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "dropin.look": look,
    "dropin.configure": configure,
    "dropin.unconfigure": unconfigure,
    "dropin.put": put,
    "dropin.take": take,
}
