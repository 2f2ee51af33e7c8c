"""A team's own script as a runbook: a folder with `runbook.toml` and an executable in any language. Pure.

The executable is called `run`. Beside it there may be `plan` (says what it would do, changes nothing), `check` (exit
status 0: it is as it should be) and `undo`. They run on the site's host as the site's user, never on the worker; what
was chosen reaches them in the environment, and as arguments where `args` says so. `run` and `undo` must bear being run
again: after a kill nobody knows how far they came.
"""

from __future__ import annotations

import base64
import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from steelyard.kit.errors import RunbookError
from steelyard.toolbox.model import Action, Check, Json, Plan, Risk, Row, Secret, Size, Step
from steelyard.toolbox.runbook import Asked, Facts, Left, Parameter, Read, Runbook, Value, Values
from steelyard.toolbox.tools import files as files_of_host
from steelyard.toolbox.tools import script
from steelyard.web.said import N_, Said
from steelyard.web.tables import Choice

DESCRIPTION: Final = "runbook.toml"
PROGRAMS: Final = ("run", "plan", "check", "undo")
MOST_BYTES: Final = 256 * 1024
"""Of all files of a folder together: they are sent to the host at every run."""

_HOW_TO: Final = "docs/how-to/add-a-runbook.md"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,40}")


class _Parameter(BaseModel):
    """One `[[parameters]]` of runbook.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]{0,40}$")
    label: str
    label_fr: str = ""
    kind: Literal["text", "choice", "switch", "number"] = "text"
    default: str | int | bool = ""
    help: str = ""
    help_fr: str = ""
    pattern: str = ""
    refusal: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    least: int = 0
    most: int = 1_000_000
    secret: bool = False


class _Description(BaseModel):
    """The whole of runbook.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str = Field(min_length=3, max_length=80)
    title_fr: str = ""
    summary: str = Field(min_length=10, max_length=300)
    summary_fr: str = ""
    risk: Risk
    minutes: int = Field(ge=1, le=600)
    timeout: int = Field(default=300, ge=1, le=3600)
    topics: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    parameters: tuple[_Parameter, ...] = ()


def read_own(name: str, files: Mapping[str, bytes]) -> Runbook:
    """The runbook of a folder called `name` that holds `files` (by their names; no folders). Raises RunbookError."""
    described = _described(name, files)
    parameters = tuple(_parameter(each) for each in described.parameters)
    if len(twice := {each.name for each in parameters}) < len(parameters):
        raise RunbookError(f"{DESCRIPTION} of {name}: two parameters have one name, of {', '.join(sorted(twice))}")
    _require_arguments(name, described.args, parameters)
    programs = {each: files[each] for each in PROGRAMS if each in files}
    own = _Own(described, files)
    return Runbook(
        name=name,
        title=described.title,
        summary=described.summary,
        risk=described.risk,
        minutes=described.minutes,
        parameters=parameters,
        reads=own.reads,
        plan=own.plan,
        undo=own.undo if "undo" in programs else None,
        undo_reads=_nothing_to_read if "undo" in programs else None,
        erase=_folder_of_run,
        topics=described.topics,
        group="own",
        french=_french(described),
    )


class _Own:
    """The functions of one folder's runbook."""

    def __init__(self, described: _Description, files: Mapping[str, bytes]) -> None:
        self._described = described
        self._files: dict[str, Json] = {
            name: base64.b64encode(content).decode() for name, content in sorted(files.items()) if name != DESCRIPTION
        }
        self._bytes = sum(map(len, files.values()))

    def reads(self, asked: Asked) -> tuple[Read, ...]:
        if "plan" not in self._files:
            return ()
        return (Read("would", self._program("plan", asked)),)

    def plan(self, asked: Asked, facts: Facts) -> Plan:
        title = Said(N_("Run %(title)s"), {"title": self._described.title})
        says = Said(
            N_("The script of this folder, as %(account)s in %(docroot)s."),
            {"account": asked.site.account, "docroot": asked.site.docroot},
        )
        touches = self._described.risk is not Risk.READS
        step = Step("run", title, says, (self._program("run", asked),), min(self._described.timeout / 10, 5.0), touches)
        would = [Row(Said(N_("It would")), str(facts["would"]["out"]).strip()[:4000])] if "would" in facts else []
        return Plan(
            steps=(step,),
            checks=self._checks(asked),
            concerns=(*would, Row(Said(N_("Sent to the host")), Size(self._bytes))),
            keeps={"run": True},
            undoable="undo" in self._files,
        )

    def undo(self, left: Left, _: Facts) -> Plan:
        title = Said(N_("Undo %(title)s"), {"title": self._described.title})
        says = Said(N_("The undo script of this folder, as %(account)s."), {"account": left.site.account})
        return Plan((Step("undo", title, says, (self._program("undo", left),)),), undoable=False)

    def _checks(self, asked: Asked) -> tuple[Check, ...]:
        if "check" not in self._files:
            return ()
        return (
            Check(Said(N_("The check script of this folder agrees")), self._program("check", asked), {"status": 0}),
        )

    def _program(self, program: str, asked: Asked | Left, *, any_status: bool = False) -> Action:
        environment: dict[str, Json] = {
            "STEELYARD_SITE_NAME": asked.site.name,
            "STEELYARD_SITE_URL": asked.site.url,
            "STEELYARD_SITE_DOCROOT": asked.site.docroot,
            "STEELYARD_TOKEN": asked.token,
        }
        for each in self._described.parameters:
            environment[f"STEELYARD_{each.name.upper()}"] = _given(each.name, each.secret, asked.values)
        arguments = [_argument(each, asked.values) for each in self._described.args]
        way = script.Way(environment, arguments, asked.site.docroot, self._described.timeout, any_status)
        return script.run(program, self._files, way)


