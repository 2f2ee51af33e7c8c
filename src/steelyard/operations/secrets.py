"""The secrets of the cell: under which keys they are sealed, and sealing them all anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import KeyFileError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations.database import opened, workspaces
from steelyard.routing.connections import Sealed, read_sealed, secret_place, token_place, write_sealed
from steelyard.routing.notifications import read_addresses, sealed_at, write_address
from steelyard.store.boxes import lid_of, number_of_box, open_box, publish_lid
from steelyard.store.database import Connection, Database
from steelyard.store.keys import (
    WEB,
    WORKER,
    Keys,
    add_key,
    fingerprint,
    forget_keys,
    key_file,
    make_first_key,
    number_of,
    read_keys,
)
from steelyard.toolbox.host_secrets import read_sealed_secrets, secret_at, write_sealed_secret
from steelyard.toolbox.keys import place_of, read_sealed_keys, write_sealed_key
from steelyard.toolbox.secrets import read_given, write_given

NAMES = (WEB, WORKER)


class KeyFile(NamedTuple):
    """One key file, as this machine has it, and what the database holds of it."""

    file: Path
    known: Mapping[int, str] | None
    """The fingerprints of its keys by number; None where this machine has no such file."""
    sealed: Mapping[int, int]
    """How many stored secrets are sealed under each number; 0 stands for those that never were sealed."""
    other: frozenset[int]
    """The numbers under which it holds another key than the one that sealed: it does not open what is stored."""

    @property
    def missing(self) -> list[int]:
        """The numbers that stored secrets are sealed under and that this file does not hold."""
        return sorted(self.sealed.keys() - (self.known or {}).keys() - {0})

    @property
    def newest(self) -> int:
        """The number that seals; 0 where there is no key."""
        return max(self.known or {0})

    @property
    def rotated(self) -> bool:
        """Whether the newest key is in use, and no older one of this file is: there is nothing to go on with."""
        return self.sealed.keys() & (self.known or {}).keys() == {self.newest}


class Rotation(NamedTuple):
    """What a rotation did."""

    added: dict[str, int]
    """The numbers of fresh keys, by key file."""
    sealed: int
    """Secrets that were sealed anew."""
    forgotten: dict[str, list[int]]
    """The numbers of removed keys, by key file."""


async def show(settings: Settings) -> list[KeyFile]:
    """The key files and how many secrets are sealed under each of their keys."""
    async with opened(settings, "secrets") as database:
        return await key_files(database, settings.keys)


async def key_files(database: Database, folder: Path) -> list[KeyFile]:
    """The key files in `folder`, the web's first. Raises KeyFileError where one is there and cannot be read."""
    stored: dict[str, list[tuple[str, str]]] = {name: [] for name in NAMES}
    for workspace in await workspaces(database):
        places = (secret_place(workspace), token_place(workspace))
        async with database.transaction(workspace) as conn:
            sealed = await read_sealed(conn, workspace)
            addresses = await read_addresses(conn, workspace)
            signing_in = await read_sealed_keys(conn)
            of_hosts = await read_sealed_secrets(conn)
            for_runs = await read_given(conn, workspace)
        for name, value, place in zip(NAMES, sealed or (), places, strict=False):
            stored[name].append((value, place))
        stored[WEB] += [(value, sealed_at(workspace, number)) for number, value in addresses.items()]
        stored[WORKER] += [(value, place_of(workspace, key)) for key, value in signing_in.items()]
        stored[WORKER] += [(value, secret_at(workspace, *where)) for where, value in of_hosts.items()]
        stored[WORKER] += [(each.sealed, each.place) for each in for_runs]
    return [_look(key_file(folder, name), stored[name]) for name in NAMES]


def _look(file: Path, stored: Sequence[tuple[str, str]]) -> KeyFile:
    """The file, beside what is stored: sealed values and their places."""
    sealed = Counter(_number(value) for value, _ in stored)
    if not file.exists():
        return KeyFile(file, None, sealed, frozenset())
    known, keys = {number: fingerprint(key) for number, key in read_keys(file).items()}, Keys(file)
    opened = {number for value, place in stored if (number := _number(value)) in known and _opens(keys, value, place)}
    return KeyFile(file, known, sealed, frozenset(sealed.keys() & known.keys() - opened))


def _number(sealed: str) -> int:
    return number_of(sealed) or number_of_box(sealed)


def _opens(keys: Keys, sealed: str, place: str) -> bool:
    try:
        open_box(keys.file, sealed, place) if number_of_box(sealed) else keys.unseal(sealed, place)
    except KeyFileError:
        return False
    return True


def make_ready(files: list[KeyFile], new_keys: bool) -> None:
    """Makes the key files of a cell that has none. Raises KeyFileError where stored secrets are sealed under keys that
    are missing, unless `new_keys` says to go on with a fresh key: they stay closed until they are entered again.

    Raises it, too, where a file holds another key of the same number: what it sealed would open nowhere else.
    """
    for each in files:
        if each.other and not new_keys:
            raise KeyFileError(
                f"{each.file} is not the file that stored secrets are sealed under: its key"
                f" {', '.join(map(str, sorted(each.other)))} opens none of them. Copy it from the machine that has it"
                " (compare `steelyard secrets show` on both); if it is lost for good, connect each workspace again with"
                " --new-keys"
            )
        if each.missing and not new_keys:
            raise KeyFileError(
                f"{_unopened(each)}. Restore the file, or copy it from the machine that has it; if it is lost for"
                " good, connect each workspace again with --new-keys"
            )
        lost = {*each.missing, *each.other}
        if lost and each.newest <= max(lost):
            add_key(each.file, above=max(lost))
        elif each.known is None:
            make_first_key(each.file)


