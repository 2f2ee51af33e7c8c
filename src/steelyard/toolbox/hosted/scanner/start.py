"""The first thing that a host's own Python runs: it takes the other modules from its input, and starts the program.

Its own source is read by `python3 -I -c`, so it stands alone.
"""
# pyright: basic

import json
import sys
import types

PACKAGE = "steelyard.toolbox.hosted.scanner"


def begin(stdin):
    """Makes modules of the texts that the first line holds, each after those that it needs; the last is run."""
    first = json.loads(stdin.readline().decode())
    parts = PACKAGE.split(".")
    for depth in range(1, len(parts) + 1):
        made(".".join(parts[:depth])).__path__ = []
    for name, text in first["modules"]:
        module = made(name)
        exec(compile(text, "<%s>" % name, "exec", dont_inherit=True), module.__dict__)  # noqa: S102, UP031
    module.main(stdin, first)


def made(name):
    """An empty module of this name, as others import it."""
    module = sys.modules[name] = types.ModuleType(name)
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, module)
    return module


if __name__ == "__main__":
    begin(sys.stdin.buffer)
