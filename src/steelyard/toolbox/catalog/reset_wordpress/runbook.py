"""Reset a site to a fresh WordPress: everything slow beside the live site, two exchanges, proof; and the two back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steelyard.toolbox.catalog.reset_wordpress import showing
from steelyard.toolbox.catalog.reset_wordpress.deciding import Way, candidates, decide, no
from steelyard.toolbox.model import Action, By, Check, Json, Plan, Risk, Size, Step, one_of
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import commands, core, php, redis, tables, wp
from steelyard.web.said import N_, Said
from steelyard.web.tables import Choice

PARAMETERS = (
    Parameter(
        "version", N_("WordPress"),
        help=N_("A version, such as 7.1.1. Empty: the newest that is held here."),
        pattern=r"(\d+(\.\d+){1,2}(-[A-Za-z0-9.]+)?)?", refusal=N_("A version is written as 7.1.1."),
    ),
    Parameter(
        "locale", N_("Language"), help=N_("Such as fr_FR. Empty: the site’s own, if it is held here."),
        pattern=r"([a-z]{2,3}(_[A-Za-z]{2,})?(_[a-z]+)?)?", refusal=N_("A language is written as fr_FR."),
    ),
    Parameter(
        "administrator", N_("Administrator"), kind="choice",
        choices=(
            Choice("keep", N_("Keep the one there is, with the password")),
            Choice("new", N_("A new one")),
        ),
    ),
    Parameter(
        "login", N_("Login"), help=N_("Of the administrator. Empty: the first there is, or admin."),
        pattern=r"[A-Za-z0-9 _.@-]{0,60}", refusal=N_("A login has letters, digits, spaces and _ . @ -"),
    ),
    Parameter(
        "email", N_("E-mail"), help=N_("Of a new administrator. Empty: admin at the site’s name."),
        pattern=r"([^@\s]+@[^@\s]+\.[^@\s]+)?", refusal=N_("This is no e-mail address."),
    ),
    Parameter(
        "password", N_("Password"), secret=True,
        help=N_("Of a new administrator. Empty: nobody knows it, and a sign-in link lets somebody in."),
    ),
    Parameter("title", N_("Title"), help=N_("Of the site. Empty: its name.")),
    Parameter(
        "uploads", N_("Keep the uploaded files"), kind="switch",
        help=N_("The folder uploads stays; the media library is empty all the same."),
    ),
)  # fmt: skip


def reads(asked: Asked) -> tuple[Read, ...]:
    """The site, its files and tables, what WordPress lies ready on the host, and the PHP that serves it."""
    docroot = asked.site.docroot
    return (
        wp.read(asked.site),
        Read("files", core.read(docroot)),
        Read("tables", tables.read(docroot, _php(asked))),
        Read("slots", core.look(asked.site, candidates(asked))),
        php.read(asked.site),
    )


def plan(asked: Asked, facts: Facts) -> Plan:
    """Stage, exchange tables and files, let PHP and Redis forget the old ones, prove it. Raises Refused."""
    way = decide(asked, facts)
    return Plan(
        steps=(
            *_bring(way),
            _stage(way),
            _exchange_tables(way),
            _exchange_files(way),
            *_reload(way),
            *_flush(way.flush),
        ),
        checks=(_proof(way),),
        concerns=tuple(showing.concerns(way)),
        warnings=tuple(showing.warnings(way)),
        left=tuple(showing.left(way)),
        keeps=_keeps(way),
    )


# Forward


def _bring(way: Way) -> Iterator[Step]:
    if not way.there:
        says = Said(N_("%(name)s with %(size)s, proved by its signed manifest"), _slot(way))
        bring = core.bring(way.asked.site, way.slot)
        yield Step("bring", Said(N_("Bring WordPress to the host")), says, (bring,), seconds=20.0, touches=False)


def _stage(way: Way) -> Step:
    config = {
        "from": way.site["config"],
        "prefix": way.prefix,
        "constants": showing.kept(way),
        "forwarded": way.site["forwarded"],
        "mode": way.files["modes"]["config"],
    }
    files = core.stage(
        way.root,
        way.asked.token,
        way.mode,
        slot=way.slot_path,
        sha256=way.slot.sha256,
        spare=way.slot.sha256[:12] if way.spared else "",
        modes=way.files["modes"],
        keep=way.keep if way.mode == "exchange" else [],
        config=config | _with_php(way.asked),
    )
    says = Said(
        N_("%(name)s: %(count)s files with %(size)s and %(tables)s tables, beside the live site"),
        {**_slot(way), "tables": len(way.fresh)},
    )
    seconds = (0.4 if way.spared else 1.2) + (0.0 if way.slot.tables else 0.8)
    actions = (commands.together(files, _stage_tables(way)),)
    return Step("stage", Said(N_("Prepare the fresh site")), says, actions, seconds, touches=False)


def _stage_tables(way: Way) -> Action:
    args: dict[str, Json] = {
        "config": way.site["config"],
        "staged": tables.staged_prefix(way.asked.token),
        "prefix": way.prefix,
        "old": way.prefix if way.facts["tables"]["users"] is not None else "",
        "url": way.url,
        "title": way.asked.values["title"] or way.asked.site.name,
        "administrator": way.administrator,
    }
    if way.slot.tables:
        args["template"] = {"slot": way.slot_path, "sha256": way.slot.sha256}
    else:
        args["install"] = {"core": f"{way.slot_path}/files", "language": way.slot.locale} | _with_php(way.asked)
    return Action("tables.stage", args | _with_php(way.asked), timeout=120.0)


def _exchange_tables(way: Way) -> Step:
    counts = {"old": len(way.trash), "size": Size(way.ours.bytes), "new": len(way.fresh)}
    says = Said(N_("%(old)s tables with %(size)s to the trash, %(new)s fresh ones into their place"), counts)
    rename = tables.rename(way.configs, [*way.trash, *way.fresh], _php(way.asked))
    seconds = 0.03 + 0.002 * (len(way.trash) + len(way.fresh))
    return Step("exchange_tables", Said(N_("Exchange the tables, in one statement")), says, (rename,), seconds)


def _exchange_files(way: Way) -> Step:
    counts = {"root": way.root, "count": way.files["files"], "size": Size(way.files["bytes"])}
    says = Said(N_("%(root)s: %(count)s files with %(size)s to the trash, the fresh ones into their place"), counts)
    uploads = (core.uploads(way.place, _uploads(way)),) if _uploads(way) else ()
    return Step("exchange_files", Said(N_("Exchange the files")), says, (core.exchange(way.place), *uploads), 0.02)


def _uploads(way: Way) -> str:
    """Where the uploaded files are below the docroot, if they are to stay."""
    content = way.site["content"]
    inside = content.startswith(way.root + "/")
    return f"{content[len(way.root) + 1 :]}/uploads" if inside and way.asked.values["uploads"] else ""


def _reload(way: Way) -> Iterator[Step]:
    reload = php.reload(way.asked.site, way.facts)
    if reload is not None:
        says = Said(N_("It forgets the old site’s code"))
        yield Step("reload_php", Said(N_("Reload PHP-FPM")), says, (reload,), 0.05)


def _proof(way: Way) -> Check:
    args: dict[str, Json] = {"core": way.root, "config": way.configs[0], "prefix": way.prefix, "url": way.url}
    args["to"] = way.asked.site.hints.get("http_to")
    # 401 and 403: a site that is closed by its web server stays closed.
    answers = one_of(200, 401, 403)
    expects = {"version": way.slot.version, "users": 1, "posts": 1, "home": answers, "login": answers, "shown": True}
    says = Said(
        N_("Home page and sign-in answer, WordPress is %(version)s, with one user and one post"),
        {"version": way.slot.version},
    )
    return Check(says, Action("wordpress.prove", args), expects, tries=5)


def _keeps(way: Way) -> dict[str, Json]:
    reload = php.reload(way.asked.site, way.facts)
    kept: dict[str, Json] = {
        "place": way.place,
        "configs": way.configs,
        "prefix": way.prefix,
        "tables": dict(way.trash),
        "fresh": dict(way.fresh),
        "uploads": _uploads(way),
        "reload": {"argv": list(reload.args["argv"]), "by": reload.by.value} if reload is not None else None,
    } | _with_php(way.asked)
    return kept | ({"redis": redis.said_in(way.site["constants"])} if way.flush else {})


# Back


def undo_reads(left: Left) -> tuple[Read, ...]:
    """Which files are in place, and which tables there are."""
    place, configs = left.keeps["place"], left.keeps["configs"]
    php_path = left.keeps.get("php", "")
    return (Read("left", core.left(place, configs)), Read("tables", tables.read_left(place, configs, php_path)))


def undo(left: Left, facts: Facts) -> Plan:
    """The two exchanges back, those that were done; what came since is kept aside until the trash is erased."""
    if "failed" in facts["tables"]:
        raise no("database", said=facts["tables"]["said"])
    steps = [*_files_back(left, facts["left"]), *_tables_back(left, facts["tables"])]
    if not steps:
        return Plan((), nothing=Said(N_("The site’s own files and tables are in place.")), undoable=False)
    reload = left.keeps["reload"]
    if reload:
        again = Action("run", {"argv": reload["argv"]}, By(reload["by"]), timeout=30.0)
        says = Said(N_("It forgets the fresh site’s code"))
        steps.append(Step("reload_php", Said(N_("Reload PHP-FPM")), says, (again,), 0.05))
    known: Facts = {"wordpress": {"constants": left.keeps.get("redis", {})}}
    steps.extend(_flush(redis.flush_replaced(left.site, known)))
    says = Said(N_("The site’s own files and tables are in place"))
    check = Check(says, core.left(left.keeps["place"], left.keeps["configs"]), {"files": one_of("old", "none")})
    return Plan(steps=tuple(steps), checks=(check,), keeps=left.keeps, undoable=False)


def _files_back(left: Left, found: Facts) -> Iterator[Step]:
    if found["files"] not in ("fresh", "between"):
        return
    place, uploads = left.keeps["place"], left.keeps["uploads"]
    actions = [core.uploads(place, uploads, back=True)] if uploads else []
    says = Said(N_("%(root)s: the old files come back, the fresh ones are kept aside"), {"root": place["root"]})
    yield Step("files_back", Said(N_("Put the files back")), says, (*actions, core.exchange(place, back=True)), 0.02)


def _tables_back(left: Left, schema: Facts) -> Iterator[Step]:
    renames = _renames_back(left, schema)
    if renames:
        says = Said(N_("%(count)s tables come back"), {"count": len(left.keeps["tables"])})
        rename = tables.rename(_wherever(left), renames, left.keeps.get("php", ""))
        seconds = 0.03 + 0.002 * len(renames)
        yield Step("tables_back", Said(N_("Put the tables back, in one statement")), says, (rename,), seconds)


def _renames_back(left: Left, schema: Any) -> list[list[str]]:
    """What is in place goes aside, also what came since; what is in the trash comes back. Nothing if it is back."""
    there = {each[0] for each in schema["tables"]}
    old, fresh = left.keeps["tables"], left.keeps["fresh"]
    trash = [[aside, name] for name, aside in old.items() if aside in there]
    done = not trash and (old or any(staged in there for staged in fresh))
    if done:
        return []
    live = tables.ours(schema, left.keeps["prefix"]).tables
    return tables.moved(live, left.token, "n") + trash


def _wherever(left: Left) -> list[str]:
    """Where wp-config.php is by then."""
    return left.keeps["configs"]


def _flush(flush: Action | None) -> Iterator[Step]:
    """Last, once PHP has forgotten the code of the other site, which would fill the cache again."""
    if flush is not None:
        says = Said(
            N_("The keys that begin with %(prefix)s, which hold the old values."), {"prefix": flush.args["prefix"]}
        )
        yield Step("flush_keys", Said(N_("Remove the site's keys from Redis")), says, (flush,), 0.02)


def erase(left: Left) -> tuple[Action, ...]:
    """Removes trees and tables that were moved aside."""
    place = left.keeps["place"]
    return (
        tables.drop(_wherever(left), left.token, left.keeps.get("php", "")),
        core.erase(place),
    )


def _slot(way: Way) -> dict[str, object]:
    name = f"WordPress {way.slot.version} {way.slot.locale}"
    return {"name": name, "count": way.slot.files, "size": Size(way.slot.bytes)}


def _php(asked: Asked) -> str:
    return str(asked.site.hints.get("php", ""))


def _with_php(asked: Asked) -> dict[str, Json]:
    return {"php": _php(asked)} if _php(asked) else {}


RUNBOOK = Runbook(
    name="reset_wordpress",
    title=N_("Reset WordPress"),
    summary=N_("Starts a site over with a fresh WordPress, in seconds, with a way back."),
    risk=Risk.DESTROYS,
    minutes=15,
    parameters=PARAMETERS,
    reads=reads,
    plan=plan,
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
)
