"""What became of an act: told on the page that follows, with the way back; or why it was refused."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from starlette.requests import Request

from steelyard.kit.ids import WorkspaceId
from steelyard.people.gate import standing_of
from steelyard.people.permissions import Permission
from steelyard.routing.conversation_page import read_facts
from steelyard.routing.history import last_move
from steelyard.routing.labels import Person
from steelyard.routing.rows import rows
from steelyard.store.database import Connection, Database
from steelyard.web.place import Place
from steelyard.web.toasts import Done, Undo, done_of
from steelyard.web.viewer import viewer_of

What = Literal["moved", "resting", "rotating", "away", "back", "read"]

_IDS: Final[dict[str, tuple[What, int]]] = {
    "moved": ("moved", 3),
    "resting": ("resting", 1),
    "rotating": ("rotating", 1),
    "away": ("away", 0),
    "back": ("back", 0),
    "read": ("read", 1),
}
"""How many ids each is told with. Of a move: the conversation, to whom, and whom it was with; 0: nobody."""


class Refusal(NamedTuple):
    """Why an act was not done: a code of acts.REFUSALS, `stale` or `nobody_chosen`. `now` is who has it instead."""

    code: str
    message: str
    now: Person | None = None
    chosen: int | None = None

    @property
    def status(self) -> int:
        """Of the answer that says so."""
        return 422 if self.code == "nobody_chosen" else 409


class ActDone(NamedTuple):
    """What was done. `engineer` is to whom; None: nobody. `undo` is None where there is no way back."""

    what: What
    conversation: int
    engineer: Person | None
    before: Person | None
    undo: Undo | None


async def read_done(database: Database, request: Request) -> ActDone | None:
    """What the address says was just done, if it still holds."""
    done = done_of(request.query_params, _IDS)
    place = viewer_of(request).place
    if done is None or place is None or len(done.ids) != _IDS[done.what][1]:
        return None
    back = "desk" if request.url.path == "/desk" else ""
    workspace = standing_of(request).workspace
    async with database.transaction(workspace) as connection:
        if done.what == "moved" and not await _still_moved(connection, workspace, done):
            return None
        return await act_done(connection, done, place, back, request)


async def act_done(connection: Connection, done: Done, place: Place, back: str, request: Request) -> ActDone:
    """`done` in words' reach: names instead of ids, and the form that takes it back."""
    what, ids = _IDS[done.what][0], done.ids
    found = await rows(
        connection, "SELECT engineer AS id, name FROM teammate_name WHERE engineer = ANY(%s)", [list(ids)]
    )
    names = {row["id"]: row["name"] for row in found}

    def person(id: int) -> Person | None:
        return Person(id, names.get(id, "")) if id else None

    undo = _undo(what, ids, place, back) if viewer_of(request).may(_NEEDS[what]) else None
    match what:
        case "moved":
            return ActDone(what, ids[0], person(ids[1]), person(ids[2]), undo)
        case "resting" | "rotating":
            return ActDone(what, 0, person(ids[0]), None, undo)
        case "read":
            return ActDone(what, ids[0], None, None, None)
        case _:
            return ActDone(what, 0, None, None, undo)


_NEEDS: Final[dict[What, Permission]] = {
    "moved": Permission.MOVE,
    "resting": Permission.CHANGE_ROTATION,
    "rotating": Permission.CHANGE_ROTATION,
    "away": Permission.SET_OWN_AWAY,
    "back": Permission.SET_OWN_AWAY,
    "read": Permission.RETRY,
}


def _undo(what: What, ids: tuple[int, ...], place: Place, back: str) -> Undo | None:
    match what:
        case "moved":
            conversation, to, before = map(str, ids)
            fields = (("conversation", conversation), ("engineer", before), ("expected", to), ("from", back))
            return Undo(place.link("/move"), fields)
        case "resting":
            return Undo(place.link("/rotation"), (("back", str(ids[0])), ("from", back)))
        case "rotating":
            return Undo(place.link("/rotation"), (("off", str(ids[0])), ("from", back)))
        case "away" | "back":
            return Undo(place.link("/away"), (("away", "no" if what == "away" else "yes"), ("from", back)))
        case _:
            return None


async def _still_moved(connection: Connection, workspace: WorkspaceId, done: Done) -> bool:
    """Whether nobody asked for another move since, and this one did not fail."""
    conversation, to, _ = done.ids
    move = last_move(await read_facts(connection, workspace, conversation))
    return move is not None and (move.engineer or 0) == to and move.outcome in ("", "moved")
