"""Asks web servers, within a time and a size, and follows nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.words import Failed, shown


def get(
    url: str, to: tuple[str, int] | None, headers: dict[str, str], timeout: float, most: int, look: Callable[[], None]
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the beginning of the body of a page. Raises Failed: `unreachable`, `timed_out`, `bad_output`.

    The certificate is not judged: what is asked is whether the site answers, often on its own machine.
    """
    from http.client import HTTPException

    parts = parts_of(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    until = time.monotonic() + timeout
    connection = _connection(parts, to, timeout)
    try:
        connection.request("GET", path, headers={"Host": parts.netloc, "User-Agent": "Steelyard", **headers})
        answer = connection.getresponse()
        body = _body(answer, connection, most, until, look)
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
    except TimeoutError:
        raise Failed("timed_out", f"{shown(url)} did not answer within {timeout:.0f} s") from None
    except OSError as error:
        raise Failed("unreachable", f"{shown(url)} cannot be reached: {error.strerror or error}") from None
    except HTTPException as error:
        raise Failed("bad_output", f"{shown(url)} answers no HTTP: {type(error).__name__}") from None
    finally:
        connection.close()


def parts_of(url: str) -> Any:
    """The parts of a page's address, as urllib has them. Raises Failed `failed` for what is none, such as a file's."""
    from urllib.parse import urlsplit

    try:
        parts: Any = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, known = None, False
    if not known or not url.isprintable() or " " in url:
        raise Failed("failed", f"{shown(url)} is no address of a page")
    return parts


def _connection(parts: Any, to: tuple[str, int] | None, timeout: float) -> Any:
    from http.client import HTTPConnection, HTTPSConnection

    secure = parts.scheme == "https"
    host, port = to or (parts.hostname, parts.port or (443 if secure else 80))
    if not secure:
        return HTTPConnection(host, port, timeout=timeout)
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    class Named(HTTPSConnection):
        """Connects to `to`, and asks for the certificate of the page's own name."""

        def connect(self) -> None:
            import socket

            plain = socket.create_connection((host, port), timeout)
            self.sock = context.wrap_socket(plain, server_hostname=parts.hostname)

    return Named(host, port, timeout=timeout)


def _body(answer: Any, connection: Any, most: int, until: float, look: Callable[[], None]) -> bytes:
    """The beginning of the body: a server that sends it a byte at a time gets no more time than any other."""
    body = bytearray()
    while len(body) < most:
        look()
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(left)
        piece = answer.read1(min(65_536, most - len(body)))
        if not piece:
            break
        body += piece
    return bytes(body)
