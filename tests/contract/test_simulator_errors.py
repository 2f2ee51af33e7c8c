"""What the simulated Intercom refuses, and how: always an error list, always the headers of the rate limit."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from simulator_calls import Api, answering, written

from steelyard.demo.intercom.limits import Limit


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with answering() as api:
        written(api.simulator)
        yield api


CONVERSATION = "/conversations/215470000001"
ASSIGN = {"message_type": "assignment", "type": "admin", "admin_id": "7310402", "assignee_id": "7310403"}
QUERY = {"field": "open", "operator": "=", "value": True}

REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("GET", "/conversations/999", None, 404, "not_found"),
    ("GET", "/conversations?per_page=151", None, 400, "parameter_invalid"),
    ("GET", "/conversations?per_page=0", None, 400, "parameter_invalid"),
    ("GET", "/conversations?starting_after=nonsense", None, 400, "parameter_invalid"),
    ("GET", "/admins/5", None, 404, "admin_not_found"),
    ("GET", "/teams/x", None, 404, "team_not_found"),
    ("GET", "/contacts/x", None, 404, "not_found"),
    ("GET", f"/tickets/{CONVERSATION[-12:]}", None, 404, "ticket_not_found"),
    ("PUT", "/admins/7310402/away", {"away_mode_enabled": True}, 400, "parameter_not_found"),
    ("PUT", "/admins/7310402/away", {"away_mode_enabled": 1, "away_mode_reassign": False}, 400, "parameter_invalid"),
    ("POST", f"{CONVERSATION}/parts", {}, 400, "parameter_not_found"),
    ("POST", f"{CONVERSATION}/parts", ASSIGN | {"message_type": "note"}, 400, "parameter_invalid"),
    ("POST", f"{CONVERSATION}/parts", ASSIGN | {"type": "bot"}, 400, "parameter_invalid"),
    ("POST", f"{CONVERSATION}/parts", ASSIGN | {"admin_id": "5017690"}, 404, "admin_not_found"),
    ("POST", f"{CONVERSATION}/parts", ASSIGN | {"admin_id": "0"}, 404, "admin_not_found"),
    ("POST", f"{CONVERSATION}/parts", ASSIGN | {"assignee_id": "5017690"}, 404, "assignee_not_found"),
    ("POST", f"{CONVERSATION}/parts", ASSIGN | {"assignee_id": [1]}, 400, "parameter_invalid"),
    ("POST", "/conversations/1/parts", ASSIGN, 404, "not_found"),
    (
        "POST",
        f"{CONVERSATION}/parts",
        {"message_type": "snoozed", "admin_id": "7310402", "snoozed_until": 5},
        400,
        "parameter_invalid",
    ),
    ("PUT", CONVERSATION, {"custom_attributes": {"nobody made this": 1}}, 400, "parameter_invalid"),
    ("PUT", CONVERSATION, {"custom_attributes": {"Language": 1.5}}, 400, "parameter_invalid"),
    ("PUT", CONVERSATION, {"custom_attributes": {"Language": True}}, 400, "parameter_invalid"),
    ("PUT", CONVERSATION, {"custom_attributes": []}, 400, "parameter_invalid"),
    ("POST", f"{CONVERSATION}/tags", {"id": "1", "admin_id": "7310402"}, 404, "tag_not_found"),
    ("DELETE", f"{CONVERSATION}/tags/1", {"admin_id": "7310402"}, 404, "tag_not_found"),
    ("POST", f"{CONVERSATION}/reply", {"message_type": "note", "type": "admin"}, 400, "parameter_not_found"),
    (
        "POST",
        f"{CONVERSATION}/reply",
        {"message_type": "comment", "type": "user", "email": "else@example.test", "body": "x"},
        404,
        "not_found",
    ),
    ("POST", "/tags", {"name": " "}, 400, "parameter_invalid"),
    ("POST", "/conversations/attributes", {"name": "x", "data_type": "float"}, 422, "parameter_invalid"),
    ("POST", "/conversations/attributes", {"name": "Language", "data_type": "string"}, 422, "parameter_invalid"),
    ("POST", "/conversations", {"from": {"type": "user", "id": "x" * 24}, "body": "x"}, 404, "not_found"),
    ("POST", f"{CONVERSATION}/convert", {"ticket_type_id": "1"}, 400, "parameter_invalid"),
    ("POST", "/conversations/search", {}, 400, "parameter_not_found"),
    (
        "POST",
        "/conversations/search",
        {"query": QUERY, "pagination": {"per_page": "many"}},
        400,
        "parameter_invalid",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), REFUSED)
async def test_a_bad_call_is_refused(api: Api, method: str, path: str, body: Any, status: int, code: str) -> None:
    conversation = api.simulator.workspace.conversations[int(CONVERSATION[-12:])]
    answer = await api(method, path, body, status=status)
    assert answer["errors"][0]["code"] == code
    assert len(answer["request_id"]) == 36
    assert conversation.parts == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": "Bearer somebody else's"}, 401, "unauthorized"),
        ({"Authorization": ""}, 401, "unauthorized"),
        ({"Intercom-Version": "2.14"}, 400, "intercom_version_invalid"),
        ({"Accept": "text/html"}, 406, "media_type_not_acceptable"),
    ],
)
async def test_bad_headers_are_refused(api: Api, headers: dict[str, str], status: int, code: str) -> None:
    answer = await api.client.get("/me", headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)


async def test_without_a_version_the_app_s_own_counts(api: Api) -> None:
    del api.client.headers["Intercom-Version"]
    assert (await api.client.get("/me")).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_what_is_no_json_object_is_refused(api: Api, body: bytes) -> None:
    answer = await api.client.post("/tags", content=body)
    assert (answer.status_code, answer.json()["type"]) == (400, "error.list")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nope"), ("PATCH", "/me"), ("POST", "/")])
async def test_an_unknown_path_is_not_found(api: Api, method: str, path: str) -> None:
    answer = await api.client.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (404, "error.list")


async def test_more_calls_than_the_limit_are_refused_until_the_window_ends() -> None:
    limit = Limit(calls=2)
    taken = [limit.take(1_000 + second) for second in (0, 1, 2, 9.9, 10)]
    assert [each.allowed for each in taken] == [True, True, False, False, True]
    assert [each.remaining for each in taken] == [1, 0, 0, 0, 1]
    assert [each.reset for each in taken] == [1_010, 1_010, 1_010, 1_010, 1_020]


async def test_the_limit_is_told_on_every_answer_and_kept() -> None:
    async with answering(calls_per_window=3) as api:
        answers = [await api.client.get(path) for path in ("/me", "/teams/9", "/me", "/me", "/me", "/me", "/me")]
        first, refused = answers[0], answers[-1]
        assert first.headers["x-ratelimit-limit"] == "3"
        assert first.headers["x-ratelimit-remaining"] == "2"
        assert refused.status_code == 429
        assert refused.json()["errors"][0]["code"] == "rate_limit_exceeded"
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert int(refused.headers["x-ratelimit-reset"]) % 10 == 0
        assert "retry-after" not in refused.headers
        await api.control("limit", {"calls": 1_000})
        assert (await api.client.get("/me")).status_code == 200


async def test_a_429_can_come_out_of_the_blue_and_changes_nothing(api: Api) -> None:
    await api.control("faults", {"rate_limit": 1.0})
    before = len(api.simulator.workspace.tags)
    answers = await asyncio.gather(*(api.client.post("/tags", json={"name": f"t{n}"}) for n in range(5)))
    assert {each.status_code for each in answers} == {429}
    assert len(api.simulator.workspace.tags) == before
    await api.control("faults", {"rate_limit": 0})
    await api("POST", "/tags", {"name": "t"})
