"""The site's PHP: what is read of it, and FPM's reload. Pure."""

from __future__ import annotations

from steelyard.toolbox.model import Action, By, Json, Site
from steelyard.toolbox.runbook import Facts, Read


def read(site: Site) -> Read:
    """Reads which PHP serves `site` and what it loaded, into `php`: see `steelyard.toolbox.hosted.php.read`."""
    return Read("php", Action("php.read", _asked(site)))


def loaded(site: Site, extensions: list[str]) -> Action:
    """Whether PHP has these extensions now: `{"cli": bool, "fpm": bool}`."""
    return Action("php.loaded", {**_asked(site), "extensions": extensions})


def compiled(site: Site) -> Read:
    """Reads what FPM holds compiled of the site, into `compiled`: `{"asked", "scripts", "bytes"}`."""
    return Read("compiled", Action("php.compiled", _asked(site)))


def reload(facts: Facts) -> Action | None:
    """Has FPM start anew without losing a request, from the facts that `read` brought; None where there is no FPM.

    All pools of this PHP on the host are reloaded. It returns before the new processes serve.
    """
    return _of_fpm(facts, "reload")


def check(facts: Facts) -> Action | None:
    """Tests FPM's settings as it would read them; None where there is no FPM."""
    return _of_fpm(facts, "check")


def forget(facts: Facts, paths: list[str]) -> Action | None:
    """Has FPM read these files, and those in these folders, again at once: no reload. None where there is no FPM."""
    fpm = facts["php"]["fpm"]
    return Action("php.forget", {"socket": fpm["socket"], "paths": paths}) if fpm else None


def _of_fpm(facts: Facts, what: str) -> Action | None:
    fpm: Json = facts["php"]["fpm"]
    if not fpm:
        return None
    return Action("run", {"argv": list(fpm[what]["argv"])}, By(fpm[what]["by"]), timeout=30.0)


def _asked(site: Site) -> dict[str, Json]:
    return {"docroot": site.docroot, "account": site.account, "hints": dict(site.hints)}
