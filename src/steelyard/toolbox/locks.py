"""In which order things are locked that belong together, so that no two transactions wait for each other for ever.

First a request for several sites, then its runs by their numbers, and the run that another puts back; then the ledger,
whose append locks the workspace. What locks one run alone and then appends fits in.
"""

from __future__ import annotations

from steelyard.toolbox.store import Conn, Run


async def lock_with_others(conn: Conn, run: Run) -> None:
    """Locks what ending `run` may change beside it: to be called before that transaction locks anything else."""
    if run.batch is not None:
        await conn.execute("SELECT FROM batch WHERE batch = %s FOR UPDATE", [run.batch])
        await lock_runs(conn, run.batch)
    elif run.undoes is not None:
        await conn.execute("SELECT FROM run WHERE run = ANY(%s) ORDER BY run FOR UPDATE", [[run.run, run.undoes]])


async def lock_runs(conn: Conn, batch: int) -> None:
    """Locks the runs of a request that is locked."""
    await conn.execute("SELECT FROM run WHERE batch = %s ORDER BY run FOR UPDATE", [batch])
