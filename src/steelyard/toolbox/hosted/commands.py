"""Runs commands that a plan names, and several actions side by side."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, shown


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


VERBS: dict[str, Callable[[Here, dict[str, Any]], Any]] = {"run": run}
