"""A small world around the core: Intercom with people in it, webhooks that are late, doubled or lost, and deliveries
that crash, come too late or are refused. What `deliver.py` does call by call, it does step by step."""

from __future__ import annotations

import json
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
    notification,
    read_back,
    receipt,
    roster,
)

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
class World:
    """Intercom, what is under way from it, the core, and the jobs of its decisions, in order per conversation."""

    intercom: Intercom = field(default_factory=Intercom)
    core: Core = field(default_factory=Core)
    flying: list[bytes] = field(default_factory=list)
    jobs: dict[int, list[Job]] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    away: set[int] = field(default_factory=set)
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
            if switched or not again:
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
        """A webhook never comes. (What our own jobs put into the inbox is never lost.)"""
        webhooks = [body for body in self.flying if b'"steelyard.' not in body]
        if webhooks:
            body = webhooks[which % len(webhooks)]
            self.flying.remove(body)
            self.lost |= {each.conversation for each in self.intercom.sent if each.body == body}
            self.roster_due |= b'"admin.' in body

    def step(self, which: int, refused: bool) -> None:
        """One delivery goes one call further."""
        waiting = [id for id, jobs in self.jobs.items() if jobs]
        if not waiting:
            return
        id = waiting[which % len(waiting)]
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

    def assign(self, shown: Shown, engineer: int) -> dict[str, Any]:
        """Intercom does as it is told, and tells it again in a webhook."""
        shown.assignee, shown.state, shown.updated_at, shown.ours = engineer, "open", self.intercom.now, True
        number = len(self.flying) + len(self.core.ledger)
        body = notification("conversation.admin.assigned", shown.item([]), f"e{number}", self.intercom.now)
        self.flying.append(body)
        return shown.item([])

    def crash(self, which: int) -> None:
        """A worker dies after a call: the delivery starts again."""
        waiting = [jobs[0] for jobs in self.jobs.values() if jobs]
        if waiting:
            waiting[which % len(waiting)].told = None

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
        if away and any(set(team) <= self.away | {engineer} for team in TEAMS.values()):
            return
        (self.away.add if away else self.away.discard)(engineer)
        self.intercom.now += 1
        item, now = admin(engineer, away_mode_enabled=away), self.intercom.now
        self.flying.append(notification("admin.away_mode_updated", item, f"away {now}", now))

    def drain(self) -> None:
        """Everything arrives, every job ends, and what is unsure or was lost is read back, until nothing is left."""
        for _ in range(60):
            while self.flying:
                self.arrive(0, again=False)
            if any(self.jobs.values()):
                self.intercom.now += 1
                self.step(0, refused=False)
            elif self.roster_due:
                self.intercom.now += 2
                self.roster_due = False
                admins = [admin(id, away_mode_enabled=id in self.away) for id in ENGINEERS]
                self.flying.append(roster(admins, at=self.intercom.now))
            elif self.core.unsure or self.lost:
                self.intercom.now += 2
                asked, self.core.unsure, self.lost = self.core.unsure | self.lost, set(), set()
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


SWITCHED = b'"steelyard.switch"'


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
