"""The pages of settings: how Intercom is reached, how long data is kept, the zone. Each is also data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.people.record import act
from steelyard.routing import settings
from steelyard.routing.settings import Going, Keep
from steelyard.routing.settings_ground import SettingsGround, workspace_of
from steelyard.routing.settings_intercom import ask_to_read, read_reached
from steelyard.routing.settings_words import HOW_LONG, KEPT
from steelyard.store.retention import TABLES, Table
from steelyard.web.data import plain
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.language import N_
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Choice
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import place_of

KEEP: Final = Form(
    (
        Field(
            "messages",
            N_("Days that messages are kept"),
            "number",
            least=settings.MESSAGES[0],
            most=settings.MESSAGES[1],
            help=N_("What customers wrote, and who. From 7 to 365 days, counted from when it was first stored."),
        ),
        Field(
            "webhooks",
            N_("Days that raw webhooks are kept"),
            "number",
            least=settings.WEBHOOKS[0],
            most=settings.WEBHOOKS[1],
            help=N_(
                "They hold messages too, and show what went wrong. From 7 to 90 days, once handled; under 29 days,"
                " silence is not noticed as surely, since it is judged by the last four weeks."
            ),
        ),
    )
)


def _zone_form() -> Form:
    choices = tuple(Choice(each, each.replace("_", " ")) for each in settings.zones())
    shown = N_("Times are shown in it to everybody who chose the workspace’s zone for themselves.")
    return Form((Field("zone", N_("Zone of the workspace"), "choice", choices=choices, help=shown),))


class Plan(NamedTuple):
    """What shortening would remove; it is done once somebody has seen it."""

    keep: Keep
    going: Going


class Kept(NamedTuple):
    """A table as the page lists it: `days` None is for ever."""

    name: str
    scope: str
    days: int | None
    why: str
    chosen: bool


class SettingsPages:
    """What these routes do."""

    def __init__(self, ground: SettingsGround) -> None:
        self._ground = ground

    # Intercom

    async def intercom(self, request: Request) -> Response:
        """How Intercom is reached, and how that goes."""
        now = self._ground.clock()
        view = await read_reached(self._ground.database, workspace_of(request), now)
        if request.url.path.endswith(".json"):
            return JSONResponse(plain(view._asdict() if view is not None else {"connected": False}))
        done = done_of(request.query_params, {"asked", "already"})
        return self._ground.answer(
            request, "routing/settings_intercom.html", view=view, now=now, done=done and done.what
        )

    async def read_everything(self, request: Request) -> Response:
        """Has everything read from Intercom."""
        standing, ground = standing_of(request), self._ground
        async with ground.database.transaction(standing.workspace) as conn:
            asked = await ask_to_read(conn, standing.workspace)
            if asked:
                await ground.jobs.read_everything(conn, standing.workspace)
                fact = act("reading.asked", standing.person, ground.clock())
                await ground.ledger.append(conn, standing.workspace, [fact])
        return told(place_of(request), "/settings", Done("asked" if asked else "already"))

    # Retention

    async def retention(self, request: Request) -> Response:
        """How long everything is kept, and why."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            keep = await settings.read_keep(conn, workspace_of(request))
        if request.url.path.endswith(".json"):
            return JSONResponse(plain({"keep": keep, "tables": _tables(keep)}))
        return self._retention(request, KEEP.loaded(keep._asdict()), keep)

    async def change_retention(self, request: Request) -> Response:
        """Keeps longer at once; keeps shorter once what would go has been shown."""
        standing, ground, now = standing_of(request), self._ground, self._ground.clock()
        filled = await KEEP.of(request)
        async with request.form() as form:
            agreed = form.get("agreed")
        async with ground.database.transaction(standing.workspace) as conn:
            stored = await settings.read_keep(conn, standing.workspace, hold=True)
            filled = filled.against(KEEP.texts(stored._asdict())) if filled.ok else filled
            if not filled.ok:
                return self._retention(request, filled, stored)
            keep = _keep_in(filled)
            if keep == stored:
                return told(place_of(request), "/settings/retention", Done("same"))
            going = await settings.going(conn, standing.workspace, _shorter(stored, keep), now)
            if any(going) and agreed != _code(keep):
                return self._retention(request, filled, stored, Plan(keep, going))
            await settings.change_keep(conn, ground.ledger, standing.workspace, stored, keep, standing.person, now)
        return told(place_of(request), "/settings/retention", Done("kept", (*keep, *stored)))

    async def undo_retention(self, request: Request) -> Response:
        """Keeps as long as before, where nobody chose anew since. What would go by that is shown first, as ever.

        It brings back what was chosen before, and nothing else: any other lengths are for the form.
        """
        standing, ground = standing_of(request), self._ground
        filled = await KEEP.of(request)
        async with request.form() as form:
            expected = form.get("expected")
        async with ground.database.transaction(standing.workspace) as conn:
            stored = await settings.read_keep(conn, standing.workspace, hold=True)
            before = await settings.read_before(conn, standing.workspace, stored)
            if not filled.ok or expected != _code(stored) or _keep_in(filled) != before:
                return told(place_of(request), "/settings/retention", Done("overtaken"))
            keep, now = before, ground.clock()
            going = await settings.going(conn, standing.workspace, _shorter(stored, keep), now)
            if any(going):
                return self._retention(request, KEEP.loaded(stored._asdict()), stored, Plan(keep, going))
            await settings.change_keep(conn, ground.ledger, standing.workspace, stored, keep, standing.person, now)
        return told(place_of(request), "/settings/retention", Done("back"))

    def _retention(self, request: Request, form: Filled, keep: Keep, plan: Plan | None = None) -> Response:
        done = done_of(request.query_params, {"kept", "back", "same", "overtaken"})
        undo = None
        if done is not None and done.what == "kept":
            if len(done.ids) == 4 and Keep(*done.ids[:2]) == keep:
                before = zip(Keep._fields, map(str, done.ids[2:]), strict=True)
                fields = (*before, ("expected", _code(keep)))
                undo = Undo(place_of(request).link("/settings/retention/back"), fields)
            else:
                done = None  # somebody chose anew since
        return self._ground.answer(
            request,
            "routing/settings_retention.html",
            form.status,
            form=form,
            keep=keep,
            plan=plan,
            agreed=_code(plan.keep) if plan is not None else "",
            tables=_tables(keep),
            kept=KEPT,
            how_long=HOW_LONG,
            done=done and done.what,
            undo=undo,
        )

    # General

    async def general(self, request: Request) -> Response:
        """The workspace's zone."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            zone = await settings.read_zone(conn, workspace_of(request))
        if request.url.path.endswith(".json"):
            return JSONResponse({"zone": zone})
        return self._general(request, _zone_form().loaded({"zone": zone}), zone)

    async def change_general(self, request: Request) -> Response:
        """Another zone."""
        standing, ground, form = standing_of(request), self._ground, _zone_form()
        filled = await form.of(request)
        async with ground.database.transaction(standing.workspace) as conn:
            stored = await settings.read_zone(conn, standing.workspace, hold=True)
            filled = filled.against(form.texts({"zone": stored})) if filled.ok else filled
            if not filled.ok:
                return self._general(request, filled, stored)
            zone = str(filled.values["zone"])
            if zone != stored:
                now = ground.clock()
                await settings.change_zone(conn, ground.ledger, standing.workspace, zone, standing.person, now)
        return told(place_of(request), "/settings/general", Done("zone"))

    def _general(self, request: Request, form: Filled, zone: str) -> Response:
        done = done_of(request.query_params, {"zone"})
        return self._ground.answer(
            request, "routing/settings_general.html", form.status, form=form, zone_name=zone, done=done
        )


def routes(ground: SettingsGround) -> list[PageRoute]:
    """`/settings` and its tabs; notifications have a file of their own."""
    room, see, change = SettingsPages(ground), Permission.SEE_SETTINGS, Permission.CHANGE_SETTINGS
    shown: list[tuple[str, Any]] = [
        ("/settings", room.intercom),
        ("/settings/retention", room.retention),
        ("/settings/general", room.general),
    ]
    changed: list[tuple[str, Any, Permission]] = [
        ("/settings/read", room.read_everything, Permission.RETRY),
        ("/settings/retention", room.change_retention, change),
        ("/settings/retention/back", room.undo_retention, change),
        ("/settings/general", room.change_general, change),
    ]
    return [
        *(
            PageRoute(f"{path}{suffix}", endpoint, Scope.WORKSPACE, see, methods=["GET"])
            for path, endpoint in shown
            for suffix in ("", ".json")
        ),
        *(PageRoute(path, endpoint, Scope.WORKSPACE, needs, methods=["POST"]) for path, endpoint, needs in changed),
    ]


def _keep_in(filled: Filled) -> Keep:
    return Keep(int(str(filled.values["messages"])), int(str(filled.values["webhooks"])))


def _shorter(stored: Keep, keep: Keep) -> Keep:
    """What is kept shorter; what is kept as long or longer removes nothing that would not go anyway."""
    return Keep(*(after if after < before else 10_000 for before, after in zip(stored, keep, strict=True)))


def _code(keep: Keep) -> str:
    return f"{keep.messages}.{keep.webhooks}"


def _tables(keep: Keep) -> tuple[Kept, ...]:
    """Every table, with how long this workspace keeps its rows."""
    return tuple(_kept(table, keep) for table in TABLES)


def _kept(table: Table, keep: Keep) -> Kept:
    chosen = {"keep_messages": keep.messages, "keep_webhooks": keep.webhooks}
    days = chosen.get(table.chosen, None if table.keep is None else table.keep // timedelta(days=1))
    return Kept(table.name, table.scope.value, days, table.why, bool(table.chosen))
