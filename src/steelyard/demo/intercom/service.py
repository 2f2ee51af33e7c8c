"""The simulated Intercom as an ASGI application: every REST call is checked, counted, perhaps spoilt, then handled."""

import json
import time
import uuid
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from steelyard.demo.intercom.faults import Faults
from steelyard.demo.intercom.limits import Limit
from steelyard.demo.intercom.model import Json, Workspace
from steelyard.demo.intercom.rest import conversations, directory, tickets
from steelyard.demo.intercom.rest.call import Call, Handler, Refused

VERSION = "2.16"

ROUTES = (*directory.ROUTES, *tickets.ROUTES, *conversations.ROUTES)

_NOT_JSON = Refused(400, "bad_request", "The body is not a JSON object")
# What Intercom says when it does not handle a call, by status.
_UNHANDLED = {429: ("rate_limit_exceeded", "Exceeded rate limit"), 500: ("server_error", "Server error")}


def application(
    workspace: Workspace, *, token: str, limit: Limit, faults: Faults, control: list[BaseRoute]
) -> Starlette:
    """Answers Intercom's calls to holders of `token`, and what `control` adds for those who run the simulation."""

    def endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            counts = workspace.record.counts
            counts["calls"] += 1
            allowance = limit.take(time.time())
            try:
                if spoilt := faults.fate("call").answer if allowance.allowed else 429:
                    counts[f"calls_{spoilt}"] += 1
                    raise Refused(spoilt, *_UNHANDLED[spoilt])
                _check_headers(request, token)
                call = Call(workspace, request.path_params, dict(request.query_params), await _body(request))
                return JSONResponse(handler(call), headers=allowance.headers)
            except Refused as refused:
                return _refusal(refused, allowance.headers)

        return answer

    routes = [Route(path, endpoint(handler), methods=[method]) for method, path, handler in ROUTES]
    return Starlette(routes=[*control, *routes], exception_handlers={HTTPException: _unknown})


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


async def _unknown(request: Request, error: Exception) -> Response:
    """No such path, or not with that method: to Intercom it is the same."""
    return _refusal(Refused(404, "not_found", f"There is no {request.method} {request.url.path}"), {})
