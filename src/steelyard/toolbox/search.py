"""What search finds of the registry: sites by their names and paths, hosts by theirs."""

from __future__ import annotations

from typing import Final, LiteralString

from steelyard.people.permissions import Permission
from steelyard.store.database import Database
from steelyard.web.language import N_
from steelyard.web.search import MOST, Asked, Hit, Searcher

_FIND: Final[LiteralString] = """
SELECT '/sites/' || site, name, docroot FROM site
WHERE removed_at IS NULL AND (name || ' ' || docroot || ' ' || site_group) ILIKE ALL(%(like)s)
UNION ALL
SELECT '/hosts/' || host, name, address FROM host
WHERE removed_at IS NULL AND (name || ' ' || address) ILIKE ALL(%(like)s)
ORDER BY 2 LIMIT %(most)s
"""


def searcher(database: Database) -> Searcher:
    """Finds sites and hosts."""

    async def search(asked: Asked) -> list[Hit]:
        escaped = (word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for word in asked.words)
        like = [f"%{word}%" for word in escaped]
        async with database.transaction(asked.workspace) as conn:
            await conn.execute("SET LOCAL statement_timeout = 1500")
            rows = await (await conn.execute(_FIND, {"like": like, "most": MOST})).fetchall()
        return [Hit(name, path, place) for path, name, place in rows]

    return Searcher("sites", N_("Sites"), search, Permission.SEE_TOOLBOX)
