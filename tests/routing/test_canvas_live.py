"""The inbox app end to end: a simulated Intercom signs and asks, over a real port, the web process as it is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from canvas_kit import problems
from served import serving
from steelyard.config import Settings
from steelyard.demo.intercom import Config, people, running
from steelyard.demo.intercom.inbox_app import NotShown
from steelyard.main.web import web_app


async def test_intercom_shows_what_steelyard_knows(bench: Any, app_url: str, keys: Path) -> None:
    config = Config(app_id="a86dr8yl", client_secret="sesame", region="EU")
    settings = Settings(cell="eu1", keys=keys, console_url="https://desk.example.com", cells={"us1": "us1.example.com"})
    async with running(config) as simulator, web_app(settings, app_url) as app, serving(app) as port:
        base, admin = f"http://127.0.0.1:{port}", simulator.workspace.owner
        await simulator.sender.subscribe(f"{base}/hooks/intercom/eu1")
        customer = people.customer(simulator.workspace, "Alba Moreno", "alba@example.test")
        asked = people.write_in(simulator.workspace, customer, "DNS", "Our nameservers do not answer")
        with pytest.raises(NotShown, match="not installed"):
            await simulator.inbox_app.open(asked.id, admin)
        simulator.inbox_app.install(f"{base}/canvas/eu1")
        canvas = await simulator.inbox_app.open(asked.id, admin)
        assert "does not know this conversation yet" in str(canvas)
        assert await simulator.sender.drain(10)
        await bench.route()
        canvas = await simulator.inbox_app.press("refresh", canvas, asked.id, admin)
        assert problems({"canvas": canvas}) == []
        assert "'Weight " in str(canvas)
        assert f"https://desk.example.com/conversations/{asked.id}?workspace={bench.workspace}" in str(canvas)
        async with httpx.AsyncClient(base_url=simulator.base_url) as client:
            path = f"/_simulator/conversations/{asked.id}/inbox_app"
            french = (await client.post(path, json={"language": "fr"})).json()
            assert "Actualiser" in str(french)
            assert (await client.post(path, json={"press": "no-such", "canvas": french})).status_code == 404
            moved = await client.post("/_simulator/inbox_app", json={"url": f"{base}/canvas/us1"})
            assert moved.status_code == 200
            assert "was answered with 421" in (await client.post(path, json={})).json()["error"]
            elsewhere = await client.post("/_simulator/inbox_app", json={"url": "https://example.com/canvas/eu1"})
            assert elsewhere.status_code == 400
