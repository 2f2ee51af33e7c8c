"""Which sites are on a host: what its web servers serve, and where a WordPress lies. It runs nothing of a site.

It looks as the support account, so a wp-config.php is read as text and never run: whoever owns it must not act as the
account that becomes every site's user.
"""

from __future__ import annotations

import os
import re
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.servers import Server, apache_servers, files_of, names_of, nginx_servers
from steelyard.toolbox.hosted.wordpress import config_of, core_of, versions
from steelyard.toolbox.hosted.wp_config import definitions

PLACES = ("/var/www", "/srv", "/home", "/opt")
"""Where sites usually lie."""

DEEPEST, MOST_FOLDERS, MOST_SITES = 6, 50_000, 2000
MOST_COMMANDS = 300
"""Folders that are looked into where each is a command over SSH."""
_NOT_INTO = frozenset({"wp-content", "wp-admin", "wp-includes", "node_modules", "vendor", "proc", "sys", "dev"})
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")


def find(here: Here, args: dict[str, Any]) -> Any:
    """`discover.find`: the sites of the machine; `places` and `nginx` instead of the usual ones.

    Answers `{"sites": [{"name", "aliases", "docroot", "account", "url", "server", "pool", "wordpress"}], "php":
    [{"version", "cli", "fpm": bool, "pools": [names]}], "redis": [sockets and ports], "closed": [folders that may not
    be looked into], "cut": bool}`. `wordpress` is None, or `{"version", "database", "prefix", "multisite", "plain"}`,
    with empty texts where it may not be read.
    """
    files = files_of(here)
    servers = nginx_servers(files, args.get("nginx", "/etc/nginx/nginx.conf")) + apache_servers(files)
    by_root: dict[str, list[Server]] = {}
    for server in servers:
        root = _real(here, server.root)
        if root:
            by_root.setdefault(root, []).append(server)
    below, closed, cut = _walked(here, args.get("places") or PLACES)
    cores = {_core(here, root) for root in by_root}
    roots = [*by_root, *(root for root in below if root not in by_root and root not in cores)]
    sites = [_site(here, root, by_root.get(root, [])) for root in roots[:MOST_SITES]]
    return {
        "sites": [site for site in sites if site is not None],
        "php": php_versions(here),
        "redis": _redis(here),
        "closed": closed,
        "cut": cut or len(roots) > MOST_SITES,
    }


VERBS = {"discover.find": find}


def _walked(here: Here, places: Any) -> tuple[list[str], list[str], bool]:
    """Folders with a WordPress below the usual places, those that are closed, and whether the looking was cut short."""
    found: list[str] = []
    closed: list[str] = []
    left = [(str(place), 0) for place in places if _is_folder(here, str(place))]
    seen = 0
    most = MOST_FOLDERS if here.near else MOST_COMMANDS
    while left and seen < most and len(found) < MOST_SITES:
        folder, depth = left.pop()
        seen += 1
        if seen % 200 == 0:
            here.progress(seen, 0, "folders")
        try:
            names = here.list(folder)
        except Failed:
            closed.append(folder)
            continue
        if "wp-load.php" in names:
            found.append(folder)
        if depth < DEEPEST:
            below = (name for name in names if name not in _NOT_INTO and not name.startswith("."))
            left += [(path, depth + 1) for path in (folder + "/" + name for name in below) if _is_folder(here, path)]
    return sorted(found), sorted(closed)[:100], bool(left)


def _is_folder(here: Here, path: str) -> bool:
    """No link is followed: a loop has no end."""
    try:
        seen = here.stat(path)
    except Failed:
        return False
    return seen is not None and seen.kind == "folder"


def _site(here: Here, root: str, servers: list[Server]) -> dict[str, Any] | None:
    """What is known of one docroot; None where neither a server names it nor a WordPress is in it."""
    domains = [name for server in servers for name, itself in names_of(server).items() if itself]
    aliases = list(dict.fromkeys([name for server in servers for name in names_of(server)]))
    wordpress, constants = _wordpress(here, root)
    if wordpress is None and not domains:
        return None
    url = str(constants.get("WP_HOME") or constants.get("WP_SITEURL") or "")
    named = re.match(r"https?://([^/:?#]+)", url)
    name = named.group(1).lower() if named else domains[0] if domains else _named_by(root)
    seen = here.stat(root)
    return {
        "name": name,
        "aliases": [each for each in aliases if each != name][:100],
        "docroot": root,
        "account": seen.owner if seen is not None else "",
        "url": url if named else "",
        "server": servers[0].kind if servers else "",
        "pool": next((server.passes for server in servers if server.passes), ""),
        "wordpress": wordpress,
    }


def _wordpress(here: Here, root: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    try:
        core = core_of(here, root)
        config = config_of(here, core) if core is not None else None
    except Failed:
        return None, {}
    if core is None:
        return None, {}
    version = versions(_text(here, core + "/wp-includes/version.php")).get("wp_version", "")
    told = definitions(_text(here, config), os.path.dirname(config), core) if config is not None else None
    constants = dict(told.constants) if told is not None else {}
    return {
        "version": version,
        "database": str(constants.get("DB_NAME") or ""),
        "prefix": told.prefix if told is not None else "",
        "multisite": constants.get("MULTISITE") in (True, 1, "1"),
        "plain": told is not None and told.literal,
    }, constants


def _named_by(root: str) -> str:
    """A domain that a path holds, such as that of /var/www/shop.example/htdocs; empty where it holds none."""
    return next((part.lower() for part in reversed(root.split("/")) if _DOMAIN.fullmatch(part.lower())), "")


def php_versions(here: Here) -> list[dict[str, Any]]:
    """The versions of PHP that are installed, as Debian lays them out, each with the names of its pools."""
    found: list[dict[str, Any]] = []
    for version in _names(here, "/etc/php"):
        cli = "/usr/bin/php" + version
        if re.fullmatch(r"\d+\.\d+", version) and here.stat(cli) is not None:
            pools = _names(here, f"/etc/php/{version}/fpm/pool.d")
            names = [name[:-5] for name in pools if name.endswith(".conf")]
            fpm = here.stat("/usr/sbin/php-fpm" + version) is not None
            found.append({"version": version, "cli": cli, "fpm": fpm, "pools": names})
    return found


def _redis(here: Here) -> list[str]:
    """Where a Redis may listen, by its settings: sockets and ports of this machine."""
    found: list[str] = []
    for name in ("/etc/redis/redis.conf", "/etc/redis.conf", "/etc/valkey/valkey.conf"):
        text = _text(here, name)
        found += re.findall(r"(?m)^\s*unixsocket\s+(/\S+)", text) + re.findall(r"(?m)^\s*port\s+([1-9]\d*)\s*$", text)
    for folder in ("/run/redis", "/var/run/redis"):
        found += [folder + "/" + each for each in _names(here, folder) if each.endswith(".sock")]
    if not found and here.stat("/usr/bin/redis-server") is not None:
        found.append("6379")
    return list(dict.fromkeys(found))


def _core(here: Here, root: str) -> str:
    """The folder of the WordPress that a docroot serves, which may lie below it; empty where there is none."""
    try:
        return core_of(here, root) or ""
    except Failed:
        return ""


def _real(here: Here, path: str) -> str:
    try:
        return here.real(path) if path else ""
    except Failed:
        return ""


def _names(here: Here, folder: str) -> list[str]:
    try:
        return here.list(folder)
    except Failed:
        return []


def _text(here: Here, path: str) -> str:
    try:
        return here.read(path, most=1_000_000).decode("utf-8", "surrogateescape")
    except Failed:
        return ""
