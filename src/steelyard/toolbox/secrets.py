"""The secrets that a run is given: what somebody typed for it, and what its host's services ask for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import LiteralString, NamedTuple

from steelyard.kit.ids import WorkspaceId
from steelyard.store.boxes import open_box
from steelyard.store.database import Connection
from steelyard.store.keys import WORKER, Keys, key_file
from steelyard.toolbox.acts import place_of
from steelyard.toolbox.ground import Secrets
from steelyard.toolbox.host_secrets import read_host_secrets
from steelyard.toolbox.model import RunId, Site, Token
from steelyard.toolbox.store import Run


def opened_with(folder: Path) -> Secrets:
    """Opens them with the worker's key file in `folder`. What was typed wins over what its host has by that name."""
    file = key_file(folder, WORKER)
    keys = Keys(file)

    async def secrets(conn: Connection, workspace: WorkspaceId, run: Run, site: Site) -> Mapping[str, str]:
        known = await read_host_secrets(conn, workspace, site.host.id, keys)
        given = {
            name: open_box(file, sealed, place_of(workspace, run.token, name))
            for name, sealed in run.sealed.items()
            if sealed  # else it was erased since: see erasing.py
        }
        return {**known, **given}

    return secrets


class Given(NamedTuple):
    """A secret that somebody typed for a run."""

    run: RunId
    name: str
    sealed: str
    place: str


async def read_given(conn: Connection, workspace: WorkspaceId, *, hold: bool = False) -> list[Given]:
    """What was typed for runs of `workspace` and is still needed. `hold`: nobody else writes it until the end."""
    query: LiteralString = (
        "SELECT run, token, name, value FROM run, jsonb_each_text(sealed) AS typed (name, value)"
        " WHERE value <> '' ORDER BY run, name"
    )
    rows = await (await conn.execute(query + (" FOR UPDATE OF run" if hold else ""))).fetchall()
    return [
        Given(RunId(run), name, sealed, place_of(workspace, Token(token), name)) for run, token, name, sealed in rows
    ]


async def write_given(conn: Connection, given: Given, sealed: str) -> None:
    """Stores the same secret, sealed anew."""
    changed = "UPDATE run SET sealed = jsonb_set(sealed, ARRAY[%s], to_jsonb(%s::text)) WHERE run = %s"
    await conn.execute(changed, [given.name, sealed, given.run])
