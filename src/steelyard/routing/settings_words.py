"""What the kept tables are called for people, and why they are kept so long."""

from __future__ import annotations

from typing import Final

from steelyard.web.language import N_

_EVIDENCE: Final = N_("So that decisions stay explainable and can be replayed. Ids and numbers only.")
_STATE: Final = N_("How things stand now. Ids and numbers only.")
_JOBS: Final = N_("What is to be done in the background. Ids only; what failed is kept to look into it.")

KEPT: Final = {
    "workspace": (N_("The workspace"), N_("It is what everything else belongs to.")),
    "connection": (N_("The connection to Intercom"), N_("How it is reached; its secrets are sealed.")),
    "inbox": (N_("Raw webhooks"), N_("They hold messages. Handled ones are kept to look into mistakes.")),
    "ledger": (N_("Facts"), _EVIDENCE),
    "decision": (N_("Decisions"), _EVIDENCE),
    "snapshot": (N_("Snapshots of the state"), _EVIDENCE),
    "policy": (N_("Policies"), _EVIDENCE),
    "conversation": (N_("Conversations"), _STATE),
    "engineer": (N_("Engineers"), _STATE),
    "team": (N_("Teams"), _STATE),
    "team_name": (N_("Names of teams"), N_("What teams are called. No person.")),
    "conversation_text": (N_("Messages"), N_("What customers wrote, and who: to weigh again under a new policy.")),
    "teammate_name": (N_("Names of engineers"), N_("Counted from when they were last seen, to read old decisions.")),
    "reading": (N_("Readings of Intercom"), N_("With the drift they found, to see a trend. Numbers only.")),
    "alarm": (N_("Alarms"), N_("What was wrong and when it was over. Numbers only; what is still wrong stays.")),
    "notification": (
        N_("Where alarms are told"),
        N_("Until it is removed; for a day more it can be put back. Its address is sealed."),
    ),
    "telling": (N_("What was told where"), N_("So that nothing is told twice. It goes with its alarm.")),
    "membership": (N_("Who is a member"), N_("Also after it ended: it names who did what in the audit.")),
    "api_token": (N_("API tokens"), N_("Hashes only. Those that ended are kept to see who used them.")),
    "link": (N_("Links that work once"), N_("They go when they expire.")),
    "person": (N_("People who sign in"), N_("Address, name and preferences, until they are erased.")),
    "session": (N_("Signed-in browsers"), N_("They go when they expire.")),
    "attempt": (N_("Failed sign-ins"), N_("By hash, for as long as they slow the next one down.")),
    "migration": (N_("The schema’s version"), N_("No data of yours.")),
    "procrastinate_jobs": (N_("Jobs"), _JOBS),
    "procrastinate_events": (N_("What became of jobs"), _JOBS),
    "procrastinate_periodic_defers": (N_("Jobs of a schedule"), _JOBS),
    "procrastinate_workers": (N_("Workers"), N_("Which are alive.")),
}
"""By the name of the table: what it holds, and why."""

HOW_LONG: Final = {
    "notification": N_("until it is removed, and a day more"),
    "api_token": N_("90 days after it ended"),
    "teammate_name": N_("365 days after they were last seen"),
    "alarm": N_("365 days after it began"),
}
"""For how long, where a number of days does not say from when."""

FAILURES: Final = {
    "unreadable": N_("It is no address that Apprise knows. Change it."),
    "refused": N_("It did not take the message. Look whether its token still holds and whether its channel is there."),
    "timeout": N_("It did not answer in time. Is the worker’s machine allowed out to it?"),
    "sealed": N_("The worker cannot open it: copy web.keys to its machine, too."),
}
"""Why an address takes nothing, and what to do, by the code."""
