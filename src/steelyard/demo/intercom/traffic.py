"""The life of a demo workspace: customers write, engineers answer, hand over, snooze, close, go to lunch.

Everything is drawn from one seed. How long a conversation lasts follows from the rate (Little's law), so that each
engineer has about as many open at any rate: a run of twenty seconds at ten a second shows what a day does.
"""

import asyncio
import heapq
import itertools
import math
import random
import time
from collections.abc import Callable, Iterable, Sequence

from steelyard.demo.intercom import people, staff
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import PRIORITIES, Admin, Contact, Conversation, Json, Workspace

CUSTOMERS = (
    ("Alba Moreno", "Bjørn Hagen", "Caroline Petit", "Daniel Osei", "Emre Yıldız", "Florence Gauthier"),
    ("Grace Okafor", "Hugo Bertrand", "Isla Campbell", "Julien Morel", "Katarzyna Nowak", "Liam Byrne"),
    ("Manon Girard", "Nikhil Sharma", "Ophélie Renaud", "Pavel Horák", "Ruth Adler", "Théo Fontaine"),
)
ANSWERS = {
    "en": ("I am looking into it now.", "Could you send me the address of the page?", "This should work again."),
    "fr": (
        "Je regarde cela tout de suite.",
        "Pouvez-vous m'envoyer l'adresse de la page ?",
        "Cela doit refonctionner.",
    ),
}
REPLIES = {
    "en": ("Thank you! Still the same here.", "Here is a screenshot.", "That did it, thanks."),
    "fr": ("Merci ! Toujours pareil de mon côté.", "Voici une capture d'écran.", "C'est réglé, merci."),
}
# What may happen beside the usual, dealt like cards: in every 24 conversations each of these happens.
ASIDES = ("reassign", "reassign", "unassign", "tag", "note", "priority", "snooze", "snooze", "reopen", "delete")
_DECK = (*ASIDES, *("usual",) * 14)
_ABSENCES = ("away", "away", "away", "logout")

_SPREAD = 0.6
"""Sigma of the lognormal duration of a conversation."""


