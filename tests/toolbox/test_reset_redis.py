"""A site whose object cache is in Redis is reset: neither content is served from what the cache held of the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from resetting import HostSlot, Resetting
from tests.toolbox.carrying import Carrying, asked_for, empty_redis, hints_of

from hosting import MakeSite
from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.set_up_redis.runbook import RUNBOOK as SET_UP
from steelyard.toolbox.model import Token
from steelyard.toolbox.tools import redis

ALIKE = [f"{'shop' * 12}--{each}.example" for each in ("one", "two")]
"""Names that begin alike in Redis, where only so much of them is read."""
VALUES = {"endpoint": "", "dropin": "own", "limit": 0, "policy": "allkeys-lru"}


@pytest.fixture(autouse=True)
def emptied(hosting: Hosting, with_redis: None) -> Iterator[None]:
    yield
    empty_redis(hosting)
    hosting.owner.run(["rm", "-rf", hosting.folder / "home/.steelyard"])


def set_up(site: Site, token: str) -> str:
    """How its keys begin."""
    carrying = Carrying(site.hosting, {"redis": site.hosting.redis.password}, token)
    try:
        plan = carrying.plan(SET_UP, asked_for(site, hints_of(site.hosting), VALUES, token))
        carrying.carry_out(plan)
        assert carrying.prove(plan) == []
    finally:
        carrying.stop()
    return f"{plan.keeps['name']}:"


def resetting_of(site: Site, slot: HostSlot, **hints: Any) -> Resetting:
    given = {"redis": hints_of(site.hosting)["redis"], **hints}
    return Resetting(site, slot, hints=given, secrets={"redis": site.hosting.redis.password})


def keys(site: Site, prefix: str) -> dict[str, str]:
    server = site.hosting.redis
    return {key: server.run("DUMP", key) for key in server.run("KEYS", f"{prefix}*").split("\n") if key}


def use_the_cache_of(site: Site, old_config: str) -> None:
    """As somebody who copies the old constants and the drop-in onto the fresh site."""
    lines = "\n".join(line for line in old_config.splitlines() if "WP_REDIS_" in line)
    site.config.write_text(site.config.read_text("utf-8").replace("<?php", f"<?php\n{lines}", 1), "utf-8")
    source = Path(redis.__file__).parents[1] / "hosted/php/object-cache.php"
    site.hosting.owner.write(site.content / "object-cache.php", source.read_text("utf-8"))
    site.hosting.php.reload()


async def test_no_key_of_the_other_content_is_left_and_none_of_another_site_is_touched(
    make_site: MakeSite, slot: HostSlot
) -> None:
    site, like_it = (make_site(name) for name in ALIKE)
    site.wp("option", "update", "blogname", "What was here before")
    prefix, other = set_up(site, "aaaa1111"), set_up(like_it, "bbbb2222")
    server, stem = site.hosting.redis, redis.stem_of(resetting_of(site, slot).site)
    server.run("SET", f"{stem}x:y", "theirs")
    server.run("SET", f"{stem}-cccc3333:x", "of another set-up")
    assert "What was here before" in site.get("/").body
    assert len(keys(site, prefix)) > 3
    others, old_config = keys(site, other), site.config.read_text("utf-8")
    resetting = resetting_of(site, slot)
    plan = await resetting.reset()
    assert [step.name for step in plan.steps][-2:] == ["reload_php", "flush_keys"]
    assert list(keys(site, stem)) == [f"{stem}x:y"]
    assert "What was here before" not in site.get("/").body
    assert keys(site, other) == others != {}

    use_the_cache_of(site, old_config)
    assert "What was here before" not in site.get("/").body
    assert len(keys(site, prefix)) > 3
    server.run("SET", f"{stem}-dddd4444:x", "of a set-up of the fresh site")
    await resetting.undo(plan)
    assert list(keys(site, stem)) == [f"{stem}x:y"]
    assert "What was here before" in site.get("/").body
    assert len(keys(site, prefix)) > 3
    assert keys(site, other) == others


@pytest.mark.parametrize("trouble", ["away", "denied"])
async def test_a_redis_that_cannot_be_asked_stops_neither_the_reset_nor_the_way_back(
    make_site: MakeSite, slot: HostSlot, trouble: str
) -> None:
    site = make_site()
    resetting = resetting_of(site, slot)
    place = hints_of(site.hosting)["redis"]
    if trouble == "away":
        resetting.hints = {"redis": {**place, "port": 1}}
        place = {**place, "port": 1}
    else:
        resetting.secrets["redis"] = "wrong"
    prefix = f"{redis.name_of(resetting.site, Token('aaaa1111'))}:"
    lines = f"define('WP_REDIS_PREFIX', '{prefix}');\ndefine('WP_REDIS_PORT', {place['port']});"
    site.config.write_text(site.config.read_text("utf-8").replace("<?php", f"<?php\n{lines}", 1), "utf-8")
    before = site.config.read_text("utf-8")
    plan = await resetting.reset()
    assert [step.name for step in plan.steps][-1] == "flush_keys"
    await resetting.undo(plan)
    told = [line for line in resetting.said if redis.stem_of(resetting.site) in line and "until they expire" in line]
    assert len(told) == 2, resetting.said
    assert site.config.read_text("utf-8") == before


async def test_keys_that_are_not_known_to_be_the_site_s_stay_and_it_is_said(
    make_site: MakeSite, slot: HostSlot
) -> None:
    site, other = (make_site(name) for name in ALIKE)
    theirs = set_up(other, "bbbb2222")
    use_the_cache_of(site, other.config.read_text("utf-8"))  # a copy that says it is the other
    before = keys(site, theirs)
    resetting = resetting_of(site, slot)
    plan = await resetting.reset()
    assert "flush_keys" not in [step.name for step in plan.steps]
    assert [each for each in plan.warnings if "not known to be this site’s alone" in each.message]
    assert keys(site, theirs) == before
