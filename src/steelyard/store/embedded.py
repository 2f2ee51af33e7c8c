"""The PostgreSQL that Steelyard brings along, for a laptop and for a single machine.

    data/                     the user's data folder
    ├── postgres-18/          the cluster, named by PostgreSQL's major version: a later one finds its place beside it
    ├── postgres-18.lock      held by every server process while it lives, so the kernel knows whether one does
    ├── binaries-0.6.0/       only as root: a copy of the programs that the system user may read
    └── socket/               mode 0700; elsewhere when this path is too long for a socket

The server listens on its socket only. Whoever can enter the socket's folder (its user, and root) could read the data
files just as well, so the connections in it need no password: `trust` gives away nothing that the folder's mode keeps.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg

from steelyard.kit.errors import BusyDataError, StoreError
from steelyard.store.account import Account
from steelyard.store.binaries import Binaries, binaries_for

DATABASE = "steelyard"
OWNER = "steelyard_owner"
APP = "steelyard_app"
CELL = "steelyard_cell"

_PORT = 5432
_LONGEST_SOCKET = 100
_LARGEST_LOG = 8 * 1024 * 1024

# Run by a single-user server before the cluster gets its name: a cluster without its roles is never seen.
_FIRST = f"""
CREATE ROLE {OWNER} LOGIN;
CREATE ROLE {APP} LOGIN;
CREATE ROLE {CELL} NOLOGIN;
GRANT {CELL} TO {OWNER};
CREATE DATABASE {DATABASE} OWNER {OWNER};
"""

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": str(_PORT),
    "max_connections": "100",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # the detail of an error shows rows, and rows hold secrets and personal data
    "log_min_error_statement": "panic",
}
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
_UNQUOTED = frozenset('"$`\\\n')


def default_data() -> Path:
    """The user's data folder: /var/lib/steelyard for root, else steelyard in XDG_DATA_HOME or ~/.local/share."""
    if os.geteuid() == 0:
        return Path("/var/lib/steelyard")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "steelyard"


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running server. It outlives this process; `stop` ends it for everybody who is attached."""

    data: Path
    cluster: Path
    binaries: Binaries
    account: Account
    socket: Path
    started: bool
    """Whether this call started it, rather than attached to one that ran."""

    @classmethod
    def start(cls, data: Path, *, durable: bool = True, binaries: Path | None = None, patience: float = 30) -> Embedded:
        """Starts the server of `data`, making folder and cluster when missing, or attaches to the one that runs.

        `durable=False` is for tests: a crash of the machine may lose everything, one of the server nothing. `binaries`:
        a folder with another PostgreSQL's programs. `patience`: seconds to wait for who is just starting it. Blocks.
        Raises BusyDataError when the data folder is another's, StoreError when the server cannot run.
        """
        data = data.absolute()
        if not _UNQUOTED.isdisjoint(str(data)):
            raise StoreError(
                f"{data} has one of the characters \" $ ` \\ that pg_ctl's shell would read: use another folder"
            )
        account = Account.of_server()
        account.make_folder(data, private=False)
        found = binaries_for(account, data, binaries)
        cluster = data / f"postgres-{found.major}"
        deadline = time.monotonic() + patience
        while True:
            server = cls(data, cluster, found, account, _socket_folder(cluster, account), started=False)
            refusal = server._refusal()
            if refusal is None:
                return server
            with _lock(cluster.with_suffix(".lock")) as lock:
                if lock is not None:
                    return server._launch(lock, durable)
            if time.monotonic() > deadline:
                raise BusyDataError(
                    f"a database server holds {cluster} but does not let us in: {refusal}. "
                    "If it runs in another container or was just told to stop, end it there and start again"
                )
            time.sleep(0.05)

    @property
    def app_url(self) -> str:
        """Logs in as the application: no superuser, owner of nothing."""
        return self._url(APP, DATABASE)

    @property
    def owner_url(self) -> str:
        """Logs in as the owner of the database, who migrates."""
        return self._url(OWNER, DATABASE)

    @property
    def superuser_url(self) -> str:
        """Logs in as the cluster's superuser: to look after it and to make further databases, never to serve."""
        return self._url("postgres", "postgres")

    def alive(self) -> bool:
        """Whether the server lets the application in. When not, `Embedded.start` on the same folder brings it back."""
        return self._refusal() is None

    def stop(self) -> None:
        """Ends the server, cutting its connections; what was committed stays. Nothing happens when it does not run."""
        self.account.run([self.binaries / "pg_ctl", "stop", "-D", self.cluster, "-m", "fast", "-w", "-t", "60"])

    def _url(self, role: str, database: str) -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket), safe='/')}&port={_PORT}"

    def _refusal(self) -> str | None:
        """Why the server does not let the application in; None when it does."""
        if not (self.socket / f".s.PGSQL.{_PORT}").exists():
            return "it has no socket"
        try:
            psycopg.connect(self.app_url, connect_timeout=3).close()
        except psycopg.OperationalError as error:
            return " ".join(str(error).split())
        return None

    def _launch(self, lock: int, durable: bool) -> Embedded:
        if not self.cluster.exists():
            self._make_cluster(lock, durable)
        self._forget_stale_pid()
        log = self.cluster / "server.log"
        with suppress(FileNotFoundError):
            if log.stat().st_size > _LARGEST_LOG:
                log.unlink()
        socket = _socket_folder(self.cluster, self.account)
        self.account.make_folder(socket, private=True)
        _require_private(socket, self.account)
        settings = {**_SETTINGS, "unix_socket_directories": str(socket), **({} if durable else _NOT_DURABLE)}
        options = " ".join(shlex.join(["-c", f"{name}={value}"]) for name, value in settings.items())
        command = [self.binaries / "pg_ctl", "start", "-D", self.cluster, "-l", log, "-w", "-t", "120", "-o", options]
        answer = self.account.run(command, inherit=[lock], timeout=180)
        if answer.returncode:
            last = log.read_text(errors="replace").splitlines()[-5:] if log.exists() else [answer.stderr.strip()]
            raise StoreError(f"the database server in {self.cluster} does not start: {' | '.join(last)} (all in {log})")
        return Embedded(self.data, self.cluster, self.binaries, self.account, socket, started=True)

    def _make_cluster(self, lock: int, durable: bool) -> None:
        unfinished = self.cluster.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.account.make_folder(unfinished, private=True)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums"]
        self._must([self.binaries / "initdb", "-D", unfinished, *options, *([] if durable else ["--no-sync"])], lock)
        single = [self.binaries / "postgres", "--single", "-D", unfinished, "-c", "exit_on_error=on"]
        self._must([*single, *([] if durable else ["-c", "fsync=off"]), "postgres"], lock, _FIRST)
        unfinished.rename(self.cluster)

    def _must(self, argv: list[str | Path], lock: int, given: str = "") -> None:
        # It inherits the lock: should we be killed, nobody clears away what it still writes.
        answer = self.account.run(argv, given=given, inherit=[lock])
        if answer.returncode:
            raise StoreError(
                f"a new database cannot be made in {self.data}: {(answer.stderr or answer.stdout).strip()}"
            )

    def _forget_stale_pid(self) -> None:
        """Removes a killed server's postmaster.pid whose number another program has by now.

        We hold the lock, so no server of ours lives; postgres itself removes the file only when no process has the
        number.
        """
        file = self.cluster / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError, IndexError):
            working_folder = Path(f"/proc/{int(file.read_text().split()[0])}/cwd")
            with suppress(PermissionError):  # another user's program, so none of ours
                if not working_folder.exists() or working_folder.resolve() == self.cluster.resolve():
                    return
            file.unlink()


def _socket_folder(cluster: Path, account: Account) -> Path:
    """Where the server that runs has its socket, as it wrote itself; else where it will be."""
    with suppress(OSError, IndexError):
        written = (cluster / "postmaster.pid").read_text().splitlines()[4].strip()
        if written:
            return Path(written)
    folder = cluster.parent / "socket"
    if len(os.fsencode(folder / f".s.PGSQL.{_PORT}")) <= _LONGEST_SOCKET:
        return folder
    name = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"steelyard-{account.uid}-{name}"


def _require_private(folder: Path, account: Account) -> None:
    """In a folder that all may write to, somebody else could have made it first."""
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid != account.uid or found.st_mode & 0o077:
        raise StoreError(
            f"{folder} must be a folder with mode 0700 of the server's own user: remove it and start again"
        )


@contextmanager
def _lock(file: Path) -> Generator[int | None]:
    """The lock's file descriptor, or None when another process has it. A server that inherits it keeps it locked."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError:
        raise BusyDataError(
            f"{file.parent} belongs to another user: use it as that user, or choose another folder"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
