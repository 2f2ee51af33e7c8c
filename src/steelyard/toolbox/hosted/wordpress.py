"""A WordPress, read from its files and its database: which it is, where its parts are, what is odd about it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.toolbox.hosted.here import HANDED, Failed, Here
from steelyard.toolbox.hosted.wp_config import NEEDED, Config, definitions, is_secret

_MOST = 1_000_000
_LOADER = re.compile(r"""(?:require|include)(?:_once)?\b[^;]*?['"]/?([^'"]*?)/?wp-blog-header\.php['"]""")
_OBJECT_CACHES = (("Steelyard", "steelyard"), ("Redis Object Cache", "redis-cache"))


def read(here: Here, args: dict[str, Any]) -> Any:
    """`wordpress.read`: what WordPress is in `docroot`; `php` names the PHP that a configuration is asked with.

    Answers as docs/explanation says: `{"root", "core", "config", "version", "locale", "prefix", "database",
    "constants", "literal", "content", "plugins", "multisite", "url", "object_cache", "problems"}`, or
    `{"missing": "docroot" | "wordpress" | "config"}`. Problems: `php` (the configuration is no plain one and PHP could
    not be asked), `database` (it does not answer), `no_tables` (it has no options of this prefix).
    """
    try:
        root = here.real(args["docroot"])
    except Failed:
        return {"missing": "docroot"}
    core = core_of(here, root)
    if core is None:
        return {"missing": "wordpress"}
    config = config_of(here, core)
    if config is None:
        return {"missing": "config"}
    return _described(here, root, core, config, args.get("php", ""))


def php(here: Here, args: dict[str, Any]) -> Any:
    """`wordpress.php`: runs one of our own scripts, `script`, with the WordPress in `core` loaded (without plugins and
    themes, unless the script wants them), by the `php` of that path. `args`: texts. Answers the JSON that it says."""
    return run_script(here, args["script"], [args["core"], *args.get("args", [])], args.get("php", ""))


VERBS = {"wordpress.read": read, "wordpress.php": php}
FILES = ("php/begin.php", "php/config.php")


def core_of(here: Here, root: str) -> str | None:
    """The folder of wp-load.php: the docroot, or the folder below it that its index.php names. None: no WordPress."""
    if here.stat(root + "/wp-load.php") is not None:
        return root
    named = _LOADER.search(_text(here, root + "/index.php"))
    if named is None:
        return None
    below = os.path.normpath(root + "/" + named.group(1))
    if not (below + "/").startswith(root + "/") or here.stat(below + "/wp-load.php") is None:
        return None
    return here.real(below)


def config_of(here: Here, core: str) -> str | None:
    """wp-config.php where WordPress looks for it: beside wp-load.php, or above, unless that is another WordPress."""
    if here.stat(core + "/wp-config.php") is not None:
        return core + "/wp-config.php"
    above = os.path.dirname(core)
    if here.stat(above + "/wp-config.php") is not None and here.stat(above + "/wp-settings.php") is None:
        return above + "/wp-config.php"
    return None


def said(here: Here, config: str, php: str = "") -> Config:
    """What a wp-config.php says; where it is no plain one, what the site's own PHP makes of it, as the site's user."""
    text = here.read(config, most=_MOST).decode("utf-8", "surrogateescape")
    folder = os.path.dirname(config)
    core = folder if here.stat(folder + "/wp-load.php") is not None else ""
    read_as_text = definitions(text, folder, core)
    if read_as_text.literal:
        return read_as_text
    try:
        told = run_script(here, "config.php", [config, core], php)
    except Failed:
        return read_as_text
    constants = {**read_as_text.constants, **told["constants"]}
    sure = all(isinstance(constants.get(name), str) for name in NEEDED) and bool(told["prefix"])
    return Config(constants, str(told["prefix"]), sure)


def run_script(here: Here, script: str, args: Sequence[str], php: str = "") -> Any:
    """Runs php/`script`, which PHP reads from its standard input; its arguments come as JSON through a pipe, so that
    nobody else on the host sees them. Raises Failed with what it said or PHP complained of."""
    source = here.resource("php/begin.php") + here.resource("php/" + script).replace(b"<?php", b"", 1)
    given = json.dumps(list(args)).encode()
    settings = ["-d", "display_errors=0", "-d", "log_errors=0", "-d", "opcache.enable_cli=0", "-d", "memory_limit=512M"]
    ran = here.run([php or "php", *settings, "--", HANDED], stdin=source, timeout=55, handed=given)
    answer = re.search(rb"\n\x1eSTEELYARD (\{.*\})\n", ran.out, re.DOTALL)
    if answer is None:
        raise Failed("failed", f"PHP did not answer (status {ran.status}): {ran.said()}")
    told = json.loads(answer[1].decode("utf-8", "replace"))
    if "failed" in told:
        raise Failed(str(told.get("code", "failed")), str(told["failed"])[:500])
    return told


def _described(here: Here, root: str, core: str, config: str, php: str) -> dict[str, Any]:
    told = said(here, config, php)
    constants = told.constants
    content = _folder(constants.get("WP_CONTENT_DIR"), core + "/wp-content")
    options, problems = _options(here, told)
    version = versions(_text(here, core + "/wp-includes/version.php"))
    locale = constants.get("WPLANG") or options.get("WPLANG") or version.get("wp_local_package") or "en_US"
    return {
        "root": root,
        "core": core,
        "config": config,
        "version": version.get("wp_version", ""),
        "locale": str(locale),
        "prefix": told.prefix,
        "database": {
            key: str(constants.get(constant) or "")
            for key, constant in (
                *(("name", "DB_NAME"), ("host", "DB_HOST"), ("user", "DB_USER")),
                *(("charset", "DB_CHARSET"), ("collate", "DB_COLLATE")),
            )
        },
        "constants": {
            key: value for key, value in constants.items() if not is_secret(key, value) and key not in NEEDED
        },
        "literal": told.literal,
        "content": content,
        "plugins": _folder(constants.get("WP_PLUGIN_DIR"), content + "/plugins"),
        "multisite": constants.get("MULTISITE") in (True, 1, "1"),
        "url": str(constants.get("WP_SITEURL") or options.get("siteurl") or ""),
        "object_cache": _object_cache(_text(here, content + "/object-cache.php", 20_000)),
        "problems": ([] if told.literal else ["php"]) + problems,
    }


def versions(text: str) -> dict[str, str]:
    """The variables of wp-includes/version.php."""
    return dict(re.findall(r"""^\$(\w+)\s*=\s*'([^'\\]*)'\s*;""", text, re.MULTILINE))


