"""A site looked at from its own host, group by group; nothing of it changes. What it means: judging.py.

What earlier groups found is kept in the run's folder: each answer is the report so far.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from steelyard.toolbox.hosted import judging, permissions
from steelyard.toolbox.hosted import php as php_of
from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.judging import Finding, found
from steelyard.toolbox.hosted.mysql import ask, cells, credentials, name
from steelyard.toolbox.hosted.wordpress import read

_NOTE = "diagnosis"
_GROUPS = ("software", "inside", "logs", "files", "answers", "names")
_TAIL = 200_000
_MOST_FILES = 300_000
_REQUESTS = 4
_SHARED_LOGS = ("/var/log/nginx/error.log", "/var/log/apache2/error.log", "/var/log/httpd/error_log")


def software(here: Here, args: dict[str, Any]) -> Any:
    """`diagnose.software`: {docroot, account, hints} -> versions of WordPress, PHP and the database server."""
    site = read(here, {"docroot": args["docroot"], "php": args["hints"].get("php", "")})
    if "missing" in site:
        lines = [found("wordpress", "bad", "no_wordpress", docroot=args["docroot"])]
    else:
        lines = [found("wordpress", "good", "wordpress", version=site["version"], locale=site["locale"])]
        lines += [_server(here, site, args)]
    return _told(here, "software", [*lines, _php(here, args)])


def _server(here: Here, site: dict[str, Any], args: dict[str, Any]) -> Finding:
    try:
        database = credentials(here, site["config"], args["hints"].get("php", ""))
        return judging.database(str(cells(ask(here, database, "SELECT VERSION()"))[0][0]))
    except Failed as failed:
        return found("database", "bad", "no_database", why=failed.message[:300])


def _php(here: Here, args: dict[str, Any]) -> Finding:
    try:
        known = php_of.read(here, args)
    except Failed as failed:
        return found("php", "look", "no_php", why=failed.message[:300])
    return judging.php(known["version"], known["version"] if known["fpm"] else "", time.strftime("%Y-%m-%d"))


def inside(here: Here, args: dict[str, Any]) -> Any:
    """`diagnose.inside`: {docroot, account, hints} -> plugins, cron, options, the object cache."""
    hint = args["hints"].get("php", "")
    site = read(here, {"docroot": args["docroot"], "php": hint})
    if "missing" in site:
        return _told(here, "inside", [])
    lines = [judging.object_cache(site["object_cache"])]
    try:
        options = name(site["prefix"] + "options")
        sql = (
            f"SELECT option_name, HEX(LEFT(option_value, 1000000)) FROM {options}"  # noqa: S608
            " WHERE option_name IN ('cron', 'active_plugins');"
            f" SELECT 'size', COALESCE(SUM(LENGTH(option_value)), 0) FROM {options}"
            " WHERE autoload IN ('yes', 'on', 'auto', 'auto-on')"
        )
        told = {str(row[0]): str(row[1]) for row in cells(ask(here, credentials(here, site["config"], hint), sql))}
    except Failed:
        return _told(here, "inside", lines)  # that the database does not answer was said
    disabled = site["constants"].get("DISABLE_WP_CRON") in (True, 1, "1")
    due = judging.due_at(bytes.fromhex(told.get("cron", "")))
    lines += [judging.cron(due, time.time(), disabled), judging.autoloaded(int(told.get("size", "0")))]
    names = re.findall(rb's:\d+:"([^"\\]{1,200})"', bytes.fromhex(told.get("active_plugins", "")))
    plugins = [_versioned(here, site["plugins"], each.decode("utf-8", "replace")) for each in names[:200]]
    lines.append(found("plugins", "good", "plugins", count=len(names), names=", ".join(plugins)[:2000]))
    return _told(here, "inside", lines)


def _versioned(here: Here, folder: str, file: str) -> str:
    """A plugin as its file says which version it is."""
    slug = file.split("/")[0]
    if ".." in file or file.startswith("/"):
        return shown(slug)
    try:
        version = re.search(rb"(?m)^[ \t/*#@]*Version:[ \t]*([\w.+-]{1,30})", here.part(f"{folder}/{file}", 0, 8192))
    except Failed:
        return f"{shown(slug)} ?"
    return f"{shown(slug)} {version.group(1).decode('ascii', 'replace') if version else '?'}"


def logs(here: Here, args: dict[str, Any]) -> Any:
    """`diagnose.logs`: {docroot, account, hints, name} -> what the ends of the logs tell that the account may read."""
    lines: list[Finding] = []
    for path, marker in dict(_logs(here, args)).items():
        seen = here.stat(path)
        if seen is None or seen.kind != "file":
            continue
        try:
            tail = here.part(path, -_TAIL, _TAIL)
        except Failed:
            continue  # closed to the account
        if marker:
            tail = b"\n".join(line for line in tail.split(b"\n") if marker.encode() in line)
        fatal, others = judging.fatal_lines(tail)
        lines.append(judging.log(shown(path), seen.size, time.time() - seen.mtime_ns / 1e9, fatal, others))
    return _told(here, "logs", lines or [found("log", "good", "no_logs")])


def _logs(here: Here, args: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Paths of logs, and of those that others share a text that lines of this site hold."""
    hints = args["hints"]
    site = read(here, {"docroot": args["docroot"], "php": hints.get("php", "")})
    if "missing" not in site:
        set_ = site["constants"].get("WP_DEBUG_LOG")
        yield (set_ if isinstance(set_, str) and set_.startswith("/") else f"{site['content']}/debug.log"), ""
    yield f"{args['docroot']}/error_log", ""
    yield from ((path, "") for path in _php_logs(here, args))
    if hints.get("web_error_log"):
        yield str(hints["web_error_log"]), args["name"]
    yield from ((path, args["name"]) for path in _SHARED_LOGS)


