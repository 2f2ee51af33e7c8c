"""Commands about hosts: adding them with their key pinned, what goes onto them, and the keys that sign in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from steelyard import config
from steelyard.cli.base import AsJson, InWorkspace, app, out
from steelyard.cli.found import print_checked
from steelyard.jobs.processes import run
from steelyard.kit.errors import ConfigError
from steelyard.operations import hosts
from steelyard.operations.checking import shown
from steelyard.operations.hosts import Revoked, Wanted
from steelyard.operations.pinning import Pin
from steelyard.toolbox.keys import SshKey, authority_of, fingerprint
from steelyard.toolbox.prepare import script
from steelyard.toolbox.registry_rows import HostRow
from steelyard.web.data import plain

host_app = typer.Typer(help="The machines that sites are on, and how workers sign in on them.", no_args_is_help=True)
app.add_typer(host_app, name="host")
key_app = typer.Typer(help="The keys with which workers sign in.", no_args_is_help=True)
host_app.add_typer(key_app, name="key")
secret_app = typer.Typer(help="What services of a host ask for, sealed for workers.", no_args_is_help=True)
host_app.add_typer(secret_app, name="secret")

Account = Annotated[str | None, typer.Option(help="The support account on it.")]
Port = Annotated[int | None, typer.Option(help="Where its SSH listens.")]
Via = Annotated[str | None, typer.Option(help="The host through which it is reached; empty for none.")]
KeyName = Annotated[str | None, typer.Option("--key", help="The key that signs in: see `steelyard host key list`.")]
HostKey = Annotated[str | None, typer.Option("--host-key", help="Its key, as in /etc/ssh/ssh_host_ed25519_key.pub.")]
Fingerprint = Annotated[str | None, typer.Option(help="The fingerprint of its key: it must show that one.")]
Hints = Annotated[str | None, typer.Option(help="What cannot be found out, as JSON: see docs/reference/hints.md.")]


@host_app.command("add")
def host_add(
    name: str,
    address: str,
    account: Account = None,
    port: Port = None,
    via: Via = None,
    key: KeyName = None,
    host_key: HostKey = None,
    fingerprint: Fingerprint = None,
    hints: Hints = None,
    local: Annotated[bool, typer.Option("--local", help="It is the machine of the workers: no SSH.")] = False,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Add a host. Its key is shown, to be compared with the one on it, and pinned: no other is ever accepted."""
    wanted = Wanted(address, port, account, via, key, hints, local)
    row = run(hosts.add(config.load(), workspace, name, wanted, _pin(host_key, fingerprint, as_json)))
    _say(row, as_json, f"{row.host.name} is added. What goes onto it: `steelyard host prepare {row.host.name}`")


