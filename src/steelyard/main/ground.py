"""What every process is made of: the time, the ledger with its folds, the policy that ships, keys."""

from __future__ import annotations

import time
from importlib import resources
from pathlib import Path

from steelyard.jobs.app import deferring_app
from steelyard.kit.ids import WorkspaceId
from steelyard.kit.instants import SECOND, Micros
from steelyard.routing import store
from steelyard.routing.acts import Acts
from steelyard.routing.connections import Unseal
from steelyard.routing.decisions import fold_decisions
from steelyard.routing.policy import Policy, parse
from steelyard.routing.tasks import ActJobs
from steelyard.routing.told import POLICY
from steelyard.store.database import Connection, Database
from steelyard.store.keys import Keys, key_file
from steelyard.store.ledger import Fold, Ledger

ROOMS = {
    name: Path(str(resources.files(f"steelyard.{name}").joinpath("templates")))
    for name in ("people", "routing", "toolbox", "companion")
}
"""The folder of each room's templates."""


def now() -> Micros:
    """The time. Nothing below this file reads a clock of its own for what it records."""
    return Micros(time.time_ns() // 1000)


def ledger() -> Ledger:
    """The ledger with the folds of every room."""
    return Ledger([Fold("decision.", fold_decisions)])


def acts(database: Database) -> Acts:
    """What people do; the worker works off the jobs that follow from it."""
    return Acts(database, ledger(), ActJobs(deferring_app()), now)


def shipped_policy() -> str:
    """The text of the policy that comes with this release."""
    return resources.files("steelyard.routing").joinpath("policy.toml").read_text("utf-8")


async def adopt_policy(conn: Connection, workspace: WorkspaceId, text: str) -> Policy:
    """Puts a policy in force in a workspace. Raises PolicyError where it is none."""
    policy = parse(text)
    await store.adopt_policy(conn, workspace, policy.digest, text)
    at = now()
    row = (f"policy {at}", {"created_at": at // SECOND, "policy": policy.digest})
    await store.put_in_inbox(conn, workspace, POLICY, [row])
    return policy


def unseal_with(keys: Path, name: str) -> Unseal:
    """Opens what was sealed under the key file `name` in `keys`."""
    return Keys(key_file(keys, name)).unseal
