"""A link into a real WordPress: it signs in once, and then never again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.toolbox.carrying import Carrying, asked_for, hints_of

from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.create_admin_link.runbook import RUNBOOK
from steelyard.toolbox.model import Plan
from steelyard.toolbox.runbook import Asked


@pytest.fixture
def carrying(hosting: Hosting) -> Iterator[Carrying]:
    made = Carrying(hosting)
    yield made
    made.stop()


def asking(site: Site, **values: Any) -> Asked:
    return asked_for(site, hints_of(site.hosting), {"login": "", "minutes": 15, **values})


def made_link(carrying: Carrying, plan: Plan) -> str:
    (step,) = plan.steps
    answer = carrying.do(step.actions[0])
    assert answer["report"]["private"]["link"] not in str(
        {key: each for key, each in answer.items() if key != "report"}
    )
    split = urlsplit(answer["report"]["private"]["link"])
    return f"{split.path}?{split.query}"


def plugin(site: Site) -> Path:
    return Path(site.content) / "mu-plugins" / "steelyard-link-0a1b2c3d.php"


def test_it_signs_in_once(carrying: Carrying, wordpress: Site) -> None:
    link = made_link(carrying, carrying.plan(RUNBOOK, asking(wordpress)))
    assert wordpress.get("/wp-admin/").status == 302
    answer = wordpress.get(link)
    assert answer.status == 302
    assert answer.headers["location"].endswith("/wp-admin/")
    assert "wordpress_logged_in" in str(answer.headers)
    assert not plugin(wordpress).exists()
    assert "wordpress_logged_in" not in str(wordpress.get(link).headers)


def test_another_code_does_not(carrying: Carrying, wordpress: Site) -> None:
    link = made_link(carrying, carrying.plan(RUNBOOK, asking(wordpress)))
    for wrong in (link[:-1], link + "x", "/wp-login.php?steelyard_link[]=x", "/wp-login.php?steelyard_link="):
        assert "wordpress_logged_in" not in str(wordpress.get(wrong).headers)
    assert plugin(wordpress).exists()


def test_after_its_time_it_removes_itself(carrying: Carrying, wordpress: Site) -> None:
    plan = carrying.plan(RUNBOOK, asking(wordpress))
    action = plan.steps[0].actions[0]
    late = type(action)(action.verb, {**action.args, "seconds": -5}, action.by, action.timeout)
    link = urlsplit(carrying.do(late)["report"]["private"]["link"])
    assert "wordpress_logged_in" not in str(wordpress.get(f"{link.path}?{link.query}").headers)
    assert not plugin(wordpress).exists()


def test_undone_it_is_gone_with_its_folder(carrying: Carrying, wordpress: Site) -> None:
    asked = asking(wordpress)
    plan = carrying.plan(RUNBOOK, asked)
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    carrying.undo(RUNBOOK, asked, plan)
    assert not plugin(wordpress).parent.exists()


def test_the_code_is_nowhere_on_the_site(carrying: Carrying, wordpress: Site) -> None:
    link = made_link(carrying, carrying.plan(RUNBOOK, asking(wordpress)))
    code = link.partition("=")[2]
    assert code not in plugin(wordpress).read_text()
    assert code not in str(carrying.said)
    assert plugin(wordpress).stat().st_mode & 0o077 == 0


def test_somebody_else_s_link_is_for_them(carrying: Carrying, wordpress: Site) -> None:
    wordpress.wp("user", "create", "claire", "claire@example.test", "--role=administrator")
    wordpress.wp("user", "create", "reader", "reader@example.test", "--role=subscriber")
    plan = carrying.plan(RUNBOOK, asking(wordpress, login="claire"))
    answer = wordpress.get(made_link(carrying, plan))
    assert "claire" in str(answer.headers)


def test_a_prefix_with_a_quote_is_part_of_a_name_and_of_nothing_else(carrying: Carrying, wordpress: Site) -> None:
    for table in ("users", "usermeta"):
        wordpress.sql(f"CREATE TABLE `w'{table}` AS SELECT * FROM {wordpress.prefix}{table}")
    key = f"'{wordpress.prefix}capabilities'"
    wordpress.sql(f"UPDATE `w'usermeta` SET meta_key = 'w\\'capabilities' WHERE meta_key = {key}")
    text = wordpress.config.read_text("utf-8")
    assert f"'{wordpress.prefix}'" in text
    wordpress.hosting.owner.write(wordpress.config, text.replace(f"'{wordpress.prefix}'", "'w\\''"), 0o640)
    assert len(carrying.facts(RUNBOOK.reads(asking(wordpress)))["links"]["admins"]) == 1
