"""What figures of a site mean: good, worth a look, or bad. Pure; every threshold of a diagnosis stands here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

Finding = dict[str, Any]
"""`what` was looked at, `state` good, look or bad, `says` which sentence tells it, `value` what stands in that."""

PHP_ENDS = {"8.1": "2025-12-31", "8.2": "2026-12-31", "8.3": "2027-12-31", "8.4": "2028-12-31", "8.5": "2029-12-31"}
"""Until when a PHP gets security fixes; older ones get none."""
HOUR, DAY = 3600, 86_400
AUTOLOAD_LOOK, AUTOLOAD_BAD = 800_000, 3_000_000
"""Bytes of options that every page loads. The first is what WordPress itself warns of."""
TTFB_LOOK, TTFB_BAD = 600, 1800
"""Milliseconds until the first byte of a page, asked on the host itself."""
FREE_LOOK, FREE_BAD = 10, 5
"""Percent of a disk that are free."""
EXPIRES_SOON = 14
"""Days."""
LOG_OLD = 7 * DAY
_CACHES = ("x-cache", "x-cache-status", "x-fastcgi-cache", "cf-cache-status", "x-litespeed-cache", "x-varnish-cache")


def found(what: str, state: str, says: str, **value: Any) -> Finding:
    """One line of a diagnosis."""
    return {"what": what, "state": state, "says": says, "value": value}


def php(version: str, fpm: str, today: str) -> Finding:
    """`today`: such as 2026-11-22. `fpm`: its version, empty without one."""
    served = fpm or version
    short = ".".join(served.split(".")[:2])
    number = [int(part) if part.isdigit() else 0 for part in short.split(".")] + [0]
    if number[:2] < [8, 1] or (short in PHP_ENDS and PHP_ENDS[short] < today):
        return found("php", "bad" if number[:2] < [7, 4] else "look", "php_ended", version=served)
    if fpm and fpm != version:
        return found("php", "look", "php_differs", version=version, fpm=fpm)
    return found("php", "good", "php", version=served)


def database(server: str) -> Finding:
    """By what VERSION() says."""
    known = re.match(r"(\d+)\.(\d+)", server)
    number = [int(part) for part in known.groups()] if known else [0, 0]
    least = [10, 6] if "maria" in server.lower() else [8, 0]
    return found("database", "look" if number < least else "good", "database_old" if number < least else "database",
                 version=server)  # fmt: skip


def cron(due: Sequence[int], now: float, disabled: bool) -> Finding:
    """`due`: when events are to be done."""
    late = [now - each for each in due if each < now - 60]
    longest = max(late, default=0)
    if longest > HOUR:
        says = "cron_late_disabled" if disabled else "cron_late"
        return found("cron", "bad" if longest > DAY else "look", says, count=len(late), hours=int(longest // HOUR))
    return found("cron", "good", "cron_disabled" if disabled else "cron", count=len(due))


def autoloaded(size: int) -> Finding:
    """Bytes of options that every page loads."""
    state = "bad" if size > AUTOLOAD_BAD else "look" if size > AUTOLOAD_LOOK else "good"
    return found("autoload", state, "autoload" if state == "good" else "autoload_large", size=size)


def object_cache(kind: str) -> Finding:
    """`kind` as of `wordpress.read`."""
    return found("object_cache", "good" if kind else "look", "object_cache" if kind else "no_object_cache", kind=kind)


def log(path: str, size: int, age: float, fatal: Sequence[str], others: int) -> Finding:
    """A log whose last lines hold these fatal errors and so many others."""
    value: Mapping[str, Any] = {"path": path, "size": size}
    if age > LOG_OLD:
        return found("log", "good", "log_old", **value, days=int(age // DAY))
    if fatal:
        return found("log", "bad", "log_fatal", **value, count=len(fatal), last=fatal[-1])
    return found("log", "look" if others else "good", "log_errors" if others else "log_quiet", **value, count=others)


def disk(free: int, total: int) -> Finding:
    """Bytes."""
    percent = int(100 * free / total) if total else 0
    state = "bad" if percent < FREE_BAD else "look" if percent < FREE_LOOK else "good"
    return found("disk", state, "disk" if state == "good" else "disk_full", free=free, percent=percent)


def permissions(told: Mapping[str, Any]) -> Finding:
    """As `permissions.look` counts."""
    count = int(told.get("files", 0)) + int(told.get("folders", 0))
    if told.get("writable"):
        return found("permissions", "bad", "writable", count=int(told["writable"]))
    return found("permissions", "look" if count else "good", "permissions_odd" if count else "permissions", count=count)


def answers(statuses: Sequence[int], seconds: Sequence[float]) -> Finding:
    """Several requests of the home page; the median counts."""
    if not statuses:
        return found("answers", "bad", "no_answer")
    if max(statuses) >= 400:
        return found("answers", "bad", "answers_error", status=max(statuses))
    ms = int(1000 * sorted(seconds)[len(seconds) // 2])
    state = "bad" if ms > TTFB_BAD else "look" if ms > TTFB_LOOK else "good"
    return found("answers", state, "answers" if state == "good" else "answers_slowly", status=statuses[-1], ms=ms)


def page_cache(headers: Mapping[str, str]) -> Finding:
    """By the headers of the last of several requests, names in small letters."""
    said = [(name, headers[name]) for name in _CACHES if name in headers]
    hit = [pair for pair in said if "hit" in pair[1].lower()]
    if hit or headers.get("age", "0") not in ("", "0"):
        name, value = (hit or [("age", headers.get("age", ""))])[0]
        return found("page_cache", "good", "page_cache", header=f"{name}: {value}"[:200])
    if said:
        return found("page_cache", "look", "page_cache_missed", header=f"{said[0][0]}: {said[0][1]}"[:200])
    return found("page_cache", "look", "no_page_cache")


def names(name: str, resolved: Sequence[str], own: Sequence[str]) -> Finding:
    """What a name resolves to on its host, beside the addresses of that host."""
    shown = ", ".join(resolved[:8])
    if not resolved:
        return found("dns", "bad", "dns_nothing", name=name)
    if set(resolved) & set(own):
        return found("dns", "good", "dns", name=name, addresses=shown)
    return found("dns", "look", "dns_elsewhere", name=name, addresses=shown, own=", ".join(own[:8]))


def certificate(name: str, covers: Sequence[str], days: int, verified: bool) -> Finding:
    """`covers`: names in it. `days` until it ends, negative afterwards. `verified`: whether its chain is trusted."""
    value: Mapping[str, Any] = {"name": name, "names": ", ".join(covers[:8]), "days": days}
    if days < 0:
        return found("tls", "bad", "tls_ended", **value)
    if not any(_covers(each, name) for each in covers):
        return found("tls", "bad", "tls_other_name", **value)
    if not verified:
        return found("tls", "bad", "tls_untrusted", **value)
    return found(
        "tls", "look" if days < EXPIRES_SOON else "good", "tls_soon" if days < EXPIRES_SOON else "tls", **value
    )


def _covers(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower(), name.lower()
    return pattern == name or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def due_at(cron: bytes) -> list[int]:
    """When the events of WordPress's option `cron` are to be done: the keys of its outermost array."""
    return [int(each) for each in re.findall(rb"i:(\d{9,11});a:\d+:\{s:\d+:", cron)]


def fatal_lines(tail: bytes) -> tuple[list[str], int]:
    """The lines of a log that tell of a fatal error, each cut, and how many others tell of an error or a warning."""
    fatal: list[str] = []
    others = 0
    for line in tail.split(b"\n"):
        if re.search(rb"(?:PHP )?(?:Fatal|Parse) error|Uncaught |\[(?:crit|alert|emerg)\]", line[:2000]):
            fatal.append(line[:300].decode("utf-8", "replace"))
        elif re.search(rb"(?i)\b(?:warning|error)\b", line[:2000]):
            others += 1
    return fatal, others
