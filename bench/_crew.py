"""The people of a simulated workspace, as a benchmark wants them: each deed is so many webhooks, and each is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from steelyard.demo.intercom import Simulator, people, staff
from steelyard.demo.intercom import conversations as deeds
from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Admin, Conversation, typed
from steelyard.demo.intercom.traffic import ANSWERS, REPLIES
from steelyard.demo.messages import messages

CUSTOMERS = 500
CLOSED, HEARD = 0.5, 0.75
"""Of what goes on, half closes a conversation; in a quarter each its customer or its engineer writes again."""


class Crew:
    """Customers and engineers of the simulated workspace, who do what they are told."""

    def __init__(self, simulator: Simulator, seed: int = 3) -> None:
        self._workspace = simulator.workspace
        self._draw = random.Random(seed)
        self._written = messages(random.Random(seed))
        self._customers = [
            people.customer(self._workspace, f"Customer {n}", f"customer{n}@example.test") for n in range(CUSTOMERS)
        ]
        self._engineers = [each for each in self._workspace.admins.values() if each.seat]
        self.open: list[Conversation] = []

    def all_leave(self) -> None:
        """So that nothing is decided."""
        for each in self._engineers:
            staff.go_away(self._workspace, each)

    def all_return(self) -> None:
        """So that everything is."""
        for each in self._engineers:
            staff.come_back(self._workspace, each)

    def begin(self) -> Conversation:
        """A customer writes in: one webhook."""
        message = next(self._written)
        team = self._draw.choice([0, *self._workspace.teams])
        customer = self._draw.choice(self._customers)
        begun = people.write_in(
            self._workspace, customer, message.subject, message.body, team=team, language=message.language
        )
        self.open.append(begun)
        return begun

    def take(self, conversation: Conversation) -> None:
        """An engineer takes it by hand: two webhooks, as Intercom tells it."""
        deeds.assign(self._workspace, conversation, Actor(self._owner()), admin=self._draw.choice(self._engineers).id)

    def go_on(self) -> None:
        """Something happens to one that is open and has an engineer: one webhook."""
        place, chance = self._draw.randrange(len(self.open)), self._draw.random()
        while not (conversation := self.open[place]).admin:
            place = (place + 1) % len(self.open)
        if chance < CLOSED:
            self.open[place] = self.open[-1]
            self.open.pop()
            deeds.close(self._workspace, conversation, self._actor(conversation))
        elif chance < HEARD:
            self.hear(conversation)
        else:
            self.answer(conversation)

    def hear(self, conversation: Conversation) -> None:
        """Its customer writes again: one webhook."""
        deeds.reply_as_customer(self._workspace, conversation, typed(self._draw.choice(REPLIES["en"])))

    def answer(self, conversation: Conversation) -> None:
        """Its engineer answers: one webhook."""
        text = typed(self._draw.choice(ANSWERS["en"]))
        deeds.reply_as_admin(self._workspace, conversation, self._actor(conversation), text)

    def moments(self, rate: float, seconds: float) -> Sequence[tuple[float, Callable[[], object]]]:
        """What happens in `seconds`, by when: a quarter of `rate` each begins and goes on, at random moments."""
        count = round(rate / 4 * seconds)
        due: list[tuple[float, Callable[[], object]]] = [
            (self._draw.uniform(0, seconds), act) for act in (self.begin, self.go_on) for _ in range(count)
        ]
        return sorted(due, key=lambda each: each[0])

    def _actor(self, conversation: Conversation) -> Actor:
        return Actor(self._workspace.admins.get(conversation.admin) or self._owner())

    def _owner(self) -> Admin:
        return self._workspace.admins[self._workspace.owner]
