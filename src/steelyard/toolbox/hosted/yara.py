"""Judges files on a host whose own Python has yara-x: as the site's user, bounded, without a file left there."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from typing import Any, cast

from steelyard.toolbox.hosted.here import Failed, Here, Ran
from steelyard.toolbox.hosted.scan import unpack
from steelyard.toolbox.hosted.spelling import meant

FILES = (
    "spelling.py",
    "words.py",
    "places.py",
    "scanner/limits.py",
    "scanner/looking.py",
    "scanner/program.py",
    "scanner/start.py",
)
"""What that Python runs, each after what it needs; the last starts it."""
_PACKAGE = "steelyard.toolbox.hosted"
_NONE = "rule nothing { condition: false }"
_MOST = 8_000_000
"""Bytes that are taken of what it tells."""
_TO_START = 20.0
_TO_LOOK = 300.0
_ABSENT = ("No module named 'yara_x'", 'No module named "yara_x"')


def ready(here: Here, args: dict[str, Any]) -> Any:
    """`yara.ready`: {python} -> {version}, or {problem, said}: whether it judges as a scanner beside the worker does.

    Problems: `no_python`, `no_module`, `unusable`.
    """
    try:
        ran = _run(here, args["python"], [["any", "", "odd", _NONE]], ["", "", "", ""], [], _TO_START)
    except Failed as failed:
        if failed.code == "ended":
            raise
        problem = "unusable" if failed.code == "timed_out" else "no_python"
        return {"problem": problem, "said": failed.message}
    try:
        version = json.loads(ran.out)
    except ValueError:
        version = None
    if ran.status == 0 and isinstance(version, str):
        return {"version": version[:40]}
    absent = any(each in ran.said() for each in _ABSENT)
    problem = "no_python" if ran.status in (126, 127) else "no_module" if absent else "unusable"
    return {"problem": problem, "said": ran.said()}


def look(here: Here, args: dict[str, Any]) -> Any:
    """`yara.look`: {python, packs: packed, layout, names: packed list} -> {out, status, said}.

    `out` is what scanner/program.py tells of these files, compressed, as base64: of the first of them where it was
    ended, or had more to tell than fits.
    """
    names = cast("list[str]", unpack(args["names"]))
    ran = _run(here, args["python"], unpack(args["packs"]), args["layout"], names, _TO_LOOK)
    out = base64.b64encode(zlib.compress(ran.out, 1)).decode()
    return {"out": out, "status": ran.status, "said": ran.said() if ran.status else ""}


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {"yara.ready": ready, "yara.look": look}


def _run(
    here: Here, python: str, packs: Sequence[Any], layout: Sequence[str], names: Sequence[str], timeout: float
) -> Ran:
    texts = [[_module(each), here.resource(each).decode()] for each in FILES[:-1]]
    first = json.dumps({"modules": texts, "packs": packs, "layout": layout}).encode()
    paths = b"".join(meant(each).encode("utf-8", "surrogateescape") + b"\0" for each in names)
    argv = [python, "-I", "-c", here.resource(FILES[-1]).decode()]
    return here.run(argv, stdin=first + b"\n" + paths, timeout=timeout, most=_MOST)


def _module(file: str) -> str:
    """`scanner/limits.py` as a module is called."""
    return f"{_PACKAGE}.{file[:-3].replace('/', '.')}"
