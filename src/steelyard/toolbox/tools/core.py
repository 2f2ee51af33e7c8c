"""A fresh WordPress beside a site, and its files exchanged. Pure. What is done: hosted/core.py, hosted/slots.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from steelyard.toolbox.model import Action, By, Json, Secret, Site, Token

SALTS = tuple(f"{which}_{what}" for which in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE") for what in ("KEY", "SALT"))
"""What a wp-config.php signs cookies with."""


class Slot(NamedTuple):
    """A WordPress that this cell holds, as its signed manifest says."""

    version: str
    locale: str
    sha256: str
    """Of the manifest."""
    files: int
    bytes: int
    tables: tuple[str, ...]
    """Names of its tables without prefix, as its template has them; empty where there is no template."""

    @property
    def name(self) -> str:
        """Its folder's name."""
        return f"core-{self.version}-{self.locale}"


def slots(held: Mapping[str, Json]) -> list[Slot]:
    """The core slots of `Asked.slots`, newest version first."""
    all = [Slot(**each)._replace(tables=tuple(each["tables"])) for each in held.get("core", ())]
    return sorted(all, key=lambda each: (_numbers(each.version), each.locale), reverse=True)


def _numbers(version: str) -> list[int]:
    return [int(part) if part.isdigit() else -1 for part in version.replace("-", ".").split(".")]


def look(site: Site, slots: Sequence[Slot]) -> Action:
    """Which slots are on the host."""
    args: dict[str, Json] = {"slots": {each.name: each.sha256 for each in slots}, "account": site.host.account}
    return Action("slots.look", args | _folder(site))


def _folder(site: Site) -> dict[str, Json]:
    """Where slots are on the host, if an operator said so."""
    folder = site.hints.get("slots")
    return {"folder": folder} if folder else {}


def bring(site: Site, slot: Slot) -> Action:
    """Has the worker bring a slot to the host, as the support account."""
    args: dict[str, Json] = {"name": slot.name, "sha256": slot.sha256}
    return Action("slots.bring", args | _folder(site), By.WORKER, timeout=600.0)


def read(docroot: str) -> Action:
    """How the files of a site lie."""
    return Action("core.read", {"docroot": docroot}, timeout=120.0)


def stage(
    root: str,
    token: Token,
    mode: str,
    *,
    slot: str,
    sha256: str,
    spare: str,
    modes: Mapping[str, Json],
    keep: Sequence[str],
    config: Mapping[str, Json],
) -> Action:
    """A fresh WordPress beside the site, with its wp-config.php and new keys made on the host."""
    salts = {name: Secret(name.lower(), 64) for name in SALTS}
    args: dict[str, Json] = {"root": root, "token": token, "mode": mode, "slot": slot, "sha256": sha256, "spare": spare}
    args |= {"modes": dict(modes), "keep": list(keep), "config": {**config, "salts": salts}}
    if mode == "entries":
        args["secret"] = Secret("folder", 24)
    return Action("core.stage", args, timeout=300.0)


def exchange(place: Mapping[str, Json], *, back: bool = False) -> Action:
    """The fresh files into the docroot, or with `back` the old ones. `place`: root, token, mode, keep."""
    return Action("core.exchange", {**place, "back": True} if back else dict(place), timeout=120.0)


def uploads(place: Mapping[str, Json], path: str, *, back: bool = False) -> Action:
    """The uploaded files (`path` below the docroot) over from the trash into the fresh site, or back."""
    return Action("core.uploads", {**place, "path": path} | ({"back": True} if back else {}))


def left(place: Mapping[str, Json], configs: Sequence[str]) -> Action:
    """What a run left of files, and which wp-config.php names the database now."""
    return Action("core.left", {**place, "configs": list(configs)})


def erase(place: Mapping[str, Json]) -> Action:
    """Removes what a run staged or moved aside of files."""
    return Action("core.erase", dict(place), timeout=600.0)


def spare(docroot: str, slot: str, sha256: str) -> Action:
    """A copy of a slot beside a site, which its next reset takes."""
    return Action("core.spare", {"docroot": docroot, "slot": slot, "sha256": sha256}, timeout=300.0)
