"""What a customer's wp-config.php says of Redis is the customer's word: no other's keys, and no password for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reaching import a_site

from steelyard.toolbox.hosted.redis import is_own
from steelyard.toolbox.model import Json, Site, SiteId, Token, encode
from steelyard.toolbox.tools import redis

OURS = "shop-example-99af1d23018f-0a1b2c3d:"
HINT: dict[str, Json] = {"redis": {"host": "127.0.0.1", "port": 6379, "admin": "admin"}}


def site(hints: dict[str, Json] | None = None) -> Site:
    hinted = HINT if hints is None else hints
    return replace(a_site("/srv/shop"), id=SiteId(7), name="shop.example", hints=hinted)


def facts(**constants: Any) -> dict[str, Json]:
    return {"wordpress": {"config": "/srv/shop/wp-config.php", "constants": {"WP_REDIS_PREFIX": OURS, **constants}}}


def test_the_site_s_own_keys_are_flushed_where_the_operator_says_that_redis_is() -> None:
    flush = redis.flush_site(site(), facts(WP_REDIS_HOST="127.0.0.1", WP_REDIS_PORT=6379))
    assert flush is not None
    assert flush.args["prefix"] == OURS
    assert "password" in flush.args["at"]


@pytest.mark.parametrize(
    "constants",
    [
        {"WP_REDIS_HOST": "evil.example"},
        {"WP_REDIS_PORT": 6380},
        {"WP_REDIS_PORT": "no number"},
        {"WP_REDIS_PATH": "/srv/shop/listening.sock"},
        {"WP_REDIS_PREFIX": "victim-example-99af1d23018f-0a1b2c3d:"},
        {"WP_REDIS_PREFIX": "shop-example-000000000000-0a1b2c3d:"},
        {"WP_REDIS_PREFIX": "shop-example-99af1d23018f:"},
        {"WP_REDIS_PREFIX": "shop-example-0a1b2c3d:"},
    ],
)
def test_a_site_that_names_another_server_or_other_keys_gets_no_password_and_no_keys(constants: dict[str, Any]) -> None:
    assert redis.flush_site(site(), facts(**constants)) is None


def test_no_site_is_made_the_owner_of_another_site_s_user() -> None:
    assert redis.own_prefix(site(), {"WP_REDIS_PREFIX": "victim-example-0a1b2c3d:"}) is None
    assert redis.own_prefix(site(), {"WP_REDIS_PREFIX": OURS}) == OURS


known = st.tuples(st.integers(1, 99), st.from_regex(r"[a-cA-C.é-]{1,6}|[a-c.-]{49,60}", fullmatch=True))


@given(known, known, st.from_regex(r"[0-9a-f]{8}", fullmatch=True))
def test_no_two_sites_have_a_key_in_common(one: tuple[int, str], other: tuple[int, str], token: str) -> None:
    first, second = (replace(site(), id=SiteId(id), name=name) for id, name in (one, other))
    prefix = f"{redis.name_of(first, Token(token))}:"
    assert redis.own_prefix(first, {"WP_REDIS_PREFIX": prefix}) == prefix
    assert is_own(prefix)
    if one != other:
        assert redis.own_prefix(second, {"WP_REDIS_PREFIX": prefix}) is None
        assert not f"{redis.name_of(second, Token(token))}:".startswith(prefix)


@pytest.mark.parametrize("endpoint", ["evil.example:6379", "127.0.0.1:6380", "/tmp/listening.sock"])
def test_the_administrator_s_password_goes_to_the_operator_s_server_alone(endpoint: str) -> None:
    assert "password" in redis.at(site(), "127.0.0.1:6379")
    assert "$secret" in json.dumps(encode(redis.at(site())))
    assert redis.at(site(), endpoint).keys() <= {"host", "port", "socket"}
    made = redis.make_user(redis.at(site(), endpoint), redis.name_of(site(), Token("0a1b2c3d")), redis.ADMIN)
    assert "user" not in made.args["at"]
