"""What setting up copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.kit.errors import ConfigError
from steelyard.web.assets import FILES, copy_assets
from steelyard.web.static import read_static

PACKAGES = Path(__file__).parents[2] / "node_modules"


def test_what_is_missing_is_copied_once_and_the_rest_goes(tmp_path: Path) -> None:
    (tmp_path / "old.js").write_text("old")
    assert [path.name for path in copy_assets(PACKAGES, tmp_path)] == [Path(file).name for file in FILES]
    assert copy_assets(PACKAGES, tmp_path) == []
    assert not (tmp_path / "old.js").exists()
    (tmp_path / "htmx.min.js").write_text("changed")
    assert [path.name for path in copy_assets(PACKAGES, tmp_path)] == ["htmx.min.js"]


def test_without_packages_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make setup"):
        copy_assets(tmp_path / "node_modules", tmp_path / "vendor")
    with pytest.raises(ConfigError, match="make setup"):
        read_static(tmp_path)


def test_a_changed_file_changes_all_addresses(tmp_path: Path) -> None:
    copy_assets(PACKAGES, tmp_path)
    before = read_static(tmp_path)
    (tmp_path / "htmx.min.js").write_text("changed")
    assert read_static(tmp_path).version != before.version
    with pytest.raises(KeyError):
        before.url("css/none.css")
