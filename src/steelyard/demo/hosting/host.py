"""A customer's host in one folder: MariaDB, PHP-FPM, nginx, Redis and sshd, real ones, on loopback.

    folder/
    ├── sites/<name>/htdocs                  the sites, each with its home
    ├── home/                                HOME of who logs in over SSH
    ├── wp-cli/wp-cli.phar
    ├── mariadb/ php/ nginx/ redis/ ssh/     each server's settings, data and logs
    └── run/                                 sockets; elsewhere when this path is too long for them

As root all of it runs as the system user `steelyard-site`, else as who started it. Only Debian's programs are used; no
file of theirs is changed. A server ends with the thread that started it, however that ends.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Collection, Generator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from steelyard.demo.hosting.mariadb import MariaDB
from steelyard.demo.hosting.nginx import Nginx
from steelyard.demo.hosting.php import PHP
from steelyard.demo.hosting.processes import HostingError, Owner, Server
from steelyard.demo.hosting.redis import Redis
from steelyard.demo.hosting.site import Site, Wanted, build
from steelyard.demo.hosting.sshd import Sshd
from steelyard.demo.hosting.template import Template, lay_wp_cli, make_template

PARTS = ("mariadb", "php", "nginx", "redis", "sshd")
_LONGEST_SOCKET = 100


class Hosting:
    """A running host: its servers, each started when it is first asked for, and the sites on it."""

    def __init__(self, folder: Path, template: Template, running: ExitStack, buffer_pool: str) -> None:
        """For `start`."""
        self.folder = folder
        self.template = template
        self.owner = Owner.find()
        self._running = running
        self._buffer_pool = buffer_pool
        self._numbers = itertools.count(1)
        self.owner.make_folder(folder)
        self.wp_cli = lay_wp_cli(template.wordpress, folder, self.owner)
        """WP-CLI's phar, for the sites' user to run by `php.binary`."""
        for name in ("home", "sites"):
            self.owner.make_folder(folder / name)
        self._sockets = running.enter_context(_sockets(folder, self.owner))

    @classmethod
    @contextmanager
    def start(
        cls,
        folder: Path,
        parts: Collection[str] = PARTS,
        *,
        template: Template | None = None,
        buffer_pool: str = "128M",
    ) -> Generator[Hosting]:
        """Starts `parts` in `folder`, which all must be able to pass; other parts start when they are used. Blocks.

        `buffer_pool`: MariaDB's, such as `1G`. Without `template` it is made when missing, which takes some seconds and
        may fetch WordPress. Raises HostingError where a server is missing or does not start.
        """
        if unknown := sorted(set(parts) - set(PARTS)):
            raise HostingError(f"a hosting has {', '.join(PARTS)}, and no {', '.join(unknown)}")
        with ExitStack() as running:
            hosting = cls(folder.absolute(), template or make_template(), running, buffer_pool)
            for part in PARTS:
                if part in parts:
                    getattr(hosting, part)
            yield hosting

    @cached_property
    def mariadb(self) -> MariaDB:
        """The database server."""
        empty, pool = self.template.empty, self._buffer_pool
        started = MariaDB.start(self.folder / "mariadb", self._sockets, self.owner, empty=empty, buffer_pool=pool)
        self._end_at_last(started.server)
        return started

    @cached_property
    def php(self) -> PHP:
        """PHP for the command line, and its FPM."""
        started = PHP.start(self.folder / "php", self._sockets, self.owner)
        self._end_at_last(started.server)
        return started

    @cached_property
    def nginx(self) -> Nginx:
        """The web server."""
        started = Nginx.start(self.folder / "nginx", self.php.socket, self.owner)
        self._end_at_last(started.server)
        return started

    @cached_property
    def redis(self) -> Redis:
        """Redis."""
        started = Redis.start(self.folder / "redis", self._sockets, self.owner)
        self._end_at_last(started.server)
        return started

    @cached_property
    def sshd(self) -> Sshd:
        """The SSH server."""
        started = Sshd.start(self.folder / "ssh", self.folder / "home", self.owner)
        self._end_at_last(started.server)
        return started

    def make_site(self, name: str | None = None, wanted: Wanted | None = None) -> Site:
        """An installed WordPress, reachable through nginx. `name` is its host name, one of its own where not given.

        `wanted` says what is odd about it. Takes about a second.
        """
        return build(self, name or f"shop{next(self._numbers)}.example", wanted or Wanted())

    def _end_at_last(self, server: Server) -> None:
        self._running.callback(server.stop)


@contextmanager
def _sockets(folder: Path, owner: Owner) -> Generator[Path]:
    """The folder of the sockets, of the owner alone."""
    near = folder / "run"
    if len(os.fsencode(near / "mariadb.sock")) <= _LONGEST_SOCKET:
        yield owner.make_folder(near, 0o700)
        return
    with tempfile.TemporaryDirectory(prefix="steelyard-") as far:
        yield owner.make_folder(Path(far), 0o700)
