"""One customer's site on the host: a real WordPress, made quickly from the template, and odd where that is wanted."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from steelyard.demo.hosting.processes import HostingError
from steelyard.demo.hosting.template import ADDRESS, ADMINISTRATOR, copy_tree

if TYPE_CHECKING:
    from steelyard.demo.hosting.host import Hosting


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a site shall be like. As it stands: an ordinary one."""

    url: str = ""
    """Where WordPress thinks it is; else `http://NAME:PORT` with nginx's port. 127.0.0.1 serves as its host too."""
    prefix: str = "wp_"
    multisite: bool = False
    """A network of folders. Such a site has no port in its URL: WordPress allows none."""
    config_above: bool = False
    """wp-config.php lies one level above the docroot, or above what that links to."""
    content: str = "wp-content"
    """The name of the content folder."""
    linked_docroot: bool = False
    """nginx's docroot `htdocs` is a link to `releases/1`."""
    closed_parent: bool = False
    """The sites' user may not write to the folder that the docroot is in."""
    beside: Site | None = None
    """Another site whose schema and database user this one shares, under another prefix."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the web server said."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: str


@dataclass(frozen=True)
class Site:
    """A site and the ways to look at it that do not go through Steelyard."""

    hosting: Hosting = field(repr=False)
    name: str
    url: str
    """WordPress's `siteurl`, without a slash at its end."""
    home: Path
    """The site's folder; the docroot is in it."""
    docroot: Path
    config: Path
    """wp-config.php."""
    content: Path
    """The content folder."""
    database: str
    user: str
    """Of the database; its rights end at this schema."""
    password: str = field(repr=False)
    prefix: str
    multisite: bool

    @property
    def admin(self) -> tuple[str, str]:
        """Name and password of WordPress's administrator."""
        return ADMINISTRATOR, self.hosting.template.password

    def get(self, path: str = "/", method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """What nginx answers on loopback to a request for this site. Follows no redirect."""
        connection = http.client.HTTPConnection("127.0.0.1", self.hosting.nginx.port, timeout=30)
        try:
            connection.request(method, path, headers={"Host": urlsplit(self.url).netloc, **(headers or {})})
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, told, answer.read().decode("utf-8", errors="replace"))
        finally:
            connection.close()

    def wp(self, *arguments: str) -> str:
        """What WP-CLI writes, run as the site's user. Raises HostingError with its words when it fails."""
        home = self.hosting.folder / "home"
        compiled = home / "compiled"  # so that the second call does not compile WordPress again, most of what one takes
        self.hosting.owner.make_folder(compiled)
        kept = ("opcache.enable_cli=1", "opcache.file_cache_only=1", f"opcache.file_cache={compiled}")
        options = [part for each in kept for part in ("-d", each)]
        command = [self.hosting.php.binary, *options, self.hosting.wp_cli, f"--path={self.docroot.resolve()}"]
        return self.hosting.owner.run([*command, *arguments], folder=home).removesuffix("\n")

    def sql(self, statements: str) -> list[list[str]]:
        """Runs SQL in the site's schema as the server's administrator; the rows as text."""
        return self.hosting.mariadb.run(statements, self.database)

    def tables(self) -> list[str]:
        """The names of tables and views in the schema, sorted."""
        return sorted(row[0] for row in self.sql("SHOW TABLES"))

    def remove(self) -> None:
        """Erases files, and schema and database user unless another site had them first."""
        self.hosting.nginx.remove(self.name)
        self.home.chmod(0o755)
        shutil.rmtree(self.home)
        if self.database == _schema(self.name):
            self.hosting.mariadb.run(f"DROP DATABASE `{self.database}`; DROP USER IF EXISTS `{self.user}`@localhost")


def build(hosting: Hosting, name: str, wanted: Wanted) -> Site:
    """For `Hosting.make_site`."""
    site = _place(hosting, name, wanted)
    _put_files(site, wanted)
    if wanted.beside is None:
        _make_schema(site)
    _fill_schema(site)
    _configure(site, wanted)
    hosting.nginx.add(site.name, site.docroot, (urlsplit(site.url).hostname or "", "127.0.0.1") if wanted.url else ())
    if wanted.multisite:
        site.wp("core", "multisite-convert", f"--title={name}")
    if wanted.closed_parent:
        _close(site)
    return site


