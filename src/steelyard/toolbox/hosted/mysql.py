"""The site's database, asked through the client that is on the host. MariaDB and MySQL.

Credentials are read from wp-config.php here and never leave the host: the client reads them from a pipe. SQL comes on
its standard input, never as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from steelyard.toolbox.hosted.here import HANDED, Failed, Here, Ran
from steelyard.toolbox.hosted.site_php import said
from steelyard.toolbox.hosted.words import PATH
from steelyard.toolbox.hosted.wp_config import NEEDED

CLIENTS = ("mariadb", "mysql")
_MOST = 8_000_000
_PLACE = re.compile(r"%\((\w+)\)s")
_ESCAPED = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


def query(here: Here, args: dict[str, Any]) -> Any:
    """`mysql.query`: reads rows.

    Args: `config` (path of wp-config.php); `sql`, one statement or several with `;` between; `values` by the names that
    stand as `%(name)s` in it (texts, numbers, None, lists of them); `most` rows (1000); `php` for a configuration that
    has to be asked. Answers `{"rows": [[text or None, ...], ...], "cut": bool}`, of all statements one after the other.
    A text that reads NULL looks like None. The session may change nothing.
    """
    rows = cells(_asked(here, args, "SET SESSION TRANSACTION READ ONLY;\n"))
    most = int(args.get("most", 1000))
    return {"rows": rows[:most], "cut": len(rows) > most}


def execute(here: Here, args: dict[str, Any]) -> Any:
    """`mysql.execute`: changes. Args and answer as of `mysql.query`. Doing it twice must do no harm."""
    rows = cells(_asked(here, args, ""))
    most = int(args.get("most", 1000))
    return {"rows": rows[:most], "cut": len(rows) > most}


VERBS = {"mysql.query": query, "mysql.execute": execute}


def _asked(here: Here, args: Mapping[str, Any], before: str) -> bytes:
    found = credentials(here, args["config"], args.get("php", ""))
    return ask(
        here, found, before + filled(args["sql"], args.get("values", {})), timeout=float(args.get("timeout", 50))
    )


def credentials(here: Here, config: str | list[str], php: str = "") -> dict[str, str]:
    """DB_NAME, DB_USER, DB_PASSWORD, DB_HOST, DB_CHARSET, DB_COLLATE of a wp-config.php, and `prefix`.

    `config`: its path, or several of which the first that is there counts.
    """
    told = said(here, one_of(here, config), php)
    found = {name: str(told.constants.get(name) or "") for name in (*NEEDED, "DB_CHARSET", "DB_COLLATE")}
    if not found["DB_NAME"]:
        raise Failed("no_config", "wp-config.php names no database")
    found["prefix"] = told.prefix
    return found


def one_of(here: Here, paths: str | list[str]) -> str:
    """The first of some paths that is there; the first of all where none is."""
    several = [paths] if isinstance(paths, str) else paths
    return next((each for each in several if here.stat(each) is not None), several[0])


def filled(sql: str, values: Mapping[str, Any]) -> str:
    """`sql` with each `%(name)s` that is in `values` as a literal that no content can leave."""
    return _PLACE.sub(lambda place: literal(values[place[1]]) if place[1] in values else place[0], sql)


def literal(value: Any) -> str:
    """A value as SQL: texts as hexadecimal digits, whatever the server's SQL mode."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "(" + (", ".join(map(literal, cast("list[Any]", value))) or "NULL") + ")"
    text = str(value).encode("utf-8", "surrogateescape")
    return "_utf8mb4 X'" + text.hex() + "'"


def name(text: str) -> str:
    """A name of a table, column or schema, quoted."""
    if not text or "\0" in text:
        raise Failed("failed", "a table without a name")
    return "`" + text.replace("`", "``") + "`"