async def rotate(settings: Settings, *, only_add: bool, forget_old: bool) -> Rotation:
    """Adds a key to both files, seals every stored secret anew, each workspace by itself, and forgets old keys.

    Goes on where it was killed: a newest key under which not everything is sealed is used, not added to. Raises
    KeyFileError where a file is not here, or a secret cannot be opened; all the others are sealed anew before.
    """
    async with opened(settings, "secrets") as database:
        files = await key_files(database, settings.keys)
        for each in files:
            if each.known is None:
                raise KeyFileError(
                    f"there is no {each.file}: rotate on a machine that has both key files, and copy them from there"
                )
        added = {
            each.file.name: add_key(each.file, above=max(each.sealed, default=0))
            for each in files
            if only_add or each.rotated
        }
        if only_add:
            return Rotation(added, 0, {})
        sealed, failed = await _seal_all(database, settings.keys)
        forgotten: dict[str, list[int]] = {}
        if forget_old:
            for each in await key_files(database, settings.keys):
                forgotten[each.file.name] = forget_keys(each.file, each.sealed.keys())
        if failed:
            raise failed[0]
    return Rotation(added, sealed, forgotten)


async def _seal_all(database: Database, folder: Path) -> tuple[int, list[KeyFileError]]:
    """Seals every secret that is not under the newest key under it; how many, and what could not be opened."""
    sealed, failed = 0, list[KeyFileError]()
    keys = {name: Keys(key_file(folder, name)) for name in NAMES}
    async with database.cell() as conn:  # what is typed for runs from now on
        await publish_lid(conn, lid_of(keys[WORKER].file))
    for workspace in await workspaces(database):
        try:
            sealed += await _seal_anew(database, workspace, keys)
        except KeyFileError as error:
            failed.append(error)
    return sealed, failed


async def _seal_anew(database: Database, workspace: WorkspaceId, keys: Mapping[str, Keys]) -> int:
    places = (secret_place(workspace), token_place(workspace))
    async with database.transaction(workspace) as conn:
        told = await _seal_addresses(conn, workspace, keys[WEB]) + await _seal_for_hosts(conn, workspace, keys[WORKER])
        stored = await read_sealed(conn, workspace, hold=True)
        if stored is None:
            return told
        fresh = [_anew(keys[name], value, place) for name, value, place in zip(NAMES, stored, places, strict=True)]
        changed = sum(new != old for new, old in zip(fresh, stored, strict=True))
        if changed:
            await write_sealed(conn, workspace, Sealed(*fresh))
    return told + changed


async def _seal_addresses(conn: Connection, workspace: WorkspaceId, keys: Keys) -> int:
    """Those that alarms are told to; how many were sealed anew."""
    sealed = 0
    for number, old in (await read_addresses(conn, workspace, hold=True)).items():
        new = _anew(keys, old, sealed_at(workspace, number))
        if new != old:
            await write_address(conn, workspace, number, new)
            sealed += 1
    return sealed


async def _seal_for_hosts(conn: Connection, workspace: WorkspaceId, keys: Keys) -> int:
    """The keys with which workers sign in on hosts, and what hosts ask for; how many were sealed anew."""
    sealed = 0
    for number, old in (await read_sealed_keys(conn, hold=True)).items():
        new = _anew(keys, old, place_of(workspace, number))
        if new != old:
            await write_sealed_key(conn, number, new)
            sealed += 1
    for (host, name), old in (await read_sealed_secrets(conn, hold=True)).items():
        new = _anew(keys, old, secret_at(workspace, host, name))
        if new != old:
            await write_sealed_secret(conn, host, name, new)
            sealed += 1
    return sealed + await _seal_for_runs(conn, workspace, keys)


async def _seal_for_runs(conn: Connection, workspace: WorkspaceId, keys: Keys) -> int:
    """What was typed for runs that may still need it; how many were sealed anew."""
    lid = lid_of(keys.file)
    old = [each for each in await read_given(conn, workspace, hold=True) if number_of_box(each.sealed) != lid.number]
    for each in old:
        await write_given(conn, each, lid.seal(open_box(keys.file, each.sealed, each.place), each.place))
    return len(old)


def _anew(keys: Keys, sealed: str, place: str) -> str:
    return sealed if number_of(sealed) == keys.newest else keys.seal(keys.unseal(sealed, place), place)


def _unopened(each: KeyFile) -> str:
    numbers = ", ".join(map(str, each.missing))
    count = sum(each.sealed[number] for number in each.missing)
    what = "is not there" if each.known is None else f"does not hold key {numbers}"
    return f"{each.file} {what}, and stored secrets are sealed under it ({count})"
