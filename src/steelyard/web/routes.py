"""Routes that say whose data they show, and what it takes to open them."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from steelyard.kit.scopes import Scope

OPEN: Final = "open"
"""Needs nothing: files, and the way in."""
SIGNED_IN: Final = "signed_in"
"""Needs somebody who has signed in, whatever they may do: what is their own."""

GATE: Final = "steelyard.gate"
"""Where the gate stands in a request's scope."""

ENDED: Final = "steelyard.ended"
"""Where the gate tells an answer without end that whoever asked may no longer see it."""

Admit = Callable[[Request, "PageRoute"], Awaitable[Response | None]]
"""None where the request may go on, else the answer that says why it may not."""


Until = Callable[[], Awaitable[bool]]
"""Whether an answer without end has to end."""


def ended_for(request: Request) -> Until:
    """To be asked from time to time by an answer without end: whether its asker is no longer who was admitted."""
    ended: Callable[[Request], Until] = request.scope[ENDED]
    return ended(request)


class PageRoute(Route):
    """A route of the console. `shows` is the scope of what its answers hold, `needs` the permission that opens it.

    It does not run without a gate before it: a console that was put together without one shows nothing.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        shows: Scope,
        needs: str,
        *,
        methods: Collection[str] | None = None,
        max_body_size: int | None = None,
    ) -> None:
        """`max_body_size`: bytes of a request, where that is not what all routes take."""
        super().__init__(path, endpoint, methods=methods, max_body_size=max_body_size)
        self.shows, self.needs = shows, needs

    def matches(self, scope: Connection) -> tuple[Match, Connection]:
        """Whether it is this route that is asked for. A number of more digits than Python reads is no number."""
        try:
            return super().matches(scope)
        except ValueError:
            return Match.NONE, {}

    async def handle(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Asks the gate, then the endpoint."""
        admit: Admit = scope[GATE]
        refusal = await admit(Request(scope, receive), self)
        if refusal is not None:
            await refusal(scope, receive, send)
        else:
            await super().handle(scope, receive, send)
