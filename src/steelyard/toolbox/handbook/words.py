"""What an import says of files, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from steelyard.web.said import N_

WHAT: Final[Mapping[str, str]] = {
    "new": N_("new"),
    "changed": N_("changed"),
    "unchanged": N_("as it is here"),
    "edited": N_("left alone"),
    "refused": N_("refused"),
}
"""What becomes of a file."""

REASONS: Final[Mapping[str, str]] = {
    "outside": N_("Its path leads out of the folder."),
    "large": N_("It is longer than a page may be."),
    "long": N_("It is longer than a page may be."),
    "not_utf8": N_("It is no text in UTF-8."),
    "binary": N_("It is no text."),
    "no_title": N_("It has neither a title nor a heading."),
    "long_title": N_("Its title is longer than 150 characters."),
    "bad_name": N_("It names a topic or runbook that cannot be one."),
    "many_names": N_("It names more than 20 topics or runbooks."),
    "bad_day": N_("Its “checked” is no day such as 2026-11-22."),
    "no_content": N_("Nothing in it is the content of a page."),
    "too_deep": N_("Its tags are nested too deep."),
    "same": N_("Another file would be the same page."),
    "taken": N_("A page of this address was written here, or came from another file."),
}
"""Why a file is refused."""
