"""Importing on a page: a zip is read, what it would change is shown, and then it is done. Nothing is kept in between:
what was read goes along in the form, and is judged again."""

from __future__ import annotations

import base64
import json
import zlib
from asyncio import to_thread
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.kit.errors import ConfigError
from steelyard.toolbox.handbook.archives import Limits, read_zip
from steelyard.toolbox.handbook.ground import TITLES, HandbookGround, placed, workspace_of
from steelyard.toolbox.handbook.imported import Line, Source, plan
from steelyard.toolbox.handbook.model import Language, language_in
from steelyard.toolbox.handbook.store import Handbook, read_pages, stored_of, version_of
from steelyard.toolbox.handbook.words import REASONS, WHAT
from steelyard.toolbox.model import digest_of
from steelyard.web.data import plain
from steelyard.web.forms import sent_of
from steelyard.web.toasts import Done, told

MOST_BYTES: Final = 16_000_000
"""Of what is sent."""
LIMITS: Final = Limits(file=1_000_000, files=1_000, bytes=10_000_000)

Connection = AsyncConnection[Any]


async def plan_of(
    conn: Connection, workspace: Any, sources: Sequence[Source], language: Language, over: bool
) -> tuple[Line, ...]:
    """What importing would do in a workspace as it stands now."""
    stored = stored_of(await read_pages(conn, workspace, removed=True))
    return await to_thread(plan, sources, stored, version_of, language=language, over=over)


async def carry_out(book: Handbook, lines: Sequence[Line]) -> int:
    """Does what a plan says; how many pages that were."""
    taken = [each for each in lines if each.what in ("new", "changed")]
    for each in taken:
        await book.take_in((each.slug, each.language), each.text, each.source)
    if taken:
        await book.imported(len(taken))
    return len(taken)


def digest(lines: Sequence[Line]) -> str:
    """Digest of what a plan would do: what was shown is what is done."""
    return digest_of([[each.what, each.slug, each.language, version_of(each.text)] for each in lines])[:24]


class ImportPages:
    """What these routes do."""

    def __init__(self, ground: HandbookGround) -> None:
        self._ground = ground

    async def show(self, request: Request) -> Response:
        """The form."""
        return self._answer(request)

    async def take(self, request: Request) -> Response:
        """Shows what a zip would change; sent again with that, does it."""
        async with request.form(max_files=1, max_part_size=MOST_BYTES) as form:
            over, language = sent_of(form, "over") == "on", language_in(sent_of(form, "language")) or "en"
            agreed = sent_of(form, "agreed")
            try:
                sources = await _sources(form)
            except ConfigError as error:
                return self._answer(request, problem=str(error), language=language, over=over)
        ground, workspace = self._ground, workspace_of(request)
        async with ground.database.transaction(workspace) as conn:
            lines = await plan_of(conn, workspace, sources, language, over)
            shown = digest(lines)
            if agreed != shown:
                carried = await to_thread(_packed, sources)
                return self._answer(
                    request,
                    lines=lines,
                    carried=carried,
                    agreed=shown,
                    language=language,
                    over=over,
                    stale=bool(agreed),
                )
            count = await carry_out(ground.changes(conn, request), lines)
        return told(placed(request), "/handbook", Done("imported", (count,)))

    def _answer(
        self,
        request: Request,
        *,
        lines: tuple[Line, ...] | None = None,
        problem: str = "",
        stale: bool = False,
        language: Language = "en",
        over: bool = False,
        carried: str = "",
        agreed: str = "",
    ) -> Response:
        counts = Counter(each.what for each in lines or ())
        status = 422 if problem else 409 if stale else 200
        if request.url.path.endswith(".json"):
            rows = [{key: value for key, value in each._asdict().items() if key != "text"} for each in lines or ()]
            told: dict[str, object] = {"agreed": agreed, "counts": counts, "files": rows}
            return JSONResponse(plain({"error": {"status": status, "message": problem}} if problem else told), status)
        return self._ground.answer(
            request,
            "handbook_import.html",
            status,
            lines=lines,
            counts=counts,
            problem=problem,
            stale=stale,
            chosen=language,
            over=over,
            carried=carried,
            agreed=agreed,
            reasons=REASONS,
            whats=WHAT,
            languages_named=TITLES,
        )


async def _sources(form: FormData) -> list[Source]:
    """The pages of the zip that was sent, or of what was carried along from one. Raises ConfigError."""
    carried = sent_of(form, "carried")
    if carried:
        return await to_thread(_unpacked, carried)
    upload = form.get("archive")
    if not isinstance(upload, UploadFile) or not upload.filename:
        raise ConfigError("no file was chosen: choose a zip of Markdown or HTML files")
    sources = await to_thread(read_zip, await upload.read(), LIMITS)
    if not sources:
        raise ConfigError("there is no Markdown and no HTML file in it: choose a zip of those")
    return sources


def _packed(sources: Sequence[Source]) -> str:
    return base64.b64encode(zlib.compress(json.dumps(sources).encode())).decode()


def _unpacked(carried: str) -> list[Source]:
    """It comes from outside like the zip did: nothing of it is believed."""
    try:
        opened = zlib.decompressobj()
        most = 2 * LIMITS.bytes
        text = opened.decompress(base64.b64decode(carried, validate=True), most)
        if opened.unconsumed_tail:
            raise ValueError("too long")
        found = [Source(str(path), str(body), str(refused)) for path, body, refused in json.loads(text)]
        if not found:
            raise ValueError("nothing")
    except (ValueError, TypeError, zlib.error, RecursionError):
        raise ConfigError("what was read of the zip got lost on the way: choose it again") from None
    return found
