"""Mirroring Intercom: what is known and what was seen make what is known next, in whatever order payloads come."""

from __future__ import annotations

from steelyard.kit.ids import Position, TopicId
from steelyard.routing.model import READ, WEBHOOK, Conversation, Engineer, Order, Override, Phase, Weighed
from steelyard.routing.seen import Gone, SeenConversation, SeenEngineer


def merge(known: Conversation | None, seen: SeenConversation, weighed: Weighed) -> Conversation:
    """`known` with what one payload shows: the newest snapshot wins, so does the newest note; deletion is for good."""
    fresh = Conversation(
        seen.id,
        seen.order,
        seen.phase,
        seen.assignee,
        seen.team,
        seen.urgency,
        seen.since,
        weighed.topic,
        weighed.weight,
        weighed.matches,
        seen.tag,
        seen.note,
        None,
        ticket=seen.ticket or (known is not None and known.ticket),
    )
    if known is None:
        return fresh
    if known.deleted:
        return known
    note = max((each for each in (known.note, seen.note) if each is not None), key=_when, default=None)
    newest, pending = _supersedes(seen, known), known.pending
    # Of the second of the decision only what is newest tells that it was followed: the rest may be from before it.
    if pending is not None and seen.assignee is not None and (newest or seen.order[:3] > pending.after[:3]):
        pending = None
    if newest:
        # Moved to another team, it is decided again for that team.
        return fresh._replace(note=note, pending=pending if seen.team == known.team else None)
    return known._replace(note=note, pending=pending)


def _supersedes(seen: SeenConversation, known: Conversation) -> bool:
    """Of one instant, what shows an engineer is newer, so that nothing is decided for a conversation that has one.

    Conversations mostly begin without one. Where it was the other way round, reading Intercom back tells.
    """
    if same_instant(known.order, seen.order) and (known.assignee is None) != (seen.assignee is None):
        return known.assignee is None
    return seen.order > known.order


def tombstone(known: Conversation | None, seen: Gone) -> Conversation:
    """`known`, deleted. The same for every deletion of it."""
    if known is not None and known.deleted:
        return known
    if known is None:
        known = Conversation(
            seen.id, seen.order, Phase.CLOSED, None, None, 0, seen.at, TopicId("other"), 1, (), None, None, None
        )
    return known._replace(phase=Phase.CLOSED, pending=None, deleted=True)


def merge_engineer(known: Engineer, seen: SeenEngineer) -> Engineer:
    """`known` with what one payload says of them: each register by its own order."""
    new = known
    if seen.away is not None and _newer(seen.order, known.away_order):
        new = new._replace(away=seen.away, away_order=seen.order)
    if seen.logged_in is not None and _newer(seen.order, known.login_order):
        new = new._replace(logged_in=seen.logged_in, login_order=seen.order)
    if seen.member is not None and _newer(seen.order, known.member_order):
        new = new._replace(member=seen.member, member_order=seen.order)
    if seen.seat is not None and _newer(seen.order, known.seat_order):
        new = new._replace(seat=seen.seat, seat_order=seen.order)
    if seen.resting is not None and _newer(seen.order, known.resting_order):
        new = new._replace(resting=seen.resting, resting_order=seen.order)
    return new


def differs(one: Engineer, other: Engineer) -> bool:
    """Whether the two differ in more than when they were seen."""
    return (one.away, one.logged_in, one.member, one.seat) != (other.away, other.logged_in, other.member, other.seat)


def answers(conversation: Conversation, decision: Position) -> bool:
    """Whether `decision` is the one that the conversation waits to see followed."""
    return conversation.pending is not None and conversation.pending.decision == decision


def _when(override: Override) -> tuple[int, str]:
    return override.at, override.source


def _newer(order: Order, than: Order | None) -> bool:
    return than is None or order > than


def same_instant(one: Order | None, other: Order) -> bool:
    """Whether nothing but an arbitrary id orders the two."""
    return one is not None and one[:3] == other[:3] and one.source != other.source


def unsettled(known: Order, seen: Order) -> bool:
    """Whether the order of the two says nothing: nothing but an id orders them, or a webhook tells of something that
    happened after a reading, and that Intercom did not count as an update."""
    older, newer = sorted((known, seen))
    after_reading = (older.rank, newer.rank) == (WEBHOOK, READ) and older.observed_at >= newer.observed_at
    return same_instant(known, seen) or (after_reading and older.updated_at == newer.updated_at)


def contradicts(known: Conversation, seen: SeenConversation) -> bool:
    """Whether the two show different things of the same instant, so that only reading Intercom back can tell."""
    shown = (seen.phase, seen.assignee, seen.team, seen.urgency, seen.tag)
    return (
        unsettled(known.order, seen.order)
        and not known.deleted
        and (known.phase, known.assignee, known.team, known.urgency, known.tag) != shown
    )
