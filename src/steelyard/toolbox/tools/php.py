"""The site's PHP: what is read of it, and FPM's reload. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from steelyard.toolbox.model import Action, By, Json, Site
from steelyard.toolbox.runbook import Facts, Read

_UNIT: Final = re.compile(r"php([0-9]\.[0-9]{1,2})-fpm")


def read(site: Site) -> Read:
    """Reads which PHP serves `site` and what it loaded, into `php`: see `steelyard.toolbox.hosted.php.read`."""
    return Read("php", Action("php.read", _asked(site)))


def loaded(site: Site, extensions: list[str]) -> Action:
    """Whether PHP has these extensions now: `{"cli": bool, "fpm": bool}`."""
    return Action("php.loaded", {**_asked(site), "extensions": extensions})


def compiled(site: Site) -> Read:
    """Reads what FPM holds compiled of the site, into `compiled`: `{"asked", "scripts", "bytes"}`."""
    return Read("compiled", Action("php.compiled", _asked(site)))


def reload(site: Site, facts: Facts) -> Action | None:
    """Has FPM start anew without losing a request, by the facts that `read` brought; None where there is no FPM.

    All pools of this PHP on the host are reloaded. It returns before the new processes serve.
    """
    return _of_fpm(site.hints.get("fpm_reload"), facts, "/usr/bin/systemctl", "reload", "php{}-fpm")


def check(site: Site, facts: Facts) -> Action | None:
    """Tests FPM's settings as it would read them; None where there is no FPM."""
    hint = site.hints.get("fpm_check")
    reloading: Mapping[str, Json] = site.hints.get("fpm_reload") or {}
    by = reloading.get("by", "root")
    return _of_fpm({"argv": hint, "by": by} if isinstance(hint, list) else hint, facts, "/usr/sbin/php-fpm{}", "-t")


def forget(facts: Facts, paths: list[str]) -> Action | None:
    """Has FPM read these files, and those in these folders, again at once: no reload. None where there is no FPM."""
    fpm = facts["php"]["fpm"]
    return Action("php.forget", {"socket": fpm["socket"], "paths": paths}) if fpm else None


def _of_fpm(hint: Json, facts: Facts, *command: str) -> Action | None:
    """What the operator says is done, else `command` as root.

    Facts are the site's account's words: of them only that there is an FPM, and of which version, is heeded.
    """
    fpm: Json = facts["php"]["fpm"]
    if not fpm:
        return None
    if hint:
        return Action("run", {"argv": list(hint["argv"])}, By(hint["by"]), timeout=30.0)
    version = _UNIT.fullmatch(str(fpm["unit"]))
    argv = [word.format(version[1]) for word in command] if version else []
    return Action("run", {"argv": argv}, By.ROOT, timeout=30.0) if argv else None


def _asked(site: Site) -> dict[str, Json]:
    return {"docroot": site.docroot, "account": site.account, "hints": dict(site.hints)}
