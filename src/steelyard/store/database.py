"""The application's way to its database: a pool, transactions that name a workspace, and hints between processes."""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool

from steelyard.kit.errors import SteelyardError, StoreError
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.store.migrate import check_connection, said

Connection = AsyncConnection[tuple[Any, ...]]

CONNECTING: dict[str, Any] = {
    "connect_timeout": 10,
    # A peer that vanished is noticed within about 25 seconds, on both sides.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    # A worker that hangs holds its workspace no longer than this; one that lives answers in milliseconds.
    "options": "-c statement_timeout=30s -c idle_in_transaction_session_timeout=10s -c jit=off"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
}
"""How the application's connections are made. The server frees the locks of one that went silent in a transaction."""

_RECONNECTING = 2.0
_FULL = ("No space left on device", "Check free disk space")
_CHANNEL = "steelyard"
_PAUSE = 0.02
_log = logging.getLogger(__name__)


class Pool(AsyncConnectionPool[Connection]):
    """Hands out only connections that the server has not closed. After its restart the first caller meets a new one.

    While there is no server it is looked for every second or two, without end: the pool alone would pause for longer
    and longer, up to minutes after the server is back.

    An idle connection has nothing to read, unless the server said good-bye; so looking costs no round trip. The pool's
    own `check` would cost one each time, and pauses longer and longer after each dead connection.
    """

    def __init__(self, conninfo: str = "", *, check: object = None, **arguments: Any) -> None:
        super().__init__(
            conninfo,
            connection_class=AsyncConnection[tuple[Any, ...]],
            reconnect_timeout=_RECONNECTING,
            reconnect_failed=AsyncConnectionPool.check,
            **arguments,
        )

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 - as the pool has it
        """A connection that the server still has, as far as can be told without asking it.

        Up to Python 3.11 the pool's `wait_for` forgets a cancellation that comes together with a connection: the caller
        would go on, and what waits for its end would wait for ever.
        """
        cancelled = _cancelled()
        conn = await super().getconn(timeout)
        for _ in range(self.max_size):
            if not _readable(conn.fileno()):
                break
            await conn.close()
            await self.putconn(conn)
            conn = await super().getconn(timeout)
        if _cancelled() > cancelled:
            await self.putconn(conn)
            raise asyncio.CancelledError
        return conn


def advice_on(error: BaseException) -> str | None:
    """What to do about an error of the database, which is tried again meanwhile; None for one that is not its own."""
    if not isinstance(error, psycopg.Error | OSError):
        return str(error) if isinstance(error, SteelyardError) else None
    # The server has no code for a quota that is used up, nor libpq for a connection that there is no room for.
    if isinstance(error, psycopg.errors.DiskFull) or any(words in str(error) for words in _FULL):
        return "the disk of the database is full: make room on it, then everything goes on by itself"
    return "is the database up? Everything goes on by itself when it is"


def end_if_cancelled() -> None:
    """For loops that may have missed it: raises CancelledError when the task was told to end.

    psycopg answers a cancellation with the connection's own error where that breaks at the same time; a loop that only
    catches the error would go on for ever. And up to Python 3.11 `wait_for`, with which psycopg waits, forgets one that
    comes together with what it waits for.
    """
    if _cancelled():
        raise asyncio.CancelledError


