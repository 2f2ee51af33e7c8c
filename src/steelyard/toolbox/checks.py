"""What is missing on a host or a site, from what it says of itself: each finding with what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple

from steelyard.toolbox.model import Action, By, Json, Millis, Site, Size, decode, encode
from steelyard.toolbox.prepare import Prepared
from steelyard.web.said import N_, Said

CLOCK_OFF: Final = 5.0
"""Seconds that a host's clock may be off."""
LITTLE_SPACE: Final = 2 << 30
ENDS_SOON: Final = timedelta(days=2)
"""How long before its end a certificate is told of."""

State = Literal["ok", "odd", "missing"]
"""`odd`: it works, and somebody should look at it."""


class Finding(NamedTuple):
    """One thing that was looked at. `mend` is empty where all is well; `command` can be pasted into a terminal."""

    name: str
    state: State
    says: Said
    mend: Said | None = None
    command: str = ""


class Asked(NamedTuple):
    """What is known of a host before it is asked."""

    name: str
    account: str
    key_name: str
    certified_until: datetime | None
    prepared: Prepared


def stored(findings: Sequence[Finding], **more: Json) -> dict[str, Json]:
    """Findings as they are kept with a site or a host. `more`: what else was found."""
    return {
        "findings": [[each.name, each.state, encode(each.says), encode(each.mend), each.command] for each in findings],
        **more,
    }


def findings_in(facts: Mapping[str, Json]) -> tuple[Finding, ...]:
    """The findings that were kept."""
    kept: Sequence[Any] = facts.get("findings") or ()
    return tuple(Finding(name, state, decode(says), decode(mend), command) for name, state, says, mend, command in kept)


def worst(findings: Sequence[Finding]) -> State:
    """What stands out among them."""
    states = {each.state for each in findings}
    return "missing" if "missing" in states else "odd" if "odd" in states else "ok"


# A host


def unreached(name: str, code: str, message: str) -> Finding:
    """A host that could not be reached, or a part of it that could not be asked."""
    mends = {
        "unreachable": N_("Look whether it is on, and whether its address and port are right: `steelyard host list`."),
        "host_key": N_("Was it set up anew? Then `steelyard host rekey %(name)s`. If not, do not go on."),
        "refused": N_("Put on it what `steelyard host prepare %(name)s` prints."),
        "revoked": N_("Make a key with `steelyard host key make`, then `steelyard host change %(name)s --key KEY`."),
        "no_sudo": N_("Put on it what `steelyard host prepare %(name)s` prints."),
    }
    says = Said(N_("%(name)s: %(message)s"), {"name": name, "message": message})
    mend = Said(mends.get(code, N_("Mend that, then check %(name)s again.")), {"name": name})
    return Finding("reach", "missing", says, mend)


def judge_host(
    asked: Asked, said: Mapping[str, Any], seconds: float, now: datetime, *, local: bool = False
) -> list[Finding]:
    """What a host's answer to `check.host` shows. `seconds`: what it took. `local`: it is the worker's own machine."""
    reached = Said(N_("Reached in %(took)s, and its key is the pinned one."), {"took": Millis(seconds * 1000)})
    at_home = Said(N_("It is the machine of the workers: no SSH is needed."))
    found = [
        Finding("reach", "ok", at_home if local else reached),
        None if local else _key(asked, said.get("authorized")),
        None if local else _certificate(asked, now),
        _python(said.get("python", "")),
        _clock(asked.name, float(said.get("time") or 0), now),
        _space(asked.name, int(said.get("free") or 0)),
    ]
    return [each for each in found if each is not None]


def _key(asked: Asked, authorized: Sequence[str] | None) -> Finding | None:
    if authorized is None:
        return None
    wanted = asked.prepared.authorized_keys
    if wanted in (line.strip() for line in authorized):
        return Finding("key", "ok", Said(N_("Its authorized_keys has exactly the line that was printed for it.")))
    mend = Said(
        N_("Replace the line of this key by what `steelyard host prepare %(name)s` prints."), {"name": asked.name}
    )
    says = Said(N_("The key is let in by another line than the one that was printed: perhaps it may do more."))
    return Finding("key", "odd", says, mend, wanted)


