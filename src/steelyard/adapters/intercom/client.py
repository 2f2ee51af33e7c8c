"""A client of Intercom's REST API: the calls Steelyard makes, typed, and no others.

One client is one workspace's: its calls share a connection pool and the rate limit. Every call raises an IntercomError
(errors.py) when it does not succeed. Calls that would be harmful twice are never repeated once they may have arrived;
docs/reference/intercom-calls.md says which.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Literal, Self

import httpx

from steelyard import __version__
from steelyard.adapters.intercom import answers, search
from steelyard.adapters.intercom.answers import Admin, Answer, Attribute, Json, Me, Tag, Team
from steelyard.adapters.intercom.errors import AnswerError, IntercomError, RateLimited, ServerFault, Unreachable
from steelyard.adapters.intercom.limits import Clock, Window, number
from steelyard.adapters.intercom.search import Query
from steelyard.kit.errors import ConfigError

VERSION: Final = "2.16"
"""The version of Intercom's API that is spoken here."""

_ATTEMPTS = 3
_REFUSALS = 2
_FIRST_PAUSE = 0.25
_PER_PAGE = 150
_MOST_PAGES = 2_000
_TIMEOUT = httpx.Timeout(connect=3, read=10, write=10, pool=10)
_LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=30)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Observe = Callable[[str, int, int | None, int | None], None]
"""(call, status, calls left in the window, calls of a whole window); status 0: there was no answer."""

AttributeType = Literal["string", "integer", "list", "decimal", "boolean", "datetime"]


