"""Puts another domain or URL into a site's database and wp-config.php, cell by cell, and each back as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from steelyard.toolbox.hosted.serialised import Address
from steelyard.toolbox.model import Action, Check, Json, Plan, Refused, Risk, Row, Site, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook, Values
from steelyard.toolbox.tools import addresses, caches, files, http, php, redis, tables, wp
from steelyard.toolbox.tools.addresses import Move
from steelyard.web.said import N_, Said

ADDRESS = r"(https?://)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+(:\d{1,5})?"
PATH = r"(/[A-Za-z0-9._~-]+)*"
PER_SECOND = 3_000
_EXAMPLES = 12


def reads(asked: Asked) -> tuple[Read, ...]:
    site = asked.site
    move = _move(asked.values)
    inside = Read("tables", tables.read(site.docroot, str(site.hints.get("php", ""))))
    return wp.read(site), php.read(site), caches.read(site), inside, addresses.look(site, move)


def plan(asked: Asked, facts: Facts) -> Plan:
    wordpress, found, move = facts["wordpress"], facts["addresses"], _move(asked.values)
    if "missing" in wordpress or not found:
        raise Refused("no_wordpress", Said(N_("There is no WordPress in this docroot: check the site's docroot.")))
    if "failed" in facts["tables"]:
        says = N_("The site's database does not answer: %(why)s")
        raise Refused("no_database", Said(says, {"why": str(facts["tables"]["said"])}))
    _refuse_odd(move, bool(wordpress["multisite"]))
    ours = tables.ours(facts["tables"], wordpress["prefix"])
    told = [each for each in found["tables"] if each["table"] in ours.tables]
    names = [each["table"] for each in told if each["columns"]]
    size = sum(each["bytes"] for each in told)
    if size * 2 > found["free"]:
        says = N_("What changes is kept on the host, up to %(size)s, and there are %(free)s free: make room first.")
        raise Refused("no_room", Said(says, {"size": Size(size * 2), "free": Size(found["free"])}))
    steps = tuple(_steps(asked, facts, names, told))
    if not steps:
        says = Said(N_("%(address)s stands nowhere in this site."), {"address": move.before})
        return Plan((), nothing=says, warnings=tuple(_warnings(asked.site, facts, told, names, move)), undoable=False)
    config, prefix, hint = wordpress["config"], wordpress["prefix"], str(asked.site.hints.get("php", ""))
    gone = Said(N_("%(address)s is left nowhere but where this plan says so"), {"address": move.before})
    counted = addresses.count(config, prefix, move, names, hint)
    return Plan(
        steps,
        checks=(Check(gone, counted, {"found": 0}), http.answers(asked.site)),
        concerns=tuple(_concerns(told, found["constants"])),
        warnings=tuple(_warnings(asked.site, facts, told, names, move)),
        left=(
            Said(N_("Let the web server, the certificate and the DNS know %(address)s."), {"address": move.after}),
            Said(N_("Correct the site's name and URL in Steelyard's list of sites.")),
        ),
        keeps={"config": config, "flush": _flushed(asked.site, facts), "wordpress": _redis_of(wordpress)},
    )


def _refuse_odd(move: Move, network: bool) -> None:
    if ("://" in move.before) != ("://" in move.after):
        raise Refused("mixed", Said(N_("Give two domains, or two URLs that both begin with http:// or https://.")))
    if network and "://" in move.before:
        says = N_("A network keeps its sites' domains without http://: give two domains, and its URLs change as well.")
        raise Refused("network", Said(says))
    if Address(move.before, move.after).found(move.after.encode()):
        says = N_("%(after)s holds %(before)s itself: done twice, it would be wrong. Go by way of a third address.")
        raise Refused("holds_itself", Said(says, {"after": move.after, "before": move.before}))


def _steps(asked: Asked, facts: Facts, names: Sequence[str], told: Sequence[Mapping[str, Json]]) -> Iterator[Step]:
    wordpress, move = facts["wordpress"], _move(asked.values)
    if names:
        cells = sum(count for each in told for count, _ in each["columns"].values())
        places = sum(count for each in told for _, count in each["columns"].values())
        says = N_("%(cells)s cells of %(tables)s tables, %(places)s places; what they are now is kept on the host.")
        yield Step(
            "replace",
            Said(N_("Put the new address into the database")),
            Said(says, {"cells": cells, "tables": len(names), "places": places}),
            (addresses.replace(
                wordpress["config"], wordpress["prefix"], move, names, str(asked.site.hints.get("php", ""))
            ),),
            seconds=0.3 + cells / PER_SECOND,
        )  # fmt: skip
    if facts["addresses"]["constants"]:
        config = wordpress["config"]
        says = Said(N_("%(names)s in %(path)s"), {"names": ", ".join(facts["addresses"]["constants"]), "path": config})
        forget = php.forget(facts, [config])
        actions = (addresses.put_constants(config, move), *((forget,) if forget else ()))
        yield Step("constants", Said(N_("Put the new address into wp-config.php")), says, actions)
    flushed = _flushed(asked.site, facts)
    if flushed and (names or facts["addresses"]["constants"]):
        yield _flush(asked.site, flushed, wordpress)


def _flush(site: Site, prefix: str, wordpress: Mapping[str, Json]) -> Step:
    said: Facts = {"wordpress": wordpress}
    flush = redis.flush_site(site, said) or redis.flush_by_site(said, prefix)
    says = Said(N_("The keys that begin with %(prefix)s, which hold the old values."), {"prefix": prefix})
    return Step("flush_keys", Said(N_("Remove the site's keys from Redis")), says, (flush,))


def _flushed(site: Site, facts: Facts) -> str:
    """The prefix of the site's keys in an object cache, where they can be told from others'."""
    known = facts["caches"]["object"]
    told_apart = known["kind"] == "prefix" or (known["kind"] == "ours" and redis.flush_site(site, facts) is not None)
    return str(known["prefix"]) if told_apart else ""


def _redis_of(wordpress: Mapping[str, Json]) -> dict[str, Json]:
    """What undo needs to reach the object cache."""
    return {"config": wordpress["config"], "constants": redis.said_in(wordpress["constants"])}


def undo_reads(left: Left) -> tuple[Read, ...]:
    config, hint = left.keeps["config"], str(left.site.hints.get("php", ""))
    return php.read(left.site), addresses.left(config, hint), addresses.constants(config)


def undo(left: Left, facts: Facts) -> Plan:
    config, found, constants = left.keeps["config"], facts["left"], facts["constants"]["left"]
    if constants == "changed":
        says = N_("%(path)s was written by somebody else since: putting it back would lose that. Compare by hand.")
        raise Refused("changed", Said(says, {"path": config}))
    steps: list[Step] = []
    if found["left"]:
        says = N_("%(count)s cells, each as it was. %(changed)s that somebody wrote since stay.")
        restore = addresses.restore(config, str(left.site.hints.get("php", "")))
        counts = {"count": found["left"], "changed": found["changed"]}
        seconds = 0.2 + found["left"] / PER_SECOND
        steps.append(Step("restore", Said(N_("Put the database back")), Said(says, counts), (restore,), seconds))
    if constants:
        forget = php.forget(facts, [config])
        actions: tuple[Action, ...] = (addresses.restore_constants(config), *((forget,) if forget else ()))
        title = Said(N_("Put wp-config.php back as it was"))
        steps.append(Step("restore_constants", title, Said(N_("%(path)s, to the byte."), {"path": config}), actions))
    if not steps:
        return Plan((), nothing=Said(N_("Nothing stands as the run left it.")))
    if left.keeps["flush"]:
        steps.append(_flush(left.site, left.keeps["flush"], left.keeps["wordpress"]))
    return Plan(tuple(steps), checks=(http.answers(left.site),), undoable=False)


def erase(left: Left) -> tuple[Action, ...]:
    return (files.clear_work(),)


def _concerns(told: Sequence[Mapping[str, Json]], constants: Sequence[str]) -> Iterator[Row]:
    for each in told:
        for column, (cells, places) in each["columns"].items():
            says = Said(N_("%(cells)s cells, %(places)s places"), {"cells": cells, "places": places})
            yield Row(Said(N_("Column %(name)s"), {"name": f"{each['table']}.{column}"}), says)
    examples = ((each["table"], *example) for each in told for example in each["examples"])
    for table, column, before, after in islice(examples, _EXAMPLES):
        label = Said(N_("For example in %(name)s"), {"name": f"{table}.{column}"})
        yield Row(label, Said(N_("%(before)s becomes %(after)s"), {"before": before, "after": after}))
    if constants:
        yield Row(Said(N_("In wp-config.php")), ", ".join(constants))


def _warnings(
    site: Site, facts: Facts, told: Sequence[Mapping[str, Json]], names: Sequence[str], move: Move
) -> Iterator[Said]:
    counts = {key: sum(each[key] for each in told) for key in ("broken", "keys", "big", "long")}
    of = {key: ", ".join(each["table"] for each in told if each[key]) for key in (*counts, "keyless")}
    words = {
        "broken": N_("%(count)s cells of %(tables)s look serialized and cannot be read: they stay as they are."),
        "keys": N_("%(count)s places in names of array keys stay, since plugins look them up: %(tables)s."),
        "big": N_(
            "%(count)s cells of %(tables)s are larger than 16 MB, or hold what DB_CHARSET cannot say: they stay."
        ),
        "long": N_("%(count)s cells of %(tables)s would be too long for their column: they stay as they are."),
    }
    for key, says in words.items():
        if counts[key]:
            yield Said(says, {"count": counts[key], "tables": of[key]})
    if of["keyless"]:
        yield Said(N_("These tables have no primary key, and stay as they are: %(tables)s"), {"tables": of["keyless"]})
    if f"{facts['wordpress']['prefix']}posts" in names and not move.guid:
        yield Said(N_("What identifies posts in feeds (guid) stays, so that readers do not see all posts anew."))
    if facts["caches"]["object"]["kind"] != "none" and not _flushed(site, facts):
        yield Said(N_("The object cache cannot be told from other sites': clear it by hand afterwards."))


def _move(values: Values) -> Move:
    before, after = (str(values[name]).strip().rstrip("/") for name in ("from", "to"))
    return Move(before, after, bool(values["guid"]))


_REFUSAL = N_("Give a domain such as shop.example, or a URL such as https://shop.example.")
RUNBOOK = Runbook(
    name="search_replace_domain",
    title=N_("Replace a domain"),
    summary=N_("Puts another domain or URL into the site's database and wp-config.php, serialized values too."),
    risk=Risk.CHANGES,
    minutes=20,
    parameters=(
        Parameter("from", N_("Old domain or URL"), pattern=f"{ADDRESS}{PATH}/?", refusal=_REFUSAL, required=True),
        Parameter("to", N_("New domain or URL"), pattern=f"{ADDRESS}{PATH}/?", refusal=_REFUSAL, required=True),
        Parameter(
            "guid", N_("Also what identifies posts in feeds"), "switch",
            help=N_("Only for a site that nobody knows yet."),
        ),
    ),
    reads=reads,
    plan=plan,
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("domains", "migration"),
)  # fmt: skip