def _certificate(asked: Asked, now: datetime) -> Finding | None:
    until = asked.certified_until
    if until is None:
        return None
    when = {"until": f"{until:%Y-%m-%d %H:%M} UTC", "key": asked.key_name}
    mend = Said(N_("Have the key signed anew, then `steelyard host key certify %(key)s FILE`."), when)
    if until <= now:
        return Finding("certificate", "missing", Said(N_("The certificate of the key ended at %(until)s."), when), mend)
    if until - now < ENDS_SOON:
        return Finding("certificate", "odd", Said(N_("The certificate of the key ends at %(until)s."), when), mend)
    return Finding("certificate", "ok", Said(N_("The certificate of the key ends at %(until)s."), when))


def _python(version: str) -> Finding:
    if version and tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) >= (3, 7):
        return Finding("python", "ok", Said(N_("Python %(version)s is there."), {"version": version}))
    says = Said(N_("There is no Python 3.7 or newer: everything takes longer, by plain commands."))
    return Finding("python", "odd", says, Said(N_("Install it where you can.")), "apt-get install -y python3-minimal")


def _clock(name: str, time: float, now: datetime) -> Finding:
    off = time - now.timestamp()
    if abs(off) <= CLOCK_OFF:
        return Finding("clock", "ok", Said(N_("Its clock is right.")))
    says = Said(N_("Its clock is off by %(seconds)s s."), {"seconds": round(off)})
    return Finding("clock", "odd", says, Said(N_("Let it keep the time by NTP.")), "timedatectl set-ntp true")


def _space(name: str, free: int) -> Finding:
    values = {"name": name, "free": Size(free)}
    if free >= LITTLE_SPACE:
        return Finding("disk", "ok", Said(N_("%(free)s are free."), values))
    mend = Said(N_("Make room on %(name)s: a run sets the old site aside before it touches anything."), values)
    return Finding("disk", "odd", Said(N_("Only %(free)s are free."), values), mend)


def judge_sudo(asked: Asked, tries: Sequence[tuple[str, Sequence[str]]], said: Mapping[str, Any]) -> list[Finding]:
    """What sudo allows of what is needed. `tries` were asked in this order."""
    if not tries:
        return [Finding("sudo", "ok", Said(N_("Nothing here needs sudo.")))]
    mend = Said(N_("Put on it what `steelyard host prepare %(name)s` prints."), {"name": asked.name})
    command = f"steelyard host prepare {asked.name}"
    if not said.get("there"):
        return [Finding("sudo", "missing", Said(N_("sudo is not there.")), mend, "apt-get install -y sudo")]
    refused = [(user, argv) for (user, argv), allowed in zip(tries, said["allowed"], strict=True) if not allowed]
    found: list[Finding] = []
    if refused:
        user, argv = refused[0]
        values = {"count": len(refused), "of": len(tries), "first": f"sudo -u {user} {' '.join(argv)}"}
        says = Said(N_("sudo refuses %(count)s of the %(of)s commands that are needed, such as: %(first)s"), values)
        found.append(Finding("sudo", "missing", says, mend, command))
    else:
        found.append(
            Finding("sudo", "ok", Said(N_("sudo allows all %(of)s commands that are needed."), {"of": len(tries)}))
        )
    if said.get("all"):
        says = Said(N_("The support account may do anything as root, which is more than is needed."))
        found.append(Finding("sudo_all", "odd", says, mend, command))
    return found


# A site


def asks_of(site: Site) -> dict[str, Action]:
    """What a site is asked, by name; each may fail by itself."""
    at = {"docroot": site.docroot, "account": site.account}
    return {
        "docroot": Action("files.stat", {"paths": [site.docroot]}),
        "disk": Action("files.disk", {"path": site.docroot}),
        "wordpress": Action("wordpress.read", {**at, "php": str(site.hints.get("php", ""))}),
        "php": Action("php.read", {**at, "hints": dict(site.hints)}, By.SITE),
    }


