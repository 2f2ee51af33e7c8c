"""What `steelyard doctor` finds of the keys that sign in on hosts."""

from __future__ import annotations

from datetime import datetime

from steelyard.kit.ids import WorkspaceId
from steelyard.operations.findings import Finding, bad, good, warn
from steelyard.store.database import Database
from steelyard.toolbox.checks import ENDS_SOON
from steelyard.toolbox.keys import SshKey, list_keys
from steelyard.toolbox.registry import read_hosts


async def of_hosts(database: Database, workspace: WorkspaceId, now: datetime) -> list[Finding]:
    """Keys whose certificates end, and hosts whose key was revoked; nothing where there is no host."""
    async with database.transaction(workspace) as conn:
        hosts, keys = await read_hosts(conn), await list_keys(conn)
    if not hosts:
        return []
    open_keys = {each.key for each in keys if each.revoked_at is None}
    closed = [each.host.name for each in hosts if not each.local and each.key not in open_keys]
    found = [_ending(each, now) for each in keys if each.key in open_keys and each.hosts]
    if closed:
        mend = "Make a key with `steelyard host key make`, then `steelyard host change HOST --key KEY`."
        found.append(
            warn("hosts", f"The key of {', '.join(sorted(closed)[:5])} was revoked: nothing runs there.", mend)
        )
    problems = [each for each in found if each is not None]
    return problems or [good("hosts", f"The keys of {len(hosts)} hosts are open.")]


def _ending(key: SshKey, now: datetime) -> Finding | None:
    until = key.certified_until
    if until is None or until - now > ENDS_SOON:
        return None
    mend = f"Have it signed anew, then `steelyard host key certify {key.name} FILE`."
    if until <= now:
        said = f"The certificate of the key {key.name} ended at {until:%Y-%m-%d %H:%M} UTC: its hosts are not asked."
        return bad("hosts", said, mend)
    return warn("hosts", f"The certificate of the key {key.name} ends at {until:%Y-%m-%d %H:%M} UTC.", mend)
