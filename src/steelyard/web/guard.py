"""What every answer of the console carries, and which requests it refuses before anything else: in this one place.

Other sites cannot read it (COOP, CORP), frame it, or make the browser act on it (Sec-Fetch-Site, else Origin: no tokens
in forms). A name that merely resolves to this machine (DNS rebinding) is not one of its names.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Wraps the console, its error pages included."""

    def __init__(self, app: ASGIApp, hosts: Collection[str] = LOOPBACK_NAMES) -> None:
        """`hosts`: the names, without ports, that this console answers to."""
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, method: str, headers: Headers) -> PlainTextResponse | None:
        if _host_name(headers.get("host", "")) not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            return PlainTextResponse(f"This console answers to {names} only. Open it by that name.\n", 400)
        if method not in SAFE_METHODS and not _same_origin(headers):
            return PlainTextResponse("This came from another site, so nothing was done. Start from the console.\n", 403)
        return None


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_origin(headers: Headers) -> bool:
    """As the browser tells it; what neither header tells comes from no browser, which has no cookies to abuse.

    An extension that the user gave this console's address to sends `none` beside its own origin: so does the companion,
    with its token and without cookies; with them it is another one. Without that permission it is `cross-site`, as
    every other site is.
    """
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site == "none":
        return "cookie" not in headers or _is_own_origin(headers)
    return _is_own_origin(headers) if fetch_site is None else fetch_site == "same-origin"


def _is_own_origin(headers: Headers) -> bool:
    """Also where none is told."""
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:
        return False
