"""`steelyard handbook`: what whoever runs Steelyard does with its pages, as the command itself prints it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.toolbox.handbook.shipped import shipped
from steelyard.toolbox.handbook.store import read_page

Typed = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def workspace(make_workspace: Callable[..., Awaitable[WorkspaceId]]) -> WorkspaceId:
    return await make_workspace()


@pytest.fixture
def steelyard(app_url: str, keys: Path, workspace: WorkspaceId) -> Typed:
    """Runs `steelyard handbook …` to its end; status, output, errors."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        environment = {**os.environ, "STEELYARD_CELL": "eu1", "DATABASE_URL": app_url, "STEELYARD_KEYS": str(keys)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "steelyard", "handbook", *arguments),
            env={**environment, "COLUMNS": "200"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode(), err.decode()

    return run


async def test_pages_come_in_and_go_out_and_come_in_again(
    steelyard: Typed, tmp_path: Path, database: Database, workspace: WorkspaceId
) -> None:
    wiki = tmp_path / "wiki"
    (wiki / "fr").mkdir(parents=True)
    (wiki / "a.md").write_text("# A [red]\n[b](fr/b.md)")
    (wiki / "fr" / "b.html").write_text("<main><h1>Bé</h1><pre>ls</pre></main>")
    (wiki / "bad.md").write_text("nothing")
    status, out, _ = await steelyard("import", str(wiki))
    assert status == 0
    assert "2 pages would be imported" in out
    async with database.transaction(workspace) as conn:
        assert await read_page(conn, workspace, ("a", "en")) is None
    status, out, _ = await steelyard("import", str(wiki), "--apply", "--json")
    done = json.loads(out)
    assert (status, done["written"], done["counts"]) == (0, 2, {"new": 2, "refused": 1})
    status, out, _ = await steelyard("export", str(tmp_path / "out"))
    assert "2 pages" in out
    assert (tmp_path / "out/fr/b.md").read_text() == "---\ntitle: Bé\nlanguage: fr\n---\n```\nls\n```\n"
    again = json.loads((await steelyard("import", str(tmp_path / "out"), "--apply", "--json"))[1])
    assert again["written"] == 0
    assert again["counts"] == {"unchanged": 2}


async def test_pages_are_listed_found_and_checked(steelyard: Typed) -> None:
    listed = json.loads((await steelyard("list", "--json"))[1])["pages"]
    assert len(listed) == len(shipped())
    assert "set-up-redis" in (await steelyard("list"))[1]
    status, out, _ = await steelyard("search", "réinitialiser", "word", "--language", "fr", "--json")
    assert (status, json.loads(out)["pages"][0]["slug"]) == (0, "reset-wordpress")
    assert "No page has all of these words." in (await steelyard("search", "zinzolin"))[1]
    assert (await steelyard("check", "dns"))[1] == "dns is checked in 2 languages.\n"
    checked = {
        (each["slug"], each["checked_at"][:10]) for each in json.loads((await steelyard("list", "--json"))[1])["pages"]
    }
    assert ("dns", "2026-11-20") not in checked


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "nothing"), "the handbook has no page 'nothing'"),
        (("import", "/nowhere/at/all"), "cannot be read"),
        (("search", "x", "--language", "de"), "choose en or fr"),
        (("list", "--workspace", "eu1.nobody"), "is not in cell"),
    ],
)
async def test_what_cannot_be_done_is_one_sentence(steelyard: Typed, arguments: tuple[str, ...], said: str) -> None:
    status, out, err = await steelyard(*arguments)
    assert (status, out) == (1, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1
