"""The pages of the inbox: the conversations that are open, one of them, and what is written in it. `/` leads here.

GET  /a/inbox/{app}                            the open conversations; ?q= a conversation's number
GET  /a/inbox/{app}/conversation/{id}          one of them, with a composer of replies and one of notes
POST /a/inbox/{app}/conversation/{id}/parts    {kind: reply | note, body: HTML}; answers {html} of the new part
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from steelyard.demo.intercom import conversations
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.inbox.bodies import cleaned
from steelyard.demo.intercom.model import Admin, Conversation, Part, Text, Workspace, sent

SHOWN: Final = 50
"""Conversations in the list."""
LARGEST: Final = 64 * 1024
"""Bytes of what is written at once."""

FOLDER: Final = Path(__file__).parent
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_FILES: Final = {"inbox.css": "text/css", "inbox.js": "text/javascript"}
_HAPPENED: Final = {"assignment": "assigned it", "assign_and_reopen": "assigned and reopened it", "close": "closed it",
                    "open": "opened it", "snoozed": "snoozed it", "unsnoozed": "woke it",
                    "timer_unsnoozed": "woke it"}  # fmt: skip


class Shown(NamedTuple):
    """One thing in a conversation, as the page draws it. `kind`: customer, reply, note, or happened without a body."""

    kind: str
    who: str
    at: datetime
    body: Markup
    says: str = ""


class Saved(NamedTuple):
    """A reply that is kept ready, as teams keep them."""

    name: str
    body: Markup


SAVED: Final = (
    Saved("Ask for the address", Markup("<p>Hello, which page shows it? Please send its address.</p>")),
    Saved(
        "Point to the documentation",
        Markup('<p>It is described in <a href="https://wordpress.org/documentation/">the documentation</a>.</p>'),
    ),
    Saved(
        "Name a harmful page",
        Markup('<p>Do not open <a href="http://malware.test/invoice">your invoice</a> or http://malware.test/x: it is'
               " not ours.</p>"),
    ),
)  # fmt: skip
"""The last one carries links that nobody should click on: what safe links are there for."""


class Inbox:
    """What these routes do."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        environment = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
        self._page, self._part = environment.get_template("page.html"), environment.get_template("part.html")

    async def home(self, request: Request) -> Response:
        """Leads to the list; with the time, as every answer of Intercom's."""
        headers = {**HEADERS, "Date": formatdate(self._workspace.now(), usegmt=True)}
        return RedirectResponse(f"/a/inbox/{self._workspace.app_id}", 303, headers)

    async def all(self, request: Request) -> Response:
        """The list alone; the conversation of a number that was searched for."""
        asked = request.query_params.get("q", "").strip()
        if not self._is_mine(request):
            return self._draw(None, "There is no such workspace here.", status=404)
        if not asked:
            return self._draw(None, "Choose a conversation on the left.")
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 20 else 0
        if number in self._workspace.conversations:
            return RedirectResponse(self._href(number), 303, HEADERS)
        return self._draw(None, f"There is no conversation {asked}.", asked, 404)

    async def one(self, request: Request) -> Response:
        """A conversation."""
        found = self._workspace.conversations.get(request.path_params["id"])
        if found is None or not self._is_mine(request):
            return self._draw(None, "There is no such conversation here.", status=404)
        return self._draw(found)

    async def write(self, request: Request) -> Response:
        """Sends a reply, or keeps a note, as the engineer who has the conversation."""
        found = self._workspace.conversations.get(request.path_params["id"])
        if found is None or not self._is_mine(request):
            return _refused(404, "There is no such conversation here.")
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return _refused(403, "This came from another site, so nothing was sent.")
        kind, body = await _written(request)
        if kind not in ("reply", "note"):
            return _refused(400, "Send JSON with a kind, reply or note, and a body.")
        text = sent(str(cleaned(body)))
        if not text.plain.strip():
            return _refused(422, "Write something first.")
        actor = Actor(self._who(found))
        deed = conversations.note if kind == "note" else conversations.reply_as_admin
        part = deed(self._workspace, found, actor, text)
        return JSONResponse({"html": self._part.render(part=_shown(part))}, 201, HEADERS)

    async def file(self, request: Request) -> Response:
        """The style and the script."""
        name = request.url.path.rpartition("/")[2]
        return FileResponse(FOLDER / name, media_type=_FILES[name], headers=HEADERS)

    def _draw(self, chosen: Conversation | None, says: str = "", asked: str = "", status: int = 200) -> Response:
        page = self._page.render(
            app=self._workspace.app_id,
            listed=[self._listed(each, chosen) for each in self._open()],
            chosen=chosen,
            parts=[_begun(chosen), *map(_shown, chosen.parts)] if chosen is not None else [],
            who=self._who(chosen).name if chosen is not None else "",
            saved=SAVED,
            says=says,
            asked=asked,
        )
        return HTMLResponse(page, status, HEADERS)

    def _open(self) -> Sequence[Conversation]:
        """The newest that are open."""
        found: list[Conversation] = []
        for each in reversed(self._workspace.conversations.values()):
            if each.state == "open":
                found.append(each)
            if len(found) == SHOWN:
                break
        return found

    def _listed(self, each: Conversation, chosen: Conversation | None) -> dict[str, Any]:
        admin = self._workspace.admins.get(each.admin)
        return {
            "href": self._href(each.id),
            "who": each.contact.name or each.contact.email,
            "what": (each.subject.plain or each.body.plain)[:80],
            "with": admin.name if admin is not None else "",
            "here": each is chosen,
        }

    def _who(self, conversation: Conversation) -> Admin:
        """Who writes: the engineer who has it, else the first of the team."""
        admins = self._workspace.admins
        return admins.get(conversation.admin) or next(each for each in admins.values() if each.seat)

    def _href(self, conversation: int) -> str:
        return f"/a/inbox/{self._workspace.app_id}/conversation/{conversation}"

    def _is_mine(self, request: Request) -> bool:
        return request.path_params["app"] == self._workspace.app_id


