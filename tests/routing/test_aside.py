"""A payload that cannot be handled is set aside with its reason; the others go on; and it can be tried again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from payloads import BEGAN, CREATED, admin, conversation, notification, roster
from structlog.testing import capture_logs

from desk_seed import NOW
from steelyard.kit.errors import ConfigError, KeyFileError, LedgerError, PolicyError, StoreError
from steelyard.kit.ids import PersonId
from steelyard.kit.instants import SECOND
from steelyard.main.ground import ledger
from steelyard.routing import fault, router, store
from steelyard.routing.aside import read_aside, try_again
from steelyard.routing.decide import decide
from steelyard.routing.router import BATCH

SECRET = "the customer's own words"


def created(id: int, **changes: Any) -> bytes:
    return notification(CREATED, conversation(id, **changes), id=f"created {id}")


class Faults:
    """Makes `decide` raise on some conversations, as a mistake in it would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on: dict[int, Callable[[], BaseException]] = {}
        self.calls: list[int | None] = []
        monkeypatch.setattr(router, "decide", self._decide)

    def _decide(self, state: Any, seen: Any, *rest: Any) -> Any:
        id = getattr(seen, "id", None)
        self.calls.append(id)
        changes = decide(state, seen, *rest)
        if id in self.on:
            raise self.on[id]()  # when the state is changed already
        return changes


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return Faults(monkeypatch)


async def outcomes(bench: Any) -> dict[str, tuple[str | None, str | None]]:
    rows = await bench.rows("SELECT notification, outcome, reason FROM inbox ORDER BY seq")
    return {name: (outcome, reason) for name, outcome, reason in rows}


async def test_one_is_set_aside_and_the_others_go_on_in_order(bench: Any, faults: Faults) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    faults.on[15] = lambda: TypeError(SECRET)
    with capture_logs() as logs:
        await bench.route(*(created(id) for id in range(10, 30)))
    found = await outcomes(bench)
    outcome, reason = found.pop("created 15")
    assert (outcome, reason.startswith("TypeError at router:")) == ("aside", True)
    assert {outcome for outcome, _ in found.values()} == {"fact"}
    assert list(await bench.owners()) == [id for id in range(10, 30) if id != 15]
    assert [conversation for _, conversation in bench.asked.delivered] == [id for id in range(10, 30) if id != 15]
    [line] = [each for each in logs if each["event"] == "routing.set_aside"]
    assert {name: line[name] for name in ("workspace", "reason")} == {"workspace": bench.workspace, "reason": reason}
    assert SECRET not in json.dumps([logs, reason], default=str)


async def test_what_is_remembered_stays_right(bench: Any, faults: Faults) -> None:
    """A failed batch leaves no trace in the remembered state, which is not read again for each of many failures."""
    await bench.route(roster([admin(1), admin(2)]), created(10))
    before = bench.router._cache[bench.workspace]
    faults.on |= {11: lambda: TypeError(SECRET), 3: lambda: TypeError(SECRET)}
    joined = notification("admin.added_to_workspace", admin(3), id="joined", created_at=BEGAN + 5)
    await bench.route(created(11), joined, created(12))
    remembered = bench.router._cache[bench.workspace]
    assert remembered is before
    assert [outcome for outcome, _ in (await outcomes(bench)).values()] == ["fact", "fact", "aside", "aside", "fact"]
    async with bench.database.transaction(bench.workspace) as conn:
        head = await store.lock(conn, bench.workspace)
        assert head is not None
        tables = await store.load_state(conn, bench.workspace, head, remembered.state.ignored)
    for name in ("engineers", "conversations", "teams", "standings", "waiting", "position", "version"):
        assert getattr(remembered.state, name) == getattr(tables, name), name


