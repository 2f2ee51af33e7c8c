"""Which PHP serves a site, asked of the PHP that runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.toolbox.carrying import Carrying, asked_for, hints_of

from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.model import By
from steelyard.toolbox.tools import php


@pytest.fixture
def carrying(hosting: Hosting) -> Iterator[Carrying]:
    carrying = Carrying(hosting)
    yield carrying
    carrying.stop()


@pytest.fixture
def own_extension(hosting: Hosting) -> Iterator[None]:
    hosting.php.install("redis", enable=True)
    yield
    hosting.php.uninstall("redis")
    hosting.php.uninstall("igbinary")
    hosting.php.reload()


def test_the_pool_that_serves_the_site_is_found_and_asked(carrying: Carrying, wordpress: Site) -> None:
    hosting = wordpress.hosting
    found = carrying.do(php.read(asked_for(wordpress, hints_of(hosting), {}).site).action)
    assert (found["version"], found["api"], found["zts"], found["arch"]) == ("8.2", "20220829", False, "x86_64")
    assert found["cli"] == str(hosting.php.binary)
    assert found["fpm"]["socket"] == str(hosting.php.socket)
    assert found["fpm"]["asked"] == "running"
    assert found["settings"]["fpm"] == str(hosting.php.folder / "fpm/php.ini")
    assert found["writes"] == {"cli": True, "fpm": True}
    assert {"mysqli", "opcache"} <= set(found["extensions"]["cli"]) & set(found["extensions"]["fpm"])
    assert "cgi-fcgi" in found["extensions"]["fpm"]  # it was FPM that told, no command line
    assert "cgi-fcgi" not in found["extensions"]["cli"]


def test_what_runs_counts_and_not_what_its_settings_say_by_now(
    carrying: Carrying, wordpress: Site, own_extension: None
) -> None:
    site = asked_for(wordpress, hints_of(wordpress.hosting), {}).site
    assert carrying.do(php.loaded(site, ["redis"])) == {"cli": True, "fpm": False}
    action = php.reload(site, {"php": carrying.do(php.read(site).action)})
    assert action is not None
    assert action.by is By.SITE
    carrying.do(action)
    begun = time.monotonic()
    while not carrying.do(php.loaded(site, ["redis"]))["fpm"]:
        assert time.monotonic() - begun < 10
    assert wordpress.get("/").status == 200
