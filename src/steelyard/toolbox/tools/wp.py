"""Actions that read a WordPress or run our scripts in it. Pure. What they do: hosted/wordpress.py."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.toolbox.model import Action, By, Json, Secret, Site
from steelyard.toolbox.runbook import Read


def read(site: Site) -> Read:
    """Reads which WordPress `site` is, into `wordpress`: see `steelyard.toolbox.hosted.wordpress.read`."""
    args: dict[str, Json] = {"docroot": site.docroot}
    return Read("wordpress", Action("wordpress.read", args | _php(str(site.hints.get("php", "")))))


def script(
    core: str,
    script: str,
    args: Sequence[str | Secret] = (),
    *,
    php: str = "",
    by: By = By.SITE,
    timeout: float = 60.0,
) -> Action:
    """Runs one of our PHP scripts (hosted/php/) with the WordPress in `core`, as the site's user. Answers a mapping."""
    given: dict[str, Json] = {"core": core, "script": script, "args": list(args)}
    return Action("wordpress.php", given | _php(php), by, timeout)


def _php(path: str) -> dict[str, Json]:
    return {"php": path} if path else {}
