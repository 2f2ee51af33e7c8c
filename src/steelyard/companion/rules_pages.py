"""The page of host rules: what holds, in versions; a lead edits them as JSON, tries them, and can go back."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.companion.ground import CompanionGround, CompanionRefused
from steelyard.companion.hosts import BUILT_IN
from steelyard.companion.rules_store import (
    Version,
    put_in_force,
    ready,
    rules_in_force,
    version_numbered,
    versions_of,
    written,
)
from steelyard.companion.rules_text import MOST_CHARACTERS, Problem, RulesRead, read_rules, text_of
from steelyard.companion.rules_view import DOUBTS, SIGNS, STATES, SURENESS, Preview, preview
from steelyard.kit.ids import numeric_id
from steelyard.kit.scopes import Scope
from steelyard.people.forms import text_of as field_of
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.web.data import plain
from steelyard.web.forms import Field, Filled, Form, sent_of
from steelyard.web.routes import PageRoute
from steelyard.web.said import N_
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import place_of, viewer_of

_LARGEST: Final = 2 * 1024 * 1024
RULES: Final = Form(
    (
        Field(
            "rules",
            N_("Rules"),
            "lines",
            most=MOST_CHARACTERS,
            help=N_("A list in JSON. A rule has a name, its kind (host or cdn), how sure it is (1 to 3), and signals."),
        ),
        Field(
            "pasted",
            N_("Pages to try them on"),
            "lines",
            required=False,
            most=50_000,
            help=N_(
                "Headers from the browser’s tools or from curl -I, an address on the first line if you like, an empty"
                " line between pages. “cname = …”, “ns = …”, “a = …” and “ip = …” count too."
            ),
        ),
    )
)


class RulesPages:
    """What these routes do."""

    def __init__(self, ground: CompanionGround) -> None:
        self._ground, self._database = ground, ground.database

    async def show(self, request: Request) -> Response:
        """The rules in force, or those of an older version, to be edited by who may."""
        asked = numeric_id(request.query_params.get("version", ""))
        async with self._database.transaction(standing_of(request).workspace) as conn:
            try:
                found = await (version_numbered(conn, asked) if asked is not None else rules_in_force(conn))
            except CompanionRefused:
                raise HTTPException(404) from None
            now = await rules_in_force(conn)
        filled = RULES.loaded({"rules": _text(now)})
        if found != now:
            inputs = tuple(
                each._replace(texts=(_text(found),)) if each.field.name == "rules" else each for each in filled.inputs
            )
            filled = filled._replace(inputs=inputs)
        return await self._draw(request, filled)

    async def data(self, request: Request) -> Response:
        """The rules in force and the list of versions."""
        async with self._database.transaction(standing_of(request).workspace) as conn:
            versions, now = await versions_of(conn), await rules_in_force(conn)
        listed = [
            plain({"version": v.version, "person": v.person, "at": v.at, "built_in": not v.text}) for v in versions
        ]
        version = now.version if now is not None else 0
        return JSONResponse({"version": version, "rules": written(now), "versions": listed})

    async def change(self, request: Request) -> Response:
        """Shows what the rules would do, or puts them in force; unless they cannot be used, or somebody was faster."""
        async with request.form() as form:
            keeps = sent_of(form, "then") == "keep"
            pairs = [(name, text) for name, text in form.multi_items() if isinstance(text, str)]
        filled, standing = RULES.read(pairs), standing_of(request)
        if not filled.ok:
            return await self._draw(request, filled)
        read = read_rules(str(filled.values["rules"]))
        if read.problems:
            return await self._draw(request, filled.wrong("rules", _WRONG), problems=read.problems)
        async with self._database.transaction(standing.workspace) as conn:
            await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")
            now = await rules_in_force(conn)
            filled = filled.against({"rules": RULES.texts({"rules": _text(now).strip()})["rules"]}) if keeps else filled
            if keeps and filled.ok:
                text = str(filled.values["rules"])
                version = await put_in_force(self._ground, conn, standing, text, len(read.written))
                return told(place_of(request), "/companion/rules", Done("kept", (version,)))
        return await self._draw(request, filled, preview=await asyncio.to_thread(_previewed, filled, read, now))

    async def back(self, request: Request) -> Response:
        """Puts an older version, or the built-in rules (0), in force as a new one."""
        async with request.form() as form:
            wanted, seen = field_of(form, "version"), field_of(form, "seen")
        standing = standing_of(request)
        async with self._database.transaction(standing.workspace) as conn:
            await conn.execute("SELECT FROM workspace FOR NO KEY UPDATE")
            now = await rules_in_force(conn)
            if str(now.version if now is not None else 0) != seen:
                return await self._draw(request, RULES.loaded({"rules": _text(now)}), overtaken=True)
            text = ""
            if wanted != "0":
                try:
                    text = (await version_numbered(conn, numeric_id(wanted) or -1)).text
                except CompanionRefused:
                    raise HTTPException(404) from None
            count = len(read_rules(text).written) if text else 0
            version = await put_in_force(self._ground, conn, standing, text, count)
        return told(place_of(request), "/companion/rules", Done("kept", (version,)))

    async def _draw(
        self,
        request: Request,
        filled: Filled,
        problems: tuple[Problem, ...] = (),
        preview: Preview | None = None,
        overtaken: bool = False,
    ) -> Response:
        async with self._database.transaction(standing_of(request).workspace) as conn:
            versions = await versions_of(conn)
        now = versions[0] if versions else None
        return self._ground.pages.answer(
            request,
            "companion/rules.html",
            status=409 if overtaken else filled.status,
            form=filled,
            problems=problems,
            preview=preview,
            overtaken=overtaken,
            versions=versions,
            now=now,
            count=len(written(now)),
            built_in=len(BUILT_IN["rules"]),
            done=_told(request, versions),
            words={"states": STATES, "signs": SIGNS, "sureness": SURENESS, "doubts": DOUBTS},
        )


_WRONG: Final = N_("These rules cannot be put in force yet: what is wrong stands above, by rule and field.")


def _previewed(filled: Filled, read: RulesRead, now: Version | None) -> Preview:
    return preview(read, written(now), ready(now), filled.input("pasted").text)


def _text(version: Version | None) -> str:
    """A version as it is edited; the built-in rules where it has none of its own."""
    return (version.text if version is not None and version.text else text_of(BUILT_IN["rules"])).strip()


def _told(request: Request, versions: list[Version]) -> dict[str, Any] | None:
    """That a version was put in force, while it holds; the way back is the one before it."""
    done = done_of(request.query_params, {"kept"})
    if done is None or not versions or done.ids != (versions[0].version,):
        return None
    before = versions[1].version if len(versions) > 1 else 0
    fields = (("version", str(before)), ("seen", str(versions[0].version)))
    may = viewer_of(request).may(Permission.CHANGE_COMPANION)
    undo = Undo(place_of(request).link("/companion/rules/back"), fields) if may else None
    return {"version": versions[0], "undo": undo}


def routes(ground: CompanionGround) -> list[PageRoute]:
    """`/companion/rules` and what is below it."""
    room, own, see, change = RulesPages(ground), Scope.WORKSPACE, Permission.SEE_DESK, Permission.CHANGE_COMPANION
    return [
        PageRoute("/companion/rules", room.show, own, see, methods=["GET"]),
        PageRoute("/companion/rules.json", room.data, own, see, methods=["GET"]),
        PageRoute("/companion/rules", room.change, own, change, methods=["POST"], max_body_size=_LARGEST),
        PageRoute("/companion/rules/back", room.back, own, change, methods=["POST"]),
    ]
