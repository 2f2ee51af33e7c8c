"""The routing state of one workspace at a position of its ledger: what the facts so far amount to.

Values inside are immutable and replaced whole, so a `fork` is a few shallow copies. The router works on a fork and
keeps it only when its transaction has been committed.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, insort
from collections.abc import Iterable

from steelyard.kit.ids import ConversationId, EngineerId, Position, TeamId
from steelyard.kit.instants import Micros
from steelyard.routing.model import Candidate, Conversation, Engineer, Exclusion, Switch, Team

RECORD = struct.Struct("<qIIIq")
"""One engineer in a digest: id, exclusions, load, capacity in thousandths, last assigned in microseconds."""

_EXCLUSIONS_AT = 8
_UNITS = 1_000_000

Standing = tuple[int, Micros, EngineerId]
"""An available engineer's place in the order of choice: score, last assigned, id. The least is chosen."""


class State:
    """Engineers, teams and the conversations that are open, with the loads they add up to."""

    def __init__(self, ignored: Exclusion = Exclusion.NONE) -> None:
        """An empty state under a policy for which the exclusions in `ignored` exclude nobody."""
        self.ignored = ignored
        self.switch = Switch()
        self.position = Position(0)
        self.version = 0
        self.engineers: dict[EngineerId, Engineer] = {}
        self.teams: dict[TeamId, Team] = {}
        self.conversations: dict[ConversationId, Conversation] = {}
        self.waiting: dict[ConversationId, int] = {}
        """Open conversations without an owner, and since when."""
        self.standings: list[Standing] = []
        """The available engineers, the next one first."""
        self.shaded: dict[EngineerId, int] = {}
        """What decisions in the shadow put on engineers: part of their load for further ones in the shadow only."""
        self.changed_conversations: dict[ConversationId, Conversation] = {}
        self.changed_engineers: set[EngineerId] = set()
        self.changed_teams: set[TeamId] = set()
        """What was put since the fork: what there is to store."""
        self._records = bytearray()
        self._slots: dict[EngineerId, int] = {}
        self._members: dict[TeamId, frozenset[EngineerId]] = {}
        self._outsiders: dict[TeamId, int] = {}

    def fork(self) -> State:
        """A state of its own that starts out equal to this one."""
        fork = State(self.ignored)
        fork.switch, fork.position, fork.version = self.switch, self.position, self.version
        fork.engineers = self.engineers.copy()
        fork.teams = self.teams.copy()
        fork.conversations = self.conversations.copy()
        fork.waiting = self.waiting.copy()
        fork.standings = self.standings.copy()
        fork.shaded = self.shaded.copy()
        fork._records = self._records[:]
        # Shared until the roster changes, when the changing one makes its own.
        fork._slots, fork._members, fork._outsiders = self._slots, self._members, self._outsiders
        return fork

    # Conversations

    def put_conversation(self, new: Conversation) -> None:
        """Takes `new` in place of what was known of it, and moves its weight to its owner."""
        self.changed_conversations[new.id] = new
        old = self.conversations.get(new.id)
        if old is not None:
            self._shift_load(old.owner, -old.weight)
            self._shade(old, -old.weight)
        if not new.counts:
            self.conversations.pop(new.id, None)
            self.waiting.pop(new.id, None)
            return
        self.conversations[new.id] = new
        owner = new.owner
        self._shift_load(owner, new.weight)
        self._shade(new, new.weight)
        if owner is None and not new.ticket and new.failed is None:
            self.waiting[new.id] = new.since
        else:
            self.waiting.pop(new.id, None)

    def waiting_in_order(self) -> list[ConversationId]:
        """The waiting conversations, those that wait longest first."""
        return sorted(self.waiting, key=lambda conversation: (self.waiting[conversation], conversation))

    def put_switch(self, new: Switch) -> None:
        """Takes `new`. What was decided in the shadow for a team that is on now waits to be decided in earnest."""
        self.switch = new
        for each in list(self.conversations.values()):
            if each.pending is not None and each.pending.shadow and new.routes(each.team):
                self.put_conversation(each._replace(pending=None))

    # Engineers and teams

    def put_engineer(self, new: Engineer) -> None:
        """Takes `new` in place of what was known of them. Their load stays what their conversations weigh."""
        self.changed_engineers.add(new.id)
        old = self.engineers.get(new.id)
        if old is None:
            load = sum(each.weight for each in self.conversations.values() if each.owner == new.id)
            self.engineers[new.id] = new._replace(load=load)
            self._lay_out_records()
        else:
            self._unstand(old)
            self.engineers[new.id] = new._replace(load=old.load)
        self._stand(self.engineers[new.id])

    def put_team(self, team: Team) -> None:
        """Takes `team` in place of what was known of it."""
        self.changed_teams.add(team.id)
        self.teams[team.id] = team
        self._members = {}
        self._outsiders = {}

    def assign(self, engineer: EngineerId, at: Micros) -> None:
        """Remembers that `engineer` was given something at `at`. Somebody unknown is left alone."""
        old = self.engineers.get(engineer)
        if old is not None and at > old.last_assigned:
            self.changed_engineers.add(engineer)
            self._restand(old, old._replace(last_assigned=at))

    def exclusions(self, engineer: Engineer) -> Exclusion:
        """Why `engineer` could be given nothing at all, under this policy."""
        return Exclusion(self._exclusions(engineer))

    def members(self, team: TeamId) -> frozenset[EngineerId]:
        """The engineers of `team`; nobody for a team that is not known."""
        found = self._members.get(team)
        if found is None:
            known = self.teams.get(team)
            found = frozenset(known.members if known is not None else ())
            self._members[team] = found
        return found

    # What a decision sees

    def records(self, team: TeamId | None, *, shadow: bool = True) -> bytes | bytearray:
        """Every engineer's fixed-width record, by id, as a decision for `team`, in the shadow or not, sees them."""
        if self.shaded and not shadow:
            return b"".join(RECORD.pack(*each) for each in self.candidates(team, shadow=False))
        if team is None:
            return self._records
        mask = self._outsiders.get(team)
        if mask is None:
            mask = self._outsiders[team] = self._mask_of_outsiders(team)
        return (int.from_bytes(self._records, "little") | mask).to_bytes(len(self._records), "little")

    def ranked(self, *, shadow: bool) -> list[Standing]:
        """The available engineers, the next one first, as a decision in the shadow or in earnest sees them."""
        if shadow or not self.shaded:
            return self.standings
        return sorted(
            _standing(engineer._replace(load=engineer.load - self.shaded.get(engineer.id, 0)))
            for engineer in (self.engineers[each[2]] for each in self.standings)
        )

    def load(self, engineer: Engineer, *, shadow: bool) -> int:
        """What `engineer` carries, with or without what was only decided in the shadow."""
        return engineer.load if shadow else engineer.load - self.shaded.get(engineer.id, 0)

    def candidates(self, team: TeamId | None, *, shadow: bool = True) -> tuple[Candidate, ...]:
        """Every engineer, by id, as a decision for `team` sees them. Packed, they are `records`."""
        members = self.members(team) if team is not None else self.engineers.keys()
        return tuple(
            Candidate(
                each.id,
                self.exclusions(each) | (Exclusion.NONE if each.id in members else Exclusion.NOT_IN_TEAM),
                self.load(each, shadow=shadow),
                each.capacity,
                each.last_assigned,
            )
            for each in map(self.engineers.__getitem__, sorted(self.engineers))
        )

    # Keeping order

    def _exclusions(self, engineer: Engineer) -> int:
        found = (
            (1 if engineer.away else 0)
            | (0 if engineer.logged_in else 2)
            | (0 if engineer.seat else 4)
            | (0 if engineer.member else 8)
            | (32 if engineer.resting else 0)
        )
        return found & ~self.ignored if self.ignored else found

    def _shift_load(self, owner: EngineerId | None, by: int) -> None:
        old = self.engineers.get(owner) if owner is not None else None
        if old is not None:
            self._restand(old, old._replace(load=old.load + by))

    def _shade(self, conversation: Conversation, by: int) -> None:
        pending = conversation.pending
        if pending is None or not pending.shadow or conversation.assignee is not None or not conversation.counts:
            return
        if shaded := self.shaded.get(pending.engineer, 0) + by:
            self.shaded[pending.engineer] = shaded
        else:
            self.shaded.pop(pending.engineer, None)

    def _restand(self, old: Engineer, new: Engineer) -> None:
        self._unstand(old)
        self.engineers[new.id] = new
        self._stand(new)

    def _unstand(self, engineer: Engineer) -> None:
        if not self._exclusions(engineer):
            standing = _standing(engineer)
            del self.standings[bisect_left(self.standings, standing)]

    def _stand(self, engineer: Engineer) -> None:
        exclusions = self._exclusions(engineer)
        if not exclusions:
            insort(self.standings, _standing(engineer))
        self._pack(self._slots[engineer.id], engineer, exclusions)

    def _pack(self, slot: int, engineer: Engineer, exclusions: int) -> None:
        RECORD.pack_into(
            self._records,
            slot * RECORD.size,
            engineer.id,
            exclusions,
            engineer.load,
            engineer.capacity,
            engineer.last_assigned,
        )

    def _lay_out_records(self) -> None:
        self._slots = {engineer: slot for slot, engineer in enumerate(sorted(self.engineers))}
        self._records = bytearray(RECORD.size * len(self._slots))
        self._outsiders = {}
        for engineer, slot in self._slots.items():
            each = self.engineers[engineer]
            self._pack(slot, each, self._exclusions(each))

    def _mask_of_outsiders(self, team: TeamId) -> int:
        members = self.members(team)
        mask = bytearray(len(self._records))
        for engineer, slot in self._slots.items():
            if engineer not in members:
                mask[slot * RECORD.size + _EXCLUSIONS_AT] = Exclusion.NOT_IN_TEAM
        return int.from_bytes(mask, "little")


def build(
    ignored: Exclusion,
    position: Position,
    version: int,
    parts: tuple[Iterable[Engineer], Iterable[Team], Iterable[Conversation]],
) -> State:
    """The state made of stored engineers, teams and open conversations."""
    state = State(ignored)
    state.position, state.version = position, version
    engineers, teams, conversations = parts
    state.engineers = {each.id: each._replace(load=0) for each in engineers}
    state.standings = sorted(_standing(each) for each in state.engineers.values() if not state.exclusions(each))
    state._lay_out_records()  # pyright: ignore[reportPrivateUsage]
    for team in teams:
        state.put_team(team)
    for conversation in conversations:
        state.put_conversation(conversation)
    state.changed_conversations, state.changed_teams = {}, set()
    return state


def _standing(engineer: Engineer) -> Standing:
    return (engineer.load * _UNITS // engineer.capacity, engineer.last_assigned, engineer.id)
