"""Acts on runs over HTTP, and runs as data. A form is answered with the page that follows, a program with JSON.

Pages draw themselves again with what was refused and what was typed: see Draw.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, cast

from babel import Locale
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.errors import ActError
from steelyard.kit.ids import ConversationId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of, wants_data
from steelyard.people.permissions import Permission as P
from steelyard.toolbox import acts as said
from steelyard.toolbox import others
from steelyard.toolbox.acting import pressing
from steelyard.toolbox.acts import RunActs, RunRefused
from steelyard.toolbox.batches import Batches
from steelyard.toolbox.model import RunId, SiteId
from steelyard.toolbox.parameters import default_of
from steelyard.toolbox.registry import RegistryError, site_named
from steelyard.toolbox.rules_store import read_rules
from steelyard.toolbox.runbook import Runbook
from steelyard.toolbox.runs_data import batch_data, run_data, run_words
from steelyard.toolbox.runs_read import read_batch, read_lines, read_run
from steelyard.toolbox.runs_seen import seen_by
from steelyard.web.data import plain
from steelyard.web.forms import sent_json
from steelyard.web.language import Writer, messages
from steelyard.web.pages import language_of
from steelyard.web.routes import PageRoute
from steelyard.web.said import Said, term
from steelyard.web.toasts import Done, told
from steelyard.web.viewer import place_of

STATUSES: Final[Mapping[str, int]] = {
    "no_run": 404, "no_batch": 404, "no_runbook": 404, "no_site": 404,
    "not_allowed": 403, "by_rule": 403, "by_token": 403, "own_run": 403, "not_approver": 403,
    "wrong": 422, "not_typed": 422, "not_counted": 422, "no_sites": 422, "too_many_sites": 422, "at_once": 422,
}  # fmt: skip
"""The status of each refusal; of the others, 409: it is not where that can be done."""

Given = Mapping[str, str]


class Draw(Protocol):
    """Pages that are drawn again, with why something was refused and what was typed."""

    async def runbook(self, request: Request, name: str, refusal: RunRefused, given: Given) -> Response:
        """A runbook's page."""
        ...

    async def run(self, request: Request, run: RunId, refusal: RunRefused, given: Given) -> Response:
        """A run's page."""
        ...

    async def batch(self, request: Request, batch: int, refusal: RunRefused, given: Given) -> Response:
        """The page of a request for several sites."""
        ...


class _Sent(NamedTuple):
    """What was sent: single fields, and the sites, which may be several."""

    fields: dict[str, str]
    sites: list[str]

    @property
    def values(self) -> dict[str, str]:
        """What was chosen for parameters."""
        return {name[2:]: value for name, value in self.fields.items() if name.startswith("p.")}