def judge_site(site: Site, said: Mapping[str, Any]) -> list[Finding]:
    """What a site's answers show, by the names of `asks_of`; one that failed is a text."""
    docroot = _docroot(site, said["docroot"])
    if docroot.state == "missing":
        return [docroot]
    disk = said["disk"]
    free = 0 if isinstance(disk, str) else int(disk["free"])
    return [docroot, *_wordpress(site, said["wordpress"]), *_php(site, said["php"]), _space(site.host.name, free)]


def _docroot(site: Site, said: Any) -> Finding:
    values = {"path": site.docroot, "account": site.account, "name": site.name}
    mend = Said(N_("Say where it is with `steelyard site change %(name)s --docroot PATH --account USER`."), values)
    if isinstance(said, str):
        return Finding(
            "docroot",
            "missing",
            Said(N_("%(path)s cannot be read as %(account)s: %(why)s"), {**values, "why": said}),
            mend,
        )
    seen = said[site.docroot]
    if not seen:
        return Finding("docroot", "missing", Said(N_("There is nothing at %(path)s."), values), mend)
    if seen["owner"] != site.account:
        says = Said(N_("%(path)s belongs to %(owner)s, not to %(account)s."), {**values, "owner": seen["owner"]})
        return Finding("docroot", "odd", says, mend)
    return Finding("docroot", "ok", Said(N_("%(path)s is there and belongs to %(account)s."), values))


def _wordpress(site: Site, said: Any) -> list[Finding]:
    mend = Said(N_("See what its owner made of it: nothing here repairs that by itself."))
    if isinstance(said, str):
        return [Finding("wordpress", "missing", Said(N_("WordPress cannot be read: %(why)s"), {"why": said}), mend)]
    if "missing" in said:
        what = {
            "docroot": N_("The docroot leads nowhere."),
            "wordpress": N_("There is no WordPress in it."),
            "config": N_("There is no wp-config.php: WordPress was never set up here."),
        }
        return [Finding("wordpress", "odd", Said(what.get(said["missing"], N_("There is no WordPress in it."))), mend)]
    values = {"version": said.get("version", ""), "prefix": said.get("prefix", "")}
    found = [Finding("wordpress", "ok", Said(N_("WordPress %(version)s with the prefix %(prefix)s."), values))]
    database = said.get("database", {}).get("name", "")
    problems: Sequence[str] = said.get("problems", ())
    if "database" in problems:
        says = Said(N_("Its database %(name)s does not answer with what wp-config.php says."), {"name": database})
        return [*found, Finding("database", "missing", says, mend)]
    if "no_tables" in problems:
        says = Said(N_("Its database %(name)s has no tables with that prefix."), {"name": database})
        return [*found, Finding("database", "missing", says, mend)]
    return [*found, Finding("database", "ok", Said(N_("Its database %(name)s answers."), {"name": database}))]


def _php(site: Site, said: Any) -> list[Finding]:
    hint = Said(
        N_("Say which PHP it is in its hints: `steelyard site change %(name)s --hints JSON`."), {"name": site.name}
    )
    if isinstance(said, str):
        return [Finding("php", "missing", Said(N_("Its PHP cannot be read: %(why)s"), {"why": said}), hint)]
    version, fpm = said.get("version", ""), said.get("fpm")
    if not fpm:
        says = Said(
            N_("PHP %(version)s is there for commands; which PHP-FPM serves it cannot be told."), {"version": version}
        )
        return [Finding("php", "odd", says, hint)]
    values = {"version": version, "pool": fpm.get("pool", "")}
    if fpm.get("version", version) != version:
        values["served"] = fpm["version"]
        says = Said(N_("Commands run PHP %(version)s, and the site is served by %(served)s."), values)
        return [Finding("php", "odd", says, hint)]
    return [Finding("php", "ok", Said(N_("PHP %(version)s, served by the pool %(pool)s."), values))]