class People:
    """Customers and engineers of one workspace.

    `messages` begin with subject, body and language (`en`, `fr`), one conversation each; when they end, life goes on.
    `rate` is conversations per second, `open_each` how many an engineer has open when things are steady.
    """

    def __init__(
        self,
        workspace: Workspace,
        messages: Iterable[tuple[str, ...]],
        *,
        seed: int = 1,
        rate: float = 1.0,
        open_each: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workspace, self._messages, self._rate, self._clock = workspace, iter(messages), rate, clock
        self._draw = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._deck: list[str] = []
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._now = clock()
        self._customers = self._invite()
        self._lasting = open_each * len(self._engineers()) / rate
        """Seconds that a conversation lasts on average."""
        self.begun = 0
        self.finished = False
        """All messages were sent."""
        self._after(0, self._write_in)
        self._after(self._lasting / 4, self._leave)
        for engineer in self._engineers():
            if engineer.away:
                self._after(self._lasts(0.5), lambda who=engineer: self._come_back(who))

    async def run(self, seconds: float = math.inf) -> None:
        """Lives for so long, or until cancelled."""
        end = self._clock() + seconds
        while (now := self._clock()) < end:
            due = self.advance(now)
            await asyncio.sleep(max(0.0, min(due, end) - self._clock()))

    def advance(self, now: float) -> float:
        """Does all that is due until `now`, in its order; answers when the next is due (infinity: never again)."""
        while self._due and self._due[0][0] <= now:
            self._now, _, act = heapq.heappop(self._due)
            act()
        self._now = now
        return self._due[0][0] if self._due else math.inf

    # Customers

    def _invite(self) -> list[Contact]:
        names = [name for group in CUSTOMERS for name in group]
        return [
            people.customer(self._workspace, name, f"customer{number}@example.test")
            for number, name in enumerate(names, start=1)
        ]

    def _write_in(self) -> None:
        message = next(self._messages, None)
        if message is None:
            self.finished = True
            return
        subject, body, language = message[:3]
        self.begun += 1
        conversation = people.write_in(
            self._workspace,
            self._draw.choice(self._customers),
            subject,
            body,
            language=language,
            team=self._team_for(language),
        )
        self._when_assigned(conversation, lambda: self._live(conversation, language))
        self._after(self._draw.expovariate(self._rate), self._write_in)

    def _team_for(self, language: str) -> int:
        """Mostly the team of the language; some customers pay for the third; some conversations are in no team."""
        teams = list(self._workspace.teams)
        chance = self._draw.random()
        if chance < 0.08 or len(teams) < 3:
            return 0
        return teams[2] if chance < 0.22 else teams[1] if language == "fr" else teams[0]

    # A conversation

    def _live(self, conversation: Conversation, language: str) -> None:
        """Plans what becomes of a conversation that has just been given to somebody."""
        lasts = self._lasts()
        answer = {"body": self._draw.choice(ANSWERS.get(language, ANSWERS["en"]))}
        reply = {"body": self._draw.choice(REPLIES.get(language, REPLIES["en"]))}
        plan: list[tuple[float, str, Json]] = [
            (0.25, "admin_reply", answer),
            (0.5, "reply", reply),
            (0.75, "admin_reply", answer),
            (1.0, "close", {}),
            *self._aside(reply),
        ]
        for share, deed, body in plan:
            self._after(share * lasts, lambda deed=deed, body=body: self._do(conversation, deed, body))

    def _aside(self, reply: Json) -> list[tuple[float, str, Json]]:
        match self._deal():
            case "reassign":
                return [(0.4, "reassign", {})]
            case "unassign":
                return [(0.4, "unassign", {})]
            case "tag":
                return [(0.1, "tag", {"name": "weight:8"})]
            case "note":
                return [(0.1, "note", {"body": "/weight 8"})]
            case "priority":
                return [(0.05, "priority", {"priority": self._draw.choice(PRIORITIES[1:])})]
            case "snooze":
                return [(0.55, "snooze", {}), (0.7, "unsnooze", {})]
            case "reopen":
                return [(1.2, "reply", reply), (1.5, "close", {})]
            case "delete":
                return [(1.1, "delete", {})]
            case _:
                return []

    def _do(self, conversation: Conversation, deed: str, body: Json) -> None:
        """What nobody can do, because somebody else was faster, is left out."""
        engineer = self._workspace.admins.get(conversation.admin)
        if conversation.id not in self._workspace.conversations:
            return
        if deed in ("admin_reply", "close") and engineer is None:
            if conversation.state == "open":
                self._when_assigned(conversation, lambda: self._do(conversation, deed, body))
            return
        if deed == "reassign":
            deed, body = "assign", {"to": self._draw.choice(self._engineers()).id}
        if not _POSSIBLE.get(deed, lambda _: True)(conversation):
            return
        actor = Actor(engineer or self._workspace.admins[self._workspace.owner])
        people.TO_CONVERSATIONS[deed](self._workspace, conversation, actor, body)

    def _when_assigned(self, conversation: Conversation, act: Callable[[], None]) -> None:
        """Looks again and again until somebody has it, or it is gone."""
        if conversation.id not in self._workspace.conversations:
            return
        if conversation.admin:
            act()
        else:
            self._after(self._lasting / 20, lambda: self._when_assigned(conversation, act))

    # Engineers

    def _engineers(self) -> Sequence[Admin]:
        return [each for each in self._workspace.admins.values() if each.seat]

    def _leave(self) -> None:
        """Somebody goes away for a while, unless a quarter of the team is away already."""
        there = [each for each in self._engineers() if not each.away and each.logged_in]
        if len(there) > 0.75 * len(self._engineers()):
            who, absence = self._draw.choice(there), self._draw.choice(_ABSENCES)
            people.TO_ADMINS[absence](self._workspace, who, {"reason": self._draw.choice([*self._workspace.reasons])})
            self._after(self._lasts(0.5), lambda: self._come_back(who))
        self._after(self._draw.expovariate(4 / self._lasting), self._leave)

    def _come_back(self, who: Admin) -> None:
        if who.away:
            staff.come_back(self._workspace, who)
        if not who.logged_in:
            staff.log_in(self._workspace, who)

    # Chance and time

    def _deal(self) -> str:
        if not self._deck:
            self._deck = self._draw.sample(_DECK, len(_DECK))
        return self._deck.pop()

    def _lasts(self, share: float = 1.0) -> float:
        """Seconds, lognormal around that share of what a conversation lasts on average."""
        return self._draw.lognormvariate(math.log(share * self._lasting) - _SPREAD**2 / 2, _SPREAD)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + seconds, next(self._order), act))


_POSSIBLE: dict[str, Callable[[Conversation], bool]] = {
    "close": lambda each: each.state != "closed",
    "snooze": lambda each: each.state == "open",
    "unsnooze": lambda each: each.state == "snoozed",
    "assign": lambda each: each.state == "open",
    "unassign": lambda each: each.state == "open",
}
