"""Commands for leads: a link to the desk, the policy."""

from __future__ import annotations

from pathlib import Path

import typer

from steelyard import config
from steelyard.cli.base import InWorkspace, app, out
from steelyard.jobs.processes import run
from steelyard.operations import desk

policy_app = typer.Typer(help="The policy: how to weigh, and whom to choose.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")


@policy_app.command("check")
def policy_check(file: Path) -> None:
    """Say whether a policy can be read, and what it holds."""
    policy = desk.read_policy(file)
    out.print(f"{file}: {len(policy.topics)} topics, {len(policy.rules)} rules. Digest {policy.digest[:12]}")


@policy_app.command("adopt")
def policy_adopt(file: Path, workspace: InWorkspace = None) -> None:
    """Put a policy in force, from the next decision on."""
    adopted, policy = run(desk.adopt_policy_file(config.load(), file, workspace))
    out.print(f"{adopted} routes by policy {policy.digest[:12]} from its next decision on.")
