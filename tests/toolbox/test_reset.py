"""Resetting real sites: MariaDB, PHP-FPM and nginx, reached over SSH as a worker reaches them."""

from __future__ import annotations

import json

import pytest
from resetting import HostSlot, Resetting, seen

from hosting import MakeSite
from steelyard.demo.hosting import Site
from steelyard.demo.hosting.odd import add_odd_files, add_odd_tables
from steelyard.toolbox.catalog.reset_wordpress.deciding import FRESH
from steelyard.toolbox.model import Plan, Token, encode
from steelyard.toolbox.reach import HostError
from steelyard.toolbox.tools import core
from steelyard.toolbox.tools.core import slots as slots_of


def encode_plan(plan: Plan) -> object:
    return [encode(plan.keeps), [encode(step.actions) for step in plan.steps], encode(plan.concerns)]


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


async def test_odd_tables_and_odd_files_come_back_as_they_were(site: Site, slot: HostSlot) -> None:
    add_odd_tables(site)
    add_odd_files(site)
    long_name = "wp_" + "a_very_long_name_that_some_plugin_chose_for_its_own_statistics"[:61]
    site.sql(
        f"CREATE TABLE `{long_name}` (id INT); CREATE TABLE `wp_odd ``name` (id INT); CREATE TABLE `żółw` (id INT)"
    )
    before, report = seen(site), site.sql("SELECT * FROM wp_order_report ORDER BY id")
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    assert sorted(each for each in site.tables() if not each.startswith("sy")) == sorted(
        [*(f"wp_{each}" for each in FRESH), "żółw"]
    )
    await resetting.undo(plan)
    assert seen(site) == before
    assert site.sql("SELECT * FROM wp_order_report ORDER BY id") == report
    site.sql("INSERT INTO wp_order_lines (order_id, title) VALUES (1, 'again')")  # the trigger fires
    assert site.sql("SELECT total FROM wp_orders WHERE id = 1") != [[report[0][1]]]
    await resetting.erase(plan)
    assert sorted(site.tables()) == sorted(before["tables"])


async def test_the_trash_can_be_erased_with_views_and_foreign_keys_in_it(site: Site, slot: HostSlot) -> None:
    add_odd_tables(site)
    resetting = Resetting(site, slot)
    await resetting.erase(await resetting.reset())
    assert site.tables() == sorted(f"wp_{each}" for each in FRESH)
    assert {each.name for each in site.home.iterdir()} == {"htdocs"}
    assert site.get("/").status == 200


async def test_another_install_in_the_database_is_not_touched(make_site: MakeSite, slot: HostSlot) -> None:
    site = make_site(prefix="wp_")
    neighbour = make_site(prefix="wp_two_", beside=site)
    before = {each: site.sql(f"SELECT * FROM `{each}`") for each in site.tables() if each.startswith("wp_two_")}
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    assert {each: site.sql(f"SELECT * FROM `{each}`") for each in before} == before
    await resetting.undo(plan)
    await resetting.erase(plan)
    assert {each: site.sql(f"SELECT * FROM `{each}`") for each in before} == before
    assert neighbour.get("/").status == 200


async def test_a_network_becomes_one_site_and_comes_back(make_site: MakeSite, slot: HostSlot) -> None:
    site = make_site(multisite=True)
    site.wp("site", "create", "--slug=two")
    before = seen(site)
    assert "wp_2_posts" in before["tables"]
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    assert any("network of 2" in str(each.message % each.values) for each in plan.warnings)
    assert not [each for each in site.tables() if each.startswith("wp_2_")]
    assert site.wp("eval", "echo is_multisite() ? 'y' : 'n';") == "n"
    await resetting.undo(plan)
    assert seen(site) == before


