"""Slots on a host: a WordPress of one version and language, unpacked, with its manifest and the template of its tables.

    <slots>/core-7.1.1-en_US/
    ├── manifest.json    {"kind", "slug", "version", "locale", "template": SHA-256 or "", "tables": [their names],
    │                     "files": [[path, size, SHA-256]]}
    ├── template.json    see fresh.py
    └── files/…

The worker knows the SHA-256 of the manifest, from one that the operator signed, and names it in every action: nothing
of a slot is believed that does not follow from it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from typing import Any, NamedTuple

from steelyard.toolbox.hosted.here import Failed, Here

FOLDER = "steelyard-slots"
"""In the home of the host's support account."""
_NAME = re.compile(r"\A[a-z]+-[A-Za-z0-9._-]+\Z")
_MOST = 50_000_000
_STALE = 86_400.0
"""Seconds after which what was half brought is not taken up again."""


class Manifest(NamedTuple):
    """What a slot's files must be."""

    files: dict[str, tuple[int, str]]
    """Size and SHA-256 by path."""
    template: str
    """SHA-256 of the template; empty where there is none."""


def folder_of(here: Here, account: str, named: str = "") -> str:
    """Where slots are on this host: as the operator's hint says, else in the support account's home."""
    if named:
        return named
    ran = here.run(["getent", "passwd", account])
    fields = ran.out.decode("utf-8", "surrogateescape").strip().split(":")
    home = fields[5] if len(fields) > 5 else here.home
    return f"{home}/{FOLDER}"


def manifest_of(here: Here, slot: str, sha256: str) -> Manifest:
    """The manifest of a slot. Raises Failed `slot` unless it is the one of this SHA-256."""
    try:
        data = here.read(slot + "/manifest.json", most=_MOST)
    except Failed:
        raise Failed("slot", "The slot has no manifest that can be read: copy it to the host again") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Failed("slot", "The manifest of the slot is not the one that was signed: copy the slot to the host again")
    told = json.loads(data)
    return Manifest({path: (size, digest) for path, size, digest in told["files"]}, told.get("template", ""))


def template_of(here: Here, slot: str, sha256: str) -> dict[str, Any]:
    """The template of a slot, which its manifest vouches for."""
    data = here.read(slot + "/template.json", most=_MOST)
    if hashlib.sha256(data).hexdigest() != manifest_of(here, slot, sha256).template:
        raise Failed("slot", "The template of the slot is not the one that was signed: copy the slot to the host again")
    told: dict[str, Any] = json.loads(data)
    return told


def look(here: Here, args: dict[str, Any]) -> Any:
    """`slots.look`: which of `slots` ({name: SHA-256 of the manifest}) are on this host, and can be read.

    Args also: `account` (the support account), `folder` (a hint). Answers `{"folder", "there": [names]}`.
    """
    folder = folder_of(here, args["account"], args.get("folder", ""))
    return {
        "folder": folder,
        "there": [each for each, sha in args["slots"].items() if _is_there(here, folder, each, sha)],
    }


def _is_there(here: Here, folder: str, name: str, sha256: str) -> bool:
    slot = f"{folder}/{named(name)}"
    try:
        manifest_of(here, slot, sha256)
        return here.stat(slot + "/files/wp-load.php") is not None
    except Failed:
        return False


def named(name: str) -> str:
    """The name of a slot's folder. Raises Failed where it cannot be one."""
    if not _NAME.match(name):
        raise Failed("slot", "That is no name of a slot")
    return name


def unpack(here: Here, args: dict[str, Any]) -> Any:
    """`slots.unpack`: makes a slot of the archive `archive` (tar, plain or packed), and removes that.

    Args: `folder`, `name`, `sha256` of the manifest. What is in it must be what the manifest says, whole and nothing
    else. A slot of the name that was there is replaced at the end. Answers `{"slot": path}`.
    """
    slot = f"{args['folder']}/{named(args['name'])}"
    half = f"{slot}.{os.path.basename(here.work)}.half"  # another run may bring the same one meanwhile
    _tidy(here, args["folder"])
    here.remove_tree(half)
    here.make_folder(half)
    ran = here.run(
        ["tar", "-x", "-f", args["archive"], "-C", half, "--no-same-owner", "--no-same-permissions"], timeout=300
    )
    if ran.status:
        raise Failed("slot", f"The archive cannot be unpacked: {ran.said()}")
    check(here, half + "/files", manifest_of(here, half, args["sha256"]))
    _put(here, half, slot, args)
    here.remove(args["archive"])
    return {"slot": slot}


def _put(here: Here, half: str, slot: str, args: dict[str, Any]) -> None:
    """The unpacked slot into its place, unless another run was faster with the same one."""
    try:
        if here.stat(slot) is None:
            here.rename(half, slot)
        elif not _is_there(here, args["folder"], args["name"], args["sha256"]):
            here.exchange(half, slot)
    except Failed:
        if not _is_there(here, args["folder"], args["name"], args["sha256"]):
            raise
    here.remove_tree(half)


def _tidy(here: Here, folder: str) -> None:
    """Removes what bringing left behind that was cut off a day ago and not taken up again."""
    for name in here.list(folder):
        seen = here.stat(f"{folder}/{name}")
        if seen is None or seen.ctime_ns / 1e9 > time.time() - _STALE:
            continue
        if name.endswith(".half"):
            here.remove_tree(f"{folder}/{name}")
        elif name.startswith(".") and name.endswith(".tar.gz"):
            here.remove(f"{folder}/{name}")


def check(here: Here, folder: str, manifest: Manifest) -> None:
    """Raises Failed `slot` unless a folder holds the manifest's files, each as it says, and nothing else."""
    there = {path for path, seen in here.walk(folder) if seen.kind != "folder"}
    odd = sorted(there ^ manifest.files.keys())
    if odd:
        raise Failed("slot", f"{len(odd)} files are too many or missing, such as {odd[0]!r}")
    for path, digest in here.digests(folder, manifest.files).items():
        if digest != manifest.files[path][1]:
            raise Failed("slot", f"{path!r} is not what the signed manifest says")


VERBS = {"slots.look": look, "slots.unpack": unpack}
