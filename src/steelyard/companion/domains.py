"""The domains that a team trusts: anybody proposes one, a lead decides, and whatever was decided can be undone."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from psycopg import AsyncConnection

from steelyard.companion.ground import CompanionGround, CompanionRefused
from steelyard.companion.suffixes import is_shared
from steelyard.companion.trust import AnybodysError, trusting
from steelyard.people.permissions import Standing
from steelyard.people.record import act, record

MOST_TRUSTED, MOST_PROPOSED = 2000, 200


class State(StrEnum):
    """Where a domain stands."""

    PROPOSED = "proposed"
    TRUSTED = "trusted"
    DECLINED = "declined"
    REMOVED = "removed"
    """Trusted once, or taken back before anybody decided."""


_MOST: Final = {State.PROPOSED: (MOST_PROPOSED, "full"), State.TRUSTED: (MOST_TRUSTED, "many")}
_LONGEST: Final = 254
"""Of a name of a host, with a sign before it."""
_HOST: Final = re.compile(r"=?(?:[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*|\[[0-9a-f:.]+\])")


class Domain(NamedTuple):
    """A domain, who proposed it and who decided; names are empty for this machine, and for who is known no more."""

    trust: int
    domain: str
    state: State
    proposed_by: str
    proposed_at: datetime
    decided_by: str
    decided_at: datetime | None


async def read_domains(conn: AsyncConnection[Any]) -> list[Domain]:
    """All domains of the transaction's workspace, by name."""
    rows = await (
        await conn.execute(
            "SELECT trust, domain, state, coalesce(proposer.name, ''), proposed_at, coalesce(decider.name, ''),"
            " decided_at FROM companion_trust LEFT JOIN person AS proposer ON proposer.person = proposed_by"
            " LEFT JOIN person AS decider ON decider.person = decided_by ORDER BY ltrim(domain, '='), domain"
        )
    ).fetchall()
    return [Domain(trust, domain, State(state), *rest) for trust, domain, state, *rest in rows]


async def trusted_in(conn: AsyncConnection[Any]) -> frozenset[str]:
    """The domains that the transaction's workspace trusts, as `is_trusted` compares them."""
    rows = await (await conn.execute("SELECT domain FROM companion_trust WHERE state = 'trusted'")).fetchall()
    return frozenset(domain for (domain,) in rows)


async def propose(ground: CompanionGround, who: Standing, text: str) -> Domain:
    """Proposes a domain, once: where it stands is told for one that is known already. Raises CompanionRefused."""
    return await _put(ground, who, domain_in(text), State.PROPOSED)


async def add(ground: CompanionGround, who: Standing, text: str) -> Domain:
    """Has a domain trusted at once. Raises CompanionRefused."""
    return await _put(ground, who, domain_in(text), State.TRUSTED)


async def decide(ground: CompanionGround, who: Standing, trust: int, seen: State, to: State) -> Domain:
    """Moves a domain to a state, also back. Raises CompanionRefused where it is no longer where it was `seen`."""
    async with ground.database.transaction(who.workspace) as conn:
        all = await _held(conn)
        known = next((each for each in all if each.trust == trust), None)
        if known is None:
            raise CompanionRefused("no_domain")
        if known.state is not seen:
            raise CompanionRefused("decided", known.domain)
        _require_room(all, to)
        await _move(ground, conn, who, known, to)
    return known._replace(state=to)


def domain_in(text: str) -> str:
    """The domain in a text, as `trusting` makes it. Raises CompanionRefused for what is none, or anybody's."""
    try:
        (domain,) = trusting([text])
    except AnybodysError as error:
        raise CompanionRefused("shared", error.domain) from None
    except ValueError:
        raise CompanionRefused("domain", text) from None
    if len(domain) > _LONGEST or not _HOST.fullmatch(domain):
        raise CompanionRefused("domain", text)
    if is_shared(domain):
        raise CompanionRefused("shared", domain)
    return domain


async def _put(ground: CompanionGround, who: Standing, domain: str, to: State) -> Domain:
    """Has a domain at least where it is wanted: one that was decided on is not proposed again."""
    async with ground.database.transaction(who.workspace) as conn:
        all = await _held(conn)
        known = next((each for each in all if each.domain == domain), None)
        decided = known is not None and to is State.PROPOSED and known.state is not State.REMOVED
        if known is not None and (known.state is to or decided):
            return known
        _require_room(all, to)
        if known is None:
            return await _insert(ground, conn, who, domain, to)
        if to is State.PROPOSED:
            await conn.execute(
                "UPDATE companion_trust SET proposed_by = %s, proposed_at = %s WHERE trust = %s",
                [who.person, ground.clock(), known.trust],
            )
        await _move(ground, conn, who, known, to)
    return known._replace(state=to)


def _require_room(all: list[Domain], to: State) -> None:
    """That one more may stand there. Raises CompanionRefused."""
    most, code = _MOST.get(to, (None, ""))
    if most is not None and sum(each.state is to for each in all) >= most:
        raise CompanionRefused(code)


async def _held(conn: AsyncConnection[Any]) -> list[Domain]:
    """All domains; nobody else changes one until the transaction ends."""
    await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")
    return await read_domains(conn)


async def _insert(
    ground: CompanionGround, conn: AsyncConnection[Any], who: Standing, domain: str, state: State
) -> Domain:
    now = ground.clock()
    decided = (who.person, now) if state is State.TRUSTED else (None, None)
    row = await (
        await conn.execute(
            "INSERT INTO companion_trust (workspace, domain, state, proposed_by, proposed_at, decided_by, decided_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING trust",
            [who.workspace, domain, state, who.person, now, *decided],
        )
    ).fetchone()
    trust = int(row[0]) if row is not None else 0
    await _told(ground, conn, who, trust, state)
    return Domain(trust, domain, state, "", now, "", decided[1])


async def _move(ground: CompanionGround, conn: AsyncConnection[Any], who: Standing, known: Domain, to: State) -> None:
    decided = (None, None) if to is State.PROPOSED else (who.person, ground.clock())
    await conn.execute(
        "UPDATE companion_trust SET state = %s, decided_by = %s, decided_at = %s WHERE trust = %s",
        [to, *decided, known.trust],
    )
    await _told(ground, conn, who, known.trust, to)


async def _told(ground: CompanionGround, conn: AsyncConnection[Any], who: Standing, trust: int, state: State) -> None:
    kind = f"companion.domain_{state.value}"
    await record(ground.ledger, conn, who.workspace, act(kind, who.person, ground.clock(), trust=trust))
