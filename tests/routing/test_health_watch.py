"""Watching over real tables: alarms open once, end once, and are told once each, with any number of workers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from receiver import Receiver
from ward import START, Ward

from steelyard.adapters.notify import Apprise, NotifyError
from steelyard.jobs.app import job_app, run_worker
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.routing.connections import Unseal
from steelyard.routing.health import ENDS_AFTER, Kind, Thresholds
from steelyard.routing.tell import QUEUES, TellJobs
from steelyard.routing.watch import read_figures
from steelyard.store.database import Database

# Apprise loads a module of Python's own that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]
WEEK = timedelta(days=7)


async def test_an_alarm_opens_once_and_is_over_after_a_minute_without_it(ward: Ward) -> None:
    await ward.run("UPDATE connection SET refused_at = %s", START)
    for _ in range(3):
        await ward.look()
        ward.clock.go_on(10)
    assert await ward.alarms() == [("token_refused", True)]
    assert [over for _, over in ward.told.said] == [False]
    await ward.run("UPDATE connection SET refused_at = NULL")
    ward.clock.go_on(ENDS_AFTER - 11)
    await ward.look()
    assert await ward.alarms() == [("token_refused", True)], "a minute has not passed"
    ward.clock.go_on(2)
    for _ in range(2):
        await ward.look()
    assert await ward.alarms() == [("token_refused", False)]
    assert [over for _, over in ward.told.said] == [False, True]


async def test_what_comes_back_within_the_minute_is_the_same_alarm(ward: Ward) -> None:
    for refused in (START, None, START, None, START):
        await ward.run("UPDATE connection SET refused_at = %s", refused)
        await ward.look()
        ward.clock.go_on(40)
    assert await ward.alarms() == [("token_refused", True)]
    assert len(ward.told.said) == 1


async def test_many_workers_tell_once(ward: Ward) -> None:
    await ward.run("UPDATE connection SET refused_at = %s, rate_low_at = %s", START, START)
    await ward.come(START - timedelta(seconds=500), handled=False)
    await asyncio.gather(*(ward.look() for _ in range(6)))
    assert sorted(await ward.alarms()) == [("rate_low", True), ("token_refused", True), ("unhandled", True)]
    assert len(ward.told.said) == 3
    await ward.run("UPDATE connection SET refused_at = NULL, rate_low_at = NULL")
    await ward.run("UPDATE inbox SET handled_at = now()")
    ward.clock.go_on(ENDS_AFTER)
    await asyncio.gather(*(ward.look() for _ in range(6)))
    assert sorted(over for _, over in ward.told.said) == [False] * 3 + [True] * 3


async def test_the_figures_are_those_of_this_workspace(
    ward: Ward, database: Database, make_workspace: MakeWorkspace
) -> None:
    other = Ward(database, await make_workspace("other"))
    for each, age in ((ward, 70), (ward, 90), (other, 500)):
        await each.come(START - timedelta(seconds=age), handled=False)
    await ward.come(START - timedelta(days=1))
    await ward.run("UPDATE inbox SET outcome = 'aside' WHERE handled_at IS NOT NULL")
    await ward.run(
        "INSERT INTO reading (workspace, asked, started_at, ended_at, deep, drift) VALUES"
        " (%(w)s, 'asked', now(), now(), true, 7), (%(w)s, 'asked', now(), NULL, true, 99)".replace(
            "%(w)s", f"'{ward.workspace}'"
        )
    )
    async with database.transaction(ward.workspace) as conn:
        found = await read_figures(conn, ward.workspace, Thresholds(), ward.clock())
    assert (found.unhandled, found.unhandled_since) == (2, micros(START - timedelta(seconds=90)))
    assert (found.set_aside, found.drift, found.pending, found.heard) == (1, 7, 0, True)


async def test_what_is_tried_again_waits_from_then_on(ward: Ward, database: Database) -> None:
    await ward.come(START - timedelta(days=3), handled=False)
    await ward.run("UPDATE inbox SET tried_at = %s", START - timedelta(seconds=5))
    await ward.look()
    assert await ward.alarms() == []


@pytest.mark.parametrize(
    ("weeks", "connected", "own", "silent"),
    [
        ((1, 2), 5, (), True),
        ((1, 2, 3, 4), 5, (), True),
        ((2, 4), 5, (0,), True),
        ((1,), 5, (2, 3), False),
        ((0, 1, 2), 5, (), False),
        ((1, 2), 1, (), False),
        ((1, 2), 2, (), False),
        ((), 5, (), False),
    ],
)
async def test_silence_at_a_time_that_usually_has_some(
    ward: Ward, weeks: tuple[int, ...], connected: int, own: tuple[int, ...], silent: bool
) -> None:
    await ward.run("UPDATE connection SET connected_at = %s", START - connected * WEEK)
    for week in weeks:
        await ward.come(START - week * WEEK - timedelta(minutes=29))
    for week in own:
        await ward.come(START - week * WEEK - timedelta(minutes=3), "steelyard.roster")
    await ward.come(START - timedelta(minutes=31))
    await ward.look()
    assert await ward.alarms() == ([("silence", True)] if silent else [])


async def test_calls_are_written_down_once_and_healed_by_a_success(ward: Ward) -> None:
    observe = ward.calls.of(ward.workspace)
    observe("me", 401, 1000, 1666)
    await ward.calls.write(ward.database)
    assert await ward.run("SELECT refused_at, rate_low_at FROM connection") == [(START, None)]
    ward.clock.go_on(10)
    observe("me", 401, 1000, 1666)
    await ward.calls.write(ward.database)
    assert await ward.run("SELECT refused_at FROM connection") == [(START,)], "since when it is refused stays"
    observe("me", 0, None, None)
    observe("assign", 429, None, None)
    observe("assign", 500, 900, 1666)
    await ward.calls.write(ward.database)
    assert await ward.run("SELECT refused_at, rate_low_at FROM connection") == [(START, ward.clock.now)]
    observe("me", 200, 166, 1666)
    ward.clock.go_on(10)
    await ward.calls.write(ward.database)
    [(refused, low)] = await ward.run("SELECT refused_at, rate_low_at FROM connection")
    assert (refused, low) == (None, ward.clock.now - timedelta(seconds=10))
    samples = {(each.metric.name, *each.labels): each.value for each in ward.calls.samples()}
    assert samples["steelyard_intercom_calls_total", ward.workspace, "me", "401"] == 2
    assert samples["steelyard_intercom_rate_left", ward.workspace] == 166


# Told for real


async def test_both_messages_reach_every_address_once_also_past_a_refusal(
    ward: Ward, receiver: Receiver, app_url: str, unseal: Unseal, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.refuses = 2
    app = job_app(app_url, size=3)
    told = TellJobs(app, ward.database, Apprise(f"{receiver.url}one\n\n{receiver.url}two\n"), "en", unseal, ward.clock)
    watch = ward.watch(told)
    async with app.open_async():
        working = asyncio.create_task(run_worker(app, QUEUES, 4))
        await ward.run("UPDATE connection SET refused_at = %s", START)
        await watch.look(ward.workspace)
        ward.clock.go_on(720)
        await ward.run("UPDATE connection SET refused_at = NULL")
        await watch.look(ward.workspace)
        for _ in range(150):
            if len(receiver.took) >= 4:
                break
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.3)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    begun = f"Steelyard {ward.workspace}: Intercom refuses the access token"
    ended = f"Steelyard {ward.workspace}: over after 12 min: Intercom refuses the access token"
    for path in ("/one", "/two"):
        titles = [each["title"] for each in receiver.took if each["path"].rstrip("/") == path]
        assert titles == [begun, ended], "each once, in this order, though the first tries were refused"
    first = next(each for each in receiver.took if each["title"] == begun)
    assert "Nothing is delivered" in first["message"]
    assert "steelyard connect intercom" in first["message"]
    assert {each["type"] for each in receiver.took} == {"warning", "success"}
    assert "hunter2" not in caplog.text


async def test_what_an_address_holds_is_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sender = Apprise("json://user:hunter2@127.0.0.1:9/secret\nno-such-service://hunter2")
    assert await sender.unreadable() == [1]
    for address, code in ((0, "refused"), (1, "unreadable")):
        with pytest.raises(NotifyError) as raised:
            await sender.send(address, "title", "body", over=False)
        assert raised.value.code == code
        assert f"line {address + 1} of STEELYARD_ALARMS" in str(raised.value)
        assert "hunter2" not in str(raised.value)
    assert "hunter2" not in caplog.text
    await sender.send(7, "an address that the setting no longer has", "", over=False)


async def test_without_addresses_alarms_are_stored_and_nobody_is_told(ward: Ward, app_url: str, unseal: Unseal) -> None:
    app = job_app(app_url, size=1)
    told = TellJobs(app, ward.database, Apprise(""), "en", unseal, ward.clock)
    async with app.open_async():
        await ward.run("UPDATE connection SET refused_at = %s", START)
        await ward.watch(told).look(ward.workspace)
        assert list(await app.job_manager.list_jobs_async()) == []
    assert await ward.alarms() == [(Kind.TOKEN_REFUSED.value, True)]
