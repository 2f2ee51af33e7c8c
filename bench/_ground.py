"""What the benchmarks stand on: a durable server of their own with one workspace, and the last line they print."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from steelyard.kit.ids import CellId, WorkspaceId, workspace_id
from steelyard.routing.connections import secret_place
from steelyard.store.embedded import APP, Embedded
from steelyard.store.keys import WEB, WORKER, Keys, add_key, key_file
from steelyard.store.migrate import prepare

ROUNDS = 5
CELL = "bench"
SECRET = "the secret of the benchmarks"

_TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def server() -> Generator[Embedded]:
    """Steelyard's own PostgreSQL, durable, migrated and empty, in a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="steelyard-bench-"))
    folder.chmod(0o755)
    embedded = Embedded.start(folder)
    try:
        prepare(embedded.owner_url, APP)
        yield embedded
    finally:
        embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


def add_keys(folder: Path) -> Path:
    """The folder of fresh key files, inside `folder`."""
    for name in (WEB, WORKER):
        add_key(key_file(folder / "keys", name))
    return folder / "keys"


def add_workspace(url: str, keys: Path, app_id: str = "a86dr8yl") -> WorkspaceId:
    """A workspace with that app id, connected to nothing, its secrets sealed under the key files in `keys`."""
    workspace = workspace_id(CellId(CELL), app_id)
    with psycopg.connect(url) as conn:
        conn.execute("SELECT set_config('steelyard.workspace', %s, true)", (workspace,))
        conn.execute("INSERT INTO workspace (workspace) VALUES (%s)", (workspace,))
        conn.execute(
            "INSERT INTO connection (workspace, app_id, name, region, api_url, client_secret, access_token, actor)"
            " VALUES (%s, %s, 'Bench', 'eu', 'http://127.0.0.1:9', %s, 'token', 1)",
            (workspace, app_id, Keys(key_file(keys, WEB)).seal(SECRET, secret_place(workspace))),
        )
    return workspace


def cpu_seconds(pid: int, *, ended: bool = False) -> float:
    """CPU time that a process has used so far, its own and the kernel's for it; or that of its `ended` children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[13:15] if ended else fields[11:13])) / _TICKS


def median(values: Sequence[float]) -> float:
    """The median, rounded to what a noisy machine can tell."""
    return round(statistics.median(values), 3)


def say(text: str) -> None:
    """Progress, for people, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def result(**figures: Any) -> None:
    """The last line: one JSON object."""
    sys.stdout.write(json.dumps(figures) + "\n")


def rounds() -> Iterator[int]:
    """The rounds of a benchmark; ROUNDS in the environment makes it quicker."""
    yield from range(1, int(os.environ.get("ROUNDS", ROUNDS)) + 1)
