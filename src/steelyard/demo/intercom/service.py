"""The simulated Intercom as an ASGI application: every REST call is checked, counted, perhaps spoilt, then handled."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from steelyard.demo.intercom.faults import Fate, Faults
from steelyard.demo.intercom.limits import Limit
from steelyard.demo.intercom.model import Json, Workspace
from steelyard.demo.intercom.rest import ROUTES, operation_of
from steelyard.demo.intercom.rest.call import Call, Operation, Refused

VERSION = "2.16"

_NOT_JSON = Refused(400, "bad_request", "The body is not a JSON object")
# What Intercom says when it does not handle a call, by status.
_UNHANDLED = {
    400: ("parameter_invalid", "Not accepted"),
    401: ("unauthorized", "Access Token Invalid"),
    403: ("api_plan_restricted", "Active subscription needed"),
    404: ("not_found", "Resource Not Found"),
    429: ("rate_limit_exceeded", "Exceeded rate limit"),
    500: ("server_error", "Server error"),
    503: ("service_unavailable", "Service unavailable"),
}


def application(
    workspace: Workspace, *, token: str, limit: Limit, faults: Faults, slow: float, control: list[BaseRoute]
) -> Starlette:
    """Answers Intercom's calls to holders of `token`, and what `control` adds for those who run the simulation.

    `slow` is in seconds: how long an answer is kept back that is to come late.
    """
    counts, operations = workspace.record.counts, workspace.record.operations

    def endpoint(route: Operation) -> Callable[[Request], Awaitable[ASGIApp]]:
        async def answer(request: Request) -> ASGIApp:
            counts["calls"] += 1
            allowance = limit.take(time.time())
            headers = {**_date(workspace), **allowance.headers}
            try:
                if not allowance.allowed:
                    raise _unhandled(counts, 429)
                _check_headers(request, token)
                body = await _body(request)
                operation = operation_of(route.name, body)
                operations[operation] += 1
                fate = faults.fate("call", operation)
                if fate.answer:
                    raise _unhandled(counts, fate.answer)
                if fate.cut == "before":
                    counts["calls_cut"] += 1
                    return _hang_up
                call = Call(workspace, request.path_params, dict(request.query_params), body)
                answered = JSONResponse(route.handler(call), headers=headers)
            except Refused as refused:
                return _refusal(refused, headers)
            return _struck(answered, fate, slow, counts)

        return answer

    routes = [Route(each.path, endpoint(each), methods=[each.method]) for each in ROUTES]
    return Starlette(routes=[*control, *routes], exception_handlers={HTTPException: _unknown(workspace)})


def _struck(answer: ASGIApp, fate: Fate, slow: float, counts: Counter[str]) -> ASGIApp:
    """The answer to a call that was handled, as far as its caller gets it."""
    if fate.cut:
        counts["calls_died"] += 1
        return _hang_up
    if fate.late:
        counts["calls_slow"] += 1
        return _later(answer, slow)
    return answer


def _unhandled(counts: Counter[str], status: int) -> Refused:
    counts[f"calls_{status}"] += 1
    return Refused(status, *_UNHANDLED[status])


async def _hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    """No answer: the connection is closed."""
    scope["state"]["hang_up"]()
    await _until_gone(receive)


def _later(answer: ASGIApp, seconds: float) -> ASGIApp:
    """The answer after so many seconds, to a caller who is still there."""

    async def later(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(seconds):
                await _until_gone(receive)
        except TimeoutError:
            await answer(scope, receive, send)

    return later


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _check_headers(request: Request, token: str) -> None:
    accept = request.headers.get("accept", "")
    if not any(kind in accept for kind in ("*/*", "application/*", "application/json")):
        raise Refused(406, "media_type_not_acceptable", "The Accept header should allow application/json")
    if request.headers.get("authorization") != f"Bearer {token}":
        raise Refused(401, "unauthorized", "Access Token Invalid")
    if request.headers.get("intercom-version", VERSION) != VERSION:
        raise Refused(400, "intercom_version_invalid", "The requested version could not be found")


async def _body(request: Request) -> Json:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise _NOT_JSON from error
    if not isinstance(body, dict):
        raise _NOT_JSON
    return body  # pyright: ignore[reportUnknownVariableType]


def _refusal(refused: Refused, headers: dict[str, str]) -> Response:
    error = {"code": refused.code, "message": refused.message}
    if refused.field is not None:
        error["field"] = refused.field
    body = {"type": "error.list", "request_id": str(uuid.uuid4()), "errors": [error]}
    return JSONResponse(body, status_code=refused.status, headers=headers)


def _unknown(workspace: Workspace) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def refuse(request: Request, error: Exception) -> Response:
        """No such path, or not with that method: to Intercom it is the same."""
        return _refusal(Refused(404, "not_found", f"There is no {request.method} {request.url.path}"), _date(workspace))

    return refuse


def _date(workspace: Workspace) -> dict[str, str]:
    return {"Date": formatdate(workspace.now(), usegmt=True)}
