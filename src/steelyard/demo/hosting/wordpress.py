"""WordPress and WP-CLI as they are: out of a pinned npm package, checked before and after unpacking.

.setup/wordpress/                    git-ignored; made by `prepare`, complete or not there at all
├── wordpress/                       the files of WordPress 7.1.1
├── wp-cli.phar                      WP-CLI 2.12.0
├── wordpress-7.1.1-en_US.tar.gz     the same files as an archive: what `steelyard core add` takes
└── wordpress-7.1.1-en_US.zip
"""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from steelyard.demo.hosting.processes import HostingError

VERSION = "7.1.1"
WP_CLI_VERSION = "2.12.0"
SETUP = Path(__file__).parents[4] / ".setup"
"""Where a checkout keeps what it sets up; an installed wheel has none."""

_PACKAGE = "wp-studio@1.22.0"
_PACKAGE_SHA512 = (
    "6e832d6a19218160ca2b2353040d6e4cae60867026c5784363a29e4023bd1667"
    "08dffa3e60e4aaf09c185b96589f11c2c47d7825ffe60fa0894c1bd35a5d98b7"
)
_PHAR_SHA512 = (
    "be928f6b8ca1e8dfb9d2f4b75a13aa4aee0896f8a9a0a1c45cd5d2c98605e617"
    "2e6d014dda2e27f88c98befc16c040cbb2bd1bfa121510ea5cdf5f6a30fe8832"
)
_TREE_SHA256 = "1c840526166fdcf3e09092a1f43fed75a969e05d4899ee0e94c17a50ab3bd74c"
"""Of WordPress's files: see `tree_digest`."""
_INSIDE = PurePosixPath("package/dist/cli/wp-files")
_PHAR = str(_INSIDE / "wp-cli/wp-cli.phar")
_CORE = f"{_INSIDE / 'latest/wordpress'}/"
_LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class WordPress:
    """What `prepare` made."""

    folder: Path

    @property
    def core(self) -> Path:
        """The folder with WordPress's files (110 MB, 3,782 files). To be copied, never changed."""
        return self.folder / "wordpress"

    @property
    def wp_cli(self) -> Path:
        """WP-CLI's phar."""
        return self.folder / "wp-cli.phar"

    @property
    def archive(self) -> Path:
        """WordPress as a tar.gz, named as the download of its release is."""
        return self.folder / f"wordpress-{VERSION}-en_US.tar.gz"

    @property
    def zip(self) -> Path:
        """WordPress as a zip."""
        return self.folder / f"wordpress-{VERSION}-en_US.zip"


def fetched(setup: Path = SETUP) -> WordPress | None:
    """What an earlier `prepare` made, if there is one."""
    made = WordPress(setup / "wordpress")
    return made if made.folder.is_dir() else None


def prepare(setup: Path = SETUP) -> WordPress:
    """Fetches (by npm, 67 MB) and checks WordPress and WP-CLI, once however many call. Raises HostingError."""
    setup.mkdir(parents=True, exist_ok=True)
    with locked(setup / "wordpress.lock"):
        if (made := fetched(setup)) is not None:
            return made
        with tempfile.TemporaryDirectory(prefix="wordpress-", dir=setup) as scratch:
            package = _fetch(Path(scratch))
            folder = Path(scratch) / "made"
            _unpack(package, folder)
            made = WordPress(folder)
            _check("WordPress", tree_digest(made.core), _TREE_SHA256)
            _write_tar(made)
            _write_zip(made)
            folder.chmod(0o755)
            folder.rename(setup / "wordpress")
    return WordPress(setup / "wordpress")


def tree_digest(folder: Path) -> str:
    """SHA-256 over the sorted lines `SHA-256 of the content, two spaces, path, newline` of all files in `folder`."""
    whole = hashlib.sha256()
    for path in _files(folder):
        digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        whole.update(f"{digest}  {path}\n".encode())
    return whole.hexdigest()


@contextmanager
def locked(file: Path) -> Generator[None]:
    """One at a time, among all processes; waits."""
    with file.open("a") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield


# Fetching


def _fetch(folder: Path) -> Path:
    npm = shutil.which("npm", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    if npm is None:
        raise HostingError("WordPress comes in an npm package and npm is missing: make setup brings it")
    package = folder / f"{_PACKAGE.replace('@', '-')}.tgz"
    asked = [npm, "pack", _PACKAGE, "--silent", "--ignore-scripts", f"--pack-destination={folder}"]
    environment = {**os.environ, "PATH": os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", "")])}
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            asked, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=_LONGEST
        )
    except subprocess.TimeoutExpired:
        raise HostingError(f"npm did not fetch {_PACKAGE} within {_LONGEST:.0f} s") from None
    if done.returncode or not package.is_file():
        raise HostingError(f"npm could not fetch {_PACKAGE}: {' '.join(done.stderr.split())[-300:]}")
    with package.open("rb") as opened:
        _check(_PACKAGE, hashlib.file_digest(opened, "sha512").hexdigest(), _PACKAGE_SHA512)
    return package


def _check(what: str, digest: str, pinned: str) -> None:
    if digest != pinned:
        raise HostingError(f"{what} is not what is expected: its digest is {digest}, not {pinned}. It is not used")


def _unpack(package: Path, folder: Path) -> None:
    """Writes WordPress's files and the phar, nothing else: plain files, under `folder`."""
    folder.mkdir()
    with tarfile.open(package) as opened:
        for member in opened:
            if member.name == _PHAR:
                target = folder / "wp-cli.phar"
            elif member.name.startswith(_CORE) and ".." not in PurePosixPath(member.name).parts:
                target = folder / "wordpress" / member.name.removeprefix(_CORE)
            else:
                continue
            content = opened.extractfile(member) if member.isreg() else None
            if content is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(target, content)
    _check("WP-CLI", hashlib.sha512((folder / "wp-cli.phar").read_bytes()).hexdigest(), _PHAR_SHA512)


def _write(target: Path, content: IO[bytes]) -> None:
    with target.open("xb") as opened:
        shutil.copyfileobj(content, opened)
    target.chmod(0o644)


# Archives, the same byte for byte wherever they are made


def _files(folder: Path) -> Iterator[str]:
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    yield from sorted(path.relative_to(folder).as_posix() for path in found)


def _write_tar(made: WordPress) -> None:
    with (
        made.archive.open("xb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in _files(made.core):
            entry = tarfile.TarInfo(f"wordpress/{path}")
            entry.size, entry.mode = (made.core / path).stat().st_size, 0o644
            with (made.core / path).open("rb") as opened:
                archive.addfile(entry, opened)


def _write_zip(made: WordPress) -> None:
    with zipfile.ZipFile(made.zip, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in _files(made.core):
            entry = zipfile.ZipInfo(f"wordpress/{path}")
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, (made.core / path).read_bytes(), zipfile.ZIP_DEFLATED, 1)
