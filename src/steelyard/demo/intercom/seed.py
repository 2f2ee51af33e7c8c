"""A team to begin with: 24 engineers in three time zones, English and French, three teams on manual distribution."""

import random
from typing import NamedTuple

from steelyard.demo.intercom.model import Admin, Attribute, Reason, Team, TicketState, TicketType, Workspace

PARIS, MONTREAL, SYDNEY = "Europe/Paris", "America/Montreal", "Australia/Sydney"

LANGUAGES = {"en": "English", "fr": "French"}
"""How the conversation attribute `Language` spells them."""

# Name, time zone, languages.
ENGINEERS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Aïcha Benali", PARIS, ("fr", "en")),
    ("Bastien Roux", PARIS, ("fr", "en")),
    ("Chiara Lombardi", PARIS, ("en",)),
    ("Dimitri Vasilenko", PARIS, ("en",)),
    ("Élodie Marchand", PARIS, ("fr",)),
    ("Femke de Vries", PARIS, ("en",)),
    ("Gaspard Lemoine", PARIS, ("fr", "en")),
    ("Hiba Tazi", PARIS, ("fr", "en")),
    ("Ingrid Solberg", PARIS, ("en",)),
    ("Jonas Keller", PARIS, ("en",)),
    ("Kevin O'Driscoll", MONTREAL, ("en",)),
    ("Léa Tremblay", MONTREAL, ("fr", "en")),
    ("Mathis Gagnon", MONTREAL, ("fr", "en")),
    ("Naomi Whitefeather", MONTREAL, ("en",)),
    ("Olivier Bouchard", MONTREAL, ("fr",)),
    ("Priya Raghunathan", MONTREAL, ("en",)),
    ("Quentin Lavoie", MONTREAL, ("fr", "en")),
    ("Rosa Jiménez", MONTREAL, ("en",)),
    ("Samir Haddad", SYDNEY, ("en", "fr")),
    ("Tamsin Blackwood", SYDNEY, ("en",)),
    ("Umi Nakagawa", SYDNEY, ("en",)),
    ("Viliami Tupou", SYDNEY, ("en",)),
    ("Wren Gallagher", SYDNEY, ("en",)),
    ("Yusuf Demir", SYDNEY, ("en",)),
)


class Seed(NamedTuple):
    """How to begin. The first admin is the lead whose token Steelyard holds: no inbox seat, no team."""

    seed: int = 1
    away: int = 3
    """So many engineers are away at first."""


def settle(workspace: Workspace, seed: Seed) -> None:
    """Fills an empty workspace."""
    draw = random.Random(seed.seed)  # noqa: S311 - repeatable, not secret
    _reasons_and_tickets(workspace)
    lead = _hire(workspace, "Nora Lindqvist", PARIS, ("en", "fr"), job_title="Support lead", seat=False)
    workspace.owner = lead.id
    engineers = [_hire(workspace, *each) for each in ENGINEERS]
    _teams(workspace, engineers, draw)
    for engineer in draw.sample(engineers, seed.away):
        engineer.away, engineer.reason = True, draw.choice(list(workspace.reasons))
    now = workspace.now()
    language = Attribute(workspace.number("attribute"), "Language", "string", now, lead.id, "Set by Intercom")
    workspace.attributes[language.name] = language


def _hire(
    workspace: Workspace,
    name: str,
    zone: str,
    languages: tuple[str, ...],
    *,
    job_title: str = "Support engineer",
    seat: bool = True,
) -> Admin:
    number = workspace.number("admin")
    admin = Admin(number, name, f"admin{number}@example.test", job_title, zone, languages, seat)
    workspace.admins[number] = admin
    return admin


def _teams(workspace: Workspace, engineers: list[Admin], draw: random.Random) -> None:
    english = [each.id for each in engineers if "en" in each.languages]
    french = [each.id for each in engineers if "fr" in each.languages]
    premium = sorted(draw.sample([each.id for each in engineers], 8))
    for name, members in (("Support", english), ("Support francophone", french), ("Premium", premium)):
        team = Team(workspace.number("team"), name, members)
        workspace.teams[team.id] = team


def _reasons_and_tickets(workspace: Workspace) -> None:
    for label, emoji in (("On lunch", "🍔"), ("In a meeting", "📅"), ("On holiday", "🌴")):
        number = workspace.number("reason")
        workspace.reasons[number] = Reason(number, label, emoji)
    labels = {
        "submitted": "Submitted",
        "in_progress": "In progress",
        "waiting_on_customer": "Waiting on you",
        "resolved": "Resolved",
    }
    for category, label in labels.items():
        number = workspace.number("ticket_state")
        workspace.ticket_states[number] = TicketState(number, category, label)
    for name, category in (("Bug report", "Customer"), ("Incident", "Tracker")):
        number = workspace.number("ticket_type")
        workspace.ticket_types[number] = TicketType(number, name, category)
