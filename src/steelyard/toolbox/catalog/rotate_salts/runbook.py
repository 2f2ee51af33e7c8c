"""Makes the keys and salts of a WordPress anew: every session of every user ends."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Plan, Refused, Risk, Row, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Read, Runbook
from steelyard.toolbox.tools import files, http, php, salts, wp
from steelyard.web.said import N_, Said


def reads(asked: Asked) -> tuple[Read, ...]:
    return wp.read(asked.site), php.read(asked.site), salts.look(asked.site)


def plan(asked: Asked, facts: Facts) -> Plan:
    found, known = facts["wordpress"], facts["salts"]
    if "missing" in found:
        raise Refused("no_wordpress", Said(N_("There is no WordPress in this docroot: check the site's docroot.")))
    if known["odd"]:
        says = N_("%(names)s in %(path)s are no plain texts: look where they come from, and change them there.")
        raise Refused("odd_config", Said(says, {"names": ", ".join(known["odd"]), "path": found["config"]}))
    path = found["config"]
    step = Step(
        "rotate",
        Said(N_("Make the keys anew")),
        Said(
            N_("8 keys and salts in %(path)s: %(set)s stand there already, %(missing)s are new."),
            {"path": path, "set": len(known["set"]), "missing": len(known["missing"])},
        ),
        (salts.rotate(path), *_forget(facts, path)),
    )
    return Plan(
        (step,),
        checks=(http.answers(asked.site),),
        concerns=(
            Row(Said(N_("Users who are signed in")), known["users"]),
            Row(Said(N_("Stays")), Said(N_("passwords, content, everything else in wp-config.php"))),
        ),
        warnings=(Said(N_("Everybody is signed out at once, customers of a shop too. Carts of guests stay.")),),
        left=(Said(N_("If the site was broken into, change the passwords too: old ones still sign in.")),),
        keeps={"config": path},
    )


def undo_reads(left: Left) -> tuple[Read, ...]:
    return php.read(left.site), Read("salts", salts.read(left.keeps["config"]))


def undo(left: Left, facts: Facts) -> Plan:
    path = left.keeps["config"]
    if not facts["salts"]["left"]:
        return Plan((), nothing=Said(N_("The keys are those from before the run.")))
    if facts["salts"]["left"] == "changed":
        says = N_("%(path)s was written by somebody else since: putting it back would lose that. Compare by hand.")
        raise Refused("changed", Said(says, {"path": path}))
    step = Step(
        "restore",
        Said(N_("Put wp-config.php back as it was")),
        Said(N_("%(path)s, to the byte. Sessions from before the run are valid again."), {"path": path}),
        (salts.restore(path), *_forget(facts, path)),
    )
    return Plan((step,), checks=(http.answers(left.site),), undoable=False)


def erase(left: Left) -> tuple[Action, ...]:
    return (files.clear_work(),)


def _forget(facts: Facts, path: str) -> tuple[Action, ...]:
    forget = php.forget(facts, [path])
    return (forget,) if forget else ()


RUNBOOK = Runbook(
    name="rotate_salts",
    title=N_("Rotate the salts"),
    summary=N_("Makes WordPress’s secret keys anew, which signs everybody out."),
    risk=Risk.CHANGES,
    minutes=5,
    reads=reads,
    plan=plan,
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("malware", "access"),
    group="security",
)
