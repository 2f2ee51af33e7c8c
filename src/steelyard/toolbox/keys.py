"""The keys with which workers sign in on hosts: made here, sealed under the worker's key, certified, revoked.

Web processes hold another key file: they can list and revoke, and open nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
)
from psycopg.errors import UniqueViolation

from steelyard.kit.ids import WorkspaceId
from steelyard.store.keys import Keys
from steelyard.toolbox.registry import Conn, RegistryError
from steelyard.web.said import N_, Said


class SshKey(NamedTuple):
    """A key, without what is secret of it."""

    key: int
    name: str
    public: str
    """As in authorized_keys."""
    certificate: str
    """In OpenSSH's format; empty where there is none."""
    certified_until: datetime | None
    created_at: datetime
    revoked_at: datetime | None
    hosts: int
    """How many sign in with it."""


class Certified(NamedTuple):
    """What a certificate says."""

    line: str
    until: datetime | None
    """None: it never ends."""
    principals: tuple[str, ...]
    """The accounts that it opens; none: all of them."""
    authority: str
    """The public key that signed it."""


_FOREVER: Final = 253_402_300_800
"""The year 10000, in seconds since 1970: a certificate that ends later never does."""

_KEYS: Final[LiteralString] = """
SELECT ssh_key, name, public, certificate, certified_until, created_at, revoked_at,
       (SELECT count(*) FROM host WHERE host.workspace = ssh_key.workspace AND host.ssh_key = ssh_key.ssh_key
                                    AND host.removed_at IS NULL)
FROM ssh_key
"""


def place_of(workspace: WorkspaceId, key: int) -> str:
    """What a private half is bound to when it is sealed."""
    return f"{workspace} ssh_key {key}"


async def list_keys(conn: Conn) -> list[SshKey]:
    """All of the transaction's workspace, the revoked ones too, by name and age."""
    rows = await (await conn.execute(_KEYS + " ORDER BY name, ssh_key")).fetchall()
    return [SshKey(*row) for row in rows]


async def key_named(conn: Conn, name: str) -> SshKey:
    """The key of that name that was not revoked. Raises RegistryError."""
    row = await (await conn.execute(_KEYS + " WHERE name = %s AND revoked_at IS NULL", [name])).fetchone()
    if row is None:
        message = N_("There is no key “%(name)s”: make it with `steelyard host key make %(name)s`.")
        raise RegistryError("no_key", Said(message, {"name": name}))
    return SshKey(*row)


async def make_key(conn: Conn, workspace: WorkspaceId, name: str, keys: Keys, now: datetime) -> SshKey:
    """Makes an Ed25519 key and seals its private half. `keys`: the worker's. Raises RegistryError, KeyFileError."""
    made = Ed25519PrivateKey.generate()
    public = made.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    try:
        async with conn.transaction():
            row = await (
                await conn.execute(
                    "INSERT INTO ssh_key (workspace, name, public, created_at) VALUES (%s, %s, %s, %s)"
                    " RETURNING ssh_key",
                    [workspace, name, f"{public} steelyard-{name}", now],
                )
            ).fetchone()
    except UniqueViolation:
        message = N_("A key “%(name)s” is here already: choose another name, or revoke that one first.")
        raise RegistryError("taken", Said(message, {"name": name})) from None
    number = int(row[0]) if row is not None else 0
    await _write(conn, number, keys.seal(private, place_of(workspace, number)))
    return await key_named(conn, name)


async def certify(conn: Conn, key: SshKey, line: str, now: datetime) -> Certified:
    """Keeps a certificate for a key, as `ssh-keygen -s` wrote it. Raises RegistryError where it is not one for it."""
    found = read_certificate(line)
    if found is None or _line_of(found.public_key()) != " ".join(key.public.split()[:2]):
        message = N_("That is no certificate for “%(name)s”: sign what `steelyard host key list` prints of it.")
        raise RegistryError("no_certificate", Said(message, {"name": key.name}))
    said = _said(line, found)
    if said.until is not None and said.until <= now:
        message = N_("That certificate ended at %(until)s: have it signed anew.")
        raise RegistryError("ended", Said(message, {"until": f"{said.until:%Y-%m-%d %H:%M} UTC"}))
    await conn.execute(
        "UPDATE ssh_key SET certificate = %s, certified_until = %s WHERE ssh_key = %s",
        [said.line, said.until, key.key],
    )
    return said


async def revoke(conn: Conn, key: int, now: datetime) -> bool:
    """Erases the private half for good; whether it was there. What runs with it, runs no more."""
    done = await conn.execute(
        "UPDATE ssh_key SET private = '', certificate = '', certified_until = NULL, revoked_at = %s"
        " WHERE ssh_key = %s AND revoked_at IS NULL",
        [now, key],
    )
    return done.rowcount == 1


async def read_sealed_keys(conn: Conn, *, hold: bool = False) -> dict[int, str]:
    """The sealed private halves of the transaction's workspace. `hold`: nobody changes them meanwhile."""
    query: LiteralString = "SELECT ssh_key, private FROM ssh_key WHERE private <> ''"
    rows: Sequence[Any] = await (await conn.execute(query + (" FOR UPDATE" if hold else ""))).fetchall()
    return dict(rows)


async def write_sealed_key(conn: Conn, key: int, sealed: str) -> None:
    """Stores the same private half, sealed anew."""
    await _write(conn, key, sealed)


def fingerprint(public: str) -> str:
    """`SHA256:…` of a public key's line, as ssh-keygen -l prints it."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def authority_of(certificate: str) -> Certified | None:
    """What a stored certificate says; None where it is none."""
    found = read_certificate(certificate)
    return None if found is None else _said(certificate, found)


def read_certificate(line: str) -> SSHCertificate | None:
    """A user's certificate whose signature holds; None for anything else."""
    try:
        found = load_ssh_public_identity(line.strip().encode())
    except (ValueError, UnicodeError, TypeError, KeyError):
        return None
    if not isinstance(found, SSHCertificate) or found.type is not SSHCertificateType.USER:
        return None
    try:
        found.verify_cert_signature()
    except InvalidSignature:
        return None
    return found


def _said(line: str, found: SSHCertificate) -> Certified:
    until = datetime.fromtimestamp(found.valid_before, UTC) if found.valid_before < _FOREVER else None
    principals = tuple(each.decode("utf-8", "replace") for each in found.valid_principals)
    return Certified(line.strip(), until, principals, _line_of(found.signature_key()))


async def _write(conn: Conn, key: int, sealed: str) -> None:
    await conn.execute("UPDATE ssh_key SET private = %s WHERE ssh_key = %s", [sealed, key])


def _line_of(key: Any) -> str:
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
