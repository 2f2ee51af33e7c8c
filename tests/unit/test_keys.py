"""Secrets at rest: what is sealed opens at its place and nowhere else; key files are whole, private and only grow."""

from __future__ import annotations

import base64
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.kit.errors import KeyFileError
from steelyard.store.keys import Keys, add_key, forget_keys, make_first_key, number_of, read_keys

PLACE = "eu1.abc connection.access_token"
TEXTS = st.text(max_size=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    add_key(folder / "web.keys")
    return Keys(folder / "web.keys")


@given(TEXTS, TEXTS)
def test_what_is_sealed_opens_at_its_place(keys: Keys, value: str, place: str) -> None:
    sealed = keys.seal(value, place)
    assert keys.unseal(sealed, place) == value
    assert number_of(sealed) == keys.newest
    assert sealed != keys.seal(value, place), "the same value twice shows nothing"
    assert sealed.isascii()
    assert len(value) < 4 or value not in sealed


@given(TEXTS, TEXTS, TEXTS)
def test_it_opens_nowhere_else(keys: Keys, value: str, place: str, other: str) -> None:
    if place == other:
        other += "'"
    with pytest.raises(KeyFileError, match="was not sealed here"):
        keys.unseal(keys.seal(value, place), other)


@given(st.text(min_size=1, max_size=50), st.data())
def test_a_changed_bit_is_noticed(keys: Keys, value: str, data: st.DataObject) -> None:
    form, number, text = keys.seal(value, PLACE).split(".")
    raw = bytearray(base64.urlsafe_b64decode(text))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(KeyFileError, match="was not sealed here"):
        keys.unseal(f"{form}.{number}.{base64.urlsafe_b64encode(raw).decode()}", PLACE)


@given(st.one_of(TEXTS, TEXTS.map("s1.1.{}".format), st.text("s1.09=-_", max_size=40)))
def test_any_other_text_is_refused_in_a_sentence(keys: Keys, text: str) -> None:
    with pytest.raises(KeyFileError, match=r"eu1\.abc"):
        keys.unseal(text, PLACE)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["add", "add above", "forget"]), max_size=8))
def test_whatever_is_rotated_what_is_kept_opens(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    file = tmp_path_factory.mktemp("rotation") / "web.keys"
    assert make_first_key(file)
    sealed = {1: Keys(file).seal("sesame", PLACE)}
    for step in steps:
        if step == "forget":
            kept = {min(sealed)}
            gone = forget_keys(file, kept)
            sealed = {number: value for number, value in sealed.items() if number not in gone}
            assert sealed.keys() == kept | {max(sealed)}
        else:
            number = add_key(file, above=max(sealed) + 3 if step == "add above" else 0)
            assert number > max(sealed)
            sealed[number] = Keys(file).seal("sesame", PLACE)
            assert number_of(sealed[number]) == number, "the newest seals"
    assert read_keys(file).keys() == sealed.keys()
    assert {Keys(file).unseal(each, PLACE) for each in sealed.values()} == {"sesame"}


def test_a_key_that_another_machine_added_is_read_when_it_is_met(tmp_path: Path) -> None:
    file = tmp_path / "web.keys"
    add_key(file)
    running = Keys(file)
    before = running.seal("sesame", PLACE)
    add_key(file)
    after = Keys(file).seal("sesame", PLACE)
    assert [number_of(each) for each in (before, after)] == [1, 2]
    assert running.unseal(after, PLACE) == "sesame"
    assert running.unseal(before, PLACE) == "sesame"


def test_a_key_that_is_missing_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "web.keys"
    add_key(file)
    sealed = Keys(file).seal("sesame", PLACE)
    file.unlink()
    with pytest.raises(KeyFileError, match=r"there is no key file .*web\.keys"):
        Keys(file).unseal(sealed, PLACE)
    add_key(file, above=4)
    with pytest.raises(KeyFileError, match=r"sealed under key 1, which .*web\.keys does not hold. Copy the file"):
        Keys(file).unseal(sealed, PLACE)


def test_files_and_folder_are_for_their_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "a" / "keys" / "web.keys"
    add_key(file)
    add_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [each.name for each in file.parent.iterdir()] == ["web.keys"], "nothing is left beside it"
    assert [line.split()[0] for line in file.read_text().splitlines()] == ["1", "2"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "web.keys"
    add_key(file)
    file.chmod(mode)
    with pytest.raises(KeyFileError, match=r"others can read the key file .*: chmod 600 it"):
        read_keys(file)


@pytest.mark.parametrize("text", ["", "\n", "1\n", "1 short\n", "x AAAA\n", f"0 {'A' * 43}=\n", "1 key twice\n", "é"])
def test_what_is_no_key_file_is_refused_and_not_overwritten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "web.keys"
    file.write_text(text)
    file.chmod(0o600)
    for change in (read_keys, add_key, lambda each: forget_keys(each, set())):
        with pytest.raises(KeyFileError, match=r"web\.keys"):
            change(file)
    assert file.read_text() == text


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "web.keys"
    assert make_first_key(file)
    first = file.read_text()
    assert not make_first_key(file)
    assert file.read_text() == first


def test_keys_that_are_added_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    file = tmp_path / "web.keys"
    program = (
        "import sys, pathlib; from steelyard.store.keys import add_key\n"
        "for _ in range(20): add_key(pathlib.Path(sys.argv[1]))"
    )
    adding = [subprocess.Popen([sys.executable, "-c", program, str(file)]) for _ in range(3)]
    assert [each.wait(60) for each in adding] == [0, 0, 0]
    assert read_keys(file).keys() == set(range(1, 61))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyFileError, match=r"key files cannot be written in .*: run this as the owner"):
        add_key(tmp_path / "file" / "web.keys")