def _options(here: Here, told: Config) -> tuple[Mapping[str, str], list[str]]:
    from steelyard.toolbox.hosted.mysql import ask, filled, name  # which reads credentials by `said`

    found = {each: str(told.constants.get(each) or "") for each in NEEDED}
    if not found["DB_NAME"] or not told.prefix:
        return {}, ["database"]
    sql = "SELECT option_name, HEX(LEFT(option_value, 300)) FROM %s WHERE option_name IN %%(names)s"
    try:
        out = ask(here, found, filled(sql % name(told.prefix + "options"), {"names": ["siteurl", "home", "WPLANG"]}))
    except Failed as failed:
        return {}, ["no_tables" if "1146" in failed.message else "database"]
    rows = (line.split("\t") for line in out.decode("ascii", "replace").splitlines())
    return {row[0]: bytes.fromhex(row[1]).decode("utf-8", "replace") for row in rows if len(row) == 2}, []


def _folder(value: Any, default: str) -> str:
    return os.path.normpath(value) if isinstance(value, str) and value.startswith("/") else default


def _object_cache(text: str) -> str:
    if not text:
        return ""
    return next((word for mark, word in _OBJECT_CACHES if mark in text), "other")


def _text(here: Here, path: str, most: int = _MOST) -> str:
    """A file as text; empty where there is none that can be read."""
    try:
        return here.read(path, most=most).decode("utf-8", "surrogateescape")
    except Failed:
        return ""
