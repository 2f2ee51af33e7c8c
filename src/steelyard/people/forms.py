"""What people send: fields of forms as texts that can be stored, and where a request comes from."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request

from steelyard.people.accounts import Caller
from steelyard.web.forms import sent_of

LOOPBACK: Final = ("127.0.0.1", "::1")
"""This machine, or a proxy on it: a web process listens nowhere else."""

_ADDRESS: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,190}")
_BROWSERS: Final = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = ("Windows", "Android", "iPhone", "iPad", "Macintosh", "Linux")


def text_of(form: FormData, name: str) -> str:
    """One field as a line of text: without what no keyboard types, and without spaces around it. Empty without it."""
    return "".join(each for each in sent_of(form, name) if each.isprintable()).strip()


def is_address(text: str) -> bool:
    """Whether it looks like an e-mail address."""
    return _ADDRESS.fullmatch(text) is not None


def local_path(path: str) -> str:
    """`path` where it is one of this console, else its first page: no link signs in here and lands elsewhere."""
    try:
        parts = urlsplit(path)
    except ValueError:
        return "/"
    plain = path.isprintable() and "\\" not in path and path.startswith("/") and not path.startswith("//")
    return path if plain and not parts.scheme and not parts.netloc else "/"


def caller_of(request: Request) -> Caller:
    """Where somebody signs in from: the browser's name, never the text that it sends."""
    agent = request.headers.get("user-agent", "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for name in _SYSTEMS if name in agent), "").replace("Macintosh", "macOS")
    return Caller(", ".join(part for part in (browser, system) if part), machine_of(request))


def machine_of(request: Request) -> str:
    """The machine that asks; behind a proxy on this one, that which the proxy says last."""
    host = request.client.host if request.client is not None else ""
    told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return told[:100] if told and host in LOOPBACK else host
