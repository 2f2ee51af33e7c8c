"""What may stand in the registry, field by field: names, addresses, accounts, paths, hints. Pure.

Each function takes a text as it was written and gives the value that is stored, or raises Unfit, which says why and
what to write instead. Forms, imports, the command line and programs all come through here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final, cast

from steelyard.toolbox.model import Json
from steelyard.toolbox.site_names import canonical
from steelyard.web.said import N_, Said, term

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
_ALIAS: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_GROUP: Final = re.compile(r"[\w][\w .-]{0,39}")
_URL: Final = re.compile(rf"(https?)://({_LABEL}(?:\.{_LABEL})*)(:[0-9]{{1,5}})?(/[A-Za-z0-9._~/-]*)?")
KEY_KINDS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""The kinds of host keys that can be pinned, best first."""


class Unfit(ValueError):
    """Why a text cannot stand there: `says` tells what to write instead."""

    def __init__(self, message: str, **values: object) -> None:
        self.says = Said(message, values)
        super().__init__(term(self.says, str))


def site_name(text: str) -> str:
    """The main domain of a site, such as `shop.example`: in lower case, an international one as `xn--…`."""
    name = _as_ascii(text.strip().lower().rstrip("."))
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        raise Unfit(N_("“%(text)s” is no domain: write the site’s main one, such as shop.example."), text=text[:80])
    return name


def host_name(text: str) -> str:
    """What a host is called here."""
    if not _NAME.fullmatch(text.strip()):
        message = N_("“%(text)s” cannot name a host: use letters, digits, dashes and dots, such as web1.")
        raise Unfit(message, text=text[:80])
    return text.strip()


def address(text: str) -> str:
    """Where a host is reached: a domain or an IP address."""
    text = text.strip().lower()
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        name = _as_ascii(text)
    if not _DOMAIN.fullmatch(name) or len(name) > 253:
        message = N_("“%(text)s” is no address of a host: write a name such as web1.example.net, or an IP address.")
        raise Unfit(message, text=text[:80])
    return name


def port(text: str | int) -> int:
    """A port of TCP."""
    if not re.fullmatch(r"[0-9]{1,5}", str(text)) or not 0 < int(text) < 65536:
        raise Unfit(N_("“%(text)s” is no port: write a number from 1 to 65535."), text=str(text)[:20])
    return int(text)


def account(text: str) -> str:
    """A user of a host. Never root, nor a word that sudoers would take for an alias."""
    text = text.strip()
    if text == "root":
        raise Unfit(N_("Nothing here works as root: name the site’s own user, or a support account made for this."))
    if not _ACCOUNT.fullmatch(text) or text.isdigit() or _ALIAS.fullmatch(text):
        message = N_("“%(text)s” cannot be a user’s name here: write it as in /etc/passwd, such as shop.")
        raise Unfit(message, text=text[:80])
    return text


def path(text: str) -> str:
    """An absolute path on a host, without `..` and a last slash."""
    text = text.strip()
    parts = [each for each in text.split("/") if each]
    usable = text.isprintable() and len(text) <= 1000 and all(each == each.strip() for each in parts)
    if not text.startswith("/") or not usable or {".", ".."} & set(parts):
        message = N_("“%(text)s” is no path that can be used: write it whole, such as /var/www/shop/htdocs.")
        raise Unfit(message, text=text[:80])
    if not parts:
        raise Unfit(N_("The whole machine cannot be a site: name the folder that the web server serves."))
    return "/" + "/".join(parts)


def group(text: str) -> str:
    """The group of a site; empty for none."""
    text = " ".join(text.split())
    if text and not _GROUP.fullmatch(text):
        message = N_("“%(text)s” cannot name a group: use up to 40 letters, digits, blanks, dots and dashes.")
        raise Unfit(message, text=text[:80])
    return text


def url(text: str, name: str) -> str:
    """Where a site is opened. Empty text: by https at its domain."""
    text = text.strip().rstrip("/")
    if not text:
        return f"https://{name}"
    found = _URL.fullmatch(text.lower())
    if found is None or (found[3] and not 0 < int(found[3][1:]) < 65536):
        message = N_("“%(text)s” is no address of a site: write it as https://shop.example.")
        raise Unfit(message, text=text[:80])
    return text


def host_key(text: str) -> str:
    """A host's public key as `kind base64`, taken out of a line of known_hosts, ssh-keyscan or a .pub file."""
    words = text.split()
    kind = next((each for each in words if each in KEY_KINDS), "")
    key = words[words.index(kind) + 1] if kind and words.index(kind) + 1 < len(words) else ""
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not kind or raw[:4] != len(kind).to_bytes(4, "big") or raw[4 : 4 + len(kind)] != kind.encode():
        message = N_("“%(text)s” is no host key: paste a line of /etc/ssh/ssh_host_ed25519_key.pub.")
        raise Unfit(message, text=text[:40])
    return f"{kind} {key}"


