"""How the deeds of people in this room are told in the audit."""

from __future__ import annotations

from typing import Final

from steelyard.people.audit import Telling
from steelyard.web.language import N_

TELLING: Final = Telling(
    "routing/told.html",
    {
        "conversation.move_asked": N_("Conversation moved"),
        "conversation.moved": N_("Move done in Intercom"),
        "conversation.move_overtaken": N_("Move overtaken"),
        "conversation.move_refused": N_("Move refused"),
        "conversation.read_asked": N_("Conversation read"),
        "engineer.away_asked": N_("Away or back"),
        "engineer.away_refused": N_("Away or back refused"),
        "engineer.rotation_changed": N_("Rotation changed"),
        "routing.switched": N_("Teams switched"),
        "policy.adopted": N_("Policy adopted"),
        "aside.retried": N_("Handled again"),
    },
)

SETTINGS: Final = Telling(
    "routing/settings_told.html",
    {
        "settings.changed": N_("Settings changed"),
        "notification.changed": N_("Where alarms are told changed"),
        "reading.asked": N_("Intercom read"),
    },
)
