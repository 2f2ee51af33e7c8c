"""A diagnosis: thresholds by themselves, and a real site that is well and one that is not."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toolbox.carrying import Carrying, asked_for, hints_of

from ending import ended_here
from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.diagnose_site.runbook import RUNBOOK
from steelyard.toolbox.diagnosis import LABELS, SENTENCES, told
from steelyard.toolbox.hosted import judging
from steelyard.toolbox.hosted.here import Failed
from steelyard.toolbox.model import Token
from steelyard.toolbox.tools import diagnose

NOW = 1_800_000_000


@pytest.fixture
def carrying(hosting: Hosting) -> Iterator[Carrying]:
    carrying = Carrying(hosting, token=secrets.token_hex(4))
    yield carrying
    carrying.stop()


def diagnosed(carrying: Carrying, site: Site, **hints: Any) -> dict[str, Any]:
    """The last report's lines by what they say of."""
    plan = carrying.plan(RUNBOOK, asked_for(site, hints_of(site.hosting) | hints, {}))
    assert not any(step.touches for step in plan.steps)
    reports = [carrying.do(action)["report"] for step in plan.steps for action in step.actions]
    sizes = [len(each["diagnosis"]) for each in reports]
    assert sizes == sorted(sizes), "a report is all that was found so far"
    lines = reports[-1]["diagnosis"]
    for line in told(reports[-1]):
        assert line.says.message % line.says.values
    assert len(told(reports[-1])) == len(lines), "each code has its sentence"
    return {each["what"] if each["what"] != "log" else each["value"].get("path", "log"): each for each in lines}


def test_a_site_that_is_well(carrying: Carrying, wordpress: Site) -> None:
    found = diagnosed(carrying, wordpress)
    assert found["wordpress"]["value"]["version"] == "7.1.1"
    assert found["database"]["state"] == found["autoload"]["state"] == found["answers"]["state"] == "good"
    assert found["php"]["value"]["version"] == "8.2"
    assert found["object_cache"]["says"] == "no_object_cache"
    assert found["page_cache"]["says"] == "no_page_cache"
    assert found["tls"]["says"] == "no_tls"
    assert found["dns"]["says"] == "dns_nothing"
    assert found["size"]["value"]["count"] > 3000
    assert found["answers"]["value"]["status"] == 200
    assert not [each for each in found.values() if each["what"] == "log" and each["state"] == "bad"]


def test_a_site_that_is_not(carrying: Carrying, wordpress: Site) -> None:
    prefix, owner = wordpress.prefix, wordpress.hosting.owner
    hostile = "PHP Fatal error: \x1b[31m<script>alert(1)</script>" + "x" * 100_000
    log = wordpress.content / "debug.log"
    owner.write(log, "fine\n" * 1000 + hostile + "\n")
    with log.open("r+b") as file:  # gigabytes of which only the end is read
        file.seek(3_000_000_000)
        file.write(b"\nPHP Warning: odd\n" + hostile.encode() + b"\n")
    owner.write(
        wordpress.content / "object-cache.php",
        "<?php // Redis Object Cache\nrequire_once ABSPATH . 'wp-includes/cache.php';",
    )
    owner.write(wordpress.content / "open.txt", "", 0o666)
    cron = f'a:1:{{i:{1_600_000_000};a:1:{{s:4:"hook";a:0:{{}}}}}}'
    wordpress.sql(
        f"UPDATE {prefix}options SET option_value = '{cron}' WHERE option_name = 'cron';"
        f" INSERT INTO {prefix}options (option_name, option_value, autoload)"
        " VALUES ('big', REPEAT('x', 4000000), 'yes');"
        f" UPDATE {prefix}options SET option_value = 'a:1:{{i:0;s:19:\"akismet/akismet.php\";}}'"
        " WHERE option_name = 'active_plugins'"
    )
    found = diagnosed(carrying, wordpress)
    fatal = found[str(log)]
    assert (fatal["state"], fatal["value"]["count"]) == ("bad", 1)
    assert len(fatal["value"]["last"]) <= 300
    assert found["cron"]["state"] == found["autoload"]["state"] == found["permissions"]["state"] == "bad"
    assert found["object_cache"]["state"] == "good"
    assert found["plugins"]["value"]["names"].startswith("akismet ")


def test_a_site_whose_parts_are_gone_is_still_diagnosed(carrying: Carrying, wordpress: Site) -> None:
    text = wordpress.config.read_text().replace("DB_PASSWORD', '", "DB_PASSWORD', 'not")
    wordpress.hosting.owner.write(wordpress.config, text)
    found = diagnosed(carrying, wordpress)
    assert found["database"]["says"] == "no_database"
    assert found["answers"]["says"] == "answers_error"
    wordpress.hosting.owner.run(["rm", "-r", str(wordpress.docroot / "wp-load.php")])
    carrying.token = Token(secrets.token_hex(4))
    assert diagnosed(carrying, wordpress)["wordpress"]["says"] == "no_wordpress"


