"""How fast webhooks are accepted: over pgbench's single-row durable inserts, and in CPU over a bare Starlette route.

Paired and interleaved, the same server, table, row and role, the same uvicorn options; medians of five rounds.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.conninfo import make_conninfo

from _ground import CELL, SECRET, add_keys, add_workspace, cpu_seconds, median, result, rounds, say, server
from _web import WEB, Web, process
from steelyard.kit.ids import WorkspaceId
from steelyard.store.embedded import DATABASE

HERE = Path(__file__).parent
CONNECTIONS = 32
SECONDS = int(os.environ.get("SECONDS", "6"))
PATH = f"/hooks/intercom/{CELL}"
_MOST_PER_SECOND = 30_000


class Load(NamedTuple):
    """What wrk saw, and the CPU it cost the process."""

    per_second: float
    cpu_ms: float
    """Of the web process, for one request."""
    p99_ms: float
    requests: int


def main() -> None:
    """Runs the rounds and prints the result."""
    for program in ("wrk", "pgbench"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed: apt install wrk postgresql")
    ratios: list[float] = []
    cpu_ratios: list[float] = []
    latencies: list[float] = []
    with server() as embedded, tempfile.TemporaryDirectory() as folder:
        url, superuser = embedded.app_url, make_conninfo(embedded.superuser_url, dbname=DATABASE)
        keys = add_keys(Path(folder))
        workspace = add_workspace(url, keys)
        with process(WEB, url, keys) as web, process([str(HERE / "_bare.py")], url, keys, "port") as bare:
            for warm in (web, bare):
                load(warm, Path(folder))
            for number in rounds():
                empty(superuser)
                inserts = pgbench(url, workspace)
                empty(superuser)
                accepted = load(web, Path(folder))
                stored = count(superuser)
                if stored < accepted.requests:
                    raise SystemExit(f"{accepted.requests} webhooks were answered 200, but only {stored} are stored")
                checked = load(bare, Path(folder))
                paced = load(web, Path(folder), at=accepted.per_second / 2)
                ratios.append(accepted.per_second / inserts)
                cpu_ratios.append(accepted.cpu_ms / checked.cpu_ms)
                latencies.append(paced.p99_ms)
                say(
                    f"round {number}: pgbench {inserts:.0f}/s, ingest {accepted.per_second:.0f}/s: {ratios[-1]:.2f};"
                    f" CPU {accepted.cpu_ms:.3f} ms over {checked.cpu_ms:.3f} ms: {cpu_ratios[-1]:.2f};"
                    f" p99 at {paced.per_second:.0f}/s {paced.p99_ms:.1f} ms"
                )
    result(ratio=median(ratios), cpu_ratio=median(cpu_ratios), p99_ms=median(latencies))


def load(web: Web, folder: Path, at: float = 0) -> Load:
    """Sends unique signed webhooks on 32 connections for some seconds, as fast as they are answered, or `at` a rate."""
    file = folder / "bodies"
    most = int((at or _MOST_PER_SECOND) * (SECONDS + 1))
    file.write_text("".join(signed() for _ in range(most)))
    pause = str(round(CONNECTIONS / at * 1000)) if at else "0"
    before = cpu_seconds(web.pid)
    done = subprocess.run(
        ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-s", str(HERE / "_wrk.lua"),
         f"http://127.0.0.1:{web.port}{PATH}", "--", str(file), PATH, pause],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    if seen["bad"] or seen["requests"] > most:
        raise SystemExit(f"wrk saw errors or ran out of bodies: {seen}")
    used = cpu_seconds(web.pid) - before
    return Load(seen["requests"] / seen["seconds"], used * 1000 / seen["requests"], seen["p99_ms"], seen["requests"])


def signed() -> str:
    """One line: signature, tab, a webhook of about 950 bytes that was never sent before."""
    body = json.dumps(notification(f"notif_{uuid.uuid4()}"), separators=(",", ":"))
    return f"sha1={hmac.new(SECRET.encode(), body.encode(), hashlib.sha1).hexdigest()}\t{body}\n"


def notification(id: str) -> dict[str, Any]:
    """A new conversation, as Intercom tells of it."""
    return {
        "type": "notification_event", "id": id, "topic": "conversation.user.created", "app_id": "a86dr8yl",
        "created_at": 1_700_000_000, "delivery_attempts": 1, "first_sent_at": 1_700_000_001,
        "data": {"type": "notification_event_data", "item": {
            "type": "conversation", "id": "215470000001", "created_at": 1_700_000_000, "updated_at": 1_700_000_000,
            "state": "open", "open": True, "read": False, "priority": "none",
            "admin_assignee_id": 0, "team_assignee_id": 5017690, "waiting_since": 1_700_000_000, "snoozed_until": None,
            "tags": {"type": "tag.list", "tags": []}, "custom_attributes": {"Language": "English"},
            "source": {"type": "conversation", "id": "403918320", "delivered_as": "customer_initiated", "subject": "",
                       "body": "Since we changed nameservers yesterday our mail does not resolve any more. "
                               "Could you have a look at the MX record, please?",
                       "author": {"type": "user", "id": "6762f0dd1bb69f9f2193bb83",
                                  "name": "Ann", "email": "a@b.test"}},
            "conversation_parts": {"type": "conversation_part.list", "conversation_parts": [], "total_count": 0},
        }},
    }  # fmt: skip


def pgbench(url: str, workspace: WorkspaceId) -> float:
    """Single-row durable inserts per second of the same rows into the same table by the same role, 32 clients."""
    body = json.dumps(notification(f"notif_{uuid.uuid4()}"), separators=(",", ":"))
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(
            "\\set one random(1, 9000000000000000000)\n"
            "INSERT INTO inbox (workspace, notification, topic, body) VALUES "
            "(:workspace, 'notif_00000000-0000-' || :one, 'conversation.user.created', :body);\n"
        )
        script.flush()
        done = subprocess.run(
            ["pgbench", "-n", "-M", "prepared", "-j", "2", "-c", str(CONNECTIONS), "-T", str(SECONDS),
             "-f", script.name, "-D", f"workspace={workspace}", "-D", f"body={body}", url],
            check=True, capture_output=True, text=True,
            env=os.environ | {"PGOPTIONS": f"-c steelyard.workspace={workspace}"},
        )  # fmt: skip
    [line] = [line for line in done.stdout.splitlines() if line.startswith("tps = ")]
    return float(line.split()[2])


def empty(url: str) -> None:
    """Every round begins with an empty table."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("TRUNCATE inbox")
        conn.execute("CHECKPOINT")


def count(url: str) -> int:
    """Rows of the inbox."""
    with psycopg.connect(url) as conn:
        row = conn.execute("SELECT count(*) FROM inbox").fetchone()
    return int(row[0]) if row is not None else 0


if __name__ == "__main__":
    main()
