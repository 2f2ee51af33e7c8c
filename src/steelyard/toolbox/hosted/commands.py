"""Runs commands that a plan names, and several actions side by side."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, shown
from steelyard.toolbox.hosted.verbs import do


def run(here: Here, args: dict[str, Any]) -> Any:
    """`run`: {argv, stdin?, base64?, env?, cwd?, timeout?, good?, most?} -> {status, out, err, cut}.

    `base64`: standard input where it is no text. Raises Failed `failed` unless the status is in `good` ([0]).
    """
    stdin = (
        base64.b64decode(args["base64"])
        if "base64" in args
        else args.get("stdin", "").encode("utf-8", "surrogateescape")
    )
    ran = here.run(
        args["argv"],
        stdin,
        env=args.get("env"),
        cwd=args.get("cwd"),
        timeout=args.get("timeout", 60.0),
        most=args.get("most", 1_000_000),
    )
    if ran.status not in args.get("good", [0]):
        raise Failed(
            "failed", f"{shown(args['argv'][0])} ended with status {ran.status}: {ran.said() or 'it said nothing'}"
        )
    out, err = (each.decode("utf-8", "replace") for each in (ran.out, ran.err))
    return {"status": ran.status, "out": out, "err": err, "cut": ran.cut}


def together(here: Here, args: dict[str, Any]) -> Any:
    """`together`: {actions} -> the list of their answers. They are done side by side."""

    def doing(action: dict[str, Any]) -> Callable[[], Any]:
        return lambda: do(here, action["$do"], action["args"])

    return here.together([doing(each) for each in args["actions"]])


def secret(here: Here, args: dict[str, Any]) -> Any:
    """`secret`: {name, length} -> letters and digits, made at the first use and kept in the run's folder."""
    with here.alone():
        path = here.work + "/secrets.json"
        kept: dict[str, str] = json.loads(here.read(path)) if here.stat(path) is not None else {}
        if args["name"] not in kept:
            kept[args["name"]] = "".join(_LETTERS[each % 62] for each in _even(args["length"]))
            here.write(path, json.dumps(kept).encode(), 0o600)
        return kept[args["name"]]


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _even(length: int) -> bytes:
    """Random bytes of which each letter takes as many: those from 248 on are left out."""
    found = b""
    while len(found) < length:
        found += bytes(each for each in os.urandom(length) if each < 248)
    return found[:length]


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {"run": run, "secret": secret, "together": together}
