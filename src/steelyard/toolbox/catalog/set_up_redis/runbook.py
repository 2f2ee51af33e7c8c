"""Sets up Redis as a WordPress's object cache: a user with the site's keys alone, constants, drop-in; a hit is seen."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.toolbox.model import Action, Check, Json, Plan, Refused, Risk, Row, Secret, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import files, http, php, redis, wp
from steelyard.web.said import N_, Said
from steelyard.web.tables import Choice

MB = 1024 * 1024

PASSWORD = Secret("redis_user")


def reads(asked: Asked) -> tuple[Read, ...]:
    site = asked.site
    return (
        wp.read(site),
        php.read(site),
        redis.read(site, _endpoint(asked)),
        redis.look(site, plugin=bool(_plugin(asked))),
    )


def plan(asked: Asked, facts: Facts) -> Plan:
    _refuse(facts)
    _refuse_plugin(asked, facts)
    found, dropin = facts["redis"], facts["dropin"]
    name, place = _name(asked, facts), redis.at(asked.site, _endpoint(asked))
    constants, known = _constants(place, name), found["known"].get(name, {"user": False, "keys": 0})
    if (
        known["user"]
        and dropin["ours"]
        and not _plugin(asked)
        and _are_set(facts, constants)
        and not _limit(asked, facts)
    ):
        already = Said(
            N_("Redis keeps the object cache of this site already: %(count)s keys."), {"count": known["keys"]}
        )
        return Plan((), nothing=already, undoable=False)
    url = f"{facts['wordpress']['url'].rstrip('/')}/?steelyard={asked.token}"
    hit = Check(
        Said(N_("A page is answered from Redis, from keys of the site's own")),
        redis.prove(asked.site, place, name, url, ours=not _plugin(asked)),
        {"status": http.LETS_IN, "keys": True, "hit": True},
        tries=25,
    )
    return Plan(
        tuple(_steps(asked, facts, place, constants)),
        checks=(hit,),
        concerns=_concerns(facts, place, name),
        warnings=tuple(_warnings(asked, facts)),
        keeps={
            "name": name,
            "path": dropin["path"],
            "config": dropin["config"],
            "limit": [found["limit"], found["policy"]] if _limit(asked, facts) else None,
        },
    )


def undo(left: Left, facts: Facts) -> Plan:
    steps = tuple(_back(left, facts))
    if not steps:
        return Plan((), nothing=Said(N_("Redis, wp-config.php and object-cache.php are as they were before.")))
    return Plan(steps, checks=(http.answers(left.site),))


def undo_reads(left: Left) -> tuple[Read, ...]:
    of_redis = redis.read(left.site, str(left.values["endpoint"]), [left.keeps["name"]])
    return php.read(left.site), redis.look(left.site, left.token), of_redis


def erase(left: Left) -> tuple[Action, ...]:
    return (files.clear_work(),)


def _endpoint(asked: Asked) -> str:
    return str(asked.values["endpoint"])


def _plugin(asked: Asked) -> Json:
    """The archive of a plugin whose drop-in was chosen; None for our own."""
    return asked.site.hints.get("redis_plugin") if asked.values["dropin"] == "plugin" else None


def _refuse_plugin(asked: Asked, facts: Facts) -> None:
    if asked.values["dropin"] == "plugin" and not _plugin(asked):
        says = N_("No archive of a plugin is known: put its zip on the host, then name it in the hint “redis_plugin”.")
        raise Refused("no_plugin", Said(says))
    if "missing" in facts["dropin"]["plugin"]:
        says = N_("The plugin's archive cannot be used: %(why)s")
        raise Refused(facts["dropin"]["plugin"]["missing"], Said(says, {"why": facts["dropin"]["plugin"]["message"]}))


def _name(asked: Asked, facts: Facts) -> str:
    """What the site is called in Redis: as an earlier run named it, else after this run."""
    prefix = redis.own_prefix(asked.site, facts["wordpress"]["constants"])
    return prefix[:-1] if prefix else redis.name_of(asked.site, asked.token)


def _refuse(facts: Facts) -> None:
    site, of_php, found, dropin = facts["wordpress"], facts["php"], facts["redis"], facts["dropin"]
    if "missing" in site:
        raise Refused("no_wordpress", Said(N_("There is no WordPress in this docroot: check the site's docroot.")))
    if "redis" not in of_php["extensions"]["fpm" if of_php["fpm"] else "cli"]:
        says = N_("PHP %(version)s has no extension redis: run “Install a PHP extension” for redis first.")
        raise Refused("no_extension", Said(says, {"version": of_php["version"]}))
    if "missing" in found:
        raise Refused(found["missing"], Said(N_("Redis cannot be used: %(why)s"), {"why": found["message"]}))
    if not found["users"]:
        says = N_("Redis %(version)s knows no users, so sites could read each other's keys: use Redis 6 or newer.")
        raise Refused("old_redis", Said(says, {"version": found["version"]}))
    if not found["may"]:
        says = N_("We may not make users in Redis: set the host's secret “redis” and the hint “redis” with its admin.")
        raise Refused("redis_denied", Said(says))
    if dropin["kind"] in ("folder", "other"):
        says = N_("%(path)s is neither a file nor a link: look at it, and move it away by hand.")
        raise Refused("odd_dropin", Said(says, {"path": dropin["path"]}))
    if not dropin["mine"]:
        says = N_("%(path)s does not belong to the site's account, or its folder is closed to it: fix the owner first.")
        raise Refused("not_yours", Said(says, {"path": dropin["config"]}))


def _constants(place: dict[str, Json], name: str) -> dict[str, Json]:
    """What wp-config.php has to say. The most used plugins go by the same names."""
    where: dict[str, Json] = (
        {"WP_REDIS_SCHEME": "unix", "WP_REDIS_PATH": place["socket"]}
        if "socket" in place
        else {"WP_REDIS_SCHEME": "tcp", "WP_REDIS_HOST": place["host"], "WP_REDIS_PORT": place["port"]}
    )
    return where | {"WP_REDIS_PREFIX": f"{name}:", "WP_REDIS_PASSWORD": [name, PASSWORD]}


def _are_set(facts: Facts, constants: dict[str, Json]) -> bool:
    now = facts["wordpress"]["constants"]
    return all(now.get(name) == value for name, value in constants.items() if name != "WP_REDIS_PASSWORD")


def _limit(asked: Asked, facts: Facts) -> tuple[int, str] | None:
    """Bytes and policy, where others than the server's were chosen."""
    wanted = (int(asked.values["limit"]) * MB, str(asked.values["policy"]))
    return wanted if wanted[0] and wanted != (facts["redis"]["limit"], facts["redis"]["policy"]) else None


