"""What is committed names no machine and no download address; what is installed is pinned and hashed."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Put together here, so that this file does not hold what it looks for.
FOLDERS = re.compile("/" + "(?:{})".format("|".join(("work", "farm", "root"))) + "/")
HOSTS = re.compile(
    "|".join(re.escape(".".join(parts)) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", ""))), re.I
)
PINNED = re.compile(r"[A-Za-z0-9._-]+(?:\[[a-z,]+\])?==\S+(?: ; .+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.fixture(scope="module")
def tracked() -> dict[str, str]:
    """Every committed file that is text, by its name."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout: what is committed cannot be told")
    files: dict[str, str] = {}
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            files[name] = content.decode("utf-8")
    return files


def lines_with(pattern: re.Pattern[str], files: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_holds_a_path_of_a_machine(tracked: dict[str, str]) -> None:
    assert "Makefile" in tracked
    assert lines_with(FOLDERS, tracked) == []


def test_no_file_names_the_host_of_a_package_index(tracked: dict[str, str]) -> None:
    assert lines_with(HOSTS, tracked) == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_requirement_is_pinned_and_hashed(tracked: dict[str, str], name: str) -> None:
    entries = re.sub(r"\\\n", "", re.sub(r"^\s*#.*\n?", "", tracked[name], flags=re.M)).splitlines()
    assert len(entries) > 30
    assert "://" not in tracked[name]
    for entry in entries:
        requirement, *hashes = re.split(r"\s+(?=--)", entry.strip())
        assert PINNED.fullmatch(requirement), requirement
        assert hashes, f"{requirement} has no hash"
        assert all(HASH.fullmatch(each) for each in hashes), requirement


def test_every_locked_asset_has_its_digest_and_no_address(tracked: dict[str, str]) -> None:
    assert "://" not in tracked["package-lock.json"]
    packages = json.loads(tracked["package-lock.json"])["packages"]
    installed = {name: each for name, each in packages.items() if name}
    assert installed
    for name, each in installed.items():
        assert "resolved" not in each, name
        assert each["integrity"].startswith("sha512-"), name
