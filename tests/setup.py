"""Installs what only tests need from Debian's packages: as root by apt, else says in one line what is missing.

Tests that need what is not there skip and say so; this never fails. No database is made or started on the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# What a test looks for, and the Debian package that brings it. postgresql-15 holds pgbench as well.
NEEDED = {
    "/usr/bin/chromium": "chromium",
    "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
    "/usr/bin/wrk": "wrk",
    "/usr/bin/faketime": "faketime",
}
WITHOUT_CLUSTER = Path("/etc/postgresql-common/createcluster.d/steelyard-tests.conf")


def main() -> None:
    missing = sorted(package for path, package in NEEDED.items() if not Path(path).exists())
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"Some tests will be skipped. To run them as well: apt install {' '.join(missing)}")
        return
    failure = install(missing)
    left = sorted(package for path, package in NEEDED.items() if not Path(path).exists())
    if left:
        print(f"Some tests will be skipped: {' '.join(left)} could not be installed ({failure or 'no reason given'})")


def install(packages: list[str]) -> str:
    """Installs `packages` without starting services; returns apt's last word when that failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    removed = no_cluster() if "postgresql-15" in packages else None
    try:
        commands = (
            ["apt-get", "update", "--quiet"],
            ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages],
        )
        for command in commands:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
        return "" if done.returncode == 0 else " ".join(done.stderr.split())[-300:]
    finally:
        if removed is not None:
            removed.unlink(missing_ok=True)


def no_cluster() -> Path:
    """Keeps postgresql-15 from making and starting a database on port 5432; the file is removed afterwards.

    The package runs pg_createcluster when it is configured, unless this file says otherwise.
    """
    WITHOUT_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    WITHOUT_CLUSTER.write_text("create_main_cluster = false\n")
    return WITHOUT_CLUSTER


if __name__ == "__main__":
    main()
