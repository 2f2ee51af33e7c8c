"""What a reset concerns, what it warns of and what it leaves to do, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from steelyard.toolbox.catalog.reset_wordpress.deciding import WELL_KNOWN, Way, few
from steelyard.toolbox.model import Row, Size
from steelyard.web.said import N_, Said

_OWN = re.compile(r"wp-[a-z-]+\.php|wp-admin|wp-includes|wp-content|index\.php|license\.txt|readme\.html|xmlrpc\.php")


def concerns(way: Way) -> Iterator[Row]:
    """What goes, what changes, what stays."""
    site, counts = way.site, way.facts["tables"]
    was, now = f"{site['version']} {site['locale']}", f"{way.slot.version} {way.slot.locale}"
    yield Row(_said(N_("WordPress")), Said(N_("%(was)s becomes %(now)s"), {"was": was, "now": now}))
    yield Row(_said(N_("Address")), way.url)
    files = {"count": way.files["files"], "size": Size(way.files["bytes"])}
    yield Row(_said(N_("Files that go to the trash")), Said(N_("%(count)s, %(size)s"), files))
    tables = {"count": len(way.ours.tables), "size": Size(way.ours.bytes), "prefix": way.prefix}
    yield Row(_said(N_("Tables that go to the trash")), Said(N_("%(count)s, %(size)s, of prefix %(prefix)s"), tables))
    if counts["posts"] is not None:
        yield Row(_said(N_("Posts and pages")), counts["posts"])
    if counts["users"] is not None:
        yield Row(_said(N_("Users")), counts["users"])
    others = [each for each in way.files["entries"] if _OWN.fullmatch(each) is None and each != WELL_KNOWN]
    if others:
        yield Row(_said(N_("Also at the site’s top, to the trash")), few(others))
    yield Row(_said(N_("Administrator")), _administrator(way))
    if kept(way):
        yield Row(_said(N_("Settings that stay in wp-config.php")), few(sorted(kept(way))))
    if way.keep:
        yield Row(_said(N_("Folders that stay")), few(way.keep))
    if way.ours.others:
        yield Row(_said(N_("Other installs in the database, untouched")), few(way.ours.others))


def kept(way: Way) -> dict[str, object]:
    """The constants that stay: they say how the hosting is, not what the site is."""
    return {key: value for key, value in way.site["constants"].items() if key in CONSTANTS}


CONSTANTS = (
    *("WP_HOME", "WP_SITEURL", "FS_METHOD", "FS_CHMOD_DIR", "FS_CHMOD_FILE", "WP_MEMORY_LIMIT", "WP_MAX_MEMORY_LIMIT"),
    *("DISABLE_WP_CRON", "WP_CRON_LOCK_TIMEOUT", "WP_AUTO_UPDATE_CORE", "AUTOMATIC_UPDATER_DISABLED"),
    *("DISALLOW_FILE_EDIT", "DISALLOW_FILE_MODS", "FORCE_SSL_ADMIN", "WP_HTTP_BLOCK_EXTERNAL", "WP_ACCESSIBLE_HOSTS"),
    *("WP_PROXY_HOST", "WP_PROXY_PORT", "WP_PROXY_BYPASS_HOSTS", "WP_TEMP_DIR", "WP_POST_REVISIONS"),
    *("EMPTY_TRASH_DAYS", "AUTOSAVE_INTERVAL", "WP_ENVIRONMENT_TYPE", "MYSQL_CLIENT_FLAGS"),
)


def warnings(way: Way) -> Iterator[Said]:
    """What a person should know before."""
    if way.site["multisite"]:
        yield Said(
            N_("This is a network of %(count)s sites: all of them go, and one site comes."),
            {"count": len(way.facts["tables"]["blogs"])},
        )
    if not way.there:
        yield _said(N_("This WordPress is not on the host yet: it is brought there first, which takes longer."))
    if not way.slot.tables:
        yield _said(N_("There is no template of its tables: WordPress’s own installer makes them, which takes longer."))
    if way.mode == "entries":
        yield _said(
            N_(
                "The site’s folder itself cannot be exchanged: what is in it is moved piece by piece, and the "
                "site is incomplete for a moment."
            )
        )
    if way.files["hard"]:
        yield Said(
            N_("%(count)s files have a second name elsewhere (hard links): what is there stays as it is."),
            {"count": way.files["hard"]},
        )
    yield from _outside(way)
    yield from _database(way)


def _outside(way: Way) -> Iterator[Said]:
    if not way.site["content"].startswith(way.root + "/"):
        yield Said(
            N_("The content folder %(path)s is outside of the site’s folder: it stays, and is not used any more."),
            {"path": way.site["content"]},
        )
    if not way.site["config"].startswith(way.root + "/"):
        yield Said(
            N_("%(path)s stays as it is; the fresh wp-config.php lies in the site’s folder and counts first."),
            {"path": way.site["config"]},
        )
    if way.site["object_cache"] and way.flush is None:
        yield _said(
            N_(
                "What the object cache holds is not known to be this site’s alone, and stays until it expires: empty "
                "it in WordPress after an undo. One that “Set up Redis” made on the host’s own Redis is emptied here."
            )
        )


def _database(way: Way) -> Iterator[Said]:
    if way.ours.events:
        yield Said(
            N_("The database has %(count)s scheduled events: they go on, on the fresh tables."),
            {"count": way.ours.events},
        )
    if way.ours.watching:
        yield Said(
            N_("Views that are not the site’s read its tables, and will not work: %(names)s."),
            {"names": few(way.ours.watching)},
        )


def left(way: Way) -> Iterator[Said]:
    """What is left to do afterwards."""
    if way.asked.values["administrator"] == "new" and not way.asked.values["password"]:
        yield Said(
            N_("Nobody knows the password of %(login)s: create a sign-in link to let somebody in."),
            {"login": way.administrator["login"]},
        )
    if way.site["object_cache"]:
        yield _said(N_("The fresh site has no object cache: run “Set up Redis” again if it should have one."))
    if ".htaccess" in way.files["entries"]:
        yield _said(N_("Rules of .htaccess are in the trash: choose the permalinks again in the site’s settings."))


def _administrator(way: Way) -> Said:
    login = {"login": way.administrator["login"]}
    if "keep" in way.administrator:
        return Said(N_("%(login)s, with e-mail and password as they are"), login)
    return Said(N_("%(login)s, new"), login)


def _said(text: str) -> Said:
    return Said(text)
