"""A host that is reached: who acts, with which secrets, what is told; and hosts that mean harm."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from reaching import HOST, TOKEN, a_site, reaching

from ending import ended
from steelyard.adapters.local import LocalReach
from steelyard.toolbox.model import Action, By, Secret, Token
from steelyard.toolbox.reach import Errand, HostError, Line, Progress, Reached
from steelyard.toolbox.tools import commands, files

SH = "/bin/sh"


def quiet(_: Line | Progress) -> None:
    """What is told is of no interest."""


def sh(script: str, *words: str, timeout: float = 20.0, by: By = By.SITE) -> Action:
    return commands.run([SH, "-c", script, "sh", *words], timeout=timeout, by=by)


@pytest.fixture
def site(tmp_path: Path) -> Any:
    (tmp_path / "docroot").mkdir()
    return a_site(tmp_path / "docroot")


async def test_actions_of_a_step_are_done_side_by_side(site: Any) -> None:
    async with reaching(site) as reached:
        began = time.monotonic()
        answer = await reached.call(commands.together(*(sh(f"sleep 0.5; echo {each}") for each in "abc")), quiet)
        assert [each["out"] for each in answer] == ["a\n", "b\n", "c\n"]
        assert time.monotonic() - began < 1.4
        calls = [reached.call(sh(f"sleep 0.5; echo {each}"), quiet) for each in "de"]
        assert [each["out"] for each in await asyncio.gather(*calls)] == ["d\n", "e\n"]


async def test_secrets_are_filled_in_kept_and_never_said(site: Any, tmp_path: Path) -> None:
    given = {"given": "pässword-$(id)"}
    said: list[Any] = []
    async with reaching(site, secrets=given) as reached:
        await reached.call(files.write(f"{tmp_path}/given", Secret("given")), quiet)
        await reached.call(files.write(f"{tmp_path}/made", Secret("made", 40)), quiet)
        assert (tmp_path / "given").read_text() == given["given"]
        made = (tmp_path / "made").read_text()
        assert re.fullmatch("[A-Za-z0-9]{40}", made)
        answer = await reached.call(commands.run(["cat", f"{tmp_path}/given", f"{tmp_path}/made"]), said.append)
        assert answer["out"] == "••••••"
        with pytest.raises(HostError, match="•••"):
            await reached.call(sh("cat $1 >&2; exit 1", f"{tmp_path}/made"), said.append)
    async with reaching(site) as reached:  # after a kill, the same
        await reached.call(files.write(f"{tmp_path}/again", Secret("made", 40)), quiet)
        await reached.call(files.write(f"{tmp_path}/other", Secret("other", 40)), quiet)
        assert (tmp_path / "again").read_text() == made
        assert (tmp_path / "other").read_text() != made
        await reached.call(files.clear_work(), quiet)


async def test_a_name_of_odd_bytes_goes_there_and_back(site: Any, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9 \xff\n\xee\xbe\x80")).write_bytes(b"1")
    async with reaching(site) as reached:
        found = await reached.call(sh('printf "%s/" "$1"; ls -A "$1" | head -c 30', str(tmp_path)), quiet)
        assert json.dumps(found)
        path = str(tmp_path) + "/caf\uefe9 \uefff\n\uefee\uefbe\uef80"
        assert (await reached.call(files.stat([path]), quiet))[path]["size"] == 1
        await reached.call(files.remove([path]), quiet)
        assert os.listdir(tmp_path) == ["docroot"]


@pytest.mark.parametrize("pythons", [("/usr/bin/python3",), ("/nope",)], ids=["helper", "plain"])
async def test_an_action_that_takes_too_long_is_ended_there(site: Any, pythons: tuple[str]) -> None:
    async with LocalReach(pythons).open(HOST, Errand(TOKEN, site)) as reached:
        began = time.monotonic()
        with pytest.raises(HostError) as failed:
            await reached.call(Action("run", {"argv": ["sleep", "73.5"]}, timeout=0.5), quiet)
        assert failed.value.code == "timed_out"
        assert time.monotonic() - began < 4
        assert (await reached.call(sh("pgrep -f '^sleep 73.5' || echo none"), quiet))["out"] == "none\n"


@pytest.mark.parametrize("pythons", [("/usr/bin/python3",), ("/nope",)], ids=["helper", "plain"])
async def test_a_cancelled_action_is_ended_there_and_the_host_stays_reached(site: Any, pythons: tuple[str]) -> None:
    async with LocalReach(pythons).open(HOST, Errand(TOKEN, site)) as reached:
        call = asyncio.create_task(reached.call(sh("sleep 74.5; echo never"), quiet))
        await asyncio.sleep(0.5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await reached.call(sh("pgrep -f '^sleep 74.5' || echo none"), quiet))["out"] == "none\n"


async def test_leaving_ends_what_still_runs(site: Any) -> None:
    async with reaching(site) as reached:
        call = asyncio.create_task(reached.call(sh("sleep 75.5"), quiet))
        await asyncio.sleep(0.5)
    with pytest.raises(HostError):
        await call
    assert not await _runs("sleep 75.5")


async def test_a_killed_helper_is_told_and_leaves_nothing_behind(site: Any) -> None:
    async with reaching(site, hold=True) as reached:
        helper = int((await reached.call(sh("ps -o ppid= -p $$"), quiet))["out"])
        call = asyncio.create_task(reached.call(sh("sleep 76.5"), quiet))
        await asyncio.sleep(0.5)
        os.kill(helper, signal.SIGKILL)
        with pytest.raises(HostError) as failed:
            await call
        assert (failed.value.code, failed.value.permanent) == ("lost", False)
        with pytest.raises(HostError, match="ended before its answer"):
            await reached.call(sh("true"), quiet)
    async with reaching(site, hold=True):  # the lock is free again
        assert not await _runs("sleep 76.5")


async def _runs(command: str) -> bool:
    for _ in range(40):
        process = await asyncio.create_subprocess_exec("pgrep", "-f", f"^{command}", stdout=-3)
        await ended(process, "pgrep")
        if process.returncode == 1:
            return False
        await asyncio.sleep(0.05)
    return True


async def test_one_run_at_a_time_is_at_a_site(site: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order: list[str] = []

    async def second() -> None:
        async with LocalReach().open(HOST, Errand(Token("00000002"), site, hold=True)):
            order.append("second")

    async with reaching(site, hold=True):
        async with reaching(site):  # reading needs no lock
            order.append("reads")
        async with reaching(a_site(tmp_path), hold=True):  # another site
            order.append("another")
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.6)
        order.append("first")
    await waiting
    assert order == ["reads", "another", "first", "second"]


@pytest.mark.slow
@pytest.mark.parametrize("pythons", [("/usr/bin/python3",), ("/nope",)])
async def test_who_waits_too_long_for_a_site_is_told(site: Any, pythons: tuple[str]) -> None:
    async with LocalReach(pythons).open(HOST, Errand(TOKEN, site, hold=True)):
        with pytest.raises(HostError, match="Another run is at work") as failed:
            async with LocalReach().open(HOST, Errand(Token("00000002"), site, hold=True)):
                pass
    assert (failed.value.code, failed.value.permanent) == ("busy", False)


async def test_the_lock_is_the_same_by_plain_commands(site: Any) -> None:
    order: list[str] = []

    async def second() -> None:
        async with LocalReach(("/nope",)).open(HOST, Errand(Token("00000002"), site, hold=True)):
            order.append("second")

    async with reaching(site, hold=True):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(1.0)
        order.append("first")
    await waiting
    assert order == ["first", "second"]


async def test_root_only_runs_commands_by_their_path(site: Any) -> None:
    async with reaching(site) as reached:
        for action in (
            files.write("/tmp/x", "", by=By.ROOT),
            commands.run(["id"], by=By.ROOT),
            commands.run(["/usr/bin/id"], env={"LD_PRELOAD": "x"}, by=By.ROOT),
            commands.together(commands.run(["/usr/bin/id"], by=By.ROOT)),
            Action("run", {}, By.WORKER),
        ):
            with pytest.raises(HostError):
                await reached.call(action, quiet)


@pytest.mark.parametrize("account", ["", "-u root", "a b", "a;id", "$(id)", "a\n", "../x", "x" * 40])
async def test_an_account_is_a_name(site: Any, account: str) -> None:
    with pytest.raises(HostError, match="no name of an account"):
        async with LocalReach().open(HOST, Errand(TOKEN, a_site(site.docroot, account=account))):
            pass


async def test_unknown_verbs_and_mistakes_are_failures_without_words_of_the_data(site: Any) -> None:
    async with reaching(site) as reached:
        for verb in ("nothing", "files.nothing", "os.system", "../x.y", "serve.main", "no_module.x"):
            with pytest.raises(HostError, match="no verb"):
                await reached.call(Action(verb), quiet)
        with pytest.raises(HostError, match=r"KeyError at .*files.*:\d+"):
            await reached.call(Action("files.write", {"data": "secret words"}), quiet)
        with pytest.raises(HostError, match="too long"):
            await reached.call(commands.together(*[sh("head -c 900000 /dev/zero")] * 4), quiet)
        with pytest.raises(HostError, match="too many to be sent"):
            await reached.call(files.write("/tmp/x", "x" * 17_000_000), quiet)


async def test_what_is_full_is_said_and_nothing_half_is_left(site: Any, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: the system's answer is as final."""
    (tmp_path / "wp-config.php").write_text("as it was")
    python = tmp_path / "python3"
    python.write_text(f'#!/bin/sh\nulimit -f 100\nexec {shutil.which("python3")} "$@"\n')
    python.chmod(0o755)
    async with LocalReach((str(python),)).open(HOST, Errand(TOKEN, site)) as reached:
        for action in (
            files.write(f"{tmp_path}/wp-config.php", "x" * 300_000),
            files.copy("/bin/dash", f"{tmp_path}/docroot/sh"),
        ):
            with pytest.raises(HostError) as failed:
                await reached.call(action, quiet)
            assert failed.value.code == "disk_full", str(failed.value)
    assert (tmp_path / "wp-config.php").read_text() == "as it was"
    assert os.listdir(site.docroot) == []
    assert not any(name.endswith(".half") for name in os.listdir(tmp_path))