def ask(here: Here, found: Mapping[str, str], sql: str, timeout: float = 50, most: int = _MOST) -> bytes:
    """A line for each row, escaped, cells between tabs. Raises Failed with the server's words."""
    text = sql.encode("utf-8", "surrogateescape")
    ran = here.run(
        [*client(here, found), *_SETTLED, "--", found["DB_NAME"]],
        stdin=text,
        timeout=timeout,
        most=most,
        handed=handed(found),
    )
    if ran.status:
        raise _failure(ran)
    return ran.out


def client(here: Here, found: Mapping[str, str], names: Sequence[str] = CLIENTS) -> list[str]:
    """The beginning of a command that is signed in at the site's database, to be run with `handed`."""
    for folder in PATH.split(":"):
        for each in names:
            if here.stat(folder + "/" + each) is not None:
                return [folder + "/" + each, "--defaults-extra-file=" + HANDED]
    raise Failed("no_client", "Neither mariadb nor mysql, the client of the database, is on this host: install it")


# binary-mode: nothing in the SQL is a command of the client's, such as one that starts a shell.
_SETTLED = (
    *("--batch", "--skip-column-names", "--binary-mode", "--local-infile=0", "--skip-reconnect"),
    "--default-character-set=utf8mb4",
)


def handed(found: Mapping[str, str]) -> bytes:
    """What a client reads its credentials from, as an option file."""
    return _settings(found).encode("utf-8", "surrogateescape")


def _settings(found: Mapping[str, str]) -> str:
    lines = ["[client]", "user=" + _quoted(found["DB_USER"]), "password=" + _quoted(found["DB_PASSWORD"])]
    return "\n".join(lines + [f"{key}={value}" for key, value in place(found["DB_HOST"]).items()]) + "\n"


def _quoted(text: str) -> str:
    """As option files have it: a # or a space inside of quotes is one of the text."""
    if "\n" in text or "\r" in text or "\0" in text:
        raise Failed("failed", "the database's user or password in wp-config.php spans lines")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def place(host: str) -> dict[str, str]:
    """host, port or socket for the client, from what stands in DB_HOST: `localhost:/run/x.sock`, `[::1]:3307`."""
    host = host[2:] if host.startswith("p:") else host
    match = re.match(r"\A(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^:]*))(?::(?P<rest>.*))?\Z", host, re.DOTALL)
    if host.count(":") > 1 and not host.startswith("[") and "/" not in host:
        return {"host": _quoted(host)}  # an IPv6 address as it is
    if match is None:
        raise Failed("failed", "DB_HOST in wp-config.php cannot be read")
    rest = match.group("rest") or ""
    port, _, socket = rest.partition(":") if not rest.startswith("/") else ("", "", rest)
    if socket:
        return {"socket": _quoted(socket), "protocol": "socket"}
    name_ = match.group("six") or match.group("name") or "localhost"
    found = {"host": _quoted(name_)}
    if port.isdigit():
        found["port"] = port
        found["protocol"] = "tcp"
    return found


def cells(out: bytes) -> list[list[str | None]]:
    """The rows of what the client wrote."""
    text = out.decode("utf-8", "replace")
    lines = text[:-1].split("\n") if text.endswith("\n") else text.split("\n") if text else []
    return [[_cell(cell) for cell in line.split("\t")] for line in lines]


def _cell(cell: str) -> str | None:
    if cell == "NULL":
        return None
    return re.sub(r"\\(.)", lambda each: _ESCAPED.get(each[1], each[0]), cell, flags=re.DOTALL)


def _failure(ran: Ran) -> Failed:
    said = ran.err.decode("utf-8", "replace").strip()[-500:]
    number = re.search(r"ERROR (\d+)", said)
    code = {
        "1045": "denied",
        "1044": "denied",
        "1142": "denied",
        "1049": "no_database",
        "1021": "disk_full",
        "1114": "disk_full",
    }
    unreachable = {"2002": "no_server", "2003": "no_server", "2005": "no_server"}
    return Failed({**code, **unreachable}.get(number[1] if number else "", "failed"), "the database says: " + said)
