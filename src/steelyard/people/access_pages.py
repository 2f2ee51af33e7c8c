"""What somebody may do here and through which role, and what not and which roles would allow it."""

from __future__ import annotations

from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.ids import PersonId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.ground import Ground
from steelyard.people.members import Member, members_of
from steelyard.people.permissions import GRANTS, Permission, Role, Standing, Verdict, judge
from steelyard.people.words import PERMISSIONS, ROLES
from steelyard.web.data import answer_table, data_routes, wants_rows
from steelyard.web.language import N_
from steelyard.web.routes import SIGNED_IN, PageRoute
from steelyard.web.tables import Choice, Column, Is, Table
from steelyard.web.viewer import viewer_of

ACCESS: Final = Table[Verdict](
    "access",
    (
        Column("need", N_("What"), lambda row: row.permission.value, filter=Is(), heads=True),
        Column("allowed", N_("Allowed"), lambda row: row.allowed),
        Column("through", N_("Through"), lambda row: tuple(role.value for role in row.through)),
        Column("others", N_("These would allow it"), lambda row: tuple(role.value for role in row.others)),
        Column("by_token", N_("Withheld by the token"), lambda row: row.by_token, data_only=True),
    ),
    also=frozenset({"person"}),
).with_choices("need", [Choice(each.value, PERMISSIONS[each]) for each in Permission])


class Access(NamedTuple):
    """Whose permissions are shown. `member` is None where they are the asker's own."""

    member: Member | None
    roles: tuple[Role, ...]
    by_token: bool
    """Whether an API token asks, which has a part of them."""
    others: tuple[Member, ...]
    """Who else can be looked at."""


def routes(ground: Ground) -> list[PageRoute]:
    """`/access`, also as data."""

    async def access(request: Request) -> Response:
        own = standing_of(request)
        members = await _members(ground, own)
        member = _wanted(request, own, members)
        standing = own if member is None else Standing(own.workspace, member.person, frozenset(member.roles))
        query = ACCESS.read(request.query_params, everything=wants_rows(request))
        verdicts = [judge(standing, each) for each in Permission]
        shown = ACCESS.of_rows(verdicts, query, viewer_of(request).zone)
        roles = tuple(role for role in Role if role in standing.roles)
        view = Access(member, roles, standing.scopes is not None, tuple(members))
        return answer_table(
            ground.pages,
            request,
            "people/access.html",
            shown,
            view=view,
            permissions=PERMISSIONS,
            role_words=ROLES,
            grants=GRANTS,
        )

    return data_routes("/access", access, Scope.WORKSPACE, SIGNED_IN)


async def _members(ground: Ground, own: Standing) -> list[Member]:
    """Everybody, for who may see who is here; nobody else for all others."""
    if not judge(own, Permission.SEE_PEOPLE).allowed:
        return []
    async with ground.database.transaction(own.workspace) as conn:
        return await members_of(conn, ground.clock())


def _wanted(request: Request, own: Standing, members: list[Member]) -> Member | None:
    asked = request.query_params.get("person")
    person = numeric_id(asked) if asked else None
    if not asked or (person is not None and person == own.person):
        return None
    found = next((each for each in members if each.person == PersonId(person or 0)), None)
    if found is None:
        raise HTTPException(404)
    return found
