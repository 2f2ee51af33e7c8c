"""What a diagnosis found, in words: its codes are in the report of the run, its sentences here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from steelyard.toolbox.model import Json
from steelyard.web.said import N_, Message, Said, Size

LABELS: Final[Mapping[str, Message]] = {
    "wordpress": N_("WordPress"),
    "php": N_("PHP"),
    "database": N_("Database"),
    "object_cache": N_("Object cache"),
    "cron": N_("Scheduled events"),
    "autoload": N_("Options that every page loads"),
    "plugins": N_("Plugins"),
    "log": N_("Log"),
    "disk": N_("Disk"),
    "size": N_("Size"),
    "permissions": N_("Permissions"),
    "answers": N_("First byte"),
    "page_cache": N_("Page cache"),
    "dns": N_("DNS"),
    "tls": N_("TLS"),
}
SENTENCES: Final[Mapping[str, Message]] = {
    "wordpress": N_("%(version)s, language %(locale)s"),
    "no_wordpress": N_("There is none in %(docroot)s: correct the site’s folder, or look what became of it."),
    "php": N_("%(version)s"),
    "php_ended": N_("%(version)s gets no security fixes any more: move the site to a newer one."),
    "php_differs": N_("%(version)s at the command line, %(fpm)s for visitors."),
    "no_php": N_("It could not be asked: %(why)s"),
    "database": N_("%(version)s"),
    "database_old": N_("%(version)s is old: plan to move to a newer one."),
    "no_database": N_("It does not answer: %(why)s"),
    "object_cache": N_("There is one (%(kind)s)."),
    "no_object_cache": N_("There is none: each page asks the database for all. If it is slow, set up Redis."),
    "cron": N_("%(count)s, none of them late"),
    "cron_disabled": N_("%(count)s, done by the host’s own cron, none of them late"),
    "cron_late": N_("%(count)s are late, the oldest by %(hours)s hours: without visitors nothing starts them."),
    "cron_late_disabled": N_(
        "%(count)s are late, the oldest by %(hours)s hours, and DISABLE_WP_CRON is set: look at the host’s cron."
    ),
    "autoload": N_("%(size)s"),
    "autoload_large": N_("%(size)s, with each page: look which plugin stores so much."),
    "plugins": N_("%(count)s active: %(names)s"),
    "no_plugins": N_("None is active."),
    "log_quiet": N_("%(path)s, %(size)s: no errors at its end"),
    "log_errors": N_("%(path)s, %(size)s: %(count)s errors and warnings at its end"),
    "log_fatal": N_("%(path)s, %(size)s: %(count)s fatal errors at its end, the last one: %(last)s"),
    "log_old": N_("%(path)s, %(size)s: nothing new for %(days)s days"),
    "no_logs": N_("There is none that the site’s account may read."),
    "disk": N_("%(free)s free, %(percent)s %%"),
    "disk_full": N_("%(free)s free, %(percent)s %%: make room before it is full."),
    "size": N_("%(count)s files, %(size)s"),
    "size_more": N_("More than %(count)s files and %(size)s: counting stopped there."),
    "permissions": N_("As they should be"),
    "permissions_odd": N_("%(count)s files and folders are too open or closed: fix permissions."),
    "writable": N_("%(count)s files and folders can be written by everybody on the host: fix permissions."),
    "answers": N_("%(ms)s ms, status %(status)s"),
    "answers_slowly": N_("%(ms)s ms, status %(status)s: that is slow. Look at caches and plugins."),
    "answers_error": N_("The home page answers with status %(status)s."),
    "no_answer": N_("The site’s own web server does not answer."),
    "page_cache": N_("It answers (%(header)s)."),
    "page_cache_missed": N_("There is one, and it did not answer (%(header)s): something keeps pages out of it."),
    "no_page_cache": N_("None answered: each visit runs PHP."),
    "dns": N_("%(name)s resolves to this host (%(addresses)s)."),
    "dns_elsewhere": N_("%(name)s resolves to %(addresses)s, this host is %(own)s: right behind a proxy, else wrong."),
    "dns_nothing": N_("%(name)s resolves to nothing on this host."),
    "tls": N_("For %(names)s, %(days)s days more"),
    "tls_soon": N_("Ends in %(days)s days: look why it was not renewed."),
    "tls_ended": N_("It has ended: browsers warn of the site."),
    "tls_other_name": N_("It is for %(names)s, and not for %(name)s: browsers warn of the site."),
    "tls_untrusted": N_("Its chain is not trusted on this host: it lacks a certificate in between, or is self-signed."),
    "tls_unknown": N_("It could not be read: %(why)s"),
    "no_certificate": N_("None is shown at %(place)s."),
    "no_tls": N_("The site is not served by HTTPS."),
}  # fmt: skip
STATES: Final[Mapping[str, Message]] = {"bad": N_("bad"), "look": N_("look"), "good": N_("good")}
_BYTES: Final = ("size", "free")


class Told(NamedTuple):
    """A line of a diagnosis, in words: what, how it is, and what is said of it."""

    label: Said
    state: str
    word: Message
    says: Said


def told(report: Json) -> tuple[Told, ...]:
    """The lines of a run's report, what is bad first; none where it is no diagnosis. A site wrote what is in them."""
    lines: Json = cast("Mapping[str, Json]", report).get("diagnosis") if isinstance(report, Mapping) else None
    if not isinstance(lines, list):
        return ()
    known = [each for line in cast("list[Json]", lines) if (each := _told(line)) is not None]
    return tuple(sorted(known, key=lambda each: list(STATES).index(each.state)))


def _told(line: Json) -> Told | None:
    """A line in words; None for what no diagnosis of ours says, as a report of a team's own runbook may hold."""
    match line:
        case {"what": str(what), "state": str(state), "says": str(says), "value": dict()}:
            given = cast("Mapping[str, Json]", line["value"])
        case _:
            return None
    says = "no_plugins" if says == "plugins" and not given.get("names") else says
    if what not in LABELS or state not in STATES or says not in SENTENCES:
        return None
    try:
        values = {name: Size(int(value)) if name in _BYTES else value for name, value in given.items()}
        _ = SENTENCES[says] % values
    except (KeyError, TypeError, ValueError):
        return None
    return Told(Said(LABELS[what]), state, STATES[state], Said(SENTENCES[says], values))
