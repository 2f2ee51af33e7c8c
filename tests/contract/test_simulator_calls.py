"""Every call of the simulated Intercom, for every kind of conversation, judged by Intercom's own description."""

from collections.abc import AsyncIterator

import pytest
from simulator_calls import Api, answering, simulated, until, written

from steelyard.demo.intercom.service import ROUTES


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with answering() as api:
        yield api


def two_engineers(api: Api) -> tuple[str, str]:
    first, second = [each for each in api.simulator.workspace.admins.values() if each.seat][:2]
    return str(first.id), str(second.id)


async def test_every_call_fits_the_description(api: Api) -> None:
    workspace = api.simulator.workspace
    one, _ = two_engineers(api)
    conversation = f"/conversations/{written(api.simulator, subject='DNS').id}"
    contact = next(iter(workspace.contacts))
    reason, team = next(iter(workspace.reasons)), next(iter(workspace.teams))
    ticket_type, state = next(iter(workspace.ticket_types)), list(workspace.ticket_states)[1]
    for path in ("/me", "/admins", f"/admins/{one}", "/away_status_reasons", "/teams", f"/teams/{team}"):
        await api("GET", path)
    for path in ("/ticket_states", "/conversations/attributes", f"/contacts/{contact}", "/conversations"):
        await api("GET", path)
    away = {"away_mode_enabled": True, "away_mode_reassign": False, "away_status_reason_id": reason}
    await api("PUT", f"/admins/{one}/away", away)
    began = await api("POST", "/conversations", {"from": {"type": "user", "id": contact}, "body": "Hello"})
    assert (await api("GET", f"/conversations/{began['conversation_id']}"))["source"]["body"] == "<p>Hello</p>"
    await api("POST", "/conversations/attributes", {"name": "weight", "data_type": "integer"})
    await api("PUT", conversation, {"custom_attributes": {"weight": 5}, "read": True, "title": "Zone"})
    await api("POST", f"{conversation}/parts", {"message_type": "open", "admin_id": one})
    await api(
        "POST", f"{conversation}/reply", {"message_type": "comment", "type": "admin", "admin_id": one, "body": "x"}
    )
    tag = await api("POST", "/tags", {"name": "weight:8"})
    await api("POST", f"{conversation}/tags", {"id": tag["id"], "admin_id": one})
    await api("GET", "/tags")
    await api("DELETE", f"{conversation}/tags/{tag['id']}", {"admin_id": one})
    query = {"query": {"field": "open", "operator": "=", "value": True}}
    await api("POST", "/conversations/search", query)
    ticket = await api("POST", f"{conversation}/convert", {"ticket_type_id": str(ticket_type)})
    await api("GET", f"/tickets/{ticket['id']}")
    changes = {"ticket_state_id": str(state), "admin_id": int(one), "assignee_id": one}
    await api("PUT", f"/tickets/{ticket['id']}", changes)
    assert (await api("POST", "/tickets/search", query))["total_count"] == 1
    await api("DELETE", conversation)
    assert api.tried == {(method, path) for _, method, path, _ in ROUTES}


async def test_every_state_of_a_conversation_fits(api: Api) -> None:
    one, two = two_engineers(api)
    team = str(next(iter(api.simulator.workspace.teams)))
    path = f"/conversations/{written(api.simulator, language='fr', tags=('vip',), priority='high').id}"
    until = api.simulator.workspace.now() + 60
    parts = [
        {"message_type": "assignment", "type": "team", "admin_id": one, "assignee_id": team},
        {"message_type": "assignment", "type": "admin", "admin_id": one, "assignee_id": two},
        {"message_type": "snoozed", "admin_id": one, "snoozed_until": until},
        {"message_type": "open", "admin_id": one},
        {"message_type": "assignment", "type": "admin", "admin_id": one, "assignee_id": "0", "body": "Soon"},
        {"message_type": "close", "type": "admin", "admin_id": one, "body": "<p>Bye</p>"},
        {"message_type": "open", "admin_id": one},
    ]
    states = []
    for part in parts:
        answer = await api("POST", f"{path}/parts", part)
        read = await api("GET", path)
        await api("GET", f"{path}?display_as=plaintext")
        assert read == answer
        states.append((read["state"], read["open"], read["admin_assignee_id"], read["team_assignee_id"]))
    assert states == [
        ("open", True, 0, int(team)),
        ("open", True, int(two), int(team)),
        ("snoozed", True, int(two), int(team)),
        ("open", True, int(two), int(team)),
        ("open", True, 0, int(team)),
        ("closed", False, 0, int(team)),
        ("open", True, 0, int(team)),
    ]
    kinds = [each["part_type"] for each in read["conversation_parts"]["conversation_parts"]]
    assert kinds == ["assignment", "assignment", "snoozed", "unsnoozed", "assignment", "close", "open"]
    assert read["statistics"]["count_assignments"] == 3
    assert read["statistics"]["count_reopens"] == 1


