"""What ingest's CPU is compared with: a bare Starlette route that checks the signature and nothing else.

python bench/_bare.py PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from _ground import CELL, SECRET
from steelyard.jobs.processes import run as run_until_done
from steelyard.main.web import uvicorn_config


async def hook(request: Request) -> Response:
    """Checks the signature, stores nothing."""
    expected = "sha1=" + hmac.new(SECRET.encode(), await request.body(), hashlib.sha1).hexdigest()
    good = hmac.compare_digest(expected, request.headers.get("x-hub-signature", ""))
    return Response(status_code=200 if good else 401)


if __name__ == "__main__":
    app = Starlette(routes=[Route(f"/hooks/intercom/{CELL}", hook, methods=["POST"])])
    with contextlib.suppress(asyncio.CancelledError):  # it is ended by SIGTERM
        run_until_done(uvicorn.Server(uvicorn_config(app, "127.0.0.1", int(sys.argv[1]))).serve())
