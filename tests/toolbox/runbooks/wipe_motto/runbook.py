"""Destroys: what confirming it takes is tested with it."""

from __future__ import annotations

from steelyard.toolbox.model import Plan, Risk, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Read, Runbook
from steelyard.toolbox.tools import files
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    return (Read("seen", files.stat([f"{asked.site.docroot}/motto"])),)


def plan(asked: Asked, facts: Facts) -> Plan:
    motto = f"{asked.site.docroot}/motto"
    return Plan(
        (Step("wipe", Said(N_("Wipe")), Said(N_("The motto.")), (files.move(motto, f"{motto}-{asked.token}"),)),)
    )


def undo(left: Left, facts: Facts) -> Plan:
    motto = f"{left.site.docroot}/motto"
    back = Step("back", Said(N_("Back")), Said(N_("The motto.")), (files.move(f"{motto}-{left.token}", motto),))
    return Plan((back,))


RUNBOOK = Runbook(
    name="wipe_motto",
    title=N_("Wipe the motto"),
    summary=N_("Moves a file of the site away."),
    risk=Risk.DESTROYS,
    minutes=5,
    plan=plan,
    reads=reads,
    undo=undo,
)
