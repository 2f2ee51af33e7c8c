"""What the client does when Intercom, or the way to it, fails: which error, and how often it tried."""

import asyncio
import json

import httpx
import pytest
import spec
from client_calls import CALLS, TOKEN, Clock, body, client, target

from steelyard.adapters.intercom.errors import (
    AnswerError,
    Conflict,
    Forbidden,
    IntercomError,
    Invalid,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    Unreachable,
)
from steelyard.kit.errors import RemoteError

REPEATED = {
    "me",
    "admins",
    "admin",
    "set_away",
    "teams",
    "team",
    "conversations",
    "search_conversations",
    "roster",
    "open_conversations",
    "count_open_conversations",
    "conversation",
    "update_conversation",
    "conversation_attributes",
    "ticket",
    "search_tickets",
    "open_tickets",
}
CUSTOMER = "Jane's password is hunter2"


class Failing:
    """Answers every request in the same way: with a response, or by raising an error of the network."""

    def __init__(self, *outcomes: httpx.Response | type[httpx.TransportError]) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, httpx.Response):
            return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)
        raise outcome(CUSTOMER, request=request)


def refused(status: int, code: str = "", **headers: str) -> httpx.Response:
    """An error list as Intercom sends it, with words that must not show up anywhere."""
    errors = [{"code": code, "message": CUSTOMER, "field": "admin_id"}]
    answer = {"type": "error.list", "request_id": "5ef5682e-f66e-40a4-b828-8592175f83b8", "errors": errors}
    spec.check_response("GET", "/me", status, answer)
    return httpx.Response(status, json=answer, headers=headers)


async def failure(call: str, failing: Failing, clock: Clock | None = None) -> IntercomError:
    """The error that the call raises."""
    async with client(failing, clock) as intercom:
        with pytest.raises(IntercomError) as caught:
            await CALLS[call](intercom)
    assert TOKEN not in str(caught.value)
    assert CUSTOMER not in str(caught.value)
    assert caught.value.call == call
    return caught.value


@pytest.mark.parametrize(
    ("status", "code", "kind", "permanent"),
    [
        (400, "parameter_invalid", Invalid, True),
        (401, "unauthorized", Unauthorized, False),
        (403, "api_plan_restricted", Forbidden, True),
        (404, "admin_not_found", NotFound, True),
        (406, "not_acceptable", Invalid, True),
        (409, "conflict", Conflict, False),
        (422, "parameter_not_found", Invalid, True),
        (429, "rate_limit_exceeded", RateLimited, False),
        (500, "server_error", ServerFault, False),
        (503, "service_unavailable", ServerFault, False),
    ],
)
async def test_refusals_become_their_error(status: int, code: str, kind: type[IntercomError], permanent: bool):
    error = await failure("assign", Failing(refused(status, code)))
    assert type(error) is kind
    assert (error.status, error.code, error.permanent) == (status, code, permanent)
    assert error.request_id == "5ef5682e-f66e-40a4-b828-8592175f83b8"
    assert error.may_have_happened == (status >= 500)
    assert f"({status} {code})" in str(error)
    assert error.request_id in str(error)


@pytest.mark.parametrize("content", [b"", b"<html>Jane's password is hunter2", b"[]", b'{"errors":[7]}', b"\xff\xfe"])
@pytest.mark.parametrize("status", [301, 404, 429, 502])
async def test_refusals_without_an_error_list_are_errors_all_the_same(status: int, content: bytes):
    error = await failure("note", Failing(httpx.Response(status, content=content)))
    assert error.code == ""
    assert error.status == status


async def test_text_that_is_no_code_is_not_repeated():
    error = await failure("note", Failing(refused(400, CUSTOMER)))
    assert error.code == ""


@pytest.mark.parametrize("call", sorted(CALLS))
async def test_a_failed_call_is_repeated_only_where_that_is_safe(call: str):
    for outcome in (refused(503), httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.WriteError):
        clock, failing = Clock(), Failing(outcome)
        error = await failure(call, failing, clock)
        assert error.may_have_happened
        assert len(failing.requests) == (3 if call in REPEATED else 1)
        assert clock.slept == ([0.25, 0.5] if call in REPEATED else [])


