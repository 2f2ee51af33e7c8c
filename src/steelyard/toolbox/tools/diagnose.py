"""Actions that look at a site from its own host, and change nothing. Pure. What they do: hosted/diagnose.py."""

from __future__ import annotations

from urllib.parse import urlsplit

from steelyard.toolbox.model import Action, Json, Site


def software(site: Site) -> Action:
    """Versions of WordPress, PHP and the database server."""
    return Action("diagnose.software", _of(site))


def inside(site: Site) -> Action:
    """Plugins, cron, options, the object cache."""
    return Action("diagnose.inside", _of(site))


def logs(site: Site) -> Action:
    """What the ends of logs tell."""
    return Action("diagnose.logs", _of(site) | {"name": name_of(site)})


def files(site: Site) -> Action:
    """Free disk, size, permissions."""
    return Action("diagnose.files", {"docroot": site.docroot}, timeout=300.0)


def answers(site: Site) -> Action:
    """How fast the site's own server answers."""
    return Action("diagnose.answers", {"url": f"{site.url.rstrip('/')}/"} | _to(site), timeout=90.0)


def names(site: Site) -> Action:
    """What the site's name resolves to on its host, and its certificate."""
    secure = urlsplit(site.url).scheme == "https"
    return Action("diagnose.names", {"name": name_of(site), "secure": secure} | _to(site))


def name_of(site: Site) -> str:
    """The host name that visitors ask for."""
    return urlsplit(site.url).hostname or site.name


def _of(site: Site) -> dict[str, Json]:
    return {"docroot": site.docroot, "account": site.account, "hints": dict(site.hints)}


def _to(site: Site) -> dict[str, Json]:
    return {"to": list(site.hints["http_to"])} if site.hints.get("http_to") else {}
