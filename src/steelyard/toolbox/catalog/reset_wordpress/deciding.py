"""What a reset will do to this site, decided from the facts; or why it cannot be done. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from steelyard.toolbox.model import Action, Json, Refused, Secret, Size
from steelyard.toolbox.runbook import Asked, Facts
from steelyard.toolbox.tools import core, redis, tables
from steelyard.toolbox.tools.core import Slot
from steelyard.toolbox.tools.tables import Ours
from steelyard.web.said import N_, Said

WELL_KNOWN: Final = ".well-known"
"""What stays of a site's top: where certificates are proved."""
ROOM: Final = 20_000_000
"""Bytes that stay free besides what a fresh WordPress takes."""
FRESH: Final = (
    *("commentmeta", "comments", "links", "options", "postmeta", "posts", "term_relationships", "term_taxonomy"),
    *("termmeta", "terms", "usermeta", "users"),
)
"""The tables of a fresh WordPress, where no template says so."""

REFUSALS: Final = {
    "no_wordpress": N_("There is no WordPress with a wp-config.php in %(docroot)s: check the site’s folder."),
    "config": N_(
        "wp-config.php does not say plainly which database is the site’s, and its PHP could not be asked."
        " Write DB_NAME, DB_USER, DB_PASSWORD, DB_HOST and $table_prefix into it."
    ),
    "database": N_("The site’s database does not answer: %(said)s"),
    "shared_users": N_(
        "The site shares its users’ tables with another (CUSTOM_USER_TABLE): a reset would take them from both."
    ),
    "core_elsewhere": N_(
        "WordPress is in a folder of its own, %(core)s: a fresh one would have other addresses. Reset it by hand."
    ),
    "linked_core": N_(
        "Parts of WordPress are links to another place (%(names)s), as where several sites share one:"
        " they are not the site’s to replace."
    ),
    "owner": N_("%(root)s belongs to %(owner)s, not to %(account)s, whose files they should be: correct that first."),
    "mounts": N_("%(names)s is a file system of its own inside of the site: unmount it first, else it is trashed too."),
    "not_writable": N_("%(account)s may not write to %(root)s: correct its permissions first."),
    "foreign_keys": N_(
        "Tables that are not the site’s refer to its own by foreign keys: %(names)s. Remove those keys first."
    ),
    "disk": N_("There is too little room: %(needed)s are needed beside the site, and %(free)s are free."),
    "no_slot": N_(
        "This cell holds no such WordPress (%(wanted)s). An operator adds it by the command: steelyard core add"
    ),
    "no_administrator": N_(
        "The site has no such administrator to keep (it has: %(names)s). Choose one of these, or a new one."
    ),
}
"""Why a site is not reset, by their codes."""


class Way(NamedTuple):
    """What is to be done."""

    asked: Asked
    facts: Facts
    slot: Slot
    ours: Ours
    mode: str
    """`exchange` the whole docroot, or its `entries`."""
    administrator: Mapping[str, Json]

    @property
    def site(self) -> Mapping[str, Any]:
        """The fact `wordpress`."""
        return self.facts["wordpress"]

    @property
    def files(self) -> Mapping[str, Any]:
        """The fact `files`."""
        return self.facts["files"]

    @property
    def root(self) -> str:
        """The docroot, links resolved."""
        return self.files["root"]

    @property
    def prefix(self) -> str:
        """Of the site's tables."""
        return self.site["prefix"]

    @property
    def url(self) -> str:
        """The site's address, without a slash at its end."""
        return (self.site["url"] or self.asked.site.url).rstrip("/")

    @property
    def keep(self) -> list[str]:
        """Names at the site's top that stay."""
        return [WELL_KNOWN] if WELL_KNOWN in self.files["entries"] else []

    @property
    def place(self) -> dict[str, Json]:
        """What actions on files need to find what is staged and what is in the trash."""
        return {"root": self.root, "token": self.asked.token, "mode": self.mode, "keep": self.keep}

    @property
    def configs(self) -> list[str]:
        """Where the wp-config.php is, whichever site is in place."""
        own = f"{self.root}/wp-config.php"
        return [own] if self.site["config"] == own else [own, self.site["config"]]

    @property
    def there(self) -> bool:
        """Whether the slot is on the host."""
        return self.slot.name in self.facts["slots"]["there"]

    @property
    def slot_path(self) -> str:
        """The slot's folder on the host."""
        return f"{self.facts['slots']['folder']}/{self.slot.name}"

    @property
    def spared(self) -> bool:
        """Whether a copy of the slot lies ready beside the site."""
        return self.mode == "exchange" and self.slot.sha256[:12] in self.files["spares"]

    @property
    def fresh(self) -> list[list[str]]:
        """The staged tables, with the names that they get."""
        staged = [tables.staged_prefix(self.asked.token) + each for each in self.slot.tables or FRESH]
        return tables.fresh_names(staged, self.asked.token, self.prefix)

    @property
    def trash(self) -> list[list[str]]:
        """The site's tables, with the names that they get in the trash."""
        return tables.moved(self.ours.tables, self.asked.token, "o")

    @property
    def flush(self) -> Action | None:
        """Removes the old site's keys from Redis; None where nothing tells them from others'."""
        return redis.flush_replaced(self.asked.site, self.facts)


