"""Which pool of PHP-FPM serves a site: by its user, else by what nginx passes the site's requests to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from steelyard.toolbox.hosted.here import Failed, Here

_ETC = "/etc/php"
_NGINX = ("/etc/nginx/sites-enabled", "/etc/nginx/conf.d")
_MOST_FILES = 2000


class Pool(NamedTuple):
    """A pool of PHP-FPM as its file says."""

    name: str
    user: str
    """Empty where FPM runs as one user without choosing."""
    listen: str
    version: str
    """Such as 8.2; empty where its place does not tell."""


def pool_of(here: Here, docroot: str, account: str, hints: dict[str, Any]) -> Pool | None:
    """The pool of a site; None where there is none, or none can be told from the others."""
    pools = [pool for folder in _folders(here, hints) for pool in _pools(here, folder)]
    own = [pool for pool in pools if pool.user == account]
    if len(own) == 1:
        return own[0]
    passed = _passed(here, docroot, hints)
    by_nginx = [pool for pool in own or pools if passed in (pool.listen, f"unix:{pool.listen}")] if passed else []
    if by_nginx:
        return by_nginx[0]
    if own:  # several of the same user: the newest PHP is the likeliest, and the plan shows which
        return max(own, key=lambda pool: [int(part) for part in pool.version.split(".") if part.isdigit()])
    nobodys = [pool for pool in pools if not pool.user]
    return nobodys[0] if len(nobodys) == 1 else pools[0] if len(pools) == 1 else None


def _folders(here: Here, hints: dict[str, Any]) -> list[str]:
    if hints.get("fpm_pools"):
        return [hints["fpm_pools"]]
    return [f"{_ETC}/{version}/fpm/pool.d" for version in _list(here, _ETC)]


def _pools(here: Here, folder: str) -> Iterator[Pool]:
    version = re.search(r"/(\d+\.\d+)/fpm/", folder + "/")
    for name in _list(here, folder):
        text = _text(here, f"{folder}/{name}") if name.endswith(".conf") else ""
        for section, settings in _sections(text):
            listen = settings.get("listen", "").replace("$pool", section)
            if listen:
                user = settings.get("user", "").replace("$pool", section)
                yield Pool(section, user, listen, version.group(1) if version else "")


def _sections(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    name = ""
    settings: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            if name:
                yield name, settings
            name, settings = line[1:-1].strip(), {}
        elif "=" in line and not line.startswith((";", "#")):
            key, _, value = line.partition("=")
            settings[key.strip()] = value.split(";")[0].strip().strip("\"'")
    if name and name != "global":
        yield name, settings


def _passed(here: Here, docroot: str, hints: dict[str, Any]) -> str:
    """What nginx passes the requests of a docroot to, where its settings can be read."""
    wanted = {docroot, here.real(docroot)}
    for folder in [hints["nginx_sites"]] if hints.get("nginx_sites") else _NGINX:
        for name in _list(here, folder):
            text = re.sub(r"(?m)(^|\s)#.*$", "", _text(here, f"{folder}/{name}"))
            roots = {root.strip("\"'") for root in re.findall(r"\broot\s+([^;]+);", text)}
            passed = re.search(r"\bfastcgi_pass\s+([^;\s]+)\s*;", text)
            if wanted & roots and passed:
                return passed.group(1)
    return ""


def _list(here: Here, folder: str) -> list[str]:
    try:
        return sorted(here.list(folder))[:_MOST_FILES]
    except Failed:
        return []


def _text(here: Here, path: str) -> str:
    try:
        return here.read(path, most=200_000).decode("utf-8", "replace")
    except Failed:
        return ""
