"""What people do with runs: each act is checked here, whoever asks, and is one transaction with fact and job."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

from steelyard.kit.errors import ActError
from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, PersonId, WorkspaceId
from steelyard.kit.instants import micros
from steelyard.people.permissions import Role, Standing
from steelyard.store.boxes import read_lid
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Ledger
from steelyard.toolbox import journal, others, store
from steelyard.toolbox.model import Risk, RunId, Site, SiteId, Token
from steelyard.toolbox.parameters import read_values
from steelyard.toolbox.registry import find_site, read_site
from steelyard.toolbox.rules import Judge, MayRun, cancelling, may_approve, may_plan, may_run, planning, running
from steelyard.toolbox.rules_store import read_rules
from steelyard.toolbox.runbook import Runbook
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.states import Event, Reason, State
from steelyard.toolbox.store import RUNS_CHANNEL, Fenced, NewRun, Run
from steelyard.web.said import N_, Said, term

APPROVED_WITHIN: Final = timedelta(days=1)
"""How long a confirmed run waits for somebody to approve it."""
LONGEST_WHY: Final = 500
MOST_SITES: Final = 200
"""Of one request."""


class RunRefused(ActError):
    """What cannot be done with a run: `says` tells why and what to do next; `field` is what was entered wrongly."""

    def __init__(self, code: str, says: Said, field: str = "") -> None:
        super().__init__(code, term(says, str))
        self.says, self.field = says, field


REFUSALS: Final[Mapping[str, str]] = {
    "no_run": N_("There is no run of this number."),
    "not_now": N_("This run is not where that can be done any more. Look at it again."),
    "expired": N_("This plan is too old to be trusted. Plan again."),
    "other_plan": N_("The plan changed since you looked at it. Look at the new one, then confirm that."),
    "not_typed": N_("Type the site’s name, %(name)s, to confirm."),
    "not_allowed": N_("Your roles do not allow this on this site."),
    "by_rule": N_("A rule of this workspace does not let your roles do this on sites of this group."),
    "by_token": N_("This API token may not do this."),
    "own_run": N_("Somebody else than who asked for it or confirmed it has to approve it."),
    "not_approver": N_("Approving takes the permission to approve, and to run this on this site oneself."),
    "no_undo": N_("This run cannot be put back."),
    "too_late": N_("What this run moved aside has been removed: it cannot be put back any more."),
    "undone": N_("This run was put back already."),
    "done_since": others.DONE_SINCE,
    "site_stopped": others.SITE_STOPPED,
    "no_sites": N_("Choose a site."),
    "too_many_sites": N_("Choose %(most)s sites at most."),
    "at_once": N_("What changes a site is planned first, and then confirmed."),
    "back_only": N_("It was being put back when it stopped: it can only be put back."),
    "secrets_gone": N_("What was secret of it has been erased since it stopped. Put it back, or plan it anew."),
    "no_batch": N_("There is no such request."),
    "not_counted": N_("Type how many sites it is, %(count)s, to confirm."),
    "still_planning": N_("Some of its plans are still being made. Wait for them."),
    "wrong": N_("Some of what was entered cannot be used: %(what)s"),
}
"""Why something is refused, by its code."""


def refused(code: str, field: str = "", **values: object) -> RunRefused:
    """The refusal of this code."""
    return RunRefused(code, Said(REFUSALS[code], values), field)


class Jobs(Protocol):
    """What acts ask to have done, each in the act's own transaction."""

    async def work(self, conn: Connection, workspace: WorkspaceId, run: RunId, site: SiteId | None = None) -> None:
        """Has a run planned or done; with `site`, one after another at that site."""
        ...


class Request(NamedTuple):
    """What somebody asks for. `given`: texts by the names of parameters."""

    runbook: str
    sites: Sequence[SiteId]
    given: Mapping[str, str]
    why: str = ""
    conversation: ConversationId | None = None
    at_once: bool = False
    """Whether it is done as soon as it is planned: only what reads."""


def command_line(workspace: WorkspaceId) -> Standing:
    """Who asks at the command line: whoever may use it is let in by the machine."""
    return Standing(workspace, None, frozenset({Role.ADMINISTRATOR}))