# Hints: what an operator says where it cannot be found out


def hints(text: str) -> Mapping[str, Json]:
    """Hints written as a JSON object; empty text: none. See docs/reference/hints.md."""
    try:
        found: Json = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        found = None
    return judged_hints(found)


def judged_hints(found: Json) -> Mapping[str, Json]:
    """Hints, where every one is known and of its shape."""
    if not isinstance(found, dict):
        raise Unfit(N_("Hints are a JSON object, such as {'php': '/usr/bin/php8.2'} with double quotes."))
    given = cast("dict[str, Json]", found)
    for key, value in given.items():
        if key not in HINTS:
            message = N_("There is no hint “%(key)s”: the known ones are %(known)s.")
            raise Unfit(message, key=key[:40], known=", ".join(HINTS))
        fits, shape = HINTS[key]
        if not fits(value):
            raise Unfit(N_("The hint “%(key)s” has to be like %(shape)s."), key=key, shape=shape)
    return given


def _is_path(value: Json) -> bool:
    return isinstance(value, str) and value.startswith("/") and value.isprintable() and ".." not in value.split("/")


def _is_argv(value: Json) -> bool:
    if not isinstance(value, list) or not 0 < len(cast("list[Json]", value)) <= 20:
        return False
    words = cast("list[Json]", value)
    return all(isinstance(each, str) and each.isprintable() for each in words) and _is_path(words[0])


def _is_port(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536


def _are_folders(value: Json) -> bool:
    return _is_mapping_of(value, {"cli": _is_path, "fpm": _is_path})


def _is_reload(value: Json) -> bool:
    return _is_mapping_of(value, {"argv": _is_argv, "by": _is_by}) and "argv" in value


def _is_by(value: Json) -> bool:
    return value in ("site", "support", "root")


def _is_redis(value: Json) -> bool:
    return _is_mapping_of(value, {"host": _is_place, "port": _is_port, "socket": _is_path, "admin": _is_name})


def _is_loader(value: Json) -> bool:
    return (
        _is_mapping_of(value, {"archive": _is_path, "sha256": _is_sha256}) and len(cast("dict[str, Json]", value)) == 2
    )


def _is_sha256(value: Json) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value) is not None


def _is_place(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return bool(address(value))
    except Unfit:
        return False


def _is_address(value: Json) -> bool:
    if not isinstance(value, list) or len(cast("list[Json]", value)) != 2:
        return False
    return _is_place(value[0]) and _is_port(value[1])


def _is_mapping_of(value: Json, fits: Mapping[str, Callable[[Json], bool]]) -> bool:
    if not isinstance(value, dict):
        return False
    given = cast("dict[str, Json]", value)
    return bool(given) and all(key in fits and fits[key](each) for key, each in given.items())


HINTS: Final[Mapping[str, tuple[Callable[[Json], bool], str]]] = {
    "php": (_is_path, '"/usr/bin/php8.2"'),
    "php_ini": (_are_folders, '{"cli": "/etc/php/8.2/cli/conf.d", "fpm": "/etc/php/8.2/fpm/conf.d"}'),
    "fpm_pools": (_is_path, '"/etc/php/8.2/fpm/pool.d"'),
    "fpm_reload": (_is_reload, '{"argv": ["/usr/local/bin/reload-php"], "by": "site"}'),
    "fpm_check": (_is_argv, '["/usr/sbin/php-fpm8.2", "-t"]'),
    "redis": (_is_redis, '{"host": "127.0.0.1", "port": 6379, "admin": "default"} or {"socket": "/run/redis.sock"}'),
    "ioncube": (_is_loader, f'{{"archive": "/srv/ioncube_loaders_lin_x86-64.tar.gz", "sha256": "{"5e" * 32}"}}'),
    "redis_plugin": (_is_loader, f'{{"archive": "/srv/redis-cache.zip", "sha256": "{"5e" * 32}"}}'),
    "nginx_cache": (_is_path, '"/var/cache/nginx/fastcgi"'),
    "web_error_log": (_is_path, '"/var/log/nginx/shop.error.log"'),
    "yara": (_is_path, '"/opt/yara-x/bin/python"'),
    "http_to": (_is_address, '["127.0.0.1", 8080]'),
    "http": (lambda value: value in ("http", "https"), '"http"'),
}
"""Each hint: whether a value fits, and what it looks like."""


def _as_ascii(text: str) -> str:
    """An international name as browsers write it; empty for what is none."""
    return text if text.isascii() or ":" in text else canonical(text)
