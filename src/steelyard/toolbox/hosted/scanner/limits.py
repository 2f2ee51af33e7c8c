"""What bounds a scanner, wherever it runs."""

from __future__ import annotations

import contextlib
import resource

MEMORY = 1 << 30
"""Bytes of address space beyond what the process has when it is bounded, compiled rules among it."""
SECONDS = 1800
"""Of processor time, for one scan."""


def limit(files: int) -> None:
    """No file can be written; memory, time and open files are bounded. Limits can only go down."""
    wanted = {
        resource.RLIMIT_AS: _address_space() + MEMORY,
        resource.RLIMIT_CPU: SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: files,
    }
    for which, most in wanted.items():
        _, hard = resource.getrlimit(which)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(which, (least, least))


def _address_space() -> int:
    """Bytes that this process has in sight, where that can be told."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 3 << 30