async def test_assigning_a_closed_conversation_reopens_it(api: Api) -> None:
    one, _ = two_engineers(api)
    path = f"/conversations/{written(api.simulator).id}/parts"
    await api("POST", path, {"message_type": "close", "type": "admin", "admin_id": one})
    assignment = {"message_type": "assignment", "type": "admin", "admin_id": one, "assignee_id": one}
    answer = await api("POST", path, assignment)
    part = answer["conversation_parts"]["conversation_parts"][-1]
    assert (answer["open"], part["part_type"], part["assigned_to"]) == (
        True,
        "assign_and_reopen",
        {"type": "admin", "id": one},
    )


async def test_an_unassignment_names_nobody(api: Api) -> None:
    one, _ = two_engineers(api)
    assignment = {"message_type": "assignment", "type": "admin", "admin_id": one, "assignee_id": "0"}
    answer = await api("POST", f"/conversations/{written(api.simulator).id}/parts", assignment)
    part = answer["conversation_parts"]["conversation_parts"][-1]
    assert part["assigned_to"] == {"type": "nobody_admin", "id": None}


async def test_assigning_to_a_team_takes_the_teammate_away(api: Api) -> None:
    one, _ = two_engineers(api)
    team = next(iter(api.simulator.workspace.teams))
    conversation = written(api.simulator)
    for kind, assignee in (("admin", one), ("team", str(team))):
        body = {"message_type": "assignment", "type": kind, "admin_id": one, "assignee_id": assignee}
        await api("POST", f"/conversations/{conversation.id}/parts", body)
    assert (conversation.admin, conversation.team) == (0, team)


async def test_parts_made_by_an_app_are_marked_and_those_of_people_are_not(api: Api) -> None:
    one, _ = two_engineers(api)
    conversation = written(api.simulator)
    await api.control(f"conversations/{conversation.id}/note", {"body": "by hand"})
    note = {"message_type": "note", "type": "admin", "admin_id": one, "body": "<p>by the app</p>"}
    answer = await api("POST", f"/conversations/{conversation.id}/reply", note)
    parts = answer["conversation_parts"]["conversation_parts"]
    assert [each["app_package_code"] for each in parts] == [None, api.simulator.config.package_code]


async def test_a_customer_s_reply_reopens_and_waits(api: Api) -> None:
    one, _ = two_engineers(api)
    conversation = written(api.simulator)
    path = f"/conversations/{conversation.id}"
    answered = {"message_type": "comment", "type": "admin", "admin_id": one, "body": "Done"}
    assert (await api("POST", f"{path}/reply", answered))["waiting_since"] is None
    await api("POST", f"{path}/parts", {"message_type": "close", "type": "admin", "admin_id": one})
    reply = {"message_type": "comment", "type": "user", "intercom_user_id": conversation.contact.id, "body": "No"}
    answer = await api("POST", f"{path}/reply", reply)
    assert (answer["state"], answer["waiting_since"] is not None) == ("open", True)
    assert answer["conversation_parts"]["conversation_parts"][-1]["part_type"] == "open"


async def test_a_snoozed_conversation_wakes_by_itself() -> None:
    async with simulated() as api:
        conversation = written(api.simulator)
        await api.control(f"conversations/{conversation.id}/snooze", {"seconds": 0})
        await until(lambda: conversation.state == "open")
        read = await api("GET", f"/conversations/{conversation.id}")
    assert read["conversation_parts"]["conversation_parts"][-1]["part_type"] == "timer_unsnoozed"
    assert read["snoozed_until"] is None


async def test_texts_are_html_in_rest_and_plain_where_asked(api: Api) -> None:
    conversation = written(api.simulator, "1 < 2 & so\non")
    assert (await api("GET", f"/conversations/{conversation.id}"))["source"]["body"] == "<p>1 &lt; 2 &amp; so<br>on</p>"
    plain = await api("GET", f"/conversations/{conversation.id}?display_as=plaintext")
    assert plain["source"]["body"] == "1 < 2 & so\non"


async def test_a_tag_is_made_once_whatever_its_case(api: Api) -> None:
    first = await api("POST", "/tags", {"name": "weight:Heavy"})
    assert await api("POST", "/tags", {"name": "WEIGHT:heavy"}) == first


async def test_a_resolved_ticket_is_closed(api: Api) -> None:
    workspace = api.simulator.workspace
    conversation = written(api.simulator)
    ticket_type = str(next(iter(workspace.ticket_types)))
    await api("POST", f"/conversations/{conversation.id}/convert", {"ticket_type_id": ticket_type})
    resolved = str(next(each.id for each in workspace.ticket_states.values() if each.category == "resolved"))
    answer = await api("PUT", f"/tickets/{conversation.id}", {"ticket_state_id": resolved})
    assert (answer["open"], answer["ticket_state"]["category"]) == (False, "resolved")
