"""The shelf of runbooks, and each one's own page: what it does, and the form that asks for its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from markupsafe import Markup
from psycopg import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.store.database import Database
from steelyard.toolbox.acts import RunRefused
from steelyard.toolbox.handbook.markdown import draw, outside
from steelyard.toolbox.model import Risk
from steelyard.toolbox.parameters import default_of, read_values
from steelyard.toolbox.registry import read_sites
from steelyard.toolbox.runbook import Parameter, Runbook
from steelyard.toolbox.runbooks import Runbooks
from steelyard.toolbox.runs_api import status_of
from steelyard.toolbox.runs_read import RunListed, runs_of_runbook
from steelyard.toolbox.shelf import OnShelf, grouped, on_shelf, own_text
from steelyard.toolbox.states import STATE_WORDS
from steelyard.web.console import Clock
from steelyard.web.forms import Field, Filled, Form, Input
from steelyard.web.language import Said
from steelyard.web.pages import Pages, language_of
from steelyard.web.routes import PageRoute
from steelyard.web.said import N_

LATELY: Final = timedelta(days=30)
"""How far back runs count for what a runbook takes here, and for what was saved."""

_WHY: Final = Field("why", N_("Why: the ticket, in a few words"), required=False, most=500)


class Shelf(NamedTuple):
    """The shelf as its page shows it. `asked` is carried along: the site or the conversation that one came from."""

    groups: list[tuple[str, Any]]
    broken: tuple[tuple[str, str], ...]
    sites: int
    runs: int
    minutes: float
    asked: Mapping[str, str]


class RunbookPage(NamedTuple):
    """A runbook's own page. `text` is its documentation as safe HTML."""

    name: str
    title: str
    summary: str
    risk: Risk
    minutes: int
    digest: str
    text: Markup
    choices: tuple[tuple[str, str], ...]
    chosen: frozenset[str]
    several: bool
    conversation: str
    runs: tuple[RunListed, ...]
    pages: tuple[tuple[str, str], ...] = ()


class Lately(NamedTuple):
    """What was run in the last days: how often, what it saved in minutes, and the median of each runbook in ms."""

    runs: int
    minutes: float
    medians: Mapping[str, int]


class RunbooksPages:
    """What these routes do."""

    def __init__(self, database: Database, runbooks: Runbooks, pages: Pages, clock: Clock) -> None:
        self._database, self._runbooks, self._pages, self._clock = database, runbooks, pages, clock

    async def shelf(self, request: Request) -> Response:
        """All runbooks of this machine."""
        async with self._database.transaction(standing_of(request).workspace) as conn:
            lately, sites = await read_lately(conn, self._clock()), await read_sites(conn)
        asked = {name: request.query_params[name] for name in ("site", "conversation") if name in request.query_params}
        runbooks = list(self._runbooks.all.values())
        groups: Any = grouped(runbooks, language_of(request), self._pages.say, lately.medians)
        broken = tuple(sorted(self._runbooks.broken.items()))
        view = Shelf(groups, broken, len(sites), lately.runs, lately.minutes, asked)
        return self._pages.answer(request, "toolbox/runbooks.html", view=view)

    async def runbook(self, request: Request) -> Response:
        """One runbook, with the form that asks for its plan."""
        return await self.show(request, request.path_params["name"])

    async def show(
        self, request: Request, name: str, refusal: RunRefused | None = None, given: Mapping[str, str] | None = None
    ) -> Response:
        """A runbook's page; with what was refused, and what had been typed."""
        runbook = self._runbooks.all.get(name)
        if runbook is None:
            raise HTTPException(404)
        language = language_of(request)
        async with self._database.transaction(standing_of(request).workspace) as conn:
            sites, runs = await read_sites(conn), await runs_of_runbook(conn, name)
        shelved = on_shelf(runbook, language, self._pages.say, None)
        choices = tuple((str(each.site.id), each.site.name) for each in sites)
        text = _drawn(self._runbooks.text(name, language))
        view = _page(shelved, text, choices, request, tuple(runs), given or {})
        return self._pages.answer(
            request,
            "toolbox/runbook.html",
            status=status_of(refusal) if refusal is not None else 200,
            view=view,
            form=self._form(runbook, language, refusal, given or {}),
            refusal=refusal,
            state_words=STATE_WORDS,
        )

    def _form(self, runbook: Runbook, language: str, refusal: RunRefused | None, given: Mapping[str, str]) -> Filled:
        """The parameters as fields, with what was typed, what is wrong with it, or the defaults."""

        def say(text: str) -> str:
            return own_text(runbook, text, language, self._pages.say)

        inputs: list[Input] = []
        asked = {name.removeprefix("p."): text for name, text in given.items() if name.startswith("p.")}
        wrong: Mapping[str, Said] = read_values(runbook, asked).wrong if refusal is not None else {}
        for each in runbook.parameters:
            field = field_of(each, say)
            inputs.append(Input(field, _typed(each, field, given, refused=refusal is not None), wrong.get(each.name)))
        filled = Form((_WHY,)).empty({"why": given.get("why", "")})
        return Filled((*inputs, *filled.inputs), {}, refusal is not None)


