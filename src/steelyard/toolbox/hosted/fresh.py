"""The tables of a fresh WordPress, as SQL: made from a template that was taken once of a freshly installed one.

A template is JSON: `version`, `locale`, `made` (seconds since 1970), `schema` [[name without prefix, columns in
brackets]], `rows` {name: {columns, rows}}. Its site has the address, names and prefix below, which are replaced.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from steelyard.toolbox.hosted.mysql import literal, name

URL = "http://template.invalid"
LOGIN = "steelyard-template"
EMAIL = "steelyard@template.invalid"
PREFIX = "tpl_"
_MOMENT = re.compile(r"\A[1-9]\d{3}-\d\d-\d\d \d\d:\d\d:\d\d\Z")
_NEVER = re.compile(r"\A(_site)?_transient_|\Arecovery_keys\Z")
_LATER = ("admin_email_lifespan",)
_NAMES = ("user_login", "user_nicename", "display_name")
COLLATE = "utf8mb4_unicode_520_ci"


class Fresh(NamedTuple):
    """What a fresh site shall be."""

    staged: str
    """The prefix of the tables that are made."""
    prefix: str
    """The prefix that they will have."""
    url: str
    title: str
    login: str
    email: str
    hash: str
    """Of the administrator's password."""
    now: int
    """Seconds since 1970."""
    moment: str
    """The same as `2026-11-22 12:00:00`, in UTC."""
    charset: str
    collate: str


def statements(template: Mapping[str, Any], fresh: Fresh) -> Iterator[str]:
    """SQL that makes the tables and fills them; what is left of an earlier attempt goes first."""
    # As WordPress's own: its columns have the date 0000-00-00 as their default, and a missing engine is an error.
    yield "SET SESSION sql_mode = ''"
    options = " ENGINE=InnoDB" + collation(fresh)
    for table, columns in template["schema"]:
        staged = name(fresh.staged + table)
        yield f"DROP TABLE IF EXISTS {staged}"
        yield f"CREATE TABLE {staged} {columns}{options}"
    yield "START TRANSACTION"
    for table, held in template["rows"].items():
        rows = [row for row in held["rows"] if _lasts(table, held["columns"], row)]
        filled = ",\n".join(literal(_row(table, held["columns"], row, template["made"], fresh)) for row in rows)
        columns = ", ".join(map(name, held["columns"]))
        if rows:
            yield f"INSERT INTO {name(fresh.staged + table)} ({columns}) VALUES {filled}"
    yield "COMMIT"


def collation(fresh: Fresh) -> str:
    """As the site's configuration says, with every character: what was `utf8` is `utf8mb4`, as WordPress has it."""
    charset = "utf8mb4" if fresh.charset.lower() in ("", "utf8", "utf8mb3", "utf8mb4") else fresh.charset
    collate = fresh.collate if charset == fresh.charset and fresh.collate else COLLATE if charset == "utf8mb4" else ""
    if not re.match(r"\A\w+\Z", charset) or not re.match(r"\A\w*\Z", collate):
        charset, collate = "utf8mb4", COLLATE
    return f" DEFAULT CHARACTER SET {charset}" + (f" COLLATE {collate}" if collate else "")


def _lasts(table: str, columns: list[str], row: list[Any]) -> bool:
    return table != "options" or _NEVER.search(row[columns.index("option_name")]) is None


def _row(table: str, columns: list[str], row: list[Any], made: int, fresh: Fresh) -> list[Any]:
    found = [_value(column, value, fresh) for column, value in zip(columns, row)]  # noqa: B905 - Python 3.7
    if table == "options":
        which, place = row[columns.index("option_name")], columns.index("option_value")
        if which == "blogname":
            found[place] = fresh.title
        elif which == "cron":
            found[place] = re.sub(r"\bi:(\d{10});", lambda at: f"i:{int(at[1]) - made + fresh.now};", found[place])
        elif which in _LATER:
            found[place] = str(int(row[place]) - made + fresh.now)
    if table == "usermeta" and row[columns.index("meta_key")] == "nickname":
        found[columns.index("meta_value")] = fresh.login
    return found


def _value(column: str, value: Any, fresh: Fresh) -> Any:
    if not isinstance(value, str):
        return value
    if column in ("option_name", "meta_key") and value.startswith(PREFIX):
        return fresh.prefix + value[len(PREFIX) :]
    if column in _NAMES:
        return fresh.login
    if column == "user_pass":
        return fresh.hash
    if _MOMENT.match(value):
        return fresh.moment
    return value.replace(URL, fresh.url).replace(EMAIL, fresh.email)


_DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def hashed(password: str, salt: bytes) -> str:
    """A password as every WordPress since 2.5 takes it (and hashes it anew at the first sign-in): phpass, 8192 rounds.

    `salt`: six random bytes.
    """
    readable = _base64(salt)
    digest = hashlib.md5((readable + password).encode()).digest()  # noqa: S324 - the format says so
    for _ in range(1 << 13):
        digest = hashlib.md5(digest + password.encode()).digest()  # noqa: S324
    return "$P$" + _DIGITS[13] + readable + _base64(digest)


def _base64(data: bytes) -> str:
    said = ""
    for at in range(0, len(data), 3):
        piece = data[at : at + 3]
        number = int.from_bytes(piece, "little")
        said += "".join(_DIGITS[number >> 6 * place & 63] for place in range(len(piece) + 1))
    return said