def _described(name: str, files: Mapping[str, bytes]) -> _Description:
    if not _NAME.fullmatch(name):
        raise RunbookError(f"a runbook's folder has a name of a-z, 0-9 and _, up to 41 of them: {name[:60]!r} is none")
    if "run" not in files:
        raise RunbookError(f"{name} has no executable called `run`: that is what the button does")
    if sum(map(len, files.values())) > MOST_BYTES:
        raise RunbookError(
            f"the files of {name} are more than 256 KB, which go to the host at every run: leave some out"
        )
    written: dict[str, Any] = {}
    try:
        written = tomllib.loads(files[DESCRIPTION].decode())
        described = _Description.model_validate(written)
    except KeyError:
        raise RunbookError(f"{name} has no {DESCRIPTION}: make one with `steelyard runbook new {name}`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunbookError(f"{DESCRIPTION} of {name} cannot be read as TOML: {error}") from None
    except ValidationError as error:
        raise RunbookError(f"{DESCRIPTION} of {name}: {_first(error, written)}. See {_HOW_TO}") from None
    if described.name != name:
        raise RunbookError(f"{DESCRIPTION} of {name} says name = {described.name!r}: it is the folder's, {name!r}")
    return described


def _first(error: ValidationError, written: Mapping[str, Any]) -> str:
    """The first mistake, in words that say what to write instead."""
    first = error.errors()[0]
    model, key, of = _Description, first["loc"][0], ""
    if key == "parameters" and len(first["loc"]) > 2:
        model, number, key = _Parameter, int(first["loc"][1]), first["loc"][2]
        called = written["parameters"][number].get("name")
        of = f" of the parameter {called}" if isinstance(called, str) else f" of parameter {number + 1}"
    match first["type"]:
        case "missing":
            return f"`{key}`{of} is missing"
        case "extra_forbidden":
            return f"`{key}`{of} is no key: there are {', '.join(model.model_fields)}"
        case "string_pattern_mismatch":
            return f"`{key}`{of} has to be of a-z, 0-9 and _, such as days"
        case _:
            said = re.sub("^(Input|String) should", "it should", first["msg"])
            return f"`{key}`{of}: {said}"


def _parameter(each: _Parameter) -> Parameter:
    if each.kind == "choice" and not each.choices:
        raise RunbookError(f"the parameter {each.name} is a choice without choices: list them")
    _require_default(each)
    default: Value = each.default
    if each.kind == "switch":
        default = bool(each.default)
    if each.kind == "choice":
        default = each.default or each.choices[0]
    try:
        re.compile(each.pattern)
    except re.error as error:
        raise RunbookError(f"the pattern of the parameter {each.name} is no regular expression: {error}") from None
    return Parameter(
        each.name,
        each.label,
        each.kind,
        default,
        each.help,
        tuple(Choice(text, text) for text in each.choices),
        each.pattern,
        each.refusal,
        each.required,
        each.least,
        each.most,
        each.secret,
    )


def _require_default(each: _Parameter) -> None:
    if each.kind == "number" and each.least > each.most:
        raise RunbookError(f"the parameter {each.name} has a `least` of {each.least} and a `most` of {each.most}")
    fits = isinstance(each.default, int) and each.least <= each.default <= each.most
    if each.kind == "number" and each.default != "" and not fits:
        wanted = f"a number from {each.least} to {each.most}"
        raise RunbookError(f"the default of the parameter {each.name} is {each.default!r}: write {wanted}")
    if each.kind == "choice" and each.default and each.default not in each.choices:
        raise RunbookError(f"the default of the parameter {each.name} is none of its choices: {each.default!r}")


def _require_arguments(name: str, args: tuple[str, ...], parameters: tuple[Parameter, ...]) -> None:
    known = {each.name: each for each in parameters}
    for argument in args:
        for wanted in re.findall(r"\{(\w*)\}", argument):
            if wanted not in known:
                raise RunbookError(f"{DESCRIPTION} of {name}: args names {{{wanted}}}, which is no parameter")
            if known[wanted].secret:
                raise RunbookError(
                    f"{DESCRIPTION} of {name}: {wanted} is a secret, and everybody on a host sees arguments: leave it"
                    f" to the environment, where it is STEELYARD_{wanted.upper()}"
                )


def _given(name: str, secret: bool, values: Values) -> Json:
    if secret:
        return Secret(name) if values.get(name) else ""
    return _text(values[name])


def _argument(template: str, values: Values) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: _text(values[found[1]]), template)


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value)


def _french(described: _Description) -> dict[str, str]:
    pairs = [(described.title, described.title_fr), (described.summary, described.summary_fr)]
    for each in described.parameters:
        pairs += [(each.label, each.label_fr), (each.help, each.help_fr)]
    return {english: french for english, french in pairs if english and french}


def _folder_of_run(_: Left) -> tuple[Action, ...]:
    return (files_of_host.clear_work(),)


def _nothing_to_read(_: Left) -> tuple[Read, ...]:
    return ()