def _php_logs(here: Here, args: dict[str, Any]) -> Iterator[str]:
    """What the settings of PHP name: those of the command line, and of the pools of this account."""
    try:
        ran = here.run([args["hints"].get("php") or "php", "-r", "echo ini_get('error_log');"], timeout=10)
        said = ran.out.decode("utf-8", "replace").strip()
        if ran.status == 0 and said.startswith("/"):
            yield said
    except Failed:
        pass
    folder = str(args["hints"].get("fpm_pools") or "")
    try:
        files = [each for each in here.list(folder) if each.endswith(".conf")] if folder else []
        for each in files[:200]:
            text = here.read(f"{folder}/{each}", most=200_000).decode("utf-8", "replace")
            mine = len(files) == 1 or re.search(r"(?m)^\s*user\s*=\s*" + re.escape(args["account"]) + r"\s*$", text)
            path = re.search(r"(?m)^\s*php(?:_admin)?_value\[error_log\]\s*=\s*(/\S+)", text)
            if mine and path:
                yield path.group(1)
    except Failed:
        pass


def files(here: Here, args: dict[str, Any]) -> Any:
    """`diagnose.files`: {docroot} -> free disk, the site's size, permissions."""
    try:
        root = here.real(args["docroot"])
    except Failed:
        return _told(here, "files", [])
    count = size = 0
    cut = False
    try:
        for _, seen in here.walk(root, most=_MOST_FILES):
            count, size = count + (seen.kind == "file"), size + seen.size
            if count % 5000 == 0:
                here.progress(count, 0, "files")
    except Failed as failed:
        if failed.code != "too_many":
            raise
        cut = True
    lines = [
        judging.disk(*here.disk(root)),
        found("size", "good", "size_more" if cut else "size", size=size, count=count),
    ]
    if not cut:
        lines.append(judging.permissions(permissions.look(here, {"docroot": root, "open": False})))
    return _told(here, "files", lines)


def answers(here: Here, args: dict[str, Any]) -> Any:
    """`diagnose.answers`: {url, to?} -> how fast the home page begins, and whether a cache of pages answered."""
    to = tuple(args["to"]) if args.get("to") else None
    statuses: list[int] = []
    seconds: list[float] = []
    headers: dict[str, str] = {}
    try:
        for number in range(_REQUESTS):
            here.progress(number, _REQUESTS, "requests")
            began = time.monotonic()
            status, headers, _ = here.http(args["url"], to, timeout=15.0, most=1)
            statuses.append(status)
            seconds.append(time.monotonic() - began)
    except Failed as failed:
        lines = [found("answers", "bad", "no_answer", why=failed.message[:300])]
        return _told(here, "answers", lines)
    return _told(here, "answers", [judging.answers(statuses, seconds), judging.page_cache(headers)])


def names(here: Here, args: dict[str, Any]) -> Any:
    """`diagnose.names`: {name, secure, to?} -> what the name resolves to here, and the certificate that is shown."""
    host = args["name"]
    ran = here.run(["getent", "ahosts", "--", host], timeout=15)
    resolved = sorted({line.split()[0] for line in ran.out.decode("ascii", "replace").splitlines() if line.strip()})
    lines = [judging.names(host, resolved, _own(here))]
    lines.append(_certificate(here, host, args.get("to")) if args["secure"] else found("tls", "look", "no_tls"))
    return _told(here, "names", lines)


def _own(here: Here) -> list[str]:
    try:
        ran = here.run(["hostname", "-I"], timeout=10)
    except Failed:
        return []
    return [each for each in ran.out.decode("ascii", "replace").split() if re.match(r"\A[0-9a-fA-F.:]+\Z", each)]


def _certificate(here: Here, host: str, to: Any) -> Finding:
    address, port = to or ("127.0.0.1", 443)
    place = f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}"
    try:
        asked = here.run(["openssl", "s_client", "-connect", place, "-servername", host], timeout=15)
        pem = re.search(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", asked.out, re.DOTALL)
        if pem is None:
            return found("tls", "bad", "no_certificate", place=place)
        read_ = here.run(["openssl", "x509", "-noout", "-enddate", "-ext", "subjectAltName"], stdin=pem.group() + b"\n")
    except Failed as failed:
        return found("tls", "look", "tls_unknown", why=failed.message[:300])
    said = read_.out.decode("utf-8", "replace")
    ends = re.search(r"notAfter=(\w+ +\d+ [\d:]+ \d+) GMT", said)
    if ends is None:
        return found("tls", "look", "tls_unknown", why=said[:300])
    import calendar

    until = calendar.timegm(time.strptime(ends.group(1), "%b %d %H:%M:%S %Y"))
    covers = re.findall(r"DNS:([^,\s]{1,253})", said)
    verified = b"Verify return code: 0 " in asked.out
    return judging.certificate(host, covers, int((until - time.time()) // judging.DAY), verified)


VERBS = {
    "diagnose.software": software,
    "diagnose.inside": inside,
    "diagnose.logs": logs,
    "diagnose.files": files,
    "diagnose.answers": answers,
    "diagnose.names": names,
}


def _told(here: Here, group: str, lines: list[Finding]) -> Any:
    """The report so far, with what this group found."""
    here.note(f"{_NOTE}.{group}", lines)
    notes = here.notes
    so_far = [line for each in _GROUPS for line in notes.get(f"{_NOTE}.{each}", [])]
    return {"found": len(lines), "report": {"diagnosis": so_far}}
