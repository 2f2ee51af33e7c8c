"""What goes onto a host: real visudo takes it, real sudo allows exactly that, and runbooks need no more as root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox import catalog
from steelyard.toolbox.fields import Unfit, account
from steelyard.toolbox.model import Action, By, Host, HostId, Site, SiteId, decode
from steelyard.toolbox.prepare import (
    Key,
    authorized_line,
    is_covered,
    may_be_done,
    prepared,
    reload_fpm,
    root_commands,
    script,
    sudoers,
)
from steelyard.toolbox.tools import php

HOST = Host(HostId(1), "web1", "web1.example", 22, "support")
KEY = Key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxAo6TdHcXwNDn3u2vJ5ZqGf3M7yLhRr1vB0bN8m0Qd comment", "main")

needs_visudo = pytest.mark.skipif(shutil.which("visudo") is None, reason="visudo is not here: apt-get install sudo")


def site(user: str, number: int = 1) -> Site:
    return Site(SiteId(number), f"{user}.example", f"https://{user}.example", f"/srv/{user}", user, HOST)


def visudo(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "steelyard"
    file.write_text(text)
    file.chmod(0o440)
    return subprocess.run(["visudo", "-cf", file], capture_output=True, text=True, check=False)


@needs_visudo
def test_visudo_takes_what_is_printed(tmp_path: Path) -> None:
    text = sudoers(HOST, [site("shop"), site("blog", 2), site("support", 3)], ["8.1", "8.2"])
    checked = visudo(text, tmp_path)
    assert checked.returncode == 0, checked.stderr + text
    assert "Runas_Alias STEELYARD_SITES = blog, shop\n" in text  # not the support account itself
    assert "ALL=(root) NOPASSWD: ALL" not in text


@needs_visudo
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=33))
def test_no_name_of_an_account_says_more_in_sudoers(name: str) -> None:
    """Every name that is taken is one name there: never an alias, a list, or another line."""
    try:
        user = account(name)
    except Unfit:
        return
    assert user != "root"
    text = sudoers(HOST, [site(user)], [])
    assert [line for line in text.splitlines() if line and not line.startswith("#")] == (
        []
        if user == "support"
        else [f"Runas_Alias STEELYARD_SITES = {user}", "support ALL=(STEELYARD_SITES) NOPASSWD: ALL"]
    )


@needs_visudo
@pytest.mark.parametrize("name", ["a", "u1234_x", "web-shop.example", "_x", "0day", "Shop", "aLL"])
def test_odd_names_are_fine_with_visudo(name: str, tmp_path: Path) -> None:
    assert visudo(sudoers(HOST, [site(account(name))], []), tmp_path).returncode == 0


@pytest.mark.parametrize(
    "name", ["root", "ALL", "WEB", "0", "1000", "a,b", "a b", "a=b", "#0", "%wheel", "+net", "!a", "", "a\nb"]
)
def test_names_that_sudoers_would_read_otherwise_are_refused(name: str) -> None:
    with pytest.raises(Unfit):
        account(name)


def test_the_key_opens_commands_alone() -> None:
    assert authorized_line(KEY, "support") == f"restrict {' '.join(KEY.public.split()[:2])} steelyard-main"
    jumps = authorized_line(KEY, "support", ["10.0.0.2:22"], "192.0.2.0/24")
    assert jumps.startswith('restrict,from="192.0.2.0/24",port-forwarding,permitopen="10.0.0.2:22" ssh-ed25519 ')
    assert authorized_line(KEY._replace(authority=True), "support").startswith(
        'restrict,cert-authority,principals="support" '
    )


def test_nothing_as_root_without_php_and_nothing_at_all_without_sites() -> None:
    assert "root" not in sudoers(HOST, [site("shop")], [])
    assert sudoers(HOST, [], []) == ""
    assert sudoers(HOST, [site("support")], []) == ""  # the sites are the account's own


def test_root_does_only_what_is_listed() -> None:
    reload = {"argv": ["/usr/bin/systemctl", "reload", "php8.2-fpm"]}
    assert is_covered(Action("run", reload, By.ROOT))
    assert not is_covered(Action("files.write", reload, By.ROOT))
    assert not is_covered(Action("run", {"argv": ["systemctl", "reload", "php8.2-fpm"]}, By.ROOT))
    assert not is_covered(Action("run", {"argv": ["/bin/sh"]}, By.ROOT))
    assert is_covered(Action("run", {"argv": ["/bin/sh"]}, By.SITE))


@given(st.sampled_from(["8.2", "8.3"]), st.data())
def test_no_listed_command_takes_a_shell_or_a_pattern(version: str, data: st.DataObject) -> None:
    argv = data.draw(st.sampled_from(root_commands([version])))
    assert argv[0].startswith("/usr/")
    assert not any(sign in word for word in argv for sign in "*?[]!|;&$`")


def actions_in(value: Any) -> Iterator[Action]:
    if isinstance(value, Action):
        yield value
        yield from actions_in(value.args)
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, Any]", value).values():
            yield from actions_in(each)
    elif isinstance(value, list | tuple):
        for each in cast("list[Any]", value):
            yield from actions_in(each)


def test_every_case_of_every_runbook_needs_no_more_as_root() -> None:
    """What a new runbook does as root has to be listed in prepare.py, or sudo refuses it on the host."""
    cases = sorted(Path(catalog.__path__[0]).glob("*/cases/*.json"))
    loose = [
        f"{case.parents[1].name}/{case.name}: {action.args.get('argv', action.verb)}"
        for case in cases
        for action in actions_in(decode(json.loads(case.read_text("utf-8")).get("plan", {})))
        if not is_covered(action)
    ]
    assert loose == []


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("sudo") is None, reason="needs root and sudo")
def test_a_real_host_takes_the_script_and_sudo_allows_exactly_that(tmp_path: Path) -> None:
    """The script is run in a copy of /etc that sudo and useradd see alone, in a namespace of mounts."""
    what = prepared(HOST, [site("nobody")], KEY, ["8.2"])
    (tmp_path / "script").write_text(script(HOST, what))
    asked = """
        set -e
        mount -t tmpfs none {here}/space; mkdir {here}/space/u {here}/space/w {here}/space/hu {here}/space/hw
        mount -t overlay overlay -o lowerdir=/etc,upperdir={here}/space/u,workdir={here}/space/w /etc
        mount -t overlay overlay -o lowerdir=/home,upperdir={here}/space/hu,workdir={here}/space/hw /home
        sh {here}/script; sh {here}/script
        cat ~support/.ssh/authorized_keys | wc -l
        as() {{ setpriv --reuid support --regid support --clear-groups "$@" >/dev/null 2>&1 && echo yes || echo no; }}
        as sudo -n -u nobody /bin/sh -c true
        as sudo -n -l /usr/bin/apt-get install -y --no-install-recommends php8.2-redis
        as sudo -n -l /usr/bin/apt-get install -y --no-install-recommends php8.2-redis bash
        as sudo -n -l /usr/bin/apt-get install -y --no-install-recommends openssh-server
        as sudo -n -l /bin/sh
        as sudo -n -u daemon /bin/sh -c true
    """
    (tmp_path / "space").mkdir()
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", asked.format(here=tmp_path)], capture_output=True, text=True, check=False
    )
    if "mount:" in ran.stderr or "unshare:" in ran.stderr:
        pytest.skip(f"this machine gives no namespace of mounts: {ran.stderr.strip()[:120]}")
    assert ran.stdout.split() == ["1", "yes", "yes", "no", "no", "no", "no"], ran.stderr


SHOP = site("shop")


def test_a_run_has_root_do_what_is_covered_or_hinted_and_nothing_else() -> None:
    own = {"argv": ["/usr/local/sbin/reload"], "by": "root"}
    at = replace(SHOP, hints={"fpm_reload": own})
    for argv, may in (
        (["/usr/bin/systemctl", "reload", "php8.2-fpm"], True),
        (["/usr/local/sbin/reload"], True),
        (["/usr/local/sbin/reload", "x"], False),
        (["/usr/bin/apt-get", "install", "-y", "--no-install-recommends", "/srv/shop/evil.deb"], False),
    ):
        assert may_be_done(Action("run", {"argv": argv}, By.ROOT), at) is may
    assert not may_be_done(Action("files.write", {"path": "/etc/x", "data": ""}, By.ROOT), at)
    assert may_be_done(Action("run", {"argv": ["/bin/sh"]}), at)


@pytest.mark.parametrize("by", ["site", "support", "root"])
def test_what_a_site_s_account_tells_of_php_names_no_command(by: str) -> None:
    told = {"argv": ["/bin/sh", "-c", "id > /tmp/owned"], "by": by}
    fpm = {"unit": "php8.2-fpm", "version": "8.2", "socket": "/run/x", "reload": told, "check": told}
    facts = {"php": {"fpm": fpm}}
    assert php.reload(SHOP, facts) == Action("run", {"argv": list(reload_fpm("8.2"))}, By.ROOT, 30.0)
    assert php.check(SHOP, facts) == Action("run", {"argv": ["/usr/sbin/php-fpm8.2", "-t"]}, By.ROOT, 30.0)
    assert php.reload(SHOP, {"php": {"fpm": fpm | {"unit": "ssh"}}}) is None
    hinted = replace(SHOP, hints={"fpm_reload": {"argv": ["/opt/reload"], "by": "support"}})
    assert php.reload(hinted, facts) == Action("run", {"argv": ["/opt/reload"]}, By.SUPPORT, 30.0)
