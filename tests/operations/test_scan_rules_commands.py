"""`steelyard rules`: packs are compiled before they are kept, pinned by their hash, and the cell's."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations import scan_rules
from steelyard.store.database import Database
from steelyard.toolbox.scanning.model import Severity
from steelyard.toolbox.scanning.packs import all_packs, digest_of

RULES = 'rule one { strings: $a = "telling" condition: $a }\nrule two { condition: filename == "x.php" }\n'
S = Severity.SUSPICIOUS


@pytest.fixture
def settings(app_url: str) -> Settings:
    return Settings(cell="eu1", database_url=SecretStr(app_url))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yar"
    path.write_text(RULES)
    return path


async def test_who_loads_and_removes_rules_is_told_in_every_workspace(
    database: Database, settings: Settings, file: Path, make_workspace: Callable[..., Awaitable[WorkspaceId]]
) -> None:
    both = [await make_workspace("app1"), await make_workspace("app2")]
    kept = await scan_rules.load(settings, file, "theirs", "MIT", "", S)
    await scan_rules.remove(settings, "theirs")
    with pytest.raises(ConfigError):
        await scan_rules.remove(settings, "theirs")
    for workspace in both:
        async with database.transaction(workspace) as conn:
            rows = await (await conn.execute("SELECT kind, data, person FROM ledger ORDER BY position")).fetchall()
        assert rows == [
            ("toolbox.pack_loaded", {"rules": 2, "digest": kept.pack.sha256}, None),
            ("toolbox.pack_removed", {"digest": kept.pack.sha256}, None),
        ]


def rewrite(file: Path) -> None:
    file.write_text(RULES + "// more\n")


async def test_a_pack_is_loaded_replaced_listed_and_removed(database: Database, settings: Settings, file: Path) -> None:
    sha256 = hashlib.sha256(RULES.encode()).hexdigest()
    kept = await scan_rules.load(settings, file, "theirs", "MIT", sha256.upper(), Severity.ODD)
    assert (kept.replaced, kept.pack.rules, kept.pack.sha256) == (False, 2, sha256)
    async with database.cell() as conn:
        before = digest_of(await all_packs(conn))
    rewrite(file)
    assert (await scan_rules.load(settings, file, "theirs", "MIT", "", S)).replaced
    async with database.cell() as conn:
        assert digest_of(await all_packs(conn)) != before
    own, theirs = await scan_rules.listed(settings)
    assert (own.name, own.loaded_at) == ("steelyard", None)
    assert own.rules > 30
    assert (theirs.name, theirs.licence, theirs.severity, theirs.rules) == ("theirs", "MIT", "suspicious", 2)
    await scan_rules.remove(settings, "theirs")
    assert [each.name for each in await scan_rules.listed(settings)] == ["steelyard"]


@pytest.mark.parametrize(
    ("name", "content", "sha256", "told"),
    [
        ("theirs", b"rule a {\n condition: $b }", "", "theirs:2:"),
        ("theirs", b"rule a {", "", "cannot be compiled"),
        ("theirs", RULES.encode(), "0" * 64, "SHA-256 is"),
        ("theirs", b"rule \xff", "", "no UTF-8"),
        ("theirs", b"rule a { condition: true }\0", "", "zero byte"),
        ("theirs", b'include "/etc/passwd"', "", "include"),
        ("steelyard", RULES.encode(), "", "needs a name"),
        ("Their Rules", RULES.encode(), "", "needs a name"),
    ],
)
async def test_what_cannot_be_used_is_refused_and_nothing_is_kept(
    database: Database, settings: Settings, tmp_path: Path, name: str, content: bytes, sha256: str, told: str
) -> None:
    path = tmp_path / "rules.yar"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        await scan_rules.load(settings, path, name, "MIT", sha256, S)
    assert [each.name for each in await scan_rules.listed(settings)] == ["steelyard"]


async def test_a_licence_is_needed_and_a_file_has_to_be_there(
    database: Database, settings: Settings, file: Path
) -> None:
    with pytest.raises(ConfigError, match="licence"):
        await scan_rules.load(settings, file, "theirs", " ", "", S)
    with pytest.raises(ConfigError, match="cannot be read"):
        await scan_rules.load(settings, file.parent / "none", "theirs", "MIT", "", S)
    with pytest.raises(ConfigError, match="no pack nothing"):
        await scan_rules.remove(settings, "nothing")
    with pytest.raises(ConfigError, match="ships with Steelyard"):
        await scan_rules.remove(settings, "steelyard")


def test_the_command_says_the_line_and_ends_with_1(tmp_path: Path) -> None:
    path = tmp_path / "rules.yar"
    path.write_text("rule a {\n condition: $b }")
    command = [sys.executable, "-m", "steelyard", "rules", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})
    assert done.returncode == 1
    assert "checked:2:" in done.stderr
    path.write_text(RULES)
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["rules"] == 2
