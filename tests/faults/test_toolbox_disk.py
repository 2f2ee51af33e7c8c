"""A disk that is really full, at steps of runbooks: what full_disk.py tries, where a small disk can be mounted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.xdist_group("hosting")]

APART = ["unshare", "--mount", "--propagation", "private"]
"""What is mounted so is seen by what runs so, and gone when that ends, however it ends."""


def test_a_disk_that_is_really_full() -> None:
    if os.geteuid() != 0 or subprocess.run([*APART, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk can be mounted by root alone, and where mount namespaces may be made")
    inside = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(Path(__file__).parent / "full_disk.py"),
    ]
    tried = subprocess.run([*APART, *inside], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stdout[-5000:]
    assert " passed" in tried.stdout