async def test_a_remembered_state_at_fault_is_read_afresh(bench: Any) -> None:
    await bench.route(roster([admin(1)]), created(10))
    bench.router._cache[bench.workspace].state.standings.clear()  # as a mistake in the state might leave it
    bench.router._cache[bench.workspace].loaded_at -= router.READ_AFRESH
    bench.clock.now -= 3600 * SECOND  # as where somebody sets the clock
    await bench.route(
        notification("admin.away_mode_updated", admin(1, away_mode_enabled=True), id="away", created_at=BEGAN + 5),
        created(11),
    )
    assert {outcome for outcome, _ in (await outcomes(bench)).values()} == {"fact"}
    assert await bench.owners() == {10: 1, 11: None}


async def test_afterwards_batches_are_whole_again(bench: Any, faults: Faults) -> None:
    await bench.route(roster([admin(1)]))
    faults.on[12] = lambda: KeyError(SECRET)
    await bench.put(*(created(id) for id in range(10, 10 + 2 * BATCH)))
    handled = [await bench.router.route(bench.workspace) for _ in range(4)]
    assert handled == [3, BATCH, BATCH - 3, 0]


async def test_all_that_fail_are_set_aside_and_it_ends(bench: Any, faults: Faults) -> None:
    await bench.route(roster([admin(1)]))
    bad = range(10, 22)
    faults.on |= {id: lambda: RecursionError(SECRET) for id in bad}
    await bench.put(*(created(id) for id in bad), created(50))
    rounds = 0
    while await bench.router.route(bench.workspace):
        rounds += 1
    assert rounds == len(bad) + 1
    found = await outcomes(bench)
    assert [outcome for outcome, _ in found.values()] == ["fact", *["aside"] * len(bad), "fact"]
    assert await bench.owners() == {50: 1}