@dataclass(frozen=True, slots=True)
class RunActs:
    """What people do with runs in any workspace. Every method raises RunRefused, ActError or RegistryError."""

    database: Database
    ledger: Ledger
    runbooks: Runbooks
    jobs: Jobs
    clock: Callable[[], datetime]

    async def ask(self, who: Standing, request: Request) -> RunId:
        """Has a runbook planned for one site."""
        async with self.database.transaction(who.workspace) as conn:
            run = await self.add(conn, who, request, request.sites[0] if request.sites else None)
        await self.database.notify(RUNS_CHANNEL)
        return run

    async def add(
        self, conn: Connection, who: Standing, request: Request, site: SiteId | None, batch: int | None = None
    ) -> RunId:
        """The same in a transaction of the caller's, which may add others."""
        if site is None:
            raise refused("no_sites", "site")
        runbook = self.runbooks.of(request.runbook)
        if request.at_once and runbook.risk is not Risk.READS:
            raise refused("at_once")
        judge = may_run if request.at_once else may_plan
        await require_allowed(conn, who, runbook.risk, await read_site(conn, site), judge)
        chosen = read_values(runbook, request.given)
        if chosen.wrong:
            raise _wrong(runbook, chosen.wrong)
        token = new_token()
        lid = await read_lid(conn) if chosen.secrets else None
        sealed = {name: lid.seal(value, _place(who, token, name)) for name, value in chosen.secrets.items() if lid}
        new = NewRun(
            token, runbook.name, runbook.digest, runbook.risk, site, dict(chosen.values), sealed, runbook.minutes,
            who.person, request.why.strip()[:LONGEST_WHY], request.conversation, batch, confirmed=request.at_once,
        )  # fmt: skip
        run = await store.add_run(conn, who.workspace, new, self.clock())
        await self.record(conn, who, "run.asked", request.conversation, run=run, site=site, runbook=runbook.digest)
        await self.jobs.work(conn, who.workspace, run)
        return run

    async def confirm(self, who: Standing, run: RunId, digest: str, typed: str = "", why: str = "") -> State:
        """Has a plan done, as it was looked at: `digest` is that plan's. What destroys takes the site's name typed."""
        async with self.database.transaction(who.workspace) as conn:
            known, site = await self._of(conn, who, run)
            if known.state is State.PLANNED and digest != known.plan_digest:
                raise refused("other_plan")
            if known.risk is Risk.DESTROYS and typed.strip().casefold() != site.name.casefold():
                raise refused("not_typed", "typed", name=site.name)
            if why.strip():
                await conn.execute("UPDATE run SET why = %s WHERE run = %s", [why.strip()[:LONGEST_WHY], run])
            state = await self.confirm_known(conn, who, known)
        await self.database.notify(RUNS_CHANNEL)
        return state

    async def confirm_known(
        self, conn: Connection, who: Standing, run: Run, approver: PersonId | None = None, *, approved: bool = False
    ) -> State:
        """Confirms a plan whose confirmation was checked, in a transaction that locks it."""
        now = self.clock()
        if run.state is State.PLANNED and run.holds_until is not None and run.holds_until < now:
            raise refused("expired")
        await self._require_free(conn, run)
        _, needs_two, _ = await store.read_defaults(conn, who.workspace)
        waits = needs_two and run.risk is Risk.DESTROYS and not approved
        state = await _change(conn, run, Event.CONFIRM_FIRST if waits else Event.CONFIRM)
        await conn.execute(
            "UPDATE run SET confirmed_at = %s, confirmed_by = %s, holds_until = %s, approver = %s,"
            " approved_at = CASE WHEN %s THEN %s::timestamptz END WHERE run = %s",
            [now, who.person, now + APPROVED_WITHIN, approver, approved, now, run.run],
        )
        await self.record(conn, who, "run.confirmed", run.conversation, run=run.run, site=run.site,
                          plan=run.plan_digest)  # fmt: skip
        if not waits:
            await self.jobs.work(conn, who.workspace, run.run, None if run.risk is Risk.READS else run.site)
        return state

    async def approve(self, who: Standing, run: RunId) -> State:
        """Lets somebody else's run go on that waits for it."""
        async with self.database.transaction(who.workspace) as conn:
            known, site = await self._of(conn, who, run)
            await require_approver(conn, who, (known.person, known.confirmed_by), known.risk, site.group)
            if known.holds_until is not None and known.holds_until < self.clock():
                raise refused("expired")
            await self._require_free(conn, known)
            state = await _change(conn, known, Event.APPROVE)
            await conn.execute(
                "UPDATE run SET approver = %s, approved_at = %s WHERE run = %s", [who.person, self.clock(), run]
            )
            await self.record(conn, who, "run.approved", known.conversation, run=run, site=known.site)
            await self.jobs.work(conn, who.workspace, run, known.site)
        await self.database.notify(RUNS_CHANNEL)
        return state

    async def refuse(self, who: Standing, run: RunId, why: str = "") -> None:
        """Says no to somebody else's run that waits for approval."""
        async with self.database.transaction(who.workspace) as conn:
            known, site = await self._of(conn, who, run)
            await require_approver(conn, who, (known.person, known.confirmed_by), known.risk, site.group)
            said = why.strip()[:LONGEST_WHY]
            says = (
                Said(N_("It was not approved: “%(why)s”"), {"why": said}) if said else Said(N_("It was not approved."))
            )
            await _change(conn, known, Event.REFUSE, Reason("not_approved", says))
            await self._close(conn, known)
            await self.record(conn, who, "run.refused", known.conversation, run=run, site=known.site)
        await self.database.notify(RUNS_CHANNEL)

    async def cancel(self, who: Standing, run: RunId) -> None:
        """Calls a run off: at once where nothing was begun, else after the step that it is at; that is put back."""
        async with self.database.transaction(who.workspace) as conn:
            await self.cancel_in(conn, who, run)
        await self.database.notify(RUNS_CHANNEL)

    async def cancel_in(self, conn: Connection, who: Standing, run: RunId) -> Run:
        """The same in a transaction of the caller's; the run as it was before."""
        known, _ = await self._of(conn, who, run, removed=True, takes=cancelling)
        await self.cancel_known(conn, who, known)
        return known

    async def cancel_known(self, conn: Connection, who: Standing, run: Run) -> None:
        """The same in a transaction that locks the run."""
        now = self.clock()
        if run.state is State.RUNNING:
            if run.undoes is not None:
                raise refused("not_now")
            await conn.execute("UPDATE run SET cancel_at = coalesce(cancel_at, %s), cancelled_by = %s WHERE run = %s",
                               [now, who.person, run.run])  # fmt: skip
        else:
            await _change(conn, run, Event.CANCEL, Reason("cancelled", Said(N_("It was cancelled."))))
            await conn.execute("UPDATE run SET cancel_at = %s, cancelled_by = %s WHERE run = %s",
                               [now, who.person, run.run])  # fmt: skip
            await self._close(conn, run)
        await self.record(conn, who, "run.cancelled", run.conversation, run=run.run, site=run.site)

    async def resume(self, who: Standing, run: RunId) -> None:
        """Has a run that stopped go on where it stopped."""
        async with self.database.transaction(who.workspace) as conn:
            known, _ = await self._of(conn, who, run)
            if known.undoes is None and journal.put_back_begun(await store.read_entries(conn, run)):
                raise refused("back_only")
            if not all(known.sealed.values()):
                raise refused("secrets_gone")
            await self._go_on(conn, who, known, Event.RESUME, "run.resumed")
        await self.database.notify(RUNS_CHANNEL)

    async def undo(self, who: Standing, run: RunId) -> RunId:
        """Has what a run did put back; the number of the run that does so, which is the same for one that stopped."""
        async with self.database.transaction(who.workspace) as conn:
            known, _ = await self._of(conn, who, run, limit=Risk.CHANGES)
            if known.state is State.STOPPED and known.undoes is None:
                await self._go_on(conn, who, known, Event.UNDO, "run.undo_asked")
                number = run
            else:
                number = await self._undo_done(conn, who, known)
        await self.database.notify(RUNS_CHANNEL)
        return number

    async def again(self, who: Standing, run: RunId) -> RunId:
        """Has the same planned anew. Secrets have to be given again: a runbook that needs one refuses."""
        async with self.database.transaction(who.workspace) as conn:
            known, _ = await self._of(conn, who, run, takes=planning)
            secret = {each.name for each in self.runbooks.of(known.runbook).parameters if each.secret}
            given = {name: _text(value) for name, value in known.params.items() if name not in secret}
            request = Request(known.runbook, [known.site], given, known.why, known.conversation)
            number = await self.add(conn, who, request, known.site)
        await self.database.notify(RUNS_CHANNEL)
        return number

    async def record(
        self, conn: Connection, who: Standing, kind: str, conversation: ConversationId | None, **data: object
    ) -> None:
        """Appends the fact that somebody did something: ids and digests only."""
        fact = Fact(kind, micros(self.clock()), conversation, None, store.facts_data(**data), who.person)
        await self.ledger.append(conn, who.workspace, [fact])

    async def _of(
        self, conn: Connection, who: Standing, run: RunId, limit: Risk = Risk.DESTROYS, *, removed: bool = False,
        takes: Callable[[Standing, Run], Judge] = running,
    ) -> tuple[Run, Site]:  # fmt: skip
        """A run, locked, that `who` may do something with: what that takes. `limit`: the risk that counts at most.

        `removed`: also where its site was taken out of the registry since.
        """
        known = await store.find_run(conn, run, locked=True)
        if known is None:
            raise refused("no_run")
        site = await (site_of(conn, known) if removed else read_site(conn, known.site))
        order = list(Risk)
        await require_allowed(conn, who, min(known.risk, limit, key=order.index), site, takes(who, known))
        return known, site

    async def _undo_done(self, conn: Connection, who: Standing, run: Run) -> RunId:
        runbook = self.runbooks.of(run.runbook)
        if run.undone_by is not None:
            raise refused("undone")
        if run.state is not State.DONE or run.undoes is not None or runbook.undo is None or not run.undoable:
            raise refused("no_undo")
        if run.undo_until is None or run.undo_until < self.clock() or run.erased_at is not None:
            raise refused("too_late")
        await self._require_no_other_undo(conn, run)
        await self._require_free(conn, run)
        new = NewRun(
            new_token(), run.runbook, runbook.digest, run.risk, run.site, run.params, {}, 0, who.person, run.why,
            run.conversation, undoes=run.run, confirmed=True,
        )  # fmt: skip
        number = await store.add_run(conn, who.workspace, new, self.clock())
        await self.record(conn, who, "run.undo_asked", run.conversation, run=number, of=run.run, site=run.site)
        await self.jobs.work(conn, who.workspace, number, run.site)
        return number

    async def _require_no_other_undo(self, conn: Connection, run: Run) -> None:
        if await others.put_back_by(conn, run.run) is not None:
            raise refused("undone")
        if (later := await others.destroyed_since(conn, run.run, run.site)) is not None:
            raise refused("done_since", run=later)

    async def _require_free(self, conn: Connection, run: Run) -> None:
        """That no run stopped in the middle of this site: what it left is not to be built upon."""
        if run.risk is Risk.READS:
            return
        if (stopped := await others.stopped_at(conn, run.run, run.site)) is not None:
            raise refused("site_stopped", run=stopped)

    async def _go_on(self, conn: Connection, who: Standing, run: Run, event: Event, kind: str) -> None:
        await _change(conn, run, event)
        await conn.execute(
            "UPDATE run SET ended_at = NULL, cancel_at = NULL, cancelled_by = NULL WHERE run = %s", [run.run]
        )
        await self.record(conn, who, kind, run.conversation, run=run.run, site=run.site)
        await self.jobs.work(conn, who.workspace, run.run, run.site)

    async def _close(self, conn: Connection, run: Run) -> None:
        await conn.execute("UPDATE run SET ended_at = %s, sealed = '{}' WHERE run = %s", [self.clock(), run.run])