class RunsApi:
    """What these routes do."""

    def __init__(self, acts: RunActs, draw: Draw) -> None:
        self._acts, self._batches, self._draw = acts, Batches(acts), draw

    async def plan(self, request: Request) -> Response:
        """Has a runbook planned for a site, or for several."""
        name, sent = str(request.path_params["name"]), await _sent(request)
        who = standing_of(request)
        try:
            if len(sent.sites) > said.MOST_SITES:  # before each name is looked up
                raise said.refused("too_many_sites", "site", most=said.MOST_SITES)
            sites = [await self._site(who, each) for each in sent.sites]
            asked = said.Request(name, sites, sent.values, sent.fields.get("why", ""), _conversation(sent),
                                 sent.fields.get("at_once", "") in ("1", "on", "true"))  # fmt: skip
            if len(sites) > 1:
                batch = await self._batches.ask(who, asked)
                return _done(request, f"/batches/{batch}", "planned", {"batch": batch}, 201)
            run = await self._acts.ask(who, asked)
        except ActError as error:
            refusal = as_refusal(error)
            return _refused(request, refusal) or await self._draw.runbook(request, name, refusal, _kept(sent))
        return _done(request, f"/runs/{run}", "planned", {"run": run}, 201)

    async def confirm(self, request: Request) -> Response:
        """Has a plan done as it was looked at."""
        sent, who = await _sent(request), standing_of(request)
        fields = sent.fields

        async def act(run: RunId) -> None:
            digest, typed = fields.get("digest", ""), fields.get("typed", "")
            await self._acts.confirm(who, run, digest, typed, fields.get("why", ""))

        return await self._on_run(request, sent, "confirmed", act)

    async def approve(self, request: Request) -> Response:
        """Lets somebody else's run go on."""
        return await self._plainly(request, "approved", self._acts.approve)

    async def refuse(self, request: Request) -> Response:
        """Says no to somebody else's run."""
        sent, who = await _sent(request), standing_of(request)

        async def act(run: RunId) -> None:
            await self._acts.refuse(who, run, sent.fields.get("why", ""))

        return await self._on_run(request, sent, "refused", act)

    async def cancel(self, request: Request) -> Response:
        """Calls a run off."""
        return await self._plainly(request, "cancelled", self._batches.cancel_run)

    async def resume(self, request: Request) -> Response:
        """Has a run that stopped go on."""
        return await self._plainly(request, "resumed", self._acts.resume)

    async def undo(self, request: Request) -> Response:
        """Has what a run did put back."""
        return await self._plainly(request, "undoing", self._acts.undo)

    async def again(self, request: Request) -> Response:
        """Has the same planned anew."""
        return await self._plainly(request, "planned", self._acts.again)

    async def confirm_batch(self, request: Request) -> Response:
        """Has the plans of a request done."""
        sent, who = await _sent(request), standing_of(request)

        async def act(batch: int) -> None:
            await self._batches.confirm(who, batch, sent.fields.get("typed", ""))

        return await self._on_batch(request, sent, "confirmed", act)

    async def approve_batch(self, request: Request) -> Response:
        """Lets a request of somebody else go on."""
        who = standing_of(request)
        return await self._on_batch(
            request, await _sent(request), "approved", lambda batch: self._batches.approve(who, batch)
        )

    async def cancel_batch(self, request: Request) -> Response:
        """Begins no further run of a request."""
        who = standing_of(request)
        return await self._on_batch(
            request, await _sent(request), "cancelled", lambda batch: self._batches.cancel(who, batch)
        )

    # Data

    async def runbooks(self, request: Request) -> Response:
        """All runbooks, and why folders are left out."""
        known = self._acts.runbooks
        listed = [runbook_data(each) for each in known.all.values()]
        return JSONResponse({"runbooks": listed, "broken": dict(known.broken)})

    async def runbook(self, request: Request) -> Response:
        """One runbook, with its documentation."""
        name = str(request.path_params["name"])
        found = self._acts.runbooks.all.get(name)
        if found is None:
            raise HTTPException(404)
        texts = {language: self._acts.runbooks.text(name, language) for language in ("en", "fr")}
        return JSONResponse(runbook_data(found) | {"text": texts})

    async def run(self, request: Request) -> Response:
        """One run, with its steps, and what was said after the line `after`; `words` are in the asker's language."""
        number, after = _number(request, "run"), numeric_id(request.query_params.get("after", "")) or 0
        who = standing_of(request)
        async with self._acts.database.transaction(who.workspace) as conn:
            seen, rules = await read_run(conn, RunId(number)), await read_rules(conn)
            lines = await read_lines(conn, RunId(number), after)
            if seen is None:
                raise HTTPException(404)
            around = await others.around(conn, seen)
        may_press = pressing(seen, who, rules, around, self._acts.clock())
        can = sorted(each.value for each in may_press.acts)
        shown = seen_by(seen, who.person, may=may_press.may.allowed)
        words = run_words(shown, _written_in(language_of(request)))
        return JSONResponse(run_data(shown) | {"can": can, "words": words, "lines": plain(lines)})

    async def batch(self, request: Request) -> Response:
        """One request for several sites, with its runs."""
        async with self._acts.database.transaction(standing_of(request).workspace) as conn:
            seen = await read_batch(conn, _number(request, "batch"))
        if seen is None:
            raise HTTPException(404)
        return JSONResponse(batch_data(seen))

    # What they share

    async def _plainly(self, request: Request, code: str, act: Callable[..., Awaitable[object]]) -> Response:
        who, sent = standing_of(request), await _sent(request)

        async def done(run: RunId) -> int | None:
            made = await act(who, run)
            return made if isinstance(made, int) else None

        return await self._on_run(request, sent, code, done)

    async def _on_run(
        self, request: Request, sent: _Sent, code: str, act: Callable[[RunId], Awaitable[int | None]]
    ) -> Response:
        run = RunId(_number(request, "run"))
        try:
            made = await act(run)
        except ActError as error:
            refusal = as_refusal(error)
            if refusal.code == "no_run" and not wants_data(request):
                raise HTTPException(404) from None
            return _refused(request, refusal) or await self._draw.run(request, run, refusal, _kept(sent))
        return _done(request, f"/runs/{made or run}", code, {"run": made or run}, 200)

    async def _on_batch(
        self, request: Request, sent: _Sent, code: str, act: Callable[[int], Awaitable[object]]
    ) -> Response:
        batch = _number(request, "batch")
        try:
            await act(batch)
        except ActError as error:
            refusal = as_refusal(error)
            if refusal.code == "no_batch" and not wants_data(request):
                raise HTTPException(404) from None
            return _refused(request, refusal) or await self._draw.batch(request, batch, refusal, _kept(sent))
        return _done(request, f"/batches/{batch}", code, {"batch": batch}, 200)

    async def _site(self, who: Any, text: str) -> SiteId:
        """A site by its number or its name. Raises RegistryError."""
        if (number := numeric_id(text)) is not None:
            return SiteId(number)
        async with self._acts.database.transaction(who.workspace) as conn:
            return (await site_named(conn, text)).site.id


