"""A site's tables: what is there, new ones beside them, all of them exchanged by one statement, and back.

New tables and old ones get names of the run in the same schema: the site's user has rights on that alone, and neither a
table with a trigger nor a view can be renamed into another.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

from steelyard.toolbox.hosted.core import configs
from steelyard.toolbox.hosted.fresh import Fresh, hashed, statements
from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.mysql import ask, cells, credentials, filled, name
from steelyard.toolbox.hosted.site_php import run_script
from steelyard.toolbox.hosted.slots import template_of
from steelyard.toolbox.hosted.wordpress import config_of, core_of

_SCHEMA = """
SELECT 'server', VERSION(), @@lower_case_table_names;
SELECT 'table', TABLE_NAME, TABLE_TYPE, ENGINE, COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH + INDEX_LENGTH, 0)
    FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME;
SELECT 'trigger', TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE();
SELECT 'key', IF(CONSTRAINT_SCHEMA = DATABASE(), TABLE_NAME, ''), REFERENCED_TABLE_NAME
    FROM information_schema.REFERENTIAL_CONSTRAINTS
    WHERE CONSTRAINT_SCHEMA = DATABASE() OR UNIQUE_CONSTRAINT_SCHEMA = DATABASE();
SELECT 'view', TABLE_NAME, LEFT(VIEW_DEFINITION, 4000) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE();
SELECT 'event', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE();
"""
_KEPT = ("first_name", "last_name", "description", "locale")
_OPTIONS = ("blog_public", "timezone_string", "gmt_offset")
_SOME_DONE = re.compile(r"\b(1050|1146)\b")
"""The server's numbers for a table that is there already, and for one that is not."""
_OWN = re.compile(r"\Asy[0-9a-f]{8}[no]_")


def read(here: Here, args: dict[str, Any]) -> Any:
    """`tables.read`: what is in the schema of the WordPress in `docroot`; or of `left`, as of `core.left`.

    Answers `server`, `lower` (lower_case_table_names), `tables` [[name, BASE TABLE or VIEW, engine, rows, bytes]],
    `triggers` [[name, table]], `keys` (foreign) [[table or "" of another schema, table referred to]], `views` [[name,
    text]], `events` [name], `blogs` [numbers of a network's sites], `posts`, `users` (numbers, None where there is no
    such table), `administrators` [[id, login]]; or `{"failed": code}`.
    """
    try:
        found = credentials(here, _config(here, args), args.get("php", ""))
        rows = cells(ask(here, found, _SCHEMA))
        grouped: dict[str, list[list[Any]]] = {}
        for kind, *row in rows:
            grouped.setdefault(str(kind), []).append(row)
        names = {str(row[0]) for row in grouped.get("table", [])}
        told = _people(here, found, names, counted="left" not in args)
    except Failed as failed:
        return {"failed": failed.code, "said": failed.message}
    server = grouped.get("server", [["", "0"]])[0]
    tables = [[row[0], row[1], row[2] or "", int(row[3]), int(row[4])] for row in grouped.get("table", [])]
    return {
        "server": server[0],
        "lower": int(server[1] or 0),
        "tables": tables,
        "triggers": grouped.get("trigger", []),
        "keys": grouped.get("key", []),
        "views": grouped.get("view", []),
        "events": [row[0] for row in grouped.get("event", [])],
        **told,
    }


def _config(here: Here, args: Mapping[str, Any]) -> list[str]:
    if "left" in args:
        return configs(here, args["left"])
    core = core_of(here, here.real(args["docroot"]))
    config = core and config_of(here, core)
    if not config:
        raise Failed("missing", "There is no wp-config.php")
    return [config]


def stage(here: Here, args: dict[str, Any]) -> Any:
    """`tables.stage`: fresh tables under the prefix `staged`, beside those of the live site.

    Args: `config`, `staged`, `prefix`, `url`, `title`; `administrator` {`keep`: id} of the tables under `old`, or
    {`login`, `email`, `password`}; `template` {`slot`, `sha256`}, or `install` {`core`, `php`, `language`}: the
    slower way, by WordPress's own installer. Done again, it begins anew; once the tables are exchanged, not.
    """
    found = credentials(here, args["config"], args.get("php", ""))
    fresh = _fresh(found, args)
    begun = time.monotonic()
    if any(each.startswith(f"{fresh.staged[:-2]}o_") for each in _names(here, found)):
        return {"staged": False}  # the tables are exchanged: those in place may never be staged over
    if args.get("template"):
        template = template_of(here, args["template"]["slot"], args["template"]["sha256"])
        sql = list(statements(template, fresh))
    else:
        _install(here, found, fresh, args["install"])
        sql = _renamed_keys(fresh)
    ask(here, found, ";\n".join([*sql, *_carried(fresh, args)]) + ";\n")
    return {"staged": True, "seconds": round(time.monotonic() - begun, 3)}


