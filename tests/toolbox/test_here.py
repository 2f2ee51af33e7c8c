"""What verbs may touch a host with: the same promises on the host itself, and by plain commands over SSH."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from reaching import there_over

from steelyard.demo.hosting import Hosting, HostingError
from steelyard.toolbox.hosted.here import Failed, Here, Place

ODD = [
    b"plain",
    b"with space",
    b"new\nline",
    b"quo\"te's",
    b"caf\xe9",
    b"-rf",
    b"\xff\xfe",
    "é\uefe9".encode(),
    b"back\\slash",
    b"$(id)`id`;id&",
]


@pytest.fixture(scope="module")
def sshd(hosting_folder: Path) -> Iterator[Hosting]:
    try:
        with Hosting.start(hosting_folder / "contract", {"sshd"}) as running:
            yield running
    except HostingError as error:
        pytest.skip(str(error))


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def ground(open_folder: Path) -> Iterator[Path]:
    """A folder on the host, which the server's user may fill."""
    folder = Path(tempfile.mkdtemp(prefix="ground-", dir=open_folder))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(params=["here", "there"])
def here(request: pytest.FixtureRequest, ground: Path, told: list[Any]) -> Iterator[Here]:
    place = Place("tester", str(ground), str(ground / "base"), "0a1b2c3d", {})
    if request.param == "here":
        yield Here(place, told.append)
        return
    with there_over(request.getfixturevalue("sshd"), place, told.append) as there:
        yield there


def code_of(do: Callable[[], object]) -> str:
    with pytest.raises(Failed) as failed:
        do()
    assert "Traceback" not in failed.value.message
    return failed.value.code


def test_what_is_written_is_read(here: Here, ground: Path) -> None:
    path = f"{ground}/a.bin"
    data = bytes(range(256)) * 300
    here.write(path, data, 0o640)
    assert here.read(path) == data
    seen = here.stat(path)
    assert seen is not None
    assert (seen.kind, seen.size, seen.mode, seen.nlink) == ("file", len(data), 0o640, 1)
    found = os.lstat(path)
    assert (seen.mtime_ns, seen.ctime_ns, seen.dev, seen.ino) == (
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_dev,
        found.st_ino,
    )
    here.write(path, b"", 0o600)
    assert here.read(path) == b""
    assert [each.name for each in ground.iterdir() if each.name != "base"] == ["a.bin"]


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_only_a_name(here: Here, ground: Path, name: bytes) -> None:
    path = f"{ground}/{os.fsdecode(name)}"
    here.write(path, b"1")
    assert os.listdir(os.fsencode(str(ground))) in ([name], [b"base", name], [name, b"base"])
    assert os.fsdecode(name) in here.list(str(ground))
    assert dict(here.walk(str(ground)))[os.fsdecode(name)].size == 1
    assert here.digests(str(ground), [os.fsdecode(name)]) == {os.fsdecode(name): hashlib.sha256(b"1").hexdigest()}
    here.rename(path, path + "2")
    assert here.stat(path) is None
    assert here.real(path + "2") == path + "2"
    here.remove(path + "2")
    assert here.stat(path + "2") is None


def test_what_is_missing_is_said_to_be(here: Here, ground: Path) -> None:
    path = f"{ground}/none"
    assert here.stat(path) is None
    assert here.stat(f"{path}/deeper") is None
    for do in (here.read, here.list, here.real, here.link_to, lambda each: list(here.walk(each))):
        assert code_of(lambda do=do: do(path)) == "missing"
    assert code_of(lambda: here.rename(path, path + "2")) == "missing"
    assert code_of(lambda: here.exchange(path, path + "2")) == "missing"
    assert code_of(lambda: here.write(f"{path}/a", b"")) == "missing"
    assert here.digests(path, ["a"]) == {}
    here.remove(path)
    here.remove_tree(path)


def test_too_much_and_no_file_is_not_read(here: Here, ground: Path) -> None:
    here.write(f"{ground}/a", b"12345")
    assert code_of(lambda: here.read(f"{ground}/a", 4)) == "too_big"
    assert here.read(f"{ground}/a", 5) == b"12345"
    assert here.part(f"{ground}/a", 1, 2) == b"23"
    assert here.part(f"{ground}/a", -2, 10) == b"45"
    assert here.part(f"{ground}/a", -20, 10) == b"12345"
    os.mkfifo(f"{ground}/pipe")
    for path in (str(ground), f"{ground}/pipe", "/dev/zero"):
        assert code_of(lambda path=path: here.read(path)) == "not_a_file"
    assert here.digests(str(ground), ["a", "pipe", "."]) == {"a": hashlib.sha256(b"12345").hexdigest()}


