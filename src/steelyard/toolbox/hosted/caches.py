"""What a WordPress and what is before it keep ready: counted, and cleared for this site alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from steelyard.toolbox.hosted import mysql, redis, wordpress
from steelyard.toolbox.hosted.here import Failed, Here, shown

FOLDERS = (
    *(
        "all",
        "autoptimize",
        "breeze",
        "breeze-minification",
        "cache-enabler",
        "cachify",
        "comet-cache",
        "db",
        "et-cache",
    ),
    *(
        "flying-press",
        "fvm",
        "hyper-cache",
        "min",
        "minify",
        "object",
        "page_enhanced",
        "powered-cache",
        "simple-cache",
    ),
    *(
        "speedycache",
        "supercache",
        "swift-performance",
        "wp-cloudflare-super-page-cache",
        "wp-fastest-cache",
        "wp-rocket",
    ),
    *("wpfc-minified", "wpo-cache", "wpo-minify"),
)
"""Folders of wp-content/cache in which plugins keep pages and what belongs to these, and nothing that they need."""

_BESIDE = ("et-cache", "litespeed")
"""The same, in wp-content itself."""

_MOST_KEPT = 500_000
_TRANSIENTS = r"option_name LIKE '\_transient\_%' OR option_name LIKE '\_site\_transient\_%'"


def read(here: Here, args: dict[str, Any]) -> Any:
    """`caches.read`: {docroot, php?, host, nginx?} -> what could be cleared.

    `host`: the site's, as nginx's keys have it; `nginx`: its cache's folder. Answers `object`: `{"kind", "prefix",
    "keys", "why"}`, whose `kind` is ours (`redis.read` counts its keys), prefix (of another's), none, or unknown;
    `folders`: `[{"path", "files", "bytes"}]`; `links` (folders that are links, left alone); `transients`; `nginx`:
    `{"files", "bytes"}`. Without a WordPress `{"missing": reason}`.
    """
    site = wordpress.read(here, args)
    if "missing" in site:
        return site
    found = list(_folders(here, site["content"]))
    return {
        "object": _object(here, site),
        "folders": [_sized(here, path) for path in found if _kind(here, path) == "folder"],
        "links": [path for path in found if _kind(here, path) == "link"],
        "transients": _transients(here, site, args),
        "nginx": _nginx(here, args["nginx"], args["host"]) if args.get("nginx") else None,
    }


def clear_folders(here: Here, args: dict[str, Any]) -> Any:
    """`caches.clear_folders`: {paths, token} -> {}. Each is moved aside in one instant, removed, and there anew."""
    for number, path in enumerate(args["paths"]):
        parent, _, name = path.rpartition("/")
        aside = f"{parent}/.steelyard-{args['token']}-{name}"
        found, left = here.stat(path), here.stat(aside)
        if found is None and left is not None and left.kind == "folder":  # a kill came between the two
            here.make_folder(path, left.mode)
        here.remove_tree(aside)
        if found is not None and found.kind == "folder":
            here.rename(path, aside)
            here.make_folder(path, found.mode)
            here.remove_tree(aside)
        here.progress(number + 1, len(args["paths"]), "folders")
    return {}


def clear_nginx(here: Here, args: dict[str, Any]) -> Any:
    """`caches.clear_nginx`: {nginx, host} -> {files}. Removes what nginx keeps of this host's pages, and no other's."""
    files = 0
    for path, _size in _kept_by_nginx(here, args["nginx"], args["host"]):
        here.remove(path)
        files += 1
    return {"files": files}


def clear_transients(here: Here, args: dict[str, Any]) -> Any:
    """`caches.clear_transients`: {config, prefix, php?} -> {}. WordPress makes them again where it needs them."""
    statement = f"DELETE FROM `{_prefix(args['prefix'])}options` WHERE {_TRANSIENTS}"  # noqa: S608
    mysql.execute(here, {"config": args["config"], "sql": statement, "php": args.get("php", "")})
    return {}


def _folders(here: Here, content: str) -> Iterator[str]:
    for folder, known in ((f"{content}/cache", FOLDERS), (content, _BESIDE)):
        if _kind(here, folder) == "folder":
            yield from (f"{folder}/{name}" for name in here.list(folder) if name in known)


def _kind(here: Here, path: str) -> str:
    found = here.stat(path)
    return found.kind if found is not None else ""


def _sized(here: Here, path: str) -> dict[str, Any]:
    files = [seen.size for _name, seen in here.walk(path) if seen.kind == "file"]
    return {"path": path, "files": len(files), "bytes": sum(files)}


def _object(here: Here, site: dict[str, Any]) -> dict[str, Any]:
    """Whose keys are the site's: only where a prefix parts them from others' it is sure."""
    constants: dict[str, Any] = site["constants"]
    prefix = str(constants.get("WP_REDIS_PREFIX", ""))
    none: dict[str, Any] = {"kind": "none", "prefix": "", "keys": 0, "why": ""}
    if here.stat(f"{site['content']}/object-cache.php") is None:
        return none
    if not redis.is_own(prefix):
        return {**none, "kind": "unknown", "why": "prefix"}
    if redis.SET_UP.fullmatch(prefix):
        return {**none, "kind": "ours", "prefix": prefix}
    try:
        keys = redis.count(here, {"said": constants, "prefix": prefix, "config": site["config"]})["keys"]
    except Failed as failed:
        return {**none, "kind": "unknown", "why": failed.message}
    return {"kind": "prefix", "prefix": prefix, "keys": keys, "why": ""}


def _transients(here: Here, site: dict[str, Any], args: dict[str, Any]) -> int:
    statement = f"SELECT COUNT(*) FROM `{_prefix(site['prefix'])}options` WHERE {_TRANSIENTS}"  # noqa: S608
    try:
        found = mysql.query(here, {"config": site["config"], "sql": statement, "php": args.get("php", "")})
        return int(found["rows"][0][0])
    except Failed as failed:
        here.tell("warning", failed.message)
        return 0


def _prefix(prefix: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{0,60}", prefix):
        raise Failed("odd_config", f"{shown(prefix)} is an odd prefix of tables: clear its transients by hand")
    return prefix


def _nginx(here: Here, folder: str, host: str) -> dict[str, int]:
    sizes = [size for _path, size in _kept_by_nginx(here, folder, host)]
    return {"files": len(sizes), "bytes": sum(sizes)}


def _kept_by_nginx(here: Here, folder: str, host: str) -> Iterator[tuple[str, int]]:
    """The files of nginx's cache whose key has this host in it, by path and size."""
    wanted = re.compile(rb"\nKEY: [^\n]*?(?:GET|HEAD|[^A-Za-z0-9.-])" + re.escape(host.encode()) + rb"[:/]")
    if _kind(here, folder) != "folder":
        return
    for name, seen in here.walk(folder, _MOST_KEPT):
        if seen.kind == "file" and wanted.search(here.part(f"{folder}/{name}", 0, 4096)):
            yield f"{folder}/{name}", seen.size


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "caches.read": read,
    "caches.clear_folders": clear_folders,
    "caches.clear_nginx": clear_nginx,
    "caches.clear_transients": clear_transients,
}