def new_token() -> Token:
    """Eight hexadecimal digits that no other run has, as far as chance goes; the table admits no two."""
    return Token(random.token_hex(4))


def place_of(workspace: WorkspaceId, token: Token, name: str) -> str:
    """What a secret parameter is sealed for."""
    return f"{workspace} run.{token}.{name}"


def _place(who: Standing, token: Token, name: str) -> str:
    return place_of(who.workspace, token, name)


async def site_of(conn: Connection, run: Run) -> Site:
    """The site of a run, also one that is not in the registry any more: what was asked for there can be called off."""
    row = await find_site(conn, run.site)
    return row.site if row is not None else await read_site(conn, run.site)


async def require_allowed(conn: Connection, who: Standing, risk: Risk, site: Site, judge: Judge = may_run) -> None:
    """That `who` may run what has this risk at a site, or with may_plan as `judge` have it planned."""
    verdict = judge(who, risk, site.group, await read_rules(conn))
    if not verdict.allowed:
        raise why_not(verdict)


def why_not(verdict: MayRun) -> RunRefused:
    """The refusal of what a verdict does not allow."""
    return refused("by_token" if verdict.by_token else "by_rule" if verdict.by_rule else "not_allowed")


async def require_approver(
    conn: Connection, who: Standing, first: Collection[PersonId | None], risk: Risk, group: str
) -> None:
    """That `who` may approve: never who asked or confirmed (`first`), never an API token, never one machine itself."""
    if who.person in first:
        raise refused("own_run")
    if not may_approve(who, risk, group, await read_rules(conn)):
        raise refused("by_token" if who.scopes is not None else "not_approver")


async def _change(conn: Connection, run: Run, event: Event, reason: Reason | None = None) -> State:
    try:
        return await store.change(conn, run, event, reason=reason)
    except Fenced:
        raise refused("not_now") from None


def _wrong(runbook: Runbook, wrong: Mapping[str, Said]) -> RunRefused:
    name, says = next(iter(wrong.items()))
    labels = {each.name: each.label for each in runbook.parameters}
    what = Said(N_("%(parameter)s: %(says)s"), {"parameter": labels.get(name, name), "says": says})
    return refused("wrong", f"p.{name}", what=what)


def _text(value: object) -> str:
    return ("1" if value else "0") if isinstance(value, bool) else str(value)
