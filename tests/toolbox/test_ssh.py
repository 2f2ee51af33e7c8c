"""Hosts over SSH: a real server, its key pinned, ways through others, and accounts whose start-up files mean harm."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from reaching import TOKEN, Keys, a_site, host_of, login_of

from ending import ended
from steelyard.adapters.ssh import SshReach
from steelyard.demo.hosting import Hosting, HostingError
from steelyard.toolbox.model import By, Secret
from steelyard.toolbox.reach import Errand, HostError, Line, Login, Progress, Reached
from steelyard.toolbox.tools import commands, files

PYTHON, NO_PYTHON = ("/usr/bin/python3",), ("/nope/python3", "/etc/passwd")
BOTH = pytest.mark.parametrize("pythons", [PYTHON, NO_PYTHON], ids=["helper", "plain"])


def quiet(_: Line | Progress) -> None:
    """What is told is of no interest."""


@pytest.fixture(scope="module")
def hosting(hosting_folder: Path) -> Iterator[Hosting]:
    try:
        with Hosting.start(hosting_folder / "ssh", {"sshd"}) as running:
            yield running
    except HostingError as error:
        pytest.skip(str(error))


@pytest.fixture
def docroot(hosting: Hosting) -> Iterator[Path]:
    folder = hosting.owner.make_folder(hosting.folder / "docroot")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def start_up(hosting: Hosting) -> Iterator[Any]:
    """Writes the .bashrc of the account."""
    file = hosting.folder / "home" / ".bashrc"

    def write(text: str) -> None:
        hosting.owner.write(file, text)

    yield write
    file.unlink(missing_ok=True)


@asynccontextmanager
async def reached_by(
    hosting: Hosting, login: Login | None = None, pythons: tuple[str, ...] = PYTHON, **errand: Any
) -> AsyncGenerator[Reached]:
    host = host_of(hosting)
    site = a_site(hosting.folder / "docroot", account=hosting.sshd.user, host=host)
    reach = SshReach(Keys(web1=login or login_of(hosting)), pythons)
    async with reach.open(host, Errand(TOKEN, site, **errand)) as reached:
        yield reached


async def failure(hosting: Hosting, login: Login | None = None, **more: Any) -> HostError:
    with pytest.raises(HostError) as failed:
        async with reached_by(hosting, login, **more):
            pass
    assert "web1" in str(failed.value)
    return failed.value


@BOTH
async def test_actions_are_done_as_the_sites_user(hosting: Hosting, docroot: Path, pythons: tuple[str, ...]) -> None:
    async with reached_by(hosting, pythons=pythons, hold=True, secrets={"given": "a'b\n$(id)"}) as reached:
        assert (await reached.call(commands.run(["id", "-un"]), quiet))["out"] == f"{hosting.sshd.user}\n"
        wanted = [files.write(f"{docroot}/{name}", Secret(name)) for name in ("given", "made")]
        assert await reached.call(commands.together(*wanted), quiet) == [{"changed": True}, {"changed": True}]
        assert (docroot / "given").read_text() == "a'b\n$(id)"
        answer = await reached.call(files.exchange(f"{docroot}/given", f"{docroot}/made"), quiet)
        again = await reached.call(files.exchange(f"{docroot}/given", f"{docroot}/made"), quiet)
        back = await reached.call(files.exchange(f"{docroot}/made", f"{docroot}/given"), quiet)
        assert [each["exchanged"] for each in (answer, again, back)] == [True, False, True]
        assert (docroot / "given").read_text() == "a'b\n$(id)"
        with pytest.raises(HostError) as failed:
            await reached.call(files.write("/etc/steelyard-test", ""), quiet)
        assert failed.value.code == "denied"
        with pytest.raises(HostError) as failed:
            await reached.call(commands.run(["/usr/bin/true"], by=By.ROOT), quiet)
        assert failed.value.code in ("no_sudo", "missing")


@BOTH
async def test_who_may_not_act_as_the_sites_user_is_told_what_to_do(hosting: Hosting, pythons: tuple[str, ...]) -> None:
    host = host_of(hosting)
    site = a_site("/srv", account="daemon", host=host)
    with pytest.raises(HostError, match=r"host prepare|not found") as failed:
        async with SshReach(Keys(web1=login_of(hosting)), pythons).open(host, Errand(TOKEN, site)):
            pass
    assert failed.value.code == "no_sudo"


async def test_only_the_pinned_host_is_signed_in_on(hosting: Hosting) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    rsa = asyncssh.generate_private_key("ssh-rsa").export_public_key().decode()
    for key in (other, rsa, "nonsense", ""):
        failed = await failure(hosting, login_of(hosting, host_key=key))
        assert failed.code == "host_key"
    logged = (hosting.sshd.folder / "sshd.log").read_text()
    before = logged.count("Accepted")
    await failure(hosting, login_of(hosting, host_key=other))
    assert (hosting.sshd.folder / "sshd.log").read_text().count("Accepted") == before


async def test_nothing_of_the_workers_machine_lets_in(
    hosting: Hosting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of the worker's own, a configuration that names it, and an agent that holds it are all left alone."""
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "id_ed25519").write_text(hosting.sshd.client_key)
    (folder / "id_ed25519").chmod(0o600)
    (folder / "config").write_text(f"Host *\n IdentityFile {folder}/id_ed25519\n StrictHostKeyChecking no\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with _agent(tmp_path, folder / "id_ed25519") as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        unknown = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
        failed = await failure(hosting, login_of(hosting, private_key=unknown))
        assert failed.code == "refused"
        async with reached_by(hosting) as reached:
            shown = (await reached.call(commands.run(["env"]), quiet))["out"]
            assert "SSH_AUTH_SOCK" not in shown
            assert "DISPLAY" not in shown


@asynccontextmanager
async def _agent(folder: Path, key: Path) -> AsyncGenerator[str]:
    socket = str(folder / "agent")
    process = await asyncio.create_subprocess_exec("ssh-agent", "-D", "-a", socket, stdout=-3)
    try:
        for _ in range(100):
            if (folder / "agent").exists():
                break
            await asyncio.sleep(0.02)
        adding = await asyncio.create_subprocess_exec(
            "ssh-add", "-q", str(key), env={**os.environ, "SSH_AUTH_SOCK": socket}
        )
        await ended(adding, "ssh-add")
        assert adding.returncode == 0
        yield socket
    finally:
        process.terminate()
        await ended(process, "ssh-agent")


async def test_keys_that_are_refused_or_cannot_be_read_say_so(hosting: Hosting) -> None:
    assert (await failure(hosting, login_of(hosting, account="nobody-here"))).code == "refused"
    for login in (login_of(hosting, private_key="nonsense"), login_of(hosting, certificate="nonsense")):
        assert (await failure(hosting, login)).code == "refused"


async def test_a_host_that_is_not_there_is_unreachable(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = await failure(hosting, replace(login_of(hosting), port=1))
    assert failed.code == "unreachable"
    assert "127.0.0.1:1" in str(failed)
    monkeypatch.setattr("steelyard.adapters.ssh.CONNECT", 0.5)
    async with _stranger(b"HTTP/1.1 400 no\r\n\r\n") as port:
        assert (await failure(hosting, replace(login_of(hosting), port=port))).code == "unreachable"


@asynccontextmanager
async def _stranger(said: bytes) -> AsyncGenerator[int]:
    """A port where something else answers, and nothing more."""
    writers: list[asyncio.StreamWriter] = []

    def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        writer.write(said)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in writers:
        writer.close()
    server.close()


async def test_a_host_that_says_nothing_is_left_in_time(hosting: Hosting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steelyard.adapters.ssh.CONNECT", 0.5)
    async with _stranger(b"") as port:
        began = time.monotonic()
        assert (await failure(hosting, replace(login_of(hosting), port=port))).code == "unreachable"
        assert time.monotonic() - began < 3


async def test_a_host_is_reached_through_others_each_pinned(hosting: Hosting, docroot: Path) -> None:
    jump = login_of(hosting)
    twice = login_of(hosting, via=replace(jump, via=jump))
    async with reached_by(hosting, twice) as reached:
        assert (await reached.call(commands.run(["id", "-un"]), quiet))["out"] == f"{hosting.sshd.user}\n"
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    assert (await failure(hosting, login_of(hosting, via=replace(jump, host_key=other)))).code == "host_key"
    assert (await failure(hosting, login_of(hosting, host_key=other, via=jump))).code == "host_key"
    assert (await failure(hosting, replace(login_of(hosting, via=jump), port=1))).code == "unreachable"


async def test_a_certificate_lets_in_until_it_ends(hosting: Hosting, docroot: Path) -> None:
    authority, key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    hosting.owner.write(hosting.sshd.authorities, authority.export_public_key().decode())
    try:
        for ends, lets_in in (("+1h", True), ("-1m", False)):
            certificate = authority.generate_user_certificate(
                key, "steelyard", principals=[hosting.sshd.user], valid_after="-1h", valid_before=ends
            )
            login = login_of(
                hosting,
                private_key=key.export_private_key().decode(),
                certificate=certificate.export_certificate().decode(),
            )
            if lets_in:
                async with reached_by(hosting, login) as reached:
                    await reached.call(commands.run(["true"]), quiet)
            else:
                assert (await failure(hosting, login)).code == "refused"
    finally:
        hosting.owner.write(hosting.sshd.authorities, "")


# Start-up files that mean harm


@BOTH
async def test_what_start_up_files_print_and_set_is_left_out(
    hosting: Hosting, docroot: Path, start_up: Any, pythons: tuple[str, ...]
) -> None:
    start_up(
        'echo "welcome"; echo \'{"id": 1, "answer": "forged"}\'; printf "no end of line"; head -c 200000 /dev/zero\n'
        'echo "complaint" >&2; cd /usr; umask 077; export PATH=$HOME/bin:$PATH PYTHONPATH=$HOME\n'
        "export LANG=tr_TR LD_BIND_NOW=1\n"
        "id() { echo forged; }; export -f id; alias stat='echo forged'; set -u; trap 'echo bye' EXIT\n"
    )
    async with reached_by(hosting, pythons=pythons, hold=True) as reached:
        assert (await reached.call(commands.run(["id", "-un"]), quiet))["out"] == f"{hosting.sshd.user}\n"
        assert (await reached.call(commands.run(["pwd"]), quiet))["out"] == "/\n"
        await reached.call(files.write(f"{docroot}/made", "x"), quiet)
        assert (docroot / "made").stat().st_mode & 0o777 == 0o644
        shown = (await reached.call(commands.run(["env"]), quiet))["out"]
        assert "PYTHONPATH" not in shown
        assert "LD_BIND_NOW" not in shown
        assert "FUNC" not in shown
        assert "tr_TR" not in shown


@BOTH
async def test_a_start_up_file_that_hangs_is_told_in_time(
    hosting: Hosting, start_up: Any, pythons: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("helped", "plain"):
        monkeypatch.setattr(f"steelyard.toolbox.{module}.START", 1.0)
    start_up("sleep 7.25\n")
    began = time.monotonic()
    failed = await failure(hosting, pythons=pythons)
    assert failed.code == "unreachable"
    assert "start-up files" in str(failed)
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    "text", ["exec cat\n", "exec sleep 0.1\n", "exit 3\n", "yes\n", "head -c 100 >/dev/null\n", "exec /bin/false\n"]
)
@BOTH
async def test_a_start_up_file_that_takes_over_is_an_error(
    hosting: Hosting, start_up: Any, pythons: tuple[str, ...], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("helped", "plain"):
        monkeypatch.setattr(f"steelyard.toolbox.{module}.START", 1.5)
    start_up(text)
    if text.startswith("head") and pythons == NO_PYTHON:
        pytest.skip("there is no input to take away")
    failed = await failure(hosting, pythons=pythons)
    assert failed.code in ("unreachable", "bad_output")


# Losing a host


async def test_a_connection_that_is_cut_ends_all_there_and_frees_the_site(hosting: Hosting, docroot: Path) -> None:
    async with reached_by(hosting, hold=True) as reached:
        parent = (await reached.call(commands.run(["sh", "-c", "ps -o ppid= -p $PPID"]), quiet))["out"]
        call = asyncio.create_task(reached.call(commands.run(["sleep", "78.5"]), quiet))
        await asyncio.sleep(0.5)
        os.kill(int(parent), signal.SIGKILL)  # sshd's process of this connection
        with pytest.raises(HostError) as failed:
            await call
        assert (failed.value.code, failed.value.permanent) == ("lost", False)
    async with reached_by(hosting, hold=True) as reached:
        left = await reached.call(commands.run(["sh", "-c", "pgrep -f '^sleep 78.5' || echo none"]), quiet)
        assert left["out"] == "none\n"


@pytest.mark.slow
async def test_a_host_that_falls_silent_is_lost_within_twenty_seconds(hosting: Hosting, docroot: Path) -> None:
    async with reached_by(hosting) as reached:
        parent = int((await reached.call(commands.run(["sh", "-c", "ps -o ppid= -p $PPID"]), quiet))["out"])
        call = asyncio.create_task(reached.call(commands.run(["sleep", "79.5"]), quiet))
        await asyncio.sleep(0.3)
        os.kill(parent, signal.SIGSTOP)
        began = time.monotonic()
        try:
            with pytest.raises(HostError) as failed:
                await call
            assert failed.value.code == "lost"
            assert time.monotonic() - began < 22
        finally:
            os.kill(parent, signal.SIGCONT)


async def test_a_new_connection_and_its_first_call_take_little(hosting: Hosting, docroot: Path) -> None:
    async with reached_by(hosting):
        pass
    began = time.monotonic()
    async with reached_by(hosting, hold=True) as reached:
        await reached.call(files.stat([str(docroot)]), quiet)
        first = time.monotonic() - began
        for _ in range(50):
            await reached.call(files.stat([str(docroot)]), quiet)
    assert first < 3.0
