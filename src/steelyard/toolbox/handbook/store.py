"""The pages of a workspace: those that ship, and before them what the team wrote, imported, checked or removed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from steelyard.kit.errors import SteelyardError
from steelyard.kit.ids import PersonId, WorkspaceId
from steelyard.people.record import act
from steelyard.store.ledger import Ledger
from steelyard.toolbox.handbook.imported import Stored
from steelyard.toolbox.handbook.model import Language, Text, folded
from steelyard.toolbox.handbook.shipped import Key, shipped
from steelyard.toolbox.model import digest_of

STALE_AFTER: Final = timedelta(days=180)
NOBODY: Final = PersonId(0)

Connection = AsyncConnection[Any]


class HandbookError(SteelyardError):
    """What cannot be done to a page. `code`: `missing`, `exists`, `stale` (somebody changed it meanwhile)."""

    def __init__(self, code: str) -> None:
        super().__init__(f"this cannot be done to a page of the handbook: {code}")
        self.code = code


class Page(NamedTuple):
    """A page as the workspace has it."""

    slug: str
    language: Language
    text: Text
    ships: bool
    """Whether a page of this slug comes with this release."""
    own: bool
    """Whether the text is the team's own."""
    number: int
    """That of its row; 0 where the team has said nothing of it yet."""
    checked_at: datetime | None
    checked_by: PersonId | None
    """None: its authors, where it ships; the command line; or nobody."""
    changed_at: datetime | None
    changed_by: PersonId | None
    source: str
    imported: str
    before: bool
    """Whether the last change can be undone."""
    removed: bool = False

    @property
    def key(self) -> Key:
        """Its slug and language."""
        return self.slug, self.language

    @property
    def version(self) -> str:
        """What somebody who changes it saw: another one where it was changed meanwhile."""
        return version_of(self.text)

    def is_stale(self, now: datetime, after: timedelta = STALE_AFTER) -> bool:
        """Whether nobody has said for so long that it is right."""
        return self.checked_at is None or now - self.checked_at > after


_ALL: Final[LiteralString] = """
    SELECT slug, language, page, own, title, body, topics, runbooks, source, imported, before IS NOT NULL AS before,
           changed_at, changed_by, checked_at, checked_by, removed_at IS NOT NULL AS removed
    FROM handbook_page WHERE workspace = %(workspace)s"""


def version_of(text: Text) -> str:
    """Short digest of a page's text."""
    return digest_of([text.title, text.body, list(text.topics), list(text.runbooks)])[:16]


async def read_pages(conn: Connection, workspace: WorkspaceId, *, removed: bool = False) -> dict[Key, Page]:
    """Every page of the workspace, by slug and language; removed ones only where they are asked for."""
    rows = {(row["slug"], row["language"]): row for row in await _rows(conn, _ALL, {"workspace": workspace})}
    keys = sorted({*shipped(), *rows})
    pages = {key: _page(key, rows.get(key)) for key in keys}
    return {key: page for key, page in pages.items() if page is not None and (removed or not page.removed)}


async def read_some(conn: Connection, workspace: WorkspaceId, keys: Sequence[Key]) -> dict[Key, Page]:
    """Those of these pages that are there, without reading all others."""
    among: LiteralString = " AND (slug, language) IN (SELECT * FROM unnest(%(slugs)s::text[], %(languages)s::text[]))"
    values = {"workspace": workspace, "slugs": [key[0] for key in keys], "languages": [key[1] for key in keys]}
    rows = {(row["slug"], row["language"]): row for row in await _rows(conn, _ALL + among, values)}
    pages = {key: _page(key, rows.get(key)) for key in keys}
    return {key: page for key, page in pages.items() if page is not None and not page.removed}


async def read_page(conn: Connection, workspace: WorkspaceId, key: Key, *, hold: bool = False) -> Page | None:
    """One page, also a removed one; None where there never was one. `hold`: nobody else changes it meanwhile."""
    query = _ALL + " AND slug = %(slug)s AND language = %(language)s" + (" FOR UPDATE" if hold else "")
    rows = await _rows(conn, query, {"workspace": workspace, "slug": key[0], "language": key[1]})
    return _page(key, rows[0] if rows else None)


async def removed_page(conn: Connection, workspace: WorkspaceId, number: int) -> Page | None:
    """The removed page of that number; None where it is none, or is there again."""
    rows = await _rows(conn, _ALL + " AND page = %(page)s", {"workspace": workspace, "page": number})
    page = _page((rows[0]["slug"], rows[0]["language"]), rows[0]) if rows else None
    return page if page is not None and page.removed else None


async def _rows(conn: Connection, query: LiteralString, values: Mapping[str, object]) -> list[dict[str, Any]]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()


