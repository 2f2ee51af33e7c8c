"""The site's keys in Redis, its user there, its drop-in. Pure. What they do: hosted/redis.py, hosted/dropin.py."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from steelyard.toolbox.model import Action, By, Json, Secret, Site, Token
from steelyard.toolbox.runbook import Facts, Read

ADMIN = Secret("redis")
"""The password of the hint `redis`'s `admin`: a secret of the host. See docs/reference/hints.md."""

LOCAL = {"host": "127.0.0.1", "port": 6379}


def at(site: Site, endpoint: str = "") -> dict[str, Json]:
    """Where Redis is, and who we are there: `endpoint` (`host:port` or a socket's path), else the hint, else port 6379.

    The hint `redis` is `{"host", "port"}` or `{"socket"}`, with `admin` where its users need a password. That password
    is told to the hint's own server alone: who names another one could be its owner.
    """
    hint: Mapping[str, Json] = site.hints.get("redis") or {}
    own = _hinted(site)
    place = own
    if endpoint.startswith("/"):
        place = {"socket": endpoint}
    elif endpoint:
        host, _, port = endpoint.rpartition(":")
        place = {"host": host.strip("[]"), "port": int(port)}
    return place | ({"user": hint["admin"], "password": ADMIN} if hint.get("admin") and place == own else {})


def _hinted(site: Site) -> dict[str, Json]:
    """Where the operator says that Redis is."""
    hint: Mapping[str, Json] = site.hints.get("redis") or {}
    return {key: hint[key] for key in ("host", "port", "socket") if key in hint} or dict(LOCAL)


def stem_of(site: Site) -> str:
    """How what a site is called in Redis begins: its name, to be read, and a digest that no other site has.

    `shop.example` and `shop-example` read alike there. Two cells may count to the same id: name and id are one site's.
    """
    slug = re.sub(r"[^a-z0-9-]+", "-", site.name.lower()).strip("-")[:50] or "site"
    return f"{slug}-{hashlib.sha256(f'{site.id} {site.name}'.encode()).hexdigest()[:12]}"


def name_of(site: Site, token: Token) -> str:
    """What a run calls a site in Redis: its user there, and with a colon how its keys begin."""
    return f"{stem_of(site)}-{token}"


def read(site: Site, endpoint: str = "", names: Sequence[str] = ()) -> Read:
    """Reads what Redis is and has of the site, and of `names`, into `redis`: see `steelyard.toolbox.hosted.redis.read`.

    By the support account, as all that has the administrator's password: the site's could look into its own processes.
    """
    args: dict[str, Json] = {"at": at(site, endpoint), "stem": stem_of(site), "names": list(names)}
    return Read("redis", Action("redis.read", args, By.SUPPORT))


def flush_site(site: Site, facts: Facts) -> Action | None:
    """Removes the site's own keys, and no others, from the facts of `wp.read`; None where it has no prefix of its own.

    For a site whose database is changed: its cache would go on telling what was.
    """
    constants: Mapping[str, Json] = facts["wordpress"].get("constants") or {}
    prefix = own_prefix(site, constants)
    return _flush(site, {"prefix": prefix}) if prefix and _said_place(constants) == _hinted(site) else None


def flush_replaced(site: Site, facts: Facts) -> Action | None:
    """The same for a site that is replaced: its keys of all times. A Redis that is away is told of; nothing fails."""
    known = flush_site(site, facts)
    return known and _flush(site, {"prefix": f"{stem_of(site)}-", "needed": False})


def _flush(site: Site, args: Mapping[str, Json]) -> Action:
    return Action("redis.flush", {"at": at(site), **args}, By.SUPPORT, timeout=300.0)


def flush_by_site(facts: Facts, prefix: str) -> Action:
    """Removes the keys of a prefix that the site's own plugin uses, as the site itself connects."""
    constants: Mapping[str, Json] = facts["wordpress"]["constants"]
    keys = ("WP_REDIS_PATH", "WP_REDIS_HOST", "WP_REDIS_PORT", "WP_REDIS_DATABASE")
    said = {key: constants[key] for key in keys if key in constants}
    return Action("redis.flush", {"said": said, "prefix": prefix, "config": facts["wordpress"]["config"]})


