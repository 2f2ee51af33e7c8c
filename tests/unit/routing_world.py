"""A small world around the core: Intercom with people in it, webhooks that are late, doubled or lost, and deliveries
that crash, come too late or are refused. What `deliver.py` does call by call, it does step by step."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from routing_strategies import (
    ENGINEERS,
    TEAMS,
    Act,
    Core,
    Intercom,
    Shown,
    admin,
    check,
    contents,
    moved,
    notification,
    read_back,
    receipt,
    roster,
    rotation,
)

from steelyard.kit.facts import Fact
from steelyard.kit.ids import ConversationId, TeamId
from steelyard.routing.model import Switch


@dataclass
class Job:
    """The delivery of one decision, as far as it has come."""

    decision: int
    winner: int
    team: int | None = None
    told: dict[str, Any] | None = None
    """What Intercom answered to the attributes, where those were written already."""


@dataclass
class Move:
    """A move that a person asked for in the console."""

    asked: int
    engineer: int | None
    expected: set[int | None]


@dataclass
class World:
    """Intercom, what is under way from it, the core, and the jobs of its decisions, in order per conversation."""

    intercom: Intercom = field(default_factory=Intercom)
    core: Core = field(default_factory=Core)
    flying: list[bytes] = field(default_factory=list)
    jobs: dict[int, list[Job]] = field(default_factory=dict)
    moves: dict[int, list[Move]] = field(default_factory=dict)
    """They stand before the deliveries of their conversation that have not begun."""
    unread: set[int] = field(default_factory=set)
    """Conversations that are to be read: a webhook was lost, or no answer told how a move ended."""
    away: set[int] = field(default_factory=set)
    resting: set[int] = field(default_factory=set)
    roster_due: bool = False
    outcomes: dict[int, str] = field(default_factory=dict)
    switch: Switch = field(default_factory=Switch)
    """What the workspace's row says: deliveries heed it before the core has heard of it."""

    def person(self, act: Act) -> None:
        before = len(self.intercom.sent)
        self.intercom.act(act)
        self.flying += [each.body for each in self.intercom.sent[before:]]

    def arrive(self, which: int, again: bool) -> None:
        """One payload of those under way arrives, and perhaps will once more."""
        if self.flying:
            body = self.flying[which % len(self.flying)]
            switched = SWITCHED in body  # those come once, and in order
            if switched:
                body = next(each for each in self.flying if SWITCHED in each)
            if switched or MOVED in body or not again:
                self.flying.remove(body)
            self.take(body)

    def turn(self, routed: tuple[int, ...] | None, paused: bool) -> None:
        """A lead switches teams on and off."""
        self.switch = Switch(tuple(map(TeamId, routed)) if routed is not None else None, paused)
        self.flying.append(switch(routed, paused, self.intercom.now))

    def take(self, body: bytes) -> None:
        made = len(self.core.decisions)
        self.core.take(body)
        check(self.core.state)
        for position, decision in self.core.decisions[made:]:
            self.jobs.setdefault(decision.conversation, []).append(Job(position, decision.winner, decision.team))

    def lose(self, which: int) -> None:
        """A webhook never comes. (What our own jobs put into the inbox is never lost.)

        No reading makes up for the echo of a call of ours: how that ended must tell as much, or have it read.
        """
        webhooks = [body for body in self.flying if b'"steelyard.' not in body]
        if webhooks:
            body = webhooks[which % len(webhooks)]
            self.flying.remove(body)
            self.unread |= {each.conversation for each in self.intercom.sent if each.body == body}
            self.roster_due |= b'"admin.' in body

    def step(self, which: int, refused: bool) -> None:
        """One delivery goes one call further, or a move is made."""
        waiting = [id for id, jobs in self.lines().items() if jobs]
        if not waiting:
            return None
        id = waiting[which % len(waiting)]
        if isinstance(self.lines()[id][0], Move):
            return self.move(id, refused)
        job, shown = self.jobs[id][0], self.intercom.conversations[id]
        if job.told is None:
            if not (self.switch.routes(TeamId(job.team) if job.team else None) and wanted(self.core, id, job)):
                return self.settle(id, job, "overtaken", {})
            if refused or shown.deleted:
                return self.settle(id, job, "failed", {})
            shown.updated_at = self.intercom.now
            job.told = shown.item([])
            return None
        answer = job.told
        assignee = answer["admin_assignee_id"]
        if assignee not in (None, 0, "0", job.winner):
            return self.settle(id, job, "overtaken", answer)
        if assignee in (None, 0, "0"):
            if answer["state"] != "open":
                return self.settle(id, job, "overtaken", answer)
            if refused or shown.deleted:
                return self.settle(id, job, "failed", {})
            answer = self.assign(shown, job.winner)
        return self.settle(id, job, "delivered", answer)

    def lines(self) -> dict[int, list[Job | Move]]:
        """What waits for each conversation, in the order in which it is done."""
        found: dict[int, list[Job | Move]] = {}
        for id in {*self.jobs, *self.moves}:
            jobs, moves = self.jobs.get(id, []), self.moves.get(id, [])
            running = [each for each in jobs[:1] if each.told is not None]
            found[id] = [*running, *moves, *jobs[len(running) :]]
        return dict(sorted(found.items()))

    def ask(self, which: int, engineer: int | None) -> None:
        """A person moves a conversation as the desk shows it: a fact beside the router's own, and a job."""
        known = [each for each in self.core.recorded.values() if each.counts and each.owner != engineer]
        if not known:
            return
        chosen = known[which % len(known)]
        pending = chosen.pending if chosen.assignee is None and chosen.pending and not chosen.pending.shadow else None
        if engineer is None and chosen.assignee is None:
            return
        expected: set[int | None] = {None, pending.engineer} if pending else {chosen.assignee}
        asked = self.core.append(Fact("conversation.move_asked", self.core.now, chosen.id, None, '{"from": 0}'))
        self.moves.setdefault(chosen.id, []).append(Move(asked, engineer, expected))

    def move(self, id: int, refused: bool) -> None:
        move, shown = self.moves[id][0], self.intercom.conversations[id]
        outcome, answer = "moved", shown.item([])
        if refused or shown.deleted:
            outcome, answer = "move_refused", {}
        elif shown.assignee != move.engineer and (shown.assignee not in move.expected or shown.state != "open"):
            outcome = "move_overtaken"
        elif shown.assignee != move.engineer:
            answer = self.assign(shown, move.engineer)
        self.moves[id].pop(0)
        if not answer:  # an earlier try may have moved it, and its echo may be lost: the job has it read
            self.unread.add(id)
        self.flying.append(moved(move.asked, id, move.engineer or 0, outcome, answer, self.intercom.now))

    def assign(self, shown: Shown, engineer: int | None) -> dict[str, Any]:
        """Intercom does as it is told, and tells it again in a webhook."""
        shown.assignee, shown.state, shown.updated_at, shown.ours = engineer, "open", self.intercom.now, True
        number = len(self.flying) + len(self.core.ledger)
        body = notification("conversation.admin.assigned", shown.item([]), f"e{number}", self.intercom.now)
        self.flying.append(body)
        return shown.item([])

    def crash(self, which: int) -> None:
        """A worker dies after a call: the delivery starts again; so does a move, which may have been made."""
        waiting = [(id, line[0]) for id, line in self.lines().items() if line]
        if not waiting:
            return
        id, job = waiting[which % len(waiting)]
        shown = self.intercom.conversations[id]
        if isinstance(job, Job):
            job.told = None
        elif not shown.deleted and shown.assignee in job.expected and shown.state == "open":
            self.assign(shown, job.engineer)

    def settle(self, id: int, job: Job, outcome: str, answer: dict[str, Any]) -> None:
        self.jobs[id].pop(0)
        self.outcomes[job.decision] = outcome
        self.flying.append(receipt(job.decision, id, outcome, answer, self.intercom.now))

    def read(self, which: int) -> None:
        ids = sorted(self.intercom.conversations)
        if ids:
            self.flying.append(self.reading(ids[which % len(ids)]))

    def reading(self, id: int) -> bytes:
        shown, now = self.intercom.conversations[id], self.intercom.now
        gone = notification("conversation.deleted", {"id": id}, f"gone {id} {now}", now)
        return gone if shown.deleted else read_back(shown.item(), now, f"read {id} {now} {len(self.core.ledger)}")

    def go(self, engineer: int, away: bool) -> None:
        """An engineer goes away or comes back. Never the last one of a team."""
        if away and self.leaves_a_team_empty(engineer):
            return
        (self.away.add if away else self.away.discard)(engineer)
        self.intercom.now += 1
        item, now = admin(engineer, away_mode_enabled=away), self.intercom.now
        self.flying.append(notification("admin.away_mode_updated", item, f"away {now}", now))

    def rest(self, engineer: int, resting: bool) -> None:
        """A lead takes an engineer off rotation, or puts them back. Never the last one of a team."""
        if resting and self.leaves_a_team_empty(engineer):
            return
        (self.resting.add if resting else self.resting.discard)(engineer)
        self.intercom.now += 1
        self.flying.append(rotation(engineer, resting, self.intercom.now))

    def leaves_a_team_empty(self, engineer: int) -> bool:
        return any(set(team) <= self.away | self.resting | {engineer} for team in TEAMS.values())

    def drain(self) -> None:
        """Everything arrives, every job ends, and what is unsure or was lost is read back, until nothing is left."""
        for _ in range(60):
            while self.flying:
                self.arrive(0, again=False)
            if any(self.lines().values()):
                self.intercom.now += 1
                self.step(0, refused=False)
            elif self.roster_due:
                self.intercom.now += 2
                self.roster_due = False
                admins = [admin(id, away_mode_enabled=id in self.away) for id in ENGINEERS]
                self.flying.append(roster(admins, at=self.intercom.now))
            elif self.core.unsure or self.unread:
                self.intercom.now += 2
                asked, self.core.unsure, self.unread = self.core.unsure | self.unread, set(), set()
                self.flying += [self.reading(id) for id in sorted(asked)]
            else:
                return
        raise AssertionError("no end")

    def check_end(self) -> None:
        """Intercom and the core agree, and everybody who can be helped has somebody."""
        for id, shown in self.intercom.conversations.items():
            known = self.core.recorded[ConversationId(id)]
            assert self.core.mirrored(id) == shown.values()
            if shown.deleted or shown.state != "open":
                continue
            if known.failed is not None:
                assert known.pending is None
            elif self.switch.routes(known.team):
                assert known.owner == shown.assignee is not None
                assert known.pending is None
            else:
                assert known.assignee == shown.assignee
                assert known.pending is None if shown.assignee else known.pending is not None and known.pending.shadow
        assert contents(self.core.replayed()) == contents(self.core.state)
        assert {id for id, each in self.core.state.engineers.items() if each.resting} == self.resting
        facts = [each.fact for each in self.core.ledger]
        ended = Counter(json.loads(each.data).get("move") for each in facts if each.kind.startswith("conversation.mov"))
        asked = {each.position for each in self.core.ledger if each.fact.kind == "conversation.move_asked"}
        assert {move: ended[move] for move in ended if move} == dict.fromkeys(asked, 1)


SWITCHED, MOVED = b'"steelyard.switch"', b'"steelyard.moved"'


def switch(routed: tuple[int, ...] | None, paused: bool, at: int) -> bytes:
    """What switching teams on and off puts into the inbox."""
    told = {"topic": "steelyard.switch", "id": f"switch {at}", "created_at": at, "routed": routed, "paused": paused}
    return json.dumps(told).encode()


def wanted(core: Core, id: int, job: Job) -> bool:
    """What delivery asks the table before it starts."""
    known = core.recorded[ConversationId(id)]
    if known.pending is not None and known.pending.decision == job.decision:
        return True
    newest = max(position for position, decision in core.decisions if decision.conversation == id)
    return known.assignee == job.winner and newest == job.decision