def _page(key: Key, row: Mapping[str, Any] | None) -> Page | None:
    ship = shipped().get(key)
    if row is None or not row["own"]:
        if ship is None:
            return None  # it came with an earlier release, and was only checked here
        checked = datetime.combine(ship.checked, time(), UTC) if ship.checked is not None else None
        if row is None:
            return Page(*key, ship.text, True, False, 0, checked, None, None, None, "", "", False)
        late = row["checked_at"] is not None and (checked is None or row["checked_at"] > checked)
        said = (row["checked_at"], row["checked_by"]) if late else (checked, None)
        about = (None, None, "", "", row["before"], row["removed"])
        return Page(*key, ship.text, True, False, row["page"], *said, *about)
    return Page(
        *key,
        Text(row["title"], row["body"], tuple(row["topics"]), tuple(row["runbooks"])),
        ship is not None,
        True,
        row["page"],
        row["checked_at"],
        row["checked_by"],
        row["changed_at"],
        row["changed_by"],
        row["source"],
        row["imported"],
        row["before"],
        row["removed"],
    )


def stored_of(pages: Mapping[Key, Page]) -> dict[Key, Stored]:
    """What an import compares files with. A removed page counts as it was: the same file does not bring it back."""
    return {
        key: Stored(page.source, page.imported if page.removed else page.version, page.imported, page.own)
        for key, page in pages.items()
    }


