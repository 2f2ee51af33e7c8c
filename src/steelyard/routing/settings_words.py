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
    "companion_code": (N_("Links that connect a browser"), N_("They go when they expire.")),
    "companion_browser": (N_("Connected browsers"), N_("What each calls itself. It goes with its API token.")),
    "companion_trust": (N_("Trusted domains"), N_("Also those that somebody proposed, and who decided.")),
    "companion_rules": (N_("Host rules"), N_("Every version, so that an older one can be put back.")),
    "ssh_key": (N_("Keys for hosts"), N_("Sealed for workers. Of a revoked one the private half is erased.")),
    "host": (N_("Hosts"), N_("The machines that sites are on, and what was found on them.")),
    "host_secret": (N_("Secrets of hosts"), N_("Sealed for workers. They go with their host.")),
    "site": (N_("Sites"), N_("What runbooks work on, and what was found there. Removed ones name what ran.")),
    "toolbox_rule": (N_("Rules for runs"), N_("Who may run what on which sites.")),
    "batch": (N_("Requests for several sites"), N_("They hold their runs together.")),
    "run": (N_("Runs"), N_("What was asked, planned and done, for the record. Plans that nobody confirmed go.")),
    "run_step": (N_("Steps of runs"), N_("The journal: it goes with its run.")),
    "run_line": (N_("What runs said"), N_("Text from customers’ machines, to look into what went wrong.")),
    "finding": (N_("Findings of scans"), N_("Evidence from customers’ sites.")),
    "scan_memory": (N_("What scans saw"), N_("So that the next one looks only at what changed.")),
    "handbook_page": (N_("Pages of the handbook"), N_("The team’s own documentation.")),
    "sealing_key": (N_("The workers’ public key"), N_("With it everybody seals for workers, and opens nothing.")),
    "slot": (N_("Core slots"), N_("What WordPress is made of, ready ahead of need. No data of yours.")),
    "rule_pack": (N_("Packs of rules"), N_("What scans look for. No data of yours.")),
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
