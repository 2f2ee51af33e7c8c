"""A run, as a worker does it: plan, look again, do, prove; put back where that did not succeed. See README.md.

It may be cut off anywhere. Whoever takes it up next finds in the journal what was begun and what is done, and goes on
from there; who had it before is fenced off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from typing import Final

import psycopg
import structlog

from steelyard.kit.errors import ActError, KeyFileError
from steelyard.kit.facts import Fact
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import micros
from steelyard.store.database import Connection
from steelyard.toolbox import journal, others, store
from steelyard.toolbox.ground import RunGround, end_run
from steelyard.toolbox.journal import Entry, Scrub, entries_of
from steelyard.toolbox.locks import lock_with_others
from steelyard.toolbox.model import Action, Json, Plan, Refused, Risk, RunId, Site, Token
from steelyard.toolbox.reach import Errand, HostError, Reached
from steelyard.toolbox.registry import read_site
from steelyard.toolbox.runbook import Asked, Defaults, Left, Runbook
from steelyard.toolbox.saying import Saying
from steelyard.toolbox.states import Event, Reason, State
from steelyard.toolbox.steps import LOST, CalledOff, Doer, StepFailed
from steelyard.toolbox.store import RUNS_CHANNEL, Fenced, Run
from steelyard.web.said import N_, Said

HOLDS: Final = timedelta(hours=1)
"""How long a plan can be confirmed."""
CLEAR: Final = Action("files.clear_work")
"""Removes the folder of a run on its host."""
PAUSES_PLANNING: Final = (0.5,)
"""The same while somebody looks at a plan being made."""

log = structlog.get_logger()


async def work_on(ground: RunGround, workspace: WorkspaceId, run: RunId) -> None:
    """Does what is to be done for a run, if anything is. May be cut off anywhere and called again.

    Raises psycopg.Error where the database cannot be used.
    """
    async with ground.database.transaction(workspace) as conn:
        if (known := await store.find_run(conn, run)) is None:
            return
        await lock_with_others(conn, known)
        taken = await store.take(conn, run, ground.clock())
        if taken is None:
            return
        try:
            site = await read_site(conn, taken.site)
            runbook = ground.runbooks.of(taken.runbook)
            secrets = await ground.secrets(conn, workspace, taken, site)
        except (ActError, KeyFileError) as error:
            await _give_up(ground, conn, workspace, taken, error)
            return
        keep_trash, _, _ = await store.read_defaults(conn, workspace)
        slots = await ground.slots(conn)
    await ground.database.notify(RUNS_CHANNEL)
    with suppress(Fenced):  # whoever has it now goes on with it
        await _Work(ground, workspace, taken, site, runbook, secrets, Defaults(keep_trash), slots).work()


async def _give_up(
    ground: RunGround, conn: Connection, workspace: WorkspaceId, run: Run, error: ActError | KeyFileError
) -> None:
    """Ends a run that cannot even be begun: its site, its runbook or its secrets are gone."""
    code = error.code if isinstance(error, ActError) else "key_file"
    reason = Reason(code, getattr(error, "says", Said("%(message)s", {"message": str(error)})))
    entries = await store.read_entries(conn, run.run)
    event = Event.FAIL if run.state is State.PLANNING or not journal.begun(entries) else Event.STOP
    await end_run(ground, conn, workspace, run, event, reason, 0, None)


class _Work:
    """One attempt at a run."""

    def __init__(
        self,
        ground: RunGround,
        workspace: WorkspaceId,
        run: Run,
        site: Site,
        runbook: Runbook,
        secrets: Mapping[str, str],
        defaults: Defaults,
        slots: Mapping[str, Json],
    ) -> None:
        self._ground, self._workspace, self._run, self._site = ground, workspace, run, site
        self._runbook, self._defaults, self._slots = runbook, defaults, slots
        self._began = monotonic()
        scrub = Scrub(secrets.values())
        self._secrets, self._cancelled = secrets, asyncio.Event()
        self._doer = Doer(
            ground.database, workspace, run, site, ground.workers, secrets, ground.clock,
            Saying(scrub, self._began), scrub, self._cancelled, asyncio.Lock(),
        )  # fmt: skip

    async def work(self) -> None:
        """Goes on from the state that the run is in."""
        if self._run.cancel_at is not None:
            self._cancelled.set()
        async with self._beside(self._watch()), self._beside(self._doer.saying.keeping(self._doer.keep_said)):
            if self._run.state is State.UNDOING:
                await self._put_back()
            elif self._run.undoes is not None:
                await self._undo_other()
            else:
                await self._forward()

    # Forward

    async def _forward(self) -> None:
        """Plans and does. Every way that it can end leads to one state."""
        try:
            await self._on_host(self._plan_and_do, self._run.token)
        except Refused as refused:
            await self._end(Event.REFUSE, Reason(refused.code, refused.says))
        except CalledOff:
            await self._fall_back(Event.CANCEL, Reason("cancelled", Said(N_("It was cancelled."))))
        except HostError as error:
            await self._host_failed(error)
        except (Fenced, psycopg.Error):
            raise
        except Exception as error:
            await self._fall_back(Event.FAIL, self._reason(error))

    async def _plan_and_do(self, reached: Reached) -> None:
        entries = await self._entries()
        if self._run.state is State.PLANNING or not journal.begun(entries):
            if not await self._look(reached):
                return
            entries = await self._entries()
        await self._doer.do(reached, journal.rest(entries, ("do",)))
        # All of them again after a kill or a loss: what was proved then may not hold now.
        await self._doer.prove(reached, [each for each in entries if each.phase == "check"])
        if self._runbook.undo is None:
            await self._clear(reached)
        await self._end(Event.SUCCEED, None)

    async def _clear(self, reached: Reached) -> None:
        """Leaves nothing of a run on the host that will never be put back."""
        with suppress(HostError):
            await self._doer.act(reached, CLEAR, 0)

    async def _look(self, reached: Reached) -> bool:
        """Reads the site and plans; whether the run is to be done now. False: it was told why not, or shown."""
        await self._require_as_asked()
        asked = Asked(self._site, self._run.params, self._run.token, self._ground.clock(), self._defaults, self._slots)
        facts = await self._doer.read(reached, self._runbook.reads(asked))
        plan = self._runbook.plan(asked, facts)
        if plan.nothing is not None:
            await self._end(Event.FIND_NOTHING, Reason("nothing", plan.nothing), plan)
            return False
        if self._run.state is State.PLANNING:
            await self._doer.require_root(reached, plan)
            return await self._planned(plan)
        if plan.digest() == self._run.plan_digest:
            return True
        changed = Said(N_("The site changed since its plan was looked at. Nothing was done: look at the new plan."))
        await self._show(Event.CHANGE, Reason("changed", changed), plan)
        return False

    async def _require_as_asked(self) -> None:
        """That the runbook is the one whose digest stands in the run, and that no other run left the site half done."""
        if self._runbook.digest != self._run.digest:
            raise Refused("other_runbook", Said(N_("The runbook was changed since it was asked for. Ask again.")))
        if self._run.state is State.PLANNING or self._run.risk is Risk.READS:
            return
        async with self._ground.database.transaction(self._workspace) as conn:
            stopped = await others.stopped_at(conn, self._run.run, self._run.site)
        if stopped is not None:
            raise Refused("site_stopped", Said(others.SITE_STOPPED, {"run": stopped}))

    async def _planned(self, plan: Plan) -> bool:
        """Shows the plan; goes on at once where it was confirmed by being asked for."""
        if self._run.confirmed_at is None:
            await self._show(Event.PLAN, None, plan)
            return False
        now = self._ground.clock()
        async with self._ground.database.transaction(self._workspace) as conn:
            await store.hold(conn, self._run)
            await self._keep_plan(conn, plan)
            await store.change(conn, self._run, Event.CONFIRM, attempt=self._run.attempt)
            taken = await store.take(conn, self._run.run, now)
        await self._taken(taken)
        return True

    async def _show(self, event: Event, reason: Reason | None, plan: Plan) -> None:
        async with self._ground.database.transaction(self._workspace) as conn:
            await lock_with_others(conn, self._run)
            await store.hold(conn, self._run)
            await self._keep_plan(conn, plan)
            state = await store.change(conn, self._run, event, reason=reason, attempt=self._run.attempt)
            if event is Event.CHANGE:
                await conn.execute(
                    "UPDATE run SET confirmed_at = NULL, confirmed_by = NULL, approver = NULL, approved_at = NULL,"
                    " started_at = NULL WHERE run = %s",
                    [self._run.run],
                )
            await self._ground.next.ended(conn, self._workspace, self._run, state)
        await self._ground.database.notify(RUNS_CHANNEL)

    async def _keep_plan(self, conn: Connection, plan: Plan) -> None:
        now = self._ground.clock()
        await store.keep_plan(conn, self._workspace, self._run, plan, self._doer.scrub, now, now + HOLDS)

    async def _taken(self, taken: Run | None) -> None:
        """The same run, as it is after it was taken again."""
        if taken is None:
            raise Fenced
        self._run = self._doer.run = taken
        await self._ground.database.notify(RUNS_CHANNEL)

    # What did not succeed

    async def _host_failed(self, error: HostError) -> None:
        """A host that could not be read or was lost: without anything begun, that is a failure; else it waits."""
        why = self._reason(error)
        if not journal.begun(await self._entries()):
            await self._end(Event.FAIL, Reason(why.code, Said(N_("Nothing was done. %(why)s"), {"why": why.says})))
        elif error.code in LOST:
            message = N_("It stopped in the middle: %(why)s Resume it, or put it back.")
            await self._end(Event.STOP, Reason(why.code, Said(message, {"why": why.says})))
        else:
            await self._fall_back(Event.FAIL, why)

    def _reason(self, error: Exception) -> Reason:
        """What is said of an error. One that nobody foresaw is a mistake of the runbook, or of ours."""
        match error:
            case StepFailed() | Refused():
                return Reason(error.code, error.says)
            case HostError():
                return Reason(error.code, Said("%(why)s", {"why": self._doer.scrub.text(str(error), 500)}))
            case _:
                name = type(error).__name__
                log.error("run.mistake", workspace=self._workspace, run=self._run.run, error=name, exc_info=error)
                message = N_("The runbook itself has a mistake (%(error)s): tell its author.")
                return Reason("mistake", Said(message, {"error": name}))

    async def _fall_back(self, event: Event, reason: Reason) -> None:
        """Ends what was not begun; puts back what was, by itself."""
        entries = await self._entries()
        if not journal.begun(entries):
            await self._end(event, reason)
        elif self._runbook.undo is None:
            touched = any(each.begun and each.touches for each in entries)
            await self._end(Event.STOP if touched else event, reason)
        else:
            async with self._ground.database.transaction(self._workspace) as conn:
                await store.change(conn, self._run, Event.UNDO, reason=reason, attempt=self._run.attempt)
                taken = await store.take(conn, self._run.run, self._ground.clock())
            await self._taken(taken)
            await self._put_back(reason)

    # Back

    async def _put_back(self, reason: Reason | None = None) -> None:
        """Puts back what this run did, whatever step it stopped at."""
        left = Left(self._site, self._run.params, self._run.token, self._ground.clock(), self._run.keeps)
        if await self._undo(left):
            async with self._ground.database.transaction(self._workspace) as conn:
                why = reason or await store.read_reason(conn, self._run.run)
            await self._end(Event.SUCCEED, why)

    async def _undo_other(self) -> None:
        """Puts back what an earlier run did: what this run is for."""
        async with self._ground.database.transaction(self._workspace) as conn:
            other = await store.find_run(conn, self._run.undoes or RunId(0))
            if self._run.state is State.PLANNING:
                await store.change(conn, self._run, Event.CONFIRM, attempt=self._run.attempt)
                taken = await store.take(conn, self._run.run, self._ground.clock())
            else:
                taken = self._run
        await self._taken(taken)
        if other is None:
            raise Fenced
        left = Left(self._site, other.params, other.token, self._ground.clock(), other.keeps)
        if await self._undo(left):
            await self._end(Event.SUCCEED, None)

    async def _undo(self, left: Left) -> bool:
        """Reads what there is, plans what is still to be put back, and does it. Whether it succeeded; told if not."""

        async def put_back(reached: Reached) -> None:
            await self._let_go(reached)
            await self._undo_steps(reached, left)

        try:
            await self._on_host(put_back, left.token)
        except (Fenced, psycopg.Error):
            raise
        except Exception as error:
            why = self._reason(error)
            message = N_("It could not be put back. What is done and what is not stands below; try again. %(why)s")
            await self._end(Event.STOP, Reason(why.code, Said(message, {"why": why.says})))
            return False
        return True

    async def _undo_steps(self, reached: Reached, left: Left) -> None:
        undo, reads = self._runbook.undo, self._runbook.undo_reads
        if undo is None:
            raise Refused("no_undo", Said(N_("This runbook has no way back.")))
        facts = await self._doer.read(reached, reads(left) if reads is not None else (), cancellable=False)
        plan = undo(left, facts)
        async with self._ground.database.transaction(self._workspace) as conn:
            await store.hold(conn, self._run)
            plan = journal.with_cut_off(plan, await store.read_entries(conn, self._run.run))
            first = await store.forget_unfinished_undo(conn, self._run.run)
            entries = entries_of(plan, "undo", first)
            await store.add_entries(conn, self._workspace, self._run.run, entries, self._doer.scrub)
        await self._doer.do(reached, [each for each in entries if each.check is None], cancellable=False)
        await self._doer.prove(reached, [each for each in entries if each.check is not None])

    async def _let_go(self, reached: Reached) -> None:
        """Does what is always done of a plan that is called off. What of it fails keeps nothing from being put back."""
        for entry in journal.left_to_let_go(await self._entries()):
            with suppress(StepFailed):
                await self._doer.do(reached, [entry], cancellable=False)

    # What all of it stands on

    async def _on_host(self, work: Callable[[Reached], Awaitable[None]], token: Token) -> None:
        """Does `work` on the host, and again where the host was lost meanwhile, some times with longer pauses."""
        planning = self._run.state is State.PLANNING
        holds = self._runbook.risk is not Risk.READS and not planning
        errand = Errand(token, self._site, hold=holds, secrets=self._secrets)
        for pause in (*(PAUSES_PLANNING if planning else self._ground.pauses), None):
            try:
                async with self._ground.ways(self._workspace).open(self._site.host, errand) as reached:
                    return await work(reached)
            except HostError as error:
                if error.code not in LOST or pause is None:
                    raise
                self._doer.saying.say(0, "warning", f"{error} ({pause:g} s)")
            await asyncio.sleep(pause)

    async def _entries(self) -> list[Entry]:
        async with self._ground.database.transaction(self._workspace) as conn:
            return await store.read_entries(conn, self._run.run)

    async def _end(self, event: Event, reason: Reason | None, plan: Plan | None = None) -> None:
        """Ends this run in one transaction with its fact, and with what was said to the last."""
        now, run, took = self._ground.clock(), self._run, round((monotonic() - self._began) * 1000)
        entries = await self._entries()
        until = None
        if journal.begun(entries) and run.undoable and self._runbook.undo is not None and event is not Event.STOP:
            until = now + timedelta(days=self._defaults.keep_trash)
        async with self._ground.database.transaction(self._workspace) as conn:
            await lock_with_others(conn, run)
            await store.hold(conn, run)
            if plan is not None:
                await self._keep_plan(conn, plan)
            while any(said := self._doer.saying.taken()):
                await store.keep_said(conn, self._workspace, run, *said, now)
            state = await end_run(self._ground, conn, self._workspace, run, event, reason, took, until)
            if run.undoes is not None and state is State.DONE:
                await self._mark_undone(conn, run)
        await self._ground.database.notify(RUNS_CHANNEL)
        log.info("run.ended", workspace=self._workspace, run=run.run, state=state.value, ms=took)

    async def _mark_undone(self, conn: Connection, run: Run) -> None:
        await conn.execute("UPDATE run SET undone_by = %s WHERE run = %s", [run.run, run.undoes])
        data = store.facts_data(run=run.undoes, by=run.run, site=run.site)
        fact = Fact("run.undone", micros(self._ground.clock()), run.conversation, None, data, run.person)
        await self._ground.ledger.append(conn, self._workspace, [fact])

    async def _watch(self) -> None:
        """Hears of a cancellation while a step works."""
        async for _ in self._ground.database.listen(RUNS_CHANNEL, 1.0):
            async with self._ground.database.transaction(self._workspace) as conn:
                run = await store.find_run(conn, self._run.run)
            if run is not None and run.cancel_at is not None:
                self._cancelled.set()
                return
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _beside(self, work: Coroutine[None, None, None]) -> AsyncGenerator[None]:
        """`work` goes on beside the block. Where it fails, the block goes on: it meets the same at its next write."""
        task = asyncio.create_task(work)
        try:
            yield
        finally:
            # A hint that comes at the same moment swallows a cancellation: once more then.
            while not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=0.1)
            if not task.cancelled():
                task.exception()
