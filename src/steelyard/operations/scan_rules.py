"""Packs of rules for scans: loaded from a file, listed, removed, checked. They are the cell's, for all workspaces."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.instants import moment
from steelyard.main import ground
from steelyard.operations.cell import record_everywhere
from steelyard.operations.checking import shown
from steelyard.operations.database import opened
from steelyard.toolbox.scanning.model import OWN_AUTHOR, OWN_LICENCE, OWN_PACK, Severity
from steelyard.toolbox.scanning.packs import (
    LONGEST,
    Checked,
    Loaded,
    check,
    check_text,
    keep_pack,
    own_pack,
    read_packs,
    remove_pack,
)


class Listed(NamedTuple):
    """A pack as it is listed. `loaded_at`: None for the one that ships."""

    name: str
    licence: str
    severity: str
    sha256: str
    rules: int
    loaded_at: datetime | None


class Kept(NamedTuple):
    """A pack that was loaded. `replaced`: whether one of its name was there."""

    pack: Listed
    replaced: bool
    warnings: tuple[str, ...]


def read_file(path: Path) -> bytes:
    """A file of rules. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            return file.read(LONGEST + 1)
    except OSError as error:
        raise ConfigError(f"{shown(str(path))} cannot be read ({error.strerror}): give a file of YARA rules") from None


def checked(path: Path, sha256: str) -> Checked:
    """Compiles a file as a scan would, and keeps nothing. Raises ConfigError with the line of what is wrong."""
    return check("checked", read_file(path), sha256)


async def load(settings: Settings, path: Path, name: str, licence: str, sha256: str, severity: Severity) -> Kept:
    """Loads a file of rules as a pack, in the place of one of the same name. Raises ConfigError."""
    if not licence.strip() or not licence.isprintable() or len(licence) > 120:
        raise ConfigError("name the licence of the rules, such as MIT or GPL-2.0-only, in at most 120 characters")
    content = read_file(path)
    found = check(name, content, sha256)
    at = moment(ground.now())
    pack = Loaded(name, licence.strip(), severity.value, found.sha256, content.decode(), at)
    async with opened(settings, "rules") as database, database.cell() as conn:
        replaced = await keep_pack(conn, pack)
        await record_everywhere(conn, "toolbox.pack_loaded", rules=found.rules, digest=found.sha256)
    return Kept(_listed(pack, found.rules), replaced, found.warnings)


async def listed(settings: Settings) -> list[Listed]:
    """All packs, the one that ships first."""
    own = own_pack()
    found = check_text(own)
    shipped = Listed(OWN_PACK, f"{OWN_LICENCE}, {OWN_AUTHOR}", own.severity, found.sha256, found.rules, None)
    async with opened(settings, "rules") as database, database.cell() as conn:
        loaded = await read_packs(conn)
    return [shipped, *(_listed(each, check(each.name, each.rules.encode()).rules) for each in loaded)]


async def remove(settings: Settings, name: str) -> None:
    """Takes a pack out. Raises ConfigError where there is none of this name."""
    async with opened(settings, "rules") as database, database.cell() as conn:
        known = {each.name: each for each in await read_packs(conn)}
        gone = await remove_pack(conn, name)
        if gone:
            await record_everywhere(conn, "toolbox.pack_removed", digest=known[name].sha256)
    if not gone:
        why = "it ships with Steelyard and stays" if name == OWN_PACK else f"there are {', '.join(known) or 'none'}"
        raise ConfigError(f"no pack {shown(name)} was loaded: {why}")


def _listed(pack: Loaded, rules: int) -> Listed:
    return Listed(pack.name, pack.licence, pack.severity, pack.sha256, rules, pack.loaded_at)