@pytest.mark.parametrize(
    "wanted", [{"closed_parent": True}, {"linked_docroot": True}, {"config_above": True}, {"content": "assets"}]
)
async def test_every_way_that_a_site_may_lie(make_site: MakeSite, slot: HostSlot, wanted: dict[str, object]) -> None:
    site = make_site(**wanted)
    site.hosting.owner.make_folder(site.docroot / ".well-known")
    site.hosting.owner.write(site.docroot / ".well-known/proof", "proof")
    before, config = seen(site), site.config.read_text()
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    assert plan.keeps["place"]["mode"] == ("entries" if "closed_parent" in wanted else "exchange")
    assert (site.docroot / ".well-known/proof").read_text() == "proof"
    assert (site.docroot / "wp-content/themes").is_dir()
    if "config_above" in wanted:
        assert site.config.read_text() == config
    assert site.get("/.well-known/proof").body == "proof"
    await resetting.undo(plan)
    after = seen(site)
    after["files"] = {name: what for name, what in after["files"].items() if not name.startswith(".steelyard")}
    assert after == before
    await resetting.erase(plan)
    assert seen(site) == before


async def test_a_new_administrator_with_the_password_that_was_given(site: Site, slot: HostSlot) -> None:
    given = {"administrator": "new", "login": "carol", "email": "c@shop.example", "password": "x", "title": "É\"'\\"}
    resetting = Resetting(site, slot, given=given, secrets={"password": "pa'ss\"wörd\\"})
    plan = await resetting.reset()
    assert site.wp("user", "list", "--field=user_login") == "carol"
    php = "echo wp_authenticate('carol', 'pa\\'ss\"wörd\\\\') instanceof WP_User ? 'y' : 'n';"
    assert site.wp("eval", php) == "y"
    assert site.wp("option", "get", "admin_email") == "c@shop.example"
    assert site.sql("SELECT option_value FROM wp_options WHERE option_name = 'blogname'") == [["É\"'\\\\"]]
    assert "wörd" not in json.dumps(encode_plan(plan), ensure_ascii=False)


async def test_without_a_template_wordpress_installs_itself(site: Site, slot: HostSlot) -> None:
    resetting = Resetting(site, slot, offered=slot.without_template())
    plan = await resetting.reset()
    assert any("no template" in each.message for each in plan.warnings)
    assert site.wp("user", "list", "--field=user_login") == site.admin[0]
    assert site.wp("eval", "echo user_can(1, 'manage_options') ? 'y' : 'n';") == "y"
    assert site.sql("SELECT option_name FROM wp_options WHERE option_name LIKE 'sy%'") == []


async def test_a_template_makes_what_the_installer_makes(make_site: MakeSite, slot: HostSlot) -> None:
    told: list[dict[str, object]] = []
    for number, offered in enumerate((slot.offered, slot.without_template())):
        site = make_site(f"same{number}.example")
        await Resetting(site, slot, offered=offered).reset()
        columns = {each: site.sql(f"SHOW COLUMNS FROM `{each}`") for each in site.tables() if each.startswith("wp_")}
        keys = {each: [row[2:5] for row in site.sql(f"SHOW INDEX FROM `{each}`")] for each in columns}
        options = site.sql("SELECT option_name, autoload FROM wp_options WHERE option_name NOT LIKE '%transient%'")
        collation = site.sql(
            "SELECT DISTINCT TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
        )
        posts = site.sql("SELECT ID, post_title, post_content, guid, post_name, post_type FROM wp_posts ORDER BY ID")
        told.append({"columns": columns, "keys": keys, "options": sorted(options), "posts": posts, "in": collation})
    assert json.loads(json.dumps(told[0]).replace("same0", "same1")) == told[1]


async def test_uploads_may_stay(site: Site, slot: HostSlot) -> None:
    site.hosting.owner.write(site.content / "uploads/mine.txt", "mine")
    before = seen(site)
    resetting = Resetting(site, slot, given={"uploads": "on"})
    plan = await resetting.reset()
    assert (site.content / "uploads/mine.txt").read_text() == "mine"
    await resetting.undo(plan)
    assert seen(site) == before


