"""Only reads."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Plan, Risk, Step
from steelyard.toolbox.runbook import Asked, Facts, Parameter, Read, Runbook
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    return ()


def plan(asked: Asked, facts: Facts) -> Plan:
    look = Action("run", {"argv": ["/bin/cat", f"{asked.site.docroot}/motto"]})
    wait = Action("run", {"argv": ["/bin/sleep", str(asked.values["seconds"])]})
    return Plan((Step("look", Said(N_("Look")), Said(N_("At the motto.")), (wait, look), touches=False),))


RUNBOOK = Runbook(
    name="read_motto",
    title=N_("Read the motto"),
    summary=N_("Reads a file of the site."),
    risk=Risk.READS,
    minutes=1,
    plan=plan,
    reads=reads,
    parameters=(Parameter("seconds", N_("Seconds"), "number", 0),),
)
