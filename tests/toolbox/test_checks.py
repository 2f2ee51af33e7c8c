"""What is missing is judged: each finding of a host and a site, and what sudo really allows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from steelyard.toolbox.checks import Asked, findings_in, judge_host, judge_site, judge_sudo, stored, unreached, worst
from steelyard.toolbox.hosted.check import sudo
from steelyard.toolbox.hosted.here import Here
from steelyard.toolbox.hosted.keys import remove
from steelyard.toolbox.model import Host, HostId, Site, SiteId
from steelyard.toolbox.prepare import Key, prepared
from steelyard.web.said import term

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOST = Host(HostId(1), "web1", "web1.example", 22, "support")
SITE = Site(SiteId(1), "shop.example", "https://shop.example", "/srv/shop", "shop", HOST)
LINE = prepared(HOST, [SITE], Key("ssh-ed25519 AAAA x", "main"), ["8.2"])
ASKED = Asked("web1", "support", "main", None, LINE)
WELL: dict[str, Any] = {
    "python": "3.11.2", "time": NOW.timestamp(), "free": 50 << 30, "authorized": [LINE.authorized_keys], "php": [],
}  # fmt: skip
AT = {"kind": "folder", "owner": "shop"}
SITE_WELL: dict[str, Any] = {
    "docroot": {"/srv/shop": AT}, "disk": {"free": 50 << 30, "total": 1},
    "wordpress": {"version": "7.1.1", "prefix": "wp_", "database": {"name": "shop"}, "problems": []},
    "php": {"version": "8.2", "fpm": {"pool": "shop", "version": "8.2"}},
}  # fmt: skip


def states(findings: Any) -> dict[str, str]:
    return {each.name: each.state for each in findings}


@pytest.mark.parametrize(
    ("change", "name", "state"),
    [
        ({}, "", ""),
        ({"python": ""}, "python", "odd"),
        ({"python": "3.6.9"}, "python", "odd"),
        ({"time": NOW.timestamp() + 60}, "clock", "odd"),
        ({"free": 1 << 30}, "disk", "odd"),
        ({"authorized": ["ssh-ed25519 AAAA x"]}, "key", "odd"),
    ],
)
def test_a_host(change: dict[str, Any], name: str, state: str) -> None:
    found = judge_host(ASKED, WELL | change, 0.2, NOW)
    wrong = {each.name: each.state for each in found if each.state != "ok"}
    assert wrong == ({name: state} if name else {})
    assert all(each.mend is not None for each in found if each.state != "ok")
    assert findings_in(stored(found)) == tuple(found)


@pytest.mark.parametrize(("hours", "state"), [(-1, "missing"), (0, "missing"), (1, "odd"), (72, "ok")])
def test_a_certificate(hours: int, state: str) -> None:
    asked = ASKED._replace(certified_until=NOW + timedelta(hours=hours))
    assert states(judge_host(asked, WELL, 0.2, NOW))["certificate"] == state


@pytest.mark.parametrize(
    ("change", "name", "state"),
    [
        ({}, "", ""),
        ({"docroot": {"/srv/shop": None}}, "docroot", "missing"),
        ({"docroot": "denied"}, "docroot", "missing"),
        ({"docroot": {"/srv/shop": AT | {"owner": "root"}}}, "docroot", "odd"),
        ({"wordpress": {"missing": "config"}}, "wordpress", "odd"),
        ({"wordpress": "denied"}, "wordpress", "missing"),
        ({"wordpress": SITE_WELL["wordpress"] | {"problems": ["database"]}}, "database", "missing"),
        ({"wordpress": SITE_WELL["wordpress"] | {"problems": ["no_tables"]}}, "database", "missing"),
        ({"php": "no php"}, "php", "missing"),
        ({"php": {"version": "8.2", "fpm": None}}, "php", "odd"),
        ({"php": {"version": "8.2", "fpm": {"pool": "shop", "version": "8.1"}}}, "php", "odd"),
        ({"disk": {"free": 1, "total": 1}}, "disk", "odd"),
    ],
)
def test_a_site(change: dict[str, Any], name: str, state: str) -> None:
    found = judge_site(SITE, SITE_WELL | change)
    assert {each.name: each.state for each in found if each.state != "ok"} == ({name: state} if name else {})
    assert worst(found) == (state or "ok")


def test_what_sudo_refuses_is_named() -> None:
    tries = [("shop", ("/bin/sh",)), ("root", ("/usr/sbin/php-fpm8.2", "-t"))]
    (fine,) = judge_sudo(ASKED, tries, {"there": True, "allowed": [True, True], "all": False})
    assert fine.state == "ok"
    missing, more = judge_sudo(ASKED, tries, {"there": True, "allowed": [True, False], "all": True})
    assert "sudo -u root /usr/sbin/php-fpm8.2 -t" in term(missing.says, str)
    assert (missing.state, missing.command, more.state) == ("missing", "steelyard host prepare web1", "odd")
    (absent,) = judge_sudo(ASKED, tries, {"there": False, "allowed": [False, False], "all": False})
    assert absent.state == "missing"


@pytest.mark.parametrize("code", ["unreachable", "host_key", "refused", "revoked", "no_sudo", "odd"])
def test_a_host_that_is_not_reached_says_what_to_do(code: str) -> None:
    found = unreached("web1", code, "It did not work")
    assert found.mend is not None
    assert "web1" in term(found.says, str)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("sudo") is None, reason="needs root and sudo")
def test_sudo_is_asked_and_nothing_is_done(here: Callable[..., Here], tmp_path: Any) -> None:
    touched = tmp_path / "touched"
    tries = [
        {"user": "nobody", "argv": ["/usr/bin/touch", str(touched)]},
        {"user": "no-such-user", "argv": ["/bin/sh"]},
    ]
    assert sudo(here(), {"tries": tries}) == {"there": True, "allowed": [True, False], "all": True}
    assert not touched.exists()


def test_a_key_is_taken_out_and_all_else_stays(here: Callable[..., Here], tmp_path: Any) -> None:
    there = here()
    assert remove(there, {"keys": ["AAAAgone"]}) == {"removed": 0}
    file = tmp_path / ".ssh/authorized_keys"
    file.parent.mkdir()
    file.write_bytes(b"# \xff\nrestrict ssh-ed25519 AAAAgone a\nssh-ed25519 AAAAstays b\nssh-ed25519 AAAAgone")
    file.chmod(0o600)
    assert remove(there, {"keys": ["AAAAgone"]}) == {"removed": 2}
    assert file.read_bytes() == b"# \xff\nssh-ed25519 AAAAstays b\n"
    assert file.stat().st_mode & 0o777 == 0o600
