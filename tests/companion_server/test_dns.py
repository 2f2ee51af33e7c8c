"""What the DNS says of a host: asked of a real name server on loopback, told without anybody's own network."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from name_server import name_server
from steelyard.adapters.dns import Resolver
from steelyard.companion.lookup import DnsError, Known, Names, is_public, public_host, told

ZONE = {
    "example.com": {"A": ["93.184.215.14"], "NS": ["a.iana-servers.net.", "b.iana-servers.net."]},
    "www.example.com": {"CNAME": ["edge.example.com."]},
    "edge.example.com": {"CNAME": ["site.wpenginepowered.com."]},
    "site.wpenginepowered.com": {"A": ["141.193.213.10", "141.193.213.11"], "AAAA": ["2606:4700::1111"]},
    "lost.example.com": {"CNAME": ["gone.wpenginepowered.com."]},
    "intra.example.com": {"CNAME": ["server7.example.com."], "NS": []},
    "server7.example.com": {"A": ["10.0.0.7"], "AAAA": ["fd00::7"]},
    "mixed.example.com": {"A": ["10.0.0.8", "93.184.215.15", "127.0.0.1", "169.254.169.254"], "AAAA": ["::1"]},
    "loop.example.com": {"CNAME": ["loop.example.com."]},
    "a.b.c.example.com": {"A": ["93.184.215.16"]},
    "b.c.example.com": {},
    "c.example.com": {},
    "com": {"NS": ["a.gtld-servers.net."]},
}


async def test_addresses_aliases_and_name_servers() -> None:
    async with name_server(ZONE) as server:
        found = await Resolver(["127.0.0.1"], server.port).names("www.example.com")
    assert found == Names(
        "www.example.com",
        ("141.193.213.10", "141.193.213.11"),
        ("2606:4700::1111",),
        ("edge.example.com", "site.wpenginepowered.com"),
        ("a.iana-servers.net", "b.iana-servers.net"),
        300,
    )


async def test_the_name_servers_are_those_of_the_closest_zone() -> None:
    async with name_server(ZONE) as server:
        found = await Resolver(["127.0.0.1"], server.port).names("a.b.c.example.com")
        assert found.ns == ("a.iana-servers.net", "b.iana-servers.net")
        assert "com. NS" not in server.asked


async def test_an_alias_that_leads_nowhere_is_told() -> None:
    async with name_server(ZONE) as server:
        found = await Resolver(["127.0.0.1"], server.port).names("lost.example.com")
        nothing = await Resolver(["127.0.0.1"], server.port).names("nothing.example.com")
    assert (found.a, found.aaaa, found.cname) == ((), (), ("gone.wpenginepowered.com",))
    assert (nothing.a, nothing.cname, nothing.ttl) == ((), (), 60)


async def test_what_is_too_long_for_one_packet_is_asked_again() -> None:
    async with name_server(ZONE, "cut") as server:
        assert (await Resolver(["127.0.0.1"], server.port).names("example.com")).a == ("93.184.215.14",)


@pytest.mark.parametrize("broken", ["silent", "servfail", "rubbish"])
async def test_a_server_that_does_not_answer_is_told_in_time(broken: str) -> None:
    async with name_server(ZONE, broken) as server:
        begun = asyncio.get_running_loop().time()
        with pytest.raises(DnsError):
            await Resolver(["127.0.0.1"], server.port, patience=0.3).names("example.com")
        assert asyncio.get_running_loop().time() - begun < 1.5


async def test_a_server_that_is_slow_each_time_is_waited_for_once() -> None:
    async with name_server(ZONE | {f"{'x.' * n}deep.com": {} for n in range(8)}) as server:
        server.delay = 0.3
        begun = asyncio.get_running_loop().time()
        await Resolver(["127.0.0.1"], server.port, patience=0.8).names(f"{'x.' * 7}deep.com")
        assert asyncio.get_running_loop().time() - begun < 1.3


async def test_aliases_in_a_circle_end() -> None:
    async with name_server(ZONE) as server:
        with pytest.raises(DnsError):
            await Resolver(["127.0.0.1"], server.port, patience=1).names("loop.example.com")


async def test_nothing_of_ones_own_network_is_told() -> None:
    async with name_server(ZONE) as server:
        known = Known(Resolver(["127.0.0.1"], server.port), lambda: 0.0)
        own, mixed = await known.names("intra.example.com"), await known.names("mixed.example.com")
    assert (own.a, own.aaaa, own.cname) == ((), (), ())
    assert (mixed.a, mixed.aaaa) == (("93.184.215.15",), ())


async def test_an_answer_is_kept_for_as_long_as_it_holds() -> None:
    now = 0.0
    async with name_server(ZONE) as server:
        known = Known(Resolver(["127.0.0.1"], server.port), lambda: now)
        await asyncio.gather(*(known.names("example.com") for _ in range(20)))
        asked = len(server.asked)
        assert asked == 3
        now = 299.0
        await known.names("example.com")
        assert len(server.asked) == asked
        now = 301.0
        await known.names("example.com")
        assert len(server.asked) == 2 * asked


@pytest.mark.parametrize(("ttl", "kept"), [(0, 30), (1, 30), (86_400 * 365, 3600)])
async def test_how_long_is_bounded(ttl: int, kept: int) -> None:
    now = 0.0
    async with name_server(ZONE, ttl=ttl) as server:
        known = Known(Resolver(["127.0.0.1"], server.port), lambda: now)
        await known.names("example.com")
        now = kept - 1.0
        await known.names("example.com")
        assert len(server.asked) == 3
        now = kept + 1.0
        await known.names("example.com")
        assert len(server.asked) == 6


async def test_a_failure_is_asked_again_soon_but_not_at_once() -> None:
    now = 0.0
    async with name_server(ZONE, "servfail") as server:
        known = Known(Resolver(["127.0.0.1"], server.port, patience=0.3), lambda: now)
        for _ in range(3):
            with pytest.raises(DnsError):
                await known.names("example.com")
        asked = len(server.asked)
        server.broken, now = "", 16.0
        assert (await known.names("example.com")).a == ("93.184.215.14",)
        assert len(server.asked) > asked


async def test_who_stops_waiting_stops_nobody_else() -> None:
    async with name_server(ZONE) as server:
        known = Known(Resolver(["127.0.0.1"], server.port), lambda: 0.0)
        first, second = (asyncio.create_task(known.names("example.com")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).a == ("93.184.215.14",)


async def test_so_many_answers_are_kept_and_no_more() -> None:
    class Told:
        asked = 0

        async def names(self, host: str) -> Names:
            self.asked += 1
            return Names(host, ("93.184.215.14",))

    lookup = Told()
    known = Known(lookup, lambda: 0.0, most=3)
    for number in range(5):
        await known.names(f"x{number}.com")
    assert [known.holds(f"x{number}.com") for number in range(5)] == [False, False, True, True, True]


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM", "example.com"), ("example.com.", "example.com"), ("bücher.de", "xn--bcher-kva.de"),
        ("_dmarc.example.com", "_dmarc.example.com"), ("a。example。com", "a.example.com"),
        ("", None), ("localhost", None), ("com", None), ("intranet", None), ("x.local", None), ("x.internal", None),
        ("7.0.0.10.in-addr.arpa", None), ("127.0.0.1", None), ("0x7f.1", None), ("2130706433", None), ("[::1]", None),
        ("a..com", None), (".com", None), ("x.com:80", None), ("http://x.com", None), ("x.com/y", None),
        ("u@x.com", None), (" x.com", None), ("x.com\n", None), ("x\ty.com", None),
        ("x%2ecom", None), ("x\x00.com", None),
        ("a" * 64 + ".com", None), ("a." * 127 + "com", None), ("x.notatopleveldomain", None), ("*.x.com", None),
    ],
)  # fmt: skip
def test_only_public_names_are_asked_for(text: str, host: str | None) -> None:
    assert public_host(text) == host


@given(st.text(max_size=60))
def test_any_text_is_judged(text: str) -> None:
    host = public_host(text)
    assert host is None or public_host(host) == host


@given(st.ip_addresses(network="10.0.0.0/8") | st.ip_addresses(network="127.0.0.0/8")
       | st.ip_addresses(network="192.168.0.0/16") | st.ip_addresses(network="169.254.0.0/16")
       | st.ip_addresses(network="172.16.0.0/12") | st.ip_addresses(network="100.64.0.0/10"))  # fmt: skip
def test_private_addresses_are_never_told_however_they_are_written(address: IPv4Address) -> None:
    wrapped = [IPv6Address(prefix + int(address) * shift) for prefix, shift in
               ((0xFFFF << 32, 1), (0x2002 << 112, 1 << 80), (0x64FF9B << 96, 1), (0, 1), (0x64FF9B0001 << 80, 1),
                (0xFFFF << 48, 1), ((0x2A00 << 112) + (0x5EFE << 32), 1),
                ((0x2A00 << 112) + (0x02005EFE << 32), 1))]  # fmt: skip
    assert not is_public(str(address))
    assert [str(each) for each in wrapped if is_public(str(each))] == []
    hidden = Names("x.com", (str(address),), tuple(map(str, wrapped)), ("inside.example.com",))
    assert told(hidden) == Names("x.com")


def test_public_addresses_are_told() -> None:
    assert [is_public(each) for each in ("93.184.215.14", "2606:4700::1111", "64:ff9b::5db8:d70e", "224.0.0.1", "x", "",
                                           "fec0::1", "3fff::1", "5f00::1")] == [
        True, True, True, False, False, False, False, False, False,
    ]  # fmt: skip
