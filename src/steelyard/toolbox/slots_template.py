"""The tables of a fresh WordPress as a template, made once for each version and language.

A WordPress is installed by its own installer into a database server that is started for it, in a folder of its own, and
that nobody else can reach; never on a customer's site. Needs PHP with mysqli, and the programs of MariaDB's server.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from steelyard.kit.errors import SlotError
from steelyard.toolbox.hosted.fresh import EMAIL, LOGIN, PREFIX, URL

PHP_FOLDER = Path(__file__).parent / "hosted/php"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MARK = "\n\x1eSTEELYARD "
_NOBODY = ("mysql", "nobody")


def can_make() -> bool:
    """Whether this machine has what it takes."""
    return all(shutil.which(each, path=_PATH) for each in ("php", "mariadbd", "mariadb-install-db"))


def make(core: Path, locale: str) -> str:
    """The template of the WordPress in `core`, as JSON. Takes some seconds. Raises SlotError."""
    if not can_make():
        raise SlotError("a template needs PHP and MariaDB's server on this machine: apt install php-cli mariadb-server")
    with tempfile.TemporaryDirectory(prefix="steelyard-template-") as name:
        scratch = Path(name)
        become = _become(scratch)
        with _server(scratch, become) as socket:
            told = _installed(core, locale, socket, become)
    _check(told)
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def _become(scratch: Path) -> list[str]:
    """How to run as somebody with no rights where this is root, to whom the scratch folder is given."""
    if os.geteuid() != 0:
        return []
    for each in _NOBODY:
        try:
            entry = pwd.getpwnam(each)
        except KeyError:
            continue
        os.chown(scratch, entry.pw_uid, entry.pw_gid)
        return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--"]
    raise SlotError("as root, a template needs a system user to run as: mysql or nobody")


@contextmanager
def _server(scratch: Path, become: list[str]) -> Generator[Path]:
    data, socket = scratch / "data", scratch / "s"
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db", "--skip-name-resolve"]
    _run([*become, *install, "--auth-root-authentication-method=normal"])
    options = [f"--datadir={data}", f"--socket={socket}", "--skip-networking", "--skip-grant-tables", "--skip-log-bin"]
    options += [f"--pid-file={scratch}/pid", "--innodb-flush-log-at-trx-commit=0"]
    process = subprocess.Popen(  # noqa: S603 - fixed arguments
        [*become, "mariadbd", "--no-defaults", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        cwd=scratch,
    )
    try:
        until = time.monotonic() + 30
        while not socket.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise SlotError("the database server for the template did not start")
            time.sleep(0.02)
        yield socket
    finally:
        process.terminate()
        process.wait(30)


def _installed(core: Path, locale: str, socket: Path, become: list[str]) -> dict[str, object]:
    _run(
        [*become, "mariadb", "--no-defaults", f"--socket={socket}", "--execute=CREATE DATABASE t CHARACTER SET utf8mb4"]
    )
    database = {"name": "t", "user": "root", "password": "", "host": f"localhost:{socket}"}
    told = {
        "core": str(core),
        "database": {**database, "charset": "utf8mb4", "collate": ""},
        "prefix": PREFIX,
        "url": URL,
        "title": "template",
        "login": LOGIN,
        "email": EMAIL,
        "hash": "!",
        "language": locale,
        "template": True,
    }
    given = socket.parent / "given.json"
    given.write_text(json.dumps([told]))
    given.chmod(0o644)
    script = (PHP_FOLDER / "begin.php").read_text() + (PHP_FOLDER / "install.php").read_text().replace("<?php", "", 1)
    said = _run([*become, "php", "-d", "display_errors=0", "-d", "memory_limit=512M", "--", str(given)], script)
    if _MARK not in said:
        raise SlotError("WordPress could not be installed for the template: PHP said nothing")
    answer: dict[str, object] = json.loads(said.rpartition(_MARK)[2])
    if "failed" in answer:
        raise SlotError(f"WordPress could not be installed for the template: {answer['failed']}")
    return answer


def _check(told: dict[str, object]) -> None:
    """Refuses what could not be replaced later: an address inside of what PHP serialised, with its length before it."""
    rows: dict[str, dict[str, list[list[object]]]] = told["rows"]  # pyright: ignore[reportAssignmentType]
    if not rows.get("options") or not told["schema"]:
        raise SlotError("the template has no tables: this version of WordPress is not known")
    for table in rows.values():
        for row in table["rows"]:
            for value in row:
                if isinstance(value, str) and ".invalid" in value and value[:2] in ("a:", "O:", "s:"):
                    raise SlotError("the template holds addresses in serialised values, which cannot be replaced")


def _run(argv: list[str], given: str = "") -> str:
    done = subprocess.run(  # noqa: S603 - fixed arguments
        argv, input=given, capture_output=True, text=True, check=False, timeout=120, env=_environment(), cwd="/"
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise SlotError(f"{argv[-1] if argv[0] != 'setpriv' else argv[5]} failed for the template: {said}")
    return done.stdout


def _environment() -> dict[str, str]:
    return {"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
