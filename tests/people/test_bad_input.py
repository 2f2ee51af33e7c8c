"""Bodies and queries that no form sends: refused in words, never an error of ours."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signing_in import PASSWORD, Enter
from steelyard.kit.ids import CellId
from steelyard.kit.scopes import Scope
from steelyard.main.console import Site, console
from steelyard.people.sessions import COOKIE
from steelyard.web.routes import PageRoute
from steelyard.web.static import read_static
from town import Town

NOTHING: Any = None
LATER = timedelta(minutes=20)
ROUTES: list[PageRoute] = [
    route
    for route in console(NOTHING, read_static(), Site(CellId("eu1"), Path("nowhere")))._app.routes  # type: ignore[attr-defined]
    if route.shows is not Scope.GLOBAL
]
POSTS = sorted({route.path for route in ROUTES if "POST" in (route.methods or ())})
GETS = sorted({route.path for route in ROUTES if "GET" in (route.methods or ()) and not route.path.endswith("/live")})

FIELDS = """name address roles engineer password old token next kept kept.name session person language theme zone scopes
    life loaded was.roles pick.roles change seq x sort page who kind at.from at.to conversation position before done"""
TEXTS = """1 -1 0 99999999999999999999 1e9 NaN on yes administrator x@example.com roles.1.2.3 2026-02-30 0001-01-01
    removed.99999999999999999999 <script> % http://evil.example"""
NASTY = [b"\x00", b"\xff\xfe", b"\r\n", b"\x1b[31m", b"a" * 5000, "’ \u202e é 🙂".encode(), b"'; DROP TABLE person; --"]
NAMES = st.sampled_from(FIELDS.split())
PIECES = st.sampled_from([*(each.encode() for each in TEXTS.split()), *NASTY])
VALUES = st.one_of(PIECES, st.binary(max_size=30), st.lists(PIECES, max_size=3).map(b"".join))
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
TYPES = st.sampled_from(
    [
        *("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-7", "application/json"),
        *("multipart/form-data", "multipart/form-data; boundary=x", "multipart/form-data; boundary=" + "y" * 300),
        *("text/plain", ""),
    ]
)
NUMBERS = st.sampled_from(["1", "2", "3", "0", "99999999", "9" * 19, "9" * 40])


def encoded(pairs: list[tuple[str, bytes]]) -> bytes:
    return "&".join(f"{name}={quote_from_bytes(value)}" for name, value in pairs).encode()


def parted(pairs: list[tuple[str, bytes]]) -> bytes:
    parts = (b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (n.encode(), v) for n, v in pairs)
    return b"".join(parts) + b"--x--\r\n"


BODIES = st.one_of(PAIRS.map(encoded), PAIRS.map(parted), st.binary(max_size=200), st.just(b"a=" + b"b" * 70_000))


def path_of(route: str, number: str) -> str:
    head, brace, rest = route.partition("{")
    return f"{head}{number}{rest.partition('}')[2]}" if brace else route


STEADY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.mark.timeout(300)
@STEADY
@given(route=st.sampled_from(POSTS), number=NUMBERS, body=BODIES, type=TYPES)
async def test_no_body_is_an_error_of_ours(
    town: Town, make_client: Any, route: str, number: str, body: bytes, type: str
) -> None:
    if not hasattr(town, "open"):
        town.open = make_client()  # type: ignore[attr-defined]
    client: httpx.AsyncClient = town.open  # type: ignore[attr-defined]
    town.clock.now += LATER  # nobody is held because of the last guesses
    headers = {"Cookie": f"{COOKIE}={await town.cookie('administrator')}"} | ({"Content-Type": type} if type else {})
    client.cookies.clear()
    answer = await client.post(path_of(route, number), content=body, headers=headers)
    assert answer.status_code < 500, (route, answer.status_code)


