"""Which release some unpacked files are: a WordPress, a plugin or a theme."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from steelyard.kit.errors import SlotError
from steelyard.toolbox.hosted.scan import HEADER, header

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
VERSION = re.compile(r"[0-9A-Za-z._+-]{1,40}")
"""Of a plugin or a theme."""
_CORE = ("wp-load.php", "wp-settings.php", "wp-includes/version.php", "wp-admin/includes/upgrade.php")
_CORE_VERSION = re.compile(r"""^\$wp_version\s*=\s*'([0-9A-Za-z.-]{1,40})'\s*;""", re.MULTILINE)
_CORE_LOCALE = re.compile(r"""^\$wp_local_package\s*=\s*'([A-Za-z_]{2,30})'\s*;""", re.MULTILINE)


class Release(NamedTuple):
    """A release of WordPress, of a plugin or of a theme."""

    kind: str
    """`core`, `plugin` or `theme`."""
    slug: str
    """`wordpress`, or the folder in which sites have it."""
    version: str
    locale: str
    """Empty for plugins and themes."""

    def __str__(self) -> str:
        """For people."""
        if self.kind == "core":
            return f"WordPress {self.version} {self.locale}"
        return f"{self.kind} {self.slug} {self.version}"


def release_of(files: Path, folder: str) -> Release:
    """Which release lies in `files`; `folder` is what it was in. Raises SlotError where it is none, or two."""
    if (files / _CORE[0]).is_file():
        return _core(files)
    plugin, theme = _plugin(files, folder), _theme(files)
    if plugin is not None and theme is not None:
        raise SlotError("the archive is a plugin and a theme at once: give an archive of each")
    if plugin is None and theme is None:
        raise SlotError(
            "the archive holds no WordPress, no plugin and no theme: its folder has neither wp-load.php, nor a PHP file"
            f" with `Plugin Name:` in its first {HEADER} bytes, nor a style.css with `Theme Name:` there"
        )
    kind, version = ("plugin", plugin) if plugin is not None else ("theme", theme)
    if not SLUG.fullmatch(folder):
        raise SlotError(
            f"the folder of the {kind} is called {folder!r}: letters, digits, dots, dashes and underscores can be"
        )
    if not version:
        raise SlotError(f"the header of the {kind} {folder} names no version")
    return Release(kind, folder, version, "")


def _core(files: Path) -> Release:
    if missing := [each for each in _CORE if not (files / each).is_file()]:
        raise SlotError(f"the archive holds no WordPress: it has no {missing[0]}")
    text = (files / "wp-includes/version.php").read_text("utf-8", "replace")
    version, locale = _CORE_VERSION.search(text), _CORE_LOCALE.search(text)
    if version is None:
        raise SlotError("the archive does not say which version of WordPress it holds")
    return Release("core", "wordpress", version[1], locale[1] if locale else "en_US")


def _plugin(files: Path, folder: str) -> str | None:
    """The version of the plugin, empty where its header names none; None where there is none.

    Where several files have a header, the one that is called as its folder is the plugin's: scans look there first.
    """
    found = {
        each.name: version
        for each in sorted(files.glob("*.php"))
        if each.is_file()
        for kind, version in (header(_start(each)),)
        if kind == "plugin"
    }
    main = f"{folder}.php"
    if len(found) > 1 and main not in found:
        raise SlotError(f"the archive holds several plugins: {', '.join(map(repr, list(found)[:5]))}")
    return found[main] if main in found else next(iter(found.values()), None)


def _theme(files: Path) -> str | None:
    """The version of the theme, empty where its header names none; None where there is none."""
    style = files / "style.css"
    kind, version = header(_start(style)) if style.is_file() else ("", "")
    return version if kind == "theme" else None


def _start(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(HEADER)
