"""Who hosts a site, and whether it is ours: rules x evidence -> verdict, with the reasons and the doubts.

The host and the CDN before it are two layers: a CDN says nothing about the host. Pure; the same as
extension/lib/hosts.js, and both pass cases/hosts/*.json. `BUILT_IN` is the same file as extension/rules/hosts.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import resources
from ipaddress import ip_network
from typing import Any, Literal

import ada_url

from steelyard.companion.cidr import address
from steelyard.companion.pattern import plain
from steelyard.companion.ruleset import Kind, Rule, lowered

BUILT_IN: dict[str, Any] = json.loads(resources.files("steelyard.companion").joinpath("hosts.json").read_text("utf-8"))
"""The rules that come with the product: `{"version": 1, "rules": [...]}`."""
SURE = 3
_LIKELY = 2
_VALUES, _ADDRESSES, _LOOKED_UP = 8, 32, 32
_NEAR = [
    ip_network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "198.18.0.0/15", "::/127", "fc00::/7", "fe80::/10",
    )
]  # fmt: skip
"""Nobody is known by these: behind a proxy, a tunnel or in a hosts file the address says nothing of the site."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a page. All of it comes from outside."""

    url: str
    seen: bool = False
    """Whether its response was: else status, ip and headers do not count."""
    why: str = ""
    """Why it was not seen."""
    status: int = 0
    ip: str = ""
    source: str = ""
    """Where the response came from: network, cache, ..."""
    headers: Sequence[tuple[str, str]] = ()
    a: Sequence[str] = ()
    """Its addresses in the DNS, as the server looked them up."""
    aaaa: Sequence[str] = ()
    cname: Sequence[str] = ()
    ns: Sequence[str] = ()
    site: str = ""
    """The name of the site in our registry that has this host."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a host was named: which header, address or name, and what it says."""

    signal: Literal["header", "ip", "name", "site"]
    what: str
    says: str


@dataclass(slots=True)
class Host:
    """A host or CDN that has to do with the page, how sure that is (1 to 3), and where its vendor says so."""

    name: str
    kind: Kind
    ours: bool
    confidence: int
    about: str
    evidence: list[Reason]


