"""Actions on the keys and salts of a wp-config.php. Pure. What they do: hosted/salts.py."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Site
from steelyard.toolbox.runbook import Read


def look(site: Site) -> Read:
    """Reads which keys stand in the site's wp-config.php and how many users are signed in, into `salts`."""
    return Read("salts", Action("salts.look", {"docroot": site.docroot, "php": str(site.hints.get("php", ""))}))


def read(config: str) -> Action:
    """Which keys stand in it, and what this run left there. No value is read."""
    return Action("salts.read", {"config": config})


def rotate(config: str) -> Action:
    """Makes all of them anew, on the host."""
    return Action("salts.rotate", {"config": config})


def restore(config: str) -> Action:
    """Puts the file back as it was before this run, unless somebody wrote it since."""
    return Action("salts.restore", {"config": config})
