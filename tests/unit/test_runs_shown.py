"""What a terminal is told of plans: values in the reader's way, and nothing that would move its cursor."""

from __future__ import annotations

from steelyard.cli.runs_shown import said
from steelyard.operations.checking import shown
from steelyard.toolbox.model import Size
from steelyard.web.said import Said


def test_a_size_in_a_sentence_is_a_size() -> None:
    told = said(Said("%(count)s files with %(size)s to the trash", {"count": 3783, "size": Size(110_076_753)}))
    assert told == "3,783 files with 110 MB to the trash"


def test_spaces_of_typography_are_spaces_and_what_moves_a_cursor_is_seen() -> None:
    assert shown("0.41\N{NO-BREAK SPACE}s, 77\N{NARROW NO-BREAK SPACE}GB") == "0.41 s, 77 GB"
    assert shown("a\x1b[2J\rb\nc\N{RIGHT-TO-LEFT OVERRIDE}") == "a?[2J?b?c?"


def test_what_a_script_would_do_stands_on_one_line() -> None:
    assert said("Leave a note\nof 5 characters\n") == "Leave a note / of 5 characters"
