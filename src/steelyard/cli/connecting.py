"""Commands that connect a workspace."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.columns import Columns
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from steelyard import config
from steelyard.adapters.intercom.regions import REGIONS
from steelyard.cli.base import AsJson, app, out
from steelyard.config import Settings
from steelyard.jobs.processes import run
from steelyard.kit.errors import ConfigError
from steelyard.main import logs
from steelyard.operations import connecting
from steelyard.operations.checking import PERMISSIONS, Asked, shown
from steelyard.operations.connecting import Connected, topics
from steelyard.operations.people import console_of
from steelyard.routing.switch import assigns_itself, way_of

connect_app = typer.Typer(help="Connect a workspace to this cell.", no_args_is_help=True)
app.add_typer(connect_app, name="connect")

said = Console(stderr=True, highlight=False)


@connect_app.callback()
def connect() -> None:
    """Connect a workspace to this cell."""


@connect_app.command("intercom")
def connect_intercom(
    region: Annotated[str | None, typer.Option(help="Where the workspace is: us, eu or au. Asked for without.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="A file with the access token. Asked for without.")] = None,
    secret_file: Annotated[Path | None, typer.Option(help="A file with the client secret. Asked for without.")] = None,
    workspace: Annotated[
        str | None, typer.Option(help="The known workspace to renew: a token of another one is refused.")
    ] = None,
    new_keys: Annotated[
        bool, typer.Option("--new-keys", help="Go on with a fresh key where a key file is lost for good.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Connect an Intercom workspace, in the shadow, or renew the token and secret of one that is connected.

    It can be cut off and run again at any time.
    """
    settings = config.load()
    logs.log_as("warning", sys.stderr.isatty())
    asked = Asked(
        region=_region(region),
        token=_secret("Access token", "--token-file", token_file),
        client_secret=_secret("Client secret", "--secret-file", secret_file),
        workspace=workspace,
    )
    with _told_how_to_go_on(), _bars(as_json) as progress:
        connected = run(connecting.connect(settings, asked, new_keys, progress))
    if as_json:
        sys.stdout.write(json.dumps(_plain(connected)) + "\n")
    else:
        _print(settings, connected)


# What is asked for


def _region(given: str | None) -> str:
    if given is None:
        given = _ask("The workspace's region (us, eu, au)", "--region", hidden=False)
    region = given.strip().lower()
    if region not in REGIONS:
        raise ConfigError(f"{shown(given)} is no region of Intercom's: it is one of {', '.join(REGIONS)}")
    return region


def _secret(what: str, option: str, file: Path | None) -> str:
    if file is None:
        return _ask(what, option, hidden=True).strip()
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__}): name a file that holds one line") from None


def _ask(what: str, option: str, *, hidden: bool) -> str:
    if not sys.stdin.isatty():
        raise ConfigError(f"there is no terminal to ask on: give {option}")
    return typer.prompt(what, hide_input=hidden, err=True)


# How far it is


@contextmanager
def _bars(quiet: bool) -> Generator[connecting.Progress]:
    """A bar for each thing that is counted, on standard error."""
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=said, disable=quiet) as bars:
        known: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int | None) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, total=total)

        yield progress


@contextmanager
def _told_how_to_go_on() -> Generator[None]:
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError):
        said.print("Stopped. Nothing is assigned by this; run the command again, and it goes on from here.")
        raise


# What came of it


def _plain(connected: Connected) -> dict[str, Any]:
    known = connected.overview
    return {
        "workspace": connected.workspace,
        "name": connected.name,
        "region": connected.region,
        "new": connected.new,
        "attributes_there_before": sorted(connected.attributes),
        "teammates": known.teammates,
        "teammates_with_inbox": known.with_inbox,
        "open_conversations": known.open,
        "unassigned_conversations": known.unassigned,
        "weight": known.weight,
        "teams": [each._asdict() for each in known.teams],
        "webhook": connected.webhook,
        "canvas": list(connected.canvas),
        "topics": topics(),
        "permissions": PERMISSIONS,
    }


def _print(settings: Settings, connected: Connected) -> None:
    known, name = connected.overview, shown(connected.name)
    _line(f"{name} is connected as {connected.workspace}, region {connected.region}.")
    _line(f"  {known.teammates} teammates, {known.with_inbox} of them with an inbox, in {len(known.teams)} teams")
    _line(
        f"  {known.open} open conversations, {known.unassigned} of them unassigned; they weigh {known.weight} together"
    )
    if connected.new:
        _line(
            "\nIt is in the shadow: Steelyard decides and compares with what happens in Intercom, and writes nothing"
            " there until you switch a team on."
        )
        _print_attributes(connected)
    else:
        _line("\nIts token and client secret are renewed; which teams are on, and its policy, are as they were.")
    _print_balanced(connected)
    _print_webhook(settings, connected)
    if connected.link:
        _line("\nNext: open this link within the hour. It makes you the workspace's administrator, who invites others.")
        _line(f"  {connected.link}")
        _line("`steelyard link` makes another one. When the desk convinces you: `steelyard switch on`, team by team.")
    else:
        _line(f"\nNext: look at the desk, {console_of(settings)}/desk. When it convinces you: `steelyard switch on`.")


def _print_attributes(connected: Connected) -> None:
    if connected.attributes:
        _line(
            f"  The conversation attributes {', '.join(sorted(connected.attributes))} were there already: where a team"
            " is on, Steelyard overwrites them."
        )


def _print_balanced(connected: Connected) -> None:
    for team in connected.overview.teams:
        if assigns_itself(team.distribution):
            way = shown(way_of(team.distribution))
            _line(
                f"\nCareful: Intercom itself assigns in the team {shown(team.name)} ({way})."
                " Before you switch it on, set its assignment method to manual in Intercom's team settings, or both"
                " will assign."
            )


def _print_webhook(settings: Settings, connected: Connected) -> None:
    _line("\nIn Intercom's Developer Hub, in the app's Webhooks, enter this address:")
    _line(f"  {connected.webhook}")
    if settings.public_url is None:
        _line(
            "  That is its path. Intercom must reach it by https: put a proxy with a certificate in front of"
            f" {settings.host}:{settings.port} and set STEELYARD_PUBLIC_URL to its address."
        )
    _line("and tick these topics:")
    for kind, names in topics().items():
        _line(f"\n  {kind}")
        out.print(Columns([f"    {each}" for each in names], column_first=True))
    _line(f"\nThe app needs these permissions: {', '.join(PERMISSIONS)}.")
    _line("\nIf you like, Intercom's inbox shows topic, weight and why this engineer beside each conversation. In the")
    _line("app's Canvas Kit, for the inbox, enter as the addresses of initialize and submit:")
    for address in connected.canvas:
        _line(f"  {address}")


def _line(text: str) -> None:
    """Prints it as it is: what Intercom calls things is no markup, and an address is not to be broken."""
    out.print(text, markup=False, soft_wrap=True)
