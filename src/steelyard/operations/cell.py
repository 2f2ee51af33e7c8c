"""What the command line does to what all workspaces of a cell share stands in the ledger of each."""

from __future__ import annotations

from steelyard.kit.instants import moment
from steelyard.main import ground
from steelyard.people.record import act
from steelyard.store.database import Connection


async def record_everywhere(conn: Connection, kind: str, **data: object) -> None:
    """Appends a fact to the ledger of every workspace, in `conn`'s transaction. `data`: ids, numbers and digests.

    The transaction is left as that of the last of them: this is its last statement.
    """
    ledger, fact = ground.ledger(), act(kind, None, moment(ground.now()), None, **data)
    rows = await (await conn.execute("SELECT workspaces_of_cell()")).fetchall()
    for workspace in sorted(name for (name,) in rows):  # in one order, so that two who do so never wait for each other
        await conn.execute("SELECT set_config('steelyard.workspace', %s, true)", [workspace])
        await ledger.append(conn, workspace, [fact])