class Intercom:
    """The Intercom of one workspace.

    `api_url` is its region's (regions.py); plain http only on this machine. `clock` tells seconds since 1970, `ticks`
    counts seconds and is never set, `sleep` waits for seconds, `chance` gives numbers in [0, 1). `observe` is told of
    each answer. Raises ConfigError for an address or token that cannot be used.
    """

    def __init__(
        self,
        api_url: str,
        token: str,
        version: str = VERSION,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        observe: Observe | None = None,
    ) -> None:
        url = httpx.URL(api_url)
        if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOOPBACK):
            raise ConfigError(f"{api_url!r} is no address of Intercom's API: it must begin with https://")
        if not (token.isascii() and token.isprintable() and token.strip() == token != ""):
            raise ConfigError("the Intercom access token is empty or has spaces or odd characters: copy it again")
        self._clock, self._ticks = clock, ticks
        self._theirs = Clock(ticks, clock)
        self._window = Window(self._theirs, sleep)
        self._sleep = sleep
        self._chance = chance
        self._observe = observe
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "Intercom-Version": version,
                "User-Agent": f"steelyard/{__version__}",
            },
            timeout=timeout,
            limits=_LIMITS,
            transport=transport,
            trust_env=url.scheme == "https",  # a proxy is for the world outside, not for this machine
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def now(self) -> float:
        """The time by Intercom's clock, in seconds since 1970. Asks for it where no answer has told it yet."""
        if not self._theirs.known:
            await self.me()
        return self._theirs()

    async def leave_room(self) -> None:
        """Waits, ten seconds at most, while less than half of the rate limit's window is left for other calls."""
        await self._window.leave_room()

    # The workspace, its people and its teams

    async def me(self) -> Me:
        """Whose token this is, and of which workspace and region."""
        return answers.me(await self._get("me", "/me"))

    async def admins(self) -> list[Admin]:
        """Every teammate."""
        answer = await self._get("admins", "/admins")
        return [answers.admin(each) for each in answer.at("admins").items()]

    async def admin(self, admin: int) -> Admin:
        """One teammate."""
        return answers.admin(await self._get("admin", f"/admins/{admin:d}"))

    async def set_away(self, admin: int, away: bool, reassign: bool = False, reason: int | None = None) -> Admin:
        """Sets a teammate away or back. `reassign`: replies go to the default inbox. Some workspaces want a reason."""
        body: Json = {"away_mode_enabled": away, "away_mode_reassign": reassign}
        if reason is not None:
            body["away_status_reason_id"] = reason
        return answers.admin(await self._call("set_away", "PUT", f"/admins/{admin:d}/away", body, repeatable=True))

    async def roster(self) -> Json:
        """`{"admins": […], "teams": […]}`: every teammate and every team as Intercom lists them."""
        admins = answers.page(await self._get("roster", "/admins"), "admins")
        teams = answers.page(await self._get("roster", "/teams"), "teams")
        return {"admins": admins.items, "teams": teams.items}

    async def teams(self) -> list[Team]:
        """Every team with its members."""
        answer = await self._get("teams", "/teams")
        return [answers.team(each) for each in answer.at("teams").items()]

    async def team(self, team: int) -> Team:
        """One team with its members."""
        return answers.team(await self._get("team", f"/teams/{team:d}"))

    # Conversations: raw JSON objects, since the routing core reads them itself

    def conversations(self) -> AsyncIterator[Json]:
        """Every conversation, page by page, without its parts."""

        def page(cursor: str | None) -> Awaitable[Answer]:
            after = {} if cursor is None else {"starting_after": cursor}
            return self._get("conversations", "/conversations", {"per_page": str(_PER_PAGE), **after})

        return _all_pages("conversations", "conversations", page)

    def search_conversations(self, query: Query) -> AsyncIterator[Json]:
        """The conversations that fit `query`, page by page, without parts. What changed just now may be missing."""
        return self._search("search_conversations", "conversations", query)

    def open_conversations(self) -> AsyncIterator[Json]:
        """The conversations that are open, by search."""
        return self._search("open_conversations", "conversations", search.where("open", "=", True))

    async def count_open_conversations(self) -> int | None:
        """How many conversations are open; None where Intercom does not say."""
        body: Json = {"query": search.where("open", "=", True).json, "pagination": {"per_page": 1}}
        path = "/conversations/search"
        answer = await self._call("count_open_conversations", "POST", path, body, repeatable=True)
        return answers.page(answer, "conversations").total

    async def conversation(self, conversation: int) -> Json:
        """One conversation with its newest parts (500 at most), bodies as plain text."""
        path = f"/conversations/{conversation:d}"
        return answers.identified(await self._get("conversation", path, {"display_as": "plaintext"}), conversation)

    async def update_conversation(self, conversation: int, attributes: Mapping[str, str | int]) -> Json:
        """Sets conversation attributes by name; those not named stay. Gives the conversation."""
        path = f"/conversations/{conversation:d}"
        body: Json = {"custom_attributes": dict(attributes)}
        answer = await self._call("update_conversation", "PUT", path, body, repeatable=True)
        return answers.identified(answer, conversation)

    async def assign(self, conversation: int, actor: int, engineer: int) -> Json:
        """Assigns the conversation to `engineer` (0: to nobody) in `actor`'s name. Reopens a closed one."""
        body: Json = {
            "message_type": "assignment",
            "type": "admin",
            "admin_id": str(actor),
            "assignee_id": str(engineer),
        }
        return await self._part("assign", conversation, body)

    async def close(self, conversation: int, actor: int) -> Json:
        """Closes the conversation in `actor`'s name, saying nothing to the customer. Gives it back."""
        body: Json = {"message_type": "close", "type": "admin", "admin_id": str(actor)}
        return await self._part("close", conversation, body)

    async def open(self, conversation: int, actor: int) -> Json:
        """Opens the conversation in `actor`'s name. Gives it back."""
        return await self._part("open", conversation, {"message_type": "open", "admin_id": str(actor)})

    async def snooze(self, conversation: int, actor: int, until: int) -> Json:
        """Snoozes the conversation until `until`, in seconds since 1970 UTC. Gives it back."""
        body: Json = {"message_type": "snoozed", "admin_id": str(actor), "snoozed_until": until}
        return await self._part("snooze", conversation, body)

    async def note(self, conversation: int, actor: int, body: str) -> Json:
        """Leaves an internal note, HTML that only teammates see. Gives the conversation."""
        note: Json = {"message_type": "note", "type": "admin", "admin_id": str(actor), "body": body}
        answer = await self._call("note", "POST", f"/conversations/{conversation:d}/reply", note)
        return answers.identified(answer, conversation)

    async def conversation_attributes(self) -> list[Attribute]:
        """The workspace's conversation attributes, without the archived ones."""
        answer = await self._get("conversation_attributes", "/conversations/attributes")
        return [answers.attribute(each) for each in answer.at("data").items()]

    async def create_conversation_attribute(
        self, name: str, data_type: AttributeType, options: Sequence[str] = ()
    ) -> Attribute:
        """Makes a conversation attribute; `options` are a list's. Raises Invalid if the name is taken."""
        body: Json = {"name": name, "data_type": data_type}
        if options:
            body["options"] = [{"label": label} for label in options]
        return answers.attribute(
            await self._call("create_conversation_attribute", "POST", "/conversations/attributes", body)
        )

    # Tags

    async def create_tag(self, name: str) -> Tag:
        """The tag of that name (in any case), made if there is none."""
        return answers.tag(await self._call("create_tag", "POST", "/tags", {"name": name}))

    async def tag(self, conversation: int, actor: int, tag: int) -> Tag:
        """Puts the tag on the conversation in `actor`'s name."""
        body: Json = {"id": str(tag), "admin_id": str(actor)}
        return answers.tag(await self._call("tag", "POST", f"/conversations/{conversation:d}/tags", body))

    async def untag(self, conversation: int, actor: int, tag: int) -> Tag:
        """Takes the tag off the conversation in `actor`'s name. NotFound also if it was not on it."""
        path = f"/conversations/{conversation:d}/tags/{tag:d}"
        return answers.tag(await self._call("untag", "DELETE", path, {"admin_id": str(actor)}))

    # Tickets, by their internal id (not the number customers see)

    async def ticket(self, ticket: int) -> Json:
        """One ticket with its parts."""
        return answers.identified(await self._get("ticket", f"/tickets/{ticket:d}"), ticket)

    def search_tickets(self, query: Query) -> AsyncIterator[Json]:
        """The tickets that fit `query`, page by page."""
        return self._search("search_tickets", "tickets", query)

    def open_tickets(self) -> AsyncIterator[Json]:
        """The tickets that are open, by search."""
        return self._search("open_tickets", "tickets", search.where("open", "=", True))

    async def assign_ticket(self, ticket: int, actor: int, engineer: int) -> Json:
        """Gives the ticket to `engineer` (0: to nobody) in `actor`'s name. Gives it back."""
        body: Json = {"admin_id": actor, "assignee_id": str(engineer)}
        return answers.identified(await self._call("assign_ticket", "PUT", f"/tickets/{ticket:d}", body), ticket)

    # How a call is made

    async def _get(self, call: str, path: str, query: Mapping[str, str] | None = None) -> Answer:
        return await self._call(call, "GET", path, query=query, repeatable=True)

    async def _part(self, call: str, conversation: int, body: Json) -> Json:
        answer = await self._call(call, "POST", f"/conversations/{conversation:d}/parts", body)
        return answers.identified(answer, conversation)

    def _search(self, call: str, name: str, query: Query) -> AsyncIterator[Json]:
        def page(cursor: str | None) -> Awaitable[Answer]:
            pagination: Json = {"per_page": _PER_PAGE}
            if cursor is not None:
                pagination["starting_after"] = cursor
            body: Json = {"query": query.json, "pagination": pagination}
            return self._call(call, "POST", f"/{name}/search", body, repeatable=True)

        return _all_pages(call, name, page)

    async def _call(
        self,
        call: str,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Answer:
        """One call, with the repeats that are safe: after a 429 (nothing happened), else as `repeatable` allows."""
        refusals = faults = 0
        while True:
            try:
                return await self._once(call, method, path, body, query)
            except RateLimited:
                refusals += 1
                if refusals > _REFUSALS:
                    raise
            except (Unreachable, ServerFault) as error:
                faults += 1
                if faults >= _ATTEMPTS or (error.may_have_happened and not repeatable):
                    raise
                await self._sleep(_FIRST_PAUSE * 2 ** (faults - 1) * (0.5 + self._chance()))

    async def _once(
        self, call: str, method: str, path: str, body: Json | None, query: Mapping[str, str] | None
    ) -> Answer:
        content = None if body is None else json.dumps(body).encode()
        headers = None if body is None else _JSON
        if not await self._window.enter():
            raise RateLimited(call, status=0, retry_at=self._clock() + self._window.left)
        asked = self._ticks()
        try:
            answer = await self._http.request(method, path, content=content, params=query, headers=headers)
            self._theirs.learn(answer.headers, asked)
            self._window.learn(answer.headers)
        except httpx.HTTPError as error:
            self._tell(call, 0, {})
            sent = not isinstance(error, _NEVER_SENT)
            raise Unreachable(call, code=type(error).__name__, may_have_happened=sent) from None
        finally:
            self._window.leave()
        self._tell(call, answer.status_code, answer.headers)
        if answer.is_success:
            return answers.decoded(call, answer.content)
        raise self._refusal(call, answer)

    def _tell(self, call: str, status: int, headers: Mapping[str, str]) -> None:
        if self._observe is not None:
            self._observe(call, status, number(headers, "remaining"), number(headers, "limit"))

    def _refusal(self, call: str, answer: httpx.Response) -> IntercomError:
        if answer.status_code == 429:
            code, _, request_id = answers.reported(answer.content)
            self._window.close()
            return RateLimited(call, retry_at=self._clock() + self._window.left, code=code, request_id=request_id)
        return answers.refusal(call, answer.status_code, answer.content, answer.headers)


_JSON = {"Content-Type": "application/json"}


async def _all_pages(call: str, name: str, page: Callable[[str | None], Awaitable[Answer]]) -> AsyncIterator[Json]:
    """Every item of every page. Raises AnswerError if the cursor stands still or never ends."""
    cursor = None
    for _ in range(_MOST_PAGES):
        items, following, _ = answers.page(await page(cursor), name)
        for item in items:
            yield item
        if following is None:
            return
        if following == cursor:
            break
        cursor = following
    raise AnswerError(call, "answer.pages.next.starting_after (the pages do not end)")
