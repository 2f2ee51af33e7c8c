"""The pages of people: each is drawn, in both languages, and is data under the same address."""

from __future__ import annotations

import pytest

from signing_in import Enter

PAGES = ("/account", "/access", "/people", "/tokens", "/audit")


@pytest.mark.parametrize("language", ["en", "fr"])
async def test_every_page_is_drawn(enter: Enter, language: str) -> None:
    client = await enter("administrator")
    for path in (*PAGES, "/people/1", "/access?person=1", "/access?need=people.change", "/audit?kind=person.joined"):
        page = await client.get(path, params={"lang": language})
        assert page.status_code == 200, (path, page.text)
        assert f'<html lang="{language}"' in page.text


async def test_every_page_is_data(enter: Enter) -> None:
    client = await enter("administrator")
    for path in (*PAGES, "/people/1"):
        found = await client.get(f"{path}.json")
        assert found.status_code == 200, path
        assert found.json()
    for path in ("/access", "/people", "/tokens", "/audit"):
        found = await client.get(f"{path}.csv")
        assert found.headers["content-type"].startswith("text/csv"), path
