"""The steps of a page become the draft of a runbook: a folder that an author finishes and an operator installs. Pure.

What it holds is what runbooks of the team's own scripts are made of: runbook.toml, README.md, and `run`, which gets
the site and its parameters by its environment.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from typing import Final, NamedTuple

from steelyard.toolbox.handbook.markdown import SHELLS, Code, Step, steps_of
from steelyard.toolbox.handbook.model import Text, slug_of

# What pages say for any site: the example of all of them, and what a run is told instead.
_EXAMPLES: Final = (
    ("https://shop.example", "${STEELYARD_SITE_URL}"),
    ("/home/shop/public_html", "${STEELYARD_SITE_DOCROOT}"),
    ("shop.example", "${STEELYARD_SITE_NAME}"),
)
_NAMED: Final = re.compile(r"\b([A-Z][A-Z0-9_]{1,30})=(?:\"([^\"$`]*)\"|'([^']*)'|([\w./:@-]+))$")
_OWN: Final = ("DOCROOT", "SITE", "URL", "PATH", "HOME", "IFS")


class File(NamedTuple):
    """A file of a draft."""

    name: str
    text: str
    runs: bool = False
    """Whether it is executable."""


class Draft(NamedTuple):
    """A runbook to be: its folder's name, and its files."""

    name: str
    files: tuple[File, ...]


class _Parameter(NamedTuple):
    name: str
    default: str


def draft_of(slug: str, text: Text, title_fr: str = "") -> Draft | None:
    """The draft that the steps of a page make; None for one without steps that hold commands."""
    steps = steps_of(text.body)
    if not any(_is_shell(code) for step in steps for code in step.codes):
        return None
    name = re.sub(r"[^a-z0-9]+", "_", slug_of(slug)).strip("_") or "runbook"
    parameters = _parameters_of(steps)
    files = (
        File("runbook.toml", _toml(name, text, title_fr or text.title, len(steps), parameters)),
        File("README.md", _readme(text, steps)),
        File("run", _script(text, steps, parameters), runs=True),
    )
    return Draft(name, files)


def packed(draft: Draft) -> bytes:
    """The folder as a zip in which `run` stays executable; the same bytes for the same draft."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in draft.files:
            about = zipfile.ZipInfo(f"{draft.name}/{file.name}", (2026, 1, 1, 0, 0, 0))
            about.external_attr = (0o100755 if file.runs else 0o100644) << 16
            about.create_system = 3
            about.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(about, file.text)
    return out.getvalue()


def _is_shell(code: Code) -> bool:
    return code.language in SHELLS


def _parameters_of(steps: Sequence[Step]) -> tuple[_Parameter, ...]:
    """What the commands give a name to, such as `BACKUP=/tmp/x` on a line of its own: to be chosen before a run."""
    found: dict[str, str] = {}
    for line in (line for step in steps for code in step.codes if _is_shell(code) for line in code.text.split("\n")):
        named = _NAMED.fullmatch(line)
        if named is not None and named[1] not in _OWN:
            found.setdefault(named[1], named[2] or named[3] or named[4] or "")
    return tuple(_Parameter(name.lower(), default) for name, default in found.items())


def _toml(name: str, text: Text, title_fr: str, steps: int, parameters: Sequence[_Parameter]) -> str:
    lines = [
        f"name = {_quoted(name)}",
        f"title = {_quoted(text.title)}",
        f"title_fr = {_quoted(title_fr)}",
        f"summary = {_quoted(_first_sentence(text))}",
        'risk = "changes" # reads, changes or destroys: at worst',
        f"minutes = {max(1, 2 * steps)} # what it takes by hand",
        f"topics = [{', '.join(map(_quoted, text.topics))}]",
    ]
    for each in parameters:
        label = each.name.replace("_", " ").capitalize()
        lines += ["", "[[parameters]]", f"name = {_quoted(each.name)}", f"label = {_quoted(label)}", 'kind = "text"']
        lines += [f"default = {_quoted(each.default)}", 'pattern = "[A-Za-z0-9._/:@-]*"']
    return "\n".join(lines) + "\n"


def _readme(text: Text, steps: Sequence[Step]) -> str:
    does = "\n".join(f"{number}. {step.text}" for number, step in enumerate(steps, 1))
    return (
        f"# {text.title}\n\n## What\n\n{_first_sentence(text)}\n\n## Before\n\nSay what has to be true of the site.\n\n"
        f"## Does\n\n{does}\n\n## Undo\n\nSay how each step is put back, or that it cannot be.\n\n"
        "## Risks\n\nSay what can go wrong, and how one sees it.\n"
    )


def _script(text: Text, steps: Sequence[Step], parameters: Sequence[_Parameter]) -> str:
    """The commands, each step's words above them. What is no command stands there as a comment."""
    lines = [
        "#!/bin/bash",
        f"# {text.title}: a draft made of the handbook's page. Read every line before it is installed.",
    ]
    lines += ["set -euo pipefail", 'cd "$STEELYARD_SITE_DOCROOT"']
    names = {each.name.upper() for each in parameters}
    for number, step in enumerate(steps, 1):
        lines += ["", f"# {number}. {step.text}", f"echo {_shell_quoted(f'{number} of {len(steps)}')}"]
        for code in step.codes:
            lines += _commands(code, names) if _is_shell(code) else [f"#   {line}" for line in code.text.split("\n")]
    return "\n".join(lines) + "\n"


def _commands(code: Code, parameters: set[str]) -> list[str]:
    return [_command(line, parameters) for line in code.text.split("\n")]


def _command(line: str, parameters: set[str]) -> str:
    named = _NAMED.fullmatch(line)
    if named is not None and named[1] in parameters:
        return f'{named[1]}="$STEELYARD_{named[1]}"'
    return _with_site(line.removeprefix("$ "))


def _with_site(line: str) -> str:
    """The line with the site of the run in place of the pages' example, where a shell would put it in."""
    return "".join(_part_with_site(part) for part in re.split(r"('[^']*'|\"[^\"]*\")", line))


def _part_with_site(part: str) -> str:
    if part.startswith("'"):
        return part
    for example, variable in _EXAMPLES:
        part = part.replace(example, variable if part.startswith('"') else f'"{variable}"')
    return part


def _first_sentence(text: Text) -> str:
    line = next((each for each in text.body.split("\n") if re.match(r"[^\W\d_]", each)), text.title)
    return re.sub(r"[`*\[\]]|\([^)]*\)", "", line).partition(". ")[0].rstrip(".")[:200] + "."


def _quoted(text: str) -> str:
    """A string of TOML: JSON's are, but for what cannot be seen."""
    return json.dumps("".join(each for each in text if each.isprintable()), ensure_ascii=False)


def _shell_quoted(text: str) -> str:
    return f"'{text}'"
