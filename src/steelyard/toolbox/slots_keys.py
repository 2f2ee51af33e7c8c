"""The operator's key that signs slots, and the public keys that a machine trusts.

<keys>/slot-key     the private half: only where slots are added
<keys>/slot-keys    the public ones, a line each: on every machine with workers
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from steelyard.kit.errors import SlotError

KEY, TRUSTED = "slot-key", "slot-keys"


def make_key(folder: Path, whose: str) -> str:
    """Makes the key where there is none, and trusts it on this machine; its public line. Raises SlotError."""
    file = folder / KEY
    if file.exists():
        raise SlotError(f"{file} is there already: what it signed stays trusted as long as its line is in {TRUSTED}")
    key = Ed25519PrivateKey.generate()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    line = public_line(key.public_key(), whose)
    with (folder / TRUSTED).open("a", encoding="utf-8") as opened:
        opened.write(line + "\n")
    return line


def read_key(folder: Path) -> Ed25519PrivateKey:
    """The operator's key. Raises SlotError where this machine has none."""
    file = folder / KEY
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except FileNotFoundError:
        raise SlotError(f"there is no {file}: make one by `steelyard core key`, or add slots where it is") from None
    except (OSError, ValueError) as error:
        raise SlotError(f"{file} cannot be read as a key: {error}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SlotError(f"{file} is no Ed25519 key")
    return key


def public_line(key: Ed25519PublicKey, whose: str) -> str:
    """A public key as a line of the trusted ones."""
    told = base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return f"ed25519 {told} {'-'.join(whose.split())}".strip()
