"""The reference of calls says what the client does: every call has a row, its requests and its retry rule are true."""

import re
from pathlib import Path

import httpx
import pytest
from client_calls import CALLS, client, described, target

from steelyard.adapters.intercom.errors import ServerFault

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "intercom-calls.md"
ROWS = {
    call: (requests, repeated)
    for call, requests, repeated in re.findall(r"^\| `(\w+)` \| (.+?) \| (yes|no) \|", PAGE.read_text(), re.MULTILINE)
}


def test_every_call_has_a_row_and_every_row_is_a_call():
    assert ROWS.keys() == CALLS.keys()


@pytest.mark.parametrize("call", sorted(CALLS))
async def test_the_row_names_the_requests(call: str):
    made: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = re.sub(r"/tags/\d+", "/tags/{tag}", target(request).partition("?")[0])
        made.append(f"`{request.method} {re.sub('[0-9]+', '{id}', path)}`")
        return described(request)

    async with client(answer) as intercom:
        await CALLS[call](intercom)
    assert ", ".join(made) == ROWS[call][0]


@pytest.mark.parametrize("call", sorted(CALLS))
async def test_the_row_tells_the_retry_rule(call: str):
    tries = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        return httpx.Response(503)

    async with client(answer) as intercom:
        with pytest.raises(ServerFault):
            await CALLS[call](intercom)
    assert tries == (3 if ROWS[call][1] == "yes" else 1)
