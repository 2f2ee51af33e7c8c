"""What is wrong with an installation, and how to mend it: every check there is, each by itself, none of them fatal."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg import AsyncConnection

from steelyard.adapters.notify import Apprise
from steelyard.config import Settings
from steelyard.jobs.heartbeat import ALIVE
from steelyard.kit.errors import ConfigError, KeyFileError, RemoteError, SchemaError, StoreError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.database import own_server, workspaces
from steelyard.operations.findings import Finding, bad, good, warn
from steelyard.operations.patient import Patient
from steelyard.routing.health import Thresholds
from steelyard.store.database import CONNECTING, Database
from steelyard.store.keys import WEB, WORKER, Keys, key_file
from steelyard.store.migrate import check_connection, said
from steelyard.store.roles import refuse_power

CLOCK_OFF = 5.0
"""Seconds that two clocks may differ."""

LITTLE_SPACE, FULL = 2 << 30, 256 << 20
"""Bytes that are left of a disk: soon a matter, and at once."""

_TIMEOUT = 5.0

Check = Callable[[], Awaitable[list[Finding]]]


async def examine(
    load: Callable[[], Settings], *, web: bool = True, worker: bool = True, try_alarm: bool = False
) -> AsyncGenerator[Finding]:
    """Every finding, as it is made. `web` and `worker` say which of them is to run on this machine.

    Never raises for what is broken: that is a finding. `try_alarm` sends a message to every address of alarms.
    """
    try:
        settings = load()
    except ConfigError as error:
        yield bad(
            "settings", str(error), "Mend it and run this again: all else depends on it. See `steelyard settings`."
        )
        return
    yield good("settings", f"The settings of cell {settings.cell} can be read.")
    for name, check in (
        ("region", lambda: _region(settings)),
        ("public_url", lambda: _public_url(settings)),
        ("web", lambda: _web_process(settings, web)),
        ("alarms", lambda: _alarms(settings, try_alarm)),
        ("disk", lambda: _disk(settings)),
    ):
        for finding in await _safely(name, check):
            yield finding
    with _url(settings) as (url, refused):
        if refused is not None:
            yield refused
            return
        async for finding in _of_database(settings, url, web=web, worker=worker):
            yield finding


async def _safely(name: str, check: Check) -> list[Finding]:
    """The findings of a check; that it could not be made is one, too."""
    try:
        return await check()
    except Exception as error:  # whatever is broken, the other checks still help
        return [
            bad(name, f"This could not be looked at: {type(error).__name__}.", "Mend what is said above, then again.")
        ]


# What needs no database


async def _region(settings: Settings) -> list[Finding]:
    if settings.region is None:
        mend = "Set it to where this cell is: us, eu or au. There is no default, so that no data goes astray."
        return [bad("region", "STEELYARD_REGION is not set, so no workspace can be connected.", mend)]
    return [good("region", f"This cell is in {settings.region}.")]


async def _public_url(settings: Settings) -> list[Finding]:
    if settings.public_url is None:
        mend = "Set it to the https address under which your proxy forwards /hooks to this machine."
        return [
            warn("public_url", "STEELYARD_PUBLIC_URL is not set: whether Intercom reaches /hooks is not known.", mend)
        ]
    address = f"{settings.public_url}/hooks/intercom/{settings.cell}"
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            status = (await client.head(address)).status_code
    except httpx.HTTPError as error:
        mend = "From inside your network that may be so; try it from outside. The proxy must forward /hooks to the web."
        return [warn("public_url", f"{address} does not answer from here: {type(error).__name__}.", mend)]
    if status != 200:
        mend = "The proxy must forward /hooks, and nothing else, to the web process of this cell."
        return [warn("public_url", f"{address} answers {status} instead of 200.", mend)]
    return [good("public_url", f"{address} answers.")]


async def _web_process(settings: Settings, wanted: bool) -> list[Finding]:
    if not wanted:
        return []
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            answer = await client.get(f"http://{settings.host}:{settings.port}/health/ready")
            reasons = answer.json()["reasons"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        mend = "Start it with `steelyard serve`, or look whether STEELYARD_PORT is that of another program."
        return [bad("web", f"No web process answers on {settings.host}:{settings.port}.", mend)]
    if reasons:
        return [bad("web", f"The web process is not ready: {', '.join(map(str, reasons))}.", "See the lines below.")]
    return [good("web", "The web process is ready.")]


async def _alarms(settings: Settings, try_alarm: bool) -> list[Finding]:
    sender = Apprise(settings.alarm_addresses)
    if not sender.addresses:
        mend = "Set STEELYARD_ALARMS_FILE to a file with one Apprise address per line: Slack, Teams, e-mail and others."
        return [warn("alarms", "Nobody is told of alarms: STEELYARD_ALARMS is not set.", mend)]
    unreadable = await sender.unreadable()
    found = [
        bad("alarms", f"Line {each + 1} of STEELYARD_ALARMS is no address of Apprise's.", "Compare it with its manual.")
        for each in unreadable
    ]
    if not found:
        offer = "" if try_alarm else " `--try-alarm` sends a message to each."
        found = [good("alarms", f"{sender.addresses} addresses are told of alarms.{offer}")]
    if try_alarm:
        found += [await _tried(sender, each) for each in range(sender.addresses) if each not in unreadable]
    return found


async def _tried(sender: Apprise, address: int) -> Finding:
    try:
        await sender.send(
            address, "Steelyard: a test", "This is how an alarm arrives. Nothing is wrong, nothing to do.", over=True
        )
    except RemoteError as error:
        return bad("alarms", f"The test message was not taken: {error}.", "Mend that line, then try again.")
    return good("alarms", f"Line {address + 1} of STEELYARD_ALARMS took a test message.")


async def _disk(settings: Settings) -> list[Finding]:
    if settings.database_url is not None or not settings.data.exists():
        return []
    free = shutil.disk_usage(settings.data).free
    said_free = f"{free / (1 << 30):.1f} GiB are free where the database lies, {settings.data}."
    if free < FULL:
        return [bad("disk", said_free, "Make room now: webhooks that cannot be stored are refused.")]
    if free < LITTLE_SPACE:
        return [warn("disk", said_free, "Make room soon.")]
    return [good("disk", said_free)]


# The database


@contextmanager
def _url(settings: Settings) -> Generator[tuple[str, Finding | None]]:
    """The application's URL, with Steelyard's own server running where it is that; or what stands in the way."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value(), None
        return
    if not any(settings.data.glob("postgres-*")):
        mend = "`steelyard serve` makes one; or set DATABASE_URL, or STEELYARD_DATA to where it lies."
        yield "", bad("database", f"There is no database in {settings.data} yet, or this user cannot look there.", mend)
        return
    with ExitStack() as stack:
        try:
            embedded, _ = stack.enter_context(own_server(settings.data))
        except (StoreError, OSError) as error:
            yield (
                "",
                bad("database", f"Steelyard's own server does not start: {error}", "See its log; is the disk full?"),
            )
        else:
            yield embedded.app_url, None


