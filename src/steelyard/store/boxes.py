"""Secrets that anybody here can seal and only workers can open: what people type for a run goes by the database.

A worker's key (see keys.py) has a second half that is no secret, derived by X25519: it stands in the table
`sealing_key`. Each value is sealed under a key of its own, agreed on between that half and a fresh one. See
docs/decisions/0015.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from steelyard.kit.errors import KeyFileError
from steelyard.store.database import Connection
from steelyard.store.keys import read_keys

_FORMAT: Final = "x1"
_HALF: Final = b"steelyard sealing key"
_AGREED: Final = b"steelyard sealed box"
_PUBLIC, _NONCE = 32, 12


class Lid(NamedTuple):
    """What seals for workers: the public half of the key `number` of theirs."""

    number: int
    public: str

    def seal(self, value: str, place: str) -> str:
        """`value` sealed for `place`. Nobody here can open it again."""
        fresh = X25519PrivateKey.generate()
        own = fresh.public_key().public_bytes_raw()
        shared = fresh.exchange(X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(self.public)))
        nonce = os.urandom(_NONCE)
        sealed = AESGCM(_derived(shared, _AGREED)).encrypt(nonce, value.encode(), place.encode())
        return f"{_FORMAT}.{self.number}.{base64.urlsafe_b64encode(own + nonce + sealed).decode()}"


def lid_of(file: Path) -> Lid:
    """What seals for the newest key of `file`. Raises KeyFileError."""
    known = read_keys(file)
    newest = max(known)
    return Lid(newest, base64.urlsafe_b64encode(_private(known[newest]).public_key().public_bytes_raw()).decode())


def number_of_box(sealed: str) -> int:
    """The number of the key that opens it; 0 for what is no box."""
    form, _, left = sealed.partition(".")
    number = left.partition(".")[0]
    return int(number) if form == _FORMAT and number.isascii() and number.isdigit() and len(number) < 10 else 0


def open_box(file: Path, sealed: str, place: str) -> str:
    """The value that was sealed for `place`. Raises KeyFileError where the keys of `file` do not open it."""
    number, body = number_of_box(sealed), sealed.rpartition(".")[2]
    key = read_keys(file).get(number)
    if key is None:
        raise KeyFileError(f"{place} is sealed under a key that {file} does not hold: ask for it anew")
    try:
        raw = base64.urlsafe_b64decode(body)
        shared = _private(key).exchange(X25519PublicKey.from_public_bytes(raw[:_PUBLIC]))
        nonce, text = raw[_PUBLIC : _PUBLIC + _NONCE], raw[_PUBLIC + _NONCE :]
        return AESGCM(_derived(shared, _AGREED)).decrypt(nonce, text, place.encode()).decode()
    except (InvalidTag, ValueError):
        raise KeyFileError(f"{place} was not sealed here under key {number} of {file}: ask for it anew") from None


async def publish_lid(conn: Connection, lid: Lid) -> None:
    """Lets everybody seal for this worker's newest key."""
    await conn.execute(
        "INSERT INTO sealing_key (number, public) VALUES (%s, %s)"
        " ON CONFLICT (number) DO UPDATE SET public = excluded.public WHERE sealing_key.public <> excluded.public",
        [lid.number, lid.public],
    )


async def read_lid(conn: Connection) -> Lid:
    """What seals for workers. Raises KeyFileError where no worker ran yet."""
    row = await (await conn.execute("SELECT number, public FROM sealing_key ORDER BY number DESC LIMIT 1")).fetchone()
    if row is None:
        raise KeyFileError("no worker has run here yet, who alone could open what you enter: start one, then try again")
    return Lid(*row)


def _private(key: bytes) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(_derived(key, _HALF))


def _derived(secret: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(secret)
