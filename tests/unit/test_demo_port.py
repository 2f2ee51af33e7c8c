"""Two demos that are started at once get desks at two ports."""

from __future__ import annotations

import socket
import sys

import pytest

from steelyard.cli.demo import free_port


def test_a_port_that_is_listened_on_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, free_port(taken.getsockname()[1]) as port:
        assert port != taken.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names without a file")
def test_a_port_that_another_demo_has_chosen_is_left_until_that_one_ends() -> None:
    with free_port(0) as first, free_port(first) as second:
        assert second != first
    with free_port(first) as again:
        assert again == first