@host_app.command("change")
def host_change(
    name: str,
    address: Annotated[str | None, typer.Option(help="Where it is reached.")] = None,
    account: Account = None,
    port: Port = None,
    via: Via = None,
    key: KeyName = None,
    hints: Hints = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given of a host. Its pinned key stays: `steelyard host rekey` changes that."""
    row = run(hosts.change(config.load(), workspace, name, Wanted(address, port, account, via, key, hints)))
    _say(row, as_json, f"{row.host.name} is changed.")


@host_app.command("rekey")
def host_rekey(
    name: str,
    host_key: HostKey = None,
    fingerprint: Fingerprint = None,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Pin another key of a host that was set up anew, on purpose."""
    row = run(hosts.rekey(config.load(), workspace, name, _pin(host_key, fingerprint, as_json)))
    _say(row, as_json, f"The key of {row.host.name} is pinned.")


@host_app.command("list")
def host_list(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """List the hosts, with the fingerprints of their pinned keys."""
    rows = run(hosts.listed(config.load(), workspace))
    if as_json:
        sys.stdout.write(json.dumps([_plain(each) for each in rows]) + "\n")
        return
    if not rows:
        out.print("No host is here yet: `steelyard host key make NAME`, then `steelyard host add NAME ADDRESS`.")
        return
    table = Table("Host", "Address", "Account", "Key", "Through", "Sites", "Its fingerprint")
    for each in rows:
        at = "this machine" if each.local else f"{each.host.address}:{each.host.port}"
        cells = (each.host.name, at, each.host.account, each.key_name, each.via_name, str(each.sites), _print(each))
        table.add_row(*(escape(shown(cell)) for cell in cells))
    out.print(table)


@host_app.command("remove")
def host_remove(name: str, workspace: InWorkspace = None) -> None:
    """Take a host out of the registry, once no site is on it."""
    run(hosts.remove(config.load(), workspace, name))
    out.print(escape(f"{name} is removed. What ran on its sites stays on record."))


@host_app.command("prepare")
def host_prepare(
    name: str,
    php: Annotated[
        list[str] | None, typer.Option(help="A version of PHP on it; else those that a check found.")
    ] = None,
    source: Annotated[str, typer.Option("--from", help="Addresses from which alone workers may come.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Look what of it is missing there, and change nothing.")
    ] = False,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Print exactly what goes onto a host, as a script for root: the account, its key, and the least sudo rules."""
    settings = config.load()
    if check:
        raise typer.Exit(print_checked([run(hosts.check(settings, workspace, name))], as_json))
    row, what = run(hosts.prepare(settings, workspace, name, php or [], source))
    sys.stdout.write(json.dumps(plain(what)) + "\n" if as_json else script(row.host, what))


@host_app.command("revoke")
def host_revoke(
    all_keys: Annotated[bool, typer.Option("--all", help="Every key: nothing reaches any host any more.")] = False,
    key: Annotated[list[str] | None, typer.Option("--key", help="Only this one. Can be given several times.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Also take it out of authorized_keys on the hosts.")] = False,
    workspace: InWorkspace = None,
    as_json: AsJson = False,
) -> None:
    """Erase the private halves of keys for good. Says for each host which line of authorized_keys can go."""
    if bool(key) == all_keys:
        raise ConfigError("say which keys: `steelyard host revoke --all`, or `--key NAME`, several times perhaps")
    _say_revoked(run(hosts.revoke(config.load(), workspace, None if all_keys else key, remove=remove)), as_json)


# Keys


@key_app.command("make")
def key_make(name: str, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Make an Ed25519 key. Its private half is sealed for workers and never printed."""
    made = run(hosts.make_key(config.load(), workspace, name))
    sys.stdout.write((json.dumps(plain(made)) if as_json else made.public) + "\n")


@key_app.command("list")
def key_list(workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """List the keys with their public halves, certificates, and how many hosts they open."""
    keys = run(hosts.keys(config.load(), workspace))
    if as_json:
        sys.stdout.write(json.dumps([plain(each) for each in keys]) + "\n")
        return
    for each in keys:
        out.print(f"[bold]{escape(each.name)}[/bold]  {_state(each)}  {fingerprint(each.public)}")
        sys.stdout.write(f"{each.public}\n")
    if not keys:
        out.print("There is no key yet: `steelyard host key make NAME`.")


@key_app.command("certify")
def key_certify(name: str, file: Path, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Give a key the certificate that your authority made for its public half (`ssh-keygen -s CA -I ID -n ACCOUNT`)."""
    said = run(hosts.certify(config.load(), workspace, name, _text_of(file)))
    if as_json:
        sys.stdout.write(json.dumps(plain(said)) + "\n")
        return
    until = f"until {said.until:%Y-%m-%d %H:%M} UTC" if said.until is not None else "without an end"
    opens = ", ".join(map(shown, said.principals)) or "every account that trusts its authority"
    out.print(escape(f"{name} is certified {until}, for {opens}."))


@key_app.command("revoke")
def key_revoke(name: str, workspace: InWorkspace = None, as_json: AsJson = False) -> None:
    """Erase the private half of one key for good: the same as `steelyard host revoke --key`."""
    _say_revoked(run(hosts.revoke(config.load(), workspace, [name], remove=False)), as_json)


# Secrets


@secret_app.command("set")
def secret_set(
    host: str,
    name: str,
    file: Annotated[Path | None, typer.Option(help="A file with it. Asked for without.")] = None,
    workspace: InWorkspace = None,
) -> None:
    """Keep what a service of a host asks for, such as redis_password."""
    if file is None and not sys.stdin.isatty():
        raise ConfigError("there is no terminal to ask on: give --file")
    value = _text_of(file).strip() if file is not None else typer.prompt(name, hide_input=True, err=True)
    run(hosts.keep_secret(config.load(), workspace, host, name, value))
    out.print(escape(f"{name} of {host} is kept, sealed for workers."))


@secret_app.command("remove")
def secret_remove(host: str, name: str, workspace: InWorkspace = None) -> None:
    """Erase what a service of a host asks for."""
    run(hosts.drop_secret(config.load(), workspace, host, name))
    out.print(escape(f"{name} of {host} is erased."))


# What is said


def _pin(line: str | None, fingerprint: str | None, as_json: bool) -> Pin:
    return Pin(line or "", fingerprint or "", None if as_json or not sys.stdin.isatty() else _compared)


def _compared(kind: str, fingerprint: str) -> bool:
    out.print(f"It shows a key of the kind {kind} with the fingerprint\n\n    [bold]{fingerprint}[/bold]\n")
    out.print("On the host, this says the same: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    return typer.confirm("Are they the same?", err=True)


def _say(row: HostRow, as_json: bool, words: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps(_plain(row)) + "\n")
        return
    out.print(escape(words))


def _say_revoked(revoked: Revoked, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(plain(revoked)) + "\n")
        return
    names = ", ".join(each.name for each in revoked.keys)
    out.print(escape(f"Revoked and erased: {names}." if names else "There was no key to revoke."))
    for each in revoked.left:
        if each.removed:
            out.print(escape(f"{each.host}: taken out of authorized_keys of {each.account}."))
        else:
            why = f" ({each.why})" if each.why else ""
            out.print(escape(f"{each.host}: remove this line from ~{each.account}/.ssh/authorized_keys{why}:"))
            sys.stdout.write(f"    {each.line}\n")


def _plain(row: HostRow) -> dict[str, Any]:
    host = row.host
    about = {"id": host.id, "name": host.name, "address": host.address, "port": host.port, "account": host.account}
    rest = {
        "fingerprint": _print(row),
        "via": row.via_name,
        "key": row.key_name,
        "local": row.local,
        "sites": row.sites,
    }
    return about | rest | {"hints": dict(row.hints), "checked_at": plain(row.checked_at)}


def _print(row: HostRow) -> str:
    return fingerprint(row.host_key) if row.host_key else ""


def _state(key: SshKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    opens = f"opens {key.hosts} hosts"
    if not key.certificate:
        return opens
    said = authority_of(key.certificate)
    until = f"{said.until:%Y-%m-%d %H:%M} UTC" if said is not None and said.until is not None else "without an end"
    return f"{opens}, certified until {until}"


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read ({type(error).__name__}): name a file of text") from None
