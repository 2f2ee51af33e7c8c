"""Actions that look at a site's files and database, and change nothing. Pure. Done in hosted/scan.py, scanning/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steelyard.toolbox.hosted.spelling import spelled
from steelyard.toolbox.model import Action, By, Json, Site
from steelyard.toolbox.scanning.model import Layout

_SLOW = 600.0


def layout_of(site: Site, wordpress: Mapping[str, Json]) -> Layout:
    """Where a site lies, from what `wordpress.read` answered; where there is no WordPress, only its docroot."""
    if "missing" in wordpress:
        return Layout(spelled(site.docroot), "", "", "")
    return Layout(*(spelled(str(wordpress[name])) for name in ("root", "core", "content", "plugins")))


def count(layout: Layout) -> Action:
    """How much there is to look at."""
    return Action("scan.count", {"layout": list(layout)}, By.SITE, 300.0)


def survey(layout: Layout) -> Action:
    """What files there are."""
    return Action("scan.survey", {"layout": list(layout)}, By.SITE, 300.0)


def versions(layout: Layout, *, core_only: bool) -> Action:
    """Which plugins and themes are installed, and where the folders really are."""
    return Action("scan.versions", {"layout": list(layout), "core_only": core_only})


def beside(names: str, folders: Sequence[str], tops: Sequence[str]) -> Action:
    """What lies where manifests say; `names` is packed."""
    args: dict[str, Json] = {"names": names, "folders": list(folders), "tops": list(tops)}
    return Action("scan.beside", args, By.SITE, _SLOW)


def digests(names: str) -> Action:
    """SHA-256 of files; `names` is packed."""
    return Action("scan.digests", {"names": names}, By.SITE, _SLOW)


def read(names: Sequence[str]) -> Action:
    """What is in files."""
    return Action("scan.read", {"names": list(names)}, By.SITE, 120.0)


def holding(names: str) -> Action:
    """Which of these files hold PHP; `names` is packed."""
    return Action("scan.holding", {"names": names}, By.SITE, _SLOW)


def compare(layout: Layout, wordpress: Mapping[str, Json], *, core_only: bool = False) -> Action:
    """The worker compares core, and plugins and themes unless `core_only`, with signed manifests."""
    args: dict[str, Json] = {
        "layout": list(layout),
        "version": str(wordpress["version"]),
        "locale": str(wordpress["locale"]),
    }
    return Action("scan.compare", args | ({"core_only": True} if core_only else {}), By.WORKER, _SLOW)


def search(layout: Layout, *, fresh: bool = False) -> Action:
    """The worker has what no manifest knows judged by rules; `fresh`: also what did not change since the last scan."""
    return Action("scan.search", {"layout": list(layout), "fresh": fresh}, By.WORKER, 3600.0)


def database(wordpress: Mapping[str, Json], php: str = "") -> Action:
    """The worker judges options, posts, users and cron."""
    args: dict[str, Json] = {
        "config": str(wordpress["config"]),
        "prefix": str(wordpress["prefix"]),
        "multisite": bool(wordpress["multisite"]),
        "url": str(wordpress["url"]),
    }
    return Action("scan.database", args | ({"php": php} if php else {}), By.WORKER, _SLOW)
