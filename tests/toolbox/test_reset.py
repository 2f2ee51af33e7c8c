"""Resetting real sites: MariaDB, PHP-FPM and nginx, reached over SSH as a worker reaches them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from resetting import HostSlot, Resetting, make_slot, remove, seen

from hosting import MakeSite
from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox import slots_template

Reset = Callable[..., Resetting]


@pytest.fixture(scope="session")
def slot(hosting: Hosting, hosting_folder: Path) -> Iterator[HostSlot]:
    folder = hosting_folder / "slots"
    yield make_slot(hosting, folder, slots_template.make(hosting.template.wordpress.core, "en_US"))
    remove(folder)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


async def test_a_site_is_fresh_afterwards_and_as_it_was_after_the_undo(site: Site, slot: HostSlot) -> None:
    site.wp("post", "create", "--post_title=Mine", "--post_status=publish")
    site.wp("user", "create", "bob", "bob@shop.example", "--role=author")
    hosting = site.hosting
    hosting.owner.write(site.content / "uploads/mine.txt", "mine")
    hosting.owner.write(site.docroot / "robots.txt", "mine")
    before, config = seen(site), site.config.read_text()
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    assert site.wp("core", "version") == "7.1.1"
    assert site.sql("SELECT post_title FROM wp_posts WHERE post_status = 'publish' AND post_type = 'post'") == [
        ["Hello world!"]
    ]
    assert site.wp("user", "list", "--field=user_login") == site.admin[0]
    assert not (site.docroot / "robots.txt").exists()
    assert site.password in site.config.read_text()
    assert site.config.read_text() != config
    assert site.get("/").status == 200
    assert "Hello world!" in site.get("/").body
    assert (
        site.wp("eval", f"echo wp_check_password('{site.admin[1]}', get_user_by('id', 1)->user_pass) ? 'y' : 'n';")
        == "y"
    )
    assert site.wp("eval", "echo user_can(1, 'manage_options') ? 'y' : 'n';") == "y"
    await resetting.undo(plan)
    assert seen(site) == before
    assert site.get("/?p=1").status in (200, 301)
    await resetting.erase(plan)
    assert site.tables() == sorted(before["tables"])
    assert seen(site) == before
    assert {each.name for each in site.home.iterdir()} == {"htdocs"}
