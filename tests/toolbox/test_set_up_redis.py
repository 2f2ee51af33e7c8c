"""Redis as a site's object cache: set up, seen to be hit, put back to the byte."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.toolbox.carrying import Carrying, Killed, asked_for, empty_redis, hints_of

import steelyard.toolbox.hosted
from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.set_up_redis.runbook import RUNBOOK
from steelyard.toolbox.model import Plan, Refused
from steelyard.toolbox.runbook import Asked
from steelyard.toolbox.tools import php, redis, wp

VALUES = {"endpoint": "", "dropin": "own", "limit": 0, "policy": "allkeys-lru"}
DROP_IN = Path(steelyard.toolbox.hosted.__file__).parent / "php/object-cache.php"


@pytest.fixture
def carrying(hosting: Hosting, with_redis: None) -> Iterator[Carrying]:
    carrying = Carrying(hosting, {"redis": hosting.redis.password})
    yield carrying
    carrying.stop()
    empty_redis(hosting)
    work = hosting.folder / "home/.steelyard"
    hosting.owner.run(["rm", "-rf", work])


def planned(carrying: Carrying, site: Site, **values: Any) -> tuple[Asked, Plan]:
    asked = asked_for(site, hints_of(site.hosting), {**VALUES, **values})
    return asked, carrying.plan(RUNBOOK, asked)


def before(site: Site) -> dict[str, Any]:
    dropin = site.content / "object-cache.php"
    return {
        "config": (site.config.read_bytes(), site.config.stat().st_mode, site.config.owner()),
        "dropin": dropin.readlink() if dropin.is_symlink() else dropin.read_bytes() if dropin.exists() else None,
        "users": sorted(site.hosting.redis.run("ACL", "USERS").split()),
        "keys": site.hosting.redis.run("DBSIZE"),
    }


def test_a_page_is_answered_from_redis_and_the_undo_leaves_the_site_to_the_byte(
    carrying: Carrying, wordpress: Site
) -> None:
    as_it_was = before(wordpress)
    asked, plan = planned(carrying, wordpress)
    assert [step.name for step in plan.steps] == ["make_user", "configure", "put_dropin"]
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    name = plan.keeps["name"]
    keys = wordpress.hosting.redis.run("KEYS", "*").split("\n")
    assert len(keys) > 3
    assert all(key.startswith(f"{name}:") for key in keys)
    assert carrying.secrets["redis_user"] in wordpress.config.read_text("utf-8")
    assert carrying.secrets["redis_user"] not in json.dumps([str(plan), carrying.said])
    assert oct(wordpress.config.stat().st_mode & 0o777) == "0o640"
    carrying.undo(RUNBOOK, asked, plan)
    assert before(wordpress) == as_it_was
    assert wordpress.get("/").status == 200
    again = RUNBOOK.undo(_left(asked, plan), carrying.facts(RUNBOOK.undo_reads(_left(asked, plan))))  # type: ignore[misc]
    assert again.steps == ()


def test_again_there_is_nothing_to_do(carrying: Carrying, wordpress: Site) -> None:
    carrying.carry_out(planned(carrying, wordpress)[1])
    later = asked_for(wordpress, hints_of(wordpress.hosting), VALUES, token="11112222")
    plan = carrying.plan(RUNBOOK, later)
    assert plan.nothing is not None
    assert plan.steps == ()


def test_the_site_s_user_reaches_no_other_key_and_no_name_of_one(carrying: Carrying, wordpress: Site) -> None:
    _, plan = planned(carrying, wordpress)
    carrying.carry_out(plan)
    server, name, password = wordpress.hosting.redis, plan.keeps["name"], carrying.secrets["redis_user"]
    server.run("SET", "PHPREDIS_SESSION:secret", "1")

    def as_site(*words: str) -> str:
        argv = ["redis-cli", "-h", "127.0.0.1", "-p", str(server.port), "--user", name, "--no-auth-warning", *words]
        return server.owner.run(argv, environment={"REDISCLI_AUTH": password})

    assert "OK" in as_site("SET", f"{name}:x", "1")
    for words in (
        ["GET", "PHPREDIS_SESSION:secret"],
        ["SCAN", "0"],
        ["KEYS", "*"],
        ["FLUSHALL"],
        ["CONFIG", "GET", "*"],
    ):
        assert "NOPERM" in as_site(*words), words
    assert "NOPERM" in as_site("SET", f"{name}2", "1")
    assert name in (server.folder / "users.acl").read_text("utf-8")  # it is there after a restart of Redis


def foreign_file(site: Site) -> None:
    dropin = site.content / "object-cache.php"
    site.hosting.owner.write(
        dropin, "<?php\n/* Plugin Name: Their <b>cache</b> */\nrequire ABSPATH . WPINC . '/cache.php';\n", 0o600
    )


def a_link(site: Site) -> None:
    target = site.home / "shared-cache.php"
    site.hosting.owner.write(target, "<?php\nrequire_once ABSPATH . WPINC . '/cache.php';\n")
    (site.content / "object-cache.php").symlink_to(target)
    site.hosting.owner.give(site.content / "object-cache.php")


def a_dangling_link(site: Site) -> None:
    (site.content / "object-cache.php").symlink_to("/nowhere/it is")


def windows_lines(site: Site) -> None:
    site.config.write_bytes(site.config.read_bytes().replace(b"\n", b"\r\n"))


def a_mark(site: Site) -> None:
    site.config.write_bytes(site.config.read_bytes().replace(b"<?php", b"<?php // caf\xe9 \xff\n", 1))


def twice_and_in_comments(site: Site) -> None:
    lines = b"define('WP_REDIS_HOST', 'x');\n// define('WP_REDIS_PORT', 1);\n"
    lines += b"if (!defined('WP_REDIS_HOST')) define('WP_REDIS_HOST', 'y');\n"
    site.config.write_bytes(site.config.read_bytes().replace(b"$table_prefix", lines + b"$table_prefix", 1))


ODD: list[Callable[[Site], None]] = [
    foreign_file,
    a_link,
    a_dangling_link,
    windows_lines,
    a_mark,
    twice_and_in_comments,
]


@pytest.mark.parametrize("make_odd", ODD)
def test_odd_sites_are_set_up_and_put_back_to_the_byte(
    carrying: Carrying, wordpress: Site, make_odd: Callable[[Site], None]
) -> None:
    make_odd(wordpress)
    as_it_was = before(wordpress)
    asked, plan = planned(carrying, wordpress)
    if make_odd in (foreign_file, a_link, a_dangling_link):
        assert any("gives way" in each.message for each in plan.warnings)
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    assert not (wordpress.content / "object-cache.php").is_symlink()
    carrying.undo(RUNBOOK, asked, plan)
    assert before(wordpress) == as_it_was


def test_a_network_of_sites_is_cached_each_by_itself(carrying: Carrying, make_site: Callable[..., Site]) -> None:
    site = make_site(multisite=True)
    site.wp("site", "create", "--slug=two")
    _, plan = planned(carrying, site)
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    assert site.get("/two/").status == 200
    keys = site.hosting.redis.run("KEYS", "*").split("\n")
    assert {key.split(":")[2] for key in keys if key.count(":") > 3} >= {"1", "2"}
    assert any(":site-options@" in key or ":sites@" in key for key in keys)


def test_what_was_changed_since_stays_and_only_ours_goes(carrying: Carrying, wordpress: Site) -> None:
    asked, plan = planned(carrying, wordpress)
    original = wordpress.config.read_text("utf-8")
    carrying.carry_out(plan)
    wordpress.config.write_text(wordpress.config.read_text("utf-8").replace("<?php", "<?php\n// theirs", 1), "utf-8")
    theirs = "<?php require ABSPATH . WPINC . '/cache.php'; // theirs\n"
    (wordpress.content / "object-cache.php").write_text(theirs, "utf-8")
    carrying.undo(RUNBOOK, asked, plan)
    assert wordpress.config.read_text("utf-8") == original.replace("<?php", "<?php\n// theirs", 1)
    assert (wordpress.content / "object-cache.php").read_text("utf-8") == theirs
    assert sum("was changed since" in str(line) for line in carrying.said) == 2
    assert wordpress.get("/").status == 200


@pytest.mark.slow
@pytest.mark.parametrize("primitive", ["write", "run", "stat", "read"])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_killed_anywhere_it_goes_on_or_back(carrying: Carrying, wordpress: Site, primitive: str, count: int) -> None:
    as_it_was = before(wordpress)
    asked, plan = planned(carrying, wordpress)
    for step in plan.steps:
        for action in step.actions:
            carrying.kill = (primitive, count)
            try:
                carrying.do(action)
            except Killed:
                carrying.kill = None
                assert wordpress.get("/").status == 200
                carrying.do(action)
            carrying.kill = None
    assert carrying.prove(plan) == []
    carrying.undo(RUNBOOK, asked, plan)
    assert before(wordpress) == as_it_was


def test_the_memory_limit_is_set_and_given_back(carrying: Carrying, wordpress: Site) -> None:
    asked, plan = planned(carrying, wordpress, limit=64, policy="allkeys-lfu")
    server = wordpress.hosting.redis
    assert "limit" in [step.name for step in plan.steps]
    carrying.carry_out(plan)
    assert server.run("CONFIG", "GET", "maxmemory").split("\n")[1] == str(64 * 1024 * 1024)
    assert server.run("CONFIG", "GET", "maxmemory-policy").split("\n")[1] == "allkeys-lfu"
    carrying.undo(RUNBOOK, asked, plan)
    assert server.run("CONFIG", "GET", "maxmemory").split("\n")[1] == "0"
    assert server.run("CONFIG", "GET", "maxmemory-policy").split("\n")[1] == "noeviction"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"redis": {"host": "127.0.0.1", "port": 1}}, "no_redis"),
        ({"redis": {"host": "127.0.0.1"}}, "no_redis"),
        ("no password", "redis_denied"),
        ("no extension", "no_extension"),
        ("no wordpress", "no_wordpress"),
        ("folder", "odd_dropin"),
        ("root's", "not_yours"),
    ],
)
def test_what_is_in_the_way_is_said_before_anything_is_done(
    carrying: Carrying, wordpress: Site, change: Any, code: str
) -> None:
    hints = hints_of(wordpress.hosting) | (change if isinstance(change, dict) else {})
    asked = asked_for(wordpress, hints, VALUES)
    if change == "no password":
        carrying.secrets["redis"] = "wrong"
    if change == "folder":
        wordpress.hosting.owner.make_folder(wordpress.content / "object-cache.php")
    if change == "root's" and wordpress.hosting.owner.changes:
        import os

        os.chown(wordpress.config, 0, 0)
        wordpress.config.chmod(0o644)
    elif change == "root's":
        pytest.skip("only root can give a file to root")
    facts = carrying.facts(RUNBOOK.reads(asked))
    if change == "no extension":
        facts["php"]["extensions"]["fpm"].remove("redis")
    if change == "no wordpress":
        facts["wordpress"] = {"missing": "wordpress"}
    with pytest.raises(Refused) as refused:
        RUNBOOK.plan(asked, facts)
    assert refused.value.code == code


def test_the_drop_in_of_the_operator_s_plugin(carrying: Carrying, wordpress: Site) -> None:
    ours = (
        DROP_IN.read_text("utf-8").replace("Steelyard object cache", "Their object cache").replace("'proof'", "'none'")
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as opened:
        opened.writestr("redis-cache/tests/deep/object-cache.php", "<?php // another")
        opened.writestr("redis-cache/includes/object-cache.php", ours)
    path = wordpress.home / "plugin.zip"
    path.write_bytes(packed.getvalue())
    plugin = {"archive": str(path), "sha256": hashlib.sha256(packed.getvalue()).hexdigest()}
    as_it_was = before(wordpress)
    values = {**VALUES, "dropin": "plugin"}
    asked = asked_for(wordpress, {**hints_of(wordpress.hosting), "redis_plugin": plugin}, values)
    plan = carrying.plan(RUNBOOK, asked)
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    assert (wordpress.content / "object-cache.php").read_text("utf-8") == ours
    carrying.undo(RUNBOOK, asked, plan)
    assert before(wordpress) == as_it_was
    for hints, code in (({**plugin, "sha256": "0" * 64}, "wrong_hash"), (None, "no_plugin")):
        told = {**hints_of(wordpress.hosting), **({"redis_plugin": hints} if hints else {})}
        with pytest.raises(Refused) as refused:
            carrying.plan(RUNBOOK, asked_for(wordpress, told, values))
        assert refused.value.code == code


def test_one_site_is_flushed_and_no_other(carrying: Carrying, wordpress: Site) -> None:
    _, plan = planned(carrying, wordpress)
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    server, name = wordpress.hosting.redis, plan.keeps["name"]
    for key in (f"{name}2:x", name.replace("shop", "sho"), "other:x", name.replace("-", "?")):
        server.run("SET", key, "theirs")
    site = asked_for(wordpress, hints_of(wordpress.hosting), VALUES).site
    facts = carrying.facts((wp.read(site), php.read(site)))
    flush = redis.flush_site(site, facts)
    assert flush is not None
    assert carrying.do(flush)["keys"] > 3
    assert sorted(server.run("KEYS", "*").split("\n")) == sorted(
        [f"{name}2:x", name.replace("shop", "sho"), "other:x", name.replace("-", "?")]
    )


def test_two_sites_whose_names_read_alike_share_no_user_and_no_key(
    carrying: Carrying, make_site: Callable[..., Site]
) -> None:
    first, second = (make_site(f"{'shop' * 12}--{each}.example") for each in ("one", "two"))
    assert len({redis.stem_of(_asked(each).site).rpartition("-")[0] for each in (first, second)}) == 1
    server = first.hosting.redis
    asked: dict[Site, Asked] = {}
    plans: dict[Site, Plan] = {}
    for number, each in enumerate((first, second)):
        carrying.secrets.pop("redis_user", None)
        asked[each] = asked_for(each, hints_of(each.hosting), VALUES, token=f"0a1b2c3{number}")
        plans[each] = carrying.plan(RUNBOOK, asked[each])
        carrying.carry_out(plans[each])
        assert carrying.prove(plans[each]) == []
    keys = {each: keys_of(server, plan) for each, plan in plans.items()}
    assert all(len(each) > 3 for each in keys.values())
    assert len(server.run("KEYS", "*").split("\n")) == sum(len(each) for each in keys.values())
    for each in (first, second):
        known = carrying.facts(RUNBOOK.reads(asked[each]))["redis"]["known"]
        assert known == {plans[each].keeps["name"]: {"user": True, "keys": len(keys[each])}}
    pretending = replace(asked[second].site, hints=hints_of(second.hosting))
    facts = carrying.facts((wp.read(replace(pretending, docroot=str(first.docroot))),))
    assert redis.flush_site(pretending, facts) is None  # a copy of the other's wp-config.php flushes nothing of it
    flush = redis.flush_site(asked[first].site, carrying.facts((wp.read(asked[first].site),)))
    assert flush is not None
    assert carrying.do(flush)["keys"] == len(keys[first])
    assert keys_of(server, plans[first]) == []
    assert keys_of(server, plans[second]) == keys[second]
    carrying.undo(RUNBOOK, asked[first], plans[first])
    assert keys_of(server, plans[second]) == keys[second]
    assert carrying.prove(plans[second]) == []


def test_one_that_was_set_up_when_names_had_no_digest_gets_a_name_of_its_own(
    carrying: Carrying, wordpress: Site
) -> None:
    _, plan = planned(carrying, wordpress)
    carrying.carry_out(plan)
    name = plan.keeps["name"]
    stem, token = redis.stem_of(_asked(wordpress).site), name[-8:]
    before = f"{stem.rpartition('-')[0]}-{token}"
    wordpress.config.write_text(wordpress.config.read_text("utf-8").replace(name, before), "utf-8")
    wordpress.hosting.redis.run("SET", f"{before}:x", "theirs, perhaps")
    assert redis.flush_site(_asked(wordpress).site, carrying.facts((wp.read(_asked(wordpress).site),))) is None
    later = asked_for(wordpress, hints_of(wordpress.hosting), VALUES, token="11112222")
    carrying.secrets.pop("redis_user")
    again = carrying.plan(RUNBOOK, later)
    assert again.keeps["name"] == f"{stem}-11112222"
    carrying.carry_out(again)
    assert carrying.prove(again) == []
    assert wordpress.hosting.redis.run("GET", f"{before}:x") == "theirs, perhaps"


def keys_of(server: Any, plan: Plan) -> list[str]:
    return sorted(each for each in server.run("KEYS", f"{plan.keeps['name']}:*").split("\n") if each)


def _asked(site: Site) -> Asked:
    return asked_for(site, hints_of(site.hosting), VALUES)


def _left(asked: Asked, plan: Plan) -> Any:
    from steelyard.toolbox.runbook import Left

    return Left(asked.site, asked.values, asked.token, asked.now, plan.keeps)
