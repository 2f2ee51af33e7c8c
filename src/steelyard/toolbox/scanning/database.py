"""What is wrong in a site's database: options, posts, users, cron. What to ask, and what the rows say. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

from steelyard.toolbox.scanning import serialised
from steelyard.toolbox.scanning.model import Finding, Hit, Kind, Severity, own
from steelyard.toolbox.tools.mysql import name

Row = Sequence[str | None]
_PIECE: Final = 600
_SCRIPT = "<script|<iframe|eval *[(]|base64_decode|document[.]write|fromCharCode|gzinflate"


class Question(NamedTuple):
    """A query of the database, and how its rows are judged. `most`: rows."""

    kind: Kind
    sql: str
    most: int


_AROUND: Final = f"SUBSTRING(%, GREATEST(1, REGEXP_INSTR(%, '{_SCRIPT}') - 150), {_PIECE})"
# Only constants are put together here; names of tables are quoted where they are filled in.
_OPTIONS: Final = (
    "SELECT option_name, LEFT(option_value, 400), 'named' FROM <options>"  # noqa: S608
    " WHERE option_name IN ('siteurl', 'home', 'default_role')"
    " UNION ALL SELECT option_name, " + _AROUND.replace("%", "option_value") + ", autoload FROM <options>"
    " WHERE option_value REGEXP '" + _SCRIPT + "' LIMIT 400"
)
_POSTS: Final = (
    "SELECT ID, post_type, post_status, " + _AROUND.replace("%", "post_content") + " FROM <posts>"  # noqa: S608
    " WHERE post_content REGEXP '" + _SCRIPT + "' AND post_type NOT IN ('revision', 'customize_changeset') LIMIT 400"
)
_HIDDEN: Final = "(display: *none|visibility: *hidden|left: *-[0-9]{3,5}px|font-size: *0)[^>]*>[^<]{0,200}<a "
_LINKS: Final = (
    "SELECT ID, post_type, post_status, SUBSTRING(post_content, GREATEST(1, REGEXP_INSTR(post_content, '"  # noqa: S608
    + _HIDDEN + "') - 50), 600) FROM <posts> WHERE post_content REGEXP '" + _HIDDEN + "' AND post_status = 'publish'"
    " LIMIT 200"
)  # fmt: skip
_ADMINISTRATORS: Final = (
    "SELECT u.ID, u.user_login, u.user_email, u.user_registered, m.meta_key FROM <users> AS u JOIN <usermeta> AS m"
    " ON m.user_id = u.ID WHERE m.meta_key LIKE '%capabilities' AND m.meta_value LIKE '%administrator%'"
    " ORDER BY u.ID LIMIT 500"
)
_CRON: Final = "SELECT option_value FROM <options> WHERE option_name = 'cron'"


def questions(prefix: str, *, main: bool = True) -> tuple[Question, ...]:
    """What a site with tables of this prefix is asked; users only of the main site. Values are cut."""

    def of_tables(sql: str) -> str:
        return re.sub(r"<(\w+)>", lambda table: name(prefix + table[1]), sql)

    return (
        Question(Kind.OPTION, of_tables(_OPTIONS), 400),
        Question(Kind.POST, of_tables(_POSTS), 400),
        Question(Kind.POST, of_tables(_LINKS), 200),
        *((Question(Kind.USER, of_tables(_ADMINISTRATORS), 500),) if main else ()),
        Question(Kind.CRON, of_tables(_CRON), 1),
    )


def judge(kind: Kind, rows: Sequence[Row], url: str, now: datetime) -> list[Finding]:
    """What the rows of a question say, for the site at `url`, at `now`."""
    host = urlsplit(url).hostname or ""
    match kind:
        case Kind.OPTION:
            return [each for row in rows for each in _option(row, host)]
        case Kind.POST:
            return [each for row in rows for each in _post(row, host)]
        case Kind.USER:
            return list(_users(rows, host, now))
        case Kind.CRON:
            return list(_cron((rows[0][0] or "") if rows else ""))
        case _:
            return []


_RUNS = re.compile(
    r"\b(?:eval|assert)\s*\(\s*(?:base64_decode|gzinflate|str_rot13|\$_(?:GET|POST|REQUEST|COOKIE))|<\?php\b[^?]{0,200}"
    r"\b(?:eval|system|exec|passthru|shell_exec|base64_decode)\s*\(",
    re.IGNORECASE,
)
_CODED = re.compile(
    r"eval\s*\(\s*(?:String\.fromCharCode|atob|unescape|function\s*\(p,a,c,k,e)|document\.write\s*\(\s*(?:unescape|atob|"
    r"String\.fromCharCode)|String\.fromCharCode\s*\(\s*(?:\d{2,3}\s*,\s*){12}",
    re.IGNORECASE,
)
_FROM = re.compile(r"<(script|iframe)\b[^>]*\bsrc\s*=\s*[\"']?\s*(?:https?:)?//([^/\"'\s>]{1,200})", re.IGNORECASE)
_INVISIBLE = re.compile(
    r"<iframe\b[^>]*(?:\b(?:width|height)\s*=\s*[\"']?[01](?:px)?[\"'\s>]|display:\s*none|visibility:\s*hidden)",
    re.IGNORECASE,
)
_HIDING = re.compile(_HIDDEN, re.IGNORECASE | re.DOTALL)
_WELL_KNOWN = re.compile(
    r"(?:^|\.)(?:google(?:tagmanager|-analytics|apis|syndication|adservices)?|gstatic|doubleclick|youtube(?:-nocookie)?|"
    r"vimeo|facebook|twitter|x|instagram|linkedin|tiktok|pinterest|hotjar|hs-scripts|hsforms|stripe|paypal(?:objects)?|"
    r"cloudflare(?:insights)?|jsdelivr|unpkg|jquery|wp|wordpress|gravatar|spotify|soundcloud|typeform|mailchimp|"
    r"list-manage|calendly|matomo|intercom|crisp|tawk|openstreetmap|bing|recaptcha|hcaptcha|cookiebot|ted|issuu)"
    r"\.(?:com|net|org|io|to|be|cloud|chat|us|eu)$",
    re.IGNORECASE,
)


def _option(row: Row, host: str) -> Iterator[Finding]:
    option, value, how = (each or "" for each in row[:3])
    if how == "named":
        named = _named_option(option, value, host)
        if named is not None:
            yield Finding(Kind.OPTION, option, named)
        return
    found = _in_text(value, host)
    if found is not None:
        yield Finding(Kind.OPTION, option, found)


def _named_option(option: str, value: str, host: str) -> Hit | None:
    if option in {"siteurl", "home"}:
        theirs = urlsplit(value.strip()).hostname or ""
        if host and theirs and _bare(theirs) != _bare(host):
            return own(Severity.SUSPICIOUS, "address_of_another", value)
        if "<" in value or "?" in value:
            return own(Severity.MALICIOUS, "address_with_code", value)
    if option == "default_role" and value == "administrator":
        return own(Severity.MALICIOUS, "everybody_becomes_administrator", f"default_role = {value}")
    return None


def _in_text(value: str, host: str) -> Hit | None:
    """The worst that a text of the database says."""
    for severity, rule, pattern in (
        (Severity.MALICIOUS, "code_in_database", _RUNS),
        (Severity.MALICIOUS, "coded_script", _CODED),
        (Severity.SUSPICIOUS, "invisible_frame", _INVISIBLE),
    ):
        match = pattern.search(value)
        if match:
            return own(severity, rule, _near(value, match))
    for match in _FROM.finditer(value):
        theirs = match[2].rpartition("@")[2].partition(":")[0]
        if _bare(theirs) != _bare(host) and not _WELL_KNOWN.search(theirs):
            return own(Severity.ODD, "script_from_elsewhere", _near(value, match))
    return None


def _post(row: Row, host: str) -> Iterator[Finding]:
    number, sort, status, value = (each or "" for each in row[:4])
    place = f"{sort} {number} ({status})"
    found = _in_text(value, host)
    if found is not None:
        yield Finding(Kind.POST, place, found)
    hidden = _HIDING.search(value)
    if hidden:
        yield Finding(Kind.POST, place, own(Severity.SUSPICIOUS, "hidden_links", _near(value, hidden)))


_ODD_LOGIN = re.compile(
    r"^(?:wp[-_.]?(?:update|support|security|cron|cli|demo|core|blog|service|backup|engine|import|system)\w*|"
    r"(?:admin|backup|root|system|support|user|test)[-_.]?(?:backup|temp|tmp|[0-9a-f]{6,})|[a-z]{0,4}[0-9a-f]{10,}|"
    r"[bcdfghjklmnpqrstvwxz]{7,}\d*)$",
    re.IGNORECASE,
)
_NEW: Final = timedelta(days=30)


def _users(rows: Sequence[Row], host: str, now: datetime) -> Iterator[Finding]:
    """Administrators that look made by somebody who broke in; each with what speaks against it."""
    for row in rows:
        number, login, address, registered = (each or "" for each in row[:4])
        why: list[str] = []
        if _ODD_LOGIN.match(login):
            why.append("login")
        at = _moment(registered)
        if at is None:
            why.append("registered: never")
        elif now - at < _NEW:
            why.append(f"registered: {registered}")
        if len(rows) > 1 and at is not None and _mail_of_nobody(address, host):
            why.append("address")
        severity = {0: None, 1: Severity.ODD}.get(len(why), Severity.SUSPICIOUS)
        first_of_new_site = len(rows) == 1 and why and why[0].startswith("registered: 2")
        if severity is not None and not first_of_new_site:
            told = f"{number}  {login}  {address}  {registered}\n{', '.join(why)}"
            yield Finding(Kind.USER, login, own(severity, "administrator_out_of_place", told))


def _mail_of_nobody(address: str, host: str) -> bool:
    theirs = address.rpartition("@")[2].lower()
    return not theirs or "." not in theirs or theirs in {"example.com", "wordpress.org", "mail.ru", "localhost"}


_CALLS = frozenset({"eval", "assert", "system", "exec", "shell_exec", "passthru", "file_put_contents", "include",
                    "create_function", "call_user_func", "base64_decode", "unlink", "wp_insert_user"})  # fmt: skip
_RANDOM = re.compile(r"^(?:[0-9a-f]{16,}|[bcdfghjklmnpqrstvwxz]{9,})$", re.IGNORECASE)
_TOLD = re.compile(
    r"base64_decode|eval\s*\(|gzinflate|<\?php|\bsystem\s*\(|/bin/sh|https?://\S+\.(?:php|txt|sh)\b", re.IGNORECASE
)


def _cron(text: str) -> Iterator[Finding]:
    """Hooks that bear the name of a function that runs code, or were given code."""
    try:
        found: Any = serialised.read(text) if text else {}
    except serialised.Unreadable:
        yield Finding(Kind.CRON, "cron", own(Severity.ODD, "cron_unreadable", text[:300]))
        return
    for at, hooks in _items(found):
        for hook, calls in _items(hooks):
            severity, rule = _hook(str(hook), repr(calls))
            if severity is not None:
                yield Finding(Kind.CRON, str(hook)[:300], own(severity, rule, f"{at}: {hook}\n{calls!r}"))


def _items(value: Any) -> list[tuple[Any, Any]]:
    return list(cast("dict[Any, Any]", value).items()) if isinstance(value, dict) else []


def _hook(hook: str, calls: str) -> tuple[Severity | None, str]:
    if hook.lower() in _CALLS:
        return Severity.MALICIOUS, "cron_calls_code"
    if _TOLD.search(calls) or _TOLD.search(hook):
        return Severity.SUSPICIOUS, "cron_given_code"
    return (Severity.ODD, "cron_random_name") if _RANDOM.match(hook) else (None, "")


def _near(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - 80) : match.end() + 160]


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.").rstrip(".")


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return found if found.year > 1990 else None
