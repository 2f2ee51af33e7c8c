"""Actions that look at a site's files and database, and change nothing. Pure. Done in hosted/scan.py, scanning/."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from steelyard.toolbox.hosted.spelling import spelled
from steelyard.toolbox.model import Action, By, Json, Site
from steelyard.toolbox.scanning.model import Layout

_SLOW = 600.0
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,39}")


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


def yara_ready(site: Site) -> Action:
    """Whether the host has a yara-x of its own: where its hint says, or in the Python that it has."""
    return Action("yara.ready", {"python": _python(site)}, By.SITE, 30.0)


def yara_of(site: Site, answer: Mapping[str, Json]) -> Mapping[str, Json]:
    """{python, version} of a host's own yara-x, from what `yara.ready` answered; empty where it has none."""
    version = str(answer.get("version", ""))
    return {"python": _python(site), "version": version} if _VERSION.fullmatch(version) else {}


def yara_look(python: str, packs: str, layout: Layout, names: str) -> Action:
    """The host's own yara-x judges files; `packs` and `names` are packed."""
    args: dict[str, Json] = {"python": python, "packs": packs, "layout": list(layout), "names": names}
    return Action("yara.look", args, By.SITE, 330.0)


def _python(site: Site) -> str:
    return str(site.hints.get("yara", "")) or "/usr/bin/python3"


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


def search(layout: Layout, *, fresh: bool = False, yara: Mapping[str, Json] | None = None) -> Action:
    """The worker has what no manifest knows judged by rules; `fresh`: also what did not change since the last scan.

    `yara`: {python, version} of the host's own, which is asked first.
    """
    args: dict[str, Json] = {"layout": list(layout), "fresh": fresh}
    return Action("scan.search", args | ({"yara": dict(yara)} if yara else {}), By.WORKER, 3600.0)


def database(wordpress: Mapping[str, Json], php: str = "") -> Action:
    """The worker judges options, posts, users and cron."""
    args: dict[str, Json] = {
        "config": str(wordpress["config"]),
        "prefix": str(wordpress["prefix"]),
        "multisite": bool(wordpress["multisite"]),
        "url": str(wordpress["url"]),
    }
    return Action("scan.database", args | ({"php": php} if php else {}), By.WORKER, _SLOW)