@pytest.mark.parametrize("call", sorted(CALLS))
async def test_what_was_never_sent_is_repeated_always(call: str):
    for outcome in (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        failing = Failing(outcome)
        error = await failure(call, failing)
        assert isinstance(error, Unreachable)
        assert error.code == outcome.__name__
        assert not error.may_have_happened
        assert not error.permanent
        assert len(failing.requests) == 3


@pytest.mark.parametrize("call", sorted(CALLS))
async def test_refusals_are_not_repeated(call: str):
    for status in (400, 401, 403, 404, 409, 422):
        failing = Failing(refused(status))
        await failure(call, failing)
        assert len(failing.requests) == 1


async def test_a_call_that_succeeds_at_last_succeeds():
    team = httpx.Response(200, json={"type": "team", "id": "5", "name": "DNS", "admin_ids": [7]})
    async with client(Failing(httpx.ReadTimeout, refused(502), team)) as intercom:
        assert (await intercom.team(5)).members == (7,)


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"{}", b"<html>", b"[" * 100_000, b'{"id": "x"}'])
async def test_answers_of_another_shape_are_errors(call: str, content: bytes):
    failing = Failing(httpx.Response(200, content=content))
    error = await failure(call, failing)
    assert isinstance(error, AnswerError)
    assert error.may_have_happened
    assert error.permanent
    assert error.field in str(error)
    assert len(failing.requests) == 1


async def test_a_429_is_waited_out_and_then_told():
    clock = Clock()
    headers = {"X-RateLimit-Limit": "1666", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(clock.now) + 4)}
    failing = Failing(refused(429, "rate_limit_exceeded", **headers))
    error = await failure("note", failing, clock)
    assert isinstance(error, RateLimited)
    assert len(failing.requests) == 3
    assert clock.slept == [4.05, 10.05]
    assert isinstance(error, RemoteError)
    assert error.retry_at == clock.now + 10
    assert not error.may_have_happened


async def test_a_429_without_headers_waits_ten_seconds_and_then_goes_on():
    clock = Clock()
    tag = httpx.Response(200, json={"type": "tag", "id": "86", "name": "x"})
    failing = Failing(refused(429), tag)
    async with client(failing, clock) as intercom:
        await intercom.tag(17, 1, 86)
        await intercom.tag(17, 1, 86)
    assert clock.slept == [10.05]


class Limited:
    """Admits `limit` requests in each ten seconds, and answers 429 beyond."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self.clock, self.limit = clock, limit
        self.windows: dict[int, int] = {}
        self.refused = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        window = int(self.clock.now) // 10
        used = self.windows[window] = self.windows.get(window, 0) + 1
        await asyncio.sleep(0)
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - used)),
            "X-RateLimit-Reset": str((window + 1) * 10),
        }
        if used > self.limit:
            self.refused += 1
            return refused(429, "rate_limit_exceeded", **headers)
        conversation = target(request).split("/")[2]
        return httpx.Response(200, json={"type": "conversation", "id": conversation}, headers=headers)


async def test_concurrent_calls_keep_to_the_limit_together():
    clock = Clock()
    limited = Limited(clock, 20)
    async with client(limited, clock) as intercom:
        await intercom.open(1, 1)
        await asyncio.gather(*(intercom.open(conversation, 1) for conversation in range(2, 81)))
    assert limited.refused == 0
    assert list(limited.windows.values()) == [20, 20, 20, 20]


async def test_calls_beyond_a_few_windows_are_told_so_without_being_sent():
    clock = Clock()
    limited = Limited(clock, 20)
    async with client(limited, clock) as intercom:
        await intercom.open(1, 1)
        calls = (intercom.open(conversation, 1) for conversation in range(2, 101))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    late = [outcome for outcome in outcomes if isinstance(outcome, RateLimited)]
    assert limited.refused == 0
    assert sum(limited.windows.values()) == 80
    assert len(late) == 20
    assert all(not error.may_have_happened and error.retry_at > clock.now for error in late)


async def test_the_pages_of_a_search_keep_their_query():
    seen: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent = body(request)
        spec.check_request("POST", "/conversations/search", sent)
        seen.append(sent["query"])
        after = json.loads(sent["pagination"].get("starting_after", "0")) + 1
        following = {"next": {"starting_after": str(after)}} if after < 3 else {}
        return httpx.Response(200, json={"conversations": [{"id": after}], "pages": following})

    async with client(answer) as intercom:
        await CALLS["search_conversations"](intercom)
    assert len(seen) == 3
    assert all(query == seen[0] for query in seen)
