"""Whose something is: every table, route and job says so, and tests walk them all."""

from enum import StrEnum


class Scope(StrEnum):
    """Where it belongs, and so what happens to it when a workspace moves: it goes along, stays, or is everywhere."""

    WORKSPACE = "workspace"
    CELL = "cell"
    GLOBAL = "global"
