"""A site's keys in Redis, its user there, and what a server says of itself. Other sites' keys are never touched.

`at`, in the arguments: `host` and `port`, or `socket`; `user` and `password` where Redis wants them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.resp import Redis, Refusal, connected
from steelyard.toolbox.hosted.site_php import said

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{2,120}[:_]")
"""Of the keys of one site: never so short that others' keys begin the same."""

_ALL = re.compile(r"[a-z0-9-]{1,60}-[0-9a-f]{12}-")
"""Of all that runs ever set up for one site."""

SET_UP = re.compile(r"[a-z0-9-]{1,80}-[0-9a-f]{8}:")
"""As a run makes it."""

_AWAY = ("no_redis", "redis_denied", "redis")
"""What `connected` says of a Redis that cannot be used."""

DROPIN = (
    *("+get", "+mget", "+set", "+setex", "+del", "+incrby", "+hget", "+hgetall", "+hset", "+hsetnx"),
    *("+ping", "+select"),
)
"""All that our own drop-in asks. No SCAN: it shows the names of all sites' keys."""

PLUGIN = ("+@read", "+@write", "+@connection", "+@transaction", "+@scripting", "+info", "-@dangerous", "+info")
"""What plugins for Redis ask, whose flush looks for its keys."""


def read(here: Here, args: dict[str, Any]) -> Any:
    """`redis.read`: {at, stem, names} -> what the server is, and what of a site is there.

    `stem`: how names of the site's users begin, before a run's token. Answers `known`: `{name: {"user", "keys"}}` of
    these users and of `names`; `version`, `users` (whether it knows users: Redis 6 and newer), `may` (whether we may
    make some), `saved` (whether it has a users file), `used` and `limit` (bytes, 0: none), `policy`; or `missing` and
    `message`: no_redis, redis_denied, redis.
    """
    try:
        with connected(here, args["at"]) as redis:
            users, file, me = redis.tell([["ACL", "USERS"], ["CONFIG", "GET", "aclfile"], ["ACL", "WHOAMI"]])
            memory = redis.info("memory")
            return {
                "known": _known(redis, args["stem"], [] if isinstance(users, Refusal) else users, args["names"]),
                "version": redis.info("server").get("redis_version", ""),
                "users": not isinstance(me, Refusal),
                "may": not isinstance(users, Refusal),
                "saved": not isinstance(file, Refusal) and bool(file[1:] and file[1]),
                "used": int(memory.get("used_memory", 0)),
                "limit": int(memory.get("maxmemory", 0)),
                "policy": memory.get("maxmemory_policy", ""),
            }
    except Failed as failed:
        return {"missing": failed.code, "message": failed.message}


def _known(redis: Redis, stem: str, users: list[bytes], names: list[str]) -> dict[str, dict[str, Any]]:
    there = {user.decode("utf-8", "replace") for user in users}
    own = {user for user in there if user.startswith(f"{stem}-") and SET_UP.fullmatch(f"{user}:")}
    return {name: {"user": name in there, "keys": _count(redis, f"{name}:")} for name in sorted(own | set(names))}


def make_user(here: Here, args: dict[str, Any]) -> Any:
    """`redis.make_user`: {at, name, prefix, secret, plugin} -> {saved}. A user with these keys alone, as new.

    `plugin`: whether a plugin's drop-in will use it, which asks more than ours.
    """
    prefix = _checked(args["prefix"])
    allowed = PLUGIN if args.get("plugin") else DROPIN
    with connected(here, args["at"]) as redis:
        rules = ["reset", "on", f">{args['secret']}", f"~{_escaped(prefix)}*", "resetchannels", "-@all", *allowed]
        redis.call("ACL", "SETUSER", args["name"], *rules)
        return {"saved": _save(here, redis)}


def drop_user(here: Here, args: dict[str, Any]) -> Any:
    """`redis.drop_user`: {at, name, prefix} -> {keys}. The user goes, and all keys of its prefix."""
    with connected(here, args["at"]) as redis:
        if redis.call("ACL", "DELUSER", args["name"]):
            _save(here, redis)
        return {"keys": _unlink(here, redis, args["prefix"])}


def limit(here: Here, args: dict[str, Any]) -> Any:
    """`redis.limit`: {at, bytes, policy, unless?} -> {set}. How much memory the server takes, and what goes when full.

    `unless`: [bytes, policy] as a run left them; where they are others by now, somebody decided, and nothing is set.
    """
    with connected(here, args["at"]) as redis:
        now = [
            int(redis.call("CONFIG", "GET", "maxmemory")[1]),
            redis.call("CONFIG", "GET", "maxmemory-policy")[1].decode(),
        ]
        if args.get("unless") and now != list(args["unless"]):
            here.tell("warning", "The memory limit of Redis is another by now: it stays as it is")
            return {"set": False}
        redis.call("CONFIG", "SET", "maxmemory-policy", args["policy"])
        redis.call("CONFIG", "SET", "maxmemory", int(args["bytes"]))
        if isinstance(redis.tell([["CONFIG", "REWRITE"]])[0], Refusal):
            here.tell("warning", "Redis cannot write its settings: the memory limit holds until it starts again")
        return {"set": True}


