"""Actions that run a command, and several actions at a time. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from steelyard.toolbox.model import Action, By, Json, Secret


def run(
    argv: Sequence[str | Secret],
    *,
    stdin: str | Secret = "",
    env: Mapping[str, str | Secret] | None = None,
    cwd: str = "",
    good: Sequence[int] = (0,),
    timeout: float = 60.0,
    by: By = By.SITE,
) -> Action:
    """Runs a command, never by a shell. The step fails unless its status is in `good`."""
    args: dict[str, Json] = {"argv": list(argv)}
    if stdin:
        args["stdin"] = stdin
    if env:
        args["env"] = dict(env)
    if cwd:
        args["cwd"] = cwd
    if tuple(good) != (0,):
        args["good"] = list(good)
    if timeout != 60.0:
        args["timeout"] = timeout
    return Action("run", args, by, timeout + (0.0 if timeout == 60.0 else 5.0))


def together(*actions: Action) -> Action:
    """Several actions of one step side by side, by the account of the first. Answers the list of their answers."""
    if len({each.by for each in actions}) != 1:
        raise ValueError("actions done together are done by one account")
    return Action("together", {"actions": list(actions)}, actions[0].by, max(each.timeout for each in actions))
