"""Queries, regions, and what the client refuses before it calls anybody."""

import pytest

from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.regions import REGIONS, api_url
from steelyard.adapters.intercom.search import MOST, all_of, where
from steelyard.kit.errors import ConfigError

OPEN = where("open", "=", True)


def test_filters_and_groups_are_intercoms_json():
    assert OPEN.json == {"field": "open", "operator": "=", "value": True}
    assert all_of(OPEN, where("admin_assignee_id", "IN", (1, 2))).json == {
        "operator": "AND",
        "value": [OPEN.json, {"field": "admin_assignee_id", "operator": "IN", "value": [1, 2]}],
    }
    nested = all_of(all_of(OPEN), all_of(where("state", "=", "snoozed")))
    assert nested.json["operator"] == "AND"
    assert nested.depth == 2


@pytest.mark.parametrize(
    "build",
    [
        lambda: all_of(),
        lambda: all_of(*[OPEN] * (MOST + 1)),
        lambda: all_of(OPEN, all_of(OPEN)),
        lambda: all_of(all_of(all_of(OPEN))),
    ],
)
def test_what_intercom_would_refuse_is_refused_at_once(build):
    with pytest.raises(ValueError, match="search"):
        build()


def test_the_most_filters_fit():
    assert all_of(*[OPEN] * MOST).depth == 1


def test_each_region_has_its_own_host():
    assert api_url("us") == "https://api.intercom.io"
    assert api_url("EU") == "https://api.eu.intercom.io"
    assert api_url("au") == "https://api.au.intercom.io"
    assert len(set(REGIONS.values())) == len(REGIONS)


@pytest.mark.parametrize("region", ["", "ca", "us ", "api.intercom.io"])
def test_no_region_is_a_default(region: str):
    with pytest.raises(ConfigError, match="us, eu, au"):
        api_url(region)


@pytest.mark.parametrize("url", ["http://api.intercom.io", "api.intercom.io", "", "ftp://127.0.0.1"])
def test_a_token_is_not_sent_in_the_clear(url: str):
    with pytest.raises(ConfigError, match="https"):
        Intercom(url, "token")


@pytest.mark.parametrize("token", ["", " tok", "to\nk", "tök"])
def test_a_token_that_is_none_is_refused_without_repeating_it(token: str):
    with pytest.raises(ConfigError, match="access token") as caught:
        Intercom(api_url("eu"), token)
    assert str(caught.value).endswith("is empty or has spaces or odd characters: copy it again")


async def test_plain_http_is_for_this_machine():
    for url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"):
        await Intercom(url, "token").aclose()


async def test_a_client_shows_no_token():
    async with Intercom(api_url("eu"), "tok_secret") as intercom:
        assert "tok_secret" not in repr(intercom)
        assert "tok_secret" not in repr(vars(intercom))
