"""The companion's server, asked by the people of a town."""

from __future__ import annotations

import pytest

from companion_room import Room
from signing_in import MakeClient
from town import Town


@pytest.fixture
def room(town: Town, make_client: MakeClient) -> Room:
    return Room(town, make_client)