def test_pieces_of_a_file_come_in_order_and_may_come_again(here: Here, ground: Path) -> None:
    path = f"{ground}/brought"
    here.put(path, 0, b"abc")
    here.put(path, 3, b"def")
    here.put(path, 3, b"dxx")
    assert here.read(path) == b"abcdxx"
    assert code_of(lambda: here.put(path, 7, b"z")) == "failed"
    os.symlink("/etc/hostname", f"{ground}/link")
    assert code_of(lambda: here.put(f"{ground}/link", 0, b"z")) == "failed"


def test_nothing_is_renamed_over_something(here: Here, ground: Path) -> None:
    for name in ("a", "b"):
        here.write(f"{ground}/{name}", name.encode())
    assert code_of(lambda: here.rename(f"{ground}/a", f"{ground}/b")) == "exists"
    os.symlink("nowhere", f"{ground}/dangling")
    assert code_of(lambda: here.rename(f"{ground}/a", f"{ground}/dangling")) == "exists"
    assert here.read(f"{ground}/b") == b"b"


def test_two_folders_change_places(here: Here, ground: Path, told: list[Any]) -> None:
    for name in ("a", "b"):
        here.make_folder(f"{ground}/{name}/in")
        here.write(f"{ground}/{name}/in/{name}", b"")
    here.exchange(f"{ground}/a", f"{ground}/b")
    assert here.list(f"{ground}/a/in") == ["b"]
    assert here.list(f"{ground}/b/in") == ["a"]
    assert sorted(here.list(str(ground))) == ["a", "b"]
    assert here.near is (not told)  # three renames are told


def test_a_folder_is_made_once_and_keeps_its_permissions(here: Here, ground: Path) -> None:
    here.make_folder(f"{ground}/a/b/c", 0o711)
    here.make_folder(f"{ground}/a/b/c", 0o700)
    seen = here.stat(f"{ground}/a/b/c")
    assert seen is not None
    assert seen.mode == 0o711
    here.chmod(f"{ground}/a/b/c", 0o750)
    assert os.stat(f"{ground}/a/b/c").st_mode & 0o777 == 0o750
    os.symlink("/tmp", f"{ground}/link")
    assert code_of(lambda: here.chmod(f"{ground}/link", 0o700)) == "failed"


def test_links_are_seen_and_never_followed(here: Here, ground: Path) -> None:
    outside = ground / "outside"
    outside.mkdir()
    (outside / "precious").write_text("1")
    here.make_folder(f"{ground}/tree/sub")
    os.symlink("../../outside", f"{ground}/tree/sub/out")
    os.symlink("loop", f"{ground}/tree/loop")
    os.symlink(".", f"{ground}/tree/self")
    names = [name for name, _ in here.walk(f"{ground}/tree")]
    assert names == ["loop", "self", "sub", "sub/out"]
    assert here.link_to(f"{ground}/tree/sub/out") == "../../outside"
    assert here.real(f"{ground}/tree/sub/out") == str(outside)
    assert code_of(lambda: here.real(f"{ground}/tree/loop")) in ("missing", "failed")
    here.copy_tree(f"{ground}/tree", f"{ground}/copy")
    assert os.readlink(f"{ground}/copy/sub/out") == "../../outside"
    here.remove_tree(f"{ground}/tree")
    here.remove_tree(f"{ground}/copy/sub/out")
    assert (outside / "precious").read_text() == "1"
    assert here.stat(f"{ground}/tree") is None


