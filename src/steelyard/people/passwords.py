"""Passwords: argon2id by argon2-cffi, one at a time per core, and what may be chosen."""

from __future__ import annotations

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from steelyard.kit.errors import SteelyardError

SHORTEST, LONGEST = 12, 200
"""Characters of a password."""

_HASHER: Final = PasswordHasher()
_NOBODYS: Final = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}${'A' * 22}${'A' * 43}"
)
"""Fits no password, and to find that out takes as long as it does of anybody's."""
_AT_ONCE: Final = 2
"""Each takes 64 MB for about 50 ms."""

_busy: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


class PasswordError(SteelyardError):
    """A password that may not be chosen. `code` is `short`, `long`, `known` or `taken`."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the password cannot be used ({code}): choose {SHORTEST} to {LONGEST} characters, no address")
        self.code = code


def check_choice(password: str, address: str) -> None:
    """Raises PasswordError where `password` may not be the password of whoever signs in with `address`."""
    if len(password) < SHORTEST:
        raise PasswordError("short")
    if len(password) > LONGEST:
        raise PasswordError("long")
    told, name = password.casefold(), address.partition("@")[0].casefold()
    if (len(name) > 3 and name in told) or len(set(told)) < 5:
        raise PasswordError("known")


async def hashed(password: str) -> str:
    """What is stored of `password`."""
    async with _turn():
        return await asyncio.to_thread(_HASHER.hash, password)


async def fits(password: str, stored: str | None) -> bool:
    """Whether `password` is the one that `stored` was made of. Takes as long where there is none to compare with."""
    async with _turn():
        same = await asyncio.to_thread(_verify, stored or _NOBODYS, password[: LONGEST + 1])
    return same and stored is not None


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _turn() -> asyncio.Semaphore:
    loop = asyncio.get_running_loop()
    if loop not in _busy:
        _busy.clear()  # of loops that have ended
        _busy[loop] = asyncio.Semaphore(_AT_ONCE)
    return _busy[loop]
