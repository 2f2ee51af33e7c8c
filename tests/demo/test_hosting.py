"""The host of real servers does what tests, benchmarks and the demo believe of it."""

from __future__ import annotations

from steelyard.demo.hosting import Hosting, Site


def test_it_works(wordpress: Site, hosting: Hosting) -> None:
    assert wordpress.get("/").status == 200