def test_a_copy_is_the_same_and_replaces_by_name(here: Here, ground: Path) -> None:
    here.make_folder(f"{ground}/tree/deep", 0o751)
    here.write(f"{ground}/tree/deep/a", b"new" * 100_000, 0o604)
    here.write(f"{ground}/tree/empty", b"")
    os.utime(f"{ground}/tree/deep/a", ns=(1_000_000_000, 1_234_567_890_123_456_789))
    os.utime(f"{ground}/tree/deep", ns=(5, 6_000_000_007))
    here.make_folder(f"{ground}/copy/deep")
    here.write(f"{ground}/copy/other", b"stays")
    (ground / "victim").write_text("victim")
    os.symlink(f"{ground}/victim", f"{ground}/copy/deep/a")  # is replaced, and nothing is written through it
    here.copy_tree(f"{ground}/tree", f"{ground}/copy")
    assert (ground / "victim").read_text() == "victim"
    copied, folder = os.lstat(f"{ground}/copy/deep/a"), os.lstat(f"{ground}/copy/deep")
    assert (copied.st_size, copied.st_mode & 0o777, copied.st_mtime_ns) == (300_000, 0o604, 1_234_567_890_123_456_789)
    assert (folder.st_mode & 0o777, folder.st_mtime_ns) == (0o751, 6_000_000_007)
    assert here.read(f"{ground}/copy/deep/a") == b"new" * 100_000
    assert here.read(f"{ground}/copy/other") == b"stays"
    here.copy_tree(f"{ground}/tree/deep/a", f"{ground}/one")
    assert here.read(f"{ground}/one") == b"new" * 100_000


@pytest.mark.parametrize("here", ["here"], indirect=True)  # there, it is `rm -rf`; here, our own
def test_a_tree_is_removed_however_deep_it_is(here: Here, ground: Path) -> None:
    top = ground / "deep"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    here.remove_tree(str(top))
    assert not top.exists()


def test_a_closed_tree_is_removed(here: Here, ground: Path) -> None:
    here.make_folder(f"{ground}/closed/in")
    here.write(f"{ground}/closed/in/a", b"")
    here.chmod(f"{ground}/closed/in", 0o000)
    here.remove_tree(f"{ground}/closed")
    assert here.stat(f"{ground}/closed") is None


def test_a_mount_is_not_removed(here: Here, ground: Path) -> None:
    assert "/proc" in here.mounts()
    assert code_of(lambda: here.remove_tree("/proc")) == "mount"
    os.symlink("/", f"{ground}/all")
    assert code_of(lambda: here.remove_tree(f"{ground}/all/proc")) == "mount"


def test_room_is_told(here: Here, ground: Path) -> None:
    free, total = here.disk(str(ground))
    found = os.statvfs(ground)
    assert total == found.f_blocks * found.f_frsize
    assert abs(free - found.f_bavail * found.f_frsize) < total / 20


def test_a_command_gets_words_and_a_clean_environment(here: Here, ground: Path) -> None:
    words = ["%s\n", "$(id)", "`id`", "a b", "'", '"', "\\", "*", "", "new\nline", "-n", "é"]
    assert here.run(["printf", *words]).out.decode().split("\n", 1)[0] == "$(id)"
    assert here.run(["printf", "%s|", *words[1:]]).out.decode() == "|".join(words[1:]) + "|"
    told = here.run(["env"], env={"EXTRA": "1 2"}).out.decode().splitlines()
    assert {each.partition("=")[0] for each in told} <= {
        "PATH", "LC_ALL", "HOME", "USER", "LOGNAME", "TERM", "EXTRA", "PWD", "OLDPWD", "SHLVL", "_",
    }  # fmt: skip
    assert "EXTRA=1 2" in told
    assert here.run(["pwd"]).out == b"/\n"
    assert here.run(["pwd"], cwd=str(ground)).out == f"{ground}\n".encode()
    assert here.run(["sh", "-c", "umask"]).out.strip() in (b"0022", b"022")


def test_a_command_says_how_it_ended(here: Here, ground: Path) -> None:
    ran = here.run(["sh", "-c", "cat; echo bad >&2; exit 3"], b"given\0\xff")
    assert (ran.status, ran.out, ran.err.strip(), ran.cut) == (3, b"given\0\xff", b"bad", False)
    assert ran.said() == "bad"
    assert code_of(lambda: here.run(["no-such-command"])) == "missing"
    assert code_of(lambda: here.run(["./sh"])) == "missing"
    assert code_of(lambda: here.run(["true"], cwd=f"{ground}/none")) == "missing"
    assert code_of(lambda: here.run(["echo", "a\0b"])) == "failed"
    assert here.run(["true"], b"x" * 3_000_000).status == 0  # it reads none of it


