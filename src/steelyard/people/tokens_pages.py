"""API tokens: one's own, and for who may, everybody's; making one, which is shown once, and revoking."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.ids import PersonId, numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.gate import standing_of
from steelyard.people.ground import Ground, actor_of
from steelyard.people.permissions import OWN_ACCOUNT_ONLY, Permission, Standing, granted
from steelyard.people.record import act, record
from steelyard.people.tokens import LIVES, Listed, make_token, revoke, tokens_of
from steelyard.people.words import PERMISSIONS
from steelyard.web.data import answer_table, data_routes, wants_rows
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.language import N_
from steelyard.web.routes import PageRoute
from steelyard.web.tables import Choice, Column, Holds, Table
from steelyard.web.toasts import Done, done_of, told
from steelyard.web.viewer import place_of, viewer_of

_MOST: Final = 50
"""Open tokens of one person in one workspace."""

TOKENS: Final = Table[Listed](
    "tokens",
    (
        Column("name", N_("Name"), lambda row: row.name, sorts=True, filter=Holds(), heads=True),
        Column("owner", N_("Whose"), lambda row: row.owner, sorts=True, filter=Holds()),
        Column("scopes", N_("May"), lambda row: tuple(each.value for each in row.permissions)),
        Column("created_at", N_("Made"), lambda row: row.created_at, sorts=True),
        Column("used_at", N_("Last used"), lambda row: row.used_at, sorts=True),
        Column("expires_at", N_("Ends"), lambda row: row.expires_at, sorts=True),
        Column("revoked_at", N_("Revoked"), lambda row: row.revoked_at, data_only=True),
        Column("token", N_("Id"), lambda row: row.token, data_only=True),
        Column("person", N_("Id"), lambda row: row.person, data_only=True),
    ),
    sort="-created_at",
)


class Made(NamedTuple):
    """A token that was just made, in the clear for this once."""

    name: str
    secret: str


class TokensPages:
    """What these routes do."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    async def tokens(self, request: Request) -> Response:
        """One's own tokens; everybody's for who may revoke them."""
        return await self._list(request, _form(standing_of(request)).empty({"life": LIVES[1].days}))

    async def make(self, request: Request) -> Response:
        """Makes a token with a part of what the person may do."""
        standing = standing_of(request)
        filled = await _form(standing).of(request)
        if standing.person is None:
            raise HTTPException(404)
        if not filled.ok:
            return await self._list(request, filled)
        name, now = str(filled.values["name"]), self._ground.clock()
        async with self._ground.database.transaction(standing.workspace) as conn:
            await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")
            if sum(each.is_open(now) for each in await tokens_of(conn, standing.person)) >= _MOST:
                too_many = N_("You have %(most)s open tokens: revoke one that nothing uses any more.")
                filled = filled.wrong("name", too_many, most=_MOST)
            else:
                scopes, life = _scopes(filled), timedelta(days=int(str(filled.values["life"])))
                number, secret = await make_token(conn, standing.workspace, standing.person, name, scopes, life, now)
                fact = act("token.made", standing.person, now, of=standing.person, token=number)
                await record(self._ground.ledger, conn, standing.workspace, fact)
                return self._ground.pages.answer(request, "people/token_made.html", made=Made(name, secret))
        return await self._list(request, filled)

    async def revoke(self, request: Request) -> Response:
        """Ends a token for good: one's own, or anybody's for who may."""
        standing, now = standing_of(request), self._ground.clock()
        token = numeric_id(request.path_params["token"])
        anybodys = viewer_of(request).may(Permission.CHANGE_TOKENS)
        if token is None or (standing.person is None and not anybodys):
            raise HTTPException(404)
        async with self._ground.database.transaction(standing.workspace) as conn:
            owner = await revoke(conn, token, None if anybodys else standing.person, now)
            if owner is None:
                raise HTTPException(404)
            fact = act("token.revoked", actor_of(request), now, of=owner, token=token)
            await record(self._ground.ledger, conn, standing.workspace, fact)
        return told(place_of(request), "/tokens", Done("revoked", (token,)))

    async def _list(self, request: Request, filled: Filled) -> Response:
        standing, now = standing_of(request), self._ground.clock()
        anybodys = viewer_of(request).may(Permission.CHANGE_TOKENS)
        async with self._ground.database.transaction(standing.workspace) as conn:
            person = None if anybodys else standing.person or PersonId(0)
            listed = await tokens_of(conn, person)
        data = wants_rows(request)
        rows = listed if data else [each for each in listed if each.is_open(now)]
        shown = TOKENS.of_rows(rows, TOKENS.read(request.query_params, everything=data), viewer_of(request).zone)
        done = done_of(request.query_params, {"revoked"})
        gone = [each.name for each in listed if done is not None and (each.token,) == done.ids and each.revoked_at]
        answer = answer_table(
            self._ground.pages,
            request,
            "people/tokens.html",
            shown,
            form=filled if standing.person is not None and standing.scopes is None else None,
            revoked=gone[0] if gone else None,
            anybodys=anybodys,
            permissions=PERMISSIONS,
            soon=now + timedelta(days=7),
        )
        answer.status_code = filled.status
        return answer


def routes(ground: Ground) -> list[PageRoute]:
    """`/tokens` and what is below it."""
    room, own = TokensPages(ground), Permission.USE_TOKENS
    return [
        *data_routes("/tokens", room.tokens, Scope.WORKSPACE, own),
        PageRoute("/tokens", room.make, Scope.WORKSPACE, own, methods=["POST"]),
        PageRoute("/tokens/{token:int}/revoke", room.revoke, Scope.WORKSPACE, own, methods=["POST"]),
    ]


def _form(standing: Standing) -> Form:
    """What may be chosen: a part of what the person may do themselves."""
    offered = [each for each in Permission if each in granted(standing) - OWN_ACCOUNT_ONLY]
    return Form(
        (
            Field("name", N_("What it is for"), most=80, help=N_("A name by which you know it when you revoke it.")),
            Field(
                "scopes",
                N_("What it may do"),
                "choices",
                choices=tuple(Choice(each.value, PERMISSIONS[each]) for each in offered),
                help=N_("Never more than you may do yourself at the moment when it is used."),
            ),
            Field("life", N_("For how long"), "choice", choices=_LIVES),
        )
    )


_LIVES: Final = (
    Choice("7", N_("7 days")),
    Choice("30", N_("30 days")),
    Choice("90", N_("90 days")),
    Choice("365", N_("365 days")),
)


def _scopes(filled: Filled) -> list[Permission]:
    chosen = filled.values["scopes"]
    return [Permission(each) for each in cast("tuple[str, ...]", chosen)] if isinstance(chosen, tuple) else []