def _cancelled() -> int:
    """How often the task that runs was told to end."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0


def _readable(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


class Database:
    """One process's database, opened by `Database.open`. All its connections are in autocommit mode."""

    def __init__(self, url: str, pool: Pool, name: str) -> None:
        self._url = url
        self._pool = pool
        self._name = name
        self._wanted: set[str] = set()
        self._wants = asyncio.Event()
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, size: int = 10, name: str = "steelyard") -> AsyncGenerator[Database]:
        """The database at `url` with at most `size` pooled connections; `name` is what the server calls them.

        Raises SuperuserError or SchemaError when it must not be served, StoreError when it cannot be reached.
        """
        pool = Pool(
            url,
            kwargs={**CONNECTING, "autocommit": True, "application_name": name},
            min_size=min(size, 2),
            max_size=size,
            name=name,
            open=False,
        )
        try:
            async with await AsyncConnection[tuple[Any, ...]].connect(url, autocommit=True, **CONNECTING) as first:
                await check_connection(first)
        except psycopg.Error as error:
            raise StoreError(
                f"the database cannot be reached: {said(error)}. Is it running, and is DATABASE_URL right?"
            ) from None
        database = cls(url, pool, name)
        await pool.open()
        try:
            yield database
        finally:
            await database._end_tasks()
            await pool.close()

    @asynccontextmanager
    async def transaction(self, workspace: WorkspaceId) -> AsyncGenerator[Connection]:
        """One transaction that sees `workspace` and nothing else; rolls back when an exception leaves it, else commits.

        Raises StoreError when a statement failed, its error was swallowed, and so nothing could be committed.
        """
        async with self._transaction(_begin(workspace)) as conn:
            yield conn

    @asynccontextmanager
    async def person(self, person: PersonId) -> AsyncGenerator[Connection]:
        """One transaction that sees what is `person`'s own, in no workspace."""
        async with self._transaction(
            sql.SQL("BEGIN; SET LOCAL steelyard.person = {}").format(str(person)).as_bytes(None)
        ) as conn:
            yield conn

    @asynccontextmanager
    async def cell(self) -> AsyncGenerator[Connection]:
        """One transaction that names no workspace: it sees tables of cell scope and may call the crossing functions."""
        async with self._transaction(b"BEGIN") as conn:
            yield conn

    @asynccontextmanager
    async def _transaction(self, begin: bytes) -> AsyncGenerator[Connection]:
        async with self._pool.connection() as conn:  # commits or rolls back when left
            await conn.execute(begin, prepare=False)
            yield conn
            if conn.pgconn.transaction_status == TransactionStatus.INERROR:
                raise StoreError("a statement of this transaction failed and was ignored: nothing of it is stored")

    async def connect(self) -> Connection:
        """A connection of the caller's own, in autocommit mode and naming no workspace; the caller closes it.

        For what runs one statement after another without end, where taking from the pool would cost more than the
        statement.
        """
        return await AsyncConnection[tuple[Any, ...]].connect(
            self._url, autocommit=True, **CONNECTING, application_name=self._name
        )

    async def notify(self, channel: str) -> None:
        """Tells every process that `channel` has news; to be called after the commit. Returns at once.

        A hint: many calls within 20 ms are one, and it may be lost, as polling always works.
        """
        self._wanted.add(channel)
        self._wants.set()
        self._keep_running("notify", self._send_hints)

    async def listen(self, channel: str, poll: float = 1.0) -> AsyncGenerator[None]:
        """Yields at once, then after every hint for `channel` and at the latest every `poll` seconds, without end.

        Hints that come while the caller works are one. Nothing is lost by a hint that never came.
        """
        heard = asyncio.Event()
        self._listeners.setdefault(channel, set()).add(heard)
        self._keep_running("listen", self._receive_hints)
        try:
            while True:
                yield
                try:
                    # `wait_for` of Python 3.11 forgets a cancellation that comes with what it waits for.
                    async with asyncio.timeout(poll):
                        await heard.wait()
                except TimeoutError:
                    self._keep_running("listen", self._receive_hints)
                heard.clear()
        finally:
            self._listeners[channel].discard(heard)

    def _keep_running(self, name: str, work: Any) -> None:
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.create_task(self._reconnecting(work), name=f"{self._name} {name}")

    async def _reconnecting(self, work: Any) -> None:
        """Runs `work(connection)` on a connection of its own, over and over, until cancelled."""
        pause = 0.1
        while True:
            try:
                async with await AsyncConnection[tuple[Any, ...]].connect(
                    self._url, autocommit=True, **CONNECTING, application_name=f"{self._name} hints"
                ) as conn:
                    pause = 0.1
                    await work(conn)
            except (psycopg.Error, OSError) as error:
                end_if_cancelled()
                _log.info("hints are off for %.1f s, polling goes on: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _send_hints(self, conn: Connection) -> None:
        while True:
            await self._wants.wait()
            self._wants.clear()
            channels, self._wanted = sorted(self._wanted), set()
            await conn.execute("SELECT pg_notify(%s, channel) FROM unnest(%s::text[]) AS channel", [_CHANNEL, channels])
            await asyncio.sleep(_PAUSE)

    async def _receive_hints(self, conn: Connection) -> None:
        await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(_CHANNEL)))
        for heard in self._listeners.values():
            for event in heard:
                event.set()  # what was said before we listened
        async for hint in conn.notifies():
            for event in self._listeners.get(hint.payload, ()):
                event.set()

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def see_own(conn: Connection, person: PersonId) -> None:
    """Lets `conn`'s transaction, whatever else it sees, see what is `person`'s own from now on."""
    await conn.execute("SELECT set_config('steelyard.person', %s, true)", [str(person)])


@lru_cache(maxsize=1024)
def _begin(workspace: WorkspaceId) -> bytes:
    # One round trip for both: it goes out as a simple query, so the literal is quoted here.
    return sql.SQL("BEGIN; SET LOCAL steelyard.workspace = {}").format(sql.Literal(str(workspace))).as_bytes(None)
