"""A site's files: how they lie, fresh ones beside them, both exchanged, and back.

exchange    <parent>/.steelyard-<token>/site        beside the docroot; one renameat2 lets both change places
entries     <docroot>/.steelyard-<token>-<24 letters>/{new,old}   where the docroot itself cannot be renamed: what is
            in it is moved one by one, noted in state.json
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, Seen
from steelyard.toolbox.hosted.mysql import credentials, one_of
from steelyard.toolbox.hosted.slots import Manifest, check, manifest_of
from steelyard.toolbox.hosted.trees import side_by_side
from steelyard.toolbox.hosted.wp_config import written

SPARE = ".steelyard-spare-"
OWN = ".steelyard-"
CORE = ("wp-admin", "wp-includes", "wp-load.php", "wp-settings.php")
_FIRST = ("index.php", "wp-config.php", "wp-load.php")
_COUNTED = "counted"


def read(here: Here, args: dict[str, Any]) -> Any:
    """`core.read`: how the files of the WordPress in `docroot` lie.

    Answers `root`, `parent`, `mount` (it is a mount point), `mounts` (inside of it), `writable` and `parent_writable`,
    `owner`, `account`, `device` (whether the parent is on the same), `linked` (parts of WordPress that are links),
    `modes` {file, folder, top, config, group}, `entries` (names at its top), `spares` (beginnings of manifests'
    SHA-256), `free`, and `files`, `bytes`, `hard` (files with several names): counted once in a run.
    """
    root = here.real(args["docroot"])
    parent = os.path.dirname(root)
    top, above = _there(here, root), _there(here, parent)
    mounts = here.mounts()
    return {
        "root": root,
        "parent": parent,
        "mount": root in mounts,
        "mounts": [each for each in mounts if each.startswith(root + "/")],
        "writable": _writable(here, root),
        "parent_writable": _writable(here, parent),
        "device": top.dev == above.dev,
        "owner": top.owner,
        "account": here.account,
        "linked": [each for each in CORE if _kind(here, f"{root}/{each}") == "link"],
        "modes": _modes(here, root, top),
        "entries": [each for each in here.list(root) if not each.startswith(OWN)],
        "spares": _spares(here, parent),
        "free": here.disk(root)[0],
        **_counted(here, root),
    }


def _spares(here: Here, parent: str) -> list[str]:
    try:
        return [each[len(SPARE) :] for each in here.list(parent) if each.startswith(SPARE)]
    except Failed:
        return []


def stage(here: Here, args: dict[str, Any]) -> Any:
    """`core.stage`: a fresh WordPress beside the site, proved by its manifest, with its wp-config.php.

    Args: `root`, `token`, `mode`, `secret` (of the folder's name, for entries), `slot`, `sha256`, `spare` (whether to
    take that), `modes`, `keep` (names at the docroot's top that are copied), `config` {`from`, `constants`, `salts`,
    `prefix`, `forwarded`, `mode`}. Done again, it begins anew; once the files are exchanged, it does nothing.
    """
    if left(here, {**args, "configs": [args["config"]["from"]]})["files"] in ("fresh", "between"):
        return {"staged": False}  # what is there now is the old site: it may never be staged over
    manifest = manifest_of(here, args["slot"], args["sha256"])
    target = _staged(here, args)
    here.remove_tree(target)
    spare = f"{os.path.dirname(args['root'])}/{SPARE}{args['sha256'][:12]}"
    if not (args.get("spare") and _spared(here, spare, target, manifest)):
        _fill(here, args["slot"] + "/files", target, manifest, args["modes"])
    _dress(here, target, manifest, args["modes"])
    for each in args["keep"]:
        if here.stat(f"{args['root']}/{each}") is not None:
            here.copy_tree(f"{args['root']}/{each}", f"{target}/{each}")
    _configure(here, target, args["config"], args["modes"])
    return {"staged": True}


def exchange(here: Here, args: dict[str, Any]) -> Any:
    """`core.exchange`: {root, token, mode, back?}: fresh files into the docroot, or with `back` the old ones.

    What is there says what is still to be done: it is right however often it is asked, from wherever it stopped.
    """
    way = _Entries(here, args) if args["mode"] == "entries" else _Whole(here, args)
    return {"done": way.back() if args.get("back") else way.forth()}


def uploads(here: Here, args: dict[str, Any]) -> Any:
    """`core.uploads`: {root, token, mode, path, back?}: the uploaded files out of the trash, or `back` into it."""
    way = _Entries(here, args) if args["mode"] == "entries" else _Whole(here, args)
    aside, live = f"{way.old}/{args['path']}", f"{args['root']}/wp-content/uploads"
    before, after = (live, aside) if args.get("back") else (aside, live)
    moves = way.state() == "fresh" and here.stat(before) is not None and here.stat(after) is None
    if moves:
        here.rename(before, after)
    return {"moved": moves}


def left(here: Here, args: dict[str, Any]) -> Any:
    """`core.left`: {root, token, mode}: what a run left of files.

    Answers `files`: `fresh` or `old`, whichever the docroot holds, `between` where it stopped half way, `none` where
    nothing is staged; `config`: the wp-config.php that names the database.
    """
    way = _Entries(here, args) if args["mode"] == "entries" else _Whole(here, args)
    return {"files": way.state(), "config": one_of(here, [*args["configs"], *_configs(way)])}


def configs(here: Here, args: Mapping[str, Any]) -> list[str]:
    """Where the wp-config.php may be while a site's files are exchanged."""
    return [*args["configs"], *_configs(_Entries(here, args) if args["mode"] == "entries" else _Whole(here, args))]


