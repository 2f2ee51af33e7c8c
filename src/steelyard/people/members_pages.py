"""Who is here: the list, somebody's own page, inviting, roles, teammates, links to choose a password, removing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.ids import EngineerId, PersonId, WorkspaceId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.ground import Ground, actor_of
from steelyard.people.members import Handed, Member, MemberError, Staff, Teammate, members_of, removed_of
from steelyard.people.permissions import GRANTS, Permission, Role, roles_in
from steelyard.people.words import MEMBER_PROBLEMS, PERMISSIONS, ROLES
from steelyard.web.data import answer_table, data_routes, plain, wants_rows
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.language import N_
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Choice, Column, Holds, Is, Table
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import place_of, viewer_of

NOBODY: Final = "0"
"""The choice of no Intercom teammate."""

_ROLES: Final = Field("roles", N_("Roles"), "choices", choices=tuple(Choice(each.value, ROLES[each]) for each in Role))
INVITE: Final = Form(
    (
        Field("name", N_("Name"), most=100),
        Field(
            "address", N_("E-mail address"), "email", most=254, help=N_("They sign in with it. Nothing is sent there.")
        ),
        _ROLES,
    )
)
ROLES_FORM: Final = Form((_ROLES,))

PEOPLE: Final = Table[Member](
    "people",
    (
        Column("name", N_("Name"), lambda row: row.name, sorts=True, filter=Holds(), heads=True),
        Column("address", N_("E-mail address"), lambda row: row.address, sorts=True, filter=Holds()),
        Column(
            "roles",
            N_("Roles"),
            lambda row: tuple(role.value for role in row.roles),
            filter=Is(tuple(Choice(each.value, ROLES[each]) for each in Role)),
        ),
        Column("engineer", N_("In Intercom"), lambda row: row.engineer),
        Column("since", N_("Member since"), lambda row: row.since, sorts=True),
        Column("seen_at", N_("Last here"), lambda row: row.seen_at, sorts=True),
        Column("enters", N_("Has a password"), lambda row: row.enters, data_only=True),
        Column("person", N_("Id"), lambda row: row.person, data_only=True),
    ),
    sort="name",
)
_SESSIONS: Final[Column[Member]] = Column("sessions", N_("Browsers"), lambda row: row.sessions, sorts=True, number=True)
PEOPLE_TO_CHANGE: Final = Table[Member]("people", (*PEOPLE.columns, _SESSIONS), sort="name")
"""In how many browsers somebody is signed in is for those who may do something about it."""


class Told(NamedTuple):
    """What was just done to whom, and the way back."""

    what: str
    name: str
    undo: Undo | None = None


class MemberPage(NamedTuple):
    """Somebody's own page, as its data has it."""

    member: Member
    engineer_name: str
    permissions: tuple[Permission, ...]