@pytest.mark.timeout(300)
@STEADY
@given(route=st.sampled_from(GETS), number=NUMBERS, pairs=PAIRS)
async def test_no_query_is_an_error_of_ours(
    town: Town, make_client: Any, route: str, number: str, pairs: list[tuple[str, bytes]]
) -> None:
    if not hasattr(town, "open"):
        town.open = make_client(cookies=await town.cookies("administrator"))  # type: ignore[attr-defined]
    client: httpx.AsyncClient = town.open  # type: ignore[attr-defined]
    answer = await client.get(f"{path_of(route, number)}?{encoded(pairs).decode()}")
    assert answer.status_code < 500, (route, answer.status_code)
    assert "\r" not in str(answer.headers)


@pytest.mark.timeout(300)
async def test_a_number_longer_than_any_is_none(enter: Enter) -> None:
    client, longest = await enter("administrator"), "9" * 5000
    for route in GETS:
        if "{" in route:
            assert (await client.get(path_of(route, longest))).status_code == 404, route
    answer = await client.get("/conversations", params={"conversation": "0" * 5000 + "1"})
    assert (answer.status_code, "takes a whole number" in answer.text) == (200, True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("nasty", NASTY)
async def test_no_field_of_any_form_takes_what_cannot_be_stored(town: Town, make_client: Any, nasty: bytes) -> None:
    client = make_client()
    for route in POSTS:
        town.clock.now += LATER
        headers = {"Cookie": f"{COOKIE}={await town.cookie('administrator')}"}
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = encoded([(name, nasty) for name in FIELDS.split() if name not in ("kept", "loaded")])
        answer = await client.post(path_of(route, "1"), content=body, headers=headers)
        assert answer.status_code < 500, route
        client.cookies.clear()


async def test_a_body_that_is_too_large_is_not_read(enter: Enter, town: Town) -> None:
    client = await enter("administrator")
    before = town.everything()
    for path in ("/people", "/account", "/tokens", "/sign-in"):
        answer = await client.post(path, data={"name": "x" * 70_000})
        assert answer.status_code == 413, path
    assert town.everything() == before


async def test_nothing_typed_is_lost_when_the_session_ends(enter: Enter, town: Town, make_client: Any) -> None:
    """An invitation is typed for longer than the session lasts; signing in again offers to send it."""
    client = await enter("administrator")
    town.clock.now += LATER * 400
    typed = {
        "name": 'Zoé "Z" <Roux>',
        "address": "zoe@example.com",
        "roles": ["lead", "author"],
        "password": "secret",
    }
    page = await client.post(f"/people?workspace={town.home}", data=typed)
    assert page.status_code == 401
    form = Form.of(page.text, "/sign-in")
    assert ("kept.password", "secret") not in form
    wrong = await client.post("/sign-in", **sent([*form, ("address", "administrator@example.com"), ("password", "no")]))
    assert wrong.status_code == 401
    form = Form.of(wrong.text, "/sign-in")  # mistyping the password loses nothing either
    again = await client.post(
        "/sign-in", **sent([*form, ("address", "administrator@example.com"), ("password", PASSWORD)])
    )
    assert again.status_code == 200
    assert "nothing of what you sent is lost" in again.text
    action = f"/people?workspace={town.home}"
    assert town.facts("person.joined")[-1][1] is None, "it is not done before it is sent again"
    done = await client.post(action, **sent(Form.of(again.text, action)))
    assert "is a member now" in done.text
    ((_, by, data),) = [each for each in town.facts("person.joined") if each[1] is not None]
    assert (by, data["roles"]) == (town.people["administrator"], [1, 2])


class Form:
    """The fields of a form in a page."""

    @staticmethod
    def of(page: str, action: str) -> list[tuple[str, str]]:
        inside = page.partition(f'action="{html.escape(action)}"')[2].partition("</form>")[0]
        found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', inside)
        return [(html.unescape(name), html.unescape(value)) for name, value in found]


def sent(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    return {"content": urlencode(pairs), "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