def _configs(way: _Whole | _Entries) -> list[str]:
    return [f"{way.old}/wp-config.php", f"{way.new}/wp-config.php"]


def erase(here: Here, args: dict[str, Any]) -> Any:
    """`core.erase`: {root, token, mode}: removes what a run moved aside or staged, and nothing that is in use."""
    way = _Entries(here, args) if args["mode"] == "entries" else _Whole(here, args)
    if way.state() == "between":
        raise Failed("failed", "The site's files are half way between: put the run back, or finish it, first")
    here.remove_tree(way.place)
    return {}


def spare(here: Here, args: dict[str, Any]) -> Any:
    """`core.spare`: {docroot, slot, sha256, modes}: a copy of the slot beside the site, for the next reset to take."""
    root = here.real(args["docroot"])
    path = f"{os.path.dirname(root)}/{SPARE}{args['sha256'][:12]}"
    if here.stat(path + "/files") is not None:
        return {"spare": path, "made": False}
    manifest = manifest_of(here, args["slot"], args["sha256"])
    here.remove_tree(path)
    here.make_folder(path, 0o700)
    modes = args.get("modes") or _modes(here, root, _there(here, root))
    _fill(here, args["slot"] + "/files", path + "/half", manifest, modes)
    here.rename(path + "/half", path + "/files")
    return {"spare": path, "made": True}


VERBS = {
    "core.read": read,
    "core.stage": stage,
    "core.exchange": exchange,
    "core.left": left,
    "core.uploads": uploads,
    "core.erase": erase,
    "core.spare": spare,
}


class _Whole:
    """The docroot as a whole changes places with what is beside it."""

    def __init__(self, here: Here, args: Mapping[str, Any]) -> None:
        self._here, self._root = here, args["root"]
        self.place = f"{os.path.dirname(args['root'])}/{OWN}{args['token']}"
        self.old = self.new = self.place + "/site"
        self._mark = self.place + "/state.json"

    def state(self) -> str:
        """The staged tree's inode is noted as it is exchanged: wherever it is then says what is where."""
        if self._here.stat(self.new) is None:
            return "none"
        noted = _noted(self._here, self._mark)
        if not noted:
            return "old"
        return "fresh" if _inode(self._here, self._root) == noted["fresh"] else "old"

    def forth(self) -> bool:
        if not _noted(self._here, self._mark):
            fresh = _inode(self._here, self.new)
            if fresh is None:
                raise Failed("missing", "The fresh files are not beside the site: nothing was exchanged")
            self._here.write(self._mark, json.dumps({"fresh": fresh}).encode(), 0o600)
        if self.state() != "old":
            return False
        self._here.exchange(self.new, self._root)
        return True

    def back(self) -> bool:
        if self.state() != "fresh":
            return False
        self._here.exchange(self.old, self._root)
        return True


