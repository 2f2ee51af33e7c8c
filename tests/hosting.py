"""A customer's host of real servers for tests, and sites on it. What the machine lacks skips them and says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from steelyard.demo.hosting import Hosting, HostingError, Site, Template, Wanted, make_template

MakeSite = Callable[..., Site]
MEMORY = Path("/dev/shm")
PLENTY = 4 * 1024**3
PREFIX = "steelyard-test-"


@pytest.fixture(scope="session")
def hosting_template() -> Template:
    """WordPress and what every host starts from: made once on a machine, under .setup."""
    try:
        return make_template()
    except HostingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def hosting_folder(open_folder: Path) -> Iterator[Path]:
    """Where hosts lie: in memory where there is plenty, since a disk makes copies of WordPress wait for each other."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < PLENTY:
        yield open_folder
        return
    for left in MEMORY.glob(f"{PREFIX}*"):
        if not Path("/proc", left.name.removeprefix(PREFIX)).exists():  # killed before it could clear away
            shutil.rmtree(left, ignore_errors=True)
    folder = MEMORY / f"{PREFIX}{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def hosting(hosting_folder: Path, hosting_template: Template) -> Iterator[Hosting]:
    """All servers of a host, for the session. A test that stops or changes one starts its own: `Hosting.start`."""
    with ExitStack() as running:
        try:
            started = running.enter_context(Hosting.start(hosting_folder / "hosting", template=hosting_template))
        except HostingError as error:
            pytest.skip(str(error))
        yield started


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