async def test_what_fails_only_together_is_handled_one_by_one(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.route(roster([admin(1)]))
    real = store.write_texts

    async def only_one(conn: Any, workspace: Any, seen: Any) -> None:
        if len(seen) > 1:
            raise ValueError(SECRET)
        await real(conn, workspace, seen)

    monkeypatch.setattr(store, "write_texts", only_one)
    await bench.route(*(created(id) for id in range(10, 15)))
    assert {outcome for outcome, _ in (await outcomes(bench)).values()} == {"fact"}
    assert len(await bench.owners()) == 5


async def test_what_the_database_refuses_to_store_is_set_aside(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.route(roster([admin(1)]))
    real = store.write_texts

    async def too_large(conn: Any, workspace: Any, seen: Any) -> None:
        if any(each.id == 11 for each in seen):
            await conn.execute("SELECT (2^63)::bigint")
        await real(conn, workspace, seen)

    monkeypatch.setattr(store, "write_texts", too_large)
    await bench.route(created(10), created(11), created(12))
    found = await outcomes(bench)
    assert [outcome for outcome, _ in found.values()] == ["fact", "fact", "aside", "fact"]
    assert found["created 11"][1].startswith("NumericValueOutOfRange")
    assert sorted(await bench.owners()) == [10, 12]


ELSEWHERE = [
    psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.DiskFull, psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure, psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege,
    psycopg.errors.DataCorrupted, OSError, TimeoutError, MemoryError, StoreError, LedgerError, PolicyError, ConfigError,
    KeyFileError, KeyboardInterrupt,
]  # fmt: skip


async def test_what_is_no_payloads_fault_sets_nothing_aside(bench: Any, faults: Faults) -> None:
    await bench.route(roster([admin(1)]))
    await bench.put(created(10), created(11))
    for kind in ELSEWHERE:
        faults.on[10] = kind
        with pytest.raises(kind):
            await bench.router.route(bench.workspace)
        found = await outcomes(bench)
        assert found["created 10"] == found["created 11"] == (None, None), kind
    faults.on.clear()
    await bench.route()
    assert await bench.owners() == {10: 1, 11: 1}


async def test_a_cause_below_is_what_counts(bench: Any, faults: Faults) -> None:
    def wrapped() -> BaseException:
        error = RuntimeError("a library's own error")
        error.__cause__ = psycopg.OperationalError("connection lost")
        return error

    faults.on[10] = wrapped
    await bench.put(created(10))
    with pytest.raises(RuntimeError):
        await bench.router.route(bench.workspace)
    assert (await outcomes(bench))["created 10"] == (None, None)


async def test_a_state_that_cannot_be_read_is_no_payloads_fault(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise TypeError("a row of a newer release")

    await bench.put(created(10))
    with monkeypatch.context() as patched:
        patched.setattr(store, "load_state", broken)
        with pytest.raises(TypeError):
            await bench.router.route(bench.workspace)
    assert (await outcomes(bench))["created 10"] == (None, None)


async def test_after_the_fix_it_is_tried_again_and_the_state_is_right(bench: Any, faults: Faults) -> None:
    await bench.route(roster([admin(1), admin(2)]))
    faults.on |= {11: lambda: TypeError(SECRET), 13: lambda: TypeError(SECRET)}
    assigned = conversation(12, updated_at=BEGAN + 5, admin_assignee_id=2)
    await bench.route(
        *(created(id) for id in range(10, 15)),
        notification("conversation.admin.assigned", assigned, id="assigned 12", created_at=BEGAN + 5),
    )
    view = await read_aside(bench.database, bench.workspace, NOW, None)
    assert (view.number, [each.topic for each in view.items]) == (2, [CREATED, CREATED])
    del faults.on[11]
    assert await try_again(bench.database, ledger(), bench.workspace, NOW) == 2
    [told] = await bench.rows("SELECT (data ->> 'count')::int, person FROM ledger WHERE kind = 'aside.retried'")
    assert told == (2, None)
    waiting = (await read_aside(bench.database, bench.workspace, NOW, NOW)).tried
    assert waiting == (0, 0, 2)
    await bench.route()
    view = await read_aside(bench.database, bench.workspace, NOW, NOW)
    assert view.tried == (1, 1, 0)
    [left] = view.items
    assert left.tried_at == NOW
    del faults.on[13]
    assert await try_again(bench.database, ledger(), bench.workspace, NOW, [left.seq + 1]) == 0
    assert await try_again(bench.database, ledger(), bench.workspace, NOW, [left.seq], PersonId(5)) == 1
    retried = "SELECT (data ->> 'count')::int, person FROM ledger WHERE kind = 'aside.retried' ORDER BY position"
    assert await bench.rows(retried) == [(2, None), (1, 5)], "what was asked in vain is nothing that happened"
    await bench.route()
    assert (await read_aside(bench.database, bench.workspace, NOW, None)).items == ()
    owners = await bench.owners()
    assert sorted(owners) == [10, 11, 12, 13, 14]
    assert None not in owners.values()
    decided = await bench.rows("SELECT conversation FROM decision ORDER BY decision")
    assert sorted(id for (id,) in decided) == sorted(owners)


async def test_trying_again_twice_decides_nothing_twice(bench: Any, faults: Faults) -> None:
    await bench.route(roster([admin(1)]))
    faults.on[10] = lambda: TypeError(SECRET)
    await bench.route(created(10))
    faults.on.clear()
    for _ in range(3):
        await try_again(bench.database, ledger(), bench.workspace, NOW)
        await bench.route(created(10))
    assert [conversation for _, conversation in bench.asked.delivered] == [10]


async def test_another_workspaces_are_left_alone(bench: Any, faults: Faults, make_workspace: Any) -> None:
    faults.on[10] = lambda: TypeError(SECRET)
    await bench.route(created(10))
    other = await make_workspace("zzz")
    assert await try_again(bench.database, ledger(), other, NOW) == 0
    assert (await read_aside(bench.database, other, NOW, None)).number == 0
    assert (await read_aside(bench.database, bench.workspace, NOW, None)).number == 1


async def test_a_worker_that_is_not_at_it_sets_nothing_aside(bench: Any, faults: Faults) -> None:
    """Another worker took the workspace between the failure and the mark: it will meet the payload by itself."""
    await bench.route(roster([admin(1)]))
    await bench.put(created(10))
    failed = fault.Unhandled([2], TypeError())
    async with bench.database.transaction(bench.workspace) as conn:
        assert await store.lock(conn, bench.workspace) is not None
        assert await bench.router._set_aside(bench.workspace, failed) == 0
    assert (await outcomes(bench))["created 10"] == (None, None)
