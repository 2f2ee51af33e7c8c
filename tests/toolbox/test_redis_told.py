"""What a customer's wp-config.php says of Redis is the customer's word: no other's keys, and no password for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from reaching import a_site

from steelyard.toolbox.model import Json, Site, Token, encode
from steelyard.toolbox.tools import redis

OURS = "shop-example-0a1b2c3d:"
HINT: dict[str, Json] = {"redis": {"host": "127.0.0.1", "port": 6379, "admin": "admin"}}


def site(hints: dict[str, Json] | None = None) -> Site:
    return replace(a_site("/srv/shop"), name="shop.example", hints=HINT if hints is None else hints)


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
        {"WP_REDIS_PREFIX": "victim-example-0a1b2c3d:"},
        {"WP_REDIS_PREFIX": "shop-example-2-0a1b2c3d:"},
    ],
)
def test_a_site_that_names_another_server_or_other_keys_gets_no_password_and_no_keys(constants: dict[str, Any]) -> None:
    assert redis.flush_site(site(), facts(**constants)) is None


def test_no_site_is_made_the_owner_of_another_site_s_user() -> None:
    assert redis.own_prefix(site(), {"WP_REDIS_PREFIX": "victim-example-0a1b2c3d:"}) is None
    assert redis.own_prefix(site(), {"WP_REDIS_PREFIX": OURS}) == OURS


@pytest.mark.parametrize("endpoint", ["evil.example:6379", "127.0.0.1:6380", "/tmp/listening.sock"])
def test_the_administrator_s_password_goes_to_the_operator_s_server_alone(endpoint: str) -> None:
    assert "password" in redis.at(site(), "127.0.0.1:6379")
    assert "$secret" in json.dumps(encode(redis.at(site())))
    assert redis.at(site(), endpoint).keys() <= {"host", "port", "socket"}
    made = redis.make_user(redis.at(site(), endpoint), redis.name_of(site(), Token("0a1b2c3d")), redis.ADMIN)
    assert "user" not in made.args["at"]
