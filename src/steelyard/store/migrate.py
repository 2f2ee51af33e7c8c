"""Brings a database to this release's schema, and says whether it is there.

The steps are Procrastinate's own schema (number 0, from the installed package) and `migrations/NNNN_name.sql`.
Each is recorded in the table `migration` with a digest of its text; all that are missing run in one transaction.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import psycopg
from psycopg import AsyncConnection, Connection, errors, sql

from steelyard.kit.errors import SchemaError, StoreError, SuperuserError
from steelyard.store.roles import refuse_power, role_of

_LOCK = 0x57EE17A4D
"""Of the advisory lock that lets one starter migrate at a time; any number that nobody else uses."""

_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,62}")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the schema. `name` holds the version where the step is a package's."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex: a step that was applied must not change afterwards."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def steps() -> list[Step]:
    """What this release's schema is made of, in order."""
    packaged = resources.files("procrastinate.sql") / "schema.sql"
    found = [Step(0, f"procrastinate {_procrastinate()}", packaged.read_text(encoding="utf-8"))]
    for file in sorted((resources.files("steelyard.store") / "migrations").iterdir(), key=_name):
        if numbered := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            found.append(Step(int(numbered[1]), numbered[2], file.read_text(encoding="utf-8")))
    return found


def prepare(owner_url: str, app_role: str, cell_role: str = "steelyard_cell") -> list[str]:
    """Migrates as the owner and returns the names of the steps that ran. Safe to call from many starters at once.

    `app_role` must exist; `cell_role` is made when missing if the owner may. Blocks.
    Raises SchemaError for a newer or changed schema, StoreError for roles that do not fit and
    for a server that cannot be reached.
    """
    if role_of(owner_url) == app_role:
        raise SuperuserError(
            f"{app_role} cannot be both the owner and the application: an owner sees past row-level security. "
            "Let DATABASE_URL log in as a plain role of its own"
        )
    with _connect(owner_url) as conn:
        _require_roles(conn, app_role, cell_role)
        with conn.transaction():
            conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            conn.execute("SET LOCAL client_min_messages = warning")
            conn.execute(
                "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, name text NOT NULL,"
                " applied_at timestamptz NOT NULL DEFAULT now(), digest text NOT NULL)"
            )
            applied = conn.execute("SELECT number, name, digest FROM migration ORDER BY number").fetchall()
            pending = _pending(steps(), applied)
            if pending:
                _apply(conn, pending, dict((number, name) for number, name, _ in applied), app_role, cell_role)
            return [step.name for step in pending]


def _connect(owner_url: str) -> Connection:
    try:
        return psycopg.connect(owner_url, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        raise StoreError(
            f"the database cannot be reached as its owner: {said(error)}. "
            "Is it running, and is DATABASE_OWNER_URL right?"
        ) from None


def said(error: psycopg.Error) -> str:
    """What libpq or the server said; nothing of a URL that cannot be read, since it may hold a password."""
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return "its URL cannot be read"
    told = error.diag.message_primary or str(error)
    lines = [line for line in told.splitlines() if not line.startswith("\t")]  # without libpq's hints
    return " ".join(" ".join(lines).split()).rstrip(".")


async def check(app_url: str) -> None:
    """Logs in once and checks role and schema, as every start does. Raises SuperuserError or SchemaError."""
    async with await AsyncConnection.connect(app_url, autocommit=True, connect_timeout=10) as conn:
        await check_connection(conn)


async def check_connection(conn: AsyncConnection) -> None:
    """Raises SuperuserError for a role that is not bound by row-level security, SchemaError for another schema."""
    await refuse_power(conn)
    try:
        found = await conn.execute("SELECT number, name, digest FROM migration ORDER BY number")
    except (errors.UndefinedTable, errors.InsufficientPrivilege):
        raise SchemaError(f"the database {conn.info.dbname} is not prepared for this role: {_HOW}") from None
    pending = _pending(steps(), await found.fetchall())
    if pending:
        missing = ", ".join(step.name for step in pending)
        raise SchemaError(f"the schema of {conn.info.dbname} is older than this release, without {missing}: {_HOW}")


_HOW = "set DATABASE_OWNER_URL to the role that owns the tables and start once more, which migrates it"


def _pending(wanted: list[Step], applied: list[tuple[int, str, str]]) -> list[Step]:
    """The steps still to run. Raises SchemaError where the database knows more than this release, or something else."""
    known = {step.number: step for step in wanted}
    for number, name, digest in applied:
        step = known.get(number)
        if step is None or (number == 0 and _version(name) > _version(step.name)):
            raise SchemaError(
                f"the database was migrated by a newer release (it has {name!r}): start that release, or a newer one"
            )
        if number != 0 and step.digest != digest:
            raise SchemaError(
                f"migration {number} {name!r} is not the one that was applied: released migrations never change. "
                "Restore the file, or start with an empty database"
            )
    digests = {number: digest for number, _, digest in applied}
    return [step for step in wanted if digests.get(step.number) != step.digest]


def _apply(conn: Connection, pending: list[Step], before: dict[int, str], app_role: str, cell_role: str) -> None:
    app, cell = sql.Identifier(app_role), sql.Identifier(cell_role)
    names = {"{app}": app.as_string(conn), "{cell}": cell.as_string(conn)}
    # A function's new owner must be allowed to create in its schema. Nobody else may: they could shadow what is used.
    conn.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    conn.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}, {}").format(app, cell))
    conn.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(cell))
    for step in pending:
        if step.number == 0:
            _apply_procrastinate(conn, step, before.get(0), app)
        else:
            _run(conn, re.sub(r"\{(app|cell)\}", lambda found: names[found[0]], step.text))
        conn.execute(
            "INSERT INTO migration (number, name, digest) VALUES (%s, %s, %s) ON CONFLICT (number) DO UPDATE"
            " SET name = excluded.name, digest = excluded.digest, applied_at = now()",
            [step.number, step.name, step.digest],
        )
    conn.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM {}").format(cell))
    conn.execute(sql.SQL("GRANT SELECT ON migration TO {}").format(app))


