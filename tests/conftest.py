"""What every test may use: one server for the session, and for each test a database of its own."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg
import pytest
from argon2 import PasswordHasher
from hypothesis import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from desk_seed import connected
from steelyard.kit.ids import WorkspaceId
from steelyard.people import passwords
from steelyard.store.database import Database
from steelyard.store.embedded import APP, OWNER, Embedded
from steelyard.store.keys import WEB, WORKER, Keys, add_key, key_file
from steelyard.store.migrate import prepare

# How long one example takes says more about the machine than about the code.
settings.register_profile("steady", deadline=None)
settings.load_profile("steady")

# The host of real servers that the toolbox works on; the console, asked without a network; the people who ask it;
# what would make thousands of tests wait.
pytest_plugins = ["hosting", "signing_in", "town", "sooner"]

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
MEMORY = Path("/dev/shm")
PLENTY = 4 * 1024**3
PREFIX = "steelyard-test-"
ONE_AT_A_TIME = ("tests/faults/", "tests/routing/test_health_live.py")
"""What kills processes and looks at the clock: `make test-slow` runs these by themselves, after the others."""


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.nodeid.startswith(ONE_AT_A_TIME):
        item.add_marker(pytest.mark.xdist_group("one-at-a-time"))


@dataclass
class Server:
    """A running PostgreSQL with one migrated, empty database in it, of which each test gets a copy."""

    embedded: Embedded
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.conn = psycopg.connect(self.embedded.superuser_url, autocommit=True)
        self.copy("template1", "ground")
        prepare(self.url(OWNER, "ground"), APP)

    def url(self, role: str, database: str) -> str:
        return make_conninfo(self.embedded.superuser_url, user=role, dbname=database)

    def copy(self, original: str, name: str) -> None:
        # Half the time of the default, which writes a log that nothing here reads.
        copying = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY")
        self.conn.execute(copying.format(sql.Identifier(name), sql.Identifier(original), sql.Identifier(OWNER)))

    def drop(self, name: str) -> None:
        self.conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that a server's system user can pass, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def quick_folder(open_folder: Path) -> Iterator[Path]:
    """As `open_folder`, in memory where there is plenty: what need not last waits for no disk."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < PLENTY:
        yield open_folder
        return
    for left in MEMORY.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(PREFIX)).exists():  # killed before it could clear away
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"{PREFIX}{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def ready(embedded: Embedded) -> Iterator[Server]:
    """A server for tests; stopped at the end."""
    server = Server(embedded)
    yield server
    server.conn.close()
    embedded.stop()


@pytest.fixture(scope="session")
def make_server() -> Callable[[Embedded], AbstractContextManager[Server]]:
    return ready


@pytest.fixture(scope="session")
def server(quick_folder: Path) -> Iterator[Server]:
    with ready(Embedded.start(quick_folder / f"server-{os.getpid()}", durable=False)) as server:
        yield server


@pytest.fixture
def database_name(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database for this test alone: empty, or as it is in `seeded` where the test asks for that too."""
    original = request.getfixturevalue("seeded").name if "seeded" in request.fixturenames else "ground"
    name = f"test_{next(server.numbers)}"
    server.copy(original, name)
    yield name
    server.drop(name)


@pytest.fixture
def owner_url(server: Server, database_name: str) -> str:
    return server.url(OWNER, database_name)


@pytest.fixture
def app_url(server: Server, database_name: str) -> str:
    return server.url(APP, database_name)


@pytest.fixture
def superuser_url(server: Server, database_name: str) -> str:
    """Sees past row-level security: to arrange what a test looks for, never to look for it."""
    return server.url("postgres", database_name)


@pytest.fixture
async def database(app_url: str) -> AsyncIterator[Database]:
    async with Database.open(app_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the key files that the stored secrets are sealed under."""
    folder = tmp_path_factory.mktemp("keys")
    for name in (WEB, WORKER):
        add_key(key_file(folder, name))
    return folder


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing a password takes no time: for who signs in often and does not ask how long it takes."""
    quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", quick)
    monkeypatch.setattr(passwords, "_NOBODYS", quick.hash("nobody signs in with this"))


@pytest.fixture
def unseal(keys: Path) -> Callable[[str, str], str]:
    """Opens client secrets."""
    return Keys(key_file(keys, WEB)).unseal


@pytest.fixture
def make_workspace(database: Database, keys: Path) -> MakeWorkspace:
    """Makes a workspace with its connection to an Intercom at `api_url`, and returns its id."""

    return partial(connected, database, keys)
