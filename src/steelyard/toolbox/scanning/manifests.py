"""Signed manifests of what is installed: core, plugins and themes that operators keep in slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from psycopg import AsyncConnection

from steelyard.toolbox.scanning.model import Layout, Manifest


class Releases(Protocol):
    """Where manifests are kept: core slots."""

    async def __call__(
        self, conn: AsyncConnection[Any], kind: str, slug: str, version: str, locale: str
    ) -> Mapping[str, tuple[str, int]] | None:
        """SHA-256 and bytes by path; None where there is none, or its signature does not hold."""
        ...


async def manifests_of(
    releases: Releases,
    conn: AsyncConnection[Any],
    layout: Layout,
    version: str,
    locale: str,
    installed: Mapping[str, Mapping[str, str]],
) -> tuple[list[Manifest], list[str]]:
    """The manifests of what is installed, and the titles of what has none. `installed`: as `scan.versions` answers."""
    found: list[Manifest] = []
    without: list[str] = []
    core = await releases(conn, "core", "wordpress", version, locale)
    _add(found, without, "core", f"WordPress {version} {locale}".strip(), layout.core, core)
    for kind, folder in (("plugin", layout.plugins), ("theme", f"{layout.content}/themes")):
        for slug, its_version in _sorted(installed.get(f"{kind}s", {})):
            files = await releases(conn, kind, slug, its_version, "")
            _add(found, without, kind, f"{slug} {its_version}", f"{folder}/{slug}", files)
    return found, without


def _add(
    found: list[Manifest],
    without: list[str],
    kind: str,
    title: str,
    folder: str,
    files: Mapping[str, tuple[str, int]] | None,
) -> None:
    if files is None:
        without.append(title)
    else:
        found.append(Manifest(kind, title, folder, files))


def _sorted(versions: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    return sorted(versions.items())