def _steps(asked: Asked, facts: Facts, place: dict[str, Json], constants: dict[str, Json]) -> Iterator[Step]:
    dropin, name = facts["dropin"], _name(asked, facts)
    config, path = dropin["config"], dropin["path"]
    yield Step(
        "make_user",
        Said(N_("Make a user for this site in Redis")),
        Said(N_("%(name)s, who may read and write keys that begin with %(name)s: and no others"), {"name": name}),
        (redis.make_user(place, name, PASSWORD, plugin=bool(_plugin(asked))),),
        touches=False,
    )
    if wanted := _limit(asked, facts):
        yield Step(
            "limit",
            Said(N_("Limit the memory of Redis")),
            Said(N_("%(limit)s, then %(policy)s"), {"limit": Size(wanted[0]), "policy": wanted[1]}),
            (redis.limit(place, *wanted),),
        )
    yield Step(
        "configure",
        Said(N_("Tell WordPress where Redis is")),
        Said(N_("%(count)s constants in %(path)s"), {"count": len(constants), "path": config}),
        (redis.configure(config, asked.token, constants, facts["php"]["cli"]), *_forget(facts, config)),
    )
    yield Step(
        "put_dropin",
        Said(N_("Put the drop-in in")),
        Said(N_("%(path)s"), {"path": path}),
        (redis.put_dropin(path, asked.token, _plugin(asked)), *_forget(facts, path)),
    )


def _back(left: Left, facts: Facts) -> Iterator[Step]:
    now, keeps, found = facts["dropin"].get("left", {}), left.keeps, facts["redis"]
    place = redis.at(left.site, str(left.values["endpoint"]))
    if now.get("dropin") in ("whole", "changed"):
        yield Step(
            "take_dropin",
            Said(N_("Put object-cache.php back as it was")),
            Said(N_("%(path)s"), {"path": keeps["path"]}),
            (redis.take_dropin(keeps["path"], left.token), *_forget(facts, keeps["path"])),
        )
    if now.get("config") in ("whole", "changed"):
        yield Step(
            "unconfigure",
            Said(N_("Put wp-config.php back as it was")),
            Said(N_("%(path)s"), {"path": keeps["config"]}),
            (redis.unconfigure(keeps["config"], left.token), *_forget(facts, keeps["config"])),
        )
    known = found.get("known", {}).get(keeps["name"], {})
    if known.get("user") or known.get("keys"):
        yield Step(
            "drop_user",
            Said(N_("Take the site's user and keys out of Redis")),
            Said(N_("%(name)s and %(count)s keys"), {"name": keeps["name"], "count": known["keys"]}),
            (redis.drop_user(place, keeps["name"]),),
            touches=False,
        )
    chosen: list[Json] = [int(left.values["limit"]) * MB, left.values["policy"]]
    if keeps["limit"] and [found.get("limit"), found.get("policy")] == chosen:
        yield Step(
            "unlimit",
            Said(N_("Give Redis the memory limit that it had")),
            Said(N_("%(limit)s, then %(policy)s"), {"limit": Size(keeps["limit"][0]), "policy": keeps["limit"][1]}),
            (redis.limit(place, *keeps["limit"], unless=chosen),),
        )