def field_of(parameter: Parameter, say: Callable[[str], str]) -> Field:
    """A parameter as a field of a form, in the reader's language."""
    kind: Any = "password" if parameter.secret else parameter.kind
    return Field(
        f"p.{parameter.name}",
        say(parameter.label),
        kind,
        say(parameter.help),
        parameter.required,
        parameter.least if parameter.kind == "number" else None,
        parameter.most if parameter.kind == "number" else 4000,
        parameter.choices,
    )


def _typed(parameter: Parameter, field: Field, given: Mapping[str, str], *, refused: bool) -> tuple[str, ...]:
    if field.name in given:
        text = given[field.name]
    elif refused and parameter.kind == "switch":
        text = ""
    else:
        default = default_of(parameter)
        text = ("on" if default else "") if isinstance(default, bool) else str(default)
    return (text,) if text else ()


def _page(
    shelved: OnShelf,
    text: Markup,
    choices: tuple[tuple[str, str], ...],
    request: Request,
    runs: tuple[RunListed, ...],
    given: Mapping[str, str],
) -> RunbookPage:
    asked = request.query_params
    chosen = frozenset(given.get("site", asked.get("site", "")).split())
    return RunbookPage(
        shelved.name,
        shelved.title,
        shelved.summary,
        shelved.risk,
        shelved.minutes,
        shelved.digest,
        text,
        choices,
        chosen,
        "several" in asked or len(chosen) > 1,
        _digits(given.get("conversation", asked.get("conversation", ""))),
        runs,
    )


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < 19 else ""


def _drawn(text: str) -> Markup:
    """The documentation as HTML without its first heading, which the page has itself."""
    lines = text.split("\n")
    if lines and lines[0].startswith("# "):
        lines = lines[1:]
    return draw("\n".join(lines), outside).html


async def read_lately(conn: AsyncConnection[Any], now: datetime) -> Lately:
    """What was run lately in the transaction's workspace."""
    rows = await (
        await conn.execute(
            """SELECT runbook, count(*),
                      coalesce(sum(greatest(0, minutes - took_ms / 60000.0))
                               FILTER (WHERE undone_by IS NULL), 0)::float8,
                      percentile_disc(0.5) WITHIN GROUP (ORDER BY took_ms)
               FROM run WHERE state = 'done' AND undoes IS NULL AND ended_at > %s AND took_ms IS NOT NULL
               GROUP BY runbook""",
            [now - LATELY],
        )
    ).fetchall()
    medians = {name: int(median) for name, _, _, median in rows}
    return Lately(sum(count for _, count, _, _ in rows), sum(saved for _, _, saved, _ in rows), medians)


def routes(pages: RunbooksPages) -> list[PageRoute]:
    """What these pages answer; asking for a plan is in runs_api.py."""
    needs = Permission.SEE_TOOLBOX
    return [
        PageRoute("/runbooks", pages.shelf, Scope.WORKSPACE, needs),
        PageRoute("/runbooks/{name}", pages.runbook, Scope.WORKSPACE, needs),
    ]
