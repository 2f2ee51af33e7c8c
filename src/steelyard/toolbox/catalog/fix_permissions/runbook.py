"""Sets the permissions of a site's files right: written by its own user alone, read by whom the web server is."""

from __future__ import annotations

from steelyard.toolbox.model import Action, Check, Plan, Refused, Risk, Row, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import files, http, permissions
from steelyard.web.said import N_, Said

PER_SECOND = 20_000


def reads(asked: Asked) -> tuple[Read, ...]:
    return (permissions.look(asked.site, bool(asked.values["open"])),)


def plan(asked: Asked, facts: Facts) -> Plan:
    found, also_open = facts["permissions"], bool(asked.values["open"])
    if not found:
        says = N_("There is no folder %(path)s: check the site's docroot.")
        raise Refused("no_docroot", Said(says, {"path": asked.site.docroot}))
    count = found["files"] + found["folders"]
    if not count:
        says = N_("All %(count)s files and folders are as they should be.")
        return Plan((), nothing=Said(says, {"count": found["seen"]}), undoable=False)
    step = Step(
        "fix",
        Said(N_("Set permissions")),
        Said(N_("%(files)s files and %(folders)s folders in %(path)s"), {
            "files": found["files"], "folders": found["folders"], "path": asked.site.docroot,
        }),
        (permissions.fix(asked.site, also_open),),
        seconds=0.1 + found["seen"] / PER_SECOND,
    )  # fmt: skip
    right = Check(
        Said(N_("Nothing is too open any more")), permissions.counted(asked.site, also_open), {"files": 0, "folders": 0}
    )
    return Plan(
        (step,),
        checks=(right, http.answers(asked.site)),
        concerns=_concerns(found),
        warnings=_warnings(asked, found),
    )


def undo_reads(left: Left) -> tuple[Read, ...]:
    return (permissions.look(left.site, bool(left.values["open"])),)


def undo(left: Left, facts: Facts) -> Plan:
    count = facts["permissions"].get("left", 0)
    if not count:
        return Plan((), nothing=Said(N_("No permission stands as the run set it.")))
    step = Step(
        "restore",
        Said(N_("Put permissions back")),
        Said(N_("%(count)s files and folders, each as it was. What was set otherwise since stays."), {"count": count}),
        (permissions.restore(left.site),),
        seconds=0.1 + count / PER_SECOND,
    )
    return Plan((step,), undoable=False)


def erase(left: Left) -> tuple[Action, ...]:
    return (files.clear_work(),)


def _concerns(found: Facts) -> tuple[Row, ...]:
    return (
        Row(Said(N_("Files and folders")), found["seen"]),
        Row(Said(N_("Everybody on the host can write")), found["writable"]),
        Row(Said(N_("wp-config.php is among them")), bool(found["config"])),
        *(Row(Said(N_("For example")), each) for each in found["examples"]),
        Row(Said(N_("Stays")), Said(N_("owners, links, contents"))),
    )


def _warnings(asked: Asked, found: Facts) -> tuple[Said, ...]:
    if not found["foreign"]:
        return ()
    says = N_("%(count)s files belong to somebody else than %(account)s: only root can change them, so they stay.")
    return (Said(says, {"count": found["foreign"], "account": asked.site.account}),)


RUNBOOK = Runbook(
    name="fix_permissions",
    title=N_("Fix permissions"),
    summary=N_("Closes files that others on the host could write, and opens those that the site itself cannot."),
    risk=Risk.CHANGES,
    minutes=10,
    parameters=(
        Parameter(
            "open",
            N_("Let the web server read everything"),
            "switch",
            help=N_("Where it runs as another user: folders 755, files 644. wp-config.php stays closed to others."),
        ),
    ),
    reads=reads,
    plan=plan,
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("access", "malware"),
)
