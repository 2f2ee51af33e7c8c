"""Bringing a slot from this cell to a host: in pieces that go on where they stopped, unpacked and proved there."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from steelyard.toolbox.model import Action, By, Json
from steelyard.toolbox.reach import HostError, Progress, Reached, Tell

PIECE: Final = 512 * 1024


async def bring(reached: Reached, slots: Path, slot: Mapping[str, Json], folder: str, tell: Tell) -> Json:
    """Brings the slot `name` with the manifest of `sha256` to `folder` on the host, as its support account.

    `mark` of `slot` is who brings it: a run that goes on finds what it had sent, and another one is not in its way.

    `slots`: where this cell has them. Does nothing where it is there. Answers `{"slot": path, "brought": bool}`. Raises
    HostError; `no_slot` where this machine does not have it.
    """
    name, sha256 = str(slot["name"]), str(slot["sha256"])
    asked: dict[str, Json] = {"slots": {name: sha256}, "account": slot.get("account", ""), "folder": folder}
    found = await reached.call(Action("slots.look", asked, By.SUPPORT), tell)
    if name in found["there"]:
        return {"slot": f"{found['folder']}/{name}", "brought": False}
    archive = slots / f"{name}.tar.gz"
    if not await asyncio.to_thread(archive.is_file):
        raise HostError("no_slot", f"this machine has no {archive.name}: copy {slots} from where slots are added")
    there = f"{found['folder']}/.{name}-{sha256[:12]}-{slot['mark']}.tar.gz"
    await reached.call(Action("files.make_folder", {"path": found["folder"]}, By.SUPPORT), tell)
    await _send(reached, archive, there, tell)
    args = {"archive": there, "folder": found["folder"], "name": name, "sha256": sha256}
    made = await reached.call(Action("slots.unpack", args, By.SUPPORT, timeout=600.0), tell)
    return {"slot": made["slot"], "brought": True}


async def _send(reached: Reached, archive: Path, there: str, tell: Tell) -> None:
    """The archive to the host; a part that is there already is not sent again."""
    total = (await asyncio.to_thread(archive.stat)).st_size
    seen = (await reached.call(Action("files.stat", {"paths": [there]}, By.SUPPORT), tell))[there]
    at = min(seen["size"] // PIECE * PIECE, total) if seen else 0
    with await asyncio.to_thread(archive.open, "rb") as opened:
        opened.seek(at)
        while piece := await asyncio.to_thread(opened.read, PIECE):
            args = {"path": there, "at": at, "base64": base64.b64encode(piece).decode()}
            await reached.call(Action("files.put", args, By.SUPPORT, timeout=120.0), tell)
            at += len(piece)
            tell(Progress(at, total, "bytes"))
