"""Every call as Intercom's description has it: the requests fit, the example answers are read."""

import inspect

import httpx
import pytest
from client_calls import CALLS, OPEN, TOKEN, body, client, described, target

from steelyard import __version__
from steelyard.adapters.intercom.answers import Admin, App, Attribute, Me, Tag, Team
from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.errors import AnswerError


def test_the_calls_tested_are_all_the_client_has():
    assert CALLS.keys() == {name for name, _ in inspect.getmembers(Intercom, inspect.isfunction) if name[0] != "_"} - {
        "aclose",
        "leave_room",
        "now",
    }


@pytest.mark.parametrize("call", sorted(CALLS))
async def test_the_request_fits_and_the_example_answer_is_read(call: str):
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return described(request)

    async with client(answer) as intercom:
        await CALLS[call](intercom)
    request = requests[-1]
    assert len(requests) == (2 if call == "roster" else 1)
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["intercom-version"] == "2.16"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == f"steelyard/{__version__}"
    assert request.headers.get("content-type") == ("application/json" if request.content else None)


@pytest.mark.parametrize(
    ("call", "method", "path", "sent"),
    [
        (
            "assign",
            "POST",
            "/conversations/17/parts",
            {"message_type": "assignment", "type": "admin", "admin_id": "1", "assignee_id": "7"},
        ),
        ("untag", "DELETE", "/conversations/17/tags/86", {"admin_id": "1"}),
        ("assign_ticket", "PUT", "/tickets/17", {"admin_id": 1, "assignee_id": "7"}),
        ("update_conversation", "PUT", "/conversations/17", {"custom_attributes": {"weight": 5, "topic": "dns"}}),
        ("conversation", "GET", "/conversations/17?display_as=plaintext", None),
        (
            "note",
            "POST",
            "/conversations/17/reply",
            {"message_type": "note", "type": "admin", "admin_id": "1", "body": "<p>Why: lightest load</p>"},
        ),
        ("search_tickets", "POST", "/tickets/search", {"query": OPEN.json, "pagination": {"per_page": 150}}),
    ],
)
async def test_what_is_sent(call: str, method: str, path: str, sent: object):
    async def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, target(request), body(request)) == (method, path, sent)
        return described(request)

    async with client(answer) as intercom:
        await CALLS[call](intercom)


async def test_the_roster_is_what_routing_reads():
    async with client(described) as intercom:
        roster = await intercom.roster()
    assert [admin["id"] for admin in roster["admins"]] == ["991267466"]
    assert roster["teams"] == []


async def test_nobody_is_assigned_as_zero():
    def answer(request: httpx.Request) -> httpx.Response:
        assert body(request)["assignee_id"] == "0"
        return described(request)

    async with client(answer) as intercom:
        await intercom.assign(17, 1, 0)
        await intercom.assign_ticket(17, 1, 0)


async def test_a_list_attribute_and_an_away_reason_are_sent_as_described():
    async with client(described) as intercom:
        await intercom.create_conversation_attribute("topic", "list", ["DNS", "SSL"])
        await intercom.set_away(7, True, reason=12345)


async def test_the_examples_are_read_as_what_they_say():
    async with client(described) as intercom:
        app = App("this_is_an_id1_that_should_be_at_least_40", "MyApp 1", "US", "America/Los_Angeles")
        assert await intercom.me() == Me(991267459, "Ciaran1 Lee", "admin1@email.com", app)
        assert await intercom.admins() == [
            Admin(991267466, "Ciaran7 Lee", "admin7@email.com", away=False, reassign=False, seat=True, teams=())
        ]
        assert (await intercom.set_away(7, True)).away
        assert await intercom.team(5) == Team(991267902, "team 1", (), "round_robin")
        assert await intercom.tag(17, 1, 86) == Tag(86, "Manual tag")
        first = (await intercom.conversation_attributes())[0]
        assert first == Attribute(3, "test 2", "string", archived=False)


def _page(cursor: str | None, *ids: int, name: str = "conversations") -> httpx.Response:
    pages = {"type": "pages", "page": 1, "per_page": 150, "total_pages": 3}
    if cursor is not None:
        pages["next"] = {"per_page": 150, "starting_after": cursor}
    return httpx.Response(200, json={"pages": pages, name: [{"type": "conversation", "id": str(each)} for each in ids]})


async def test_searching_follows_the_cursor_to_the_last_page():
    pages = {None: _page("a", 1, 2), "a": _page("b", 3), "b": _page(None, 4)}

    def answer(request: httpx.Request) -> httpx.Response:
        spec_body = body(request)
        return pages[spec_body["pagination"].get("starting_after")]

    async with client(answer) as intercom:
        found = [each["id"] async for each in intercom.search_conversations(OPEN)]
    assert found == ["1", "2", "3", "4"]


async def test_listing_follows_the_cursor_to_the_last_page():
    pages = {None: _page("a", 1, 2), "a": _page("b+/=", 3), "b+/=": _page(None, 4)}
    async with client(lambda request: pages[request.url.params.get("starting_after")]) as intercom:
        assert [each["id"] async for each in intercom.conversations()] == ["1", "2", "3", "4"]


async def test_a_cursor_that_stands_still_ends_in_an_error():
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return _page("a", 1)

    async with client(answer) as intercom:
        with pytest.raises(AnswerError, match="do not end"):
            _ = [each async for each in intercom.search_conversations(OPEN)]
    assert len(requests) == 2


async def test_another_conversation_than_the_one_asked_for_is_an_error():
    async with client(lambda _: httpx.Response(200, json={"type": "conversation", "id": "18"})) as intercom:
        with pytest.raises(AnswerError, match=r"answer\.id"):
            await intercom.conversation(17)
