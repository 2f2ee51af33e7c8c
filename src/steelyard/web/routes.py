"""Routes that say whose data they show."""

from collections.abc import Callable, Collection
from typing import Any

from starlette.routing import Route

from steelyard.kit.scopes import Scope


class PageRoute(Route):
    """A route of the console. `shows` is the scope of what its answers hold."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], shows: Scope, *, methods: Collection[str] | None = None
    ) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.shows = shows