@dataclass(frozen=True, slots=True)
class Doubt:
    """What lowers trust in a verdict.

    `conflict`: several hosts are named; `address`: headers name one that has no such address; `elsewhere`: another
    host answers what the registry or a CDN of ours says is ours; `cdn`: the CDN answered itself, the host's headers may
    be missing; `cache`: the headers are as old as the copy; `unseen`.
    """

    why: Literal["conflict", "address", "elsewhere", "cdn", "cache", "unseen"]
    names: list[str]
    what: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`dataclasses.asdict` of it is what the API answers and the extension works out itself."""

    state: Literal["ours", "not_ours", "unknown"]
    hosts: list[Host]
    ours: list[str]
    """Which rules or sites say so."""
    doubts: list[Doubt]


@dataclass(slots=True)
class _Found:
    host: Host
    claimed: list[Rule] = field(default_factory=list[Rule])
    """The rules that its headers match."""

    @property
    def registered(self) -> bool:
        return self.host.evidence[0].signal == "site"


class _Told:
    """The evidence as it is compared: bounded, and the same in whatever order it came."""

    def __init__(self, evidence: Evidence) -> None:
        values: dict[str, set[str]] = {}
        for name, value in evidence.headers if evidence.seen else ():
            values.setdefault(lowered(name), set()).add(plain(value))
        ip = evidence.ip if evidence.seen else ""
        looked: list[str] = [*([ip] if ip else []), *evidence.a, *evidence.aaaa]
        self.host = _host_of(evidence.url)
        self.ip = address(ip)
        self.headers = {name: sorted(each)[:_VALUES] for name, each in values.items()}
        self.addresses = [(each, found) for each in _once(looked)[:_ADDRESSES] if (found := address(each))]


def verdict(rules: Iterable[Rule], evidence: Evidence) -> Verdict:
    """What the rules, as `ruleset` makes them ready, say of a page."""
    told = _Told(evidence)
    found = _matched(rules, evidence, told)
    lowering = [*_conflicts(found), *_misplaced(found, evidence, told)]
    doubts = [*lowering, *_others(found, evidence)]
    for doubt in lowering:
        _lower(found, doubt)
    hosts = sorted((each.host for each in found), key=_rank)
    ours = _once(each.host.name for each in found if each.host.ours)
    foreign = any(each.kind == "host" and each.confidence == SURE for each in hosts)
    return Verdict("ours" if ours else "not_ours" if foreign else "unknown", hosts, ours, doubts)


def _matched(rules: Iterable[Rule], evidence: Evidence, told: _Told) -> list[_Found]:
    """The hosts and CDNs that something speaks for, in the order of their rules; a site of the registry first."""
    found: dict[tuple[str, str], _Found] = {}
    for rule in rules:
        reasons = [*_by_header(rule, told), *_by_address(rule, told), *_by_name(rule, evidence, told)]
        if not reasons:
            continue
        each = found.setdefault((rule.kind, rule.name), _Found(Host(rule.name, rule.kind, False, 0, rule.about, [])))
        each.host.ours |= rule.ours
        each.host.confidence = max(each.host.confidence, rule.confidence)
        each.host.evidence += [reason for reason in reasons if reason not in each.host.evidence]
        if reasons[0].signal == "header":
            each.claimed.append(rule)
    for each in found.values():
        if len({reason.signal for reason in each.host.evidence}) > 1:
            each.host.confidence = min(SURE, each.host.confidence + 1)
    if not evidence.site:
        return list(found.values())
    registered = Reason("site", told.host, evidence.site)
    return [_Found(Host(evidence.site, "host", True, SURE, "", [registered])), *found.values()]


def _by_header(rule: Rule, told: _Told) -> Iterable[Reason]:
    for name, pattern in rule.headers:
        for value in told.headers.get(name, ()):
            if pattern is None or pattern.search(value):
                yield Reason("header", name, value)
                break


def _by_address(rule: Rule, told: _Told) -> Iterable[Reason]:
    for written, each in told.addresses:
        within = next((text for text, network in rule.networks if each in network), None)
        if within is not None:
            yield Reason("ip", written, within)


def _by_name(rule: Rule, evidence: Evidence, told: _Told) -> Iterable[Reason]:
    for what, wanted, names in (
        ("host", rule.names, [told.host]),
        ("cname", rule.names, evidence.cname),
        ("ns", rule.ns, evidence.ns),
    ):
        for name in map(_cleaned, names[:_LOOKED_UP]):
            if any(_is_named(each, name) for each in wanted):
                yield Reason("name", what, name)


def _conflicts(found: Sequence[_Found]) -> list[Doubt]:
    """Two likely hosts cannot both be right: one passes the other's answers on, or somebody forged them.

    What hints at another host contradicts nobody; what hints at ours decides, so it counts.
    """
    hosts = [each.host for each in found if each.host.kind == "host" and not each.registered]
    likely = [each for each in hosts if each.ours or each.confidence >= _LIKELY]
    if len(likely) < 2 or all(each.ours for each in likely):
        return []
    return [Doubt("conflict", [each.name for each in likely])]


def _misplaced(found: Sequence[_Found], evidence: Evidence, told: _Told) -> list[Doubt]:
    """Headers that name somebody all of whose addresses are known, at another that nobody else found explains."""
    if told.ip is None or any(told.ip in each for each in _NEAR):
        return []
    if any(one.signal == "ip" and one.what == evidence.ip for each in found for one in each.host.evidence):
        return []
    claimed = [each.host.name for each in found if any(rule.complete for rule in each.claimed)]
    return [Doubt("address", [name], evidence.ip) for name in claimed]


def _others(found: Sequence[_Found], evidence: Evidence) -> Iterable[Doubt]:
    """The doubts that lower no confidence: they say what may be missing."""
    hosts = [each.host for each in found if each.host.kind == "host" and not each.registered]
    cdns = [each.host.name for each in found if each.host.kind == "cdn"]
    foreign = [each.name for each in hosts if not each.ours and each.confidence == SURE]
    otherwise = any(each.host.ours for each in found) and not any(each.ours for each in hosts)
    if otherwise and foreign:
        yield Doubt("elsewhere", foreign, evidence.site)
    if not evidence.seen:
        yield Doubt("unseen", [], evidence.why)
        return
    if not hosts and cdns and evidence.status >= 400:
        yield Doubt("cdn", cdns, str(evidence.status))
    if evidence.source == "cache":
        yield Doubt("cache", [])


def _lower(found: Sequence[_Found], doubt: Doubt) -> None:
    for each in found:
        meant = any(rule.complete for rule in each.claimed) if doubt.why == "address" else each.host.kind == "host"
        if meant and each.host.name in doubt.names and not each.registered:
            each.host.confidence = max(1, each.host.confidence - 1)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _rank(host: Host) -> int:
    """Ours first, then hosts, then CDNs; each with the surest first."""
    return (0 if host.ours else 10 if host.kind == "host" else 20) - host.confidence


def _host_of(url: str) -> str:
    try:
        return _cleaned(ada_url.URL(url).hostname)
    except ValueError:
        return ""


def _cleaned(name: str) -> str:
    """A name as it is compared."""
    return lowered(plain(name)).removesuffix(".")


def _is_named(wanted: str, name: str) -> bool:
    """`wanted`: `*.` stands for everything below."""
    return name.endswith(wanted[1:]) and len(name) > len(wanted) - 1 if wanted.startswith("*.") else name == wanted
