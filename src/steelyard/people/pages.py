"""The routes of people: the way in and out, what everybody has for themselves, who may do what, who did what."""

from __future__ import annotations

from collections.abc import Sequence

from steelyard.people import access_pages, account_pages, audit_pages, entrance, members_pages, tokens_pages
from steelyard.people.audit import Telling
from steelyard.people.ground import Ground
from steelyard.web.routes import PageRoute


def routes(ground: Ground, tellings: Sequence[Telling] = ()) -> list[PageRoute]:
    """All routes of people. `tellings`: how the deeds of each room are told in the audit."""
    return [
        *entrance.routes(ground),
        *account_pages.routes(ground),
        *access_pages.routes(ground),
        *members_pages.routes(ground),
        *tokens_pages.routes(ground),
        *audit_pages.routes(ground, [audit_pages.TELLING, *tellings]),
    ]
