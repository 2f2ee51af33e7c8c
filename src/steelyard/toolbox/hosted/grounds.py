"""Where a run stands on a host: who it is, its folder, and the lock on the site."""

from __future__ import annotations

import fcntl
import os
import time

from steelyard.toolbox.hosted.here import Failed, Place, shown
from steelyard.toolbox.hosted.system import own, system

WAIT = 20.0
"""Seconds that a run waits for the one before it to end."""


def place_of(token: str, docroot: str) -> Place:
    """The ground of a run as this process's account. `docroot`: of its site, or empty."""
    import pwd

    uid = os.geteuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Failed("denied", f"The host knows no account of the number {uid}") from None
    return Place(entry.pw_name, entry.pw_dir, _base(entry.pw_dir, docroot, uid), token, {})


def _base(home: str, docroot: str, uid: int) -> str:
    """A folder of the account that no web server shows: below its home, unless the home itself is shown."""
    real = os.path.realpath(home)
    shown_on_the_web = docroot and f"{real}/".startswith(f"{os.path.realpath(docroot).rstrip('/')}/")
    try:
        fits = os.stat(real).st_uid == uid and os.access(real, os.W_OK)
    except OSError:
        fits = False
    if fits and real != "/" and not shown_on_the_web:
        return f"{real}/.steelyard"
    return f"/var/tmp/steelyard-{uid}"  # noqa: S108


def hold(place: Place, docroot: str) -> int:
    """Takes the lock on a site, held until this process ends. Raises Failed `busy` where another run has it."""
    from hashlib import sha256

    own(place.base)
    own(f"{place.base}/locks")
    path = f"{place.base}/locks/{sha256(os.fsencode(os.path.realpath(docroot))).hexdigest()[:16]}"
    with system(path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + WAIT
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return fd
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(fd)
                raise Failed("busy", f"Another run is at work on {shown(docroot)}: wait until it has ended") from None
            time.sleep(0.05)
