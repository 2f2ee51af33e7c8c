"""What a site keeps ready. Pure. What they do: hosted/caches.py."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from steelyard.toolbox.model import Action, Json, Site, Token
from steelyard.toolbox.runbook import Read


def read(site: Site) -> Read:
    """Reads what could be cleared, into `caches`: see `steelyard.toolbox.hosted.caches.read`."""
    args: dict[str, Json] = {"docroot": site.docroot, "php": str(site.hints.get("php", ""))}
    return Read("caches", Action("caches.read", args | _nginx(site), timeout=300.0))


def clear_folders(paths: Sequence[str], token: Token) -> Action:
    """Empties folders of caches: moved aside in one instant, then removed."""
    return Action("caches.clear_folders", {"paths": list(paths), "token": token}, timeout=600.0)


def clear_nginx(site: Site) -> Action:
    """Removes what nginx keeps of the site's pages."""
    return Action("caches.clear_nginx", _nginx(site), timeout=300.0)


def clear_transients(config: str, prefix: str, php: str) -> Action:
    """Deletes WordPress's transients."""
    return Action("caches.clear_transients", {"config": config, "prefix": prefix, "php": php}, timeout=120.0)


def _nginx(site: Site) -> dict[str, Json]:
    return {"nginx": str(site.hints.get("nginx_cache", "")), "host": urlsplit(site.url).hostname or site.name}
