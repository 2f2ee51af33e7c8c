"""Who may log in as the application: nobody whom row-level security does not bind."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict

from steelyard.kit.errors import StoreError, SuperuserError

# A member of a role can become it, so what it can become counts as what it is.
_POWERS = """
SELECT current_user::text,
       (SELECT rolname::text FROM pg_roles
        WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')
        ORDER BY rolname <> current_user, rolname LIMIT 1),
       (SELECT min(owner.rolname)::text FROM pg_class
        JOIN pg_roles AS owner ON owner.oid = relowner
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
          AND pg_has_role(current_user, relowner, 'MEMBER')),
       (SELECT min(owner.rolname)::text FROM pg_proc
        JOIN pg_roles AS owner ON owner.oid = proowner
        WHERE pronamespace = 'public'::regnamespace AND prosecdef
          AND pg_has_role(current_user, proowner, 'MEMBER'))
"""


def role_of(url: str) -> str:
    """The role that `url` logs in as. Raises StoreError when it names none."""
    role = conninfo_to_dict(url).get("user")
    if not role:
        raise StoreError("the database URL names no role: write it as postgresql://role@host/database")
    return str(role)


async def refuse_power(conn: AsyncConnection) -> None:
    """Raises SuperuserError when this connection's role could see more than the workspace it names."""
    row = await (await conn.execute(_POWERS)).fetchone()
    role, almighty, owner, crossing = row or ("", None, None, None)
    if almighty is not None:
        what = "is a superuser or has BYPASSRLS" if almighty == role else f"can become {almighty}, which ignores it"
    elif owner is not None:
        what = "owns the tables" if owner == role else f"can become {owner}, which owns the tables"
    elif crossing is not None:
        what = f"can become {crossing}, which crosses workspaces"
    else:
        return
    raise SuperuserError(
        f"row-level security would not hold for the role {role}: it {what}. Let DATABASE_URL log in as a plain role of "
        "its own (CREATE ROLE steelyard_app LOGIN) and put the tables' owner into DATABASE_OWNER_URL"
    )
