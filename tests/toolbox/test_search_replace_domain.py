"""Another domain in a real WordPress: everywhere, counted before, and back to the byte."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from tests.toolbox.carrying import Carrying, Killed, asked_for, hints_of

from steelyard.demo.hosting import Hosting, Site, Wanted
from steelyard.toolbox.catalog.search_replace_domain.runbook import ADDRESS, PATH, RUNBOOK
from steelyard.toolbox.model import Plan, Refused
from steelyard.toolbox.runbook import Asked

NEW = "a-much-longer-name.example"


@pytest.fixture
def carrying(hosting: Hosting) -> Iterator[Carrying]:
    carrying = Carrying(hosting, token=secrets.token_hex(4))  # a run of its own
    yield carrying
    carrying.stop()


def wanting(site: Site, **values: Any) -> Asked:
    chosen = {"from": site.name, "to": NEW, "guid": False, **values}
    return asked_for(site, hints_of(site.hosting), chosen)


def filled(site: Site) -> None:
    """Values as plugins have them, in a WordPress that has answered: it writes posts of its own when it first does."""
    site.get("/")
    url = f"{site.url}/é"
    widget = f'a:1:{{i:2;a:1:{{s:4:"text";s:{len(url.encode())}:"{url}";}}}}'
    nested = f's:{len(widget.encode())}:"{widget}";'
    builder = '{"u":"http:\\\\/\\\\/' + site.name + '\\\\/x"}'
    site.sql(
        f"INSERT INTO {site.prefix}options (option_name, option_value) VALUES ('widget_x', '{widget}'),"
        f" ('nested_x', '{nested}'), ('broken_x', 'a:1:{{s:3:\"{site.url}\";}}'), ('builder_x', '{builder}'),"
        f" ('other_x', 'http://www.{site.name}/ me@{site.name}');"
        f" CREATE TABLE {site.prefix}keyless (a TEXT); INSERT INTO {site.prefix}keyless VALUES ('{site.url}');"
        f" CREATE TABLE other_options (id INT PRIMARY KEY, a TEXT); INSERT INTO other_options VALUES (1, '{site.url}');"
        f" CREATE TABLE {site.prefix}odd (k VARCHAR(20), n INT, b LONGBLOB, s VARCHAR(40), PRIMARY KEY (k, n));"
        f" INSERT INTO {site.prefix}odd VALUES ('ç`', 1, '{widget}', 'x'), ('ç`', 2, NULL, 'NULL'),"
        f" ('q', 1, '', RPAD('{site.name} ', 40, 'x'))"
    )


def everything(site: Site) -> dict[str, list[Any]]:
    """All rows, but of what WordPress itself writes while it answers."""
    steady = {f"{site.prefix}options": " WHERE option_name NOT LIKE '%transient%' AND option_name <> 'cron'"}
    return {
        table: sorted(map(str, site.sql(f"SELECT * FROM `{table}`{steady.get(table, '')}"))) for table in site.tables()
    }


def option(site: Site, name: str) -> str:
    return str(site.sql(f"SELECT option_value FROM {site.prefix}options WHERE option_name = '{name}'")[0][0])


def counted(plan: Plan) -> int:
    return int(plan.steps[0].says.values["cells"])  # pyright: ignore


def test_a_real_site_moves_and_comes_back(carrying: Carrying, wordpress: Site) -> None:
    filled(wordpress)
    before, asked = everything(wordpress), wanting(wordpress)
    plan = carrying.plan(RUNBOOK, asked)
    answers = [carrying.do(action) for action in plan.steps[0].actions]
    assert answers[0]["changed"] == counted(plan), "a dry run counts exactly"
    assert carrying.prove(plan) == []
    assert option(wordpress, "siteurl") == wordpress.url.replace(wordpress.name, NEW)
    url = wordpress.url.replace(wordpress.name, NEW) + "/é"
    assert option(wordpress, "widget_x") == f'a:1:{{i:2;a:1:{{s:4:"text";s:{len(url.encode())}:"{url}";}}}}'
    assert f"http:\\/\\/{NEW}\\/x" in option(wordpress, "builder_x").replace("\\\\", "\\")
    assert option(wordpress, "broken_x") == f'a:1:{{s:3:"{wordpress.url}";}}'
    assert option(wordpress, "other_x") == f"http://www.{wordpress.name}/ me@{wordpress.name}"
    assert wordpress.sql("SELECT a FROM other_options")[0][0] == wordpress.url
    assert NEW in str(wordpress.sql(f"SELECT b FROM {wordpress.prefix}odd WHERE n = 1 AND k <> 'q'")[0][0])
    guid = wordpress.sql(f"SELECT COUNT(*) FROM {wordpress.prefix}posts WHERE guid LIKE '%{NEW}%'")
    assert int(guid[0][0]) == 0
    warned = {each.message for each in plan.warnings}
    assert len([each for each in warned if "cannot be read" in each or "too long" in each or "primary" in each]) == 3
    carrying.undo(RUNBOOK, asked, plan)
    assert everything(wordpress) == before
    assert carrying.plan(RUNBOOK, asked).digest() == plan.digest()


def test_what_somebody_wrote_since_stays(carrying: Carrying, wordpress: Site) -> None:
    asked = wanting(wordpress)
    plan = carrying.plan(RUNBOOK, asked)
    carrying.carry_out(plan)
    wordpress.sql(f"UPDATE {wordpress.prefix}options SET option_value = 'http://third' WHERE option_name = 'home'")
    back = carrying.undo(RUNBOOK, asked, plan)
    assert back.steps[0].says.values["changed"] == 1
    assert option(wordpress, "home") == "http://third"
    assert option(wordpress, "siteurl") == wordpress.url


@pytest.mark.parametrize(("primitive", "calls"), [("put", 0), ("put", 1), ("run", 5), ("run", 7), ("run", 9)])
def test_after_a_kill_it_goes_on_and_comes_back(
    carrying: Carrying, wordpress: Site, primitive: str, calls: int
) -> None:
    filled(wordpress)
    before, asked = everything(wordpress), wanting(wordpress)
    plan = carrying.plan(RUNBOOK, asked)
    carrying.kill = (primitive, calls)
    with pytest.raises(Killed):
        carrying.carry_out(plan)
    carrying.kill = None
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    carrying.undo(RUNBOOK, asked, plan)
    assert everything(wordpress) == before


def test_constants_of_the_configuration_change_and_come_back(carrying: Carrying, wordpress: Site) -> None:
    text = wordpress.config.read_text()
    set_ = text.replace("<?php", f"<?php\ndefine( 'WP_HOME', \"{wordpress.url}\" ); // {wordpress.name}\n", 1)
    wordpress.hosting.owner.write(wordpress.config, set_)
    asked = wanting(wordpress)
    plan = carrying.plan(RUNBOOK, asked)
    carrying.carry_out(plan)
    home = wordpress.url.replace(wordpress.name, NEW)
    assert f"define( 'WP_HOME', \"{home}\" ); // {wordpress.name}\n" in wordpress.config.read_text()
    assert carrying.prove(plan) == []
    carrying.undo(RUNBOOK, asked, plan)
    assert wordpress.config.read_text() == set_


def test_no_character_is_lost_where_the_site_speaks_another_set(carrying: Carrying, wordpress: Site) -> None:
    wordpress.sql(
        f"SET NAMES utf8mb4; INSERT INTO {wordpress.prefix}options (option_name, option_value) VALUES"
        f" ('emoji_x', CONCAT(CONVERT(X'F09F9880' USING utf8mb4), ' {wordpress.url}')),"
        f" ('accent_x', CONCAT(CONVERT(X'C3A9' USING utf8mb4), ' {wordpress.url}'))"
    )
    text = re.sub(r"'DB_CHARSET', '\w*'", "'DB_CHARSET', 'latin1'", wordpress.config.read_text())
    wordpress.hosting.owner.write(wordpress.config, text)
    before, asked = everything(wordpress), wanting(wordpress)
    plan = carrying.plan(RUNBOOK, asked)
    assert any("DB_CHARSET" in each.message for each in plan.warnings)
    carrying.carry_out(plan)
    read = f"SELECT HEX(option_value) FROM {wordpress.prefix}options WHERE option_name ="
    assert str(wordpress.sql(f"{read} 'emoji_x'")[0][0]) == f"\U0001f600 {wordpress.url}".encode().hex().upper()
    new = f"é {wordpress.url.replace(wordpress.name, NEW)}"
    assert str(wordpress.sql(f"{read} 'accent_x'")[0][0]) == new.encode().hex().upper()
    carrying.undo(RUNBOOK, asked, plan)
    assert everything(wordpress) == before


def test_a_network_moves_with_its_domains(hosting: Hosting, carrying: Carrying) -> None:
    site = hosting.make_site(None, Wanted(multisite=True))
    try:
        asked = wanting(site)
        plan = carrying.plan(RUNBOOK, asked)
        carrying.carry_out(plan)
        assert carrying.prove(plan)[:1] in ([], ["The site answers"])
        assert site.sql(f"SELECT domain FROM {site.prefix}blogs")[0][0] == NEW
        assert site.sql(f"SELECT domain FROM {site.prefix}site")[0][0] == NEW
        assert re.search(rf"DOMAIN_CURRENT_SITE'\s*,\s*'{NEW}'", site.config.read_text())
        carrying.undo(RUNBOOK, asked, plan)
        assert carrying.plan(RUNBOOK, asked).digest() == plan.digest()
        with pytest.raises(Refused) as refused:
            carrying.plan(RUNBOOK, wanting(site, **{"from": f"http://{site.name}", "to": f"http://{NEW}"}))
        assert refused.value.code == "network"
    finally:
        site.remove()


@pytest.mark.parametrize(
    ("values", "code"),
    [({"to": f"https://{NEW}"}, "mixed"), ({"from": "https://a.example", "to": "https://a.example/b"}, "holds_itself")],
)
def test_what_would_go_wrong_is_refused(carrying: Carrying, wordpress: Site, values: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        carrying.plan(RUNBOOK, wanting(wordpress, **values))
    assert refused.value.code == code


def test_an_address_that_stands_nowhere_is_nothing_to_do(carrying: Carrying, wordpress: Site) -> None:
    plan = carrying.plan(RUNBOOK, wanting(wordpress, **{"from": "nowhere.example"}))
    assert plan.nothing is not None
    assert plan.steps == ()


@pytest.mark.parametrize(
    "text", ["old", "old.example; DROP", "http://", "https://a.b/ c", "-a.example", "a.example/%20"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not re.fullmatch(f"{ADDRESS}{PATH}/?", text)
