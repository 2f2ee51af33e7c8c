"""The first thing that runs on a host: takes the modules that follow on its input, and starts the helper.

Its own source is read by `python3 -I -S -u -c`, so it stands alone; any Python 3 can read it.
"""
# pyright: basic

import marshal
import sys
import types
import zlib

MAGIC = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
"""What bytecode has to be marked with for this Python to read it."""


def take(stdin):
    """What the worker sends: a line with its size, then that many bytes."""
    return marshal.loads(zlib.decompress(stdin.read(int(stdin.readline()))))  # noqa: S302


def install(modules):
    """Makes modules of what was sent, each after those that it needs: bytecode, or source as bytes."""
    for name, code in modules:
        if name in sys.modules:
            continue
        module = types.ModuleType(name)
        module.__file__ = "<%s>" % name  # noqa: UP031
        sys.modules[name] = module
        parent, _, own = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], own, module)
        if not code:
            module.__path__ = []
            continue
        exec(_readable(code, module.__file__), module.__dict__)  # noqa: S102


def _readable(code, name):
    if isinstance(code, str):
        return compile(code, name, "exec", dont_inherit=True)
    return marshal.loads(code)  # noqa: S302


def begin(stdin):
    """Says that it is there, below whatever a start-up file of the shell printed, and takes what it needs."""
    opening = take(stdin)
    sys.stdout.write("\n%s\n" % opening["marker"])  # noqa: UP031
    if sys.version_info < (3, 7):  # noqa: UP036
        sys.stdout.write('{"want": "python"}\n')
        return
    if opening["magic"] not in (b"", MAGIC):
        sys.stdout.write('{"want": "source"}\n')
        opening = take(stdin)
    install(opening["modules"])
    sys.modules["steelyard.toolbox.hosted.serve"].main(stdin, opening, install)


if __name__ == "__main__":
    begin(globals()["i"])