async def _of_database(settings: Settings, url: str, *, web: bool, worker: bool) -> AsyncGenerator[Finding]:
    usable = True
    for finding in await _safely("database", lambda: _connection(url)):
        usable = usable and not finding.is_bad
        yield finding
    if not usable:
        return
    async with Database.open(url, size=2, name="steelyard doctor") as database:
        known = await workspaces(database)
        names = [name for name, wanted in ((WEB, web), (WORKER, worker)) if wanted]
        for finding in [
            *await _safely("keys", lambda: _key_files(settings, names, known)),
            *await _safely("workers", lambda: _workers(database)),
        ]:
            yield finding
        if not known:
            yield warn("workspace", "No workspace is connected.", "Run `steelyard connect intercom`.")
        for workspace in known:
            patient = Patient(database, settings, workspace, _thresholds(settings), names)
            for name, check in patient.checks:
                for finding in await _safely(name, check):
                    yield finding._replace(workspace=workspace)


def _thresholds(settings: Settings) -> Thresholds:
    return Thresholds(settings.alarm_undelivered, settings.alarm_drift, settings.alarm_silence)


async def _connection(url: str) -> list[Finding]:
    connecting: dict[str, Any] = {**CONNECTING, "connect_timeout": 5}
    try:
        conn = await AsyncConnection.connect(url, autocommit=True, **connecting)
    except psycopg.Error as error:
        return [
            bad("database", f"The database cannot be reached: {said(error)}.", "Is it running, is DATABASE_URL right?")
        ]
    async with conn:
        found = [good("database", f"The database answers: PostgreSQL {conn.info.server_version // 10000}.")]
        found.append(await _role(conn))
        found.append(await _schema(conn))
        found.append(await _clock(conn))
    return found


async def _role(conn: AsyncConnection) -> Finding:
    try:
        await refuse_power(conn)
    except StoreError as error:
        return bad("role", str(error), "Change DATABASE_URL: such a role sees past the walls between workspaces.")
    return good("role", f"The role {conn.info.user} is bound by row-level security.")


async def _schema(conn: AsyncConnection) -> Finding:
    try:
        await check_connection(conn)
    except SchemaError as error:
        return bad("schema", str(error), "`steelyard migrate` does it where DATABASE_OWNER_URL is set.")
    except StoreError:
        return good("schema", "The schema is looked at once the role is right.")
    return good("schema", "The schema is that of this release.")


async def _clock(conn: AsyncConnection) -> Finding:
    before = datetime.now(UTC)
    row = await (await conn.execute("SELECT clock_timestamp()")).fetchone()
    after = datetime.now(UTC)
    off = ((row[0] if row is not None else before) - (before + (after - before) / 2)).total_seconds()
    if abs(off) > CLOCK_OFF:
        mend = "Let both machines keep the time by NTP: what is older than what is decided by it."
        return bad("clock", f"This machine's clock and the database's differ by {abs(off):.0f} s.", mend)
    return good("clock", "This machine's clock and the database's agree.")


async def _key_files(settings: Settings, names: list[str], known: list[WorkspaceId]) -> list[Finding]:
    found: list[Finding] = []
    for name in names:
        file = key_file(settings.keys, name)
        if not known and not file.exists():
            found.append(good("keys", f"There is no {file} yet: connecting the first workspace makes it."))
            continue
        try:
            newest = Keys(file).newest
        except KeyFileError as error:
            found.append(bad("keys", f"{error}.", "`steelyard secrets show` lists which keys are where."))
        else:
            found.append(good("keys", f"{file} is readable by its owner alone; key {newest} seals."))
    return found


_FAILED: LiteralString = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'"


async def _workers(database: Database) -> list[Finding]:
    async with database.cell() as conn:
        alive, failed = [(await (await conn.execute(query)).fetchall())[0][0] for query in (ALIVE, _FAILED)]
    found = [
        good("workers", f"Workers alive: {alive}.")
        if alive
        else bad("workers", "No worker is alive: nothing is routed or delivered.", "Start one with `steelyard serve`.")
    ]
    if failed:
        found.append(warn("jobs", f"{failed} jobs failed for good in the last 30 days.", "The workers logged why."))
    return found