class Handbook:
    """Changes of a workspace's pages, each with its fact, in the caller's transaction. They raise HandbookError.

    `by` is who does it; None for the command line and this machine.
    """

    def __init__(
        self, conn: Connection, ledger: Ledger, workspace: WorkspaceId, by: PersonId | None, now: datetime
    ) -> None:
        self._conn, self._ledger, self._workspace, self._by, self._now = conn, ledger, workspace, by, now

    async def create(self, key: Key, text: Text) -> int:
        """Makes a page; its number. Where one was removed, it takes its place."""
        page = await read_page(self._conn, self._workspace, key, hold=True)
        if page is not None and not page.removed:
            raise HandbookError("exists")
        number = await self._write(key, text, None)
        await self._tell("handbook.changed", {"page": number})
        return number

    async def change(self, key: Key, text: Text, seen: str) -> int:
        """Changes a page of which the asker saw the version `seen`; its number. The text before is kept for undo."""
        page = await self._required(key, seen)
        number = await self._write(key, text, page)
        await self._tell("handbook.changed", {"page": number})
        return number

    async def undo_change(self, number: int, seen: str) -> Key:
        """Puts back the text before the last change, unless somebody changed it since; a new page is removed again."""
        key = await self.key_of(number)
        page = await self._required(key, seen)
        row = await self._one("SELECT before FROM handbook_page WHERE page = %(page)s", {"page": number})
        before = row[0] if row is not None else None
        if before is None:
            raise HandbookError("stale")
        if before.get("removed"):
            await self._mark_removed(number)
        elif before.get("shipped"):
            await self._as_shipped(number, page.text)
        else:
            await self._write(key, _text_in(before), page)
        await self._tell("handbook.changed", {"page": number, "undone": True})
        return key

    async def use_shipped(self, key: Key, seen: str) -> int:
        """Gives up the team's own text for the page that ships."""
        page = await self._required(key, seen)
        if not page.ships or not page.own:
            raise HandbookError("missing")
        await self._as_shipped(page.number, page.text)
        await self._tell("handbook.changed", {"page": page.number})
        return page.number

    async def check(self, key: Key, seen: str) -> int:
        """Says that somebody found the page to be right as it stands."""
        await self._required(key, seen)
        number = await self._number(key)
        await self._conn.execute(
            "UPDATE handbook_page SET was_checked_at = checked_at, was_checked_by = checked_by,"
            " checked_at = %(now)s, checked_by = %(by)s WHERE page = %(page)s",
            {"now": self._now, "by": self._by, "page": number},
        )
        await self._tell("handbook.checked", {"page": number})
        return number

    async def undo_check(self, number: int) -> Key:
        """Takes the last check back, where it was the asker's own."""
        key = await self.key_of(number)
        row = await self._one(
            "UPDATE handbook_page SET checked_at = was_checked_at, checked_by = was_checked_by, was_checked_at = NULL,"
            " was_checked_by = NULL WHERE page = %(page)s AND checked_by IS NOT DISTINCT FROM %(by)s"
            " AND checked_at > %(since)s RETURNING page",
            {"page": number, "by": self._by, "since": self._now - timedelta(days=1)},
        )
        if row is None:
            raise HandbookError("stale")
        await self._tell("handbook.checked", {"page": number, "undone": True})
        return key

    async def remove(self, key: Key, seen: str) -> int:
        """Removes a page, in this language; its number."""
        await self._required(key, seen)
        number = await self._number(key)
        await self._mark_removed(number)
        await self._tell("handbook.removed", {"page": number})
        return number

    async def put_back(self, number: int) -> Key:
        """Puts a removed page back."""
        key = await self.key_of(number)
        row = await self._one(
            "UPDATE handbook_page SET removed_at = NULL WHERE page = %(page)s AND removed_at IS NOT NULL"
            " RETURNING page",
            {"page": number},
        )
        if row is None:
            raise HandbookError("stale")
        await self._tell("handbook.returned", {"page": number})
        return key

    async def take_in(self, key: Key, text: Text, source: str) -> int:
        """Writes an imported page over whatever is there; its number. The import as a whole is told: see `imported`."""
        page = await read_page(self._conn, self._workspace, key, hold=True)
        number = await self._write(key, text, page if page is not None and not page.removed else None)
        await self._conn.execute(
            "UPDATE handbook_page SET source = %(source)s, imported = %(digest)s WHERE page = %(page)s",
            {"source": source, "digest": version_of(text), "page": number},
        )
        return number

    async def imported(self, count: int) -> None:
        """Tells that so many pages were imported."""
        await self._tell("handbook.imported", {"count": count})

    async def key_of(self, number: int) -> Key:
        """The page of that number, removed or not."""
        row = await self._one(
            "SELECT slug, language FROM handbook_page WHERE workspace = %(workspace)s AND page = %(page)s",
            {"workspace": self._workspace, "page": number},
        )
        if row is None:
            raise HandbookError("missing")
        return row[0], row[1]

    async def _required(self, key: Key, seen: str) -> Page:
        page = await read_page(self._conn, self._workspace, key, hold=True)
        if page is None or page.removed:
            raise HandbookError("missing")
        if page.version != seen:
            raise HandbookError("stale")
        return page

    async def _number(self, key: Key) -> int:
        """The number of a page's row, which is made where the team says something of a shipped page at first."""
        row = await self._one(
            "INSERT INTO handbook_page (workspace, slug, language, own, title, body, folded, changed_at)"
            " VALUES (%(workspace)s, %(slug)s, %(language)s, false, '', '', '', %(now)s)"
            " ON CONFLICT (workspace, slug, language) DO UPDATE SET own = handbook_page.own RETURNING page",
            {"workspace": self._workspace, "slug": key[0], "language": key[1], "now": self._now},
        )
        return int(row[0]) if row is not None else 0

    async def _write(self, key: Key, text: Text, page: Page | None) -> int:
        """`page`: what it replaces; None where there is nothing to see of it now."""
        row = await self._one(
            _WRITE,
            {
                "workspace": self._workspace,
                "slug": key[0],
                "language": key[1],
                **text._asdict(),
                "topics": list(text.topics),
                "runbooks": list(text.runbooks),
                "folded": folded(text),
                "before": json.dumps(_before(page)),
                "now": self._now,
                "by": self._by,
            },
        )
        return int(row[0]) if row is not None else 0

    async def _as_shipped(self, number: int, text: Text) -> None:
        await self._conn.execute(
            "UPDATE handbook_page SET own = false, title = '', body = '', topics = '{}', runbooks = '{}', folded = '',"
            " source = '', imported = '', before = %(before)s, changed_at = %(now)s, changed_by = %(by)s"
            " WHERE page = %(page)s",
            {"before": json.dumps(text._asdict()), "now": self._now, "by": self._by, "page": number},
        )

    async def _mark_removed(self, number: int) -> None:
        await self._conn.execute(
            "UPDATE handbook_page SET removed_at = %(now)s WHERE page = %(page)s", {"now": self._now, "page": number}
        )

    async def _one(self, query: LiteralString, values: Mapping[str, object]) -> Sequence[Any] | None:
        return await (await self._conn.execute(query, values)).fetchone()

    async def _tell(self, kind: str, data: Mapping[str, int]) -> None:
        await self._ledger.append(self._conn, self._workspace, [act(kind, self._by, self._now, None, **data)])


_WRITE: Final[LiteralString] = """
    INSERT INTO handbook_page AS each (workspace, slug, language, title, body, topics, runbooks, folded, before,
                                       changed_at, changed_by)
    VALUES (%(workspace)s, %(slug)s, %(language)s, %(title)s, %(body)s, %(topics)s, %(runbooks)s, %(folded)s,
            %(before)s, %(now)s, %(by)s)
    ON CONFLICT (workspace, slug, language) DO UPDATE SET own = true, title = excluded.title, body = excluded.body,
        topics = excluded.topics, runbooks = excluded.runbooks, folded = excluded.folded, before = excluded.before,
        changed_at = excluded.changed_at, changed_by = excluded.changed_by, removed_at = NULL
    RETURNING page"""


def _before(page: Page | None) -> Mapping[str, object]:
    if page is None:
        return {"removed": True}
    return page.text._asdict() if page.own else {"shipped": True}


def _text_in(before: Mapping[str, Any]) -> Text:
    return Text(before["title"], before["body"], tuple(before["topics"]), tuple(before["runbooks"]))
