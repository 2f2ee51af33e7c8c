"""Writes the reference pages that follow from the code: `make docs`. A test fails while they differ from it."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from steelyard.cli import whole
from steelyard.companion import telling as companion
from steelyard.config import Settings, environment_name
from steelyard.people.record import KINDS
from steelyard.routing import acts, aside, decide, receive, settings_pages, told
from steelyard.routing.ingest import OWN_TOPICS
from steelyard.routing.metrics import METRICS
from steelyard.routing.receive import TOPICS, UNWANTED, AskFor
from steelyard.routing.seen import Gone
from steelyard.routing.shown import Reader
from steelyard.routing.told import MOVES, OUTCOMES
from steelyard.store.retention import TABLES
from steelyard.toolbox import changes as registry
from steelyard.toolbox import telling as runs
from steelyard.toolbox.handbook import telling as handbook
from steelyard.toolbox.metrics import METRICS as RUNS_METRICS
from steelyard.web.exposition import PROCESS

REFERENCE = Path(__file__).parent / "reference"

FACTS = {
    "conversation.created": "A customer or an engineer began a conversation.",
    "conversation.customer_replied": "The customer wrote again.",
    "conversation.engineer_replied": "An engineer answered.",
    "conversation.bot_replied": "A bot or a workflow of Intercom's answered.",
    "conversation.assigned": "Its engineer or its team changed, by whomever.",
    "conversation.noted": "An internal note was written; `/weight 8` in it sets the weight.",
    "conversation.closed": "It was closed.",
    "conversation.opened": "It was opened again.",
    "conversation.snoozed": "It was put aside until later.",
    "conversation.unsnoozed": "It came back.",
    "conversation.priority_changed": "Its priority changed.",
    "conversation.tagged": "One of its messages was tagged, and the webhook showed the whole conversation.",
    "conversation.deleted": "It was deleted in Intercom.",
    "conversation.read": "Steelyard read it from Intercom.",
    "conversation.read_asked": "A person asked in the console for it to be read from Intercom.",
    "conversation.move_asked": "A person asked in the console for it to be given to this engineer, or to nobody.",
    "conversation.moved": "Intercom was told of such a move.",
    "conversation.move_overtaken": "Somebody else was faster than such a move, so it was not made.",
    "conversation.move_refused": "Such a move could not be made: `reason` says why.",
    "ticket.created": "A ticket was made.",
    "ticket.changed": "A ticket's state or an attribute changed.",
    "ticket.assigned": "A ticket's engineer or team changed.",
    "ticket.engineer_replied": "An engineer answered a ticket.",
    "ticket.customer_replied": "The customer answered a ticket.",
    "ticket.closed": "A ticket was closed.",
    "ticket.resolved": "A ticket was resolved.",
    "ticket.snoozed": "A ticket was put aside until later.",
    "ticket.unsnoozed": "A ticket came back.",
    "engineer.away_changed": "An engineer went away or came back.",
    "engineer.logged_in": "An engineer logged in.",
    "engineer.logged_out": "An engineer logged out.",
    "engineer.added": "An engineer joined the Intercom workspace.",
    "engineer.removed": "An engineer was removed from the Intercom workspace.",
    "engineer.seen": "Steelyard read the roster, and this engineer was new or differed from what was known.",
    "engineer.left": "Steelyard read the roster, and this engineer was no longer in it.",
    "engineer.rotation_changed": "A person took this engineer off rotation in the console, or put them back.",
    "engineer.away_asked": "A person asked in the console for this engineer to be set away in Intercom, or back.",
    "engineer.away_refused": "Nobody was set away, or back, as had been asked: `reason` says why.",
    "team.seen": "Steelyard read the roster, and this team was new or had other members.",
    "policy.adopted": "A policy was put in force.",
    "routing.switched": "Teams were switched on or back to the shadow, or all was paused or went on.",
    "aside.retried": "Payloads that had been set aside were tried again.",
    "reading.asked": "A person asked in the console for everything to be read from Intercom.",
    "decision.made": "Steelyard chose an engineer for a conversation.",
    "decision.delivered": "Intercom was told of the decision.",
    "decision.overtaken": "A person or something newer was faster, so the decision was not delivered.",
    "decision.compared": "A decision in the shadow was compared with whom Intercom gave the conversation to.",
    "decision.failed": "Intercom refused the decision for good; a person has to look.",
}
"""What each kind of fact says, for people."""

ROOMS = {**runs.KINDS, **registry.KINDS, **handbook.KINDS, **companion.KINDS}
"""The same of the toolbox and the companion, whose parts say it of their own."""

IN_DATA = (
    ("`c`", "`conversation.*`, `ticket.*`, `decision.*`", "the conversation as known from then on"),
    ("`e`", "`engineer.*`", "the engineer as known from then on, without their load"),
    ("`team`, `members`", "`team.seen`", "the ids of a team and of the engineers in it"),
    ("`d`", "`decision.made`", "the decision: winner, runner-up, loads, matched rules, policy, digest"),
    ("`shadow`", "`decision.made`", "true where it is only compared, and not delivered"),
    (
        "`decision`, `load`, `winner_load`, `exclusions`",
        "`decision.compared`",
        "which decision; what who was given it and the winner carried; why they would not have been",
    ),
    ("`switch`", "`routing.switched`", "the teams that are on (null: all), and whether it is paused"),
    (
        "`from`, `decision`",
        "`conversation.move_asked`",
        "whom they saw it with (0: nobody); a decision on its way",
    ),
    ("`move`, `reason`", "`conversation.move*`", "the position of the fact that asked for it, and a code"),
    (
        "`of`, `roles`, `was`",
        "`person.*`",
        "whom it was done to; roles from then on and before, by their places in the list from 0",
    ),
    ("`of`, `token`", "`token.*`", "whose token it is, and its number"),
    ("`companion`", "`token.made`", "true where a browser was connected with it"),
    ("`trust`", "`companion.domain_*`", "the number of the domain"),
    ("`version`, `rules`", "`companion.rules_changed`", "the version of the host rules, and how many there are in it"),
    ("`away`", "`engineer.away_*`", "whether away was asked for, or back"),
    (
        "`asked`, `reason`",
        "`engineer.away_refused`",
        "the position of the fact that asked for it, and a code",
    ),
    ("`count`", "`aside.retried`, `handbook.imported`", "how many payloads, or pages"),
    ("`page`, `undone`", "`handbook.*`", "the number of the page; whether what was done before was taken back"),
    ("`run`, `site`", "`run.*`", "their numbers; what was asked and what it said stand in the toolbox's tables"),
    ("`runbook`, `plan`", "`run.asked`, `run.confirmed`", "the digest of the runbook's folder, of the plan"),
    ("`state`, `ms`", "`run.ended`", "the state it ended in, and milliseconds it took"),
    ("`of`, `by`", "`run.undo_asked`, `run.undone`", "the run that is to be put back; the run that did so"),
    ("`rules`, `digest`, `approval`, `days`", "`toolbox.rules_changed`", "how many, their digest, and what was chosen"),
    (
        "`digest`, `rules`",
        "`toolbox.pack_*`, `toolbox.slot_added`",
        "the SHA-256 of the pack or of the slot's archive; how many rules the pack has",
    ),
    ("`decision`, `reason`", "the other `decision.*`", "which decision it was, and a code that says why"),
    ("`site`, `host`, `key`", "`site.*`, `host.*`", "the number of a site, of a host, of a key for hosts"),
    ("`late`", "all that come from Intercom", "true where something newer was known: nothing changed"),
    ("`ours`", "`conversation.*`, `ticket.*`", "true for the echo of a call that Steelyard made"),
)
"""The keys of a fact's `data`: in which facts, and what they hold."""

