"""A customer's host of real servers for tests, and sites on it. What the machine lacks skips them and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from steelyard.demo.hosting import Hosting, HostingError, Site, Template, Wanted, make_template

MakeSite = Callable[..., Site]


@pytest.fixture(scope="session")
def hosting_template() -> Template:
    """WordPress and what every host starts from: made once on a machine, under .setup."""
    try:
        return make_template()
    except HostingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def hosting_folder(quick_folder: Path) -> Path:
    """Where hosts lie: in memory if it can be, since a disk makes copies of WordPress wait for each other."""
    return quick_folder


@pytest.fixture(scope="session")
def hosting(hosting_folder: Path, hosting_template: Template) -> Iterator[Hosting]:
    """All servers of a host, for the session. A test that stops or changes one starts its own: `Hosting.start`."""
    with ExitStack() as running:
        try:
            started = running.enter_context(Hosting.start(hosting_folder / "hosting", template=hosting_template))
        except HostingError as error:
            pytest.skip(str(error))
        yield started


@pytest.fixture(scope="module")
def with_redis(hosting: Hosting) -> Iterator[None]:
    """PHP has the extension."""
    hosting.php.install("redis")
    hosting.php.reload()
    yield
    hosting.php.uninstall("redis")
    hosting.php.uninstall("igbinary")
    hosting.php.reload()


@pytest.fixture
def make_site(hosting: Hosting) -> Iterator[MakeSite]:
    """Makes sites that are erased after the test: `make_site()`, `make_site("a.example", prefix="x_")`."""
    made: list[Site] = []

    def make(name: str | None = None, **wanted: object) -> Site:
        site = hosting.make_site(name, Wanted(**wanted))  # type: ignore[arg-type]
        made.append(site)
        return site

    yield make
    for site in reversed(made):
        site.remove()


@pytest.fixture
def wordpress(make_site: MakeSite) -> Site:
    """An ordinary site for this test alone."""
    return make_site()
