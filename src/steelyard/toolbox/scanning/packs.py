"""Rules by which files are judged: those that ship, and packs that operators load, with name, licence and hash."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, NamedTuple, cast

import yara_x
from psycopg import AsyncConnection
from psycopg.rows import class_row

from steelyard.kit.errors import ConfigError
from steelyard.toolbox.hosted.scanner.looking import Pack, compiled
from steelyard.toolbox.scanning.model import OWN_LICENCE, OWN_PACK, Severity

LONGEST = 20_000_000
"""Bytes of one pack."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")


class Loaded(NamedTuple):
    """A pack in the table."""

    name: str
    licence: str
    severity: str
    sha256: str
    rules: str
    loaded_at: datetime


class Checked(NamedTuple):
    """What rules are, once they were compiled."""

    sha256: str
    rules: int
    warnings: tuple[str, ...]


@cache
def own_pack() -> Pack:
    """The rules that ship."""
    folder = resources.files("steelyard.toolbox.scanning") / "rules"
    texts = [each.read_text("utf-8") for each in sorted(folder.iterdir(), key=lambda each: each.name)]
    return Pack(OWN_PACK, OWN_LICENCE, Severity.SUSPICIOUS, "\n".join(texts))


def digest_of(packs: Iterable[Pack]) -> str:
    """SHA-256 of all rules, in hexadecimal: what a site's memory was judged by."""
    digest = hashlib.sha256()
    for each in sorted(packs, key=lambda each: each.name):
        for part in (each.name, each.licence, each.severity, each.rules):
            digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()


def check(name: str, content: bytes, wanted: str = "") -> Checked:
    """Compiles rules as a scan would. Raises ConfigError with the line of what is wrong, or for another hash."""
    if not _NAME.fullmatch(name) or name == OWN_PACK:
        raise ConfigError(f"a pack of rules needs a name of a-z, 0-9, - and _, up to 40, other than {OWN_PACK}")
    if len(content) > LONGEST:
        raise ConfigError(f"the rules are longer than {LONGEST // 1_000_000} MB: split them into several packs")
    sha256 = hashlib.sha256(content).hexdigest()
    if wanted and wanted.strip().lower() != sha256:
        raise ConfigError(f"the file's SHA-256 is {sha256}, not the one you gave: fetch it again from its author")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"byte {error.start} of the rules is no UTF-8: they have to be YARA source") from None
    if "\0" in text:
        raise ConfigError("the rules hold a zero byte: they have to be YARA source, not compiled rules")
    return check_text(Pack(name, "", Severity.SUSPICIOUS, text))


async def read_packs(conn: AsyncConnection[Any]) -> list[Loaded]:
    """The packs that operators loaded, by name."""
    async with conn.cursor(row_factory=class_row(Loaded)) as cursor:
        await cursor.execute(
            "SELECT name, licence, severity, sha256, rules, loaded_at FROM rule_pack ORDER BY name LIMIT 200"
        )
        return await cursor.fetchall()


async def all_packs(conn: AsyncConnection[Any]) -> list[Pack]:
    """All rules that a scan judges by."""
    loaded = await read_packs(conn)
    return [own_pack(), *(Pack(each.name, each.licence, each.severity, each.rules) for each in loaded)]


async def keep_pack(conn: AsyncConnection[Any], pack: Loaded) -> bool:
    """Loads a pack, in the place of one of its name; whether there was one."""
    replaced = await remove_pack(conn, pack.name)
    await conn.execute(
        "INSERT INTO rule_pack (name, licence, severity, sha256, rules, loaded_at)"
        " VALUES (%(name)s, %(licence)s, %(severity)s, %(sha256)s, %(rules)s, %(loaded_at)s)",
        pack._asdict(),
    )
    return replaced


async def remove_pack(conn: AsyncConnection[Any], name: str) -> bool:
    """Takes a pack out; whether it was there."""
    gone = await conn.execute("DELETE FROM rule_pack WHERE name = %s", [name])
    return gone.rowcount > 0


def check_text(pack: Pack) -> Checked:
    """Compiles a pack. Raises ConfigError with the line of what is wrong."""
    try:
        rules, warnings = compiled([pack])
    except yara_x.CompileError as error:
        raise ConfigError(f"the rules cannot be compiled:\n{error}") from None
    return Checked(
        hashlib.sha256(pack.rules.encode()).hexdigest(), sum(1 for _ in cast("Iterable[object]", rules)), warnings
    )
