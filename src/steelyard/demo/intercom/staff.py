"""What admins do to themselves, and leads to teams. Each deed changes the state and publishes it."""

from steelyard.demo.intercom import shapes
from steelyard.demo.intercom.model import Admin, Publish, Team, Workspace


def go_away(workspace: Workspace, admin: Admin, *, reassign: bool = False, reason: int | None = None) -> None:
    """Away; with `reassign`, customers' replies take their conversations off them."""
    admin.away, admin.reassign, admin.reason = True, reassign, reason
    _publish(workspace, "admin.away_mode_updated", admin)


def come_back(workspace: Workspace, admin: Admin) -> None:
    admin.away, admin.reassign, admin.reason = False, False, None
    _publish(workspace, "admin.away_mode_updated", admin)


def log_in(workspace: Workspace, admin: Admin) -> None:
    admin.logged_in = True
    _publish(workspace, "admin.logged_in", admin)


def log_out(workspace: Workspace, admin: Admin) -> None:
    admin.logged_in = False
    _publish(workspace, "admin.logged_out", admin)


def add(workspace: Workspace, admin: Admin) -> None:
    workspace.admins[admin.id] = admin
    _publish(workspace, "admin.added_to_workspace", admin)


def remove(workspace: Workspace, admin: Admin) -> None:
    """They leave their teams; what they had keeps their id until somebody reassigns it."""
    item = Publish("admin.removed_from_workspace", shapes.admin_told(workspace, admin), None)
    del workspace.admins[admin.id]
    for team in workspace.teams.values():
        team.members = [each for each in team.members if each != admin.id]
    workspace.publish(item)


def set_members(team: Team, members: list[int]) -> None:
    """Nothing is published: Intercom has no webhook for team membership."""
    team.members = list(members)


def _publish(workspace: Workspace, topic: str, admin: Admin) -> None:
    workspace.publish(Publish(topic, shapes.admin_told(workspace, admin), None))
