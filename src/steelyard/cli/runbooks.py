"""Commands that plan and do runbooks. Exit status: 0 done, 1 not done, 2 wrongly asked, 3 a person is needed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.cli.runs_shown import Following, clean, outcome, show_plan, show_run, status_of
from steelyard.jobs.processes import run as run_loop
from steelyard.kit.errors import ConfigError
from steelyard.operations.checking import shown
from steelyard.operations.runs import Order, at_desk, runbooks_of
from steelyard.toolbox.model import Risk, RunId
from steelyard.toolbox.runs_api import runbook_data
from steelyard.toolbox.runs_data import batch_data, listed_data, run_data
from steelyard.toolbox.runs_seen import BatchSeen, RunListed, RunSeen
from steelyard.toolbox.states import STATE_WORDS, State

runbook_app = typer.Typer(help="The team's procedures: plan them, do them, put them back.", no_args_is_help=True)
app.add_typer(runbook_app, name="runbook")

Chosen = Annotated[
    list[str] | None, typer.Option("--set", help="A parameter, as NAME=VALUE. Can be given several times.")
]
FromFile = Annotated[
    list[str] | None, typer.Option("--set-file", help="A parameter from a file, as NAME=PATH: for secrets.")
]
Why = Annotated[str, typer.Option("--why", help="The ticket, in your words: it stands in the record.")]
OfConversation = Annotated[int | None, typer.Option("--conversation", help="The conversation that it is for.")]

_ENDED: Final = frozenset(State) - {State.PLANNING, State.QUEUED, State.RUNNING, State.UNDOING}


@runbook_app.command("list")
def runbook_list(as_json: AsJson = False) -> None:
    """List all runbooks of this machine."""
    known = runbooks_of(config.load_anywhere())
    if as_json:
        _print({"runbooks": [runbook_data(each) for each in known.all.values()], "broken": dict(known.broken)})
        return
    table = Table("Name", "Risk", "By hand", "")
    for each in known.all.values():
        table.add_row(each.name, each.risk.value, f"{each.minutes} min", escape(clean(each.summary)))
    out.print(table)
    for folder, why in known.broken.items():
        out.print(f"[red]{escape(shown(folder))}[/red] is left out: {escape(clean(why))}", soft_wrap=True)


@runbook_app.command("show")
def runbook_show(name: str, as_json: AsJson = False) -> None:
    """Show what a runbook does, its parameters and its documentation."""
    known = runbooks_of(config.load_anywhere())
    runbook, text = known.of(name), known.text(name, "en")
    if as_json:
        _print(runbook_data(runbook) | {"text": text})
        return
    out.print(f"[bold]{escape(shown(runbook.title))}[/bold] ({runbook.risk.value}, {runbook.minutes} min by hand)")
    out.print(escape(clean(runbook.summary)))
    for each in runbook.parameters:
        choices = f" ({', '.join(choice.value for choice in each.choices)})" if each.choices else ""
        out.print(f"  --set {each.name}={escape(str(each.default))}  {escape(shown(each.label))}{escape(choices)}")
    if text:
        out.print()
        out.print(escape("\n".join(map(clean, text.splitlines()))))


@runbook_app.command("plan")
def runbook_plan(
    name: str, site: str, values: Chosen = None, files: FromFile = None, workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Show what a runbook would do to a site: every step, counts and sizes. Nothing is changed."""
    order = Order(name, [site], _values(values, files))
    seen = run_loop(_plan(order, workspace))
    if as_json:
        _print(run_data(seen))
    else:
        show_plan(out, seen)
    raise typer.Exit(0 if seen.state in (State.PLANNED, State.NOTHING, State.DONE) else status_of(seen))


async def _plan(order: Order, workspace: str | None) -> RunSeen:
    async with at_desk(config.load(), workspace) as desk:
        if desk.acts.runbooks.of(order.runbook).risk is Risk.READS:
            return await desk.follow(await desk.ask(order, look=True), lambda _: None)
        return await desk.follow(await desk.ask(order), lambda _: None)


