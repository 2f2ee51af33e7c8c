"""A PHP of its own: command line and FPM with their own settings and extensions, laid out as Debian's.

php/
├── extensions/              what could be loaded: links to Debian's, without those a test installs
├── mods-available/          one file for each extension
├── cli/{php.ini,conf.d/}    conf.d holds links to mods-available: what is loaded
├── fpm/{php.ini,conf.d/,php-fpm.conf,pool.d/shop.conf}
└── bin/{php,php8.2}         starts the real one with the settings of cli/
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from steelyard.demo.hosting.processes import HostingError, Owner, Server, found

VERSION = "8.2"
POOL = "shop"
_DEBIAN = Path("/usr/lib/php/20220829")
# In the order in which they must be loaded. redis, igbinary and what else a runbook installs are not among them.
_LOADED = {
    10: ("mysqlnd", "opcache", "pdo"),
    15: ("xml",),
    20: (
        *("ctype", "curl", "dom", "exif", "fileinfo", "ftp", "gd", "gettext", "iconv", "mbstring", "mysqli"),
        *("pdo_mysql", "phar", "posix", "simplexml", "sockets", "tokenizer", "xmlreader", "xmlwriter", "zip"),
    ),
}
_INSTALLABLE = {"igbinary": 20, "intl": 20, "redis": 25}
"""Known, yet not there until `PHP.install`: how they would sort."""


@dataclass(frozen=True, slots=True)
class PHP:
    """PHP with a running FPM, whose pool `shop` runs as the sites' user."""

    server: Server
    owner: Owner
    folder: Path
    socket: Path
    """Where FPM's pool listens."""

    @classmethod
    def start(cls, folder: Path, sockets: Path, owner: Owner) -> PHP:
        """Lays `folder` out and starts FPM. Raises HostingError where it does not start."""
        _lay_out(folder, owner)
        socket = sockets / "php-fpm.sock"
        owner.write(folder / "fpm/pool.d" / f"{POOL}.conf", _POOL.format(socket=socket, folder=folder))
        configuration = owner.write(folder / "fpm/php-fpm.conf", _FPM.format(folder=folder))
        argv = [found(f"php-fpm{VERSION}", f"php{VERSION}-fpm"), "--nodaemonize", "--fpm-config", configuration]
        server = Server.start(
            "php-fpm",
            owner,
            [*argv, "-c", folder / "fpm/php.ini"],
            socket.exists,
            log=folder / "start.log",
            environment={"PHP_INI_SCAN_DIR": str(folder / "fpm/conf.d")},
        )
        return cls(server, owner, folder, socket)

    @property
    def binary(self) -> Path:
        """PHP for the command line, with the settings of `cli/`."""
        return self.folder / "bin" / f"php{VERSION}"

    @property
    def pid_file(self) -> Path:
        """Holds the number of FPM's master, which stays when it is reloaded."""
        return self.folder / "fpm/php-fpm.pid"

    @property
    def reload_command(self) -> list[str]:
        """Reloads FPM; for the sites' user or root. While it still reloads, its file is away: waits 5 seconds."""
        waiting = f"tries=50; until pid=$(cat '{self.pid_file}') && test \"$pid\"; do"
        bounded = "tries=$((tries - 1)); test $tries -gt 0 || exit 1; sleep 0.1; done 2>/dev/null"
        return ["/bin/sh", "-c", f'{waiting} {bounded}; kill -USR2 "$pid"']

    def reload(self) -> None:
        """Has FPM read its settings again, as after an extension came or went; its old processes end."""
        log = self.folder / "fpm/fpm.log"
        before = log.read_text("utf-8").count(_READY)
        self.server.signal(signal.SIGUSR2)
        self.server.wait_until(lambda: log.read_text("utf-8").count(_READY) > before)

    def modules(self) -> set[str]:
        """What the command line loads, in small letters."""
        return {line.strip().lower() for line in self.owner.run([self.binary, "-m"]).splitlines() if line.strip()}

    def install(self, extension: str, *, enable: bool = True) -> None:
        """Puts an extension of Debian's (`redis`, `igbinary`, `intl`) where the real PHP could load it, and does so.

        FPM needs `reload`. Raises HostingError where the package is missing.
        """
        if extension == "redis":
            self.install("igbinary", enable=enable)
        _link(self.folder, self.owner, extension, _INSTALLABLE[extension], enable=enable)

    def uninstall(self, extension: str) -> None:
        """Takes an extension away again, wherever it was enabled."""
        for path in self.folder.rglob(f"*{extension}.*"):
            path.unlink()


def _lay_out(folder: Path, owner: Owner) -> None:
    for name in ("", "extensions", "mods-available", "cli/conf.d", "fpm/conf.d", "fpm/pool.d", "bin"):
        owner.make_folder(folder / name)
    for name in ("cli", "fpm"):
        owner.give(folder / name)
        owner.write(folder / name / "php.ini", _INI.format(folder=folder))
    owner.write(folder / "prepend.php", _PREPEND)
    for order, extensions in _LOADED.items():
        for extension in extensions:
            _link(folder, owner, extension, order, enable=True)
    real = found(f"php{VERSION}", f"php{VERSION}-cli")
    for name in ("php", f"php{VERSION}"):
        owner.write(folder / "bin" / name, _WRAPPER.format(folder=folder, real=real), 0o755)


def _link(folder: Path, owner: Owner, extension: str, order: int, *, enable: bool) -> None:
    library = _DEBIAN / f"{extension}.so"
    if not library.exists():
        raise HostingError(f"PHP's {extension} is missing: on Debian, apt install php{VERSION}-{extension}")
    (folder / "extensions" / library.name).symlink_to(library)
    load = "zend_extension" if extension == "opcache" else "extension"
    owner.write(folder / "mods-available" / f"{extension}.ini", f"{load}={extension}.so\n")
    for kind in ("cli", "fpm") if enable else ():
        (folder / kind / "conf.d" / f"{order}-{extension}.ini").symlink_to(f"../../mods-available/{extension}.ini")


_READY = "ready to handle connections"

_WRAPPER = """\
#!/bin/sh
PHPRC='{folder}/cli/php.ini' PHP_INI_SCAN_DIR='{folder}/cli/conf.d' exec {real} "$@"
"""

_INI = """\
extension_dir={folder}/extensions
auto_prepend_file={folder}/prepend.php
memory_limit=256M
upload_max_filesize=64M
post_max_size=64M
display_errors=Off
log_errors=On
error_log={folder}/errors.log
sys_temp_dir=/tmp
"""

# Sites of a demo and of tests speak to nobody but themselves.
_PREPEND = "<?php\ndefined('WP_HTTP_BLOCK_EXTERNAL') || define('WP_HTTP_BLOCK_EXTERNAL', true);\n"

_FPM = """\
[global]
pid={folder}/fpm/php-fpm.pid
error_log={folder}/fpm/fpm.log
process_control_timeout=5s
include={folder}/fpm/pool.d/*.conf
"""

_POOL = f"""\
[{POOL}]
listen={{socket}}
listen.mode=0660
pm=dynamic
pm.max_children=8
pm.start_servers=2
pm.min_spare_servers=1
pm.max_spare_servers=3
catch_workers_output=yes
php_admin_value[error_log]={{folder}}/fpm/{POOL}.error.log
"""