OWN = {
    "steelyard.receipt": "how the delivery of a decision ended, with Intercom's answer",
    "steelyard.read_back": "a conversation as Steelyard read it",
    "steelyard.gone": "a conversation that Steelyard looked for and that is no longer there",
    "steelyard.policy": "a policy that was put in force",
    "steelyard.roster": "all teammates and teams as Steelyard read them",
    "steelyard.go_on": "that more conversations wait than one transaction decides",
    "steelyard.switch": "teams that were switched on or off, or a pause",
    "steelyard.rotation": "somebody who was taken off rotation, or put back",
    "steelyard.moved": "how a move ended that a person had asked for, with Intercom's answer",
    "steelyard.away_refused": "that nobody was set away, or back, as a person had asked",
}
"""What Steelyard's own jobs and pages put into the inbox, for people."""

_KIND = re.compile(r"(?:conversation|ticket|engineer|team|policy|decision|routing|aside|reading)\.[a-z_]+")


def fact_kinds() -> set[str]:
    """Every kind that the room can record: the constants of these sources that look like one."""
    kinds = {f"decision.{outcome}" for outcome in OUTCOMES} | {f"conversation.{outcome}" for outcome in MOVES}
    for module in (receive, told, decide, acts, aside, settings_pages):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _KIND.fullmatch(node.value):
                kinds.add(node.value)
    return kinds