async def test_a_spare_is_taken_only_if_it_is_what_was_signed(site: Site, slot: HostSlot) -> None:
    one = slots_of(slot.offered)[0]
    for tampered in (False, True):
        resetting = Resetting(site, slot, Token("0a1b2c3e" if tampered else "0a1b2c3d"))
        async with resetting.reached() as reached:
            await resetting.call(reached, core.spare(str(site.docroot), str(slot.path), one.sha256))
        spare = next(each for each in site.home.iterdir() if each.name.startswith(".steelyard-spare"))
        if tampered:
            (spare / "files/wp-load.php").write_text("<?php evil();")
        plan = await resetting.reset()
        assert "evil" not in (site.docroot / "wp-load.php").read_text()
        assert any("spare" in each for each in resetting.said) is tampered
        assert not spare.exists()
        await resetting.undo(plan)


async def test_a_slot_that_was_changed_on_the_host_is_not_used(site: Site, slot: HostSlot) -> None:
    before = seen(site)
    file = slot.path / "files/wp-admin/index.php"
    right = file.read_text()
    resetting = Resetting(site, slot)
    try:
        file.write_text("<?php evil();")
        async with resetting.reached() as reached:
            plan = await resetting.plan(reached)
            with pytest.raises(HostError, match="signed manifest"):
                await resetting.do(reached, plan)
    finally:
        file.write_text(right)
    assert seen(site) == before


@pytest.mark.parametrize("closed", [False, True])
async def test_from_wherever_it_stopped_it_comes_back_or_goes_on(
    make_site: MakeSite, slot: HostSlot, closed: bool
) -> None:
    site = make_site(closed_parent=closed)
    before = seen(site)
    for number, until in enumerate(("stage", "exchange_tables", "exchange_files", "reload_php")):
        resetting = Resetting(site, slot, Token(f"0a1b2c4{number}"))
        async with resetting.reached() as reached:
            plan = await resetting.plan(reached)
            await resetting.do(reached, plan, until=until)
        if until in ("exchange_files", "reload_php"):
            await resetting.undo(plan)
            await resetting.erase(plan)
        now = seen(site)
        now["files"] = {name: what for name, what in now["files"].items() if not name.startswith(".steelyard")}
        assert now == before, until
        async with resetting.reached() as reached:  # and all of it again, over what is there
            await resetting.do(reached, plan)
            await resetting.do(reached, plan)
            assert await resetting.prove(reached, plan) == []
        await resetting.undo(plan)
        assert (await resetting.undo(plan)).nothing is not None
        await resetting.erase(plan)
        assert seen(site) == before, until


async def test_what_came_since_is_kept_aside_by_the_undo(site: Site, slot: HostSlot) -> None:
    before = seen(site)
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    site.sql("CREATE TABLE wp_since (id INT)")
    site.hosting.owner.write(site.docroot / "since.txt", "since")
    await resetting.undo(plan)
    assert seen(site) == before
    assert "sy0a1b2c3dn_wp_since" in site.tables()
    assert [each for each in site.home.rglob("since.txt")]


async def test_a_check_that_fails_says_what_is_wrong(site: Site, slot: HostSlot) -> None:
    resetting = Resetting(site, slot)
    async with resetting.reached() as reached:
        plan = await resetting.plan(reached)
        await resetting.do(reached, plan)
        site.hosting.owner.write(site.docroot / "wp-login.php", "<?php http_response_code(500);")
        site.hosting.php.reload()
        assert [each["login"] for each in await resetting.prove(reached, plan)] == [500]
    await resetting.undo(plan)


async def test_old_tables_may_have_any_collation(site: Site, slot: HostSlot) -> None:
    site.wp("option", "update", "blog_public", "0")
    site.wp("user", "update", "1", "--display_name=Zoé", "--first_name=Zoé")
    for table, charset in (
        ("options", "utf8mb4 COLLATE utf8mb4_general_ci"),
        ("users", "latin1"),
        ("usermeta", "latin1"),
    ):
        site.sql(f"ALTER TABLE wp_{table} CONVERT TO CHARACTER SET {charset}")
    before = seen(site)
    resetting = Resetting(site, slot)
    plan = await resetting.reset()
    assert site.wp("option", "get", "blog_public") == "0"
    assert site.wp("user", "get", "1", "--field=display_name") == "Zoé"
    assert site.wp("user", "meta", "get", "1", "first_name") == "Zoé"
    await resetting.undo(plan)
    assert seen(site) == before
