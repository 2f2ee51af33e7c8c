"""Actions on files: see hosted/files.py for what each answers. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from steelyard.toolbox.model import Action, By, Secret


def stat(paths: Sequence[str], *, by: By = By.SITE) -> Action:
    """What lies at each path."""
    return Action("files.stat", {"paths": list(paths)}, by)


def write(
    path: str,
    data: str | bytes | Secret,
    *,
    mode: int = 0o644,
    backup: str = "",
    by: By = By.SITE,
    timeout: float = 60.0,
) -> Action:
    """Writes a file whole or not at all; what was there stays at `backup`, if one is given."""
    content = {"base64": base64.b64encode(data).decode()} if isinstance(data, bytes) else {"data": data}
    return Action(
        "files.write", {"path": path, **content, "mode": mode} | ({"backup": backup} if backup else {}), by, timeout
    )


def move(before: str, after: str, *, by: By = By.SITE) -> Action:
    """Renames, over nothing."""
    return Action("files.move", {"from": before, "to": after}, by)


def exchange(a: str, b: str, *, by: By = By.SITE) -> Action:
    """Two names change places in one instant. The way back is the exchange of (b, a), so that neither is done twice."""
    return Action("files.exchange", {"a": a, "b": b}, by)


def remove(paths: Sequence[str], *, trees: bool = False, by: By = By.SITE, timeout: float = 600.0) -> Action:
    """Removes files; with `trees`, folders with all in them."""
    return Action("files.remove", {"paths": list(paths), "trees": trees}, by, timeout)


def copy(source: str, target: str, *, by: By = By.SITE, timeout: float = 600.0) -> Action:
    """Copies a folder or a file with permissions, times and links."""
    return Action("files.copy", {"from": source, "to": target}, by, timeout)


def make_folder(path: str, *, mode: int = 0o755, by: By = By.SITE) -> Action:
    """Makes a folder and those above it."""
    return Action("files.make_folder", {"path": path, "mode": mode}, by)


def disk(path: str, *, by: By = By.SITE) -> Action:
    """How much room is left where a path is."""
    return Action("files.disk", {"path": path}, by)


def clear_work(*, by: By = By.SITE) -> Action:
    """Removes the run's own folder on the host."""
    return Action("files.clear_work", {}, by)