def _apply_procrastinate(conn: Connection, step: Step, before: str | None, app: sql.Identifier) -> None:
    """Its whole schema on an empty database, else its migrations since the version that was applied."""
    if before is None:
        _run(conn, step.text)
    else:
        for file in sorted((resources.files("procrastinate.sql") / "migrations").iterdir(), key=_name):
            if file.name.endswith(".sql") and _version(before) < _version(file.name) <= _version(step.name):
                _run(conn, file.read_text(encoding="utf-8"))
    found = conn.execute(
        "SELECT relname, relkind = 'S' FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') AND relname LIKE 'procrastinate%%'",
        [],
    )
    for name, is_sequence in found.fetchall():
        rights = sql.SQL("USAGE, SELECT ON SEQUENCE") if is_sequence else sql.SQL("SELECT, INSERT, UPDATE, DELETE ON")
        conn.execute(sql.SQL("GRANT {} {} TO {}").format(rights, sql.Identifier(name), app))


def _run(conn: Connection, text: str) -> None:
    conn.execute(text.encode(), prepare=False)


def _require_roles(conn: Connection, app_role: str, cell_role: str) -> None:
    owner = conn.info.user
    for role in (app_role, cell_role):
        if not _ROLE.fullmatch(role):
            raise StoreError(
                f"the role {role!r} has characters that migrations cannot name: use letters, digits, _ . @ -"
            )
    if not _exists(conn, app_role):
        raise StoreError(
            f"the role {app_role} does not exist: as a superuser run  CREATE ROLE {app_role} LOGIN PASSWORD …"
        )
    if _can_become(conn, cell_role):
        return
    cell, me = sql.Identifier(cell_role), sql.Identifier(owner)
    try:
        with conn.transaction():
            if not _exists(conn, cell_role):
                conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(cell))
            conn.execute(sql.SQL("GRANT {} TO {}").format(cell, me))
    except (errors.DuplicateObject, errors.UniqueViolation):
        _require_roles(conn, app_role, cell_role)  # another database's starter made it a moment ago
    except errors.InsufficientPrivilege:
        create = "" if _exists(conn, cell_role) else f"CREATE ROLE {cell_role} NOLOGIN; "
        raise StoreError(
            f"{owner} cannot make the role that crosses workspaces: as a superuser run  {create}"
            f"GRANT {cell_role} TO {owner};"
        ) from None


def _exists(conn: Connection, role: str) -> bool:
    return conn.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None


def _can_become(conn: Connection, role: str) -> bool:
    if not _exists(conn, role):
        return False
    how = "SET" if conn.info.server_version >= 160000 else "MEMBER"
    row = conn.execute("SELECT pg_has_role(current_user, %s::name, %s)", [role, how]).fetchone()
    return row is not None and bool(row[0])


def _procrastinate() -> str:
    return importlib.metadata.version("procrastinate")


def _version(name: str) -> tuple[int, ...]:
    """The first dotted version in `procrastinate 3.10.0` or `03.04.00_01_pre_….sql`."""
    found = re.search(r"\d+(?:\.\d+)+", name)
    return tuple(map(int, found[0].split("."))) if found else ()


def _name(file: Traversable) -> str:
    return file.name
