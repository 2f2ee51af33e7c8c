"""The pages of runs: what was run, one run as it goes on, its log, several sites at once. Each is also data."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.ids import WorkspaceId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import counted_as, standing_of
from steelyard.people.members import names_of
from steelyard.people.permissions import Permission, Standing
from steelyard.people.words import ROLES
from steelyard.store.database import Database
from steelyard.toolbox import others
from steelyard.toolbox.acting import pressing, pressing_batch
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.model import Risk, RunId
from steelyard.toolbox.registry import read_sites
from steelyard.toolbox.rules_store import read_rules, read_safety
from steelyard.toolbox.run_view import RunView, view_of
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.runs_api import status_of
from steelyard.toolbox.runs_read import RUNS, RUNS_CHANNEL, read_batch, read_lines, read_run, read_runs
from steelyard.toolbox.runs_seen import LineSeen, RunSeen, seen_by
from steelyard.toolbox.shelf import title_of
from steelyard.toolbox.states import AT_WORK, ENDED, STATE_WORDS, State
from steelyard.web.console import Clock
from steelyard.web.data import answer_table, data_routes, wants_rows
from steelyard.web.frames import Parts
from steelyard.web.language import N_, ZONE
from steelyard.web.logs import log_answer, part_of
from steelyard.web.pages import Pages, language_of
from steelyard.web.place import Place
from steelyard.web.routes import PageRoute, ended_for
from steelyard.web.sse import EventStream, Hub, Manner
from steelyard.web.tables import Choice
from steelyard.web.toasts import done_of
from steelyard.web.viewer import place_of, viewer_of

MOST_LINES: Final = 20_000
"""Lines of a log that a page reads at once: more than a run may say."""

COME_AGAIN: Final = 10

DONE: Final = {
    "planned": N_("The plan is being made."),
    "confirmed": N_("Confirmed: it begins at once."),
    "approved": N_("Approved: it begins at once."),
    "refused": N_("Refused: nothing was done."),
    "cancelled": N_("It stops."),
    "resumed": N_("It goes on from where it stopped."),
    "undoing": N_("It is being put back."),
}
"""What was just asked for, in words."""


class Watched(NamedTuple):
    """A run as somebody looks at it: what they may press is a part of the page."""

    run: RunId
    standing: Standing
    place: Place

    @property
    def workspace(self) -> WorkspaceId:
        """Whose run it is."""
        return self.standing.workspace


class RunsPages:
    """What these routes do."""

    def __init__(self, database: Database, runbooks: Runbooks, pages: Pages, clock: Clock) -> None:
        self._database, self._runbooks, self._pages, self._clock = database, runbooks, pages, clock
        self.hub = Hub[Watched, RunView](self._load, self._draw, self._changes)

    async def runs(self, request: Request) -> Response:
        """What was run, newest first."""
        language = language_of(request)
        titles = {name: title_of(each, language, self._pages.say) for name, each in self._runbooks.all.items()}
        choices = [Choice(name, title) for name, title in sorted(titles.items(), key=lambda pair: pair[1])]
        async with self._database.transaction(standing_of(request).workspace) as conn:
            names, sites = await names_of(conn), await read_sites(conn)
            table = (
                RUNS.with_choices("runbook", choices)
                .with_choices("site", [Choice(str(each.site.id), each.site.name) for each in sites])
                .with_choices("person", [Choice(str(person), name) for person, name in names.items()])
            )
            query = table.read(request.query_params, everything=wants_rows(request))
            rows, total = await read_runs(conn, table.clauses(query, viewer_of(request).zone))
        shown = table.of_page(rows, query, total)
        template, told = "toolbox/runs.html", {"titles": titles, "names": names, "state_words": STATE_WORDS}
        return answer_table(self._pages, request, template, shown, **told)

    async def run(self, request: Request) -> Response:
        """One run, as it is now; while it goes on, its page does too."""
        return await self.show(request, _run_of(request))

    async def show(
        self, request: Request, run: RunId, refusal: RunRefused | None = None, given: Mapping[str, str] | None = None
    ) -> Response:
        """The page of a run; with what was refused, and what had been typed."""
        watched = Watched(run, standing_of(request), place_of(request))
        manner = Manner(language_of(request), viewer_of(request).zone)
        view, frame = await self.hub.frame(watched, manner)
        parts = frame.parts if refusal is None else self._parts(view, manner, refusal, given or {})
        lines = _texts(await self._lines(watched.workspace, run))
        done = done_of(request.query_params, DONE)
        return self._pages.answer(
            request,
            "toolbox/run.html",
            status=status_of(refusal) if refusal is not None else 200,
            view=view,
            parts=parts,
            frame=frame.id,
            stream=watched.place.link(f"/runs/{run}/live"),
            lines=part_of(lines, request.query_params, ended=view.ended),
            log_href=watched.place.link(f"/runs/{run}/log"),
            done=DONE[done.what] if done is not None and done.what in DONE else "",
        )

    async def live(self, request: Request) -> Response:
        """The parts of a run, each time that something has changed."""
        viewer = counted_as(request)
        if self.hub.full(viewer):
            raise HTTPException(503, headers={"Retry-After": str(COME_AGAIN)})
        watched = Watched(_run_of(request), standing_of(request), place_of(request))
        await self._required(watched)
        known = request.headers.get("last-event-id") or request.query_params.get("frame", "")
        packed = "gzip" in request.headers.get("accept-encoding", "")
        manner, until = Manner(language_of(request), viewer_of(request).zone), ended_for(request)
        events = self.hub.stream(watched, manner, known, until=until, packed=packed, viewer=viewer)
        return EventStream(events, packed=packed)

    async def log(self, request: Request) -> Response:
        """What it said, line by line, as text."""
        watched = Watched(_run_of(request), standing_of(request), place_of(request))
        seen = await self._required(watched)
        lines = await self._lines(watched.workspace, seen.run)
        return log_answer(_texts(lines), request.query_params, ended=seen.state in ENDED)

    async def batch(self, request: Request) -> Response:
        """Several sites at once."""
        return await self.show_batch(request, _number_of(request, "batch"))

    async def show_batch(
        self,
        request: Request,
        batch: int,
        refusal: RunRefused | None = None,
        given: Mapping[str, str] | None = None,
    ) -> Response:
        """The page of a batch; with what was refused, and what had been typed."""
        who = standing_of(request)
        async with self._database.transaction(who.workspace) as conn:
            seen, names = await read_batch(conn, batch), await names_of(conn)
            rules, safety = await read_rules(conn), await read_safety(conn)
        if seen is None:
            raise HTTPException(404)
        return self._pages.answer(
            request,
            "toolbox/batch.html",
            status=status_of(refusal) if refusal is not None else 200,
            batch=seen,
            role_words=ROLES,
            pressing=pressing_batch(seen, who, rules, two=safety.approve_destroys),
            ended_runs=seen.count(ENDED),
            ready=seen.count({State.PLANNED}),
            moving=seen.count(AT_WORK | {State.PLANNING}) > 0,
            count_typed=any(each.risk is Risk.DESTROYS for each in seen.runs),
            who=names.get(seen.person, "") if seen.person is not None else "",
            title=self._title(seen.runbook, language_of(request)),
            state_words=STATE_WORDS,
            refusal=refusal,
            given=given or {},
        )

    # A run as it is shown

    async def _required(self, watched: Watched) -> RunSeen:
        async with self._database.transaction(watched.workspace) as conn:
            seen = await read_run(conn, watched.run)
        if seen is None:
            raise HTTPException(404)
        return seen

    async def _load(self, watched: Watched) -> RunView:
        async with self._database.transaction(watched.workspace) as conn:
            seen, names = await read_run(conn, watched.run), await names_of(conn)
            rules, safety = await read_rules(conn), await read_safety(conn)
            if seen is None:
                raise HTTPException(404)
            held = await others.around(conn, seen)
        now = self._clock()
        may_press = pressing(seen, watched.standing, rules, held, now)
        seen = seen_by(seen, watched.standing.person, may=may_press.may.allowed)
        runbook = self._runbooks.all.get(seen.runbook)
        return view_of(seen, runbook, may_press, safety.keep_trash, names, watched.place, now)

    async def _draw(self, view: RunView, manner: Manner) -> Parts:
        return self._parts(view, manner, None, {})

    def _parts(
        self, view: RunView, manner: Manner, refusal: RunRefused | None, given: Mapping[str, str]
    ) -> dict[str, str]:
        titled = view._replace(title=self._title(view.run.runbook, manner.language))
        macros = self._pages.macros("toolbox/run_parts.html", manner.language)
        before = ZONE.set(manner.zone)
        try:
            return {
                "run-head": str(macros.head(view.place, titled)),
                "run-steps": str(macros.steps(view.place, titled)),
                "run-side": str(macros.side(view.place, titled, refusal, given)),
            }
        finally:
            ZONE.reset(before)

    def _title(self, name: str, language: str) -> str:
        runbook = self._runbooks.all.get(name)
        return title_of(runbook, language, self._pages.say) if runbook is not None else name

    async def _changes(self, watched: Watched) -> AsyncGenerator[None]:
        async for _ in self._database.listen(RUNS_CHANNEL):
            yield

    async def _lines(self, workspace: WorkspaceId, run: RunId) -> list[LineSeen]:
        async with self._database.transaction(workspace) as conn:
            return await read_lines(conn, run, most=MOST_LINES)


def _texts(lines: Sequence[LineSeen]) -> list[str]:
    """Lines as they are read: when, and what; what is no mere information says so in a word."""
    return [
        f"{each.at_ms / 1000:8.2f}  {'' if each.level == 'info' else f'{each.level}: '}{each.said}" for each in lines
    ]


def _run_of(request: Request) -> RunId:
    return RunId(_number_of(request, "run"))


def _number_of(request: Request, name: str) -> int:
    number = numeric_id(request.path_params[name])
    if number is None:
        raise HTTPException(404)
    return number


def routes(pages: RunsPages) -> list[PageRoute]:
    """What these pages answer; what is done on them is in runs_api.py."""
    needs = Permission.SEE_TOOLBOX
    return [
        *data_routes("/runs", pages.runs, Scope.WORKSPACE, needs),
        PageRoute("/runs/{run}", pages.run, Scope.WORKSPACE, needs),
        PageRoute("/runs/{run}/live", pages.live, Scope.WORKSPACE, needs),
        PageRoute("/runs/{run}/log", pages.log, Scope.WORKSPACE, needs),
        PageRoute("/batches/{batch}", pages.batch, Scope.WORKSPACE, needs),
    ]