def own_prefix(site: Site, constants: Mapping[str, Json]) -> str | None:
    """How the keys of a site begin that `set_up_redis` set up, by its constants; None for any other.

    Constants are the customer's words: one that names another site's keys counts for nothing. Nor does one from when
    names had no digest: it could be that of a site whose name reads alike. `set_up_redis` gives such a site a new one.
    """
    prefix = constants.get("WP_REDIS_PREFIX")
    mine = rf"{re.escape(stem_of(site))}-[0-9a-f]{{8}}:"
    return prefix if isinstance(prefix, str) and re.fullmatch(mine, prefix) else None


def said_in(constants: Mapping[str, Json]) -> dict[str, Json]:
    """What an undo has to know to flush a site's keys, of its constants; the password is none of them."""
    return {key: value for key, value in constants.items() if key.startswith("WP_REDIS_")}


def _said_place(constants: Mapping[str, Json]) -> dict[str, Json]:
    """Where the site's own constants say that Redis is: the customer's words."""
    if constants.get("WP_REDIS_PATH"):
        return {"socket": constants["WP_REDIS_PATH"]}
    port = constants.get("WP_REDIS_PORT", LOCAL["port"])
    known = int(port) if isinstance(port, str) and re.fullmatch("[0-9]{1,5}", port) else port
    return {"host": constants.get("WP_REDIS_HOST", LOCAL["host"]), "port": known}


def make_user(place: Mapping[str, Json], name: str, secret: Secret, *, plugin: bool = False) -> Action:
    """Makes or renews the site's user, who may touch its keys alone. `plugin`: for a plugin's drop-in, not for ours."""
    args: dict[str, Json] = {"at": place, "name": name, "prefix": f"{name}:", "secret": secret, "plugin": plugin}
    return Action("redis.make_user", args, By.SUPPORT)


def drop_user(place: Mapping[str, Json], name: str) -> Action:
    """Takes the site's user and keys away."""
    return Action("redis.drop_user", {"at": place, "name": name, "prefix": f"{name}:"}, By.SUPPORT, timeout=300.0)


def limit(place: Mapping[str, Json], most: int, policy: str, unless: list[Json] | None = None) -> Action:
    """Sets how many bytes Redis takes (0: no limit), and what goes when they are full."""
    args: dict[str, Json] = {"at": place, "bytes": most, "policy": policy}
    return Action("redis.limit", args | ({"unless": unless} if unless else {}), By.SUPPORT)


def prove(site: Site, place: Mapping[str, Json], name: str, url: str, *, ours: bool = True) -> Action:
    """Asks the site for `url` and sees it answered from Redis: `{"status", "keys", "hit"}`."""
    args: dict[str, Json] = {"at": place, "prefix": f"{name}:", "url": url, "secret": Secret("proof", 16)}
    args["ours"] = ours
    to: dict[str, Json] = {"to": site.hints["http_to"]} if site.hints.get("http_to") else {}
    return Action("redis.prove", args | to, By.SUPPORT)


def look(site: Site, token: Token | None = None, *, plugin: bool = False) -> Read:
    """Reads what lies where WordPress looks for its object cache, into `dropin`; with `token`, what that run left.

    `plugin`: also what the archive of the hint `redis_plugin` holds.
    """
    args: dict[str, Json] = {"docroot": site.docroot, "php": str(site.hints.get("php", ""))}
    packed: dict[str, Json] = {"plugin": site.hints["redis_plugin"]} if plugin else {}
    return Read("dropin", Action("dropin.look", args | packed | ({"token": token} if token else {})))


def configure(config: str, token: Token, constants: Mapping[str, Json], php: str) -> Action:
    """Sets constants in a wp-config.php; the file is kept as it was."""
    return Action("dropin.configure", {"config": config, "token": token, "constants": constants, "php": php})


def unconfigure(config: str, token: Token) -> Action:
    """A wp-config.php as it was before the run `token`."""
    return Action("dropin.unconfigure", {"config": config, "token": token})


def put_dropin(path: str, token: Token, plugin: Json = None) -> Action:
    """Puts our object-cache.php in, or that of a plugin's archive; what was there is kept."""
    return Action("dropin.put", {"path": path, "token": token} | ({"plugin": plugin} if plugin else {}))


def take_dropin(path: str, token: Token) -> Action:
    """What was at `path` before the run `token`."""
    return Action("dropin.take", {"path": path, "token": token})
