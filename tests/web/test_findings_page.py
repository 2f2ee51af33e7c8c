"""The page of what a scan found: hostile text as text, who made each rule, and the button that moves files away."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import Any

import httpx
import pytest

from desk_seed import NOW
from signing_in import Clock, MakeClient, MakeWorkspace
from steelyard.kit.ids import WorkspaceId
from steelyard.main.ground import ledger
from steelyard.people.members import join, person_of_address
from steelyard.people.permissions import Role
from steelyard.people.sessions import COOKIE, open_session
from steelyard.store.database import Database
from steelyard.store.keys import WORKER, Keys, add_key, key_file
from steelyard.toolbox.keys import make_key
from steelyard.toolbox.model import RunId
from steelyard.toolbox.registry import add_host, add_site
from steelyard.toolbox.registry_rows import NewHost, NewSite
from steelyard.toolbox.scanning.findings import count_findings, keep_findings
from steelyard.toolbox.scanning.model import Finding, Hit, Kind, Severity, own
from steelyard.toolbox.scanning.report import numbers_in

HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}} %(name)s"
REPORT = {
    "compared": {
        "manifests": ["WordPress 7.1.1 en_US"], "without": ["akismet 5.5"], "core": True, "known": 3700, "changed": 1,
        "missing": 0, "added": 0, "took_ms": 300,
    },
    "searched": {
        "known": 3700, "unchanged": 4, "read": 12, "bytes": 120000, "looked_through": 90, "links": 1, "others": 0,
        "skipped": [[HOSTILE, "cut"], ["/srv/x", "denied"]], "skipped_count": 2, "locks": ["limits"],
        "lacking": ["calls"], "seen": 3806, "took_ms": 900, "rules": "ab", "packs": [["steelyard", "Apache-2.0"]],
    },
    "database": {"rows": {"user": 2}, "problem": "", "took_ms": 50},
}  # fmt: skip
FOUND = (
    Finding(Kind.FILE, "/srv/shop/door.php", own(Severity.MALICIOUS, "eval_of_request", f"1: {HOSTILE}"), "a" * 64),
    Finding(
        Kind.FILE, f"/srv/{HOSTILE}", Hit("suspicious", "x", "theirs", HOSTILE, HOSTILE, HOSTILE, HOSTILE), "b" * 64
    ),
    Finding(Kind.USER, "wp-backup", own(Severity.ODD, "administrator_out_of_place", "3 wp-backup")),
)


class Office:
    """A workspace with a site, a scan of it, and a browser that may do everything."""

    def __init__(self, database: Database, workspace: WorkspaceId, client: httpx.AsyncClient) -> None:
        self.database, self.workspace, self.client = database, workspace, client
        self.run, self.site = RunId(0), 0

    async def scan(self, site: int, found: tuple[Finding, ...], report: dict[str, Any] | None = REPORT) -> RunId:
        async with self.database.transaction(self.workspace) as conn:
            row = await (
                await conn.execute(
                    "INSERT INTO run (workspace, token, runbook, digest, risk, site, params, state, minutes, asked_at,"
                    " ended_at) VALUES (%s, md5(random()::text), 'scan_malware', '', 'reads', %s, '{}', 'done', 20,"
                    " %s, %s) RETURNING run",
                    [self.workspace, site, NOW, NOW],
                )
            ).fetchone()
            assert row is not None
            run = RunId(row[0])
            await keep_findings(conn, self.workspace, run, list(Kind), found, NOW)
            if report is not None:
                full = report | {"findings": await count_findings(conn, run), "left_out": 0}
                await conn.execute("UPDATE run SET report = %s::jsonb WHERE run = %s", [json.dumps(full), run])
        return run

    async def text(self, path: str = "") -> str:
        answer = await self.client.get(f"/runs/{self.run}/findings{path}")
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
async def office(database: Database, make_workspace: MakeWorkspace, make_client: MakeClient, tmp_path: Any) -> Office:
    office = Office(database, await make_workspace(), make_client())
    add_key(key_file(tmp_path, WORKER))
    async with database.transaction(office.workspace) as conn:
        key = await make_key(conn, office.workspace, "main", Keys(key_file(tmp_path, WORKER)), NOW)
        pinned = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxAo6TdHcXwNDn3u2vJ5ZqGf3M7yLhRr1vB0bN8m0Qd"
        new_host = NewHost("web1", "web1.example", "support", host_key=pinned, key=key.key)
        host = await add_host(conn, office.workspace, new_host, NOW)
        site = await add_site(
            conn, office.workspace, NewSite("shop.example", host, "/srv/shop", "shop", "https://shop.example", ""), NOW
        )
    office.site = int(site)
    office.run = await office.scan(office.site, FOUND)
    return office


async def test_findings_are_shown_worst_first_as_text_with_who_made_the_rule(office: Office) -> None:
    page = await office.text()
    assert HOSTILE not in page
    assert "<img" not in page
    plain = unescape(page)
    assert plain.count(HOSTILE) >= 5
    assert plain.index("Malicious</h2>") < plain.index("Suspicious</h2>") < plain.index("Odd</h2>")
    assert "What a visitor sends is run as code." in plain
    assert "Rule eval_of_request of pack steelyard" in plain
    assert "Apache-2.0" in plain
    assert "only its beginning and its end were read" in plain
    assert "few system calls" in plain
    assert "akismet 5.5" in plain


async def test_the_same_is_said_in_french(office: Office) -> None:
    page = unescape(await office.text("?lang=fr"))
    assert "What a visitor sends" not in page
    assert "Malveillant" in page


async def test_the_page_says_where_files_were_judged_and_why_not_on_the_host(office: Office) -> None:
    assert "by its own yara-x" not in unescape(await office.text())
    async with office.database.transaction(office.workspace) as conn:
        await conn.execute(
            "UPDATE run SET report = jsonb_set(report, '{searched}', report->'searched' || %s::jsonb)",
            ['{"on_host": 7, "gave_up": "fell"}'],
        )
    page = " ".join(unescape(await office.text()).split())
    assert "<dt>On the host, by its own yara-x</dt><dd>7</dd>" in page
    assert "<dt>Beside the worker</dt><dd>5</dd>" in page
    assert "ended before it was done: the rest was judged beside the worker" in page


async def test_the_page_is_also_data(office: Office) -> None:
    data = json.loads(await office.text(".json"))
    assert (data["site"], data["report"]["findings"]) == ("shop.example", {"malicious": 1, "suspicious": 1, "odd": 1})
    assert [(each["place"], each["severity"]) for each in data["findings"]] == [
        (each.place, each.hit.severity) for each in FOUND
    ]
    rows = list(csv.DictReader(io.StringIO(await office.text(".csv"))))
    assert [each["rule"] for each in rows] == [each.hit.rule for each in FOUND]


async def test_a_scan_without_a_finding_says_what_was_looked_at(office: Office) -> None:
    office.run = await office.scan(office.site, ())
    page = unescape(await office.text())
    assert "Nothing was found" in page
    assert "What was looked at" in page
    assert "/quarantine" not in page or "checkbox" not in page


async def test_other_runs_have_no_such_page(office: Office, make_workspace: MakeWorkspace) -> None:
    other = await office.scan(office.site, (), report=None)
    for run in (str(other), "999999", "x", "-1"):
        assert (await office.client.get(f"/runs/{run}/findings")).status_code == 404
        assert (await office.client.get(f"/runs/{run}/findings.json")).status_code == 404


async def asked(office: Office) -> list[tuple[str, dict[str, Any]]]:
    async with office.database.transaction(office.workspace) as conn:
        return await (
            await conn.execute("SELECT runbook, params FROM run WHERE runbook != 'scan_malware' ORDER BY run")
        ).fetchall()


async def numbers(office: Office) -> dict[str, int]:
    data = json.loads(await office.text(".json"))
    return {each["rule"]: each["finding"] for each in data["findings"]}


async def test_chosen_files_are_planned_to_be_moved_away(office: Office) -> None:
    of = await numbers(office)
    path = f"/runs/{office.run}/findings/quarantine"
    answer = await office.client.post(path, data={"finding": [str(of["eval_of_request"]), str(of["x"]), "99", "<b>"]})
    assert answer.status_code == 303
    assert re.fullmatch(r"/runs/\d+\?done=planned", answer.headers["location"])
    assert await asked(office) == [("quarantine_files", {"scan": office.run, "findings": "1-2"})]


async def test_all_malicious_files_are_one_press(office: Office) -> None:
    answer = await office.client.post(f"/runs/{office.run}/findings/quarantine", data={"all": "malicious"})
    assert answer.status_code == 303
    assert await asked(office) == [("quarantine_files", {"scan": office.run, "findings": "1"})]


async def test_nothing_chosen_is_said_and_an_account_is_no_file(office: Office) -> None:
    of = await numbers(office)
    path = f"/runs/{office.run}/findings/quarantine"
    for data in ({}, {"finding": str(of["administrator_out_of_place"])}):
        answer = await office.client.post(path, data=data)
        assert answer.status_code == 422
        assert "Choose at least one file." in answer.text
    assert await asked(office) == []


async def test_who_may_only_look_is_offered_nothing_and_can_do_nothing(
    office: Office, make_client: MakeClient, clock: Clock
) -> None:
    async with office.database.transaction(office.workspace) as conn:
        person = await person_of_address(conn, "noor@example.com", "Noor")
        await join(conn, ledger(), office.workspace, person, (Role.AUTHOR,), NOW)
    reader = make_client("10.1.2.3", cookies={COOKIE: await open_session(office.database, person, "Firefox", NOW)})
    page = await reader.get(f"/runs/{office.run}/findings")
    assert page.status_code == 200
    assert "checkbox" not in page.text
    answer = await reader.post(f"/runs/{office.run}/findings/quarantine", data={"all": "malicious"})
    assert answer.status_code == 403
    assert await asked(office) == []


async def test_many_findings_are_pages(office: Office) -> None:
    many = tuple(
        Finding(Kind.FILE, f"/srv/{n:04}.php", own(Severity.ODD, "php_in_cache", "x"), "c" * 64) for n in range(450)
    )
    office.run = await office.scan(office.site, many)
    assert "/srv/0199.php" in await office.text()
    assert "/srv/0200.php" not in await office.text()
    assert "/srv/0449.php" in await office.text("?page=3")
    for odd in ("0", "99", "x", "²"):
        assert (await office.client.get(f"/runs/{office.run}/findings?page={odd}")).status_code == 200
    assert len(json.loads(await office.text(".json"))["findings"]) == 450


def test_numbers_are_written_as_the_runbook_reads_them() -> None:
    from steelyard.toolbox.catalog.quarantine_files.runbook import _numbers

    for chosen in ([1], [1, 2, 3], [3, 1, 7, 8], [5, 5]):
        assert _numbers(numbers_in(chosen)) == sorted(set(chosen))
