"""What every hosting starts from, made once: an empty data folder of MariaDB, and an installed WordPress as SQL.

.setup/hosting/
├── mariadb/          an empty data folder
├── wordpress.sql     the tables of WordPress as `wp core install` leaves them, at ADDRESS, with the prefix `wp_`
└── password          of its administrator
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from steelyard.demo.hosting.mariadb import MariaDB, make_empty
from steelyard.demo.hosting.php import PHP
from steelyard.demo.hosting.processes import Owner, found
from steelyard.demo.hosting.wordpress import SETUP, WordPress, fetched, locked, prepare

ADDRESS = "http://template.invalid"
ADMINISTRATOR = "shopkeeper"
TITLE = "The shop"


@dataclass(frozen=True, slots=True)
class Template:
    """What `make_template` made."""

    folder: Path
    wordpress: WordPress

    @property
    def empty(self) -> Path:
        """An empty data folder for MariaDB."""
        return self.folder / "mariadb"

    @property
    def sql(self) -> str:
        """The tables of an installed WordPress."""
        return (self.folder / "wordpress.sql").read_text("utf-8")

    @property
    def password(self) -> str:
        """Of WordPress's administrator."""
        return (self.folder / "password").read_text("ascii")


def prepared(setup: Path = SETUP) -> Template | None:
    """The template that was made, with WordPress; None where one is not there."""
    wordpress, folder = fetched(setup), setup / "hosting"
    return Template(folder, wordpress) if wordpress is not None and folder.is_dir() else None


def make_template(setup: Path = SETUP) -> Template:
    """The template, made with WordPress when it is missing; once however many call. Raises HostingError."""
    wordpress = prepare(setup)
    with locked(setup / "hosting.lock"):
        if (made := prepared(setup)) is not None:
            return made
        owner = Owner.find()
        with tempfile.TemporaryDirectory(prefix="steelyard-template-") as name:
            scratch = owner.make_folder(Path(name))
            template = owner.make_folder(scratch / "template")
            make_empty(template / "mariadb", owner)
            _install(template, scratch, wordpress, owner)
            with tempfile.TemporaryDirectory(prefix="hosting-", dir=setup) as near:
                shutil.copytree(template, Path(near) / "made")
                (Path(near) / "made").rename(setup / "hosting")
    return Template(setup / "hosting", wordpress)


def _install(template: Path, scratch: Path, wordpress: WordPress, owner: Owner) -> None:
    docroot, password = scratch / "htdocs", secrets.token_urlsafe(12)
    mariadb = MariaDB.start(scratch / "mariadb", scratch, owner, empty=template / "mariadb")
    try:
        php = PHP.start(scratch / "php", scratch, owner)
        try:
            mariadb.run("CREATE DATABASE template; CREATE USER template@localhost IDENTIFIED BY 'template';")
            mariadb.run("GRANT ALL ON template.* TO template@localhost")
            copy_tree(wordpress.core, docroot, owner)
            phar = lay_wp_cli(wordpress, scratch, owner)
            wp = [php.binary, phar, f"--path={docroot}", "--skip-packages"]
            access = ["--dbname=template", "--dbuser=template", "--dbpass=template"]
            owner.run([*wp, "config", "create", *access, f"--dbhost=localhost:{mariadb.socket}", "--skip-check"])
            admin = [f"--admin_user={ADMINISTRATOR}", f"--admin_email={ADMINISTRATOR}@shop.example"]
            site = [f"--url={ADDRESS}", f"--title={TITLE}", *admin, f"--admin_password={password}"]
            owner.run([*wp, "core", "install", *site, "--skip-email"])
            owner.run([*wp, "rewrite", "structure", "/%postname%/"])
            owner.write(template / "wordpress.sql", mariadb.dump("template"), 0o600)
            owner.write(template / "password", password, 0o600)
        finally:
            php.server.stop()
    finally:
        mariadb.server.stop()


def lay_wp_cli(wordpress: WordPress, folder: Path, owner: Owner) -> Path:
    """Puts WP-CLI beside, never above, a docroot: WordPress would take the way between for its address's path."""
    return owner.give(Path(shutil.copy(wordpress.wp_cli, owner.make_folder(folder / "wp-cli"))))


def copy_tree(source: Path, target: Path, owner: Owner) -> None:
    """Copies a folder so that all in it is the owner's; without copying blocks where the file system can."""
    _must([found("cp", "coreutils"), "-a", "--reflink=auto", source, target])
    if owner.changes:
        _must([found("chown", "coreutils"), "-R", f"{owner.uid}:{owner.gid}", target])


def _must(argv: list[str | Path]) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=300)  # noqa: S603 - fixed arguments
