"""Full-text search of the handbook, in English and French, without regard to accents: what ships is searched too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection

from steelyard.kit.ids import WorkspaceId
from steelyard.people.permissions import Permission
from steelyard.store.database import Database
from steelyard.toolbox.handbook.ground import TITLES
from steelyard.toolbox.handbook.model import (
    LANGUAGES,
    Language,
    Part,
    folded,
    language_in,
    other_than,
    snippet,
    words_of,
)
from steelyard.toolbox.handbook.shipped import Key, shipped
from steelyard.toolbox.handbook.store import Page, read_some
from steelyard.web.language import N_
from steelyard.web.search import MOST as MOST_HITS
from steelyard.web.search import Asked, Hit, Searcher

MOST: Final = 30
_MOST_WORDS: Final = 12
_CONFIGS: Final[Mapping[Language, str]] = {"en": "english", "fr": "french"}

Connection = AsyncConnection[Any]


class Found(NamedTuple):
    """A page that was found. `elsewhere`: it is in the language that the reader does not read in."""

    page: Page
    snippet: tuple[Part, ...]
    elsewhere: bool


# What ends the query is the beginning of a word, too: it is found while it is typed.
_FIND: Final[LiteralString] = """
WITH asked AS MATERIALIZED (
    SELECT plainto_tsquery(%(config)s::regconfig, %(rest)s)
           && (to_tsquery(%(config)s::regconfig, %(last)s) || to_tsquery('simple', %(last)s)) AS query
), known AS (
    SELECT slug, words FROM handbook_page
    WHERE workspace = %(workspace)s AND language = %(language)s AND own AND removed_at IS NULL
    UNION ALL
    SELECT ship.slug, ship.words::tsvector FROM unnest(%(slugs)s::text[], %(words)s::text[]) AS ship (slug, words)
    WHERE NOT EXISTS (
        SELECT FROM handbook_page AS over WHERE over.workspace = %(workspace)s AND over.slug = ship.slug
        AND over.language = %(language)s AND (over.own OR over.removed_at IS NOT NULL))
)
SELECT slug FROM known, asked WHERE words @@ query
ORDER BY ts_rank('{0.02, 0.1, 0.3, 1.0}', words, query, 1) DESC, slug LIMIT %(most)s
"""

_WEIGH: Final[LiteralString] = """
SELECT (setweight(to_tsvector(%(config)s::regconfig, split_part(text, E'\\n', 1)), 'A')
        || to_tsvector(%(config)s::regconfig, split_part(text, E'\\n', 2)))::text
FROM unnest(%(texts)s::text[]) WITH ORDINALITY AS each (text, place) ORDER BY place
"""

_shipped: dict[Language, tuple[list[str], list[str]]] = {}
"""The slugs of the pages that ship, and what is searched of them, as the server made it at the first search."""


async def find(
    conn: Connection, workspace: WorkspaceId, asked: str, language: Language, most: int = MOST
) -> list[Found]:
    """The pages that hold all words of `asked`, best first: those in `language`, then those that are not."""
    words = words_of(asked)[:_MOST_WORDS]
    if not words:
        return []
    keys: list[Key] = []
    for each in (language, other_than(language)):
        taken = {slug for slug, _ in keys}
        for slug in await _found(conn, workspace, words, each, most):
            if slug not in taken:
                keys.append((slug, each))
    pages = await read_some(conn, workspace, keys[:most])
    found = [pages[key] for key in keys[:most] if key in pages]
    return [Found(page, snippet(page.text.body, words), page.language != language) for page in found]


async def _found(
    conn: Connection, workspace: WorkspaceId, words: Sequence[str], language: Language, most: int
) -> list[str]:
    slugs, weighed = await _weighed(conn, language)
    values = {
        "workspace": workspace,
        "language": language,
        "config": _CONFIGS[language],
        "rest": " ".join(words[:-1]),
        "last": f"'{words[-1]}':*",
        "slugs": slugs,
        "words": weighed,
        "most": most,
    }
    return [slug for (slug,) in await (await conn.execute(_FIND, values)).fetchall()]


async def _weighed(conn: Connection, language: Language) -> tuple[list[str], list[str]]:
    if language not in _shipped:
        texts = {slug: folded(page.text) for (slug, each), page in shipped().items() if each == language}
        values = {"config": _CONFIGS[language], "texts": list(texts.values())}
        rows = await (await conn.execute(_WEIGH, values)).fetchall()
        _shipped[language] = list(texts), [words for (words,) in rows]
    return _shipped[language]


def searcher(database: Database) -> Searcher:
    """The handbook in the console's search."""

    async def search(asked: Asked) -> list[Hit]:
        language = language_in(asked.language) or LANGUAGES[0]
        async with database.transaction(asked.workspace) as conn:
            await conn.execute("SET LOCAL statement_timeout = 1500")
            found = await find(conn, asked.workspace, " ".join(asked.words), language, MOST_HITS)
        return [_hit(each, asked) for each in found]

    return Searcher("handbook", N_("Handbook"), search, Permission.SEE_TOOLBOX)


def _hit(found: Found, asked: Asked) -> Hit:
    slug, language = found.page.key
    query = {"in": language} if found.elsewhere else {}
    said = "".join(part.text for part in found.snippet)[:120]
    note = f"{TITLES[language]} · {said}" if found.elsewhere else said
    return Hit(found.page.text.title, asked.place.link(f"/handbook/{slug}", **query), note)
