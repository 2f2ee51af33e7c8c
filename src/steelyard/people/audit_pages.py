"""The audit: who did what, when, to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.scopes import Scope
from steelyard.people.audit import DEEDS, Telling, read_deeds
from steelyard.people.gate import standing_of
from steelyard.people.ground import Ground
from steelyard.people.members import names_of
from steelyard.people.permissions import Permission, Role
from steelyard.people.words import ROLES
from steelyard.web.data import answer_table, data_routes, wants_rows
from steelyard.web.language import N_
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Choice
from steelyard.web.viewer import viewer_of

TELLING: Final = Telling(
    "people/told.html",
    {
        "person.signed_in": N_("Signed in"),
        "person.held": N_("Sign-in slowed down"),
        "person.joined": N_("Became a member"),
        "person.roles_changed": N_("Roles changed"),
        "person.engineer_changed": N_("Intercom teammate changed"),
        "person.removed": N_("Removed"),
        "person.link_made": N_("Link for a password made"),
        "person.password_chosen": N_("Password chosen"),
        "person.sessions_ended": N_("Sessions ended"),
        "token.made": N_("API token made"),
        "token.revoked": N_("API token revoked"),
        "settings.changed": N_("Settings changed"),
        "notification.changed": N_("Notification changed"),
    },
)


def routes(ground: Ground, tellings: Sequence[Telling]) -> list[PageRoute]:
    """`/audit`, also as data. `tellings`: how the deeds of each room are told."""
    templates = {kind: telling.template for telling in tellings for kind in telling.kinds}
    kinds = {kind: words for telling in tellings for kind, words in telling.kinds.items()}

    async def audit(request: Request) -> Response:
        workspace, zone = standing_of(request).workspace, viewer_of(request).zone
        async with ground.database.transaction(workspace) as conn:
            people = await names_of(conn)
            engineers = {each.engineer: each.name for each in await ground.teammates(conn)}
            someone = [Choice(str(person), name) for person, name in people.items()]
            deeds = (
                DEEDS.with_choices("who", someone)
                .with_choices("whom", someone)
                .with_choices("kind", [Choice(kind, words) for kind, words in kinds.items()])
                .with_choices("engineer", [Choice(str(engineer), name) for engineer, name in engineers.items()])
            )
            query = deeds.read(request.query_params, everything=wants_rows(request))
            rows, total = await read_deeds(conn, deeds.clauses(query, zone), people, engineers)
        return answer_table(
            ground.pages,
            request,
            "people/audit.html",
            deeds.of_page(rows, query, total),
            templates=templates,
            kinds=kinds,
            roles=list(Role),
            role_words=ROLES,
        )

    return data_routes("/audit", audit, Scope.WORKSPACE, Permission.SEE_AUDIT)
