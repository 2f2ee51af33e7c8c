"""What is sent to hosts: small, of the standard library alone, and read by every Python from 3.7 on."""

from __future__ import annotations

import ast
import os
import pwd
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import uvloop
from reaching import HOST, TOKEN, a_site

from steelyard.adapters.local import LocalReach
from steelyard.toolbox import bundle, hosted
from steelyard.toolbox.hosted.verbs import module_of
from steelyard.toolbox.model import By, HostId
from steelyard.toolbox.reach import Errand, HostError, Line, Progress
from steelyard.toolbox.tools import commands, files

MODULES = sorted(each.stem for each in Path(hosted.__path__[0]).glob("*.py") if each.stem != "__init__")
OTHERS = sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))
"""Other Pythons that this machine happens to have."""


def quiet(_: Line | Progress) -> None:
    """What is told is of no interest."""


@pytest.mark.parametrize("name", MODULES)
def test_a_module_stands_alone_and_is_read_by_python_3_7(name: str) -> None:
    tree = ast.parse(bundle.module(name).source, feature_version=(3, 7))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            origins = [node.module or ""]
        elif isinstance(node, ast.Import):
            origins = [each.name for each in node.names]
        else:
            continue
        for origin in origins:
            own = origin == bundle.PACKAGE or origin.startswith(f"{bundle.PACKAGE}.")
            assert own or origin.partition(".")[0] in sys.stdlib_module_names, origin


@pytest.mark.parametrize("name", MODULES)
def test_verbs_live_in_the_module_where_a_host_looks_for_them(name: str) -> None:
    verbs = getattr(import_module(f"{bundle.PACKAGE}.{name}"), "VERBS", {})
    assert [verb for verb in verbs if module_of(verb) != name] == []


def test_modules_are_sent_once_and_after_what_they_need() -> None:
    first = bundle.needed(["serve"])
    for number, each in enumerate(first):
        assert set(each.needs) <= {before.name for before in first[:number]}
    sent = {each.name for each in first}
    more = bundle.needed(["files", "commands"], sent)
    assert [each.name for each in more] == ["files", "commands"]
    assert bundle.needed(["files"], sent | {"files"}) == []


def test_what_begins_a_helper_is_small() -> None:
    more: dict[str, Any] = {"token": "0a1b2c3d", "docroot": "/srv", "hold": True}
    assert len(bundle.opening("x" * 32, bundle.needed(["serve"]), code=True, **more)) < 60_000
    assert len(bundle.opening("x" * 32, bundle.needed(["serve"]), code=False, **more)) < 30_000


@pytest.mark.parametrize("python", OTHERS, ids=lambda path: path.parts[-3])
async def test_every_python_does_the_same(python: Path, tmp_path: Path) -> None:
    reach = LocalReach((str(python),))
    for _ in range(2):  # the second time it is known which bytecode it reads
        async with reach.open(HOST, Errand(TOKEN, a_site(tmp_path), hold=True)) as reached:
            await reached.call(files.write(f"{tmp_path}/a", "1"), quiet)
            answer = await reached.call(
                commands.together(commands.run(["cat", f"{tmp_path}/a"]), files.stat([f"{tmp_path}/a"])), quiet
            )
            assert answer[0]["out"] == "1"
            assert answer[1][f"{tmp_path}/a"]["size"] == 1
            await reached.call(files.copy(f"{tmp_path}/a", f"{tmp_path}/b"), quiet)
            await reached.call(files.exchange(f"{tmp_path}/a", f"{tmp_path}/b"), quiet)
            helper = (await reached.call(commands.run(["sh", "-c", "cat /proc/$PPID/cmdline | tr '\\0' ' '"]), quiet))[
                "out"
            ]
            old = python.parts[-3].startswith("3.6.")
            assert helper.startswith(f"{python} -I -S -u -c ") is not old
            await reached.call(files.clear_work(), quiet)


def _another() -> str:
    """An account that tests may act as where they are root's."""
    try:
        return pwd.getpwnam("nobody").pw_name
    except KeyError:
        pytest.skip("there is no account nobody")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts as others without a rule for it")
@pytest.mark.parametrize("pythons", [("/nope", "/usr/bin/python3"), ("/nope",)])
def test_a_site_of_another_account_is_worked_on_as_that_account(tmp_path: Path, pythons: tuple[str, ...]) -> None:
    """On the loop that workers run on."""

    async def reaching() -> None:
        site = a_site(tmp_path, account=_another())
        async with LocalReach(pythons).open(HOST, Errand(TOKEN, site, hold=True)) as reached:
            assert (await reached.call(commands.run(["id", "-un"]), quiet))["out"] == "nobody\n"
            groups = (await reached.call(commands.run(["id", "-G"]), quiet))["out"].split()
            assert "0" not in groups
            for by in (By.SUPPORT, By.ROOT):
                assert (await reached.call(commands.run(["/usr/bin/id", "-un"], by=by), quiet))["out"] == "root\n"
            with pytest.raises(HostError) as failed:
                await reached.call(files.write("/etc/steelyard-test", ""), quiet)
            assert failed.value.code == "denied"
            await reached.call(files.clear_work(), quiet)

    uvloop.run(reaching())


async def test_an_account_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(HostError) as failed:
        async with LocalReach().open(HOST, Errand(TOKEN, a_site(tmp_path, account="no-such-account"))):
            pass
    assert failed.value.code == "no_sudo"


async def test_which_bytecode_a_host_reads_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAGIC_NUMBER", b"old\n")
    reach = LocalReach()
    for _ in range(2):
        async with reach.open(HOST, Errand(TOKEN, a_site(tmp_path))) as reached:
            assert (await reached.call(commands.run(["echo", "1"]), quiet))["out"] == "1\n"
    assert reach.reads_code == {HostId(1): False}
