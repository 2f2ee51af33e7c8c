"""The settings of the toolbox: who may run what on which sites, whether two are needed, how long trash is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission, Role
from steelyard.people.words import ROLES
from steelyard.store.database import Connection, Database
from steelyard.store.ledger import Ledger
from steelyard.toolbox import store
from steelyard.toolbox.model import Risk
from steelyard.toolbox.rules import NEEDS, NOTHING, Rule
from steelyard.toolbox.rules_store import Safety, change_rules, read_rules, read_safety
from steelyard.web.console import Clock
from steelyard.web.data import plain
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.pages import Pages
from steelyard.web.routes import PageRoute
from steelyard.web.said import N_
from steelyard.web.tables import Choice
from steelyard.web.toasts import Done, done_of, told
from steelyard.web.viewer import place_of

AS_ROLES_SAY: Final = "role"
"""The choice of no rule."""

_MOST: Final = (
    Choice(AS_ROLES_SAY, N_("as the role says")),
    Choice(NOTHING, N_("nothing")),
    Choice(Risk.READS.value, N_("only what reads")),
    Choice(Risk.CHANGES.value, N_("what reads or changes")),
    Choice(Risk.DESTROYS.value, N_("everything the role may")),
)
_SAFETY: Final = (
    Field(
        "approve_destroys",
        N_("What destroys needs a second person"),
        "switch",
        help=N_("Somebody else, who may run it too, looks at the plan and approves it before it begins."),
        required=False,
    ),
    Field(
        "keep_trash",
        N_("Days in which a run can be undone"),
        "number",
        least=1,
        most=365,
        help=N_("What runs move aside stays on the site’s host for so long, and takes room there."),
    ),
    Field(
        "runs_at_once",
        N_("Sites at once"),
        "number",
        least=1,
        most=50,
        help=N_("Of one request for several sites."),
    ),
)
RUNNERS: Final = tuple(role for role in Role if role is not Role.ADMINISTRATOR)
"""The roles that rules are made for. Administrators make the rules: one for them would bind nobody."""


class RulesPages:
    """What these routes do."""

    def __init__(self, database: Database, ledger: Ledger, pages: Pages, clock: Clock) -> None:
        self._database, self._ledger, self._pages, self._clock = database, ledger, pages, clock

    async def show(self, request: Request) -> Response:
        """What holds now, as a form."""
        groups, texts = await self._stored(request)
        return self._draw(request, groups, form_of(groups).loaded(texts))

    async def data(self, request: Request) -> Response:
        """The same as JSON."""
        async with self._database.transaction(standing_of(request).workspace) as conn:
            rules, safety = await read_rules(conn), await read_safety(conn)
        return JSONResponse({"rules": plain(rules), **plain(safety)})

    async def change(self, request: Request) -> Response:
        """Puts what was chosen in force, unless somebody else did meanwhile."""
        groups, texts = await self._stored(request)
        form = form_of(groups)
        filled = await form.of(request)
        if filled.ok:
            filled = filled.against(form.texts(texts))
        if not filled.ok:
            return self._draw(request, groups, filled)
        rules, safety = chosen(filled.values, groups)
        await change_rules(self._database, self._ledger, standing_of(request), rules, safety, self._clock)
        return told(place_of(request), "/settings/toolbox", Done("kept"))

    async def _stored(self, request: Request) -> tuple[list[str], dict[str, object]]:
        async with self._database.transaction(standing_of(request).workspace) as conn:
            rules, safety, groups = await read_rules(conn), await read_safety(conn), await read_groups(conn)
        groups = sorted({"", *groups, *(rule.group for rule in rules)})
        values: dict[str, object] = {
            _key(place, role): AS_ROLES_SAY for place in range(len(groups)) for role in RUNNERS
        }
        for rule in rules:
            if rule.role in RUNNERS:
                values[_key(groups.index(rule.group), rule.role)] = rule.most
        return groups, values | safety._asdict()

    def _draw(self, request: Request, groups: Sequence[str], form: Filled) -> Response:
        return self._pages.answer(
            request,
            "toolbox/rules.html",
            status=form.status,
            form=form,
            groups=list(enumerate(groups)),
            roles=[(role.value, ROLES[role]) for role in RUNNERS],
            risks={risk.value: permission.value for risk, permission in NEEDS.items()},
            done=done_of(request.query_params, {"kept"}),
        )


def form_of(groups: Sequence[str]) -> Form:
    """The form for these groups of sites."""
    rules = (
        Field(_key(place, role), ROLES[role], "choice", choices=_MOST)
        for place in range(len(groups))
        for role in RUNNERS
    )
    return Form((*_SAFETY, *rules))


def chosen(values: Mapping[str, object], groups: Sequence[str]) -> tuple[list[Rule], Safety]:
    """The rules and the rest, as the form says."""
    rules = [
        Rule(group, role, str(values[_key(place, role)]))
        for place, group in enumerate(groups)
        for role in RUNNERS
        if values[_key(place, role)] != AS_ROLES_SAY
    ]
    keep, at_once = cast("int", values["keep_trash"]), cast("int", values["runs_at_once"])
    return rules, Safety(bool(values["approve_destroys"]), keep, at_once)


async def read_groups(conn: Connection) -> list[str]:
    """The groups that sites of the transaction's workspace are in."""
    found = await store.rows(conn, "SELECT DISTINCT site_group FROM site WHERE removed_at IS NULL", {})
    return [row["site_group"] for row in found]


def _key(place: int, role: Role) -> str:
    return f"rule.{place}.{role.value}"


def routes(pages: RulesPages) -> list[PageRoute]:
    """What these pages answer."""
    needs = Permission.CHANGE_TOOLBOX
    return [
        PageRoute("/settings/toolbox", pages.show, Scope.WORKSPACE, needs, methods=["GET"]),
        PageRoute("/settings/toolbox", pages.change, Scope.WORKSPACE, needs, methods=["POST"]),
        PageRoute("/settings/toolbox.json", pages.data, Scope.WORKSPACE, needs),
    ]
