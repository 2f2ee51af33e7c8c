"""What people chose to be told: by kind, in their language, not in their quiet hours, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import time
from pathlib import Path

import pytest
from procrastinate import App
from receiver import Receiver
from ward import START, Ward

from steelyard.adapters.notify import Apprise, usable
from steelyard.jobs.app import job_app, run_worker
from steelyard.kit.errors import KeyFileError, RemoteError
from steelyard.kit.ids import WorkspaceId
from steelyard.routing.health import ENDS_AFTER
from steelyard.routing.notifications import (
    Choice,
    Notification,
    add_notification,
    read_notification,
    remove_notification,
    sealed_at,
    seen_of,
)
from steelyard.routing.tell import QUEUES, TellJobs
from steelyard.store.keys import WEB, Keys, key_file

# Apprise loads a module of Python's own that is on its way out.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ALL_DAY = Choice("Operations", None, "en", None, None, "UTC")
NIGHT = ALL_DAY._replace(quiet_from=time(14), quiet_to=time(16))  # START is 15:00 UTC


class Post:
    """A workspace with addresses that people chose, and a worker that tells them."""

    def __init__(self, ward: Ward, app: App, keys: Path) -> None:
        self.ward, self.app, self.keys = ward, app, Keys(key_file(keys, WEB))
        self.jobs = TellJobs(app, ward.database, Apprise(""), "en", self.keys.unseal, ward.clock)

    async def add(self, address: str, choice: Choice = ALL_DAY) -> int:
        async with self.ward.database.transaction(self.ward.workspace) as conn:
            return await add_notification(conn, self.ward.workspace, choice, address, self.keys, self.ward.clock.now)

    async def read(self, notification: int) -> Notification:
        async with self.ward.database.transaction(self.ward.workspace) as conn:
            found = await read_notification(conn, self.ward.workspace, notification)
        assert found is not None
        return found

    async def begin(self) -> None:
        await self.ward.run("UPDATE connection SET refused_at = %s", START)
        await self.ward.watch(self.jobs).look(self.ward.workspace)

    async def end(self) -> None:
        await self.ward.run("UPDATE connection SET refused_at = NULL")
        self.ward.clock.go_on(ENDS_AFTER)
        await self.ward.watch(self.jobs).look(self.ward.workspace)

    async def waiting(self) -> list[tuple[str, float]]:
        """The jobs that are to run later, and in how many seconds, about."""
        found = await self.ward.run(
            "SELECT task_name, extract(epoch FROM scheduled_at - now())::float8 FROM procrastinate_jobs"
            " WHERE status = 'todo' AND scheduled_at > now() ORDER BY id"
        )
        return [(name, seconds) for name, seconds in found]

    async def let_the_night_pass(self) -> None:
        """What waits for the end of quiet hours is due now, and it is past them."""
        self.ward.clock.go_on(3600)
        await self.ward.run("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at > now()")

    @asynccontextmanager
    async def working(self, seconds: float = 8.0) -> AsyncIterator[None]:
        """A worker runs until no job is due any more."""
        working = asyncio.create_task(run_worker(self.app, QUEUES, 4))
        try:
            yield
            end = asyncio.get_running_loop().time() + seconds
            while asyncio.get_running_loop().time() < end:
                [(left,)] = await self.ward.run(
                    "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
                    " AND coalesce(scheduled_at, now()) <= now()"
                )
                if not left:
                    break
                await asyncio.sleep(0.05)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@pytest.fixture
async def post(ward: Ward, app_url: str, keys: Path) -> AsyncIterator[Post]:
    app = job_app(app_url, size=3)
    async with app.open_async():
        yield Post(ward, app, keys)


async def test_who_chose_a_kind_is_told_in_their_language_when_it_begins_and_is_over(
    post: Post, receiver: Receiver
) -> None:
    all_kinds = await post.add(receiver.url + "all")
    await post.add(receiver.url + "french", ALL_DAY._replace(kinds=("token_refused", "drift"), language="fr"))
    await post.add(receiver.url + "other", ALL_DAY._replace(kinds=("drift",)))
    async with post.working():
        await post.begin()
        await post.end()
    subject = f"Steelyard {post.ward.workspace}: "
    title = "Intercom refuses the access token"
    assert receiver.titles("/all") == [subject + title, f"{subject}over after 1 min: {title}"]
    french = receiver.titles("/french")
    assert len(french) == 2
    assert "Intercom refuse le jeton" in french[0]
    assert receiver.titles("/other") == []
    known = await post.read(all_kinds)
    assert (known.told_at, known.failed_at, known.failure) == (post.ward.clock.now, None, "")


async def test_a_broken_address_holds_up_nobody_and_says_since_when(post: Post, receiver: Receiver) -> None:
    broken = await post.add("json://127.0.0.1:9/")
    await post.add(receiver.url + "fine")
    async with post.working(2.5):
        await post.begin()
    assert len(receiver.titles("/fine")) == 1
    known = await post.read(broken)
    assert (known.told_at, known.failed_at, known.failure) == (None, post.ward.clock.now, "refused")
    [(task, _)] = await post.waiting()
    assert task == "routing.tell_notification", "it is tried again"


async def test_nothing_is_told_twice_though_jobs_run_twice(post: Post, receiver: Receiver) -> None:
    number = await post.add(receiver.url + "one")
    async with post.working():
        await post.begin()
    [(alarm,)] = await post.ward.run("SELECT alarm FROM alarm")
    await post.jobs.tell_notification(post.ward.workspace, alarm, False, number, False)
    async with post.working():
        await post.end()
    await post.jobs.tell_notification(post.ward.workspace, alarm, True, number, False)
    assert len(receiver.titles("/one")) == 2


async def test_in_quiet_hours_it_is_told_when_they_are_over_if_it_still_holds(post: Post, receiver: Receiver) -> None:
    await post.add(receiver.url + "night", NIGHT)
    async with post.working():
        await post.begin()
    assert receiver.took == []
    [(_, seconds)] = await post.waiting()
    assert 3590 < seconds <= 3601, "an hour before 16:00"
    async with post.working():
        await post.let_the_night_pass()
    assert len(receiver.titles("/night")) == 1
    async with post.working():
        await post.end()
    assert len(receiver.titles("/night")) == 2


async def test_what_came_and_went_in_quiet_hours_is_not_told(post: Post, receiver: Receiver) -> None:
    await post.add(receiver.url + "night", NIGHT)
    async with post.working():
        await post.begin()
    async with post.working():
        await post.end()
        await post.let_the_night_pass()
    assert receiver.took == []
    assert await post.waiting() == []


async def test_that_it_is_over_waits_for_the_morning_where_its_beginning_was_told(
    post: Post, receiver: Receiver
) -> None:
    await post.add(receiver.url + "eve", ALL_DAY._replace(quiet_from=time(15, 1), quiet_to=time(16)))
    async with post.working():
        await post.begin()
    assert len(receiver.titles("/eve")) == 1
    async with post.working():
        await post.end()
    assert len(receiver.titles("/eve")) == 1
    async with post.working():
        await post.let_the_night_pass()
    assert len(receiver.titles("/eve")) == 2


async def test_an_address_added_later_or_removed_is_told_nothing_of_it(post: Post, receiver: Receiver) -> None:
    gone = await post.add(receiver.url + "gone")
    async with post.ward.database.transaction(post.ward.workspace) as conn:
        assert await remove_notification(conn, post.ward.workspace, gone, post.ward.clock.now)
        assert not await remove_notification(conn, post.ward.workspace, gone, post.ward.clock.now)
    async with post.working():
        await post.begin()
    await post.add(receiver.url + "late")
    async with post.working():
        await post.end()
    assert receiver.took == []


async def test_a_test_message_goes_out_at_any_hour_and_says_what_came_of_it(post: Post, receiver: Receiver) -> None:
    fine, broken = await post.add(receiver.url + "night", NIGHT), await post.add("json://127.0.0.1:9/", NIGHT)
    for each in (fine, broken):
        await post.jobs.test(post.ward.workspace, each)
    assert receiver.titles("/night") == [f"Steelyard {post.ward.workspace}: a test"]
    assert (await post.read(fine)).told_at == post.ward.clock.now
    known = await post.read(broken)
    assert (known.failed_at, known.failure) == (post.ward.clock.now, "refused")
    post.ward.clock.go_on(60)
    await post.jobs.test(post.ward.workspace, broken)
    assert (await post.read(broken)).failed_at == known.failed_at, "since when it fails"


async def test_a_worker_without_the_file_says_so_once_and_tells_the_others(
    post: Post, receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [await post.add(receiver.url + name) for name in ("one", "two")]
    blind = TellJobs(
        job_app("postgresql://nobody@/nowhere"),
        post.ward.database,
        Apprise(""),
        "en",
        Keys(key_file(tmp_path, WEB)).unseal,
        post.ward.clock,
    )
    await post.begin()
    [(alarm,)] = await post.ward.run("SELECT alarm FROM alarm")
    for number in numbers:
        with pytest.raises(KeyFileError):
            await blind.tell_notification(post.ward.workspace, alarm, False, number, False)
    assert [(await post.read(number)).failure for number in numbers] == ["sealed", "sealed"]
    assert capsys.readouterr().out.count("tell.sealed") == 1
    async with post.working():
        pass
    assert len(receiver.took) == 2, "a worker that has it tells them"


async def test_an_address_is_sealed_for_its_row_and_only_its_service_is_shown(post: Post, receiver: Receiver) -> None:
    first, second = await post.add(receiver.url + "one"), await post.add("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOX")
    stored = await post.read(first)
    assert "hunter2" not in stored.address
    workspace, unseal = post.ward.workspace, post.keys.unseal
    seen = seen_of(workspace, first, stored.address, unseal)
    assert seen.service == "JSON"
    assert len(seen.fingerprint) == 8
    assert seen_of(workspace, second, (await post.read(second)).address, unseal).service == "Slack"
    assert seen_of(workspace, second, stored.address, unseal) == ("", ""), "not in another row"
    other = WorkspaceId("eu1.other")
    with pytest.raises(KeyFileError):
        unseal(stored.address, sealed_at(other, first))


@pytest.mark.parametrize(
    "address",
    [
        "no-such-service://x",
        "hello",
        "",
        "dbus://",
        "SYSLOG://",
        "fcm://project@key/?keyfile=/etc/passwd",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/steelyard/keys/worker.keys",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?Template=/etc/passwd",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?tem%70late=/etc/passwd",
        "tgram://123456789:abcdefg_hijklmnop/12315544/?x=1&tem%2570late=/etc/passwd",
    ],
)
async def test_no_page_may_name_what_reads_files_or_acts_on_the_workers_machine(address: str) -> None:
    assert not await usable(address)


async def test_an_address_that_apprise_reads_may_be_entered(receiver: Receiver) -> None:
    assert await usable(receiver.url)
    assert await usable("tgram://123456789:abcdefg_hijklmnop/12315544/")


async def test_a_refusal_names_the_address_by_its_number_alone(post: Post, receiver: Receiver) -> None:
    number = await post.add(receiver.url + "one")
    await post.begin()
    receiver.refuses = 1
    [(alarm,)] = await post.ward.run("SELECT alarm FROM alarm")
    with pytest.raises(RemoteError) as raised:
        await post.jobs.tell_notification(post.ward.workspace, alarm, False, number, False)
    assert "hunter2" not in str(raised.value)
    assert f"notification {number} " in str(raised.value)
