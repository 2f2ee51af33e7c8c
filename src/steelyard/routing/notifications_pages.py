"""The pages of notifications: where alarms are told, which of them, in which language, and when not."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from steelyard.kit.errors import KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission, Standing
from steelyard.people.record import act
from steelyard.routing import alarms
from steelyard.routing.notifications import (
    MOST,
    Notification,
    Seen,
    add_notification,
    begin_test,
    change_notification,
    put_address,
    read_notification,
    read_notifications,
    remove_notification,
    seen_of,
)
from steelyard.routing.notifications_forms import (
    ALL,
    EXAMPLE,
    NO_KEYS,
    UNUSABLE,
    choice_in,
    form_in,
    judged,
    to_begin_with,
    values_of,
)
from steelyard.routing.settings import read_zone
from steelyard.routing.settings_ground import SettingsGround, tabs_of, workspace_of
from steelyard.routing.settings_words import FAILURES
from steelyard.store.database import Connection
from steelyard.web.data import answer_table, data_routes, wants_rows
from steelyard.web.forms import Filled, Form
from steelyard.web.language import N_
from steelyard.web.pages import language_of
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Column, Table
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import place_of, viewer_of

PATH: Final = "/settings/notifications"

_GONE: Final = ("removed", "full")
"""What is told of one that is told nothing, and can be put back."""


class Row(NamedTuple):
    """An address as the page lists it. Its own text is never shown."""

    notification: int
    name: str
    seen: Seen
    kinds: tuple[str, ...] | None
    language: str
    quiet: str
    """From when to when, such as `22:00–07:00`; empty for never."""
    zone: str
    tested_at: datetime | None
    told_at: datetime | None
    failed_at: datetime | None
    failure: str


LISTED: Final[Table[Row]] = Table(
    "notifications",
    (
        Column("name", N_("Name"), lambda row: row.name, sorts=True, heads=True),
        Column("service", N_("Where"), lambda row: row.seen.service, sorts=True),
        Column("fingerprint", N_("Fingerprint"), lambda row: row.seen.fingerprint, data_only=True),
        Column("kinds", N_("Alarms"), lambda row: row.kinds if row.kinds is not None else ALL),
        Column("language", N_("Language"), lambda row: row.language),
        Column("quiet", N_("Quiet"), lambda row: row.quiet),
        Column("zone", N_("Zone"), lambda row: row.zone, data_only=True),
        Column("state", N_("Last message"), lambda row: row.told_at),
        Column("failed_at", N_("Fails since"), lambda row: row.failed_at, data_only=True),
        Column("failure", N_("Why"), lambda row: row.failure, data_only=True),
        Column("notification", N_("Id"), lambda row: row.notification, data_only=True),
    ),
    sort="name",
)


class NotificationsPages:
    """What these routes do."""

    def __init__(self, ground: SettingsGround) -> None:
        self._ground = ground

    async def listed(self, request: Request) -> Response:
        """All of them, and a form for another."""
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            zone = await read_zone(conn, workspace_of(request))
        return await self._list(request, _form(request, fresh=True).empty(to_begin_with(zone, language_of(request))))

    async def add(self, request: Request) -> Response:
        """Adds one, where its address can be told something."""
        standing, ground = standing_of(request), self._ground
        filled = await self._judged(request, _form(request, fresh=True))
        if not filled.ok:
            return await self._list(request, filled)
        try:
            async with ground.database.transaction(standing.workspace) as conn:
                if await _has_room(conn, standing.workspace):
                    choice, address = choice_in(filled), str(filled.values["secret_address"])
                    now = ground.clock()
                    number = await add_notification(conn, standing.workspace, choice, address, ground.keys, now)
                    await self._record(conn, standing, number, "added")
                    return told(place_of(request), PATH, Done("added", (number,)))
        except KeyFileError:
            return await self._list(request, filled.wrong("secret_address", NO_KEYS))
        too_many = N_("There are %(most)s already, which is as many as may be: remove one first.")
        return await self._list(request, filled.wrong("name", too_many, most=MOST))

    async def one(self, request: Request) -> Response:
        """What was chosen for one of them, to be changed."""
        known = await self._known(request)
        return self._draw_one(request, known, _form(request).loaded(values_of(known)))

    async def change(self, request: Request) -> Response:
        """Changes one; without an address it keeps the one it has."""
        standing, ground = standing_of(request), self._ground
        known = await self._known(request)
        filled = await self._judged(request, _form(request))
        if not filled.ok:
            return self._draw_one(request, known, filled)
        try:
            async with ground.database.transaction(standing.workspace) as conn:
                stored = await read_notification(conn, standing.workspace, known.notification, hold=True)
                if stored is None or stored.removed_at is not None:
                    raise HTTPException(404)
                filled = filled.against(_form(request).texts(values_of(stored)))
                if not filled.ok:
                    return self._draw_one(request, stored, filled)
                await change_notification(conn, standing.workspace, stored.notification, choice_in(filled))
                if address := str(filled.values["secret_address"]):
                    await put_address(conn, standing.workspace, stored.notification, address, ground.keys)
                await self._record(conn, standing, stored.notification, "changed")
        except KeyFileError:
            return self._draw_one(request, known, filled.wrong("secret_address", NO_KEYS))
        return told(place_of(request), PATH, Done("changed", (known.notification,)))

    async def test(self, request: Request) -> Response:
        """Has a test message sent, where none has just begun; the list shows what came of it."""
        standing = standing_of(request)
        known = await self._known(request)
        async with self._ground.database.transaction(standing.workspace) as conn:
            if not await begin_test(conn, standing.workspace, known.notification, self._ground.clock()):
                return told(place_of(request), PATH, Done("early", (known.notification,)))
            await self._ground.jobs.tell_test(conn, standing.workspace, known.notification)
            await self._record(conn, standing, known.notification, "tested")
        return told(place_of(request), PATH, Done("tested", (known.notification,)))

    async def remove(self, request: Request) -> Response:
        """Removes one; for a day it can be put back."""
        return await self._remove(request, "removed", self._ground.clock())

    async def put_back(self, request: Request) -> Response:
        """Puts one back as it was."""
        return await self._remove(request, "back", None)

    async def _remove(self, request: Request, did: str, now: datetime | None) -> RedirectResponse:
        standing = standing_of(request)
        known = await self._known(request, also_removed=True)
        async with self._ground.database.transaction(standing.workspace) as conn:
            if now is None and known.removed_at is not None and not await _has_room(conn, standing.workspace):
                return told(place_of(request), PATH, Done("full", (known.notification,)))
            if await remove_notification(conn, standing.workspace, known.notification, now):
                await self._record(conn, standing, known.notification, did)
        return told(place_of(request), PATH, Done(did, (known.notification,)))

    async def _record(self, conn: Connection, standing: Standing, number: int, did: str) -> None:
        fact = act("notification.changed", standing.person, self._ground.clock(), notification=number, did=did)
        await self._ground.ledger.append(conn, standing.workspace, [fact])

    async def _known(self, request: Request, *, also_removed: bool = False) -> Notification:
        number = int(request.path_params["notification"])
        async with self._ground.database.transaction(workspace_of(request)) as conn:
            found = await read_notification(conn, workspace_of(request), number) if number < 2**63 else None
        if found is None or (found.removed_at is not None and not also_removed):
            raise HTTPException(404)
        return found

    async def _judged(self, request: Request, form: Form) -> Filled:
        """What was sent, and whether its address can be told something."""
        filled = judged(await form.of(request))
        if not filled.ok:
            return filled
        address = str(filled.values["secret_address"])
        if address and not await self._ground.usable(address):
            return filled.wrong("secret_address", UNUSABLE, example=EXAMPLE)
        return filled

    def _draw_one(self, request: Request, known: Notification, form: Filled) -> Response:
        seen = seen_of(workspace_of(request), known.notification, known.address, self._ground.unseal)
        template = "routing/settings_notification.html"
        return self._ground.answer(request, template, form.status, form=form, known=known, seen=seen)

    async def _list(self, request: Request, form: Filled) -> Response:
        workspace, ground = workspace_of(request), self._ground
        async with ground.database.transaction(workspace) as conn:
            known = await read_notifications(conn, workspace)
            done, name = await _done(conn, workspace, request)
        listed = [_row(workspace, each, ground) for each in known]
        query = LISTED.read(request.query_params, everything=wants_rows(request))
        answer = answer_table(
            ground.pages,
            request,
            "routing/settings_notifications.html",
            LISTED.of_rows(listed, query, viewer_of(request).zone),
            tabs=tabs_of(request),
            form=form,
            name_of=alarms.name_of,
            failures=FAILURES,
            sealed=any(not each.seen.fingerprint for each in listed),
            testing=any(each.tested_at is not None for each in listed),
            done=done,
            done_name=name,
            most=MOST,
            undo=_undo(request, done),
        )
        answer.status_code = form.status
        return answer


def routes(ground: SettingsGround) -> list[PageRoute]:
    """`/settings/notifications` and what is below it."""
    room, change, one = NotificationsPages(ground), Permission.CHANGE_NOTIFICATIONS, f"{PATH}/{{notification:int}}"
    return [
        *data_routes(PATH, room.listed, Scope.WORKSPACE, Permission.SEE_SETTINGS),
        PageRoute(PATH, room.add, Scope.WORKSPACE, change, methods=["POST"]),
        PageRoute(one, room.one, Scope.WORKSPACE, change, methods=["GET"]),
        PageRoute(one, room.change, Scope.WORKSPACE, change, methods=["POST"]),
        PageRoute(f"{one}/test", room.test, Scope.WORKSPACE, change, methods=["POST"]),
        PageRoute(f"{one}/remove", room.remove, Scope.WORKSPACE, change, methods=["POST"]),
        PageRoute(f"{one}/back", room.put_back, Scope.WORKSPACE, change, methods=["POST"]),
    ]


def _form(request: Request, *, fresh: bool = False) -> Form:
    return form_in(language_of(request), fresh=fresh)


async def _has_room(conn: Connection, workspace: WorkspaceId) -> bool:
    """Whether there may be one more. It stays so until `conn`'s transaction ends."""
    await read_zone(conn, workspace, hold=True)  # one after the other: MOST is a bound
    return len(await read_notifications(conn, workspace)) < MOST


