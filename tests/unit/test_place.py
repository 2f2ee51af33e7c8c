"""Addresses within a workspace, and whether Intercom itself assigns in a team."""

from __future__ import annotations

import pytest

from steelyard.routing.switch import assigns_itself, way_of
from steelyard.web.place import Place


@pytest.mark.parametrize(
    ("workspace", "query", "address"),
    [
        ("", {}, "/aside"),
        ("", {"tried": "7"}, "/aside?tried=7"),
        ("eu1_a", {}, "/aside?workspace=eu1_a"),
        ("eu1_a", {"tried": "7", "was": "a&b"}, "/aside?workspace=eu1_a&tried=7&was=a%26b"),
    ],
)
def test_an_address_names_its_workspace_and_asks(workspace: str, query: dict[str, str], address: str) -> None:
    assert Place("Acme", "eu", workspace).link("/aside", **query) == address


def test_whoever_does_not_assign_by_hand_assigns() -> None:
    assert [each for each in ("", "manual", "round_robin", "load_balanced", "newest") if assigns_itself(each)] == [
        "round_robin", "load_balanced", "newest",
    ]  # fmt: skip
    assert [way_of(each) for each in ("round_robin", "load_balanced", "newest")] == [
        "round robin",
        "balanced",
        "newest",
    ]