def as_refusal(error: ActError) -> RunRefused:
    """Any refusal of the room, with what it says."""
    if isinstance(error, RunRefused):
        return error
    says = error.says if isinstance(error, RegistryError) else Said("%(message)s", {"message": str(error)})
    return RunRefused(error.code, says, "site" if isinstance(error, RegistryError) else "")


def status_of(refusal: RunRefused) -> int:
    """The status with which it is refused."""
    return STATUSES.get(refusal.code, 409)


def runbook_data(runbook: Runbook) -> dict[str, Any]:
    """A runbook as data."""
    parameters = [each._asdict() | {"default": default_of(each)} for each in runbook.parameters]
    return {
        "name": runbook.name,
        "title": runbook.title,
        "summary": runbook.summary,
        "risk": runbook.risk.value,
        "minutes": runbook.minutes,
        "group": runbook.group,
        "topics": list(runbook.topics),
        "undo": runbook.undo is not None,
        "digest": runbook.digest,
        "parameters": plain(parameters),
    }


def _written_in(language: str) -> Callable[[object], str]:
    """Writes values of plans, sentences among them, as pages in `language` do."""
    return partial(term, translate=messages(language).gettext, write=Writer(Locale.parse(language)).write)


def _done(request: Request, path: str, code: str, data: dict[str, int], status: int) -> Response:
    if wants_data(request):
        return JSONResponse({"done": code, **data, "at": path}, status)
    return told(place_of(request), path, Done(code, tuple(data.values())))


def _refused(request: Request, refusal: RunRefused) -> Response | None:
    """What a program is told, in the asker's language; None for a form, whose page says it."""
    if not wants_data(request):
        return None
    status = status_of(refusal)
    about = {
        "status": status,
        "code": refusal.code,
        "message": _written_in(language_of(request))(refusal.says),
        "field": refusal.field,
    }
    return JSONResponse({"error": about}, status)


def _kept(sent: _Sent) -> dict[str, str]:
    """What was typed, to stand in the form again."""
    return sent.fields | {"site": " ".join(sent.sites)}


def _conversation(sent: _Sent) -> ConversationId | None:
    number = numeric_id(sent.fields.get("conversation", ""))
    return None if number is None else ConversationId(number)


def _number(request: Request, name: str) -> int:
    number = numeric_id(str(request.path_params[name]))
    if number is None:
        raise HTTPException(404)
    return number


async def _sent(request: Request) -> _Sent:
    """A form's fields, or those of a JSON object. Raises HTTPException for what is neither."""
    if (whole := await sent_json(request)) is not None:
        return _of_json(whole)
    async with request.form() as form:
        pairs = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    fields = {name: value.replace("\0", "") for name, value in pairs if name != "site"}
    return _Sent(fields, [value for name, value in pairs if name == "site" and value])


def _of_json(sent: dict[str, Any]) -> _Sent:
    sites, values = sent.pop("site", sent.pop("sites", [])), sent.pop("values", {})
    if not isinstance(values, dict):
        raise HTTPException(400, "Send the values as a JSON object.")
    listed: Sequence[Any] = cast("list[Any]", sites) if isinstance(sites, list) else [sites]
    chosen = {f"p.{_text(name)}": _text(value) for name, value in cast("dict[str, Any]", values).items()}
    return _Sent({_text(name): _text(value) for name, value in sent.items()} | chosen, [_text(each) for each in listed])


def _text(value: object) -> str:
    """As a form would say it, without what no table and no answer can hold."""
    text = ("on" if value else "") if isinstance(value, bool) else str(value)
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def routes(acts: RunActs, draw: Draw) -> list[PageRoute]:
    """The routes of acts, and those of data. Who may do what at which site, the acts themselves decide."""
    api, of = RunsApi(acts, draw), Scope.WORKSPACE

    def post(path: str, endpoint: Callable[[Request], Awaitable[Response]], needs: str = P.RUN_READS) -> PageRoute:
        return PageRoute(path, endpoint, of, needs, methods=["POST"])

    def get(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> PageRoute:
        return PageRoute(path, endpoint, of, P.SEE_TOOLBOX, methods=["GET"])

    return [
        post("/runbooks/{name}/plan", api.plan, P.RUN_PLANS),
        post("/runs/{run}/confirm", api.confirm),
        post("/runs/{run}/approve", api.approve, P.APPROVE),
        post("/runs/{run}/refuse", api.refuse, P.APPROVE),
        post("/runs/{run}/cancel", api.cancel, P.RUN_PLANS),
        post("/runs/{run}/resume", api.resume),
        post("/runs/{run}/undo", api.undo),
        post("/runs/{run}/again", api.again, P.RUN_PLANS),
        post("/batches/{batch}/confirm", api.confirm_batch),
        post("/batches/{batch}/approve", api.approve_batch, P.APPROVE),
        post("/batches/{batch}/cancel", api.cancel_batch, P.RUN_PLANS),
        get("/runbooks.json", api.runbooks),
        get("/runbooks/{name}.json", api.runbook),
        get("/runs/{run:int}.json", api.run),
        get("/batches/{batch:int}.json", api.batch),
    ]
