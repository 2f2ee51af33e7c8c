"""The tests of the store run on the embedded server, and as slow tests on Debian's PostgreSQL 15 as well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest

from steelyard.store.embedded import Embedded

DEBIAN = Path("/usr/lib/postgresql/15/bin")
_NUMBERS = count(1)


def debian_binaries() -> Path:
    """The folder of Debian's programs; skips where it is missing."""
    if not (DEBIAN / "postgres").exists():
        pytest.skip("Debian's postgresql-15 is not installed: apt install postgresql-15")
    return DEBIAN


@pytest.fixture(scope="session", params=["embedded", pytest.param("debian15", marks=pytest.mark.slow)])
def server(
    request: pytest.FixtureRequest,
    quick_folder: Path,
    make_server: Callable[[Embedded], AbstractContextManager[object]],
) -> Iterator[object]:
    binaries = debian_binaries() if request.param == "debian15" else None
    # Files that take turns between the servers start each of them more than once.
    folder = quick_folder / f"server-{request.param}-{os.getpid()}-{next(_NUMBERS)}"
    embedded = Embedded.start(folder, durable=False, binaries=binaries)
    with make_server(embedded) as server:
        yield server