def rename(here: Here, args: dict[str, Any]) -> Any:
    """`tables.rename`: {config, renames: [[from, to]]} in ONE statement, those that are still to be done.

    A pair is done where `from` is gone, or `to` is there while another pair takes what `from` is now. Waits ten seconds
    at most for queries that are at these tables. Answers `{"renamed": count}`.
    """
    found = credentials(here, args["config"], args.get("php", ""))
    try:
        return _renamed(here, found, args["renames"])
    except Failed as failed:
        if not _SOME_DONE.search(failed.message):
            raise
    there = _names(here, found)
    left = pending(args["renames"], there)
    stuck = sorted({each[0] for each in args["renames"]} & there - {each[0] for each in left} - _targets(args))
    if stuck:
        raise Failed("exists", f"{stuck[0]} cannot be renamed: a table of its new name is there, which nobody expects")
    return _renamed(here, found, left)


def _renamed(here: Here, found: Mapping[str, str], pairs: list[list[str]]) -> dict[str, Any]:
    """All of them, or none."""
    listed = ", ".join(f"{name(before)} TO {name(after)}" for before, after in pairs)
    if listed:
        ask(here, found, f"SET SESSION lock_wait_timeout = 10; RENAME TABLE {listed};")
    return {"renamed": len(pairs)}


def _targets(args: Mapping[str, Any]) -> set[str]:
    return {after for _, after in args["renames"]}


def drop(here: Here, args: dict[str, Any]) -> Any:
    """`tables.drop`: {config, token}: what a run made or moved aside is dropped. Answers `{"dropped": count}`."""
    found = credentials(here, args["config"], args.get("php", ""))
    rows = cells(ask(here, found, _LISTED))
    own = [(str(row[0]), row[1]) for row in rows if _OWN.match(str(row[0])) and str(row[0])[2:10] == args["token"]]
    views, tables = ([each for each, kind in own if (kind == "VIEW") is wanted] for wanted in (True, False))
    sql = ["SET SESSION foreign_key_checks = 0"]
    sql += [f"DROP VIEW IF EXISTS {', '.join(map(name, views))}"] if views else []
    sql += [f"DROP TABLE IF EXISTS {', '.join(map(name, tables))}"] if tables else []
    ask(here, found, ";\n".join(sql) + ";\n", timeout=600)
    return {"dropped": len(own)}


VERBS = {"tables.read": read, "tables.stage": stage, "tables.rename": rename, "tables.drop": drop}


def pending(renames: list[list[str]], there: set[str]) -> list[list[str]]:
    """The pairs that are still to be done, in order.

    A chain such as live -> trash, staged -> live is followed from its end: once `trash` is there, `live` is not the old
    one any more.
    """
    return [[before, after] for before, after in renames if before in there and not _done(after, renames, there)]


def _done(after: str, renames: list[list[str]], there: set[str]) -> bool:
    """Whether what is at `after` got there: it is not about to go from there itself."""
    if after not in there:
        return False
    onward = next((to for before, to in renames if before == after), None)
    return onward is None or _done(onward, renames, there)


_LISTED = "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"


def _names(here: Here, found: Mapping[str, str]) -> set[str]:
    return {str(row[0]) for row in cells(ask(here, found, "SHOW TABLES"))}


def _people(here: Here, found: Mapping[str, str], tables: set[str], *, counted: bool) -> dict[str, Any]:
    """What stands in the site's own tables, where they are there; not `counted`: which sites of a network alone."""
    prefix = found["prefix"]
    lower = {each.lower() for each in tables}
    asked: list[str] = []
    if (prefix + "blogs").lower() in lower:
        asked.append(f"SELECT 'blog', blog_id FROM {name(prefix + 'blogs')} LIMIT 10000")
    if counted and (prefix + "posts").lower() in lower:
        asked.append(f"SELECT 'posts', COUNT(*) FROM {name(prefix + 'posts')} WHERE post_type IN ('post', 'page')")
    if counted and {(prefix + "users").lower(), (prefix + "usermeta").lower()} <= lower:
        users, meta = name(prefix + "users"), name(prefix + "usermeta")
        asked.append(f"SELECT 'users', COUNT(*) FROM {users}")
        asked.append(
            f"SELECT 'administrator', u.ID, u.user_login FROM {users} AS u JOIN {meta} AS m ON m.user_id = u.ID"
            " WHERE m.meta_key = %(key)s AND m.meta_value LIKE '%\"administrator\"%' ORDER BY u.ID LIMIT 50"
        )
    told: dict[str, Any] = {"blogs": [], "posts": None, "users": None, "administrators": []}
    sql = filled("; ".join(asked), {"key": prefix + "capabilities"})
    for kind, *row in cells(ask(here, found, sql)) if asked else []:
        if kind == "blog":
            told["blogs"].append(int(row[0] or 0))
        elif kind == "administrator":
            told["administrators"].append([int(row[0] or 0), row[1]])
        else:
            told[str(kind)] = int(row[0] or 0)
    return told


