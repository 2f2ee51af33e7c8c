"""Keys that let somebody in: taken out of the account's authorized_keys when they are revoked."""

from __future__ import annotations

from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here


def remove(here: Here, args: dict[str, Any]) -> Any:
    """`keys.remove`: takes every line with one of the `keys` (base64, without kind and comment) out of the account's
    authorized_keys. Answers `{"removed": how many}`; all other lines stay as they are."""
    path = here.home + "/.ssh/authorized_keys"
    try:
        lines = here.read(path, most=1_000_000).splitlines(keepends=True)
    except Failed as failed:
        if failed.code == "missing":
            return {"removed": 0}
        raise
    keys = {str(key).encode() for key in args["keys"]}
    left = [line for line in lines if not keys & set(line.split())]
    if len(left) < len(lines):
        seen = here.stat(path)
        here.write(path, b"".join(left), seen.mode if seen is not None else 0o600)
    return {"removed": len(lines) - len(left)}


VERBS = {"keys.remove": remove}
