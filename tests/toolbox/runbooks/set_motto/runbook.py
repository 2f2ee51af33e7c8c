"""Writes a text into a file of the site: small, and with everything that a real one has."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Check, Plan, Refused, Risk, Row, Secret, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import files
from steelyard.web.said import N_, Said


def live(at: Asked | Left) -> str:
    return f"{at.site.docroot}/motto"


def stage(at: Asked | Left) -> str:
    return f"{at.site.docroot}/.stage-{at.token}"


def mark(at: Asked | Left) -> str:
    return f"{at.site.docroot}/marked"


def text_of(path: str) -> Action:
    return Action("run", {"argv": ["/bin/cat", "--", path], "good": [0, 1]})


def reads(asked: Asked) -> tuple[Read, ...]:
    return (Read("motto", text_of(live(asked))), Read("seen", files.stat([live(asked), mark(asked)])))


def plan(asked: Asked, facts: Facts) -> Plan:
    was, new = facts["motto"]["out"], str(asked.values["text"])
    if facts["seen"][live(asked)] is None:
        raise Refused("no_motto", Said(N_("%(site)s has no motto yet: write one first."), {"site": asked.site.name}))
    if was == new:
        return Plan((), nothing=Said(N_("It says so already.")))
    key = [files.write(f"{asked.site.docroot}/key", Secret("key"))] if asked.values["key"] else []
    sleep = Action("run", {"argv": ["/bin/sleep", str(asked.values["seconds"])]})
    staged = (files.write(stage(asked), new), *([sleep] if asked.values["seconds"] else []))
    steps = (
        Step("stage", Said(N_("Write it beside")), Said("%(n)s", {"n": Size(len(new))}), staged, touches=False),
        Step("swap", Said(N_("Exchange both")), Said(N_("At once.")), (files.exchange(stage(asked), live(asked)),)),
        Step("mark", Said(N_("Mark it")), Said(N_("A file.")), (files.write(mark(asked), "new"), *key)),
    )  # fmt: skip
    wanted = "something else" if asked.values["wrong"] else f"~{new}"
    return Plan(
        steps,
        (Check(Said(N_("It says what it should")), text_of(live(asked)), {"out": wanted}, 2),),
        (Row(Said(N_("Says now")), was),),
        keeps={"was": was},
    )


def undo_reads(left: Left) -> tuple[Read, ...]:
    return (Read("motto", text_of(live(left))), Read("seen", files.stat([stage(left), mark(left)])))


def undo(left: Left, facts: Facts) -> Plan:
    steps: list[Step] = []
    if facts["motto"]["out"] != left.keeps["was"] and facts["seen"][stage(left)]:
        steps.append(
            Step("swap_back", Said(N_("Exchange both")), Said(N_("Back.")), (files.exchange(live(left), stage(left)),))
        )
    gone = [path for path in (mark(left), stage(left)) if facts["seen"][path]]
    if gone:
        steps.append(Step("clean", Said(N_("Remove")), Said(N_("What is left.")), (files.remove(gone),)))
    return Plan(tuple(steps), (Check(Said(N_("As before")), text_of(live(left)), {"out": left.keeps["was"]}),))


def erase(left: Left) -> tuple[Action, ...]:
    return (files.remove([stage(left)]),)


RUNBOOK = Runbook(
    name="set_motto",
    title=N_("Set the motto"),
    summary=N_("Writes a text into a file of the site."),
    risk=Risk.CHANGES,
    minutes=5,
    plan=plan,
    reads=reads,
    parameters=(
        Parameter("text", N_("Text"), required=True),
        Parameter("wrong", N_("Fails its check"), "switch", False),
        Parameter("seconds", N_("Seconds that staging takes"), "number", 0),
        Parameter("key", N_("Key"), secret=True),
    ),
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
)