@runbook_app.command("run")
def runbook_run(
    name: str,
    sites: Annotated[list[str], typer.Argument(help="One site, or several.")],
    values: Chosen = None,
    files: FromFile = None,
    why: Why = "",
    conversation: OfConversation = None,
    yes_destroy: Annotated[
        str, typer.Option("--yes-destroy", help="The site's name, or of several how many: confirms what destroys.")
    ] = "",
    most_failures: Annotated[
        int, typer.Option("--most-failures", min=1, help="Of several sites: failed ones after which no other begins.")
    ] = 1,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Do a runbook at a site, or at several: plan, do, prove; what fails is put back."""
    order = Order(name, sites, _values(values, files), why, conversation, yes_destroy, most_failures)
    if len(sites) > 1:
        _end_several(run_loop(_run_several(order, workspace, quiet=as_json)), as_json)
    _end(run_loop(_run(order, workspace, quiet=as_json)), as_json)


async def _run(order: Order, workspace: str | None, *, quiet: bool) -> RunSeen:
    async with at_desk(config.load(), workspace) as desk:
        with Following(out, quiet=quiet) as following:
            run = await desk.ask(order)
            planned = await desk.follow(run, following.see)
            if planned.state is not State.PLANNED:
                return planned
            if not quiet:
                show_plan(out, planned)
            typed = order.typed or _typed(planned, following)
            await desk.acts.confirm(desk.who, run, planned.plan_digest, typed, order.why)
            return await desk.follow(run, following.see)


def _typed(planned: RunSeen, following: Following) -> str:
    """What a person types to confirm what destroys; nothing where nobody can be asked."""
    if planned.risk is not Risk.DESTROYS or not sys.stdin.isatty():
        return ""
    following.pause()
    return typer.prompt(f"Type {shown(planned.site_name)} to do this to it", default="", show_default=False)


async def _run_several(order: Order, workspace: str | None, *, quiet: bool) -> BatchSeen:
    async with at_desk(config.load(), workspace) as desk:
        batch = await desk.ask_several(order)

        def see(seen: BatchSeen) -> None:
            if not quiet:
                ended = sum(each.state in _ENDED for each in seen.runs)
                out.print(f"Request {batch}: {ended} of {len(seen.runs)} sites")

        planned = await desk.follow_batch(batch, see, lambda run: run.state in _ENDED)
        if not any(each.state is State.PLANNED for each in planned.runs):
            return planned
        await desk.acts_batches.confirm(desk.who, batch, order.typed)
        return await desk.follow_batch(batch, see, _had_its_turn)


def _had_its_turn(run: RunListed) -> bool:
    """Whether a run of a confirmed request ended: what is planned waits for its turn, unless its site changed."""
    return run.state in _ENDED and (run.state is not State.PLANNED or run.reason is not None)


@runbook_app.command("undo")
def runbook_undo(run: int, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Put back what a run did, or what is left of one that stopped."""

    async def undo() -> RunSeen:
        async with at_desk(config.load(), workspace) as desk:
            with Following(out, quiet=as_json) as following:
                return await desk.follow(await desk.acts.undo(desk.who, RunId(run)), following.see)

    seen = run_loop(undo())
    _end(seen, as_json, good=(State.DONE, State.PUT_BACK, State.NOTHING))


@runbook_app.command("resume")
def runbook_resume(run: int, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Go on with a run that stopped in the middle."""

    async def resume() -> RunSeen:
        async with at_desk(config.load(), workspace) as desk:
            with Following(out, quiet=as_json) as following:
                await desk.acts.resume(desk.who, RunId(run))
                return await desk.follow(RunId(run), following.see)

    _end(run_loop(resume()), as_json)


@runbook_app.command("cancel")
def runbook_cancel(run: int, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Call a run off: after the step that it is at; what was begun is put back."""

    async def cancel() -> RunSeen:
        async with at_desk(config.load(), workspace) as desk:
            with Following(out, quiet=as_json) as following:
                await desk.acts_batches.cancel_run(desk.who, RunId(run))
                return await desk.follow(RunId(run), following.see)

    _end(run_loop(cancel()), as_json, good=(State.CANCELLED, State.PUT_BACK))


@runbook_app.command("approve")
def runbook_approve(run: int, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Let a run go on that somebody asked for in the console, and that waits for approval."""

    async def approve() -> RunSeen:
        async with at_desk(config.load(), workspace) as desk:
            with Following(out, quiet=as_json) as following:
                await desk.acts.approve(desk.who, RunId(run))
                return await desk.follow(RunId(run), following.see)

    _end(run_loop(approve()), as_json)


@runbook_app.command("log")
def runbook_log(
    run: Annotated[int | None, typer.Argument(help="Its number; without one, the last runs are listed.")] = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: its steps with their times, and what was said; or the last runs."""
    if run is None:
        _list_runs(workspace, as_json)
        return

    async def read() -> tuple[RunSeen, list[Any]]:
        async with at_desk(config.load(), workspace) as desk:
            return await desk.run(RunId(run)), list(await desk.lines(RunId(run)))

    seen, lines = run_loop(read())
    if as_json:
        _print(run_data(seen) | {"lines": [line._asdict() | {"at": line.at.isoformat()} for line in lines]})
        return
    show_run(out, seen)
    for line in lines:
        out.print(f"[dim]{line.at_ms / 1000:8.2f}[/dim] {escape(clean(line.said))}")


def _list_runs(workspace: str | None, as_json: bool) -> None:
    async def read() -> list[RunListed]:
        async with at_desk(config.load(), workspace) as desk:
            return await desk.last()

    known = run_loop(read())
    if as_json:
        _print({"runs": [listed_data(each) for each in known]})
        return
    table = Table("Run", "Asked", "Runbook", "Site", "", "Took")
    for each in known:
        took = "" if each.took_ms is None else f"{each.took_ms / 1000:.2f} s"
        site, asked = escape(shown(each.site_name)), f"{each.asked_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(str(each.run), asked, escape(each.runbook), site, STATE_WORDS[each.state], took)
    out.print(table)


def _end(seen: RunSeen, as_json: bool, good: tuple[State, ...] = (State.DONE, State.NOTHING)) -> None:
    """Says how it ended, and ends with its status."""
    if as_json:
        _print(run_data(seen))
    else:
        out.print(outcome(seen), soft_wrap=True)
    raise typer.Exit(0 if seen.state in good else status_of(seen))


def _end_several(seen: BatchSeen, as_json: bool) -> None:
    if as_json:
        _print(batch_data(seen))
    else:
        table = Table("Site", "Run", "", "Took")
        for each in seen.runs:
            took = "" if each.took_ms is None else f"{each.took_ms / 1000:.2f} s"
            table.add_row(escape(shown(each.site_name)), str(each.run), STATE_WORDS[each.state], took)
        out.print(table)
    if any(each.state in (State.STOPPED, State.WAITS) for each in seen.runs):
        raise typer.Exit(3)
    raise typer.Exit(0 if all(each.state in (State.DONE, State.NOTHING) for each in seen.runs) else 1)


def _values(chosen: list[str] | None, files: list[str] | None) -> Mapping[str, str]:
    """What was chosen for parameters. Raises typer.BadParameter and ConfigError."""
    found: dict[str, str] = {}
    for each in chosen or ():
        name, given, value = each.partition("=")
        if not given:
            raise typer.BadParameter(f"--set takes NAME=VALUE, and {shown(each)} is none")
        found[name] = value
    for each in files or ():
        name, given, path = each.partition("=")
        if not given:
            raise typer.BadParameter("--set-file takes NAME=PATH")
        try:
            found[name] = Path(path).read_text("utf-8").rstrip("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{shown(path)} cannot be read ({type(error).__name__})") from None
    return found


def _print(value: Any) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")
