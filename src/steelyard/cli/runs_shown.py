"""Runs on a terminal: plans, progress with the time of each step, and how it ended."""

from __future__ import annotations

from types import TracebackType
from typing import Final

from babel import Locale
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from steelyard.operations.checking import shown
from steelyard.toolbox.model import Millis, Size
from steelyard.toolbox.runs_seen import RunSeen, StepSeen
from steelyard.toolbox.states import STATE_WORDS, State
from steelyard.web.language import Writer
from steelyard.web.said import Said, term

_MARKS: Final = {"done": "[green]✓[/green]", "failed": "[red]✗[/red]", "left_out": "–", "unknown": "?"}
_NEEDS_A_HAND: Final = (State.STOPPED, State.WAITS)


def status_of(seen: RunSeen) -> int:
    """The exit status that a run ends a command with."""
    if seen.state in (State.DONE, State.NOTHING):
        return 0
    return 3 if seen.state in _NEEDS_A_HAND else 1


def clean(text: str) -> str:
    """A text for a terminal, whatever a host said: without what would move its cursor or colour it."""
    return shown(text, 2000)


def said(value: object) -> str:
    """A value of a plan for a terminal: what a host says in it is text, whatever it holds."""
    match value:
        case Said():
            return escape(clean(term(value, str, Writer(Locale("en")).write)))
        case Size():
            return _size(value.bytes)
        case Millis():
            return f"{value.ms / 1000:.2f} s"
        case int():
            return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
        case _:
            return escape(clean(" / ".join(str(value).splitlines())))


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return ""


def show_plan(out: Console, seen: RunSeen) -> None:
    """What a run would do."""
    out.print(f"[bold]Run {seen.run}[/bold]: {escape(seen.runbook)} at {escape(shown(seen.site_name))}")
    if seen.plan is None:
        out.print(outcome(seen), soft_wrap=True)
        return
    if seen.plan.nothing is not None:
        out.print(said(seen.plan.nothing))
    for row in seen.plan.concerns:
        out.print(f"  {said(row.label)}: {said(row.value)}")
    for warning in seen.plan.warnings:
        out.print(f"[yellow]! {said(warning)}[/yellow]")
    table = Table("", "Step", Column("What exactly", overflow="fold"), "About")
    for step in seen.steps:
        what = "check" if step.check else "changes the site" if step.touches else ""
        table.add_row(str(step.step + 1), said(step.title), said(step.says), what)
    if seen.steps:
        out.print(table)
        undo = "It can be put back." if seen.plan.undoable else "It cannot be put back."
        out.print(f"About {seen.expected_ms / 1000:.1f} s. {undo}")


def show_run(out: Console, seen: RunSeen) -> None:
    """A run with its steps."""
    out.print(f"[bold]Run {seen.run}[/bold]: {escape(seen.runbook)} at {escape(shown(seen.site_name))}")
    for step in seen.steps:
        out.print(_line(step))
    out.print(outcome(seen), soft_wrap=True)


def outcome(seen: RunSeen) -> str:
    """How a run ended, or where it is, in a sentence."""
    text = f"Run {seen.run}: {STATE_WORDS[seen.state]}"
    if seen.took_ms is not None:
        text += f" in {seen.took_ms / 1000:.2f} s"
    if seen.saved_s is not None and seen.undoes is None:
        text += f", {seen.saved_s / 60:.1f} minutes saved"
    text += "."
    if seen.reason is not None:
        text += f" {said(seen.reason.says)}"
    if seen.state is State.STOPPED:
        text += f" `steelyard runbook resume {seen.run}` or `steelyard runbook undo {seen.run}`."
    if seen.state is State.DONE and seen.undo_until is not None and seen.undoes is None:
        text += f" Until {seen.undo_until:%Y-%m-%d}: `steelyard runbook undo {seen.run}`."
    return text


def _line(step: StepSeen) -> str:
    took = "" if step.took_ms is None else f"{step.took_ms / 1000:7.2f} s"
    return f"  {_MARKS.get(step.state, ' ')} {took:>9}  {said(step.title)}"


class Following:
    """A run as it goes on: each step with its time when it ended, and a bar for the rest."""

    def __init__(self, out: Console, *, quiet: bool) -> None:
        self._out, self._quiet = out, quiet or not out.is_terminal
        self._told: set[int] = set()
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        self._progress = Progress(*columns, console=out, transient=True, disable=self._quiet)
        self._task = self._progress.add_task("Asked", total=None)
        self._silent = quiet

    def __enter__(self) -> Following:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def pause(self) -> None:
        """Leaves the terminal to a question."""
        self._progress.stop()

    def see(self, seen: RunSeen) -> None:
        """Tells what is new."""
        at = next((step for step in seen.steps if step.state == "at"), None)
        words = STATE_WORDS[seen.state] if at is None else said(at.title)
        ended = sum(step.state in ("done", "failed", "left_out") for step in seen.steps)
        self._progress.update(self._task, description=words, completed=ended, total=len(seen.steps) or None)
        for step in seen.steps:
            if step.took_ms is not None and step.step not in self._told and not self._silent:
                self._told.add(step.step)
                self._out.print(_line(step))
