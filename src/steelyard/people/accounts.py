"""Signing in, and choosing a password by a link: what changes in the database, and the facts of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from steelyard.kit.facts import Fact
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.attempts import FREE_PER_ADDRESS, Held, attempt, failures_of, forget, succeeded
from steelyard.people.links import Invitation, use_link
from steelyard.people.members import join, person_of_address
from steelyard.people.passwords import PasswordError, check_choice, fits, hashed
from steelyard.people.permissions import Role
from steelyard.people.record import act, change_own, record, record_everywhere, workspaces_of
from steelyard.people.sessions import end_sessions, open_session
from steelyard.store.database import Connection, Database, see_own
from steelyard.store.ledger import Ledger
from steelyard.web.viewer import Preferences


class Caller(NamedTuple):
    """Where somebody signs in from: the browser in a few words, and the machine's address, which is not stored."""

    agent: str
    place: str


class Wrong(NamedTuple):
    """Address and password do not belong together; which of them is wrong is not said."""


async def sign_in(
    database: Database, ledger: Ledger, address: str, password: str, caller: Caller, now: datetime
) -> str | Wrong | Held:
    """The cookie of a fresh session, where `password` is that of `address`; else why not."""
    held = await attempt(database, address, caller.place, now)
    if held is not None:
        return held
    async with database.cell() as conn:
        row = await (await conn.execute("SELECT * FROM person_signing_in(%s)", [address.strip()])).fetchone()
    person, stored = row or (None, None)
    if not await fits(password, stored) or person is None:
        # Asked for everybody: how long an answer takes tells nobody who may sign in.
        failures = await failures_of(database, address)
        if person is not None and failures == FREE_PER_ADDRESS + 1:
            fact = act("person.held", None, now, of=person)
            await record_everywhere(ledger, database, await workspaces_of(database, PersonId(person)), fact)
        return Wrong()
    await succeeded(database, address, caller.place)
    return await let_in(database, ledger, PersonId(person), caller, now)


async def let_in(database: Database, ledger: Ledger, person: PersonId, caller: Caller, now: datetime) -> str:
    """The cookie of a fresh session of `person`, who has shown who they are."""
    token = await open_session(database, person, caller.agent, now)
    fact = act("person.signed_in", person, now)
    await record_everywhere(ledger, database, await workspaces_of(database, person), fact)
    return token


async def enter_by_link(
    database: Database,
    ledger: Ledger,
    invitation: Invitation,
    token: str,
    chosen: Invitation,
    password: str,
    caller: Caller,
    now: datetime,
) -> PersonId | None:
    """Uses up the link `token`: the person chooses their password, or becomes an administrator as `chosen` says.

    None where the link was used meanwhile. Raises PasswordError before anything is used up. Who has a password already
    becomes an administrator by showing it: a link for somebody new opens nobody else's account.
    """
    known = invitation.person is None and await _shows_password(database, chosen.address, password, caller, now)
    if not known:
        check_choice(password, chosen.address)
    stored = None if known else await hashed(password)
    async with database.transaction(invitation.workspace) as conn:
        if not await use_link(conn, token, now):
            return None
        person = invitation.person
        if person is None:
            person = await person_of_address(conn, chosen.address, chosen.name)
            if not known and await _is_somebody(conn, invitation.workspace, chosen.address):
                raise PasswordError("taken")
            await join(conn, ledger, invitation.workspace, person, {Role.ADMINISTRATOR}, now)
        if stored is not None:
            await write_password(conn, person, stored)
            await record(ledger, conn, invitation.workspace, act("person.password_chosen", person, now))
    if stored is not None:
        elsewhere = [each for each in await workspaces_of(database, person) if each != invitation.workspace]
        await record_everywhere(ledger, database, elsewhere, act("person.password_chosen", person, now))
    await forget(database, chosen.address)
    return person


async def _shows_password(database: Database, address: str, password: str, caller: Caller, now: datetime) -> bool:
    """Whether `address` has a password, and it is this one. Raises PasswordError where it has another one."""
    async with database.cell() as conn:
        row = await (await conn.execute("SELECT password FROM person_signing_in(%s)", [address.strip()])).fetchone()
    if row is None or row[0] is None:
        return False
    if await attempt(database, address, caller.place, now) is not None or not await fits(password, row[0]):
        raise PasswordError("taken")
    return True


async def _is_somebody(conn: Connection, workspace: WorkspaceId, address: str) -> bool:
    """Whether a password for `address` would open more than `workspace`, or take the place of another."""
    row = await (
        await conn.execute(
            "SELECT password IS NOT NULL OR EXISTS (SELECT FROM workspaces_of_person(person) AS each WHERE each != %s)"
            " FROM person_signing_in(%s)",
            [workspace, address.strip()],
        )
    ).fetchone()
    return row is not None and bool(row[0])


async def change_password(
    database: Database,
    ledger: Ledger,
    person: PersonId,
    session: int,
    old: str,
    new: str,
    caller: Caller,
    now: datetime,
) -> Wrong | Held | None:
    """Puts `new` in the place of `old`, and ends the person's other sessions. Raises PasswordError for `new`.

    Wrong where `old` is not the password: it counts as a failed attempt to sign in.
    """
    async with database.person(person) as conn:
        row = await (await conn.execute("SELECT address FROM person WHERE person = %s", [person])).fetchone()
    address = row[0] if row is not None else ""
    check_choice(new, address)
    held = await attempt(database, address, caller.place, now)
    if held is not None:
        return held
    async with database.cell() as conn:
        row = await (await conn.execute("SELECT password FROM person_signing_in(%s)", [address])).fetchone()
    if not await fits(old, row[0] if row is not None else None):
        return Wrong()
    await succeeded(database, address, caller.place)
    stored = await hashed(new)

    async def change(conn: Connection) -> Fact:
        await write_password(conn, person, stored, keep=session)
        return act("person.password_chosen", person, now)

    await change_own(ledger, database, person, change)
    return None


async def read_account(conn: Connection, person: PersonId) -> tuple[str, str, Preferences]:
    """Name, address and preferences of `person`, in a transaction of their own."""
    row = await (
        await conn.execute(
            "SELECT name, address, language, theme, zone, single_keys FROM person WHERE person = %s", [person]
        )
    ).fetchone()
    assert row is not None  # noqa: S101 - they have a session
    name, address, *chosen = row
    return name, address, Preferences(*chosen)


async def write_account(conn: Connection, person: PersonId, name: str, chosen: Preferences) -> None:
    """Stores what somebody chose for themselves, in a transaction of their own."""
    await conn.execute(
        "UPDATE person SET name = %s, language = %s, theme = %s, zone = %s, single_keys = %s WHERE person = %s",
        [name, chosen.language, chosen.theme, chosen.zone, chosen.single_keys, person],
    )


async def write_password(conn: Connection, person: PersonId, stored: str, keep: int | None = None) -> None:
    """Writes what is stored of a password, in whichever transaction `conn` is in; ends all sessions but `keep`.

    Codes to connect browsers by end too. API tokens stay, a connected browser's among them: whoever makes one sees it.
    """
    await see_own(conn, person)
    await conn.execute("UPDATE person SET password = %s WHERE person = %s", [stored, person])
    await end_sessions(conn, keep)
    await conn.execute("SELECT drop_companion_codes(%s)", [person])