def own_topics() -> list[str]:
    """The topics of Steelyard's own jobs, in the order of their names."""
    constants = [value for name, value in vars(told).items() if name.isupper() and isinstance(value, str)]
    return sorted(each for each in constants if each.startswith(OWN_TOPICS))


def becomes(topic: str) -> str:
    """The kind of fact that a payload of `topic` becomes, found by receiving one; empty where it is read back."""
    item = {"id": "1", "conversation_id": "1", "away_mode_enabled": True}
    payload = {"topic": topic, "id": "notification", "created_at": 1, "data": {"item": item}}
    seen = receive.receive(json.dumps(payload).encode(), 1, Reader(None, 50))
    if isinstance(seen, AskFor):
        return ""
    return "conversation.deleted" if isinstance(seen, Gone) else seen.kind  # pyright: ignore


def commands(command: Any = None, name: str = "steelyard") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name; groups are not commands."""
    command = command or whole()
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
    for child in (children or {}).values():
        yield from commands(child, f"{name} {child.name}")


def pages() -> dict[str, str]:
    """The reference pages by the names of their files."""
    return {
        "settings.md": _settings(),
        "commands.md": _commands(),
        "facts.md": _facts(),
        "topics.md": _topics(),
        "tables.md": _tables(),
        "metrics.md": _metrics(),
    }


def _settings() -> str:
    parts = [
        "Steelyard is set up by environment variables; `steelyard settings` lists them as they are on your machine. "
        "Any of them may be given as `NAME_FILE` instead, with the name of a file that holds the value: do so for "
        "secrets."
    ]
    for name, field in Settings.model_fields.items():
        if field.is_required():
            default = "none: it must be set"
        elif field.default_factory is not None:
            said = inspect.getdoc(field.default_factory) or ""
            default = said[:1].lower() + said[1:]
        else:
            default = f"`{field.default}`" if field.default not in (None, {}) else "not set"
        parts.append(f"## `{environment_name(name)}`\n\n{field.description}\n\nDefault: {default.rstrip('.')}.")
    return _page("Settings", *parts)


def _commands() -> str:
    parts = ["Every command says the same of itself with `--help`."]
    for name, command in commands():
        usage = [name]
        options: list[tuple[str, ...]] = []
        for each in command.params:
            if each.param_type_name == "argument":
                usage.append(each.name.upper())
                continue
            usage.append("[OPTIONS]" if "[OPTIONS]" not in usage else "")
            default = getattr(each.default, "value", each.default)
            shown = "" if default in (None, False) else f"`{default}`"
            options.append((f"`{each.opts[0]}`", each.help or "", shown))
        part = f"## `{name}`\n\n{command.help}\n\n```text\n{' '.join(filter(None, usage))}\n```"
        parts.append(f"{part}\n\n{_table(('option', 'what it does', 'default'), options)}" if options else part)
    return _page("Commands", *parts)


def _facts() -> str:
    if FACTS.keys() != fact_kinds():
        raise SystemExit(f"docs/build.py: describe in FACTS, or remove there: {sorted(FACTS.keys() ^ fact_kinds())}")
    return _page(
        "Facts",
        "The ledger holds one row for each thing that happened: its position, its kind, when it happened, the ids of "
        "its conversation and its engineer, the number of the person who did it in the console, and `data`. Facts hold "
        "ids and numbers only, never a text, a name or an address, and are kept until the workspace is erased.",
        _table(("kind", "what happened"), ((f"`{kind}`", said) for kind, said in (FACTS | KINDS | ROOMS).items())),
        "## What is in `data`",
        _table(
            ("key", "in facts", "what it is"),
            IN_DATA,
        ),
    )


def _topics() -> str:
    handled: list[tuple[str, str]] = []
    for topic in TOPICS.keys() - OWN.keys():
        kind = becomes(topic)
        handled.append((f"`{topic}`", f"`{kind}`" if kind else "the conversation is read from Intercom"))
    return _page(
        "Topics of Intercom's webhooks",
        "Subscribe to these topics in Intercom's Developer Hub.",
        "## Topics that touch a load",
        _table(("topic", "becomes the fact"), sorted(handled)),
        "## Topics that change nothing",
        "They are stored, marked as ignored with this reason, and removed after their retention. So is every topic "
        "that is on neither list, as `unknown topic`.",
        _table(("topic", "why"), ((f"`{topic}`", why) for topic, why in UNWANTED.items())),
        "## Steelyard's own",
        "Its jobs and pages put what they did and read into the same inbox, so that one writer records it all. A "
        "webhook that claims such a topic is refused.",
        _table(("topic", "what it holds"), ((f"`{topic}`", OWN[topic]) for topic in own_topics())),
    )


def _tables() -> str:
    rows: list[tuple[str, str, str, str]] = []
    for table in TABLES:
        kept = "no limit" if table.keep is None else _duration(int(table.keep.total_seconds()))
        rows.append((f"`{table.name}`", table.scope.value, kept, table.why))
    return _page(
        "Tables",
        "Every table, to whom its rows belong, how long they are kept, and why. Rows of *workspace* scope are behind "
        "row-level security and go with the workspace when it moves; rows of *cell* scope belong to one installation.",
        _table(("table", "scope", "kept", "why"), rows),
    )


def _metrics() -> str:
    shown = [
        (
            f"`{each.name}`",
            each.kind.value,
            each.scope.value,
            ", ".join(f"`{label}`" for label in each.labels),
            each.help,
        )
        for each in (*METRICS, *RUNS_METRICS, *PROCESS)
    ]
    return _page(
        "Metrics",
        "A web process shows them at `/metrics` of its own port, a worker at that of `STEELYARD_METRICS_PORT`; see "
        "[how to watch it](../how-to/watch-it.md). Labels are ids and codes, never names. What the tables say is the "
        "same from every web process of a cell: take the greatest, not the sum. What a process counted itself "
        "(`steelyard_webhooks_total`, `steelyard_ingest_*`, `steelyard_intercom_*`, `process_*`) can be added up.",
        _table(("metric", "kind", "scope", "labels", "what it is"), shown),
    )


def _duration(seconds: int) -> str:
    for unit, size in (("day", 86_400), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "until it expires"


def _page(title: str, *parts: str) -> str:
    note = "<!-- Written by `make docs` from the code: change the code, or docs/build.py. -->"
    return "\n\n".join((f"# {title}", note, *parts)) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)


if __name__ == "__main__":
    for file, text in pages().items():
        (REFERENCE / file).write_text(text, "utf-8")
