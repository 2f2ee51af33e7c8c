"""A MariaDB of its own: data folder, socket, a loopback port, and settings as durable as a production server's."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from steelyard.demo.hosting.processes import HostingError, Owner, Server, found, free_port

ADMIN = "root"


@dataclass(frozen=True, slots=True)
class MariaDB:
    """A running server. Its administrator is `root` by password, over the socket or the port."""

    server: Server
    owner: Owner
    folder: Path
    socket: Path
    port: int
    password: str

    @classmethod
    def start(
        cls, folder: Path, sockets: Path, owner: Owner, *, empty: Path | None = None, buffer_pool: str = "128M"
    ) -> MariaDB:
        """Starts one in `folder`, which it makes; `empty` is a data folder of `make_empty` to copy, which is quicker.

        Raises HostingError where it does not start.
        """
        owner.make_folder(folder, 0o755)
        data = folder / "data"
        if not data.exists():
            if empty is None:
                make_empty(data, owner)
            else:
                shutil.copytree(empty, data)
                for path in [data, *data.rglob("*")]:
                    owner.give(path)
        socket, port, password = sockets / "mariadb.sock", free_port(), secrets.token_hex(16)
        owner.write(folder / "first.sql", _FIRST.format(password=password), 0o600)
        settings = _SETTINGS.format(data=data, socket=socket, folder=folder, port=port, buffer_pool=buffer_pool)
        configuration = owner.write(folder / "my.cnf", settings)
        admin = f"[client]\nuser={ADMIN}\npassword={password}\nsocket={socket}\n"
        owner.write(folder / "admin.cnf", admin, 0o600)
        server = Server.start(
            "mariadbd",
            owner,
            [found("mariadbd", "mariadb-server"), f"--defaults-file={configuration}"],
            socket.exists,
            log=folder / "mariadb.log",
        )
        return cls(server, owner, folder, socket, port, password)

    @property
    def admin_arguments(self) -> list[str]:
        """What makes `mariadb`, `mariadb-dump` or `mariadb-admin` log in as the administrator; the first arguments."""
        return [f"--defaults-file={self.folder / 'admin.cnf'}"]

    def run(self, statements: str, database: str = "") -> list[list[str]]:
        """Runs SQL as the administrator: the rows of all its results as text (NULL is `NULL`). Raises HostingError."""
        arguments = [
            "mariadb",
            *self.admin_arguments,
            "--batch",
            "--skip-column-names",
            *([database] if database else []),
        ]
        written = self.owner.run(arguments, given=statements, timeout=600)
        return [line.split("\t") for line in written.splitlines()]

    def dump(self, database: str) -> str:
        """A schema as SQL, with rows, triggers and views."""
        return self.owner.run(["mariadb-dump", *self.admin_arguments, "--skip-dump-date", "--no-tablespaces", database])


def make_empty(folder: Path, owner: Owner) -> None:
    """Makes an empty data folder for `MariaDB.start`. Takes some seconds."""
    owner.make_folder(folder, 0o700)
    install = found("mariadb-install-db", "mariadb-server")
    options = ["--no-defaults", f"--datadir={folder}", "--skip-test-db", "--auth-root-authentication-method=normal"]
    try:
        owner.run([install, *options, "--skip-name-resolve", "--innodb-log-file-size=16M"])
    except HostingError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


# Run before the first connection is taken: nobody gets in without the password, not even for a moment.
_FIRST = """\
DELETE FROM mysql.global_priv WHERE User = '' OR User = 'root' AND Host <> 'localhost';
FLUSH PRIVILEGES;
ALTER USER root@localhost IDENTIFIED BY '{password}';
"""

_SETTINGS = """\
[mariadbd]
datadir={data}
socket={socket}
pid-file={folder}/mariadb.pid
init-file={folder}/first.sql
bind-address=127.0.0.1
port={port}
skip-name-resolve
skip-log-bin
character-set-server=utf8mb4
local-infile=OFF
innodb_flush_log_at_trx_commit=1
innodb_doublewrite=1
innodb_buffer_pool_size={buffer_pool}
innodb_log_file_size=96M
max_connections=100
"""
