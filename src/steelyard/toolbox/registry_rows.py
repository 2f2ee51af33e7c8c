"""What the registry holds of a host and of a site. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from steelyard.toolbox.model import Host, HostId, Json, Site


class NewHost(NamedTuple):
    """A host as it is added. `host_key` as in known_hosts: kind and key."""

    name: str
    address: str
    account: str
    port: int = 22
    host_key: str = ""
    key: int | None = None
    """The ssh_key with which workers sign in. None only where it is local."""
    via: HostId | None = None
    local: bool = False
    """Whether it is the worker's own machine, which is reached without SSH."""
    hints: Mapping[str, Json] = {}


class NewSite(NamedTuple):
    """A site as it is added."""

    name: str
    host: HostId
    docroot: str
    account: str
    url: str
    group: str = ""
    hints: Mapping[str, Json] = {}


class HostRow(NamedTuple):
    """A host with what the registry knows of it. `facts`: see checks.py."""

    host: Host
    host_key: str
    via: HostId | None
    via_name: str
    key: int | None
    key_name: str
    local: bool
    sites: int
    """How many there are on it."""
    hints: Mapping[str, Json]
    facts: Mapping[str, Json]
    checked_at: datetime | None
    added_at: datetime
    removed_at: datetime | None
    look_asked_at: datetime | None = None
    """Since when a worker is to look at it; None where none is."""


class SiteRow(NamedTuple):
    """A site with what the registry knows of it. `site.hints` are its host's and its own; `hints` its own."""

    site: Site
    hints: Mapping[str, Json]
    facts: Mapping[str, Json]
    checked_at: datetime | None
    added_at: datetime
    removed_at: datetime | None
    look_asked_at: datetime | None = None
    """Since when a worker is to look at it; None where none is."""