def flush(here: Here, args: dict[str, Any]) -> Any:
    """`redis.flush`: {at, prefix, needed?} -> {keys}. Removes the keys of a prefix, in batches; other keys stay.

    Instead of `at`: `said` (constants) and `config` (a wp-config.php with the password), as the site itself connects.
    Where it is not `needed`, a Redis that is away or does not let us in is told of, and nothing fails.
    """
    try:
        with _own_connection(here, args) as redis:
            return {"keys": _unlink(here, redis, args["prefix"])}
    except Failed as failed:
        if args.get("needed", True) or failed.code not in _AWAY:
            raise
        here.tell("warning", f"{failed.message}. The keys that begin with {args['prefix']} stay until they expire")
        return {"keys": 0}


def count(here: Here, args: dict[str, Any]) -> Any:
    """`redis.count`: {at, prefix} -> {keys}. Args as of `redis.flush`."""
    with _own_connection(here, args) as redis:
        return {"keys": _count(redis, args["prefix"])}


def is_own(prefix: str) -> bool:
    """Whether all keys that begin with it are one site's: it has an end."""
    return bool(_PREFIX.fullmatch(prefix))


def place_of(constants: dict[str, Any]) -> dict[str, Any]:
    """Where the constants of a wp-config.php say that Redis is."""
    if constants.get("WP_REDIS_PATH"):
        return {"socket": str(constants["WP_REDIS_PATH"])}
    host, port = constants.get("WP_REDIS_HOST", "127.0.0.1"), constants.get("WP_REDIS_PORT", 6379)
    return {"host": str(host), "port": int(port), "database": int(constants.get("WP_REDIS_DATABASE", 0))}


@contextmanager
def _own_connection(here: Here, args: dict[str, Any]) -> Generator[Redis]:
    at: dict[str, Any] = dict(args["at"]) if "at" in args else place_of(args["said"])
    if args.get("config"):
        password: Any = said(here, args["config"]).constants.get("WP_REDIS_PASSWORD")
        at.update({"password": password} if isinstance(password, str) and password else {})
    with connected(here, at) as redis:
        yield redis


def prove(here: Here, args: dict[str, Any]) -> Any:
    """`redis.prove`: {at, prefix, url, to?, secret, ours} -> {status, keys, hit, hits, by}. Sees a page hit the cache.

    Our drop-in tells by a key of its own, asked for by `secret`, how many values Redis gave to that very request, and
    `by` which PHP ("fpm-fcgi"). Of another's (not `ours`) the server's hits are counted. `keys`: whether the site's are
    there.
    """
    prefix, to = _checked(args["prefix"]), tuple(args["to"]) if args.get("to") else None
    proof = f"{prefix}proof:{args['secret']}"
    with connected(here, args["at"]) as redis:
        here.http(args["url"], to)  # fills the cache, and begins its generation
        redis.call("HSET", f"{prefix}gen", "proof", args["secret"])
        try:
            before = int(redis.info("stats").get("keyspace_hits", 0))
            status = here.http(args["url"], to)[0]
            told = redis.call("GET", proof)
            more = int(redis.info("stats").get("keyspace_hits", 0)) - before
        finally:
            redis.tell([["HDEL", f"{prefix}gen", "proof"], ["DEL", proof]])
        keys = any(key != f"{prefix}gen".encode() for batch in redis.names(prefix) for key in batch)
    said: Any = json.loads(told or b"{}")
    hits = int(said.get("hits", 0)) if args["ours"] else more
    return {"status": status, "keys": keys, "hit": keys and hits > 0, "hits": hits, "by": str(said.get("sapi", ""))}


def _checked(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix) and not _ALL.fullmatch(prefix):
        raise Failed(
            "failed",
            "The prefix of a site's keys is letters, digits, dots and lines, with a colon or a low line at its end",
        )
    return prefix


def _escaped(prefix: str) -> str:
    return "".join(f"\\{each}" if each in "\\*?[]^" else each for each in prefix)


def _save(here: Here, redis: Redis) -> bool:
    """Whether users will still be there when Redis starts again."""
    for command in (["ACL", "SAVE"], ["CONFIG", "REWRITE"]):
        if not isinstance(redis.tell([command])[0], Refusal):
            return True
    here.tell(
        "warning", "Redis cannot write its users: the site's user is gone when it starts again. Give it an aclfile"
    )
    return False


def _count(redis: Redis, prefix: str) -> int:
    return len({key for batch in redis.names(_checked(prefix)) for key in batch})


def _unlink(here: Here, redis: Redis, prefix: str) -> int:
    gone = 0
    for batch in redis.names(_checked(prefix)):
        here.look()
        gone += int(redis.call("UNLINK", *_own(batch, prefix)))
        here.progress(gone, 0, "keys")
    return gone


def _own(keys: Sequence[bytes], prefix: str) -> list[bytes]:
    return [key for key in keys if key.startswith(prefix.encode())]


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {
    "redis.read": read,
    "redis.make_user": make_user,
    "redis.drop_user": drop_user,
    "redis.limit": limit,
    "redis.flush": flush,
    "redis.count": count,
    "redis.prove": prove,
}
