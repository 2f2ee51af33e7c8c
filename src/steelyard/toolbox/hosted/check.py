"""Whether a host has what runs need: what the support account may do, its key, the clock, the disk. Only looks."""

from __future__ import annotations

import platform
import time
from typing import Any

from steelyard.toolbox.hosted.discover import php_versions
from steelyard.toolbox.hosted.here import Failed, Here

_AT_ONCE = 4


def host(here: Here, args: dict[str, Any]) -> Any:
    """`check.host`: what the host says of itself.

    Answers `{"python": "3.11.2" or "", "system": text, "time": seconds since 1970, "free", "total": bytes at the home,
    "account", "authorized": lines of authorized_keys or None, "php": as in discover.find}`.
    """
    free, total = here.disk(here.home)
    return {
        "python": platform.python_version() if here.near else "",
        "system": _system(here),
        "time": time.time() if here.near else float(here.run(["date", "+%s"]).out or b"0"),
        "free": free,
        "total": total,
        "account": here.account,
        "authorized": _authorized(here),
        "php": php_versions(here),
    }


def sudo(here: Here, args: dict[str, Any]) -> Any:
    """`check.sudo`: whether sudo allows each of `tries`, `{"user", "argv"}`. Nothing of it is done.

    Answers `{"there": bool, "allowed": [bool], "all": whether any command may be done as root}`.
    """
    tries = [(str(each["user"]), list(each["argv"])) for each in args["tries"]]
    try:
        there = here.run(["sudo", "-V"]).status == 0
    except Failed:
        there = False
    if not there:
        return {"there": False, "allowed": [False for _ in tries], "all": False}
    allowed: list[bool] = []
    for first in range(0, len(tries), _AT_ONCE):
        some = tries[first : first + _AT_ONCE]
        allowed += here.together([_asked(here, user, argv) for user, argv in some])
        here.progress(len(allowed), len(tries), "rules")
    return {"there": True, "allowed": allowed, "all": _allows(here, "root", ["/bin/sh"])}


VERBS = {"check.host": host, "check.sudo": sudo}


def _asked(here: Here, user: str, argv: list[str]) -> Any:
    return lambda: _allows(here, user, argv)


def _allows(here: Here, user: str, argv: list[str]) -> bool:
    return here.run(["sudo", "-n", "-l", "-u", user, *argv]).status == 0


def _system(here: Here) -> str:
    try:
        lines = here.read("/etc/os-release", most=100_000).decode("utf-8", "replace").splitlines()
    except Failed:
        return ""
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return said.get("PRETTY_NAME", "").strip("\"'")[:100]


def _authorized(here: Here) -> list[str] | None:
    """None where it cannot be read, as with keys that lie elsewhere."""
    try:
        return (
            here.read(here.home + "/.ssh/authorized_keys", most=200_000).decode("utf-8", "replace").splitlines()[:200]
        )
    except Failed:
        return None
