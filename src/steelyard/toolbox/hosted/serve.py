"""The helper on a host: takes calls of verbs from the worker, one JSON line each, and answers them. It ends with the
connection, and everything it started ends with it.

To it: {call, verb, args, timeout}, {cancel}, {modules}, {} (still there). From it: {hello}, {id, answer}, {id, failed,
message}, {id, level, said}, {id, done, total, what}.
"""

from __future__ import annotations

import base64
import json
import marshal
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.grounds import hold, place_of
from steelyard.toolbox.hosted.here import Failed, Here, Place
from steelyard.toolbox.hosted.reaper import Reaper
from steelyard.toolbox.hosted.verbs import outcome

MESSAGE = 16_000_000
"""Bytes of the longest message, either way."""
SILENCE = 16.0
"""Seconds without a word from the worker, which sends one every four, after which it is taken for lost."""
GRACE = 5.0
"""Seconds that a verb has to end when it is told to. One that does not takes the helper with it."""


def main(stdin: Any, opening: dict[str, Any], install: Callable[[Any], None]) -> None:
    """Serves until the connection ends."""
    out = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)  # only the protocol is written to the worker, whatever a verb prints
    os.umask(0o022)
    os.chdir("/")
    os.environ.clear()
    helper = Helper(stdin, out, install)
    try:
        place = place_of(opening["token"], opening["docroot"])
        lock = hold(place, opening["docroot"]) if opening["hold"] else None
        place.child = Reaper(lock)
    except Failed as failed:
        helper.say({"hello": None, "failed": failed.code, "message": failed.message})
        return
    place.resources.update(opening["resources"])
    helper.serve(place)


class Helper:
    """Calls in flight, and the two ends of the connection."""

    def __init__(self, stdin: Any, out: int, install: Callable[[Any], None]) -> None:
        self._stdin, self._out, self._install = stdin, out, install
        self._writing = threading.Lock()
        self._calls: dict[int, tuple[Here, float]] = {}
        self._heard = time.monotonic()

    def serve(self, place: Place) -> None:
        """Takes messages until there are none; then ends what is in flight, and this process."""
        self._place = place
        hello = {"account": place.account, "home": place.home, "base": place.base, "uid": os.geteuid()}
        self.say({"hello": hello})
        threading.Thread(target=self._watch, daemon=True).start()
        while True:
            signal.alarm(int(SILENCE + 2 * GRACE))  # the kernel's: also where a verb lets no other thread run
            line = self._stdin.readline(MESSAGE + 1)
            self._heard = time.monotonic()
            if not line.endswith(b"\n"):
                break
            self._take(json.loads(line.decode()))
        self._end()

    def say(self, message: dict[str, Any]) -> None:
        """Sends one message; a connection that is gone ends everything."""
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._writing:
                left = memoryview(line)
                while left:
                    left = left[os.write(self._out, left) :]
        except OSError:
            os._exit(1)

    def _take(self, message: dict[str, Any]) -> None:
        if "call" in message:
            number = message["call"]
            here = Here(self._place, lambda told: self.say({"id": number, **told}))
            self._calls[number] = (here, time.monotonic() + message["timeout"])
            threading.Thread(target=self._do, args=(here, message), daemon=True).start()
        elif "cancel" in message and message["cancel"] in self._calls:
            here, _ = self._calls[message["cancel"]]
            self._calls[message["cancel"]] = (here, time.monotonic())
            here.end("ended", "It was ended before it was done")
        elif "modules" in message:
            sent = marshal.loads(zlib.decompress(base64.b64decode(message["modules"])))  # noqa: S302
            self._place.resources.update(sent["resources"])
            self._install(sent["modules"])

    def _do(self, here: Here, message: dict[str, Any]) -> None:
        number = message["call"]
        told = outcome(here, message["verb"], message["args"])
        del self._calls[number]
        self.say({"id": number, **told})

    def _watch(self) -> None:
        """Ends calls whose time is over, and everything where the worker is gone or a call does not end."""
        while True:
            time.sleep(0.1)
            now = time.monotonic()
            for here, until in list(self._calls.values()):
                if now > until:
                    here.end("timed_out", "It took longer than it may, and was ended")
                if now > until + GRACE:
                    os._exit(1)
            if now - self._heard > SILENCE:
                self._end()

    def _end(self) -> None:
        """Ends all calls and leaves. What they started and still runs is the reaper's."""
        for here, _ in list(self._calls.values()):
            here.end("ended", "The connection ended")
        until = time.monotonic() + GRACE
        while self._calls and time.monotonic() < until:
            time.sleep(0.02)
        os._exit(0)
