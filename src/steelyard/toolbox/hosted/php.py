"""Which PHP serves a site, and what it loaded: PHP-FPM and the command line of the same version.

What runs is asked wherever the account may ask: the pool over its own socket. Else its settings are read the way it
reads them. Nothing in the account's PATH is trusted.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
from typing import Any, cast

from steelyard.toolbox.hosted.fastcgi import ask
from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.php_pools import Pool, pool_of

ALIASES = {
    "zend opcache": "opcache",
    "ioncube loader": "ioncube",
    "ioncube php loader": "ioncube",
    "the ioncube php loader": "ioncube",
}
"""What extensions call themselves, in small letters, and what everyone calls them."""

_MARK = b"@steelyard@"
SCRIPT = b"""<?php
$told = '';
if (function_exists('phpinfo')) {
    ob_start();
    phpinfo(INFO_GENERAL);
    $told = html_entity_decode(strip_tags(str_replace('</td><td class="v">', ' => ', ob_get_clean())));
}
$find = fn($what) => preg_match('~' . $what . '~', $told, $hit) ? trim($hit[1]) : '';
echo "\\n@steelyard@", json_encode([
    'version' => PHP_VERSION,
    'binary' => PHP_BINARY,
    'zts' => (bool) PHP_ZTS,
    'api' => $find('PHP Extension Build\\s*=> API(\\d+)'),
    'arch' => function_exists('php_uname') ? php_uname('m') : '',
    'extension_dir' => ini_get('extension_dir'),
    'ini' => (string) php_ini_loaded_file(),
    'scan' => $find('Scan this dir for additional .ini files\\s*=> ([^\\n]*)'),
    'extensions' => array_merge(get_loaded_extensions(), get_loaded_extensions(true)),
    'validate' => (bool) ini_get('opcache.enable') ? (bool) ini_get('opcache.validate_timestamps') : true,
], JSON_INVALID_UTF8_SUBSTITUTE), "\\n";
"""


def read(here: Here, args: dict[str, Any]) -> Any:
    """`php.read`: the PHP of the site in `docroot`, whose files are `account`'s, as `hints` of its operator help.

    Answers `version` ("8.2"), `full` ("8.2.36"), `cli` (path), `binary` (what that starts), `api` (of extensions),
    `zts`, `arch`, `extension_dir`,
    `ini` and `settings` (the folders of .ini files and the php.ini of `cli` and `fpm`), `extensions` (in small letters,
    of `cli` and `fpm`), `writes` (whether this account may write to these folders), `validate` (whether changed PHP
    files are noticed), `fpm`: None without one, else `pool`, `version`, `socket`, `unit`, `asked` ("running", or
    "settings" where its socket is closed to the account), `reload` and `check` (`argv` and who does it). Raises Failed
    `missing`.
    """
    hints: dict[str, Any] = args.get("hints") or {}
    pool = pool_of(here, args["docroot"], args["account"], hints)
    cli = _cli(here, pool, hints)
    near = _told(here.run([cli], stdin=SCRIPT).out)
    if near is None:
        raise Failed("bad_output", f"{cli} does not say what it is: start it by hand and look at what it writes")
    version = _short(near["version"])
    fpm = _fpm(here, pool, near, hints) if pool is not None else None
    folders = {"cli": _scan(hints, "cli", near, version), "fpm": _scan(hints, "fpm", fpm, version) if fpm else ""}
    return {
        "version": version,
        "full": near["version"],
        "cli": cli,
        "binary": near["binary"],
        "api": near["api"] or _number(near["extension_dir"]),
        "zts": near["zts"],
        "arch": near["arch"],
        "extension_dir": near["extension_dir"],
        "ini": folders,
        "settings": {"cli": near["ini"], "fpm": fpm["ini"] if fpm else ""},
        "extensions": {"cli": names(near), "fpm": names(fpm) if fpm else []},
        "writes": {kind: bool(folder) and writable(here, folder) for kind, folder in folders.items()},
        "validate": bool(fpm["validate"]) if fpm else True,
        "fpm": _way_to(pool, fpm, version, hints) if pool is not None and fpm else None,
    }


def loaded(here: Here, args: dict[str, Any]) -> Any:
    """`php.loaded`: whether `extensions` are loaded now. Args also as of `php.read`.

    Answers `cli` and `fpm`: whether all of them are; `fpm` is true without one.
    """
    found = read(here, args)
    wanted = set(args["extensions"])
    fpm = found["fpm"] is None or wanted <= set(found["extensions"]["fpm"])
    return {"cli": wanted <= set(found["extensions"]["cli"]), "fpm": fpm}


def compiled(here: Here, args: dict[str, Any]) -> Any:
    """`php.compiled`: what FPM holds compiled of a docroot: {asked, scripts, bytes}. Args as of `php.read`.

    `asked`: whether its pool could be asked; its socket may be closed to the account.
    """
    pool = pool_of(here, args["docroot"], args["account"], args.get("hints") or {})
    count = _EACH + b"$say = [count($found), array_sum($found)];"
    told = _said(here, pool.listen, count, below(here, args["docroot"])) if pool else None
    return {"asked": told is not None, "scripts": told[0] if told else 0, "bytes": told[1] if told else 0}


def forget(here: Here, args: dict[str, Any]) -> Any:
    """`php.forget`: has FPM read files again that it holds compiled, without a reload: {forgot}.

    Args: `socket`, `paths` (files and folders).

    `forgot`: whether it could be asked to. A pool that is closed to the account notices changed files by itself.
    """
    paths = [path for each in args["paths"] for path in below(here, each)] if args.get("socket") else []
    do = _EACH + b"foreach ($given as $path) $found[$path] = 1; $say = count(array_map($forget, array_keys($found)));"
    return {"forgot": bool(paths) and _said(here, args["socket"], do, paths) is not None}


def below(here: Here, path: str) -> list[str]:
    """A path as it is given and as it is where links are followed: PHP may know its files by either."""
    try:
        return sorted({path, here.real(path)})
    except Failed:
        return [path]


_EACH = b"""
$found = [];
$status = function_exists('opcache_get_status') ? @opcache_get_status(true) : false;
foreach (($status ?: [])['scripts'] ?? [] as $path => $one) {
    foreach ($given as $above) {
        // one that is to be compiled anew stays in the list, without a time
        if (($one['timestamp'] ?? 1) !== 0 && strncmp($path, "$above/", strlen($above) + 1) === 0) {
            $found[$path] = $one['memory_consumption'];
        }
    }
}
$forget = fn($path) => function_exists('opcache_invalidate') && @opcache_invalidate($path, true);
"""


def _said(here: Here, socket: str, code: bytes, given: list[str]) -> Any:
    """What `code` leaves in $say, run by the pool at `socket` with $given; None where the pool cannot be asked."""
    if not here.near:
        return None
    words = base64.b64encode(json.dumps(given).encode())
    script = f"{here.work}/ask-{len(code)}.php"
    start = b"<?php $given = json_decode(base64_decode('" + words + b"'));\n"
    here.write(script, start + code + b"\necho '@steelyard@', json_encode(['say' => $say]), PHP_EOL;", 0o644)
    try:
        _, mark, after = ask(socket, script).rpartition(_MARK)
        return json.loads(after)["say"] if mark else None
    except (OSError, ValueError):
        return None
    finally:
        here.remove(script)


def names(told: dict[str, Any]) -> list[str]:
    """The extensions of what a PHP told, sorted, as everyone calls them."""
    lower: set[str] = {str(each).lower() for each in told["extensions"]}
    return sorted({ALIASES.get(each, each) for each in lower})


def writable(here: Here, folder: str) -> bool:
    """Whether this account may make files in a folder."""
    return here.run(["test", "-w", folder]).status == 0


def _cli(here: Here, pool: Pool | None, hints: dict[str, Any]) -> str:
    wanted = [hints["php"]] if hints.get("php") else [f"/usr/bin/php{pool.version}"] if pool and pool.version else []
    for path in [*wanted, *([] if wanted else ["/usr/bin/php", "/usr/local/bin/php"])]:
        if here.stat(path) is not None:
            return path
    which = wanted[0] if wanted else "/usr/bin/php"
    raise Failed(
        "missing", f"There is no {which}: install PHP's command line (php-cli), or say where it is in the hints"
    )


def _fpm(here: Here, pool: Pool, near: dict[str, Any], hints: dict[str, Any]) -> dict[str, Any] | None:
    """What the pool says of itself; else what its settings say. None where neither can be found."""
    if here.near:
        script = f"{here.work}/asked.php"
        here.write(script, SCRIPT, 0o644)
        try:
            told = _told(ask(pool.listen, script))
            if told is not None:
                return {**told, "asked": "running"}
        except OSError:
            pass
        finally:
            with contextlib.suppress(Failed):
                here.remove(script)
    version = pool.version or _short(near["version"])
    scan = _scan(hints, "fpm", {"scan": ""}, version)
    program = f"/usr/sbin/php-fpm{version}"
    if here.stat(program) is None or here.stat(scan) is None:
        return None
    listed = here.run([program, "-m"], env={"PHP_INI_SCAN_DIR": scan}).out.decode("utf-8", "replace")
    loaded = [line.strip() for line in listed.splitlines() if line.strip() and not line.startswith("[")]
    return {**near, "ini": "", "scan": scan, "extensions": loaded, "validate": True, "asked": "settings"}


def _scan(hints: dict[str, Any], kind: str, told: dict[str, Any], version: str) -> str:
    """The folder whose .ini files come last, with what is said of it in the hints first."""
    hinted = _mapping(hints, "php_ini").get(kind, "")
    known = [each for each in str(told["scan"]).split(":") if each.startswith("/")]
    return hinted or (known[-1] if known else f"/etc/php/{version}/{kind}/conf.d")


def _way_to(pool: Pool, told: dict[str, Any], version: str, hints: dict[str, Any]) -> dict[str, Any]:
    unit = f"php{version}-fpm"
    return {
        "pool": pool.name,
        "version": _short(told["version"]) if told["asked"] == "running" else pool.version or version,
        "socket": pool.listen,
        "unit": unit,
        "asked": told["asked"],
        "reload": hints.get("fpm_reload") or {"argv": ["/usr/bin/systemctl", "reload", unit], "by": "root"},
        "check": _check(hints) or {"argv": [f"/usr/sbin/php-fpm{version}", "-t"], "by": "root"},
    }


def _check(hints: dict[str, Any]) -> Any:
    """The hint `fpm_check`: an argv, done by who reloads, or one that says by whom."""
    check: Any = hints.get("fpm_check")
    by = _mapping(hints, "fpm_reload").get("by", "root")
    return cast("Any", {"argv": check, "by": by} if isinstance(check, list) else check)


def _told(written: bytes) -> dict[str, Any] | None:
    """What SCRIPT wrote, after whatever the settings of this PHP make it write before."""
    _, mark, after = written.rpartition(_MARK)
    try:
        told: Any = json.loads(after.decode("utf-8", "replace").split("\n", 1)[0]) if mark else None
        return told if isinstance(told["version"], str) else None
    except (ValueError, TypeError, KeyError):
        return None


def _mapping(hints: dict[str, Any], name: str) -> dict[str, Any]:
    return hints.get(name) or {}


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _number(folder: str) -> str:
    found = re.search(r"\d{8}", folder)
    return found.group() if found else ""


VERBS = {"php.read": read, "php.loaded": loaded, "php.forget": forget, "php.compiled": compiled}
