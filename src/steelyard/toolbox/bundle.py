"""What is sent to a host: the modules of hosted/ that a run needs, as bytecode where the host's Python can read it."""

from __future__ import annotations

import ast
import marshal
import zlib
from collections.abc import Collection, Iterable
from functools import cache
from importlib import resources
from importlib.util import MAGIC_NUMBER
from typing import NamedTuple, cast

PACKAGE = "steelyard.toolbox.hosted"
_PACKAGES = ("steelyard", "steelyard.toolbox", PACKAGE)


class Module(NamedTuple):
    """A module of hosted/."""

    name: str
    source: str
    needs: tuple[str, ...]
    """Modules of hosted/ that it imports."""
    files: dict[str, bytes]
    """What it names in its FILES, by those names."""


def needed(modules: Iterable[str], sent: Collection[str] = ()) -> list[Module]:
    """Modules with all that they import, each after what it needs, without those that were sent before."""
    ordered: dict[str, Module] = {}

    def add(name: str) -> None:
        if name not in ordered and name not in sent:
            found = module(name)
            for each in found.needs:
                add(each)
            ordered[name] = found

    for name in modules:
        add(name)
    return list(ordered.values())


def exists(name: str) -> bool:
    """Whether hosted/ has a module of this name."""
    return name.isidentifier() and resources.files(PACKAGE).joinpath(f"{name}.py").is_file()


@cache
def module(name: str) -> Module:
    """A module as it lies on this machine."""
    folder = resources.files(PACKAGE)
    source = folder.joinpath(f"{name}.py").read_text("utf-8")
    needs: list[str] = []
    files: dict[str, bytes] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.ImportFrom(module=str(origin), names=names) if origin == PACKAGE:
                needs += [each.name for each in names]
            case ast.ImportFrom(module=str(origin)) if origin.startswith(PACKAGE + "."):
                needs.append(origin[len(PACKAGE) + 1 :])
            case ast.Assign(targets=[ast.Name(id="FILES")], value=value):
                files = {
                    each: folder.joinpath(each).read_bytes() for each in cast("tuple[str]", ast.literal_eval(value))
                }
            case _:
                continue
    return Module(name, source, tuple(needs), files)


def packed(modules: Iterable[Module], *, code: bool, **more: object) -> bytes:
    """What start.py takes: compressed, with `more` beside the modules. `code`: as bytecode of this Python."""
    modules = list(modules)
    listed: list[tuple[str, str | bytes]] = [(name, "") for name in _PACKAGES]
    listed += [(f"{PACKAGE}.{each.name}", _code(each.name) if code else each.source) for each in modules]
    files = {name: data for each in modules for name, data in each.files.items()}
    return zlib.compress(marshal.dumps({"modules": listed, "resources": files, **more}, 2), 6)


@cache
def _code(name: str) -> bytes:
    return marshal.dumps(compile(module(name).source, f"hosted/{name}.py", "exec", dont_inherit=True, optimize=2))


def opening(marker: str, modules: Iterable[Module], *, code: bool, **more: object) -> bytes:
    """What begins a helper: the size of each part in a line before it."""
    return sized(_start()) + first(marker, modules, code=code, **more)


def first(marker: str, modules: Iterable[Module], *, code: bool, **more: object) -> bytes:
    """The first modules, with what the helper has to know."""
    return sized(packed(modules, code=code, marker=marker, magic=MAGIC_NUMBER if code else b"", **more))


def sized(part: bytes) -> bytes:
    """A part as start.py takes it."""
    return b"%d\n" % len(part) + part


@cache
def _start() -> bytes:
    return zlib.compress(module("start").source.encode())


BOOT = "import sys,zlib;i=sys.stdin.buffer;exec(zlib.decompress(i.read(int(i.readline()))))"
"""All that a command line says; the rest comes by its input."""
