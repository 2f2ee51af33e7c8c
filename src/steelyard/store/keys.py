"""Secrets at rest: sealed under keys that lie in files, outside the database and its backups.

A key file holds one key per line, `number key`, the newest last: it seals, all of them open. A sealed value names its
key and is bound to its place, so it cannot be moved to another row. AES-256-GCM of the `cryptography` package.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import os
import secrets
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steelyard.kit.errors import KeyFileError

WEB, WORKER = "web", "worker"
"""The two key files, `web.keys` and `worker.keys`. A machine that only serves the web has no `worker.keys`."""

_FORMAT: Final = "s1"
_FINGERPRINT: Final = b"steelyard key fingerprint "
_NONCE = 12


class Keys:
    """The keys of one file, read again when a value names one that is not known: another machine may have rotated."""

    def __init__(self, file: Path) -> None:
        """The file is read when it is first needed: a cell without a workspace has none."""
        self.file: Final = file
        self._known: dict[int, bytes] = {}

    @property
    def newest(self) -> int:
        """The number of the key that seals. Raises KeyFileError where the file cannot be read as one."""
        self._known = self._known or read_keys(self.file)
        return max(self._known)

    def seal(self, value: str, place: str) -> str:
        """`value` sealed for `place`, such as `eu1.abc connection.access_token`. Raises KeyFileError."""
        number, nonce = self.newest, os.urandom(_NONCE)
        sealed = AESGCM(self._known[number]).encrypt(nonce, value.encode(), place.encode())
        return f"{_FORMAT}.{number}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def unseal(self, sealed: str, place: str) -> str:
        """The value that was sealed for `place`. Raises KeyFileError where this file's keys do not open it."""
        number = number_of(sealed)
        if number is None:
            raise KeyFileError(
                f"{place} is not sealed: connect the workspace again with `steelyard connect intercom`, which seals it"
            )
        if number not in self._known:
            self._known = read_keys(self.file)
        key = self._known.get(number)
        if key is None:
            raise KeyFileError(
                f"{place} is sealed under key {number}, which {self.file} does not hold. Copy the file from the"
                " machine that rotated, or restore it from where you keep it"
            )
        try:
            raw = base64.urlsafe_b64decode(sealed.split(".", 2)[2])
            return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise KeyFileError(
                f"{place} was not sealed here under key {number} of {self.file}: the row or the file was replaced."
                " Restore the one that fits, or connect the workspace again"
            ) from None


def number_of(sealed: str) -> int | None:
    """The number of the key that sealed the value; None for what was never sealed."""
    form, _, rest = sealed.partition(".")
    number = rest.partition(".")[0]
    return int(number) if form == _FORMAT and number.isascii() and number.isdigit() and len(number) < 10 else None


def key_file(folder: Path, name: str) -> Path:
    """Where the key file `name` lies in `folder`."""
    return folder / f"{name}.keys"


def read_keys(file: Path) -> dict[int, bytes]:
    """The keys of `file` by number. Raises KeyFileError."""
    try:
        lines = file.read_text("ascii").split("\n")
        open_to_others = file.stat().st_mode & 0o077
    except FileNotFoundError:
        raise KeyFileError(
            f"there is no key file {file}: `steelyard connect intercom` makes it on the first machine, copy it to the"
            " others; STEELYARD_KEYS names its folder"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(
            f"the key file {file} cannot be read ({type(error).__name__}): its owner runs this"
        ) from None
    if open_to_others:
        raise KeyFileError(
            f"others can read the key file {file}: chmod 600 it, then rotate with `steelyard secrets rotate`"
        )
    try:
        found = {int(number): base64.urlsafe_b64decode(key) for number, key in (line.split() for line in lines if line)}
    except (ValueError, binascii.Error):
        found = {}
    if not found or any(len(key) != 32 or number < 1 for number, key in found.items()):
        raise KeyFileError(
            f"{file} is not a key file: each line is a number and a key. Restore it from where you keep it"
        )
    return found


def fingerprint(key: bytes) -> str:
    """Eight hexadecimal digits that tell two keys apart, and nothing of the key."""
    return hashlib.sha256(_FINGERPRINT + key).hexdigest()[:8]


def add_key(file: Path, above: int = 0) -> int:
    """Adds a fresh key, numbered above `above` and every known one, making the file where there is none; its number.

    The file is written whole or not at all. Raises KeyFileError where it is there and cannot be read.
    """
    with _alone(file.parent):
        known = read_keys(file) if file.exists() else {}
        number = max(above, *known, 0) + 1
        _write(file, {**known, number: secrets.token_bytes(32)})
    return number


def make_first_key(file: Path) -> bool:
    """Makes the file with its first key, unless it is there; whether it was made."""
    with _alone(file.parent):
        if file.exists():
            return False
        _write(file, {1: secrets.token_bytes(32)})
    return True


def forget_keys(file: Path, keep: Collection[int]) -> list[int]:
    """Removes all keys but the newest and those in `keep`; the numbers of the removed ones. Raises KeyFileError."""
    with _alone(file.parent):
        known = read_keys(file)
        gone = sorted(known.keys() - set(keep) - {max(known)})
        if gone:
            _write(file, {number: key for number, key in known.items() if number not in gone})
    return gone


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """No other process of this machine changes key files of `folder` meanwhile."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        os.fsync(handle)  # a new name in the folder, too, outlives a crash
    except OSError as error:
        raise _unwritable(folder, error) from None
    finally:
        os.close(handle)


def _unwritable(folder: Path, error: OSError) -> KeyFileError:
    return KeyFileError(
        f"key files cannot be written in {folder} ({type(error).__name__}): run this as the owner of the folder, or"
        " name another one with STEELYARD_KEYS"
    )


def _write(file: Path, keys: Mapping[int, bytes]) -> None:
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    text = "".join(f"{number} {base64.urlsafe_b64encode(key).decode()}\n" for number, key in sorted(keys.items()))
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            if os.geteuid() == 0:  # root adds a key for whoever runs the service: theirs is the folder
                owner = file.parent.stat()
                os.fchown(handle, owner.st_uid, owner.st_gid)
            out.write(text)
            out.flush()
            os.fsync(handle)
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
