"""Copies what pages load from npm packages into static/vendor: `python -m steelyard.web.assets`, part of setting up."""

import shutil
import sys
from pathlib import Path

from steelyard.kit.errors import ConfigError

VENDOR = Path(__file__).parent / "static" / "vendor"
FILES = ("htmx.org/dist/htmx.min.js",)
"""Paths below node_modules. Their names are their names in static/vendor."""


def copy_assets(packages: Path, vendor: Path = VENDOR) -> list[Path]:
    """Copies what is missing or different from `packages` (node_modules) and removes the rest.

    Returns the files written. Raises ConfigError where npm has not installed a package.
    """
    missing = [file for file in FILES if not (packages / file).is_file()]
    if missing:
        raise ConfigError(f"{packages} has no {missing[0]}: run `make setup`, or `npm ci` where package.json lies")
    vendor.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    wanted = {Path(file).name: packages / file for file in FILES}
    for old in vendor.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, source in wanted.items():
        target = vendor / name
        if not target.is_file() or target.read_bytes() != source.read_bytes():
            shutil.copyfile(source, target)
            written.append(target)
    return written


def main() -> None:
    """Copies from the node_modules of the repository this package runs from."""
    try:
        copy_assets(Path(__file__).parents[3] / "node_modules")
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
