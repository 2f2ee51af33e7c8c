"""Running the simulation over HTTP, under /_simulator/: act as people, set faults, count what happened.

POST /_simulator/conversations                 {body, subject?, language?, team?, tags?, attributes?, ...}
POST /_simulator/conversations/{id}/inbox_app  {admin?, language?}: opens the inbox app beside it; with {press, canvas}
                                               presses a button of it. The answer is the canvas
POST /_simulator/conversations/{id}/{deed}     a deed of people.TO_CONVERSATIONS; {admin?} is who does it, else the lead
POST /_simulator/admins                        {name, seat?, teams?}
POST /_simulator/admins/{id}/{deed}            a deed of people.TO_ADMINS
POST /_simulator/teams/{id}/members            {members}
POST /_simulator/faults                        {fault: probability}: those of faults.FAULTS
                                               of webhooks  duplicate | reorder | drop | late | cut | hang_up
                                               of calls     rate_limit | error | unavailable | bad_request |
                                                            unauthorized | forbidden | not_found | slow | refuse | die
POST /_simulator/plan                          {operation: [fault of calls or `fine`]}: what the next calls of that
                                               operation meet, in order; operations are those of rest.OPERATIONS
POST /_simulator/limit                         {calls}: per window of ten seconds
POST /_simulator/webhook                       {url}
POST /_simulator/inbox_app                     {url}: where the inbox app is, without /initialize and /submit
POST /_simulator/drain                         {seconds?}
GET  /_simulator/admins | faults | plan (what is left of it) | record | summary
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from steelyard.demo.intercom import count, people, staff
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.faults import Faults
from steelyard.demo.intercom.inbox_app import InboxApp
from steelyard.demo.intercom.limits import Limit
from steelyard.demo.intercom.model import Json, Workspace
from steelyard.demo.intercom.webhooks import Sender

LONGEST_DRAIN = 300.0
"""Seconds."""


class Board(NamedTuple):
    """What can be turned."""

    workspace: Workspace
    sender: Sender
    faults: Faults
    limit: Limit
    inbox_app: InboxApp


class Order(NamedTuple):
    """One call of the control API: who or what (`id`), what to do (`deed`), and with what."""

    board: Board
    id: int
    deed: str
    body: Json


Handler = Callable[[Order], Awaitable[Json]]


async def _begin(order: Order) -> Json:
    wanted: Json = {"subject": "", "language": ""} | order.body
    contact: Json = {"name": "Camille Durand", "email": "camille@example.test"} | wanted.pop("contact", {})
    who = people.customer(order.board.workspace, language=wanted["language"], **contact)
    tags = tuple(wanted.pop("tags", ()))
    return {"id": people.write_in(order.board.workspace, who, tags=tags, **wanted).id}


async def _to_conversation(order: Order) -> Json:
    workspace = order.board.workspace
    conversation = workspace.conversations[order.id]
    actor = Actor(workspace.admins[order.body.get("admin", workspace.owner)])
    people.TO_CONVERSATIONS[order.deed](workspace, conversation, actor, order.body)
    return {"state": conversation.state, "admin": conversation.admin, "team": conversation.team}


async def _hire(order: Order) -> Json:
    body = order.body
    seat, teams = body.get("seat", True), tuple(body.get("teams", ()))
    return {"id": people.hire(order.board.workspace, body["name"], seat=seat, teams=teams).id}


async def _to_admin(order: Order) -> Json:
    workspace = order.board.workspace
    people.TO_ADMINS[order.deed](workspace, workspace.admins[order.id], order.body)
    return {}


async def _set_members(order: Order) -> Json:
    workspace = order.board.workspace
    staff.set_members(workspace.teams[order.id], [workspace.admins[each].id for each in order.body["members"]])
    return {}


async def _set_faults(order: Order) -> Json:
    order.board.faults.set(order.body)
    return dict(order.board.faults.rates)


async def _set_plan(order: Order) -> Json:
    for operation, faults in order.body.items():
        order.board.faults.plan(operation, faults)
    return dict(order.board.faults.planned)


async def _set_limit(order: Order) -> Json:
    order.board.limit.calls = int(order.body["calls"])
    return {"calls": order.board.limit.calls}


async def _subscribe(order: Order) -> Json:
    return {"head": await order.board.sender.subscribe(order.body["url"])}


async def _install(order: Order) -> Json:
    order.board.inbox_app.install(order.body["url"])
    return {}


async def _open_app(order: Order) -> Json:
    board, body = order.board, order.body
    admin, language = body.get("admin", board.workspace.owner), body.get("language", "en")
    if "press" in body:
        return await board.inbox_app.press(body["press"], body["canvas"], order.id, admin, language)
    return await board.inbox_app.open(order.id, admin, language)


async def _drain(order: Order) -> Json:
    drained = await order.board.sender.drain(min(float(order.body.get("seconds", 30)), LONGEST_DRAIN))
    return {"drained": drained, "unsettled": order.board.sender.unsettled}


async def _admins(order: Order) -> Json:
    return {"admins": count.admins(order.board.workspace)}


async def _record(order: Order) -> Json:
    return count.record(order.board.workspace)


async def _summary(order: Order) -> Json:
    return count.summary(order.board.workspace) | {"disabled": order.board.sender.disabled}


async def _faults(order: Order) -> Json:
    return dict(order.board.faults.rates)


async def _plan(order: Order) -> Json:
    return dict(order.board.faults.planned)


_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/conversations", _begin),
    ("POST", "/conversations/{id:int}/inbox_app", _open_app),
    ("POST", "/conversations/{id:int}/{deed}", _to_conversation),
    ("POST", "/admins", _hire),
    ("POST", "/admins/{id:int}/{deed}", _to_admin),
    ("POST", "/teams/{id:int}/members", _set_members),
    ("POST", "/faults", _set_faults),
    ("POST", "/plan", _set_plan),
    ("POST", "/limit", _set_limit),
    ("POST", "/webhook", _subscribe),
    ("POST", "/inbox_app", _install),
    ("POST", "/drain", _drain),
    ("GET", "/admins", _admins),
    ("GET", "/record", _record),
    ("GET", "/summary", _summary),
    ("GET", "/faults", _faults),
    ("GET", "/plan", _plan),
)


def routes(board: Board) -> list[BaseRoute]:
    """The control API of `board`. What does not exist is 404, what does not fit 400, both with an `error`."""
    return [Route(f"/_simulator{path}", _endpoint(board, handler), methods=[verb]) for verb, path, handler in _ROUTES]


def _endpoint(board: Board, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        path: dict[str, Any] = request.path_params
        try:
            body = json.loads(await request.body() or b"{}")
            return JSONResponse(await handler(Order(board, path.get("id", 0), path.get("deed", ""), body)))
        except KeyError as error:
            return JSONResponse({"error": f"there is no {error.args[0]}"}, status_code=404)
        except (ValueError, TypeError, AttributeError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)

    return answer
