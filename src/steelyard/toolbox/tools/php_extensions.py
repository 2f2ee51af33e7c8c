"""Extensions of the site's PHP. Pure. What they do: hosted/php_extensions.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steelyard.toolbox.model import Action, By, Json, Site
from steelyard.toolbox.runbook import Facts, Read

IONCUBE = "ioncube"

MODULES: Mapping[str, Sequence[str]] = {
    "memcached": ("igbinary", "msgpack", "memcached"),
    "mysql": ("mysqlnd", "mysqli", "pdo_mysql"),
    "redis": ("igbinary", "redis"),
    "sqlite3": ("sqlite3", "pdo_sqlite"),
    "xml": ("xml", "dom", "simplexml", "xmlreader", "xmlwriter"),
}
"""The modules of an extension in the order in which they load, with those they are built on. Else: its name."""

ORDER: Mapping[str, str] = {"opcache": "10", "mysqlnd": "10", "xml": "15", "redis": "25", "memcached": "25"}
"""Before what a module's .ini file sorts. Else 20; the ionCube Loader comes before all."""

LOADER = "/usr/local/sbin/steelyard-php-loader"
"""The operator's own script, as README.md of install_php_extension has it: the only way to a loader as root."""


def modules_of(name: str) -> tuple[str, ...]:
    """What an extension loads."""
    return tuple(MODULES.get(name, (name,)))


def read(site: Site, name: str) -> Read:
    """Reads what there is of one, into `extension`: see `steelyard.toolbox.hosted.php_extensions.extension`."""
    args: dict[str, Json] = {"name": name, "modules": list(modules_of(name)), "apt": name != IONCUBE}
    return Read("extension", Action("php_extensions.extension", _asked(site) | args))


def read_loader(site: Site) -> Read:
    """Reads whether the archive of the hint `ioncube` fits, into `loader`."""
    hint: Mapping[str, Json] = site.hints["ioncube"]
    args = {"archive": hint["archive"], "sha256": hint["sha256"], "prefix": "ioncube_loader_lin_"}
    return Read("loader", Action("php_extensions.loader", _asked(site) | args))


def put_loader(site: Site, loader: Mapping[str, Json], path: str = "") -> Action:
    """Lays the loader at `path`, or in the run's folder."""
    hint: Mapping[str, Json] = site.hints["ioncube"]
    found = {key: loader[key] for key in ("member", "api", "zts", "arch")}
    return Action(
        "php_extensions.put_loader", {"archive": hint["archive"], "sha256": hint["sha256"], **found, "path": path}
    )


def attempt(facts: Facts, lines: Sequence[str], modules: Sequence[str], *, first: bool = False) -> Action:
    """Tries whether PHP loads `modules` by `lines`, in the settings of command line and FPM. Nothing is changed."""
    php = facts["php"]
    found = {key: php[key] for key in ("binary", "settings", "ini")}
    return Action("php_extensions.try", {**found, "lines": list(lines), "modules": list(modules), "first": first})


def enable(files: Mapping[str, str]) -> Action:
    """Writes .ini files of our own."""
    return Action("php_extensions.enable", {"files": dict(files)})


def disable(files: Mapping[str, str]) -> Action:
    """Removes .ini files of our own."""
    return Action("php_extensions.disable", {"files": dict(files)})


def written(files: Mapping[str, str]) -> Read:
    """Reads which .ini files of our own are there, into `written`: `{"there": [path]}`."""
    return Read("written", Action("php_extensions.written", {"files": dict(files)}))


def install(package: str) -> Action:
    """Installs a package of the distribution, as root."""
    return _root(("/usr/bin/apt-get", "install", "-y", "--no-install-recommends", package), 600.0)


def switch(version: str, kind: str, module: str, *, on: bool) -> Action:
    """Has `cli` or `fpm` load a module of a package, or load it no more, as root."""
    return _root((f"/usr/sbin/{'phpenmod' if on else 'phpdismod'}", "-v", version, "-s", kind, module))


def switch_loader(version: str, *, on: bool) -> Action:
    """Has PHP load the ionCube Loader, or load it no more, by the operator's own script, as root."""
    return _root((LOADER, version, "on" if on else "off"))


def _root(argv: tuple[str, ...], timeout: float = 60.0) -> Action:
    return Action("run", {"argv": list(argv), "timeout": timeout}, By.ROOT, timeout)


def _asked(site: Site) -> dict[str, Json]:
    return {"docroot": site.docroot, "account": site.account, "hints": dict(site.hints)}