async def _written(request: Request) -> tuple[str, str]:
    """What is sent, and as what; empty where it is nothing that can be sent."""
    body = await request.body()
    try:
        whole: Any = json.loads(body) if len(body) <= LARGEST else None
        kind, text = whole["kind"], whole["body"]
        json.dumps(whole, ensure_ascii=False).encode()  # half of a sign is none that a page can hold
    except (ValueError, RecursionError, KeyError, TypeError):
        return "", ""
    return (kind, text) if isinstance(kind, str) and isinstance(text, str) else ("", "")


def _refused(status: int, says: str) -> Response:
    return JSONResponse({"error": says}, status, HEADERS)


def _begun(conversation: Conversation) -> Shown:
    """What the customer wrote first."""
    whole = Text(conversation.subject.html + conversation.body.html, "")
    return Shown("customer", conversation.contact.name, _moment(conversation.created_at), cleaned(whole.html))


def _shown(part: Part) -> Shown:
    kind = "note" if part.kind == "note" else "reply" if part.author.type == "admin" else "customer"
    if part.body is not None and part.body.html:
        return Shown(kind, part.author.name, _moment(part.at), cleaned(part.body.html))
    says = _HAPPENED.get(part.kind, part.kind.replace("_", " "))
    return Shown("happened", part.author.name, _moment(part.at), Markup(), says)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def routes(workspace: Workspace) -> list[BaseRoute]:
    """What the inbox answers, beside Intercom's own calls."""
    inbox, at = Inbox(workspace), "/a/inbox/{app}"
    return [
        *(Route(f"/a/{name}", inbox.file) for name in _FILES),
        Route("/", inbox.home, methods=["GET"]),
        Route(at, inbox.all, methods=["GET"]),
        Route(f"{at}/conversation/{{id:int}}", inbox.one, methods=["GET"]),
        Route(f"{at}/conversation/{{id:int}}/parts", inbox.write, methods=["POST"]),
    ]