@pytest.mark.parametrize(
    ("finding", "state", "says"),
    [
        (judging.php("7.3", "7.3", "2026-11-22"), "bad", "php_ended"),
        (judging.php("8.1", "", "2026-11-22"), "look", "php_ended"),
        (judging.php("8.2", "8.2", "2026-12-31"), "good", "php"),
        (judging.php("8.2", "8.2", "2027-01-01"), "look", "php_ended"),
        (judging.php("8.3", "8.4", "2026-11-22"), "look", "php_differs"),
        (judging.database("5.7.44"), "look", "database_old"),
        (judging.database("10.11.19-MariaDB"), "good", "database"),
        (judging.database("10.3.39-MariaDB"), "look", "database_old"),
        (judging.cron([NOW - 3601], NOW, False), "look", "cron_late"),
        (judging.cron([NOW - 90_000], NOW, True), "bad", "cron_late_disabled"),
        (judging.cron([NOW - 600, NOW + 60], NOW, False), "good", "cron"),
        (judging.autoloaded(800_000), "good", "autoload"),
        (judging.autoloaded(800_001), "look", "autoload_large"),
        (judging.log("/l", 1, 8 * 86_400, ["Fatal error"], 0), "good", "log_old"),
        (judging.log("/l", 1, 0, [], 1), "look", "log_errors"),
        (judging.disk(10, 100), "good", "disk"),
        (judging.disk(9, 100), "look", "disk_full"),
        (judging.disk(4, 100), "bad", "disk_full"),
        (judging.answers([200, 503, 200], [0.1] * 3), "bad", "answers_error"),
        (judging.answers([200] * 3, [5.0, 0.6, 0.1]), "good", "answers"),
        (judging.answers([200], [0.7]), "look", "answers_slowly"),
        (judging.page_cache({"x-cache": "HIT"}), "good", "page_cache"),
        (judging.page_cache({"age": "12"}), "good", "page_cache"),
        (judging.page_cache({"x-cache-status": "BYPASS"}), "look", "page_cache_missed"),
        (judging.names("a", ["192.0.2.1"], ["192.0.2.1", "::1"]), "good", "dns"),
        (judging.names("a", ["192.0.2.9"], ["192.0.2.1"]), "look", "dns_elsewhere"),
        (judging.certificate("a.example", ["*.example"], 13, True), "look", "tls_soon"),
        (judging.certificate("b.a.example", ["*.example"], 99, True), "bad", "tls_other_name"),
        (judging.certificate("a.example", ["a.example"], 99, False), "bad", "tls_untrusted"),
        (judging.certificate("a.example", ["a.example"], -1, True), "bad", "tls_ended"),
        (judging.permissions({"files": 1, "writable": 0}), "look", "permissions_odd"),
    ],
)
def test_thresholds(finding: judging.Finding, state: str, says: str) -> None:
    assert (finding["state"], finding["says"]) == (state, says)
    assert finding["what"] in LABELS
    assert SENTENCES[says] % finding["value"]


@given(st.binary(max_size=3000))
def test_whatever_a_log_holds_it_is_counted(tail: bytes) -> None:
    fatal, others = judging.fatal_lines(tail)
    assert len(fatal) + others <= tail.count(b"\n") + 1
    assert all(len(each) <= 300 for each in fatal)
    with suppress(Failed):
        judging.due_at(tail)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
lines = st.fixed_dictionaries({
    "what": st.sampled_from([*LABELS, "x"]), "state": st.sampled_from(["good", "look", "odd"]),
    "says": st.sampled_from([*SENTENCES, "x"]), "value": json_values,
})  # fmt: skip


@given(json_values | st.fixed_dictionaries({"diagnosis": st.lists(lines | json_values, max_size=5) | json_values}))
def test_whatever_a_report_holds_it_is_told_or_left_out(report: Any) -> None:
    for each in told(report):
        assert each.says.message % each.says.values


def test_a_certificate_is_read_and_judged(carrying: Carrying, hosting: Hosting, wordpress: Site, tmp_path: Any) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(cert), "-days",
         "30", "-subj", "/CN=x", "-addext", f"subjectAltName=DNS:{wordpress.name}"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "127.0.0.1:0", "-key", str(key), "-cert", str(cert), "-www"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        port = next(int(line.rsplit(":", 1)[1]) for line in server.stdout if line.startswith("ACCEPT"))
        asked = asked_for(wordpress, {"http_to": ["127.0.0.1", port]}, {})
        site = replace(asked.site, url=f"https://{wordpress.name}")
        lines = carrying.do(diagnose.names(site))["report"]["diagnosis"]
    finally:
        server.terminate()
        ended_here(server, "openssl")
    tls = next(each for each in lines if each["what"] == "tls")
    assert (tls["says"], tls["value"]["names"]) == ("tls_untrusted", wordpress.name)
    assert tls["value"]["days"] in (29, 30)
