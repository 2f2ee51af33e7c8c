"""Compares a WordPress with the signed manifest of its release. Changes nothing."""

from __future__ import annotations

from steelyard.toolbox.model import Plan, Refused, Risk, Row, Step
from steelyard.toolbox.runbook import Asked, Facts, Read, Runbook
from steelyard.toolbox.tools import scan, wp
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    """Which WordPress it is."""
    return (wp.read(asked.site),)


def plan(asked: Asked, facts: Facts) -> Plan:
    """One comparison."""
    wordpress = facts["wordpress"]
    if "missing" in wordpress:
        message = N_("No WordPress is in %(docroot)s. Correct the site’s folder in the registry.")
        raise Refused("no_wordpress", Said(message, {"docroot": asked.site.docroot}))
    release = {"version": str(wordpress["version"]), "locale": str(wordpress["locale"])}
    says = N_("Every file of WordPress %(version)s %(locale)s: changed, missing, or not part of the release.")
    layout = scan.layout_of(asked.site, wordpress)
    return Plan(
        (
            Step(
                "compare",
                Said(N_("Compare core with what was released")),
                Said(says, release),
                (scan.compare(layout, wordpress, core_only=True),),
                0.5,
                touches=False,
            ),
        ),
        concerns=(
            Row(Said(N_("WordPress")), release["version"]),
            Row(Said(N_("Language")), release["locale"]),
            Row(Said(N_("Folder")), layout.core),
        ),
        undoable=False,
    )


RUNBOOK = Runbook(
    name="verify_core",
    title=N_("Verify WordPress core"),
    summary=N_("Says which files of core are not as they were released: changed, missing or added."),
    risk=Risk.READS,
    minutes=8,
    reads=reads,
    plan=plan,
    topics=("security",),
    group="security",
)
