"""Packs the browser extension as a zip: `python -m steelyard.companion.package`, as `make companion` does.

The same files give the same bytes: whoever reviewed a package knows it again by its SHA-256. Scripts are as they are in
the repository, line by line, but for comments and spaces; styles and pages are without those, too.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from steelyard.companion.bare import bare
from steelyard.kit.errors import ConfigError

ROOT: Final = Path(__file__).parents[3]
SERVED: Final = Path(__file__).parents[1] / "web" / "static" / "companion.zip"
"""Where the console finds it, for the page /companion."""
_LEFT_OUT: Final = frozenset({"tests", "tsconfig.json", "package.json"})
"""What only checks need."""
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)


def pack(extension: Path, folder: Path) -> Path:
    """Writes `companion-<version>.zip` of the extension in `folder`; its path. Raises ConfigError."""
    manifest = extension / "manifest.json"
    if not manifest.is_file():
        raise ConfigError(f"{extension} has no manifest.json: run it from a clone of the repository")
    version = json.loads(manifest.read_text("utf-8"))["version"]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"companion-{version}.zip"
    written = target.with_suffix(".part")
    with ZipFile(written, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in _files(extension):
            entry = ZipInfo(path.relative_to(extension).as_posix(), _EARLIEST)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, _content(path))
    return written.replace(target)


def _bare(path: Path) -> str:
    text = path.read_text("utf-8")
    match path.suffix:
        case ".js":
            return bare(text)
        case ".css":
            return _lines("\n".join(map(_tight, _COMMENT.sub("", text).split("\n"))))
        case ".html":
            return _lines(text)
        case ".json":
            return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        case _:
            return text


def _lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def _tight(line: str) -> str:
    return line if '"' in line else line.replace("; }", "}").replace("; ", ";").replace(" { ", "{")


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.suffix == ".png" else _bare(path).encode()


def _files(extension: Path) -> list[Path]:
    kept = [path for path in extension.iterdir() if path.name not in _LEFT_OUT and not path.name.startswith(".")]
    inside = [each for path in kept for each in ([path] if path.is_file() else path.rglob("*"))]
    return sorted(path for path in inside if path.is_file() and not path.name.startswith("."))


def main() -> None:
    """Packs the extension of the repository this package runs from, and gives the console a copy to offer."""
    try:
        made = pack(ROOT / "extension", ROOT / "dist")
    except ConfigError as error:
        sys.exit(str(error))
    shutil.copyfile(made, SERVED)
    content = made.read_bytes()
    print(f"{made.relative_to(ROOT)}: {len(content) / 1000:.1f} KB, SHA-256 {sha256(content).hexdigest()}")  # noqa: T201


if __name__ == "__main__":
    main()
