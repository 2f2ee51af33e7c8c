"""Actions on links that sign somebody in once. Pure. What they do: hosted/links.py."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Site
from steelyard.toolbox.runbook import Read


def read(site: Site) -> Read:
    """Reads who administers the site, into `links`."""
    return Read("links", Action("links.read", {"docroot": site.docroot, "php": str(site.hints.get("php", ""))}))


def make(plugins: str, user: int, url: str, seconds: int) -> Action:
    """Makes a link for `user` that holds for `seconds`. `plugins`: the folder of plugins that are always on."""
    return Action("links.make", {"plugins": plugins, "user": user, "url": url, "seconds": seconds})


def look(plugins: str) -> Action:
    """Whether the link still lets somebody in."""
    return Action("links.look", {"plugins": plugins})


def drop(plugins: str) -> Action:
    """Takes the link away."""
    return Action("links.drop", {"plugins": plugins})
