"""Doing the steps of a plan on a host that is reached: intent, actions, receipt; then the checks.

The receipt of a step and the intent of the next are one transaction. Each heeds that the run is still this worker's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar, cast

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Connection, Database
from steelyard.toolbox import store
from steelyard.toolbox.journal import Answer, Entry, Outcome, Scrub, agrees
from steelyard.toolbox.model import Action, By, Check, Json, Plan, Refused, RunId, Secret, Site, Token
from steelyard.toolbox.prepare import may_be_done
from steelyard.toolbox.reach import HostError, Reached, Tell
from steelyard.toolbox.runbook import Read
from steelyard.toolbox.saying import Saying
from steelyard.toolbox.store import RUNS_CHANNEL, Receipt, Run, SaidLine
from steelyard.web.said import N_, Said

LOST: Final = frozenset({"unreachable", "lost", "busy"})
"""Codes of what passes: the host is reached again. A worker that was killed may leave its site busy for a moment."""
_NO_SUDO: Final = N_(
    "%(account)s may not run “%(command)s” as root on %(host)s, which the plan needs. Put the rules there that"
    " `steelyard host prepare %(host)s` prints, then plan it again."
)
_ASKED_AGAIN: Final = 0.2
"""Seconds between two tries of a check."""

Given = TypeVar("Given")


class RunContext(NamedTuple):
    """What a verb of the worker's own is told of the run that it is for."""

    workspace: WorkspaceId
    run: RunId
    site: Site
    token: Token
    database: Database
    tell: Tell
    now: datetime


WorkerVerb = Callable[[Reached, Mapping[str, Json], RunContext], Awaitable[Json]]
"""An action of By.WORKER: it works with what the host sends it. Raises HostError."""
Workers = Mapping[str, WorkerVerb]


class CalledOff(Exception):
    """Somebody cancelled the run: nothing more of its plan is begun."""


class StepFailed(Exception):
    """A step or a check did not succeed: `says` tells which, and why."""

    def __init__(self, code: str, says: Said) -> None:
        super().__init__(code)
        self.code, self.says = code, says


