"""Fetching releases of WordPress, of plugins and of themes from wordpress.org, and looking for newer ones."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from steelyard.config import Settings
from steelyard.kit.errors import ConfigError, SlotError
from steelyard.operations.core_slots import Listed, Pins, Say, add, listed
from steelyard.toolbox.slots_release import SLUG, VERSION, Release

MOST = 200_000_000
"""Bytes of an archive that is fetched."""
_CORE_VERSION = re.compile(r"\d+(\.\d+){1,2}(-[A-Za-z0-9.]+)?")
_LOCALE = re.compile(r"[a-z]{2,3}(_[A-Za-z]{2,})?(_[a-z]+)?")


class Refreshed(NamedTuple):
    """What came of looking for newer releases."""

    added: list[Listed]
    failed: list[str]
    """What could not be asked for or added, and why."""


async def fetch(settings: Settings, release: Release, sha256: str, say: Say) -> Listed:
    """Fetches a release from wordpress.org and adds it. Without a version: the newest.

    `sha256`: what the archive has to hash to; empty: not said. Raises ConfigError for what is no release's name, and
    SlotError.
    """
    _check(release)
    async with _client() as client:
        if not release.version:
            release = release._replace(version=await _newest(settings, client, release))
        return await _fetch(settings, client, release, sha256, say)


async def refresh(settings: Settings, say: Say) -> Refreshed:
    """Adds the newest WordPress in every language that is held, and the newest of each plugin and theme.

    Those that came from an archive are left out: at wordpress.org, another may have the same name. What fails is told,
    and the others are gone on with.
    """
    held = await listed(settings)
    added: list[Listed] = []
    failed: list[str] = []
    async with _client() as client:
        for each in _followed(held, say):
            try:
                release = each._replace(version=await _newest(settings, client, each))
                if any((one.kind, one.slug, one.version, one.locale) == release for one in held):
                    say(f"{release} is held already")
                else:
                    added.append(await _fetch(settings, client, release, "", say))
            except SlotError as error:
                failed.append(f"{each.slug}: {error}")
    return Refreshed(added, failed)


def _followed(held: Sequence[Listed], say: Say) -> list[Release]:
    """What to look for newer releases of, without versions."""
    locales = sorted({each.locale for each in held if each.kind == "core"}) or ["en_US"]
    fetched = {(each.kind, each.slug) for each in held if each.kind != "core" and each.fetched}
    others = {(each.kind, each.slug) for each in held if each.kind != "core"} - fetched
    for kind, slug in sorted(others):
        say(f"the {kind} {slug} came from an archive: add its next release by `steelyard core add`")
    return [
        *(Release("core", "wordpress", "", locale) for locale in locales),
        *(Release(kind, slug, "", "") for kind, slug in sorted(fetched)),
    ]


def _check(release: Release) -> None:
    if release.kind == "core":
        if not _CORE_VERSION.fullmatch(release.version or "1.0") or not _LOCALE.fullmatch(release.locale):
            raise ConfigError("a version is written as 7.1.1 and a language as fr_FR")
    elif not SLUG.fullmatch(release.slug) or not VERSION.fullmatch(release.version or "1.0"):
        raise ConfigError(f"a {release.kind} is named as in its address at wordpress.org, and a version as 7.1.1")


async def _fetch(settings: Settings, client: httpx.AsyncClient, release: Release, sha256: str, say: Say) -> Listed:
    """Of WordPress, its SHA-1 is asked for at the same place: it proves the way, no more."""
    url = _address(settings, release)
    with tempfile.TemporaryDirectory(prefix="steelyard-core-") as scratch:
        archive = Path(scratch) / url.rpartition("/")[2]
        sha1 = (await _text(client, f"{url}.sha1")).split() if release.kind == "core" else []
        await _download(client, url, archive)
        say(f"fetched {url}")
        pins = Pins(sha256=sha256, sha1=sha1[0] if sha1 else "")
        return await add(settings, archive, pins, say, fetched=(release.kind, release.slug))


def _address(settings: Settings, release: Release) -> str:
    if release.kind != "core":
        return f"{settings.wordpress_downloads}/{release.kind}/{release.slug}.{release.version}.zip"
    part = "" if release.locale == "en_US" else f"{release.locale}/"
    return f"{settings.wordpress_downloads}/release/{part}wordpress-{release.version}.tar.gz"


async def _newest(settings: Settings, client: httpx.AsyncClient, release: Release) -> str:
    """The newest version of what `release` is one of."""
    api, kind = settings.wordpress_api, release.kind
    if kind == "core":
        told = _read(await _text(client, f"{api}/core/version-check/1.7/?locale={release.locale}"))
        version, pattern = _at(told, "offers", 0, "version"), _CORE_VERSION
    else:
        short = "request[fields][sections]=0&request[fields][versions]=0"
        asked = f"action={kind}_information&request[slug]={release.slug}&{short}"
        told = _read(await _text(client, f"{api}/{kind}s/info/1.2/?{asked}"))
        version, pattern = _at(told, "version"), VERSION
    if not pattern.fullmatch(version):
        raise SlotError(f"what wordpress.org says of the newest version of {release.slug} cannot be read")
    return version


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _at(told: Any, *path: str | int) -> str:
    """The text at a place of an answer; empty where none is."""
    try:
        for each in path:
            told = told[each]
    except (LookupError, TypeError):
        return ""
    return told if isinstance(told, str) else ""


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=60, follow_redirects=False)


async def _text(client: httpx.AsyncClient, url: str) -> str:
    try:
        answer = await client.get(url)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise _refused(url, error) from None
    return answer.text[:1_000_000]


async def _download(client: httpx.AsyncClient, url: str, target: Path) -> None:
    try:
        async with client.stream("GET", url) as answer:
            answer.raise_for_status()
            size = 0
            with target.open("xb") as opened:
                async for piece in answer.aiter_bytes():
                    size += len(piece)
                    if size > MOST:
                        raise SlotError(f"{url} is larger than a release may be: it is not kept")
                    opened.write(piece)
    except httpx.HTTPError as error:
        raise _refused(url, error) from None


def _refused(url: str, error: httpx.HTTPError) -> SlotError:
    if isinstance(error, httpx.HTTPStatusError):
        return SlotError(f"{url} cannot be fetched: it answers {error.response.status_code}")
    return SlotError(f"{url} cannot be fetched: {error or type(error).__name__}")
