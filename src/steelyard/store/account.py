"""Who runs the embedded server: we ourselves, or a system user when we are root (postgres refuses to run as root)."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard.kit.errors import StoreError

SYSTEM_USER = "steelyard"


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system's user that owns the data and runs the server. `name` is None when that is ourselves."""

    name: str | None
    uid: int
    gid: int

    @classmethod
    def of_server(cls) -> Account:
        """Ourselves, or as root the system user `steelyard`, made when missing. Raises StoreError if it cannot be."""
        if os.geteuid() != 0:
            return cls(None, os.geteuid(), os.getegid())
        try:
            entry = pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            entry = _make_system_user()
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    def run(
        self, argv: Sequence[str | Path], *, given: str = "", inherit: Sequence[int] = (), timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program as this account, in an environment without PG* variables, which would change what it does.

        `given` is its standard input, `inherit` the file descriptors it keeps, `timeout` in seconds.
        Raises PermissionError where this account may not reach the program.
        """
        return subprocess.run(  # noqa: S603 - our own programs, no shell, no input of others
            [str(part) for part in argv],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            pass_fds=tuple(inherit),
            timeout=timeout,
            user=self.uid if self.name else None,
            group=self.gid if self.name else None,
            extra_groups=[] if self.name else None,
        )

    def make_folder(self, folder: Path, *, private: bool) -> None:
        """Makes `folder` (mode 0700 of this account, or passable when not private) and its missing parents.

        Folders that exist keep their mode. Raises StoreError where this account cannot enter it.
        """
        for parent in reversed(folder.parents):
            if not parent.exists():
                self._make(parent, 0o755 if self.name else 0o700, owned=False)
        if not folder.exists():
            self._make(folder, 0o700 if private or not self.name else 0o755, owned=private)
        if not self.may_enter(folder):
            raise StoreError(
                f"the user {self.name or os.geteuid()}, who runs the database server, cannot enter {folder}: "
                f"choose a data folder whose parents all may pass, such as /var/lib/steelyard"
            )

    def may_enter(self, folder: Path) -> bool:
        """Whether this account can search `folder` and all above it."""
        if self.name is None:
            return os.access(folder, os.X_OK)
        return self.run(["/usr/bin/env", "test", "-x", folder]).returncode == 0

    def _make(self, folder: Path, mode: int, *, owned: bool) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(mode)
        if owned and self.name:
            os.chown(folder, self.uid, self.gid)


def _make_system_user() -> pwd.struct_passwd:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise StoreError(
            f"postgres does not run as root and `useradd` is missing: make a system user `{SYSTEM_USER}`, "
            "or start Steelyard as another user than root"
        )
    asked = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    made = subprocess.run(  # noqa: S603 - fixed arguments
        [*asked, "--shell", "/usr/sbin/nologin", SYSTEM_USER], capture_output=True, text=True, check=False
    )
    try:
        return pwd.getpwnam(SYSTEM_USER)  # also when another process was quicker
    except KeyError:
        raise StoreError(
            f"the system user `{SYSTEM_USER}` could not be made: {made.stderr.strip()}. Make it by hand and start again"
        ) from None
