"""Our object-cache.php: the interface that WordPress knows, and what it does while Redis is away."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.toolbox.carrying import Carrying
from tests.toolbox.test_set_up_redis import carrying, planned

import steelyard.toolbox.hosted
from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.hosted.redis import DROPIN

__all__ = ["carrying"]
DROP_IN = Path(steelyard.toolbox.hosted.__file__).parent / "php/object-cache.php"
SCRIPT = Path(__file__).parent / "object_cache.php"


@pytest.fixture
def laid(hosting: Hosting) -> Iterator[list[Path]]:
    """The drop-in and the script where the sites' user can read them."""
    folder = hosting.owner.make_folder(hosting.folder / "object-cache")
    yield [hosting.owner.write(folder / path.name, path.read_text("utf-8")) for path in (SCRIPT, DROP_IN)]
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["single", "network"])
def test_it_keeps_to_wordpress_s_interface(carrying: Carrying, hosting: Hosting, laid: list[Path], kind: str) -> None:
    script, drop_in = laid
    argv = ["/usr/bin/php8.2", "-d", "display_errors=stderr", script, drop_in, hosting.redis.socket, kind]
    said = hosting.owner.run(argv, environment={"REDIS_PASSWORD": hosting.redis.password})
    assert json.loads(said) == []
    assert all(key.startswith("test-00000000:") for key in hosting.redis.run("KEYS", "*").split("\n"))


def test_it_asks_for_no_command_that_its_user_may_not(carrying: Carrying, hosting: Hosting, laid: list[Path]) -> None:
    hosting.redis.run("ACL", "SETUSER", "narrow", "reset", "on", ">secret", "~test-00000000:*", "-@all", *DROPIN)
    script, drop_in = laid
    script.write_text(script.read_text().replace("'admin'", "'narrow'"))
    argv = ["/usr/bin/php8.2", "-d", "display_errors=stderr", script, drop_in, hosting.redis.socket, "single"]
    assert json.loads(hosting.owner.run(argv, environment={"REDIS_PASSWORD": "secret"})) == []
    log = hosting.redis.run("ACL", "LOG")
    assert "narrow" not in log


@pytest.mark.slow
def test_while_redis_is_away_the_site_works_and_afterwards_nothing_old_is_told(
    carrying: Carrying, wordpress: Site
) -> None:
    _, plan = planned(carrying, wordpress)
    carrying.carry_out(plan)
    assert carrying.prove(plan) == []
    server, name = wordpress.hosting.redis, plan.keeps["name"]
    assert "Before it" in _title(wordpress, "Before it")
    server.run("ACL", "SETUSER", name, "off")
    server.run("CLIENT", "KILL", "USER", name)
    assert wordpress.get("/").status == 200
    _set_title(wordpress, "After it")
    server.run("ACL", "SETUSER", name, "on")
    assert wordpress.get("/").status == 200
    _wait_until_asked_again(wordpress)
    assert "After it" in wordpress.get("/").body


def _title(site: Site, title: str) -> str:
    _set_title(site, title)
    site.hosting.redis.run("FLUSHALL")
    site.get("/")
    return site.get("/").body


def _set_title(site: Site, title: str) -> None:
    """As a process that reaches no Redis would: in the database alone."""
    site.sql(f"UPDATE {site.prefix}options SET option_value = '{title}' WHERE option_name = 'blogname'")


def _wait_until_asked_again(site: Site) -> None:
    time.sleep(6)
    site.get("/")
