"""The fields that log lines carry besides their event: ids, codes and numbers, each of one scope."""

from steelyard.kit.scopes import Scope

_W, _C = Scope.WORKSPACE, Scope.CELL

FIELDS: dict[str, Scope] = {
    "workspace": _W,
    "conversation": _W,
    "decision": _W,
    "move": _W,
    "asked": _W,
    "seq": _W,
    "position": _W,
    "notification": _W,
    "run": _W,
    "state": _W,
    "ms": _W,
    "open": _W,
    "drift": _W,
    "code": _W,
    "reason": _W,
    "webhooks": _C,
    "process": _C,
    "status": _C,
    "port": _C,
    "page": _C,
    "what": _C,
    "error": _C,
    "advice": _C,
    "exc_info": _C,
    "task": _C,
    "job": _C,
}
"""A line with a field of a workspace names the workspace, too."""
