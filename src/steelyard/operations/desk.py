"""What leads do from the command line: open the desk, adopt a policy."""

from __future__ import annotations

from pathlib import Path

from steelyard.config import Settings
from steelyard.kit.errors import PolicyError
from steelyard.kit.ids import WorkspaceId
from steelyard.main import ground
from steelyard.operations.database import named, opened
from steelyard.routing.policy import Policy, parse


def read_policy(file: Path) -> Policy:
    """The policy in `file`. Raises PolicyError where there is none."""
    return parse(_policy_text(file))


async def adopt_policy_file(settings: Settings, file: Path, wanted: str | None) -> tuple[WorkspaceId, Policy]:
    """Puts the policy in `file` in force; in which workspace. Raises PolicyError, or ConfigError for the workspace."""
    text = _policy_text(file)
    async with opened(settings, "policy") as database:
        workspace = await named(database, settings.cell, wanted)
        async with database.transaction(workspace) as conn:
            return workspace, await ground.adopt_policy(conn, workspace, text)


def _policy_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{file} cannot be read: {error}. Name a UTF-8 file") from None
