"""What the simulation has come to, in numbers: read from the workspace and its record."""

from typing import Any

from steelyard.demo.intercom.model import Conversation, Json, Workspace


def is_lost(workspace: Workspace, conversation: Conversation) -> bool:
    """Open, told of (a webhook of it was answered with 2xx), and without an engineer though one could take it."""
    told = workspace.record.histories[conversation.id].accepted_at is not None
    waits = conversation.state == "open" and not conversation.admin
    return told and waits and bool(workspace.available(conversation))


def summary(workspace: Workspace) -> Json:
    """Counts of conversations, webhooks and calls, and how long an assignment took, in milliseconds."""
    conversations = list(workspace.conversations.values())
    unassigned = [each for each in conversations if each.state == "open" and not each.admin]
    lost = [each.id for each in unassigned if is_lost(workspace, each)]
    counts = workspace.record.counts
    webhooks = ("published", "sent", "accepted", "retried", "failed")
    webhook_faults = ("duplicates", "reordered", "dropped", "late", "cut", "hung_up")
    call_faults = {name for name in counts if name.startswith("calls_")} | {"calls_429"}
    return {
        "conversations": len(workspace.record.histories),
        "open": sum(each.state == "open" for each in conversations),
        "unassigned": len(unassigned),
        "lost": len(lost),
        "lost_ids": lost[:20],
        "assigned_by_api": _assigned_by(workspace, "api"),
        "assigned_by_person": _assigned_by(workspace, "person"),
        "webhooks": {name: counts[name] for name in (*webhooks, *webhook_faults)}
        | {"by_status": {str(status): number for status, number in sorted(workspace.record.statuses.items())}},
        "calls": counts["calls"],
        **{name: counts[name] for name in sorted(call_faults)},
        "webhook_to_assigned_ms": _percentiles(workspace.record.latencies()),
    }


def record(workspace: Workspace) -> Json:
    """Everything the record has, with what each conversation is now; a deleted one has no `state`."""
    told = workspace.record.as_json()
    for number, history in told["conversations"].items():
        conversation = workspace.conversations.get(int(number))
        if conversation is not None:
            history |= {
                "state": conversation.state,
                "admin": conversation.admin,
                "team": conversation.team,
                "lost": is_lost(workspace, conversation),
            }
    return told


def admins(workspace: Workspace) -> list[dict[str, Any]]:
    """Every admin with what Intercom's API does not tell: time zone, languages, logged in."""
    return [
        {
            "id": who.id,
            "name": who.name,
            "zone": who.zone,
            "languages": list(who.languages),
            "seat": who.seat,
            "away": who.away,
            "logged_in": who.logged_in,
            "teams": [team.id for team in workspace.teams.values() if who.id in team.members],
        }
        for who in workspace.admins.values()
    ]


def _assigned_by(workspace: Workspace, by: str) -> int:
    histories = workspace.record.histories.values()
    return sum(each.by == by and each.admin > 0 for history in histories for each in history.assignments)


def _percentiles(seconds: list[float]) -> dict[str, float | int | None]:
    def at(share: float) -> float | None:
        return round(seconds[min(len(seconds) - 1, int(share * len(seconds)))] * 1_000, 1) if seconds else None

    return {"count": len(seconds), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)}
