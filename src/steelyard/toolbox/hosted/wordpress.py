"""A WordPress, read from its files and its database: which it is, where its parts are, what is odd about it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.mysql import ask, cells, credentials, filled, name
from steelyard.toolbox.hosted.site_php import run_script, said
from steelyard.toolbox.hosted.wp_config import NEEDED, Config, is_secret

_MOST = 1_000_000
_LOADER = re.compile(r"""(?:require|include)(?:_once)?\b[^;]*?['"]/?([^'"]*?)/?wp-blog-header\.php['"]""")
_OBJECT_CACHES = (("Steelyard", "steelyard"), ("Redis Object Cache", "redis-cache"))


def read(here: Here, args: dict[str, Any]) -> Any:
    """`wordpress.read`: what WordPress is in `docroot`; `php` names the PHP that a configuration is asked with.

    Answers `{"root", "core", "config", "version", "locale", "prefix", "database", "constants", "literal", "content",
    "plugins", "multisite", "url", "forwarded" (whether a proxy speaks HTTPS for it), "object_cache", "problems"}`, or
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


def prove(here: Here, args: dict[str, Any]) -> Any:
    """`wordpress.prove`: what the WordPress in `core` is now, and how its own web server shows it.

    Args: `core`, `config`, `prefix`, `url`, `to` (address and port, or None). Answers `version`, `users`, `posts`
    (published), `home` and `login` (statuses), `shown` (whether its home page says that version).
    """
    version = versions(_text(here, args["core"] + "/wp-includes/version.php")).get("wp_version", "")
    to = tuple(args["to"]) if args.get("to") else None
    found = credentials(here, args["config"], args.get("php", ""))
    users, posts = name(args["prefix"] + "users"), name(args["prefix"] + "posts")
    counted = "SELECT COUNT(*) FROM " + users + "; SELECT COUNT(*) FROM " + posts
    counted += " WHERE post_type = 'post' AND post_status = 'publish'"

    def page(path: str) -> tuple[int, bytes]:
        status, _, body = here.http(args["url"].rstrip("/") + path, to=to, timeout=15.0)
        return status, body

    tasks: list[Any] = [
        lambda: page("/"),
        lambda: page("/wp-login.php"),
        lambda: [row[0] for row in cells(ask(here, found, counted))],
    ]
    home, login, counts = here.together(tasks)
    mark = f'content="WordPress {version}"'.encode()
    return {
        "version": version,
        "users": int(counts[0]),
        "posts": int(counts[1]),
        "home": home[0],
        "login": login[0],
        "shown": home[0] != 200 or mark in home[1],
    }


VERBS = {"wordpress.read": read, "wordpress.php": php, "wordpress.prove": prove}


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
        "forwarded": "HTTP_X_FORWARDED_PROTO" in _text(here, config),
        "object_cache": _object_cache(_text(here, content + "/object-cache.php", 20_000)),
        "problems": ([] if told.literal else ["php"]) + problems,
    }


def versions(text: str) -> dict[str, str]:
    """The variables of wp-includes/version.php."""
    return dict(re.findall(r"""^\$(\w+)\s*=\s*'([^'\\]*)'\s*;""", text, re.MULTILINE))


def _options(here: Here, told: Config) -> tuple[Mapping[str, str], list[str]]:
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
