"""What runbooks that change a site, and a team's own script, are tried on: the site before, and what is chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.toolbox.test_search_replace_domain import NEW, filled

from steelyard.demo.hosting import Site
from steelyard.toolbox.scanning.findings import keep_findings
from steelyard.toolbox.scanning.model import Finding, Hit, Kind

if TYPE_CHECKING:
    from test_toolbox_catalog import Stage

Given = Mapping[str, Any]


@dataclass(frozen=True)
class Scene:
    """A runbook at a site. `changes`: how many calls of its plan change something; `back`: the same of its undo."""

    runbook: str
    changes: int
    back: int
    prepare: Callable[[Stage], Awaitable[Given]]
    """Makes the site what it is like before, and says what is chosen."""
    prove: Callable[[Site], None] = lambda _: None
    """What else holds once it is done."""


async def as_it_is(_: Stage) -> Given:
    """The site is as it is."""
    return {}


async def open_to_all(stage: Stage) -> Given:
    site = stage.real
    site.config.chmod(0o666)
    (site.content / "uploads").mkdir(exist_ok=True)
    (site.content / "uploads").chmod(0o777)
    return {}


async def with_a_post(stage: Stage) -> Given:
    """What a reset takes away, and its undo brings back."""
    site = stage.real
    site.wp("post", "create", "--post_title=Mine", "--post_status=publish")
    site.hosting.owner.write(site.docroot / "robots.txt", "mine")
    return {}


async def with_intl_at_hand(stage: Stage) -> Given:
    """PHP could load intl, and does not. A page of the site says whether it does."""
    php, site = stage.real.hosting.php, stage.real
    php.install("intl", enable=False)
    php.reload()  # of the case before it may still be under way, and the plan would be another once it ended
    stage.later.append(lambda: php.uninstall("intl"))
    site.hosting.owner.write(site.docroot / "loaded.php", "<?php echo json_encode(extension_loaded('intl'));")
    return {"extension": "intl"}


async def broken_into(stage: Stage) -> Given:
    """A scan found two files."""
    site, engine = stage.real, stage.engine
    found: list[Finding] = []
    for name in ("door.php", "odd\nname'.php"):
        path = site.hosting.owner.write(site.content / "uploads" / name, f"<?php // {name!r}", 0o640)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(Finding(Kind.FILE, str(path), Hit("malicious", "r", "p", "a", "l", "x", "y"), digest))
    scan = await engine.ask("scan_malware", None, "real")
    await engine.work(scan)
    async with engine.database.transaction(engine.workspace) as conn:
        await keep_findings(conn, engine.workspace, scan, [Kind.FILE], found, engine.clock())
    return {"scan": scan, "findings": "1-2"}


async def with_full_caches(stage: Stage) -> Given:
    """Keys in Redis, pages, compiled PHP and transients."""
    site = stage.real
    redis = await stage.done("set_up_redis", {})
    stage.later.append(lambda: stage.undone(redis.run))
    for name in ("wp-rocket/shop/index.html", "min/a.css"):
        folder = site.content / "cache"
        for part in ("", *name.split("/")[:-1]):
            folder = folder / part
            if not folder.exists():
                site.hosting.owner.make_folder(folder)
        site.hosting.owner.write(folder / name.rpartition("/")[2], "page")
    site.sql(f"INSERT INTO {site.prefix}options (option_name, option_value) VALUES ('_transient_kept', 'x')")
    return {"transients": "1"}


async def with_its_domain_everywhere(stage: Stage) -> Given:
    """In the database, and in wp-config.php."""
    site = stage.real
    filled(site)
    text = site.config.read_text().replace("<?php", f"<?php\ndefine( 'WP_HOME', '{site.url}' );", 1)
    site.hosting.owner.write(site.config, text)
    return {"from": stage.real.name, "to": NEW}


async def with_robots(stage: Stage) -> Given:
    stage.real.hosting.owner.write(stage.real.docroot / "robots.txt", "everybody", 0o640)
    return {"text": "be patient"}


def emptied(site: Site) -> None:
    """What clear_caches promises."""
    folders = sorted((site.content / "cache").rglob("*"))
    assert [path.name for path in folders] == ["min", "wp-rocket"]
    kept = site.sql(f"SELECT option_name FROM {site.prefix}options WHERE option_name = '_transient_kept'")
    assert kept == []


SCENES = (
    Scene("rotate_salts", 2, 2, as_it_is),
    Scene("fix_permissions", 1, 1, open_to_all),
    Scene("set_up_redis", 5, 5, as_it_is),
    Scene("reset_wordpress", 4, 3, with_a_post),
    Scene("install_php_extension", 4, 3, with_intl_at_hand),
    Scene("quarantine_files", 1, 1, broken_into),
    Scene("create_admin_link", 1, 1, as_it_is),
    Scene("clear_caches", 4, 0, with_full_caches, prove=emptied),
    Scene("search_replace_domain", 3, 3, with_its_domain_everywhere),
    Scene("post_notice", 1, 1, with_robots),
)
