"""Clears what a site keeps ready: object cache, pages, compiled PHP, transients. Nothing of any other site's."""

from __future__ import annotations

from collections.abc import Iterator

from steelyard.toolbox.model import Action, Check, Plan, Refused, Risk, Row, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Parameter, Read, Runbook
from steelyard.toolbox.tools import caches, http, php, redis, wp
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    site = asked.site
    return wp.read(site), php.read(site), php.compiled(site), caches.read(site), redis.read(site)


def plan(asked: Asked, facts: Facts) -> Plan:
    if "missing" in facts["wordpress"]:
        raise Refused("no_wordpress", Said(N_("There is no WordPress in this docroot: check the site's docroot.")))
    steps = tuple(_steps(asked, facts))
    if not steps:
        nothing = Said(N_("Nothing of this site is kept in the caches that were chosen."))
        return Plan((), warnings=tuple(_warnings(asked, facts)), nothing=nothing, undoable=False)
    url = f"{facts['wordpress']['url'].rstrip('/')}/"
    answers = Said(N_("The site answers, and fills its caches anew"))
    get = http.get(url, to=asked.site.hints.get("http_to"), timeout=30.0)
    return Plan(
        steps,
        checks=(Check(answers, get, {"status": http.LETS_IN}, tries=10),),
        concerns=_concerns(facts),
        warnings=tuple(_warnings(asked, facts)),
        undoable=False,
    )


def _steps(asked: Asked, facts: Facts) -> Iterator[Step]:
    """Deepest first: what is cleared later is filled from what was cleared before."""
    found, values = facts["caches"], asked.values
    if values["transients"] and found["transients"]:
        site = facts["wordpress"]
        says = Said(
            N_("%(count)s rows of %(table)s"), {"count": found["transients"], "table": f"{site['prefix']}options"}
        )
        delete = caches.clear_transients(site["config"], site["prefix"], str(asked.site.hints.get("php", "")))
        yield Step("clear_transients", Said(N_("Delete WordPress's transients")), says, (delete,))
    if values["object"] and (flush := _flush(asked, facts)):
        prefix = found["object"]["prefix"]
        says = Said(N_("%(count)s keys that begin with %(prefix)s"), {"count": _keys(facts), "prefix": prefix})
        yield Step("flush_keys", Said(N_("Remove the site's keys from Redis")), says, (flush,))
    if values["php"] and facts["php"]["fpm"]:
        yield _forget(asked, facts)
    if values["pages"] and found["folders"]:
        paths = [each["path"] for each in found["folders"]]
        count, size = (sum(each[key] for each in found["folders"]) for key in ("files", "bytes"))
        says = N_("%(files)s files, %(size)s, in %(paths)s")
        yield Step(
            "clear_folders",
            Said(N_("Empty the folders of page caches")),
            Said(says, {"files": count, "size": Size(size), "paths": ", ".join(paths)}),
            (caches.clear_folders(paths, asked.token),),
        )
    if values["pages"] and found["nginx"] and found["nginx"]["files"]:
        says = Said(
            N_("%(files)s files, %(size)s"), {"files": found["nginx"]["files"], "size": Size(found["nginx"]["bytes"])}
        )
        yield Step(
            "clear_nginx",
            Said(N_("Remove the site's pages from nginx's cache")),
            says,
            (caches.clear_nginx(asked.site),),
        )


def _keys(facts: Facts) -> int:
    """How many keys the site has in Redis, where that could be counted."""
    of_site = facts["caches"]["object"]
    return int(facts["redis"].get("known", {}).get(of_site["prefix"][:-1], of_site)["keys"])


def _flush(asked: Asked, facts: Facts) -> Action | None:
    """Where the site's keys are told from others'; None for what only says that they are its own."""
    known = facts["caches"]["object"]
    if known["kind"] == "ours":
        return redis.flush_site(asked.site, facts)
    return redis.flush_by_site(facts, known["prefix"]) if known["kind"] == "prefix" else None


def _forget(asked: Asked, facts: Facts) -> Step:
    """Only the site's own files where FPM can be asked to; else FPM is reloaded, which all its sites feel."""
    held, title = facts["compiled"], Said(N_("Have PHP compile the site's files anew"))
    forget, reload = php.forget(facts, [asked.site.docroot]), php.reload(asked.site, facts)
    if held["asked"] and forget:
        says = Said(N_("%(count)s files, %(size)s"), {"count": held["scripts"], "size": Size(held["bytes"])})
        return Step("forget_compiled", title, says, (forget,))
    says = Said(N_("PHP-FPM %(version)s is reloaded: all its sites compile anew"), {"version": facts["php"]["version"]})
    return Step("reload_php", title, says, (reload,) if reload else ())


def _concerns(facts: Facts) -> tuple[Row, ...]:
    found, folders = facts["caches"], facts["caches"]["folders"]
    return (
        Row(Said(N_("Keys in Redis")), _keys(facts)),
        Row(Said(N_("Compiled PHP files")), facts["compiled"]["scripts"]),
        *(Row(Said(N_("Files in %(path)s"), {"path": each["path"]}), each["files"]) for each in folders),
        Row(Said(N_("Transients in the database")), found["transients"]),
    )


def _warnings(asked: Asked, facts: Facts) -> Iterator[Said]:
    found = facts["caches"]
    known = found["object"]
    foreign = known["kind"] == "ours" and _flush(asked, facts) is None
    if asked.values["object"] and (foreign or (known["kind"] == "unknown" and known["why"] == "prefix")):
        says = N_(
            "The object cache stays: its keys cannot be told from other sites'. “Set up Redis” gives it a prefix of"
            " its own."
        )
        yield Said(says)
    elif asked.values["object"] and known["kind"] == "unknown":
        yield Said(N_("The object cache stays: %(why)s"), {"why": known["why"]})
    if asked.values["pages"] and found["links"]:
        yield Said(N_("These are links and stay as they are: %(paths)s"), {"paths": ", ".join(found["links"])})


RUNBOOK = Runbook(
    name="clear_caches",
    title=N_("Clear the caches"),
    summary=N_("Clears what the site keeps ready, for this site alone: object cache, pages, compiled PHP, transients."),
    risk=Risk.CHANGES,
    minutes=5,
    plan=plan,
    reads=reads,
    parameters=(
        Parameter("object", N_("Object cache"), "switch", True, N_("The site's own keys in Redis.")),
        Parameter("pages", N_("Page caches"), "switch", True, N_("Of plugins, and of nginx where the host says so.")),
        Parameter("php", N_("Compiled PHP"), "switch", True, N_("What PHP-FPM keeps of the site's files.")),
        Parameter(
            "transients", N_("Transients"), "switch", False, N_("What plugins keep for a while in the database.")
        ),
    ),
    topics=("caching",),
)
