"""What a live page looks like at one moment: parts by their ids. A viewer is sent only those that it has not got."""

import struct
import zlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

Parts = Mapping[str, str]
"""The parts of a page: the HTML of each element by its id."""

MOST_FRAMES = 40
"""Frames of one page that are remembered: who lags further behind is sent everything."""

MOST_PAGES = 24
"""Pages whose frames are remembered."""


@dataclass(frozen=True, slots=True)
class Frame:
    """All parts, and the id that a browser sends back when it comes again."""

    id: str
    parts: Parts

    @classmethod
    def of(cls, parts: Parts) -> "Frame":
        """A frame whose id is of its content, so that it holds for the page, its stream and across processes."""
        return cls(sha256("\0".join(parts.values()).encode()).hexdigest()[:16], parts)

    def since(self, before: "Frame | None") -> str:
        """The parts that differ from `before`: all of them where nothing is known."""
        return differing(self.parts, before.parts if before is not None else {})


def differing(parts: Parts, known: Parts) -> str:
    """The HTML of those `parts` that are not so in `known`."""
    return "".join(html for id, html in parts.items() if known.get(id) != html)


class History:
    """The last frames of some pages, by what the page shows and its language."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, OrderedDict[str, Frame]] = OrderedDict()

    def keep(self, page: Hashable, frame: Frame) -> Frame:
        """Remembers `frame`, and forgets what is older than allowed; the one that is remembered under its id."""
        frames = self._pages.setdefault(page, OrderedDict())
        self._pages.move_to_end(page)
        frame = frames.setdefault(frame.id, frame)
        frames.move_to_end(frame.id)
        if len(frames) > MOST_FRAMES:
            frames.popitem(last=False)
        if len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        return frame

    def recall(self, page: Hashable, id: str) -> Frame | None:
        """The frame with that id; None where it is not remembered (any more)."""
        frames = self._pages.get(page)
        return frames.get(id) if frames is not None else None


class Piece:
    """Some bytes of a stream, compressed for all who are sent them at most once.

    Each piece is compressed by itself and ends on a whole byte, so that pieces can follow each other in any order.
    """

    def __init__(self, plain: bytes) -> None:
        self.plain = plain

    @cached_property
    def packed(self) -> bytes:
        """Deflated, without an end."""
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return packer.compress(self.plain) + packer.flush(zlib.Z_SYNC_FLUSH)


class Wire:
    """What one viewer is sent: as it is, or as gzip."""

    def __init__(self, packed: bool) -> None:
        self._packed, self._begun = packed, False
        self._sum = self._size = 0

    def send(self, *pieces: Piece) -> bytes:
        """The bytes of `pieces`, which are next."""
        if not self._packed:
            return b"".join(each.plain for each in pieces)
        head, self._begun = b"" if self._begun else _GZIP, True
        for each in pieces:
            self._sum, self._size = zlib.crc32(each.plain, self._sum), self._size + len(each.plain)
        return head + b"".join(each.packed for each in pieces)

    def end(self) -> bytes:
        """The bytes after the last piece."""
        return _LAST + struct.pack("<II", self._sum, self._size & 0xFFFFFFFF) if self._begun else b""


_LEVEL = 5
_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_LAST = b"\x03\0"
"""An empty block of deflate that says it is the last."""


def lines(html: str) -> bytes:
    """HTML as the data of a server-sent event."""
    return "".join(f"data: {line}\n" for line in html.splitlines() if line).encode()
