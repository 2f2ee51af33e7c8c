"""Lines from a host, as they come: none grows without end."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from steelyard.toolbox.foreign import Foreign


class Lines:
    """What `read` gives, cut into lines. Only what one read gave and the line that is begun are held."""

    def __init__(self, read: Callable[[], Awaitable[bytes]]) -> None:
        """`read` gives some bytes, and none at the end."""
        self._read = read
        self._whole: deque[bytes] = deque()
        self._begun: list[bytes] = []
        self._length = 0

    async def next(self, most: int) -> bytes:
        """The next line without its end. Raises EOFError at the end, Foreign where it is longer than `most`."""
        while not self._whole:
            piece = await self._read()
            if not piece:
                raise EOFError
            self._add(piece)
            if self._length > most and not self._whole:
                self._begun, self._length = [], 0
                raise Foreign(f"a line of more than {most} bytes")
        line = self._whole.popleft()
        if len(line) > most:
            raise Foreign(f"a line of more than {most} bytes")
        return line

    async def after(self, marker: bytes, most: int) -> None:
        """Leaves out everything up to a line that is the marker. Raises EOFError, and Foreign after `most` bytes."""
        left = most
        while left > 0:
            line = await self.next(left)
            if line.rstrip(b"\r") == marker:
                return
            left -= len(line) + 1
        raise Foreign(f"{most} bytes, and not what was asked for")

    async def some(self) -> bytes:
        """Whatever comes next, as it is; empty at the end."""
        if not self._whole and not self._length:
            return await self._read()
        held = b"".join(each + b"\n" for each in self._whole) + b"".join(self._begun)
        self._whole.clear()
        self._begun, self._length = [], 0
        return held

    def _add(self, piece: bytes) -> None:
        first, *others = piece.split(b"\n")
        self._begun.append(first)
        self._length += len(first)
        if others:
            self._whole.append(b"".join(self._begun))
            self._whole.extend(others[:-1])
            self._begun, self._length = [others[-1]], len(others[-1])