class _Entries:
    """What is in the docroot is moved one by one: first all of it out, then the other in; the phase is noted."""

    def __init__(self, here: Here, args: Mapping[str, Any]) -> None:
        self._here, self._root, self._keep = here, args["root"], set(args.get("keep", ()))
        begins = f"{OWN}{args['token']}-"
        named = [each for each in here.list(args["root"]) if each.startswith(begins)]
        self.place = f"{args['root']}/{named[0]}" if named else f"{args['root']}/{begins}none"
        self.old, self.new, self._mark = self.place + "/old", self.place + "/new", self.place + "/state.json"

    def state(self) -> str:
        phase = _noted(self._here, self._mark).get("phase", "old")
        if self._here.stat(self.place) is None:
            return "none"
        return phase if phase in ("old", "fresh") else "between"

    def forth(self) -> bool:
        return self._move("fresh", self.old, self.new)

    def back(self) -> bool:
        return self._move("old", self.new, self.old)

    def _move(self, wanted: str, aside: str, into: str) -> bool:
        """Phases: old -> out (the old ones leave) -> in (the fresh ones come) -> fresh; back: -> tuo -> ni -> old."""
        if self.state() == "none":
            raise Failed("missing", "The fresh files are not in the site's folder: nothing was exchanged")
        phase = _noted(self._here, self._mark).get("phase", "old")
        if phase == wanted:
            return False
        out, inward = ("out", "in") if wanted == "fresh" else ("tuo", "ni")
        if phase not in (out, inward):
            phase = self._turned(phase, wanted)
        self._here.make_folder(aside, 0o700)
        if phase == out:
            self._note(out)
            self._each(self._root, aside, first=True)
        self._note(inward)
        self._each(into, self._root, first=False)
        self._note(wanted)
        return True

    def _turned(self, phase: str, wanted: str) -> str:
        """Where to begin when the other direction stopped half way: what it moved out comes back first."""
        if phase in ("out", "tuo"):  # the docroot holds only what was there before: put back what already left
            return "ni" if wanted == "old" else "in"
        return "out" if wanted == "fresh" else "tuo"

    def _each(self, source: str, target: str, first: bool) -> None:
        """Moves all entries; what makes WordPress answer goes first, and comes last."""
        names = [each for each in self._here.list(source) if not each.startswith(OWN) and each not in self._keep]
        names.sort(key=lambda each: (each not in _FIRST) is first)
        for each in names:
            self._here.rename(f"{source}/{each}", f"{target}/{each}")

    def _note(self, phase: str) -> None:
        self._here.write(self._mark, json.dumps({"phase": phase}).encode(), 0o600)


def _noted(here: Here, mark: str) -> dict[str, Any]:
    if here.stat(mark) is None:
        return {}
    told: dict[str, Any] = json.loads(here.read(mark))
    return told


def _inode(here: Here, path: str) -> list[int] | None:
    seen = here.stat(path)
    return None if seen is None else [seen.dev, seen.ino]


def _staged(here: Here, args: Mapping[str, Any]) -> str:
    """Where the fresh files go; the folder around them is closed to all others."""
    if args["mode"] == "entries":
        place = f"{args['root']}/{OWN}{args['token']}-{args['secret']}"
        here.make_folder(place, 0o700)
        return place + "/new"
    place = f"{os.path.dirname(args['root'])}/{OWN}{args['token']}"
    here.make_folder(place, 0o700)
    return place + "/site"


def _spared(here: Here, spare: str, target: str, manifest: Manifest) -> bool:
    """Takes the spare for the staged files, if every one of its files is what the manifest says."""
    try:
        here.rename(spare + "/files", target)
        check(here, target, manifest)
        return True
    except Failed as failed:
        if failed.code not in ("missing", "slot"):
            raise
        here.tell("warning", f"The spare beside the site is not used: {failed.message}")
        here.remove_tree(target)
        return False
    finally:
        here.remove_tree(spare)


