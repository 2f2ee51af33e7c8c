"""What the console answers to whom, and what every answer carries."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from signing_in import MakeClient
from steelyard.web.guard import HEADERS

WEB = Path(__file__).parents[2] / "src" / "steelyard"


@pytest.mark.parametrize("path", ["/desk", "/nowhere", "/nowhere.json", "/enter", "/static/x/css/bar.css"])
async def test_every_answer_carries_the_headers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


async def test_a_crash_is_a_page_with_the_headers_and_without_its_cause(make_client: MakeClient) -> None:
    def crash(request: Request) -> Response:
        raise RuntimeError("secret cause")

    client = make_client(routes=[Route("/crash", crash), Route("/crash.json", crash)], loud=False)
    page = await client.get("/crash")
    assert (page.status_code, "secret" in page.text) == (500, False)
    assert "routing goes on" in page.text
    assert page.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    data = await client.get("/crash.json")
    assert data.json() == {"error": {"status": 500, "message": "Internal Server Error"}}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8420", 303),
        ("127.0.0.1", 303),
        ("[::1]:8420", 303),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("127.0.0.1@evil.example", 400),
        ("[::1", 400),
        ("", 400),
    ],
)
async def test_only_its_own_names_are_answered(client: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await client.get("/", headers={"Host": host})).status_code == status


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8420"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "http://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": "http://["}, True),
        ({"Origin": "http://127.0.0.1:9999"}, True),
        ({"Origin": "http://127.0.0.1:8420"}, False),
        ({}, False),
    ],
)
async def test_other_sites_cannot_act(client: httpx.AsyncClient, headers: dict[str, str], refused: bool) -> None:
    answer = await client.post("/enter", data={"token": "x"}, headers=headers)
    assert answer.status_code == (403 if refused else 410)


def test_nothing_is_inline() -> None:
    forbidden = re.compile(
        r"\sstyle=|<style|\son[a-z]+=|hx-on|js:|javascript:|<script(?![^>]*\ssrc=)|innerHTML\s*=|\beval\("
    )
    files = [*WEB.glob("*/templates/*.html"), *WEB.glob("web/elements/*.js"), *WEB.glob("web/static/*.svg")]
    assert len(files) > 10
    found = {path.name: forbidden.findall(path.read_text("utf-8")) for path in files}
    assert {name: hits for name, hits in found.items() if hits} == {}


async def test_files_are_kept_for_ever_under_an_address_of_their_content(client: httpx.AsyncClient) -> None:
    page = (await client.get("/desk")).text
    links = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert any(link.endswith(".css") for link in links)
    for link in links:
        answer = await client.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await client.get(re.sub(r"/static/\w+/", "/static/000000000000/", links[0]))).status_code == 404
    assert (await client.get(links[0].rsplit("/", 1)[0] + "/../guard.py")).status_code == 404


async def test_pages_are_not_stored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/desk")).headers["cache-control"] == "no-store"


async def test_language_and_theme_are_remembered(client: httpx.AsyncClient) -> None:
    first = await client.get("/desk?lang=fr&theme=dark", headers={"Accept-Language": "en"})
    assert '<html lang="fr" data-theme="dark" ' in first.text
    again = await client.get("/desk", headers={"Accept-Language": "en"})
    assert '<html lang="fr" data-theme="dark" ' in again.text
    system = await client.get("/desk?lang=en&theme=system")
    assert '<html lang="en" data-times' in system.text
    odd = await client.get('/desk?lang="><x&theme="><x')
    assert '<html lang="en" data-times' in odd.text
    assert "<x" not in odd.text


async def test_pages_come_compressed(client: httpx.AsyncClient) -> None:
    page = await client.get("/styleguide", headers={"Accept-Encoding": "gzip"})
    assert (page.headers["content-encoding"], page.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert page.num_bytes_downloaded < len(page.content) / 3
    plain = await client.get("/styleguide", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
