"""The demo's real site: a shop on a host of this machine that Steelyard reaches over SSH, as it would any other."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import SecretStr

from steelyard.config import Settings
from steelyard.demo.hosting import Hosting, HostingError, Site, prepared
from steelyard.demo.hosting.shop import running_shop
from steelyard.kit.errors import SteelyardError
from steelyard.kit.ids import WorkspaceId
from steelyard.operations import core_copying, core_slots
from steelyard.store.database import Connection
from steelyard.store.keys import WORKER, Keys, key_file
from steelyard.toolbox.keys import make_key
from steelyard.toolbox.registry import add_host, add_site
from steelyard.toolbox.registry_rows import NewHost, NewSite

_KEY: Final = "demo"
log = structlog.get_logger()


@contextmanager
def shop(folder: Path) -> Generator[Site | None]:
    """The shop, running while the block does; None where `make demo-site` has not prepared it, or it cannot start."""
    template = prepared()
    if template is None:
        yield None
        return
    with ExitStack() as running:
        try:
            site = running.enter_context(running_shop(folder / "host", template))
        except HostingError as error:
            log.warning("demo.shop_left_out", advice=str(error))
            site = None
        yield site


async def register(conn: Connection, workspace: WorkspaceId, keys: Path, site: Site, now: datetime) -> None:
    """Puts the shop and its host into the registry, and lets a key of Steelyard's own in."""
    sshd, hosting = site.hosting.sshd, site.hosting
    key = await make_key(conn, workspace, _KEY, Keys(key_file(keys, WORKER)), now)
    with sshd.authorized_keys.open("a", encoding="ascii") as file:
        file.write(f"{key.public}\n")
    host = await add_host(
        conn,
        workspace,
        NewHost("web-1", "127.0.0.1", sshd.user, sshd.port, sshd.host_key, key.key, hints=hints_of(hosting)),
        now,
    )
    new = NewSite(site.name, host, str(site.docroot), sshd.user, site.url, hints={})
    await add_site(conn, workspace, new, now)


async def hold_wordpress(settings: Settings, url: str, site: Site) -> None:
    """Adds the WordPress of the shop as a core slot and copies it to its host, so that a reset takes a second.

    `settings` as the demo's processes have them, `url` the database. Takes some seconds, beside everything else.
    """
    reached = settings.model_copy(update={"database_url": SecretStr(url)})
    try:
        core_slots.key(reached)
        await core_slots.add(reached, site.hosting.template.wordpress.archive, core_slots.Pins(), log.debug)
        await core_copying.copy(reached, None, [], [site.name], log.debug)
    except SteelyardError as error:
        log.warning("demo.wordpress_left_out", advice=str(error))


def hints_of(hosting: Hosting) -> dict[str, Any]:
    """What an operator would say of this host, whose servers stand in no usual place."""
    php, redis = hosting.php, hosting.redis
    settings = ["-c", str(php.folder / "fpm/php.ini"), "-y", str(php.folder / "fpm/php-fpm.conf")]
    return {
        "php": str(php.binary),
        "php_ini": {kind: str(php.folder / kind / "conf.d") for kind in ("cli", "fpm")},
        "fpm_pools": str(php.folder / "fpm/pool.d"),
        "fpm_reload": {"argv": php.reload_command, "by": "site"},
        "fpm_check": {"argv": ["/usr/sbin/php-fpm8.2", "-t", *settings], "by": "site"},
        "redis": {"host": "127.0.0.1", "port": redis.port, "admin": "admin"},
        "http_to": ["127.0.0.1", hosting.nginx.port],
    }
