"""Keys of hosts: only workers open them, certificates are read with ssh-keygen's own, revoked is gone for good."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from steelyard.kit.errors import KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.store.keys import WEB, WORKER, Keys, key_file
from steelyard.toolbox.keys import (
    SshKey,
    authority_of,
    certify,
    fingerprint,
    key_named,
    list_keys,
    make_key,
    place_of,
    read_certificate,
    read_sealed_keys,
    revoke,
)
from steelyard.toolbox.registry import RegistryError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


def keygen(*arguments: object) -> str:
    return subprocess.run(["ssh-keygen", *map(str, arguments)], capture_output=True, text=True, check=True).stdout


def signed(folder: Path, public: str, *options: str, name: str = "main") -> str:
    """A certificate as an operator's authority makes it."""
    if not (folder / "ca").exists():
        keygen("-q", "-t", "ed25519", "-N", "", "-f", folder / "ca")
    (folder / f"{name}.pub").write_text(public + "\n")
    keygen("-q", "-s", folder / "ca", "-I", "worker", *options, folder / f"{name}.pub")
    return (folder / f"{name}-cert.pub").read_text()


@pytest.fixture
async def made(database: Database, make_workspace: MakeWorkspace, keys: Path) -> SshKey:
    workspace = await make_workspace()
    async with database.transaction(workspace) as conn:
        return await make_key(conn, workspace, "main", Keys(key_file(keys, WORKER)), NOW)


@pytest.fixture
async def workspace(database: Database, made: SshKey) -> WorkspaceId:
    async with database.cell() as conn:
        row = await (await conn.execute("SELECT workspaces_of_cell()")).fetchone()
    assert row is not None
    return WorkspaceId(row[0])


async def test_only_the_workers_key_opens_what_was_made(
    database: Database, made: SshKey, workspace: WorkspaceId, keys: Path
) -> None:
    async with database.transaction(workspace) as conn:
        sealed = (await read_sealed_keys(conn))[made.key]
    place = place_of(workspace, made.key)
    private = Keys(key_file(keys, WORKER)).unseal(sealed, place)
    public = load_ssh_private_key(private.encode(), None).public_key()
    assert made.public.startswith(public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    assert "PRIVATE" not in sealed
    for keys_of, at in (
        (WEB, place),
        (WORKER, place_of(workspace, made.key + 1)),
        (WORKER, place_of(WorkspaceId("eu1.x"), made.key)),
    ):
        with pytest.raises(KeyFileError):
            Keys(key_file(keys, keys_of)).unseal(sealed, at)


async def test_a_machine_that_only_serves_the_web_makes_no_key(
    database: Database, make_workspace: MakeWorkspace, tmp_path: Path
) -> None:
    workspace = await make_workspace()
    with pytest.raises(KeyFileError, match="there is no key file"):
        async with database.transaction(workspace) as conn:
            await make_key(conn, workspace, "main", Keys(key_file(tmp_path, WORKER)), NOW)
    async with database.transaction(workspace) as conn:
        assert await list_keys(conn) == []


async def test_the_fingerprint_is_ssh_keygens(made: SshKey, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(made.public)
    assert fingerprint(made.public) == keygen("-l", "-f", tmp_path / "key.pub").split()[1]


async def test_a_certificate_of_an_authority_is_kept_until_it_ends(
    database: Database, made: SshKey, workspace: WorkspaceId, tmp_path: Path
) -> None:
    line = signed(tmp_path, made.public, "-n", "support,deploy", "-V", "20261122110000Z:20261123120000Z")
    async with database.transaction(workspace) as conn:
        said = await certify(conn, made, line, NOW)
        kept = await key_named(conn, "main")
    assert said.until == kept.certified_until == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert said.principals == ("support", "deploy")
    assert (tmp_path / "ca.pub").read_text().startswith(said.authority)
    assert authority_of(kept.certificate) == said
    forever = signed(tmp_path, made.public, "-n", "support")
    async with database.transaction(workspace) as conn:
        assert (await certify(conn, made, forever, NOW)).until is None


async def test_what_is_no_certificate_of_this_key_is_refused(
    database: Database, made: SshKey, workspace: WorkspaceId, tmp_path: Path
) -> None:
    other = generate_private_key(65537, 2048).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    good = signed(tmp_path, made.public)
    kind, body, *_ = good.split()
    raw = bytearray(base64.b64decode(body))
    raw[-1] ^= 1
    changed = f"{kind} {base64.b64encode(bytes(raw)).decode()}"
    assert read_certificate(changed) is None, "its signature does not hold"
    refused = {
        "a key": made.public, "nothing": "", "text": "ssh-ed25519-cert-v01@openssh.com AAAA", "odd": "é\0",
        "another key's": signed(tmp_path, other.decode(), name="other"),
        "a host's": signed(tmp_path, made.public, "-h", name="host"), "changed": changed,
    }  # fmt: skip
    for what, line in refused.items():
        with pytest.raises(RegistryError, match="no certificate for “main”"):
            async with database.transaction(workspace) as conn:
                await certify(conn, made, line, NOW)
        assert what
    ended = signed(tmp_path, made.public, "-V", "20261121000000Z:20261122120000Z")
    with pytest.raises(RegistryError, match="ended at 2026-11-22 12:00 UTC"):
        async with database.transaction(workspace) as conn:
            await certify(conn, made, ended, NOW)


async def test_revoked_is_erased(database: Database, made: SshKey, workspace: WorkspaceId, keys: Path) -> None:
    async with database.transaction(workspace) as conn:
        assert await revoke(conn, made.key, NOW)
        assert not await revoke(conn, made.key, NOW)
        assert await read_sealed_keys(conn) == {}
        (left,) = await list_keys(conn)
        assert left.revoked_at == NOW
        with pytest.raises(RegistryError, match="There is no key “main”"):
            await key_named(conn, "main")
        again = await make_key(conn, workspace, "main", Keys(key_file(keys, WORKER)), NOW)  # its name is free again
        with pytest.raises(RegistryError, match="here already"):
            await make_key(conn, workspace, "main", Keys(key_file(keys, WORKER)), NOW)
    assert again.public != made.public
