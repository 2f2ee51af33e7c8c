"""What an operator puts on a host, and nothing more: an account, a line of authorized_keys, a file of sudoers. Pure.

This is the only place that lists what may be done as root. A runbook whose action as root is not covered here fails a
test, and sudo on the host would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

from steelyard.toolbox.model import Action, By, Host, Json, Site
from steelyard.toolbox.tools.php_extensions import LOADER, modules_of

EXTENSIONS: Final = (
    "apcu", "bcmath", "bz2", "curl", "gd", "gmp", "igbinary", "imagick", "imap", "intl", "ldap", "mailparse",
    "mbstring", "memcached", "msgpack", "mysql", "opcache", "redis", "soap", "sqlite3", "tidy", "uuid", "xml",
    "xmlrpc", "xsl", "yaml", "zip",
)  # fmt: skip
"""What can be installed from the distribution, as in `php8.2-redis`."""

PHP_VERSIONS: Final = ("7.4", "8.0", "8.1", "8.2", "8.3", "8.4", "8.5")
"""The versions of PHP that a host may have."""

SUDOERS_FILE: Final = "/etc/sudoers.d/steelyard"
_ESCAPED: Final = re.compile(r"([\\,:=!#\"*?\[\]()])")
_SHELL: Final = "/bin/sh"


class Prepared(NamedTuple):
    """What is put on a host."""

    account: str
    """A command that makes the support account where there is none."""
    home: str
    """How a shell finds the account's home."""
    authorized_keys: str
    """One line; empty where nobody signs in."""
    sudoers: str
    """The whole of SUDOERS_FILE; empty where nothing needs sudo."""