def test_output_beyond_the_limit_is_cut_and_time_ends(here: Here) -> None:
    ran = here.run(["sh", "-c", "yes | head -c 20000000"], most=1000)
    assert (ran.status, len(ran.out), ran.cut) == (0, 1000, True)
    began = time.monotonic()
    assert code_of(lambda: here.run(["sleep", "77.25"], timeout=0.7)) == "timed_out"
    assert time.monotonic() - began < 5
    assert here.run(["pgrep", "-f", "^sleep 77.25"]).status == 1


@pytest.mark.parametrize("here", ["here"], indirect=True)  # an SSH server itself waits until nobody can write any more
def test_what_a_command_left_behind_is_not_waited_for(here: Here) -> None:
    began = time.monotonic()
    ran = here.run(["sh", "-c", "sleep 8 & echo done"], timeout=6)
    assert ran.out == b"done\n"
    assert time.monotonic() - began < 5


def test_files_and_handed_secrets_go_into_commands(here: Here, ground: Path) -> None:
    here.write(f"{ground}/in", b"from a file")
    here.run(["cat"], stdin_file=f"{ground}/in", stdout_file=f"{ground}/out")
    assert here.read(f"{ground}/out") == b"from a file"
    assert os.stat(f"{ground}/out").st_mode & 0o777 == 0o600
    assert here.run(["cat", "{handed}"], handed=b"secret").out == b"secret"
    assert here.run(["sh", "-c", 'cat "${1#--file=}"', "sh", "--file={handed}"], handed=b"s2").out == b"s2"
    assert code_of(lambda: here.run(["cat"], stdin_file=f"{ground}/none")) == "missing"


def test_one_command_reads_what_another_writes(here: Here) -> None:
    first, second = here.pipe(["printf", "%s\n", "b", "a'$(id)"], ["sort"])
    assert (first.status, second.status, second.out) == (0, 0, b"a'$(id)\nb\n")
    first, second = here.pipe(["sh", "-c", "echo half; exit 4"], ["cat"])
    assert (first.status, second.status, second.out) == (4, 0, b"half\n")
    first, second = here.pipe(["cat", "{handed}"], ["cat", "-", "{handed}"], handed=b"s")
    assert second.out == b"ss"


def test_the_runs_folder_is_its_own_and_notes_stay(here: Here, ground: Path) -> None:
    assert here.notes == {}
    here.note("a", [1, "é"])
    here.note("b", {"c": None})
    assert here.notes == {"a": [1, "é"], "b": {"c": None}}
    assert here.work == f"{ground}/base/0a1b2c3d"
    assert os.stat(here.work).st_mode & 0o777 == 0o700
    assert os.stat(f"{ground}/base").st_mode & 0o777 == 0o700


def test_a_folder_of_another_is_not_taken_for_the_runs(here: Here, ground: Path) -> None:
    (ground / "elsewhere").mkdir()
    os.symlink("elsewhere", ground / "base")
    assert code_of(lambda: here.work) == "denied"


def test_all_is_done_side_by_side_and_the_first_failure_told(here: Here) -> None:
    began = time.monotonic()
    assert [
        each.out for each in here.together([lambda n=n: here.run(["sh", "-c", f"sleep 0.6; echo {n}"]) for n in "abc"])
    ] == [b"a\n", b"b\n", b"c\n"]
    assert time.monotonic() - began < 1.7

    def fails() -> str:
        raise Failed("own", "x")

    assert code_of(lambda: here.together([lambda: "a", fails])) == "own"


def test_what_is_not_wanted_any_more_ends(here: Here, ground: Path) -> None:
    threading.Timer(0.5, here.end).start()
    began = time.monotonic()
    assert code_of(lambda: here.run(["sleep", "6"])) == "ended"
    assert time.monotonic() - began < (4 if here.near else 8)
    assert code_of(lambda: here.write(f"{ground}/a", b"")) == "ended"
    assert not (ground / "a").exists()


@pytest.mark.parametrize(
    "address",
    [
        "file://{}",
        "FILE://{}",
        "http://127.0.0.1:99999/",
        "http://[::1",
        "http://127.0.0.1/\r\nX: y",
        "http:///x",
        "-o{}",
    ],
)
def test_only_a_page_is_asked_for(here: Here, ground: Path, address: str) -> None:
    (ground / "page").write_text("HTTP/1.1 200 OK\r\n\r\nwhat is in a file")
    assert code_of(lambda: here.http(address.format(ground / "page"))) == "failed"