class PeoplePages:
    """What these routes do."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._staff = Staff(ground.database, ground.ledger, ground.teammates)

    async def people(self, request: Request) -> Response:
        """Everybody; after a change, what was done, with the way back."""
        return await self._list(request, INVITE.empty())

    async def invite(self, request: Request) -> Response:
        """Makes somebody a member, and shows the link to hand over, this once."""
        filled = await INVITE.of(request)
        if not filled.ok:
            return await self._list(request, filled)
        name, address = str(filled.values["name"]), str(filled.values["address"])
        roles = roles_in(_several(filled.values["roles"]))
        try:
            handed = await self._staff.invite(
                standing_of(request).workspace, name, address, roles, actor_of(request), self._ground.clock()
            )
        except MemberError as error:
            return await self._list(request, filled.wrong("address", MEMBER_PROBLEMS[error.code]))
        return await self._handed(request, handed, new=True)

    async def member(self, request: Request) -> Response:
        """Somebody's own page."""
        return await self._show(request, await self._of(request))

    async def member_data(self, request: Request) -> Response:
        """The same as JSON."""
        member, teammates = await self._read(request)
        return JSONResponse(plain(_page(member, teammates)))

    async def change_roles(self, request: Request) -> Response:
        """Gives a member other roles, unless somebody else did meanwhile."""
        member = await self._of(request)
        filled = (await ROLES_FORM.of(request)).against(ROLES_FORM.texts({"roles": member.roles}))
        if not filled.ok:
            return await self._show(request, member, roles=filled, status=filled.status)
        chosen = roles_in(_several(filled.values["roles"]))

        async def change() -> Done:
            await self._staff.change_roles(*self._to(request, member), member.roles, chosen, *self._by(request))
            return Done("roles", (member.person, _bits(member.roles), _bits(chosen)))

        return await self._do(request, member, change)

    async def change_teammate(self, request: Request) -> Response:
        """Says which Intercom teammate a member is."""
        member, teammates = await self._read(request)
        filled = await _teammate_form(teammates).of(request)
        if not filled.ok:
            return await self._show(request, member, teammate=filled, status=filled.status)
        engineer = numeric_id(filled.values["engineer"])

        async def change() -> Done:
            chosen = None if engineer is None else EngineerId(engineer)
            before = await self._staff.link_engineer(*self._to(request, member), chosen, *self._by(request))
            return Done("teammate", (member.person, before or 0))

        return await self._do(request, member, change)

    async def link(self, request: Request) -> Response:
        """Makes a link by which a member chooses a new password, and shows it, this once."""
        member = await self._of(request)
        try:
            handed = await self._staff.link(*self._to(request, member), *self._by(request))
        except MemberError as error:
            return await self._show(request, member, problem=error.code, status=409)
        return await self._handed(request, handed, new=False)

    async def remove(self, request: Request) -> Response:
        """Ends a membership."""
        member = await self._of(request)

        async def change() -> Done:
            await self._staff.remove(*self._to(request, member), *self._by(request))
            return Done("removed", (member.person,))

        return await self._do(request, member, change, "/people")

    async def take_back(self, request: Request) -> Response:
        """Makes somebody who was removed a member again."""
        person = _person_in(request)
        try:
            await self._staff.take_back(standing_of(request).workspace, person, *self._by(request))
        except MemberError as error:
            if error.code == "no_member":
                raise HTTPException(404) from None
        return told(place_of(request), "/people", Done("back", (person,)))

    async def _do(
        self, request: Request, member: Member, change: Callable[[], Awaitable[Done]], path: str = ""
    ) -> Response:
        """What was done is told on the page that follows; what could not be done, on the member's own."""
        try:
            return told(place_of(request), path or f"/people/{member.person}", await change())
        except MemberError as error:
            return await self._show(request, member, problem=error.code, status=409)

    async def _list(self, request: Request, filled: Filled) -> Response:
        workspace = standing_of(request).workspace
        table = PEOPLE_TO_CHANGE if viewer_of(request).may(Permission.CHANGE_PEOPLE) else PEOPLE
        query = table.read(request.query_params, everything=wants_rows(request))
        async with self._ground.database.transaction(workspace) as conn:
            members = await members_of(conn, self._ground.clock())
            engineers = {each.engineer: each.name for each in await self._ground.teammates(conn)}
            done = done_of(request.query_params, {"removed", "back"})
            gone = await removed_of(conn, done.ids[0]) if done is not None and len(done.ids) == 1 else None
        shown = table.of_rows(members, query, viewer_of(request).zone)
        answer = answer_table(
            self._ground.pages,
            request,
            "people/people.html",
            shown,
            form=filled,
            engineers=engineers,
            role_words=ROLES,
            told=_told_of_list(request, done, gone.name if gone is not None else "", members),
            alone=len(members) == 1,
        )
        answer.status_code = filled.status
        return answer

    async def _show(
        self,
        request: Request,
        member: Member,
        *,
        roles: Filled | None = None,
        teammate: Filled | None = None,
        problem: str = "",
        status: int = 200,
    ) -> Response:
        workspace = standing_of(request).workspace
        async with self._ground.database.transaction(workspace) as conn:
            teammates = await self._ground.teammates(conn)
            members = await members_of(conn, self._ground.clock())
        fresh = next((each for each in members if each.person == member.person), member)
        taken = {each.engineer for each in members if each.person != member.person}
        free = [each for each in teammates if each.engineer not in taken]
        linked = {"engineer": str(fresh.engineer or NOBODY)}
        return self._ground.pages.answer(
            request,
            "people/member.html",
            status=status,
            view=_page(fresh, teammates),
            roles_form=roles or ROLES_FORM.loaded({"roles": fresh.roles}),
            teammate_form=teammate or _teammate_form(free).empty(linked),
            problem=MEMBER_PROBLEMS.get(problem, ""),
            told=_told_of_member(request, fresh, {each.engineer: each.name for each in teammates}),
            itself=fresh.person == actor_of(request),
            permissions=PERMISSIONS,
            role_words=ROLES,
            grants=GRANTS,
        )

    async def _handed(self, request: Request, handed: Handed, *, new: bool) -> Response:
        async with self._ground.database.transaction(standing_of(request).workspace) as conn:
            members = await members_of(conn, self._ground.clock())
        member = next(each for each in members if each.person == handed.person)
        scheme = "https" if self._ground.secure else "http"
        link = f"{scheme}://{request.url.netloc}/enter?token={handed.token}"
        return self._ground.pages.answer(
            request, "people/handed.html", member=member, link=link if handed.token else "", new=new
        )

    async def _of(self, request: Request) -> Member:
        return (await self._read(request))[0]

    async def _read(self, request: Request) -> tuple[Member, Sequence[Teammate]]:
        person = _person_in(request)
        async with self._ground.database.transaction(standing_of(request).workspace) as conn:
            members = await members_of(conn, self._ground.clock())
            teammates = await self._ground.teammates(conn)
        member = next((each for each in members if each.person == person), None)
        if member is None:
            raise HTTPException(404)
        if not viewer_of(request).may(Permission.CHANGE_PEOPLE):
            member = member._replace(sessions=0)
        return member, teammates

    def _to(self, request: Request, member: Member) -> tuple[WorkspaceId, PersonId]:
        return standing_of(request).workspace, member.person

    def _by(self, request: Request) -> tuple[PersonId | None, datetime]:
        return actor_of(request), self._ground.clock()


