"""A link that signs somebody in to a WordPress once: a small plugin that lets one request in and removes itself."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from typing import Any
from urllib.parse import urlsplit

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.mysql import ask, cells, credentials, filled, name
from steelyard.toolbox.hosted.wordpress import config_of, core_of

FILES = ("php/sign-in-link.php",)
_MOST = 50


def read(here: Here, args: dict[str, Any]) -> Any:
    """`links.read`: {docroot, php} -> {admins: [[id, login]], left}. `left`: whether this run's link is still there.

    {"missing": why} where there is no WordPress, or its database does not answer.
    """
    try:
        core = core_of(here, here.real(args["docroot"]))
        config = config_of(here, core) if core is not None else None
        if config is None:
            return {"missing": "wordpress"}
        found = credentials(here, config, args.get("php", ""))
        users, meta = name(found["prefix"] + "users"), name(found["prefix"] + "usermeta")
        sql = (
            f"SELECT ID, HEX(user_login) FROM {users} JOIN {meta} ON user_id = ID"  # noqa: S608 - names are quoted
            " WHERE meta_key = %(key)s AND meta_value LIKE '%s:13:\"administrator\";b:1%'"
            f" ORDER BY ID LIMIT {_MOST}"
        )
        rows = cells(ask(here, found, filled(sql, {"key": found["prefix"] + "capabilities"})))
    except Failed as failed:
        return {"missing": failed.code}
    admins = [[int(user or 0), bytes.fromhex(login or "").decode("utf-8", "replace")] for user, login in rows]
    return {"admins": admins}


def make(here: Here, args: dict[str, Any]) -> Any:
    """`links.make`: {plugins, user, url, seconds} -> {until, report: {private: {link, until}}}.

    Made again after a kill it is another link, and the one before it lets nobody in any more.
    """
    code = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    until = int(time.time()) + int(args["seconds"])
    told = {"hash": hashlib.sha256(code.encode()).hexdigest(), "until": until, "user": int(args["user"])}
    plugin = here.resource(FILES[0]).replace(b"STEELYARD_TOLD", base64.b64encode(json.dumps(told).encode()))
    if here.stat(args["plugins"]) is None:
        here.note("links", {"folder": args["plugins"]})  # before: a folder that nobody notes would stay
        here.make_folder(args["plugins"])
    here.write(_file(here, args["plugins"]), plugin, 0o600)
    link = f"{args['url'].rstrip('/')}/wp-login.php?steelyard_link={code}"
    return {"until": until, "host": urlsplit(link).netloc, "report": {"private": {"link": link, "until": until}}}


def look(here: Here, args: dict[str, Any]) -> Any:
    """`links.look`: {plugins} -> {there, folder}: whether this run's link still lets somebody in, and whether the
    folder that the run had to make for it is there, and empty."""
    return {"there": here.stat(_file(here, args["plugins"])) is not None, "folder": _is_left(here, args["plugins"])}


def drop(here: Here, args: dict[str, Any]) -> Any:
    """`links.drop`: {plugins} -> {dropped: bool}. The folder goes too where the run had to make it and it is empty."""
    path, folder = _file(here, args["plugins"]), args["plugins"]
    there = here.stat(path) is not None
    if there:
        here.remove(path)
    if _is_left(here, folder):
        here.remove_tree(folder)
    return {"dropped": there}


VERBS = {"links.read": read, "links.make": make, "links.look": look, "links.drop": drop}


def _is_left(here: Here, folder: str) -> bool:
    made = here.notes.get("links", {}).get("folder") == folder
    return made and here.stat(folder) is not None and not here.list(folder)


def _file(here: Here, plugins: str) -> str:
    return f"{plugins}/steelyard-link-{os.path.basename(here.work)}.php"
