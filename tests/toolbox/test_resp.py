"""Redis spoken with over a socket and by redis-cli gives the same answers, and no password is in an argument."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steelyard.demo.hosting import Hosting
from steelyard.toolbox.hosted.here import Failed, Here, Place, Ran
from steelyard.toolbox.hosted.resp import Redis, Refusal, connected

PREFIX = "shop-0a1b2c3d:"


class Far(Here):
    """As where verbs do not run on the host: every primitive is a command. Notes the arguments."""

    near = False
    seen: list[str] = []  # noqa: RUF012 - of the class, so that the tests see it

    def run(self, argv: Sequence[str], stdin: bytes = b"", env: Mapping[str, str] | None = None, **how: Any) -> Ran:
        self.seen.extend([*argv, *(env or {}).values()])
        return super().run(argv, stdin, env, **how)


@pytest.fixture(params=[Here, Far])
def redis(request: pytest.FixtureRequest, hosting: Hosting, tmp_path: Any) -> Iterator[Redis]:
    here = request.param(Place("nobody", "/", str(tmp_path), "0a1b2c3d", {}), print)
    at = {"host": "127.0.0.1", "port": hosting.redis.port, "user": "admin", "password": hosting.redis.password}
    with connected(here, at) as found:
        yield found
    hosting.redis.run("FLUSHALL")
    assert hosting.redis.password not in " ".join(Far.seen)


texts = st.binary(min_size=1, max_size=40)


@given(values=st.lists(st.tuples(texts, texts), min_size=1, max_size=5, unique_by=lambda each: each[0]))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_back(redis: Redis, values: list[tuple[bytes, bytes]]) -> None:
    redis.call("FLUSHDB")
    for key, value in values:
        redis.call("SET", PREFIX.encode() + key, value)
    redis.call("SET", "other", "x")
    assert [redis.call("GET", PREFIX.encode() + key) for key, _ in values] == [value for _, value in values]
    assert {name for batch in redis.names(PREFIX) for name in batch} == {PREFIX.encode() + key for key, _ in values}


def test_numbers_nothing_lists_and_refusals(redis: Redis) -> None:
    assert redis.call("INCR", "n") == 1
    assert redis.call("GET", "missing") is None
    assert redis.call("MGET", "n", "missing") == [b"1", None]
    assert redis.call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"0"]
    assert isinstance(redis.tell([["NOSUCH"]])[0], Refusal)
    with pytest.raises(Failed, match="refuses NOSUCH"):
        redis.call("NOSUCH")
    assert redis.info("server")["redis_version"].count(".") == 2


@pytest.mark.parametrize("kind", [Here, Far])
@pytest.mark.parametrize(("change", "code"), [({"password": "wrong"}, "redis_denied"), ({"port": 1}, "no_redis")])
def test_a_server_that_does_not_let_in_is_told(
    hosting: Hosting, tmp_path: Any, kind: type[Here], change: dict[str, Any], code: str
) -> None:
    here = kind(Place("nobody", "/", str(tmp_path), "0a1b2c3d", {}), print)
    at = {
        "host": "127.0.0.1",
        "port": hosting.redis.port,
        "user": "admin",
        "password": hosting.redis.password,
        **change,
    }
    with pytest.raises(Failed) as failed, connected(here, at) as redis:
        redis.call("PING")
    assert failed.value.code == code
    assert "wrong" not in failed.value.message
