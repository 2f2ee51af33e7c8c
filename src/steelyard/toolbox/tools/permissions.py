"""Actions on the permissions of a site's files. Pure. What they do: hosted/permissions.py."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Site
from steelyard.toolbox.runbook import Read


def look(site: Site, also_open: bool) -> Read:
    """Counts what is too open or closed to its owner, into `permissions`."""
    return Read("permissions", counted(site, also_open))


def counted(site: Site, also_open: bool) -> Action:
    """The same as an action."""
    return Action("permissions.look", {"docroot": site.docroot, "open": also_open}, timeout=120.0)


def fix(site: Site, also_open: bool) -> Action:
    """Sets them right."""
    return Action("permissions.fix", {"docroot": site.docroot, "open": also_open}, timeout=600.0)


def restore(site: Site) -> Action:
    """Puts back what this run changed."""
    return Action("permissions.restore", {"docroot": site.docroot}, timeout=600.0)
