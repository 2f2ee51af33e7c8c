"""What the tutorial lets people type works: it is done to a simulated Intercom, by bash and curl."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from steelyard.demo.intercom import Config, people, running

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "first-run.md"
# An error of the service is an error of the command.
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body --noproxy "*" --max-time 10 "$@"; }\n'


def typed(**values: object) -> str:
    """The tutorial's commands to the simulated Intercom, with this one's values for what a reader looks up."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", TUTORIAL.read_text("utf-8"), re.M | re.S)
    script = "".join(block for block in blocks if "/_simulator/" in block)
    for name, value in values.items():
        script, count = re.subn(rf"^{name}=.*$", f"{name}={value}", script, flags=re.M)
        assert count == 1, name
    return STRICT + script


async def test_what_the_tutorial_says_can_be_typed() -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("curl or bash is not installed: apt-get install curl bash")
    async with running(Config()) as simulator:
        workspace = simulator.workspace
        contact = people.customer(workspace, "Camille Durand", "camille@example.test")
        conversation = people.write_in(workspace, contact, "Reverse proxy", "nginx redirects for ever")
        away, colleague = [each for each in workspace.admins.values() if each.seat and not each.away][:2]
        script = typed(
            INTERCOM=simulator.base_url, CONVERSATION=conversation.id, ENGINEER=away.id, COLLEAGUE=colleague.id
        )
        done = await run(script)
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(workspace.conversations) == 2, "a customer wrote"
        assert any("/weight 20" in str(part) for part in conversation.parts)
        assert (conversation.admin, conversation.state) == (colleague.id, "closed")
        assert away.away
        assert not colleague.away
        assert simulator.faults.rates["duplicate"] == 0.3


async def run(script: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        subprocess.run, ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
