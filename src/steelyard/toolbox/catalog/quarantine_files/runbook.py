"""Moves files that a scan found to a folder where nobody can call them. Undo puts them back as they were."""

from __future__ import annotations

from steelyard.toolbox.model import Action, By, Check, Json, Plan, Refused, Risk, Row, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook
from steelyard.toolbox.tools import files
from steelyard.web.said import N_, Said

_MOST_NUMBERS = 2000


def reads(asked: Asked) -> tuple[Read, ...]:
    """What lies now where the scan found something."""
    args: dict[str, Json] = {"scan": int(asked.values["scan"]), "findings": _numbers(str(asked.values["findings"]))}
    return (Read("chosen", Action("scan.chosen", args, By.WORKER, 120.0)),)


def plan(asked: Asked, facts: Facts) -> Plan:
    """Only files that are exactly what was found are moved."""
    chosen = facts["chosen"]
    there = [each for each in chosen["files"] if each[2] == "there"]
    if not chosen["files"]:
        message = N_("Scan %(scan)s found no such files on this site. Choose findings on its page.")
        raise Refused("no_findings", Said(message, {"scan": int(asked.values["scan"])}))
    if not there:
        return Plan((), nothing=Said(N_("None of these files is there any more as it was found.")), undoable=False)
    if not chosen["base"]:
        message = N_("There is no folder outside of %(docroot)s to keep them in. Make one in the account’s home.")
        raise Refused("no_place", Said(message, {"docroot": asked.site.docroot}))
    folder = f"{chosen['base']}/{asked.token}"
    listed: list[list[Json]] = [[name, digest, number] for number, (name, digest, _, _) in enumerate(there, 1)]
    scan = int(asked.values["scan"])
    return Plan(
        (_move(folder, listed), _marked(scan, listed, quarantined=True)),
        checks=(_gone(folder, listed),),
        concerns=(
            Row(Said(N_("Files")), len(there)),
            Row(Said(N_("Size")), Size(sum(int(each[3]) for each in there))),
            Row(Said(N_("Kept in")), folder),
            *(Row(Said(N_("File")), str(each[0])) for each in there[:50]),
        ),
        warnings=_left_alone([each for each in chosen["files"] if each[2] != "there"]),
        left=(Said(N_("Find out how they came there: change passwords, update plugins, and scan again.")),),
        keeps={"folder": folder, "files": listed, "scan": scan},
    )


def undo_reads(left: Left) -> tuple[Read, ...]:
    """What is kept, and which places are free."""
    if "folder" not in left.keeps:
        return ()
    return (Read("kept", Action("quarantine.kept", {"folder": left.keeps["folder"], "files": left.keeps["files"]})),)


def undo(left: Left, facts: Facts) -> Plan:
    """Every file that is kept goes back to where it was."""
    if "folder" not in left.keeps or not facts["kept"]["kept"]:
        return Plan((), nothing=Said(N_("No file is kept: there is nothing to put back.")), undoable=False)
    kept, free = set(facts["kept"]["kept"]), set(facts["kept"]["free"])
    listed = [each for each in left.keeps["files"] if each[2] in free]
    taken = [each for each in left.keeps["files"] if each[2] in kept - free]
    if not listed:
        message = N_("Other files are where these were. Move those away first: %(names)s")
        raise Refused("taken", Said(message, {"names": ", ".join(str(each[0]) for each in taken[:5])}))
    marked = [each for each in left.keeps["files"] if each not in taken]  # also those that went back before a kill
    return Plan(
        (_back(left.keeps["folder"], listed), _marked(int(left.keeps["scan"]), marked, quarantined=False)),
        checks=(_again(left.keeps["folder"], listed),),
        concerns=(Row(Said(N_("Files")), len(listed)),),
        warnings=tuple(Said(N_("Another file is in its place: %(name)s"), {"name": str(each[0])}) for each in taken),
        undoable=False,
    )


def erase(left: Left) -> tuple[Action, ...]:
    """What is still kept when the way back ends."""
    return (files.remove([left.keeps["folder"]], trees=True),) if "folder" in left.keeps else ()


def _move(folder: str, listed: list[list[Json]]) -> Step:
    says = Said(N_("Files: %(count)s. Each only if it is still what was found."), {"count": len(listed)})
    action = Action("quarantine.move", {"folder": folder, "files": listed}, timeout=120.0)
    return Step("move", Said(N_("Move the files away")), says, (action,), 0.2)


def _back(folder: str, listed: list[list[Json]]) -> Step:
    says = Said(N_("Files: %(count)s, with their owner, permissions and times."), {"count": len(listed)})
    action = Action("quarantine.back", {"folder": folder, "files": listed}, timeout=120.0)
    return Step("back", Said(N_("Put the files back")), says, (action,), 0.2)


def _marked(scan: int, listed: list[list[Json]], *, quarantined: bool) -> Step:
    args: dict[str, Json] = {"scan": scan, "places": [each[0] for each in listed], "quarantined": quarantined}
    says = Said(N_("The page of scan %(scan)s shows it."), {"scan": scan})
    action = Action("scan.mark", args, By.WORKER)
    return Step("mark", Said(N_("Note it on the findings")), says, (action,), 0.05, touches=False)


def _gone(folder: str, listed: list[list[Json]]) -> Check:
    action = Action("quarantine.kept", {"folder": folder, "files": listed})
    return Check(Said(N_("No file is left where it was")), action, {"there": 0})


def _again(folder: str, listed: list[list[Json]]) -> Check:
    action = Action("quarantine.kept", {"folder": folder, "files": listed})
    return Check(Said(N_("Every file is where it was")), action, {"there": len(listed), "kept": []})


def _left_alone(others: list[list[Json]]) -> tuple[Said, ...]:
    why = {
        "changed": N_("Changed since the scan, left alone: %(name)s"),
        "gone": N_("Not there any more: %(name)s"),
        "elsewhere": N_("Behind a link or on another file system, left alone: %(name)s"),
    }
    return tuple(Said(why[each[2]], {"name": str(each[0])}) for each in others[:50] if each[2] in why)


def _numbers(text: str) -> list[Json]:
    """`3,5-7` as [3, 5, 6, 7], each once, in order, at most 2000."""
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        first, _, last = part.partition("-")
        found.update(range(int(first), min(int(last or first), int(first) + _MOST_NUMBERS) + 1))
    return [*sorted(found)[:_MOST_NUMBERS]]


RUNBOOK = Runbook(
    name="quarantine_files",
    title=N_("Quarantine files"),
    summary=N_("Moves files that a scan found to where nobody can call them, and can put them back."),
    risk=Risk.CHANGES,
    minutes=10,
    parameters=(
        Parameter("scan", N_("Number of the scan"), "number", 0, required=True, least=1, most=10**12),
        Parameter(
            "findings",
            N_("Numbers of its findings"),
            "text",
            "",
            N_("Such as 3,5-7. The page of a scan fills this in."),
            pattern=r"[0-9]{1,7}(-[0-9]{1,7})?( ?, ?[0-9]{1,7}(-[0-9]{1,7})?)*",
            refusal=N_("Enter numbers of findings, such as 3,5-7."),
            required=True,
        ),
    ),
    reads=reads,
    plan=plan,
    undo=undo,
    undo_reads=undo_reads,
    erase=erase,
    topics=("security",),
    group="security",
)
