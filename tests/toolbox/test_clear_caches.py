"""What a site keeps ready is counted and cleared, and nothing of another site's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.toolbox.carrying import Carrying, Killed, asked_for, hints_of
from tests.toolbox.test_set_up_redis import carrying, planned

from steelyard.demo.hosting import Site
from steelyard.toolbox.catalog.clear_caches.runbook import RUNBOOK
from steelyard.toolbox.model import Plan
from steelyard.toolbox.runbook import Asked

__all__ = ["carrying"]
VALUES = {"object": True, "pages": True, "php": True, "transients": False}
NOTHING = {"object": False, "pages": False, "php": False, "transients": False}


def to_clear(carrying: Carrying, site: Site, hints: dict[str, Any] | None = None, **values: Any) -> tuple[Asked, Plan]:
    asked = asked_for(site, hints_of(site.hosting) | (hints or {}), {**VALUES, **values}, token="99887766")
    return asked, carrying.plan(RUNBOOK, asked)


def put(site: Site, path: str, text: str = "x") -> Path:
    file = site.content / path
    file.parent.mkdir(parents=True, exist_ok=True)
    for each in (file.parent, file.parent.parent, file.parent.parent.parent):
        if each.is_relative_to(site.content):
            site.hosting.owner.give(each)
    return site.hosting.owner.write(file, text)


def step(plan: Plan, name: str) -> Any:
    return next(each for each in plan.steps if each.name == name)


def test_all_of_the_site_is_cleared_with_exact_counts(carrying: Carrying, wordpress: Site) -> None:
    _, redis_plan = planned(carrying, wordpress)
    carrying.carry_out(redis_plan)
    assert carrying.prove(redis_plan) == []
    server = wordpress.hosting.redis
    server.run("SET", "other:x", "theirs")
    put(wordpress, "cache/wp-rocket/shop/index.html", "12345")
    put(wordpress, "cache/supercache/shop/a\nb'.html", "123")
    kept = put(wordpress, "cache/settings-of-a-plugin/config.php")
    wordpress.sql(f"INSERT INTO {wordpress.prefix}options (option_name, option_value) VALUES ('_transient_a', 'x')")
    _, plan = to_clear(carrying, wordpress, transients=True)
    names = [each.name for each in plan.steps]
    assert names == ["clear_transients", "flush_keys", "forget_compiled", "clear_folders"]
    assert step(plan, "clear_folders").says.values["files"] == 2
    assert step(plan, "clear_folders").says.values["size"].bytes == 8
    prefix = f"{redis_plan.keeps['name']}:"
    assert step(plan, "flush_keys").says.values == {"count": int(server.run("DBSIZE")) - 1, "prefix": prefix}
    assert step(plan, "forget_compiled").says.values["count"] > 100
    carrying.carry_out(plan)
    assert server.run("KEYS", "*") == "other:x"
    assert kept.exists()
    assert sorted(path.name for path in (wordpress.content / "cache").iterdir()) == [
        "settings-of-a-plugin",
        "supercache",
        "wp-rocket",
    ]
    assert not list((wordpress.content / "cache/wp-rocket").iterdir())
    rows = wordpress.sql(f"SELECT COUNT(*) FROM {wordpress.prefix}options WHERE option_name LIKE '%transient%'")
    assert rows == [["0"]]
    assert carrying.prove(plan) == []
    assert carrying.do(redis_plan.checks[0].action)["hit"]  # what the site has in Redis works on


def test_only_this_site_s_files_are_compiled_anew(carrying: Carrying, make_site: Any) -> None:
    one, two = make_site(), make_site()
    assert [each.get("/").status for each in (one, two)] == [200, 200]
    _, plan = to_clear(carrying, one)
    carrying.carry_out(plan)
    held = [carrying.facts(RUNBOOK.reads(to_clear(carrying, each)[0]))["compiled"]["scripts"] for each in (one, two)]
    assert held[0] == 0
    assert held[1] > 100


def test_folders_that_are_links_stay_and_are_named(carrying: Carrying, wordpress: Site) -> None:
    shared = put(wordpress, "shared/index.html").parent
    put(wordpress, "cache/min/x.css")
    (wordpress.content / "cache/wp-rocket").symlink_to(shared)
    _, plan = to_clear(carrying, wordpress, php=False)
    assert str(wordpress.content / "cache/wp-rocket") in str(plan.warnings)
    assert step(plan, "clear_folders").says.values["paths"] == str(wordpress.content / "cache/min")
    carrying.carry_out(plan)
    assert (shared / "index.html").exists()
    assert not list((wordpress.content / "cache/min").iterdir())


def test_a_killed_clearing_leaves_nothing_aside(carrying: Carrying, wordpress: Site) -> None:
    put(wordpress, "cache/min/x.css")
    put(wordpress, "cache/.steelyard-99887766-min/half-removed.css")
    _, plan = to_clear(carrying, wordpress, php=False)
    carrying.carry_out(plan)
    assert [path.name for path in (wordpress.content / "cache").iterdir()] == ["min"]


def test_killed_between_two_folders_the_first_is_there_when_it_is_done_again(
    carrying: Carrying, wordpress: Site
) -> None:
    put(wordpress, "cache/min/x.css")
    (wordpress.content / "cache/min").chmod(0o750)
    _, plan = to_clear(carrying, wordpress, php=False)
    carrying.kill = ("make_folder", 0)
    with pytest.raises(Killed):
        carrying.carry_out(plan)
    assert not (wordpress.content / "cache/min").exists()
    carrying.kill = None
    carrying.carry_out(plan)
    assert [path.name for path in (wordpress.content / "cache").iterdir()] == ["min"]
    assert (wordpress.content / "cache/min").stat().st_mode & 0o777 == 0o750


def test_nginx_forgets_this_host_s_pages_and_no_other_s(carrying: Carrying, wordpress: Site) -> None:
    cache = wordpress.hosting.owner.make_folder(wordpress.home / "fastcgi/a/bc")
    host = wordpress.name
    keys = {
        "mine": f"httpGET{host}/", "also": f"https://{host}:443/x?y", "not-mine": f"httpGETmy-{host}/",
        "nor-this": f"httpGET{host}.evil.example/", "other": "httpGETother.example/" + host,
    }  # fmt: skip
    for name, key in keys.items():
        wordpress.hosting.owner.write(cache / name, f"\x05\x00binary\nKEY: {key}\nHTTP/1.1 200 OK\n\npage")
    hints = {"nginx_cache": str(wordpress.home / "fastcgi")}
    _, plan = to_clear(carrying, wordpress, hints, php=False)
    assert step(plan, "clear_nginx").says.values["files"] == 2
    carrying.carry_out(plan)
    assert sorted(path.name for path in cache.iterdir()) == ["nor-this", "not-mine", "other"]


def test_another_s_drop_in_is_flushed_by_its_own_prefix_or_not_at_all(carrying: Carrying, wordpress: Site) -> None:
    server = wordpress.hosting.redis
    put(
        wordpress,
        "object-cache.php",
        "<?php\n/* Plugin Name: Redis Object Cache */\nrequire ABSPATH . WPINC . '/cache.php';",
    )
    _, plan = to_clear(carrying, wordpress, php=False)
    assert plan.nothing is not None
    assert "cannot be told" in plan.warnings[0].message
    server.run("ACL", "SETUSER", "default", "reset", "on", ">theirs", "~*", "+@all")
    server.run("SET", "shop_a", "1")
    server.run("SET", "shop2_a", "1")
    lines = f"define('WP_REDIS_PORT', {server.port}); define('WP_REDIS_PASSWORD', 'theirs');"
    lines += " define('WP_REDIS_PREFIX', 'shop_');"
    wordpress.config.write_text(wordpress.config.read_text("utf-8").replace("<?php", f"<?php {lines}", 1), "utf-8")
    _, plan = to_clear(carrying, wordpress, php=False)
    assert step(plan, "flush_keys").says.values == {"count": 1, "prefix": "shop_"}
    assert "theirs" not in str(plan)
    carrying.carry_out(plan)
    assert server.run("KEYS", "*") == "shop2_a"
    server.run("ACL", "SETUSER", "default", "reset", "off")


def test_where_nothing_is_chosen_nothing_is_done(carrying: Carrying, wordpress: Site) -> None:
    _, plan = to_clear(carrying, wordpress, **NOTHING)
    assert (plan.steps, plan.undoable) == ((), False)