@dataclass(slots=True)
class Doer:
    """Does steps of one run, as one attempt at it."""

    database: Database
    workspace: WorkspaceId
    run: Run
    site: Site
    workers: Workers
    secrets: Mapping[str, str]
    clock: Callable[[], datetime]
    saying: Saying
    scrub: Scrub
    cancelled: asyncio.Event
    lock: asyncio.Lock

    async def read(self, reached: Reached, reads: Sequence[Read], *, cancellable: bool = True) -> dict[str, Json]:
        """Facts by their names, read side by side. Raises HostError, CalledOff."""
        work = asyncio.gather(*(self.act(reached, each.action, 0) for each in reads))
        answers = await (self._unless_cancelled(work) if cancellable else work)
        return {each.into: answer for each, answer in zip(reads, answers, strict=True)}

    async def require_root(self, reached: Reached, plan: Plan) -> None:
        """That sudo lets the support account do what the plan has root do. Raises Refused, HostError."""
        argvs = {tuple(each.args["argv"]) for step in plan.steps for each in step.actions if each.by is By.ROOT}
        if not argvs or self.site.host.account == "root":
            return
        tries: list[Json] = [{"user": "root", "argv": list(argv)} for argv in sorted(argvs)]
        told = await self.act(reached, Action("check.sudo", {"tries": tries}, By.SUPPORT, timeout=60.0), 0)
        refused = [" ".join(argv) for argv, allowed in zip(sorted(argvs), told["allowed"], strict=True) if not allowed]
        if refused:
            values = {"account": self.site.host.account, "host": self.site.host.name, "command": refused[0]}
            raise Refused("no_sudo", Said(_NO_SUDO, values))

    async def do(self, reached: Reached, entries: Sequence[Entry], *, cancellable: bool = True) -> None:
        """Does steps in their order. Raises StepFailed, CalledOff, HostError for a host that was lost, Fenced."""
        receipts: list[Receipt] = []
        for entry in entries:
            await self._turn(receipts, entry.number, cancellable)
            receipts = [await self._step(reached, entry, cancellable)]
        await self._turn(receipts, None, cancellable=False)

    async def prove(self, reached: Reached, entries: Sequence[Entry]) -> None:
        """Asks all checks side by side. Raises StepFailed for the first that does not agree, HostError, Fenced."""
        if not entries:
            return
        async with self._holding() as (conn, _):
            for entry in entries:
                await store.keep_intent(conn, self.run, entry.number, self.clock())
        receipts = await asyncio.gather(*(self._check(reached, entry) for entry in entries))
        await self._turn(receipts, None, cancellable=False)
        for entry, receipt in zip(entries, receipts, strict=True):
            if receipt.outcome == "failed":
                message = N_("The check “%(check)s” did not agree.")
                raise StepFailed("check", Said(message, {"check": entry.says}))

    async def act(self, reached: Reached, action: Action, step: int) -> Json:
        """Does one action, by whoever does it. Raises HostError."""
        tell = self.saying.of(step)
        if not may_be_done(action, self.site):
            raise HostError("failed", f"{action.verb} is nothing that a runbook may have root do: see `host prepare`")
        if action.by is not By.WORKER:
            return await reached.call(action, tell)
        verb = self.workers.get(action.verb)
        if verb is None:
            raise HostError("missing", f"this worker has no verb {action.verb}: it is of another release")
        run, now = self.run, self.clock()
        context = RunContext(self.workspace, run.run, self.site, run.token, self.database, tell, now)
        return await verb(reached, self._resolved(dict(action.args)), context)

    async def keep_said(self, lines: Sequence[SaidLine], progress: Mapping[int, Json]) -> None:
        """Writes down what was said. Raises Fenced."""
        if lines or progress:
            async with self._holding() as (conn, _):
                await store.keep_said(conn, self.workspace, self.run, lines, progress, self.clock())
            await self.database.notify(RUNS_CHANNEL)

    async def _turn(self, receipts: Sequence[Receipt], begun: int | None, cancellable: bool) -> None:
        """Writes down what ended and what is begun next, in one transaction. Raises CalledOff instead of beginning."""
        now = self.clock()
        async with self._holding() as (conn, cancel_at):
            await store.keep_receipts(conn, self.run, receipts, now)
            lines, progress = self.saying.taken()
            await store.keep_said(conn, self.workspace, self.run, lines, progress, now)
            called_off = begun is not None and cancellable and cancel_at is not None
            if begun is not None and not called_off:
                await store.keep_intent(conn, self.run, begun, now)
        await self.database.notify(RUNS_CHANNEL)
        if called_off:
            raise CalledOff

    async def _step(self, reached: Reached, entry: Entry, cancellable: bool) -> Receipt:
        began = monotonic()
        try:
            if entry.unknown and await self._was_done(reached, entry):
                return Receipt(entry.number, "found", _ms(began))
            work = self._actions(reached, entry)
            free = cancellable and not entry.touches
            answer = await (self._unless_cancelled(asyncio.ensure_future(work)) if free else work)
        except HostError as error:
            if error.code in LOST:
                raise
            await self._failed(entry, began, {"code": error.code, "message": str(error)})
            message = N_("The step “%(step)s” failed: %(why)s")
            why = self.scrub.text(str(error), 500)
            raise StepFailed(error.code, Said(message, {"step": entry.title, "why": why})) from error
        except CalledOff:
            await self._failed(entry, began, {"code": "cancelled"}, "left_out")
            raise
        return Receipt(entry.number, "done", _ms(began), self.scrub.answer(answer))

    async def _failed(self, entry: Entry, began: float, result: Json, outcome: Outcome = "failed") -> None:
        kept = Answer(self.scrub.json(result, 1000))
        await self._turn([Receipt(entry.number, outcome, _ms(began), kept)], None, cancellable=False)

    async def _actions(self, reached: Reached, entry: Entry) -> Json:
        answers = [await self.act(reached, action, entry.number) for action in entry.actions]
        return answers[0] if len(answers) == 1 else answers

    async def _was_done(self, reached: Reached, entry: Entry) -> bool:
        """Whether a step that somebody began before was done. Without a probe it is done again."""
        if entry.probe is None:
            return False
        answer = await self.act(reached, entry.probe, entry.number)
        return isinstance(answer, Mapping) and cast("Mapping[str, Json]", answer).get("done") is True

    async def _check(self, reached: Reached, entry: Entry) -> Receipt:
        began, check = monotonic(), cast("Check", entry.check)
        answer: Json = None
        for left in reversed(range(max(1, check.tries))):
            try:
                answer = await self.act(reached, check.action, entry.number)
                if agrees(check.expects, answer):
                    return Receipt(entry.number, "done", _ms(began), self.scrub.answer(answer))
            except HostError as error:
                if error.code in LOST:
                    raise
                answer = {"code": error.code, "message": str(error)}
            if left:
                await asyncio.sleep(_ASKED_AGAIN)
        return Receipt(entry.number, "failed", _ms(began), self.scrub.answer(answer))

    async def _unless_cancelled(self, work: asyncio.Future[Given]) -> Given:
        """What `work` gives; ends it and raises CalledOff as soon as somebody cancels the run."""
        called_off = asyncio.create_task(self.cancelled.wait())
        try:
            await asyncio.wait([work, called_off], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise CalledOff
            return work.result()
        finally:
            called_off.cancel()
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    def _resolved(self, value: Any) -> Json:
        """Arguments for a verb of the worker's own: secrets that were given stand in them."""
        match value:
            case Secret():
                return self.secrets.get(value.name, "")
            case dict():
                return {name: self._resolved(each) for name, each in cast("dict[str, Any]", value).items()}
            case list() | tuple():
                return [self._resolved(each) for each in cast("Sequence[Any]", value)]
            case _:
                return value

    @asynccontextmanager
    async def _holding(self) -> AsyncGenerator[tuple[Connection, datetime | None]]:
        """A transaction that holds the run, and since when it is to be cancelled; one at a time. Raises Fenced."""
        async with self.lock, self.database.transaction(self.workspace) as conn:
            yield conn, await store.hold(conn, self.run)


def _ms(began: float) -> int:
    return round((monotonic() - began) * 1000)
