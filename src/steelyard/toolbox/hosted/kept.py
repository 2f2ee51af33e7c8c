"""Files of a site that a run changes, kept as they were in the run's folder, and put back byte for byte.

keep(...)      before the change, once
put_back(...)  "whole" where the file is still as the run wrote it; "changed" where somebody changed it since
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from steelyard.toolbox.hosted.here import Failed, Here, shown


def keep(here: Here, token: str, name: str, path: str, written: bytes) -> None:
    """Keeps what is at `path` under `name`, and that the run writes `written` there. Once: again it changes nothing."""
    record = _record(here, token, name)
    if here.stat(record) is not None:
        return
    found = here.stat(path)
    what: dict[str, Any] = {"kind": found.kind if found else "none", "sha256": hashlib.sha256(written).hexdigest()}
    if found and found.kind == "link":
        what["to"] = here.link_to(path)
    elif found and found.kind == "file":
        what.update(mode=found.mode, data=base64.b64encode(here.read(path)).decode("ascii"))
    elif found:
        raise Failed("odd", f"{shown(path)} is neither a file nor a link: look at it, and move it away by hand")
    here.make_folder(record.rpartition("/")[0], 0o700)
    here.write(record, json.dumps(what).encode("utf-8", "surrogateescape"), 0o600)


def state(here: Here, token: str, name: str, path: str) -> str:
    """`none` (the run kept nothing), `whole` (it can be put back), `changed` since, or `back` already."""
    record = _record(here, token, name)
    if here.stat(record) is None:
        return "none"
    what = _read(here, record)
    found = here.stat(path)
    if found is not None and found.kind == "file" and _digest(here, path) == what["sha256"]:
        return "whole"
    if what["kind"] == "none":
        return "back" if found is None else "changed"
    if what["kind"] == "link":
        return "back" if found is not None and found.kind == "link" and here.link_to(path) == what["to"] else "changed"
    kept = hashlib.sha256(base64.b64decode(what["data"])).hexdigest()
    return "back" if found is not None and found.kind == "file" and _digest(here, path) == kept else "changed"


def put_back(here: Here, token: str, name: str, path: str) -> str:
    """Puts a file back as it was where it is still as the run wrote it. Answers its `state` before."""
    before = state(here, token, name, path)
    if before == "whole":
        what = _read(here, _record(here, token, name))
        if what["kind"] == "none":
            here.remove(path)
        elif what["kind"] == "link":
            ran = here.run(["ln", "-s", "-f", "-T", "--", what["to"], path])
            if ran.status != 0:
                raise Failed("failed", f"{shown(path)} could not be made the link that it was: {ran.said()}")
        else:
            here.write(path, base64.b64decode(what["data"]), what["mode"])
    return before


def _record(here: Here, token: str, name: str) -> str:
    return f"{here.work.rpartition('/')[0]}/{token}/kept/{name}.json"


def _read(here: Here, record: str) -> Any:
    return json.loads(here.read(record, most=60_000_000).decode("utf-8", "surrogateescape"))


def _digest(here: Here, path: str) -> str:
    return hashlib.sha256(here.read(path, most=40_000_000)).hexdigest()
