"""Parts of a page that other rooms draw: registered by URL, so that rooms meet without knowing each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from steelyard.web.place import Place
from steelyard.web.viewer import Viewer


class Fragment(NamedTuple):
    """A part for the pages of one kind of subject.

    `path_of` gives the path of its page for a subject, such as a conversation's id; None where it has nothing to say
    of it. `needs` is the permission that its page needs, so that nobody is offered what they may not open.
    """

    name: str
    of: str
    title: str
    path_of: Callable[[int], str | None]
    needs: str


class FragmentLink(NamedTuple):
    """A fragment as a page draws it: a link, which what it leads to takes the place of."""

    name: str
    title: str
    href: str


class Fragments:
    """All fragments of the console, in the order in which they are drawn."""

    def __init__(self, registered: Sequence[Fragment] = ()) -> None:
        """Raises ValueError for two of one name, which could not be told apart on a page."""
        names = [each.name for each in registered]
        if len(set(names)) < len(names):
            raise ValueError(f"fragments of one name: {', '.join(names)}")
        self._registered = tuple(registered)

    def of(self, kind: str, subject: int, viewer: Viewer, place: Place) -> tuple[FragmentLink, ...]:
        """Those for the page of one subject that `viewer` may open."""
        open_to = [each for each in self._registered if each.of == kind and viewer.may(each.needs)]
        paths = ((each, each.path_of(subject)) for each in open_to)
        return tuple(FragmentLink(each.name, each.title, place.link(path)) for each, path in paths if path is not None)