def _fresh(found: Mapping[str, str], args: Mapping[str, Any]) -> Fresh:
    person = args["administrator"]
    now = int(time.time())
    return Fresh(
        staged=args["staged"],
        prefix=args["prefix"],
        url=args["url"],
        title=args["title"],
        login=person.get("login") or "admin",
        email=person.get("email") or "admin@example.invalid",
        # One that is kept brings its own; until then nobody signs in.
        hash=hashed(person["password"], os.urandom(6)) if person.get("password") else "!",
        now=now,
        moment=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)),
        charset=found["DB_CHARSET"],
        collate=found["DB_COLLATE"],
    )


def _install(here: Here, found: Mapping[str, str], fresh: Fresh, how: Mapping[str, Any]) -> None:
    database = {key[3:].lower(): found[key] for key in ("DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST")}
    told = {
        "core": how["core"],
        "database": {**database, "charset": found["DB_CHARSET"], "collate": found["DB_COLLATE"]},
        "prefix": fresh.staged,
        "template": False,
        "language": how["language"],
        **{key: getattr(fresh, key) for key in ("url", "title", "login", "email", "hash")},
    }
    run_script(here, "install.php", [told], how.get("php", ""))


def _renamed_keys(fresh: Fresh) -> list[str]:
    """What WordPress named by the prefix that it was installed under gets the one that it will have."""
    options, meta = name(fresh.staged + "options"), name(fresh.staged + "usermeta")
    values = {"old": fresh.staged, "new": fresh.prefix, "after": len(fresh.staged) + 1, "size": len(fresh.staged)}
    sql = "UPDATE {} SET {} = CONCAT(%(new)s, SUBSTR({}, %(after)s)) WHERE LEFT({}, %(size)s) = %(old)s"
    return [
        filled(sql.format(table, column, column, column), values)
        for table, column in ((options, "option_name"), (meta, "meta_key"))
    ]


def _carried(fresh: Fresh, args: Mapping[str, Any]) -> list[str]:
    """What the new tables take over of the live ones: the administrator as they are, and how the site is meant."""
    old, person = args.get("old", ""), args["administrator"]
    if not old:
        return []
    new_options, old_options = name(fresh.staged + "options"), name(old + "options")
    sql = [
        # As bytes: columns of two collations cannot be compared.
        f"UPDATE {new_options} AS n JOIN {old_options} AS o"
        " ON CAST(o.option_name AS BINARY) = CAST(n.option_name AS BINARY)"
        " SET n.option_value = o.option_value WHERE n.option_name IN %(options)s"
    ]
    if person.get("keep"):
        sql += _kept(name(fresh.staged + "users"), name(old + "users"), fresh, old)
    return [filled(each, {"options": _OPTIONS, "id": person.get("keep"), "meta": _KEPT}) for each in sql]


def _kept(new: str, old: str, fresh: Fresh, before: str) -> list[str]:
    columns = ("user_login", "user_pass", "user_nicename", "user_email", "user_url", "user_registered", "display_name")
    new_meta, old_meta = name(fresh.staged + "usermeta"), name(before + "usermeta")
    options = name(fresh.staged + "options")
    return [
        f"UPDATE {new} AS n JOIN {old} AS o ON o.ID = %(id)s SET " + ", ".join(f"n.{c} = o.{c}" for c in columns),
        f"DELETE FROM {new_meta} WHERE meta_key IN %(meta)s",
        f"INSERT INTO {new_meta} (user_id, meta_key, meta_value) SELECT n.ID, m.meta_key, MAX(m.meta_value)"
        f" FROM {old_meta} AS m JOIN {new} AS n WHERE m.user_id = %(id)s AND m.meta_key IN %(meta)s"
        " GROUP BY n.ID, m.meta_key",
        f"UPDATE {new_meta} AS m JOIN {new} AS n ON n.ID = m.user_id SET m.meta_value = n.user_login"
        " WHERE m.meta_key = 'nickname'",
        f"UPDATE {options} SET option_value = (SELECT user_email FROM {new} LIMIT 1) WHERE option_name = 'admin_email'",
    ]
