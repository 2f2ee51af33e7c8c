"""What people do with runs: every kind of fact, and how it is told in the audit."""

from __future__ import annotations

from typing import Final

from steelyard.people.audit import Telling
from steelyard.web.language import N_

KINDS: Final = {
    "run.asked": "Somebody asked for a runbook to be planned for a site.",
    "run.confirmed": "Somebody confirmed a plan: `plan` is its digest.",
    "run.approved": "Somebody else let such a run go on.",
    "run.refused": "Somebody else said no to such a run.",
    "run.cancelled": "Somebody called a run off.",
    "run.resumed": "Somebody had a run go on that had stopped in the middle.",
    "run.undo_asked": "Somebody asked for what a run did to be put back.",
    "run.ended": "A run ended, or stopped: its state and what it took.",
    "run.undone": "What a run did was put back by another.",
    "run.erased": "What a run had moved aside was removed: it can no longer be undone.",
    "toolbox.rules_changed": "Who may run what, approval, or how long trash is kept was changed.",
    "toolbox.pack_loaded": "A pack of rules for scans was loaded, for all workspaces of the cell.",
    "toolbox.pack_removed": "Such a pack was taken out.",
    "toolbox.slot_added": "A slot was added, for all workspaces of the cell: what resets install, and scans trust.",
}
"""What each kind says, for the reference."""

TELLING: Final = Telling(
    "toolbox/runs_told.html",
    {
        "run.asked": N_("Runbook planned"),
        "run.confirmed": N_("Run confirmed"),
        "run.approved": N_("Run approved"),
        "run.refused": N_("Run not approved"),
        "run.cancelled": N_("Run cancelled"),
        "run.resumed": N_("Run resumed"),
        "run.undo_asked": N_("Undo asked for"),
        "run.ended": N_("Run ended"),
        "run.undone": N_("Run undone"),
        "run.erased": N_("Run’s trash removed"),
        "toolbox.rules_changed": N_("Rules of runs changed"),
        "toolbox.pack_loaded": N_("Rules for scans loaded"),
        "toolbox.pack_removed": N_("Rules for scans removed"),
        "toolbox.slot_added": N_("Slot added"),
    },
)