def routes(ground: Ground) -> list[PageRoute]:
    """`/people` and what is below it."""
    room, workspace = PeoplePages(ground), Scope.WORKSPACE
    changes = {
        "roles": room.change_roles,
        "teammate": room.change_teammate,
        "link": room.link,
        "remove": room.remove,
        "back": room.take_back,
    }
    return [
        *data_routes("/people", room.people, workspace, Permission.SEE_PEOPLE),
        PageRoute("/people", room.invite, workspace, Permission.CHANGE_PEOPLE, methods=["POST"]),
        PageRoute("/people/{person:int}", room.member, workspace, Permission.SEE_PEOPLE, methods=["GET"]),
        PageRoute("/people/{person:int}.json", room.member_data, workspace, Permission.SEE_PEOPLE, methods=["GET"]),
        *(
            PageRoute(f"/people/{{person:int}}/{name}", change, workspace, Permission.CHANGE_PEOPLE, methods=["POST"])
            for name, change in changes.items()
        ),
    ]


def _page(member: Member, teammates: Sequence[Teammate]) -> MemberPage:
    name = next((each.name for each in teammates if each.engineer == member.engineer), "")
    allowed = frozenset[Permission]().union(*(GRANTS[role] for role in member.roles))
    return MemberPage(member, name, tuple(each for each in Permission if each in allowed))


def _teammate_form(teammates: Sequence[Teammate]) -> Form:
    choices = (Choice(NOBODY, N_("Nobody in Intercom")), *(Choice(str(each.engineer), each.name) for each in teammates))
    return Form(
        (
            Field(
                "engineer",
                N_("Intercom teammate"),
                "choice",
                choices=choices,
                help=N_("Their desk shows this teammate’s conversations, and they go away and come back as this one."),
            ),
        )
    )


def _told_of_list(request: Request, done: Done | None, gone: str, members: Sequence[Member]) -> Told | None:
    """What was done, where that still holds."""
    if done is None or len(done.ids) != 1:
        return None
    (person,) = done.ids
    if done.what == "removed" and gone:
        return Told("removed", gone, Undo(place_of(request).link(f"/people/{person}/back")))
    back = next((each.name for each in members if each.person == person), "")
    return Told("back", back) if done.what == "back" and back else None


def _told_of_member(request: Request, member: Member, engineers: dict[EngineerId, str]) -> Told | None:
    done = done_of(request.query_params, {"roles", "teammate"})
    if done is None or not done.ids or done.ids[0] != member.person:
        return None
    path = f"/people/{member.person}/{done.what}"
    if done.what == "roles" and len(done.ids) == 3 and done.ids[2] == _bits(member.roles):
        before = tuple(("roles", role.value) for number, role in enumerate(Role) if done.ids[1] >> number & 1)
        now = tuple(("was.roles", role.value) for role in member.roles)
        return Told("roles", member.name, Undo(place_of(request).link(path), (("loaded", "yes"), *now, *before)))
    if done.what == "teammate" and len(done.ids) == 2:
        fields = (("engineer", str(done.ids[1])),)
        return Told("teammate", member.name, Undo(place_of(request).link(path), fields))
    return None


def _bits(roles: Sequence[Role] | frozenset[Role]) -> int:
    return sum(1 << number for number, role in enumerate(Role) if role in roles)


def _several(value: object) -> tuple[str, ...]:
    return tuple(map(str, cast("tuple[object, ...]", value))) if isinstance(value, tuple) else ()


def _person_in(request: Request) -> PersonId:
    person = numeric_id(request.path_params["person"])
    if person is None:
        raise HTTPException(404)
    return PersonId(person)
