"""Locks the process it is called in, for good: no files, no network, no other programs, bounded memory and time.

What reads a customer's files with a library that is not ours runs behind this. Each lock that this machine does not
have is named, and the report says so. Linux; elsewhere only limits hold.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys
from typing import Any, Final

from steelyard.toolbox.hosted.scanner.limits import limit

LOCKS: Final = ("parent", "limits", "user", "network", "calls")
"""Everything that can hold: ends with its parent; limits; a user without rights; no network; few system calls."""
_NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_CLONE_THREAD = 0x00010000
_FILTER_ALL_THREADS = 1
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _REFUSE, _NO_SUCH_CALL, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
# By what `uname -m` says: the audit architecture, the number of seccomp, of clone and clone3, and what is allowed:
# read write close poll/ppoll mmap mprotect munmap brk madvise mremap signals futex clock sleep getrandom threads exit.
_MACHINES: Final = {
    "x86_64": (
        0xC000003E, 317, 56, 435,
        (0, 1, 3, 7, 8, 9, 10, 11, 12, 13, 14, 15, 20, 24, 25, 28, 35, 39, 60, 131, 186, 202, 203, 204, 218, 228, 230,
         231, 271, 273, 318, 334, 5, 72, 97, 98, 27, 219, 96, 201, 229),
    ),
    "aarch64": (
        0xC00000B7, 277, 220, 435,
        (63, 64, 57, 73, 62, 222, 226, 215, 214, 134, 135, 139, 66, 124, 216, 233, 101, 172, 93, 132, 178, 98, 122, 123,
         96, 113, 115, 94, 99, 278, 293, 80, 25, 165, 232, 128, 169, 114),
    ),
}  # fmt: skip


def lock() -> list[str]:
    """Locks this process and says which of `LOCKS` hold. Nothing of it can be undone."""
    library: Any = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    held: list[str] = []
    if library is not None:
        if library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0:
            held.append("parent")
        if _without_network(library):
            held.append("network")
    if _as_nobody(library):
        held.append("user")
    limit(0)
    held.append("limits")
    if library is not None:
        library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        if "user" in held:  # a change of user forgets it
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if _few_calls(library):
            held.append("calls")
            held += [] if "network" in held else ["network"]  # no call opens a socket
    return [each for each in LOCKS if each in held]


def _without_network(library: Any) -> bool:
    """A network of its own, with nothing in it; where this user may not have one, in a user namespace of its own."""
    if library.unshare(_CLONE_NEWNET | _CLONE_NEWIPC) == 0:
        return True
    return os.geteuid() != 0 and library.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0


def _as_nobody(library: Any) -> bool:
    """From root to a user without rights. Whoever is not root keeps its own, and says no more than that."""
    if library is None or os.geteuid() != 0:
        return False
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError:
        return False
    return True


def _few_calls(library: Any) -> bool:
    """Only calls that compute, and read and write what is open. Any other is refused."""
    machine = _MACHINES.get(platform.machine())
    if machine is None or library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    architecture, seccomp, clone, clone3, allowed = machine
    steps = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    for number in allowed:
        steps += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ALLOW)]
    # A thread may be begun, a process not. clone3 keeps its flags out of sight, so the library falls back to clone.
    steps += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _NO_SUCH_CALL), (_EQUAL, 0, 3, clone), (_LOAD, 0, 0, 16)]
    steps += [(_ANY_BIT, 0, 1, _CLONE_THREAD), (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    code = b"".join(struct.pack("<HBBI", *each) for each in steps)
    held = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(steps), ctypes.addressof(held)))
    return library.syscall(seccomp, 1, _FILTER_ALL_THREADS, program) == 0
