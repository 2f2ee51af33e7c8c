"""Looks at a site from its own host and says what is good, what is worth a look and what is bad. Changes nothing."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Plan, Risk, Row, Step
from steelyard.toolbox.runbook import Asked, Facts, Read, Runbook
from steelyard.toolbox.tools import diagnose, wp
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    return (wp.read(asked.site),)


def plan(asked: Asked, facts: Facts) -> Plan:
    site, found = asked.site, facts["wordpress"]
    name = {"name": diagnose.name_of(site)}
    looks: tuple[tuple[str, str, Said, Action, float], ...] = (
        ("software", N_("Read the versions"), Said(N_("WordPress, PHP and the database server.")),
         diagnose.software(site), 0.5),
        ("inside", N_("Look into WordPress"), Said(N_("Plugins, scheduled events, options that every page loads.")),
         diagnose.inside(site), 0.3),
        ("logs", N_("Read the ends of the logs"), Said(N_("The last 200 KB of each that %(account)s may read."),
         {"account": site.account}), diagnose.logs(site), 0.3),
        ("files", N_("Measure the files"), Said(N_("Free disk, the size of %(path)s, permissions."),
         {"path": site.docroot}), diagnose.files(site), 1.0),
        ("answers", N_("Ask for the home page"), Said(N_("Four times, at the site's own web server: %(url)s"),
         {"url": site.url}), diagnose.answers(site), 1.5),
        ("names", N_("Compare name and certificate"), Said(N_("What %(name)s resolves to on its host, and TLS."), name),
         diagnose.names(site), 0.3),
    )  # fmt: skip
    steps = tuple(
        Step(step, Said(title), says, (action,), seconds, touches=False) for step, title, says, action, seconds in looks
    )
    there = "" if "missing" in found else str(found["version"])
    return Plan(steps, concerns=(Row(Said(N_("WordPress")), there), *_folder(asked)), undoable=False)


def _folder(asked: Asked) -> tuple[Row, ...]:
    return (Row(Said(N_("Folder")), asked.site.docroot),)


RUNBOOK = Runbook(
    name="diagnose_site",
    title=N_("Diagnose the site"),
    summary=N_("Versions, errors, disk, scheduled events, plugins, speed, caches, DNS and TLS, at a glance."),
    risk=Risk.READS,
    minutes=15,
    reads=reads,
    plan=plan,
    topics=("plugins", "php", "caching", "dns", "ssl"),
    group="look",
)
