"""Sites as CSV and JSON: what is taken, what is refused on which line, and that the same text twice is nothing new."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.fields import HINTS, Unfit, account, address, hints, host_key, path, site_name, url
from steelyard.toolbox.imports import COLUMNS, Imported, read_import
from steelyard.toolbox.model import HostId
from steelyard.toolbox.registry_rows import NewSite
from steelyard.web.said import term

HOSTS = {"web1": HostId(1), "web2": HostId(2)}
SHOP = NewSite("shop.example", HostId(1), "/srv/shop", "shop", "https://shop.example")
HEAD = "name,host,docroot,account\n"


def said(found: Imported) -> list[tuple[int, str]]:
    return [(each.line, term(each.says, str)) for each in found.refused]


def test_csv_and_json_say_the_same() -> None:
    written = "\ufeffName;Host;Docroot;Account;Group\r\nShop.Example.;web1;/srv/shop/;shop;VIP  clients\r\n\r\n"
    entry = {"name": "shop.example", "host": "web1", "docroot": "/srv/shop", "account": "shop", "group": "VIP clients"}
    expected = SHOP._replace(group="VIP clients")
    for text in (written, json.dumps([entry]), json.dumps({"sites": [entry]})):
        assert read_import(text, HOSTS, {}) == Imported((expected,), (), 0, ())


def test_every_line_that_cannot_be_taken_says_why() -> None:
    found = read_import(
        HEAD + 'shop.example,web1,/srv/shop,shop\nblog,"web9",/srv/x,x\nx.example,web1,srv,x\n'
        '"two\nlines",web1,/srv/x,x\nroot.example,web1,/srv/r,root\nshop.example,web2,/srv/s,shop\n'
        "many.example,web1,/a,b,c\nno.example,web1,,x\nup.example,web1,/srv/../etc,x\n",
        HOSTS,
        {},
    )
    assert [each.name for each in found.added] == ["shop.example"]
    lines = dict(said(found))
    assert list(lines) == [3, 4, 5, 7, 8, 9, 10, 11]
    assert "There is no host “web9”" in lines[3]
    assert "use one of: web1, web2" in lines[3]
    assert "“srv” is no path" in lines[4]
    assert "is no domain" in lines[5]
    assert "Nothing here works as root" in lines[7]
    assert "shop.example is on line 2 already" in lines[8]
    assert "5 cells for 4 columns" in lines[9]
    assert "“docroot” is missing" in lines[10]
    assert "is no path" in lines[11]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "no site in it"),
        (HEAD, 1, "no site in it"),
        ("shop.example,web1,/srv,x", 1, "“shop.example” is no column"),
        ("name,name,host", 1, "“name” is no column"),
        (HEAD + 'a.example,"web1,/srv,x\nb\n', 2, "quote is not closed"),
        ('[{"name": "a",\n]', 2, "no JSON"),
        ('{"site": []}', 1, "as “sites”"),
        ('[1, {"name": "x.example"}]', 1, "a JSON object with"),
        ('[{"name": 5}]', 1, "“name” has to be a text"),
        ('[{"password": "x"}]', 1, "“password” is no column"),
        ("a\0b", 1, "no text"),
        ("[" * 100_000, 1, "no JSON"),
    ],
)
def test_what_is_no_list_of_sites_says_where(text: str, line: int, words: str) -> None:
    found = read_import(text, HOSTS, {})
    assert found.added == ()
    first = said(found)[0]
    assert first[0] == line
    assert words in first[1]


def test_what_is_known_is_changed_or_left() -> None:
    text = HEAD + "shop.example,web1,/srv/shop,shop\nblog.example,web2,/srv/blog,blog\n"
    blog = NewSite("blog.example", HostId(1), "/srv/blog", "blog", "https://blog.example")
    found = read_import(text, HOSTS, {"shop.example": SHOP, "blog.example": blog})
    assert found == Imported((), (blog._replace(host=HostId(2)),), 1, ())


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(st.fixed_dictionaries({column: TEXT for column in COLUMNS}), max_size=5))
def test_no_table_is_too_odd(rows: list[dict[str, str]]) -> None:
    """Whatever is in it, each line is taken or refused, and what was taken is the same when it comes again."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    for text in (out.getvalue(), json.dumps(rows)):
        found = read_import(text, HOSTS, {})
        for each in found.refused:
            assert term(each.says, str)
        again = read_import(text, HOSTS, {each.name: each for each in found.added})
        assert (again.added, again.changed, again.same) == ((), (), len(found.added))


@given(TEXT)
def test_any_text_is_read(text: str) -> None:
    read_import(text, HOSTS, {})
    read_import("[" + text, HOSTS, {})


DOMAIN = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z0-9]{1,10}){0,2}", fullmatch=True)


@given(DOMAIN, st.from_regex(r"(/[A-Za-z0-9 ._-]{1,9}){1,4}/?", fullmatch=True))
def test_what_is_stored_is_stored_the_same_again(name: str, folder: str) -> None:
    assert site_name(site_name(name)) == site_name(name)
    assert url("", site_name(name)) == url(f"https://{name}/", name)
    try:
        once = path(folder)
    except Unfit:
        parts = [each for each in folder.strip().split("/") if each]
        assert not parts or {".", ".."} & set(parts) or any(each != each.strip() for each in parts)
    else:
        assert path(once) == once
        assert not once.endswith("/")


@pytest.mark.parametrize("text", ["", "a b", "a..b", "-a", "a/b", "exa mple", "x" * 300, "☃☃.☃" * 30])
def test_no_domain(text: str) -> None:
    with pytest.raises(Unfit):
        site_name(text)


def test_international_domains_and_addresses() -> None:
    assert site_name("Bücher.example") == "xn--bcher-kva.example"
    assert address("[2001:DB8::1]") == "2001:db8::1"
    assert address("10.0.0.1") == "10.0.0.1"
    with pytest.raises(Unfit):
        address("web1.example -oProxyCommand=x")
    with pytest.raises(Unfit):
        account("-l")


@pytest.mark.parametrize(("key", "shape"), [(key, each[1]) for key, each in HINTS.items()])
def test_every_hint_is_of_the_shape_that_it_says(key: str, shape: str) -> None:
    first = shape.split(" or ")[0]
    assert hints(f'{{"{key}": {first}}}') == {key: json.loads(first)}
    for odd in (None, 5.5, "relative", [], {}, {"x": 1}, ["a"], "/a/../b"):
        with pytest.raises(Unfit, match=key):
            hints(json.dumps({key: odd}))


def test_every_hint_is_in_the_reference_and_no_other() -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/hints.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", reference, re.MULTILINE)) == set(HINTS)


@pytest.mark.parametrize("text", ["[]", "5", '"x"', "{", "null", '{"fpm": 1}'])
def test_hints_are_known_ones_in_an_object(text: str) -> None:
    with pytest.raises(Unfit):
        hints(text)
    assert hints(" ") == {}


def test_a_host_key_is_taken_out_of_any_line_of_it() -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxAo6TdHcXwNDn3u2vJ5ZqGf3M7yLhRr1vB0bN8m0Qd"
    for line in (key, f"{key} root@web1", f"[web1.example]:2222 {key}", f"  {key}\n"):
        assert host_key(line) == key
    for line in ("", "ssh-ed25519", "ssh-ed25519 AAAA", key.replace("ssh-ed25519", "ssh-rsa"), "ssh-dss AAAA"):
        with pytest.raises(Unfit):
            host_key(line)