def root_commands(versions: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Every command that may be done as root on a host with these versions of PHP: exact words, no patterns."""
    return tuple(each for version in versions for each in _of_version(version))


def _of_version(version: str) -> list[tuple[str, ...]]:
    fpm = f"php{version}-fpm"
    packages = [f"php{version}-{each}" for each in EXTENSIONS]
    sapis = ("cli", "fpm")
    return [
        *(install(package) for package in packages),
        *(remove(package) for package in packages),
        *(
            (f"/usr/sbin/{verb}", "-v", version, "-s", sapi, each)
            for verb in ("phpenmod", "phpdismod")
            for sapi in sapis
            for each in sorted({module for name in EXTENSIONS for module in (name, *modules_of(name))})
        ),
        *((LOADER, version, switch) for switch in ("on", "off")),
        (f"/usr/sbin/php-fpm{version}", "-t"),
        ("/usr/bin/systemctl", "reload", fpm),
        ("/usr/bin/systemctl", "is-active", fpm),
    ]


def install(package: str) -> tuple[str, ...]:
    """The command that installs a package of the distribution, as root."""
    return ("/usr/bin/apt-get", "install", "-y", "--no-install-recommends", package)


def remove(package: str) -> tuple[str, ...]:
    """The command that takes it away again, its settings kept."""
    return ("/usr/bin/apt-get", "remove", "-y", package)


def reload_fpm(version: str) -> tuple[str, ...]:
    """The command that has PHP-FPM read its settings again, as root."""
    return ("/usr/bin/systemctl", "reload", f"php{version}-fpm")


def is_covered(action: Action, versions: Sequence[str] = PHP_VERSIONS) -> bool:
    """Whether an action may be done: what is done as root has to be a command of `root_commands`, word for word."""
    if action.by is not By.ROOT:
        return True
    argv = action.args.get("argv", ())
    return action.verb == "run" and tuple(argv) in root_commands(versions)


def may_be_done(action: Action, site: Site) -> bool:
    """Whether a run may do an action at `site`: what is covered, or what the operator's hints say, word for word.

    Plans are made of what the site's own account tells: no word of that may reach root, whatever sudo would let pass.
    """
    if is_covered(action):
        return True
    hints: list[Json] = [site.hints.get("fpm_reload"), site.hints.get("fpm_check")]
    said = [cast("Mapping[str, Json]", each)["argv"] if isinstance(each, Mapping) else each for each in hints]
    return action.verb == "run" and list(action.args.get("argv", ())) in said


def prepared(
    host: Host, sites: Sequence[Site], key: Key, versions: Sequence[str], *, opens: Sequence[str] = (), source: str = ""
) -> Prepared:
    """What goes onto `host` for its `sites`. `opens`: `address:port` of the hosts that are reached through it.

    `versions` are those of PHP that are there; `source`: addresses from which alone workers may come.
    """
    return Prepared(
        f"id -u {host.account} >/dev/null 2>&1 || useradd --create-home --shell {_SHELL} --password '*' {host.account}",
        f"~{host.account}",
        authorized_line(key, host.account, opens, source),
        sudoers(host, sites, versions),
    )


class Key(NamedTuple):
    """What lets workers in: a public key, or the authority whose certificates do."""

    public: str
    name: str
    authority: bool = False


def authorized_line(key: Key, account: str, opens: Sequence[str] = (), source: str = "") -> str:
    """The line of authorized_keys: commands alone, no terminal, no forwarding but to the hosts behind this one."""
    options = ["restrict"]
    if key.authority:
        options += ["cert-authority", f'principals="{account}"']
    if source:
        options.append(f'from="{source}"')
    if opens:
        options += ["port-forwarding", *(f'permitopen="{each}"' for each in opens)]
    return f"{','.join(options)} {' '.join(key.public.split()[:2])} steelyard-{key.name}"


def sudoers(host: Host, sites: Sequence[Site], versions: Sequence[str]) -> str:
    """The file of sudoers: the support account becomes the sites' users, and root for the listed commands only."""
    users = sorted({site.account for site in sites} - {host.account, "root"})
    commands = root_commands(versions)
    lines = [f"# What Steelyard's support account may do on {host.name}, and nothing more."]
    if users:
        lines += [
            f"Runas_Alias STEELYARD_SITES = {', '.join(users)}",
            f"{host.account} ALL=(STEELYARD_SITES) NOPASSWD: ALL",
        ]
    for version in versions:
        alias = f"STEELYARD_PHP_{version.replace('.', '_')}"
        listed = ", \\\n    ".join(_written(each) for each in _of_version(version))
        lines += [f"Cmnd_Alias {alias} = \\\n    {listed}", f"{host.account} ALL=(root) NOPASSWD: {alias}"]
    return "\n".join([*lines, ""]) if users or commands else ""


def script(host: Host, what: Prepared) -> str:
    """All of it as one script for root, which can be run again."""
    home = f"$(getent passwd {host.account} | cut -d: -f6)"
    lines = [
        f"# The support account of {host.name}",
        what.account,
    ]
    if what.authorized_keys:
        lines += [
            f'home="{home}"',
            'file="$home/.ssh/authorized_keys"',
            f'install -d -m 0700 -o {host.account} -g "$(id -g {host.account})" "$home/.ssh"',
            "",
            "# Its key",
            f"""line='{what.authorized_keys}'""",
            'grep -qxF "$line" "$file" 2>/dev/null || echo "$line" >> "$file"',
            f'chown {host.account} "$file"',
            'chmod 0600 "$file"',
        ]
    if what.sudoers:
        lines += [
            "",
            "# What it may do besides, checked before it is put in place",
            f"cat > {SUDOERS_FILE}.new <<'SUDOERS'",
            what.sudoers.rstrip("\n"),
            "SUDOERS",
            f"chmod 0440 {SUDOERS_FILE}.new",
            f"visudo -cqf {SUDOERS_FILE}.new && mv {SUDOERS_FILE}.new {SUDOERS_FILE}",
        ]
    return "\n".join([*lines, ""])


def needed(host: Host, sites: Sequence[Site], versions: Sequence[str]) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """What sudo has to allow: for each user (root too), commands of which each is tried."""
    users = sorted({site.account for site in sites} - {host.account, "root"})
    found: dict[str, tuple[tuple[str, ...], ...]] = {user: ((_SHELL,),) for user in users}
    commands = root_commands(versions)
    return found | ({"root": commands} if commands else {})


def _written(argv: Sequence[str]) -> str:
    """A command as sudoers takes it: word for word."""
    return " ".join(_ESCAPED.sub(r"\\\1", word) for word in argv)
