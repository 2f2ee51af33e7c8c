"""Our own PHP scripts, run as the site's user; and its wp-config.php, asked by one where it is no plain one."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from typing import Any

from steelyard.toolbox.hosted.here import HANDED, Failed, Here
from steelyard.toolbox.hosted.wp_config import NEEDED, Config, definitions

FILES = ("php/begin.php", "php/config.php", "php/install.php")
_MOST = 1_000_000
_SETTINGS = ("display_errors=0", "log_errors=0", "opcache.enable_cli=0", "memory_limit=512M")


def said(here: Here, config: str, php: str = "") -> Config:
    """What a wp-config.php says; where it is no plain one, what the site's own PHP makes of it, as the site's user."""
    text = here.read(config, most=_MOST).decode("utf-8", "surrogateescape")
    folder = os.path.dirname(config)
    core = folder if here.stat(folder + "/wp-load.php") is not None else ""
    read_as_text = definitions(text, folder, core)
    if read_as_text.literal:
        return read_as_text
    try:
        told = run_script(here, "config.php", [config, core], php)
    except Failed:
        return read_as_text
    constants = {**read_as_text.constants, **told["constants"]}
    sure = all(isinstance(constants.get(name), str) for name in NEEDED) and bool(told["prefix"])
    return Config(constants, str(told["prefix"]), sure)


def run_script(here: Here, script: str, args: Sequence[Any], php: str = "") -> Any:
    """Runs php/`script`, which PHP reads from its standard input; its arguments come as JSON through a pipe, so that
    nobody else on the host sees them. Raises Failed with what it said or PHP complained of."""
    source = here.resource("php/begin.php") + here.resource("php/" + script).replace(b"<?php", b"", 1)
    settings = [word for each in _SETTINGS for word in ("-d", each)]
    given = json.dumps(list(args)).encode()
    ran = here.run([php or "php", *settings, "--", HANDED], stdin=source, timeout=55, handed=given)
    answer = re.search(rb"\n\x1eSTEELYARD (\{.*\})\n", ran.out, re.DOTALL)
    if answer is None:
        raise Failed("failed", f"PHP did not answer (status {ran.status}): {ran.said()}")
    told = json.loads(answer[1].decode("utf-8", "replace"))
    if "failed" in told:
        raise Failed(str(told.get("code", "failed")), str(told["failed"])[:500])
    return told