def _forget(facts: Facts, path: str) -> tuple[Action, ...]:
    forget = php.forget(facts, [path])
    return (forget,) if forget else ()


def _concerns(facts: Facts, place: dict[str, Json], name: str) -> tuple[Row, ...]:
    found, dropin = facts["redis"], facts["dropin"]
    where = str(place["socket"]) if "socket" in place else f"{place['host']}:{place['port']}"
    kept = {"none": Said(N_("none")), "link": Said(N_("a link, kept for the undo"))}
    ours = Said(N_("our own")) if dropin["ours"] else None
    named = Said(N_("of %(name)s, kept for the undo"), {"name": dropin["name"] or "?"})
    return (
        Row(Said(N_("Redis")), f"{found['version']}, {where}"),
        Row(Said(N_("Memory used")), Size(found["used"])),
        Row(Said(N_("Memory limit")), Size(found["limit"]) if found["limit"] else Said(N_("none"))),
        Row(Said(N_("When memory is full")), found["policy"]),
        Row(Said(N_("Keys begin with")), f"{name}:"),
        Row(Said(N_("object-cache.php until now")), ours or kept.get(dropin["kind"], named)),
    )


def _warnings(asked: Asked, facts: Facts) -> Iterator[Said]:
    found, dropin = facts["redis"], facts["dropin"]
    limit, policy = _limit(asked, facts) or (found["limit"], found["policy"])
    if dropin["kind"] != "none" and not dropin["ours"]:
        says = N_("%(path)s of “%(name)s” is there already and gives way. The undo puts it back.")
        yield Said(says, {"path": dropin["path"], "name": dropin["name"] or "?"})
    if _plugin(asked):
        yield Said(N_("A plugin's flush lists keys: its user can see the names of all sites' keys in this Redis."))
    if not limit:
        yield Said(N_("Redis has no memory limit: it can take all memory of its host. Choose one below."))
    elif policy == "noeviction":
        yield Said(
            N_("When its memory is full, Redis refuses writes (noeviction): the cache stops taking what is new.")
        )
    if _limit(asked, facts):
        yield Said(N_("The memory limit holds for all sites that use this Redis."))
    if not found["saved"]:
        yield Said(
            N_("Redis has no file of users: if it cannot write its settings either, the user is gone at a restart.")
        )
    if not facts["wordpress"]["literal"]:
        yield Said(N_("wp-config.php decides as it runs: look at it afterwards."))


RUNBOOK = Runbook(
    name="set_up_redis",
    title=N_("Set up Redis"),
    summary=N_("Keeps WordPress's object cache in Redis, under keys that only this site can read."),
    risk=Risk.CHANGES,
    minutes=15,
    plan=plan,
    reads=reads,
    parameters=(
        Parameter(
            "endpoint",
            N_("Redis server"),
            help=N_("Such as 10.0.0.5:6379 or /run/redis/redis.sock. Empty: the one of the site's host."),
            pattern=r"(|/[!-~]{1,100}|[A-Za-z0-9.\[\]:-]{1,200}:[0-9]{1,5})",
            refusal=N_("A server is written as address:port, or as the path of a socket."),
        ),
        Parameter(
            "dropin",
            N_("Drop-in"),
            "choice",
            help=N_("A plugin's comes from the archive that the operator put on the host."),
            choices=(Choice("own", N_("Steelyard's own")), Choice("plugin", N_("of the operator's plugin"))),
        ),
        Parameter(
            "limit",
            N_("Memory limit in MB"),
            "number",
            0,
            N_("For the whole server, where it is yours to set. 0: stays as it is."),
            most=1_000_000,
        ),
        Parameter(
            "policy",
            N_("When memory is full"),
            "choice",
            help=N_("Only with a memory limit."),
            choices=(
                Choice("allkeys-lru", N_("the least recently used keys go")),
                Choice("allkeys-lfu", N_("the least often used keys go")),
                Choice("volatile-lru", N_("the least recently used keys that have an end go")),
            ),
        ),
    ),
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("caching",),
)
