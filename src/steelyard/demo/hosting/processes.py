"""Servers as child processes: under the site's user, with a log, a bounded start, and an end that is sure to come."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard.kit.errors import SteelyardError

SITE_USER = "steelyard-site"
"""Whom sites belong to where this process is root."""
_HOME = "/var/lib/steelyard-site"
_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
_PATIENCE = 20.0


class HostingError(SteelyardError):
    """A server of the hosting is missing or does not run."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom servers, files and SSH log-ins belong to: ourselves, or as root the system user `steelyard-site`."""

    name: str
    uid: int
    gid: int
    changes: bool
    """Whether this process is another user (root), so that programs must be started as this one."""

    @classmethod
    def find(cls) -> Owner:
        """As root a system user, made when missing, with shell and home. Raises HostingError if it cannot be."""
        if os.geteuid() != 0:
            entry = pwd.getpwuid(os.geteuid())
            return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, changes=False)
        try:
            entry = pwd.getpwnam(SITE_USER)
        except KeyError:
            entry = _make_user()
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid, changes=True)

    def command(self, argv: Sequence[str | Path]) -> list[str]:
        """`argv` as this user would start it; it gets SIGTERM when this process is gone, however that ended."""
        become = [f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups"] if self.changes else []
        return [found("setpriv", "util-linux"), "--pdeathsig=TERM", *become, "--", *map(str, argv)]

    def environment(self, home: Path) -> dict[str, str]:
        """A clean one; nothing of ours reaches a server."""
        return {"PATH": _PATH, "HOME": str(home), "USER": self.name, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def make_folder(self, folder: Path, mode: int = 0o755) -> Path:
        """Makes `folder` this user's, with its missing parents; returns it."""
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
        return self.give(folder)

    def give(self, path: Path) -> Path:
        """Makes one file or folder this user's; returns it."""
        if self.changes:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        return path

    def write(self, file: Path, text: str, mode: int = 0o644) -> Path:
        """Writes a file of this user's; it never has a wider mode than `mode`. Returns it."""
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            os.fchmod(descriptor, mode)
            opened.write(text)
        return self.give(file)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        given: str | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> str:
        """Runs a program to its end as this user and returns what it wrote. `timeout` in seconds.

        Raises HostingError with its last words when it fails.
        """
        home = folder or Path("/")
        done = subprocess.run(  # noqa: S603 - our own programs, no shell
            self.command(argv),
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            cwd=home,
            env={**self.environment(home), **(environment or {})},
            timeout=timeout,
        )
        if done.returncode:
            last = " ".join((done.stderr or done.stdout).split())[-500:]
            raise HostingError(f"{' '.join(map(str, argv[:6]))} failed with status {done.returncode}: {last}")
        return done.stdout


@dataclass(frozen=True, slots=True)
class Server:
    """One running server. It does not outlive the thread that started it."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(
        cls,
        name: str,
        owner: Owner,
        argv: Sequence[str | Path],
        ready: Callable[[], bool],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> Server:
        """Starts it in the foreground of a session of its own and waits until `ready`. Raises HostingError if not."""
        owner.write(log, "")
        with log.open("ab") as opened:
            process = subprocess.Popen(  # noqa: S603 - our own programs, no shell
                owner.command(argv),
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=opened,
                cwd=log.parent,
                env={**owner.environment(log.parent), **(environment or {})},
                start_new_session=True,
            )
        server = cls(name, process, log)
        try:
            server.wait_until(ready)
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        return self.process.pid

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Returns when `ready`. Raises HostingError when the server ends before, or after 20 seconds."""
        end = time.monotonic() + _PATIENCE
        while not ready():
            if self.process.poll() is not None or time.monotonic() > end:
                last = self.log.read_text("utf-8", errors="replace").splitlines()[-5:]
                raise HostingError(f"{self.name} does not start: {' | '.join(last) or 'it says nothing'} ({self.log})")
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        """Sends a signal to the server's first process, if it lives."""
        self.process.send_signal(number)

    def stop(self, patience: float = 10) -> None:
        """Ends it in order; after `patience` seconds without. Nothing happens when it has ended."""
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def found(program: str, package: str) -> str:
    """The path of a program. Raises HostingError that names the Debian package where it is missing."""
    path = shutil.which(program, path=_PATH)
    if path is None:
        raise HostingError(f"{program} is missing: on Debian, apt install {package}")
    return path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _make_user() -> pwd.struct_passwd:
    """Without a password, yet not locked: it logs in by key."""
    asked = [found("useradd", "passwd"), "--system", "--user-group", "--create-home", "--home-dir", _HOME]
    made = subprocess.run(  # noqa: S603 - fixed arguments
        [*asked, "--shell", "/bin/bash", "--password", "*", SITE_USER], capture_output=True, text=True, check=False
    )
    try:
        return pwd.getpwnam(SITE_USER)  # also when another process was quicker
    except KeyError:
        raise HostingError(f"the system user {SITE_USER} could not be made: {made.stderr.strip()}") from None