def _fill(here: Here, source: str, target: str, manifest: Manifest, modes: Mapping[str, Any]) -> None:
    """Copies a slot's files, each proved as it is copied. Never by hard links: a site could change the slot."""
    if not here.near:
        here.copy_tree(source, target)
        check(here, target, manifest)
        return
    os.makedirs(target, modes["folder"] | 0o700, exist_ok=True)
    for folder in sorted({os.path.dirname(each) for each in manifest.files} - {""}):
        os.makedirs(f"{target}/{folder}", exist_ok=True)
    side_by_side(manifest.files.items(), lambda each: _copy(source, target, each[0], each[1], modes["file"]), here.look)


def _copy(source: str, target: str, path: str, what: tuple[int, str], mode: int) -> None:
    try:
        with open(f"{source}/{path}", "rb", buffering=0) as file:
            data = file.read(what[0] + 1) or b""
    except OSError as error:
        raise Failed("slot", f"{path!r} of the slot cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != what[1]:
        raise Failed("slot", f"{path!r} of the slot is not what its signed manifest says")
    fd = os.open(f"{target}/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(fd, mode)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
    finally:
        os.close(fd)


def _dress(here: Here, target: str, manifest: Manifest, modes: Mapping[str, Any]) -> None:
    """Folders, and files of a spare, get the permissions and the group that the site's have."""
    folders = {os.path.dirname(each) for each in manifest.files} - {""}
    folders |= {os.path.dirname(each) for each in folders} - {""}
    wanted = [(each, modes["folder"]) for each in folders] + [(each, modes["file"]) for each in manifest.files]
    for path, mode in wanted:
        seen = here.stat(f"{target}/{path}")
        if seen is not None and seen.mode != mode:
            here.chmod(f"{target}/{path}", mode)
    here.chmod(target, modes["top"])
    if modes.get("group"):
        ran = here.run(["chgrp", "-R", "--", str(modes["group"]), target])
        if ran.status:
            here.tell("warning", f"The fresh files do not have the group of the old ones: {ran.said()}")


def _configure(here: Here, target: str, config: Mapping[str, Any], modes: Mapping[str, Any]) -> None:
    found = credentials(here, config["from"], config.get("php", ""))
    path = target + "/wp-config.php"
    text = written(found, config["prefix"], config["constants"], config["salts"], config["forwarded"])
    here.write(path, text.encode("utf-8", "surrogateescape"), config["mode"])
    if modes.get("group"):
        here.run(["chgrp", "--", str(modes["group"]), path])


def _there(here: Here, path: str) -> Seen:
    seen = here.stat(path)
    if seen is None:
        raise Failed("missing", f"There is no {path}")
    return seen


def _kind(here: Here, path: str) -> str:
    seen = here.stat(path)
    return "" if seen is None else seen.kind


def _writable(here: Here, folder: str) -> bool:
    return here.run(["test", "-w", folder]).status == 0


def _modes(here: Here, root: str, top: Seen) -> dict[str, Any]:
    """The permissions of the site's own WordPress, which the fresh one gets; only safe ones, else the usual."""
    file, folder = here.stat(root + "/wp-load.php"), here.stat(root + "/wp-includes")
    modes = {"file": file.mode & 0o664 if file else 0o644, "folder": folder.mode & 0o2775 if folder else 0o755}
    own = here.run(["id", "-g"]).out.strip().decode("ascii", "replace")
    group = top.gid if str(top.gid) != own else 0
    config = here.stat(root + "/wp-config.php")
    return {
        "file": modes["file"] | 0o600,
        "folder": modes["folder"] | 0o700,
        "top": top.mode | 0o700,
        "config": (config.mode & 0o660 if config and config.kind == "file" else 0o640) | 0o600,
        "group": group,
    }


def _counted(here: Here, root: str) -> dict[str, int]:
    """How much lies in a folder. Remembered: what a run asks again shall not take longer for a larger site."""
    known = here.notes.get(_COUNTED)
    if isinstance(known, dict):
        return {str(key): int(value) for key, value in known.items()}  # pyright: ignore
    told = {"files": 0, "bytes": 0, "hard": 0}
    for path, seen in here.walk(root):
        if seen.kind == "file" and not re.match(r"\A\.steelyard-", path):
            told["files"] += 1
            told["bytes"] += seen.size
            told["hard"] += seen.nlink > 1
    here.note(_COUNTED, told)
    return told
