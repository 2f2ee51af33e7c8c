"""Host names as they are compared: what a browser says of a page finds the site that people registered."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from steelyard.toolbox import fields
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.site_names import canonical, names_of, twin

LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,8}[a-z0-9_])?", fullmatch=True) | st.just("www")
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("shop.example", "shop.example"),
        ("SHOP.Example", "shop.example"),
        ("shop.example.", "shop.example"),
        ("shop.example:8443", "shop.example"),
        ("shop.example:", "shop.example"),
        ("SHOP.example.:443", "shop.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("shop。example", "shop.example"),
        ("ｓｈｏｐ.example", "shop.example"),
        ("sho\u00adp.example", "shop.example"),
        ("192.168.0.1:80", "192.168.0.1"),
        ("3232235521", "192.168.0.1"),
        ("[::1]:8080", "[::1]"),
        ("localhost", "localhost"),
    ],
)
def test_one_host_is_one_name(text: str, host: str) -> None:
    assert canonical(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "shop.example/x", "a@shop.example", "shop.example?x", "shop.example#x", "shop example",
        "shop.example\n", "\tshop.example", "shop.example\\x", "http://shop.example", "shop.example:99999", "a:b",
        "[::1", "\0", "\ud800", "%00", "a%2fb", "<b>", "x" * 100_000, "a." * 3000, "' OR 1=1",
    ],
)  # fmt: skip
def test_what_names_no_host_is_none(text: str) -> None:
    assert canonical(text) in ("", "[]")


@given(st.text() | NAME)
@example("a..b")
def test_what_was_compared_once_is_compared_alike(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once or once.endswith(".")


@given(NAME)
def test_a_twin_of_a_twin_is_the_name_itself(name: str) -> None:
    assert not twin(name) or twin(twin(name)) == name


def test_what_has_no_twin() -> None:
    assert [twin(name) for name in ("localhost", "www.com", "127.0.0.1", "[::1]", "www.www.a.b")] == [""] * 5
    assert [twin(name) for name in ("shop.example", "www.shop.example")] == ["www.shop.example", "shop.example"]


def test_a_site_is_known_by_its_name_and_by_where_it_is_opened() -> None:
    assert set(names_of("shop.example", "https://shop.example")) == {"shop.example", "www.shop.example"}
    assert set(names_of("shop.example", "http://www.store.example:8080/en")) == {
        "shop.example", "www.shop.example", "store.example", "www.store.example",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["straße.example", "Bücher.example.", "shop。example", "shop.example"])
def test_a_site_is_registered_under_the_name_that_browsers_open(text: str) -> None:
    assert fields.site_name(text) == canonical(text)


@pytest.mark.parametrize("text", ["shop.example:80", "ü/x", "ü@x", "\u2100.example", "ü example"])
def test_what_is_more_than_a_name_is_no_site(text: str) -> None:
    with pytest.raises(Unfit):
        fields.site_name(text)
