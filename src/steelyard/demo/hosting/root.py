"""What a host's administrator lets the sites' user do as root: sudo's own rules, for as long as they are needed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from steelyard.demo.hosting.processes import HostingError, found

RULES = Path("/etc/sudoers.d")
_PREFIX = "steelyard-hosting-"


@contextmanager
def sudo_rules(rules: str) -> Generator[None]:
    """Puts `rules` in force inside the block, such as `steelyard-site ALL=(root) NOPASSWD: /usr/bin/id -u`.

    This changes the machine, so it is for tests that root runs on a machine of its own. What a killed process left
    goes first. Raises HostingError where we are not root, or where sudo would not take the rules.
    """
    if os.geteuid() != 0:
        raise HostingError("only root can say what sudo allows")
    for left in RULES.glob(f"{_PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(_PREFIX)).exists():
            left.unlink(missing_ok=True)
    visudo = found("visudo", "sudo")
    checked = subprocess.run(  # noqa: S603 - fixed arguments
        [visudo, "-c", "-q", "-f", "-"], input=f"{rules}\n", capture_output=True, text=True, check=False
    )
    if checked.returncode:
        raise HostingError(f"sudo does not take these rules: {checked.stderr.strip() or checked.stdout.strip()}")
    file = RULES / f"{_PREFIX}{os.getpid()}"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o440)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(f"{rules}\n")
        yield
    finally:
        file.unlink(missing_ok=True)