def _row(workspace: WorkspaceId, known: Notification, ground: SettingsGround) -> Row:
    quiet = ""
    if known.quiet_from is not None and known.quiet_to is not None:
        quiet = f"{known.quiet_from:%H:%M}–{known.quiet_to:%H:%M}"
    return Row(
        notification=known.notification,
        name=known.name,
        seen=seen_of(workspace, known.notification, known.address, ground.unseal),
        kinds=tuple(known.kinds) if known.kinds is not None else None,
        language=known.language,
        quiet=quiet,
        zone=known.zone,
        tested_at=known.tested_at,
        told_at=known.told_at,
        failed_at=known.failed_at,
        failure=known.failure,
    )


async def _done(conn: Connection, workspace: WorkspaceId, request: Request) -> tuple[Done | None, str]:
    """What was just done, where it still holds, and the name of what it was done to."""
    done = done_of(request.query_params, {"added", "changed", "tested", "early", "removed", "full", "back"})
    if done is None or len(done.ids) != 1 or done.ids[0] >= 2**63:
        return None, ""
    known = await read_notification(conn, workspace, done.ids[0])
    if known is None or (known.removed_at is not None) != (done.what in _GONE):
        return None, ""
    return done, known.name


def _undo(request: Request, done: Done | None) -> Undo | None:
    if done is None or done.what not in _GONE:
        return None
    return Undo(place_of(request).link(f"{PATH}/{done.ids[0]}/back"))