def decide(asked: Asked, facts: Facts) -> Way:
    """What is to be done. Raises Refused."""
    site, files = facts["wordpress"], facts["files"]
    _refuse_site(asked, site, facts["tables"])
    _refuse_files(files)
    ours = tables.ours(facts["tables"], site["prefix"])
    if ours.strange:
        raise no("foreign_keys", names=few(ours.strange))
    slot = _slot(asked, site)
    needed = slot.bytes * 5 // 4 + ROOM
    if files["free"] < needed:
        raise no("disk", needed=Size(needed), free=Size(files["free"]))
    whole = not files["mount"] and files["device"] and files["parent_writable"]
    return Way(asked, facts, slot, ours, "exchange" if whole else "entries", _person(asked, facts))


def no(code: str, **values: object) -> Refused:
    """Why it cannot be done."""
    return Refused(code, Said(REFUSALS[code], values))


def few(names: Sequence[str]) -> str:
    """Some names in one line: five at most."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") or "–"


def candidates(asked: Asked) -> list[Slot]:
    """The slots of the wanted version, else of the newest, in the wanted language or all."""
    held = [each for each in core.slots(asked.slots) if asked.values["locale"] in ("", each.locale)]
    version = asked.values["version"] or (held[0].version if held else "")
    return [each for each in held if each.version == version]


def _refuse_site(asked: Asked, site: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    if "missing" in site:
        raise no("no_wordpress", docroot=asked.site.docroot)
    if not site["literal"]:
        raise no("config")
    if "failed" in schema:
        raise no("database", said=schema["said"])
    if {"CUSTOM_USER_TABLE", "CUSTOM_USER_META_TABLE"} & site["constants"].keys():
        raise no("shared_users")
    if site["core"] != site["root"]:
        raise no("core_elsewhere", core=site["core"])


def _refuse_files(files: Mapping[str, Any]) -> None:
    if files["linked"]:
        raise no("linked_core", names=few(files["linked"]))
    if files["owner"] != files["account"]:
        raise no("owner", root=files["root"], owner=files["owner"], account=files["account"])
    if files["mounts"]:
        raise no("mounts", names=few(files["mounts"]))
    if not files["writable"]:
        raise no("not_writable", account=files["account"], root=files["root"])


def _slot(asked: Asked, site: Mapping[str, Any]) -> Slot:
    held = {each.locale: each for each in candidates(asked)}
    wanted = (str(asked.values["locale"]) or site["locale"], "en_US", *held)
    found = next((held[each] for each in wanted if each in held), None)
    if found is None:
        raise no("no_slot", wanted=f"{asked.values['version']} {asked.values['locale']}".strip() or "WordPress")
    return found


def _person(asked: Asked, facts: Facts) -> Mapping[str, Json]:
    login = str(asked.values["login"])
    if asked.values["administrator"] == "new":
        password = Secret("password")  # as it was given; else made on the host, where nobody reads it
        email = asked.values["email"] or f"admin@{asked.site.name}"
        return {"login": login or "admin", "email": email, "password": password}
    known = facts["tables"]["administrators"]
    found = next((each for each in known if login in ("", each[1])), None)
    if found is None:
        raise no("no_administrator", names=few([each[1] for each in known]))
    return {"keep": found[0], "login": found[1]}