async def test_a_command_that_writes_without_end_is_cut(site: Any) -> None:
    async with reaching(site) as reached:
        answer = await reached.call(sh("yes '<b>' | head -c 300000000"), quiet)
        assert answer["cut"]
        assert len(answer["out"]) == 1_000_000


async def test_nothing_of_the_accounts_path_and_files_is_run(site: Any, tmp_path: Path) -> None:
    bin = tmp_path / "bin"
    bin.mkdir()
    for name in ("wp", "mysql", "stat", "id", "python3"):
        (bin / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (bin / name).chmod(0o755)
    (site_folder := Path(site.docroot)).joinpath("json.py").write_text(f"open('{tmp_path}/ran', 'w')")
    for pythons in (("/usr/bin/python3",), ("/nope",)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", f"{bin}:{os.environ['PATH']}")
            patch.setenv("PYTHONPATH", str(site_folder))
            patch.setenv("PYTHONSTARTUP", str(site_folder / "json.py"))
            patch.setenv("LD_LIBRARY_PATH", str(bin))
            async with LocalReach(pythons).open(HOST, Errand(TOKEN, site)) as reached:
                told = await reached.call(commands.run(["id"]), quiet)
                assert told["out"].startswith("uid=")
                await reached.call(files.stat([site.docroot]), quiet)
                shown = (await reached.call(commands.run(["env"]), quiet))["out"]
                assert "PYTHON" not in shown
                assert "LD_LIBRARY" not in shown
    assert not (tmp_path / "ran").exists()


# Hosts that mean harm


@pytest.fixture
def hostile(tmp_path: Path, site: Any) -> Callable[[str], Any]:
    @asynccontextmanager
    async def reach(mode: str) -> AsyncGenerator[Reached]:
        program = tmp_path / mode
        source = Path(__file__).with_name("hostile_host.py").read_text()
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(0o755)
        async with LocalReach((str(program),)).open(HOST, Errand(TOKEN, site)) as reached:
            yield reached

    return reach


def _memory() -> int:
    gc.collect()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("mode", ["endless_line", "endless_noise", "not_json", "deep_json"])
async def test_a_host_that_answers_nonsense_is_left_in_bounded_memory(hostile: Any, mode: str) -> None:
    before = _memory()
    began = time.monotonic()
    with pytest.raises(HostError) as failed:
        async with hostile(mode) as reached:
            await reached.call(commands.run(["id"]), quiet)
    assert failed.value.code == "bad_output"
    assert time.monotonic() - began < 15
    assert _memory() - before < 150_000_000


async def test_a_host_that_chatters_is_told_up_to_a_limit_and_in_plain_text(hostile: Any) -> None:
    told: list[Any] = []
    async with hostile("chatter") as reached:
        answer = await reached.call(commands.run(["id"]), told.append)
    assert answer == {"a\u2400b": "\ufffd<img src=x>\uefe9"}
    assert len(told) == 5001
    assert told[0] == Line("info", "\u241b[2J<script>0</script>")
    assert "left out" in told[-1].said
    assert all("\x1b" not in each.said and len(each.said) < 5000 for each in told)


async def test_answers_to_what_nobody_asked_are_left_out(hostile: Any) -> None:
    async with hostile("foreign_ids") as reached:
        assert await reached.call(commands.run(["id"]), quiet) == "own"
        assert await reached.call(commands.run(["id"]), quiet) == "own"


async def test_a_failure_in_odd_words_is_a_failure(hostile: Any) -> None:
    async with hostile("odd_failure") as reached:
        with pytest.raises(HostError) as failed:
            await reached.call(commands.run(["id"]), quiet)
    assert failed.value.code == "failed"
    assert str(failed.value).startswith("\u241b[31myyy")
    assert len(str(failed.value)) < 5000


async def test_a_host_that_dies_is_lost_with_its_last_words(hostile: Any) -> None:
    with pytest.raises(HostError, match="Killed \u241b") as failed:
        async with hostile("dies") as reached:
            await reached.call(commands.run(["id"]), quiet)
    assert failed.value.code == "lost"


async def test_a_host_that_never_answers_is_left(hostile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steelyard.toolbox.helped.SLACK", 0.5)
    began = time.monotonic()
    with pytest.raises(HostError) as failed:
        async with hostile("silent") as reached:
            await reached.call(Action("run", {"argv": ["id"]}, timeout=0.5), quiet)
    assert failed.value.code == "lost"
    assert time.monotonic() - began < 4


@pytest.mark.slow
async def test_a_helper_whose_worker_falls_silent_ends_all_and_itself(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steelyard.toolbox.helped.STILL_THERE", 1000.0)
    async with reaching(site, hold=True) as reached:
        began = time.monotonic()
        with pytest.raises(HostError) as failed:
            await reached.call(sh("sleep 72.5", timeout=60.0), quiet)
        assert failed.value.code in ("lost", "ended")
        assert 14 < time.monotonic() - began < 24
        assert not await _runs("sleep 72.5")
    async with reaching(site, hold=True):
        pass


@pytest.mark.slow
async def test_a_helper_that_can_do_nothing_any_more_is_ended_by_the_system(site: Any) -> None:
    """Stopped, it hears no cancelling: the worker gives it up, and the lock ends with it once it goes on."""
    async with reaching(site, hold=True) as reached:
        helper = int((await reached.call(sh("ps -o ppid= -p $$"), quiet))["out"])
        os.kill(helper, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(HostError) as failed:
            await reached.call(Action("run", {"argv": ["true"]}, timeout=0.5), quiet)
        assert failed.value.code == "lost"
        assert time.monotonic() - began < 15
    async with reaching(site, hold=True):
        pass
