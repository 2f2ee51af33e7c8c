"""Where a page is: in which workspace, and in which region its data stays. Pure."""

from typing import NamedTuple
from urllib.parse import urlencode


class Place(NamedTuple):
    """Where the reader is: the workspace by its name, and the region in which its data stays.

    `workspace` is empty for the first one of the cell: its addresses need not name it.
    """

    name: str
    region: str
    workspace: str = ""

    def link(self, path: str, **query: str) -> str:
        """The address of `path` in this workspace, asked with `query`."""
        asked = {"workspace": self.workspace, **query} if self.workspace else query
        return f"{path}?{urlencode(asked)}" if asked else path
