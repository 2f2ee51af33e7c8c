"""What the toolbox has for a conversation: the pages and runbooks of its topic, as a page and as a part of another."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.people.permissions import Permission
from steelyard.toolbox.handbook.ground import (
    LARGEST,
    HandbookGround,
    Topic,
    may_change,
    placed,
    read_shelf,
    reads_in,
    workspace_of,
)
from steelyard.toolbox.handbook.page_view import Button, buttons_of
from steelyard.web.data import plain
from steelyard.web.fragments import Fragment
from steelyard.web.language import N_


class Offered(NamedTuple):
    """A page of the handbook, as it is offered."""

    slug: str
    language: str
    title: str
    href: str


class ForConversation(NamedTuple):
    """What there is for a conversation."""

    conversation: int
    topic: Topic
    pages: tuple[Offered, ...]
    buttons: tuple[Button, ...]


class ForPages:
    """What these routes do."""

    def __init__(self, ground: HandbookGround) -> None:
        self._ground = ground

    async def show(self, request: Request) -> Response:
        """The page."""
        view = await self._read(request)
        write = placed(request).link("/handbook/new", topic=view.topic.id)
        return self._ground.answer(
            request, "handbook_for.html", view=view, write=write if may_change(request) else None
        )

    async def data(self, request: Request) -> Response:
        """The same as JSON."""
        return JSONResponse(plain(await self._read(request)))

    async def _read(self, request: Request) -> ForConversation:
        conversation = cast("int", request.path_params["conversation"])
        workspace, language = workspace_of(request), reads_in(request)
        topic = None
        async with self._ground.database.transaction(workspace) as conn:
            if conversation <= LARGEST:
                topic = await self._ground.topics.of(conn, workspace, conversation)
            shelf = await read_shelf(self._ground, conn, workspace)
        if topic is None:
            raise HTTPException(404, N_("No conversation of this number is known here."))
        carried = {"conversation": str(conversation)}
        pages = tuple(
            Offered(
                page.slug, page.language, page.text.title, placed(request).link(f"/handbook/{page.slug}", **carried)
            )
            for page in shelf.about(topic.id, language)
        )
        named = [name for page in shelf.about(topic.id, language) for name in page.text.runbooks]
        offered = {each.name: each for each in shelf.runbooks.values() if topic.id in each.topics}
        offered |= {name: shelf.runbooks[name] for name in named if name in shelf.runbooks}
        buttons = [
            each._replace(href=placed(request).link(f"/runbooks/{each.name}", **carried))
            for each in buttons_of(self._ground, request, offered.values())
        ]
        return ForConversation(conversation, topic, pages, tuple(buttons))


FRAGMENT: Final = Fragment(
    "toolbox",
    "conversation",
    N_("Handbook and runbooks"),
    "/toolbox/for/{}".format,
    Permission.SEE_TOOLBOX,
)
"""The part of a conversation's page."""
