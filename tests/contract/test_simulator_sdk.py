"""The official SDK drives the simulated Intercom: somebody else's idea of the same API.

It never turns a page of a search and sends no version (so the app's own counts); neither is asked of it here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from simulator_calls import Api, simulated, written

pytestmark = pytest.mark.slow


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with simulated() as api:
        yield api


@pytest.fixture
def sdk(api: Api) -> Iterator[Any]:
    from intercom import Intercom

    with httpx.Client() as client:
        yield Intercom(token=api.simulator.config.token, base_url=api.simulator.base_url, httpx_client=client)


async def asked(question: Callable[[], Any]) -> Any:
    """The SDK is asked in a thread: the simulator answers in this one."""
    return await asyncio.to_thread(question)


async def test_admins_are_listed_found_and_sent_away(api: Api, sdk: Any) -> None:
    admins = (await asked(sdk.admins.list)).admins
    assert len(admins) == 25
    one = admins[-1]
    assert (await asked(lambda: sdk.admins.find(int(one.id)))).name == one.name
    away = await asked(lambda: sdk.admins.away(int(one.id), away_mode_enabled=True, away_mode_reassign=False))
    assert away.away_mode_enabled is True
    assert api.simulator.workspace.admins[int(one.id)].away is True
    assert (await asked(sdk.admins.identify)).app.id_code == api.simulator.config.app_id


async def test_conversations_are_listed_to_the_end_and_found(api: Api, sdk: Any) -> None:
    ids = {str(written(api.simulator).id) for _ in range(45)}
    assert {each.id for each in await asked(lambda: list(sdk.conversations.list(per_page=20)))} == ids
    one = min(ids)
    assert (await asked(lambda: sdk.conversations.find(one))).source.author.name == "Alba Moreno"


async def test_a_search_has_its_first_page(api: Api, sdk: Any) -> None:
    from intercom.types import SingleFilterSearchRequest

    open_one, closed = written(api.simulator), written(api.simulator)
    await api.control(f"conversations/{closed.id}/close", {})
    query = SingleFilterSearchRequest(field="state", operator="=", value="open")
    found = await asked(lambda: sdk.conversations.search(query=query).items)
    assert [each.id for each in found] == [str(open_one.id)]


async def test_a_conversation_is_assigned_closed_and_opened(api: Api, sdk: Any) -> None:
    from intercom.conversations import (
        ConversationsManageRequestBody_Assignment,
        ConversationsManageRequestBody_Close,
        ConversationsManageRequestBody_Open,
    )

    conversation = written(api.simulator)
    one = str(conversation.id)
    assignment = ConversationsManageRequestBody_Assignment(type="admin", admin_id="7310401", assignee_id="7310402")
    answer = await asked(lambda: sdk.conversations.manage(one, request=assignment))
    assert answer.admin_assignee_id == conversation.admin == 7310402
    close = ConversationsManageRequestBody_Close(type="admin", admin_id="7310401")
    assert (await asked(lambda: sdk.conversations.manage(one, request=close))).state == "closed"
    reopen = ConversationsManageRequestBody_Open(admin_id="7310401")
    assert (await asked(lambda: sdk.conversations.manage(one, request=reopen))).open is True


async def test_a_conversation_is_tagged_noted_and_updated(api: Api, sdk: Any) -> None:
    from intercom.types import AdminReplyConversationRequest, CreateOrUpdateTagRequest

    conversation = written(api.simulator)
    one = str(conversation.id)
    tag = await asked(lambda: sdk.tags.create(request=CreateOrUpdateTagRequest(name="weight:8")))
    await asked(lambda: sdk.tags.tag_conversation(one, tag_id=tag.id, admin_id="7310401"))
    assert [each.tag.name for each in conversation.tags.values()] == ["weight:8"]
    await asked(lambda: sdk.tags.untag_conversation(one, tag.id, admin_id="7310401"))
    assert conversation.tags == {}
    note = AdminReplyConversationRequest(message_type="note", type="admin", admin_id="7310401", body="<p>/weight 8</p>")
    answer = await asked(lambda: sdk.conversations.reply(one, request=note))
    assert answer.conversation_parts.conversation_parts[-1].part_type == "note"
    updated = await asked(
        lambda: sdk.conversations.update(one, read=True, custom_attributes={"Language": "French"}),
    )
    assert (updated.read, updated.custom_attributes) == (True, {"Language": "French"})


async def test_what_is_not_there_is_the_sdk_s_not_found(api: Api, sdk: Any) -> None:
    from intercom import Intercom
    from intercom.errors import NotFoundError, UnauthorizedError

    with pytest.raises(NotFoundError):
        await asked(lambda: sdk.conversations.find("5"))
    with httpx.Client() as client:
        stranger = Intercom(token="stranger", base_url=api.simulator.base_url, httpx_client=client)
        with pytest.raises(UnauthorizedError):
            await asked(stranger.admins.list)
