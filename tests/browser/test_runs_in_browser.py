"""The demo's real shop, reset by one press in a real browser and put back by another."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from steelyard.demo.hosting import prepared

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PATIENCE = 60_000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[str]:
    """The demo, as `make run` starts it, with its shop."""
    if prepared() is None:
        pytest.skip("there is no WordPress for the demo: `make demo-site` prepares one")
    url = f"http://127.0.0.1:{(port := free_port())}"
    argv = [sys.executable, "-m", "steelyard", "demo", "--port", str(port), "--rate", "0.05"]
    process = start(argv)
    try:
        await asyncio.wait_for(ready(url, process), 120)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            await asyncio.to_thread(process.communicate, timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def start(argv: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=dict(os.environ))


async def ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the shop is in the registry and all that it is reset to lies on its host: then plans are the same."""
    plans: list[str] = []
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        while len(plans) < 2 or plans[-1] != plans[-2] or not plans[-1]:
            assert process.poll() is None, process.stderr and process.stderr.read().decode()
            try:
                sites = (await client.get("/sites.json")).json()["rows"]
                plans += [await a_plan(client)] if sites else []
            except (httpx.HTTPError, ValueError, KeyError):
                pass
            await asyncio.sleep(4)


async def a_plan(client: httpx.AsyncClient) -> str:
    """What a reset would do, in a word for each step; empty where it cannot be planned, or not from the host alone."""
    headers = {"accept": "application/json"}
    asked = await client.post("/runbooks/reset_wordpress/plan", json={"site": "shop.example"}, headers=headers)
    run = asked.json()["run"]
    for _ in range(100):
        seen = (await client.get(f"/runs/{run}.json")).json()
        if seen["state"] != "planning":
            steps = [step["name"] for step in seen["steps"]]
            return "" if seen["state"] != "planned" or "bring" in steps[0] else f"{steps} {seen['expected_ms']}"
        await asyncio.sleep(0.2)
    return ""


async def at_site(page: Page, console: str, path: str) -> str:
    """What the shop itself answers."""
    sites = await (await page.request.get(f"{console}/sites.json")).json()
    answer = await page.request.get(f"{sites['rows'][0]['url']}{path}")
    return await answer.text()


async def test_a_shop_is_reset_and_put_back(browser: Browser, console: str) -> None:
    page = await (await browser.new_context(viewport={"width": 1280, "height": 900})).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    before = await at_site(page, console, "/")

    await page.goto(f"{console}/sites")
    await page.get_by_role("link", name="shop.example").click()
    await page.get_by_role("button", name="Check shop.example now").click()
    await expect(page.get_by_text("Its database shop_example answers.")).to_be_visible(timeout=PATIENCE)
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Runbooks").click()
    await page.get_by_role("link", name="Reset WordPress").click()
    await page.get_by_label("Site", exact=True).select_option(label="shop.example")
    await page.get_by_role("button", name="Show what it would do").click()
    confirm = page.get_by_role("button", name="Reset WordPress on shop.example")
    await expect(confirm).to_be_visible(timeout=PATIENCE)
    await expect(page.get_by_text("Exchange the tables")).to_be_visible()
    assert await at_site(page, console, "/") == before, "a plan changes nothing"

    await page.get_by_label("Type shop.example to confirm").fill("shop.exampel")
    await confirm.click()
    await expect(page.get_by_text("Type the site’s name")).to_be_visible()
    await page.get_by_label("Type shop.example to confirm").fill("shop.example")
    await confirm.click()
    undo = page.get_by_role("button", name=re.compile("^Undo"))
    await expect(undo).to_be_visible(timeout=PATIENCE)
    await expect(page.get_by_text("✓ Done")).to_be_visible()
    fresh = await at_site(page, console, "/")
    assert "Hello world!" in fresh
    assert "Spring steelyard" not in fresh

    await undo.click()
    await expect(page.get_by_role("heading", name="Undo Reset WordPress on shop.example")).to_be_visible()
    await expect(page.get_by_text("✓ Done")).to_be_visible(timeout=PATIENCE)
    back = await at_site(page, console, "/")
    assert "Spring steelyard" in back
    assert title_of(back) == title_of(before)
    assert [each for each in said if "422" not in each] == [], "the refusal alone is told"


def title_of(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert found is not None, page[:300]
    return found[1]
