"""Installs what only tests need from Debian's packages: as root by apt, else says in one line what is missing.

Then it fetches WordPress, by npm, and makes what the demo's host starts from. Tests that need what is not there skip
and say so; this never fails. No service is started on the machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from steelyard.demo.hosting import HostingError, make_template

EXTENSIONS = "/usr/lib/php/20220829"
PHP = {"mysqli": "mysql", "dom": "xml"} | {name: name for name in ("curl", "mbstring", "zip", "gd", "intl")}
# What is looked for, and the Debian package that brings it. First the host that the toolbox works on.
HOSTING = {
    "/usr/sbin/nginx": "nginx",
    "/usr/sbin/mariadbd": "mariadb-server",
    "/usr/bin/php8.2": "php8.2-cli",
    "/usr/sbin/php-fpm8.2": "php8.2-fpm",
    **{f"{EXTENSIONS}/{file}.so": f"php8.2-{package}" for file, package in PHP.items()},
    f"{EXTENSIONS}/redis.so": "php-redis",
    "/usr/bin/redis-server": "redis-server",
    "/usr/sbin/sshd": "openssh-server",
    "/usr/bin/sudo": "sudo",
}
# postgresql-15 holds pgbench as well; clamscan is what scanning is compared with.
NEEDED = {
    **HOSTING,
    "/usr/bin/chromium": "chromium",
    "/usr/lib/postgresql/15/bin/postgres": "postgresql-15",
    "/usr/bin/wrk": "wrk",
    "/usr/bin/faketime": "faketime",
    "/usr/bin/clamscan": "clamav",
}
# What keeps a package from making a database on port 5432, and any service from being started, as it is installed.
HOLDING = {
    Path("/etc/postgresql-common/createcluster.d/steelyard-tests.conf"): "create_main_cluster = false\n",
    Path("/usr/sbin/policy-rc.d"): "#!/bin/sh\nexit 101\n",
}


def main() -> None:
    """With the argument `hosting` only what the demo's host needs."""
    needed = HOSTING if sys.argv[1:] == ["hosting"] else NEEDED
    without = "the demo has no host" if needed is HOSTING else "some tests will be skipped"
    missing = left_out(needed)
    if missing and (os.geteuid() != 0 or shutil.which("apt-get") is None):
        print(f"For now {without}. To change that: apt install {' '.join(missing)}")
    elif missing:
        failure = install(missing)
        if left := left_out(needed):
            print(f"For now {without}: {' '.join(left)} could not be installed ({failure or 'no reason given'})")
    if not left_out(HOSTING):
        try:
            make_template()
            if needed is HOSTING:
                print("The demo has a host with a real WordPress now: make run")
        except HostingError as error:
            print(f"For now {without}: {error}")


def left_out(needed: dict[str, str]) -> list[str]:
    """The packages that are not there."""
    return sorted(package for path, package in needed.items() if not Path(path).exists())


def install(packages: list[str]) -> str:
    """Installs `packages` without starting services; returns apt's last word when that failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    commands = (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--quiet", "--yes", "--no-install-recommends", *packages],
    )
    with services_held():
        for command in commands:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
        return "" if done.returncode == 0 else " ".join(done.stderr.split())[-300:]


@contextmanager
def services_held() -> Generator[None]:
    """Packages that are configured inside make no cluster and start no service. What was there before stays."""
    made = [file for file in HOLDING if not file.exists()]
    try:
        for file in made:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(HOLDING[file])
            file.chmod(0o755)
        yield
    finally:
        for file in made:
            file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
