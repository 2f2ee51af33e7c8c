"""Secrets at rest: sealed under keys that lie in files, outside the database and its backups.

A key file holds one key per line, `number key`, the newest last: it seals, all of them open. A sealed value names its
key and is bound to its place, so it cannot be moved to another row. AES-256-GCM of the `cryptography` package.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from steelyard.kit.errors import KeyFileError

WEB, WORKER = "web", "worker"
"""The two key files, `web.keys` and `worker.keys`. A machine that only serves the web has no `worker.keys`."""

_FORMAT: Final = "s1"
_NONCE = 12


class Keys:
    """The keys of one file, read again when a value names one that is not known: another machine may have rotated."""

    def __init__(self, file: Path) -> None:
        """The file is read when it is first needed: a cell without a workspace has none."""
        self._file = file
        self._known: dict[int, bytes] = {}

    @property
    def newest(self) -> int:
        """The number of the key that seals. Raises KeyFileError where the file cannot be read as one."""
        self._known = self._known or read(self._file)
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
            self._known = read(self._file)
        key = self._known.get(number)
        if key is None:
            raise KeyFileError(
                f"{place} is sealed under key {number}, which {self._file} does not hold. Copy the file from the"
                " machine that rotated, or restore it from where you keep it"
            )
        try:
            raw = base64.urlsafe_b64decode(sealed.split(".", 2)[2])
            return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise KeyFileError(
                f"{place} was not sealed here under key {number} of {self._file}: the row or the file was replaced."
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


def read(file: Path) -> dict[int, bytes]:
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


def add_key(file: Path) -> int:
    """Adds a fresh key, making the file where there is none; its number. It is written whole or not at all."""
    known: Mapping[int, bytes] = read(file) if file.exists() else {}
    number = max(known, default=0) + 1
    _write(file, {**known, number: secrets.token_bytes(32)})
    return number


def forget_keys(file: Path, keep: frozenset[int]) -> list[int]:
    """Removes all keys but the newest and those in `keep`; the numbers of the removed ones."""
    known = read(file)
    gone = sorted(known.keys() - keep - {max(known)})
    _write(file, {number: key for number, key in known.items() if number not in gone})
    return gone


def _write(file: Path, keys: Mapping[int, bytes]) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    text = "".join(f"{number} {base64.urlsafe_b64encode(key).decode()}\n" for number, key in sorted(keys.items()))
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
