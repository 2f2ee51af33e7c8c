"""The registry of sites and hosts, on a real database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from steelyard.kit.ids import WorkspaceId
from steelyard.store.database import Database
from steelyard.toolbox.model import HostId, SiteId
from steelyard.toolbox.registry import (
    NewHost,
    NewSite,
    RegistryError,
    add_host,
    add_site,
    change_site,
    find_host,
    find_site,
    read_hosts,
    read_site,
    read_sites,
    site_named,
    write_checked,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MakeWorkspace = Callable[..., Awaitable[WorkspaceId]]


async def a_site(database: Database, workspace: WorkspaceId, name: str = "shop.example") -> SiteId:
    async with database.transaction(workspace) as conn:
        web = NewHost(f"web-{name}", "web1.example", "support", local=True, hints={"php": "php8.2", "http": "http"})
        host = await add_host(conn, workspace, web, NOW)
        new = NewSite(name, host, "/srv/shop", "shop", f"https://{name}", "vip", {"php": "/usr/bin/php8.3"})
        return await add_site(conn, workspace, new, NOW)


async def test_a_site_is_read_with_its_host_and_the_hints_of_both(
    database: Database, make_workspace: MakeWorkspace
) -> None:
    workspace = await make_workspace()
    added = await a_site(database, workspace)
    async with database.transaction(workspace) as conn:
        site = await read_site(conn, added)
        assert (site.name, site.docroot, site.account, site.group) == ("shop.example", "/srv/shop", "shop", "vip")
        assert (site.host.name, site.host.address, site.host.port) == ("web-shop.example", "web1.example", 22)
        assert site.hints == {"php": "/usr/bin/php8.3", "http": "http"}  # its own win
        (row,) = await read_sites(conn)
        assert (row.site, row.hints, row.facts, row.added_at) == (site, {"php": "/usr/bin/php8.3"}, {}, NOW)
        (host,) = await read_hosts(conn)
        assert (host.host, host.local, host.sites, host.via) == (site.host, True, 1, None)
        await write_checked(conn, added, {"disk": 1}, NOW)
        assert (await site_named(conn, "shop.example")).facts == {"disk": 1}


async def test_a_name_is_taken_once(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    added = await a_site(database, workspace)
    other = await a_site(database, workspace, "blog.example")
    async with database.transaction(workspace) as conn:
        site = await read_site(conn, added)
        again = NewSite("shop.example", site.host.id, "/srv/x", "shop", "https://x")
        with pytest.raises(RegistryError, match=r"“shop[.]example” is here already"):
            await add_site(conn, workspace, again, NOW)
        with pytest.raises(RegistryError, match="is here already"):
            await change_site(conn, other, again)
        with pytest.raises(RegistryError, match=r"A host “web-shop[.]example” is here already"):
            await add_host(conn, workspace, NewHost("web-shop.example", "x", "support", local=True), NOW)
        assert len(await read_sites(conn)) == 2  # the transaction goes on


async def test_what_is_not_there_says_what_is_like_it(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    await a_site(database, workspace)
    async with database.transaction(workspace) as conn:
        with pytest.raises(RegistryError, match=r"Is it one of these: shop\.example"):
            await site_named(conn, "shp.example")
        with pytest.raises(RegistryError, match="not in the registry any more"):
            await read_site(conn, SiteId(99))
        assert await find_site(conn, SiteId(99)) is None
        assert await find_host(conn, HostId(99)) is None


async def test_another_workspace_sees_nothing(database: Database, make_workspace: MakeWorkspace) -> None:
    home, abroad = await make_workspace(), await make_workspace("other")
    added = await a_site(database, home)
    async with database.transaction(abroad) as conn:
        assert await find_site(conn, added) is None
        assert (await read_sites(conn), await read_hosts(conn)) == ([], [])


async def test_a_host_that_is_reached_by_ssh_needs_a_key(database: Database, make_workspace: MakeWorkspace) -> None:
    workspace = await make_workspace()
    with pytest.raises(Exception, match="check constraint"):
        async with database.transaction(workspace) as conn:
            await add_host(conn, workspace, NewHost("web", "web1.example", "support"), NOW)
