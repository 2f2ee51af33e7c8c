"""The pages of sites and hosts draw whatever their types allow, hostile texts of customers' machines among them."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

import pytest
from drawing import HOSTILE, PAGES, SEEDS, a_form, a_shell, check, some

from steelyard.toolbox.checks import Finding
from steelyard.toolbox.hosts_pages import HostPage, KeySeen
from steelyard.toolbox.imports import Imported, Refusal
from steelyard.toolbox.looks import Found
from steelyard.toolbox.model import Host, HostId, Site, SiteId
from steelyard.toolbox.registry_rows import HostRow, NewSite, SiteRow
from steelyard.toolbox.runs_read import RunListed
from steelyard.toolbox.sites_forms import HOST, IMPORT, site_form
from steelyard.toolbox.sites_pages import SitePage, Told
from steelyard.toolbox.sites_tables import HOSTS, SITES, STATES
from steelyard.toolbox.states import STATE_WORDS
from steelyard.web.said import N_, Said
from steelyard.web.tables import Shown
from steelyard.web.toasts import Undo


def draw(template: str, random: Random, **context: Any) -> None:
    shell = a_shell(random)
    check(
        lambda language: PAGES.draw(template, language, shell=shell, states=STATES, state_words=STATE_WORDS, **context)
    )


def a_host(random: Random) -> HostRow:
    host = Host(HostId(1), HOSTILE, HOSTILE, 22, HOSTILE)
    checked = some(datetime, random) if random.random() < 0.7 else None
    facts = {"system": HOSTILE, "php": [{"version": HOSTILE, "fpm": True}]} if checked else {}
    added = some(datetime, random)
    return HostRow(
        host, HOSTILE, HostId(2), HOSTILE, 1, HOSTILE, random.random() < 0.3, 3, {}, facts, checked, added, None, added
    )


def a_site(random: Random) -> SiteRow:
    site = Site(
        SiteId(1), HOSTILE, f"https://{HOSTILE}", HOSTILE, HOSTILE, a_host(random).host, HOSTILE, {"php": HOSTILE}
    )
    facts = {
        "wordpress": {"version": HOSTILE, "locale": HOSTILE, "prefix": HOSTILE, "database": HOSTILE, "multisite": True},
        "php": {"version": HOSTILE, "pool": HOSTILE},
    }
    checked = some(datetime, random) if random.random() < 0.7 else None
    gone = some(datetime, random) if random.random() < 0.3 else None
    return SiteRow(
        site, {"php": HOSTILE}, facts if checked else {}, checked, some(datetime, random), gone, some(datetime, random)
    )


def some_findings(random: Random) -> tuple[Finding, ...]:
    says = Said(N_("There is nothing at %(path)s."), {"path": HOSTILE})
    states = [random.choice(["ok", "odd", "missing"]) for _ in range(random.choice([0, 1, 3]))]
    return tuple(Finding("x", state, says, says if state != "ok" else None, HOSTILE) for state in states)  # type: ignore[arg-type]


def rows_of(table: Any, rows: list[Any]) -> Shown[Any]:
    return table.of_page(rows, table.read({}), len(rows))


@pytest.mark.parametrize("seed", SEEDS)
def test_sites(seed: int) -> None:
    random = Random(seed)
    form = a_form(site_form([a_host(random)]), random)
    undo = some(Undo, random) if seed % 2 else None
    told = Told(random.choice(["added", "changed", "removed", "back", "imported"]), HOSTILE, undo) if seed % 3 else None
    shown = rows_of(SITES, [a_site(random) for _ in range(seed % 3)])
    draw("toolbox/sites.html", random, table=shown, form=form, told=told, hosts=seed % 2)
    runs = tuple(some(RunListed, random) for _ in range(seed % 3))
    view = SitePage(a_site(random), random.choice(list(STATES)), some_findings(random), runs, seed % 4 == 0)
    draw("toolbox/site.html", random, view=view, form=form, told=told, titles={"x": HOSTILE})


@pytest.mark.parametrize("seed", SEEDS)
def test_imports(seed: int) -> None:
    random = Random(seed)
    new = NewSite(HOSTILE, HostId(1), HOSTILE, HOSTILE, HOSTILE)
    refused = tuple(
        Refusal(line, HOSTILE, Said(N_("There is nothing at %(path)s."), {"path": HOSTILE})) for line in range(seed % 3)
    )
    imported = Imported((new,) * (seed % 4), (new,) * (seed % 2), seed, refused) if seed % 5 else None
    draw("toolbox/sites_import.html", random, form=a_form(IMPORT, random), imported=imported, hosts={})


@pytest.mark.parametrize("seed", SEEDS)
def test_hosts(seed: int) -> None:
    random = Random(seed)
    keys = [some(KeySeen, random) for _ in range(seed % 3)]
    draw("toolbox/hosts.html", random, table=rows_of(HOSTS, [a_host(random)] * (seed % 3)), keys=keys)
    sites = tuple(a_site(random) for _ in range(seed % 3))
    view = HostPage(
        a_host(random),
        HOSTILE,
        random.choice(list(STATES)),
        some_findings(random),
        sites,
        (HOSTILE,) * (seed % 2),
        HOSTILE,
        some(Found, random) if seed % 3 else None,
        seed % 4 == 0,
    )
    draw("toolbox/host.html", random, view=view, form=a_form(HOST, random), changed=seed % 2 == 0)