def _place(hosting: Hosting, name: str, wanted: Wanted) -> Site:
    if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", name):
        raise HostingError(f"{name!r} is no host name in small letters")
    home = hosting.folder / "sites" / name
    if home.exists():
        raise HostingError(f"{name} is on this host already: give another name, or remove it first")
    if wanted.beside is not None and wanted.prefix == wanted.beside.prefix:
        raise HostingError("two sites in one schema need two prefixes")
    docroot, schema = home / "htdocs", _schema(name)
    above = home / "releases" if wanted.linked_docroot else home
    own = (schema, schema, secrets.token_hex(12))
    database, user, password = (
        (wanted.beside.database, wanted.beside.user, wanted.beside.password) if wanted.beside else own
    )
    return Site(
        hosting=hosting,
        name=name,
        url=wanted.url or (f"http://{name}" if wanted.multisite else hosting.nginx.url_of(name)),
        home=home,
        docroot=docroot,
        config=(above if wanted.config_above else docroot) / "wp-config.php",
        content=docroot / wanted.content,
        database=database,
        user=user,
        password=password,
        prefix=wanted.prefix,
        multisite=wanted.multisite,
    )


def _schema(name: str) -> str:
    return name.replace(".", "_").replace("-", "_")[:64]


def _put_files(site: Site, wanted: Wanted) -> None:
    owner = site.hosting.owner
    owner.make_folder(site.home)
    folder = site.docroot
    if wanted.linked_docroot:
        folder = owner.make_folder(site.home / "releases") / "1"
        site.docroot.symlink_to("releases/1")
        owner.give(site.docroot)
    copy_tree(site.hosting.template.wordpress.core, folder, owner)
    if site.content.name != "wp-content":
        (folder / "wp-content").rename(folder / site.content.name)
    owner.make_folder(site.content / "uploads")


def _make_schema(site: Site) -> None:
    pattern = site.database.replace("_", "\\_")
    site.hosting.mariadb.run(
        f"CREATE DATABASE `{site.database}` CHARACTER SET utf8mb4;"
        f"CREATE USER `{site.user}`@localhost IDENTIFIED BY '{site.password}';"
        f"GRANT ALL ON `{pattern}`.* TO `{site.user}`@localhost;"
    )


def _fill_schema(site: Site) -> None:
    """The template's tables, with this site's address and prefix."""
    told = site.hosting.template.sql.replace(ADDRESS, site.url)
    told = re.sub(r"`wp_(?=\w+`)", f"`{site.prefix}", told)
    site.sql(
        f"{told}\n"  # noqa: S608 - names of ours
        f"UPDATE `{site.prefix}options` SET option_name = '{site.prefix}user_roles'"
        " WHERE option_name = 'wp_user_roles';"
        f"UPDATE `{site.prefix}usermeta` SET meta_key = CONCAT('{site.prefix}', SUBSTR(meta_key, 4))"
        " WHERE meta_key LIKE 'wp\\_%';"
    )


def _configure(site: Site, wanted: Wanted) -> None:
    """Writes wp-config.php as WordPress's own sample has it."""
    text = (site.hosting.template.wordpress.core / "wp-config-sample.php").read_text("utf-8").replace("\r\n", "\n")
    known = {
        "database_name_here": site.database,
        "username_here": site.user,
        "password_here": site.password,
        "'localhost'": f"'localhost:{site.hosting.mariadb.socket}'",
        "$table_prefix = 'wp_'": f"$table_prefix = '{site.prefix}'",
    }
    for sample, value in known.items():
        if sample not in text:
            raise HostingError(f"wp-config-sample.php of this WordPress has no {sample}")
        text = text.replace(sample, value)
    text = re.sub("put your unique phrase here", lambda _: secrets.token_urlsafe(48), text)
    own: dict[str, str] = {}
    if site.content.name != "wp-content":
        own = {"WP_CONTENT_DIR": str(site.content), "WP_CONTENT_URL": f"{site.url}/{site.content.name}"}
    if wanted.multisite:
        own["WP_ALLOW_MULTISITE"] = "1"
    lines = "".join(f"define( '{name}', '{value}' );\n" for name, value in own.items())
    stop = "/* That's all, stop editing!"
    site.hosting.owner.write(site.config, text.replace(stop, lines + stop), 0o640)


def _close(site: Site) -> None:
    if site.hosting.owner.changes:
        os.chown(site.home, 0, 0)  # so that its mode cannot be changed by the sites' user
    site.home.chmod(0o555)
