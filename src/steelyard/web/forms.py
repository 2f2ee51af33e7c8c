"""Forms: what was typed is read, judged, kept, and compared with what somebody else stored meanwhile. Pure.

A form that changes something carries what it was loaded with (`was.NAME`). Where the stored value is another by then,
nothing is written: the page shows both, as a difference, and asks which one stands (`pick.NAME`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from difflib import SequenceMatcher
from typing import Any, Final, Literal, NamedTuple, cast

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from steelyard.web.language import N_, Said
from steelyard.web.tables import Choice

Kind = Literal["text", "email", "url", "password", "number", "time", "lines", "choice", "choices", "switch"]
"""How a field is filled in. `lines` are several lines of text, `switch` is on or off, `choices` are any of several."""

Values = Mapping[str, object]

_ON: Final = "on"
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_NO_BREAK: Final = str.maketrans("\u00a0\u202f", "  ")
"""French is written with spaces that Python takes for what cannot be seen."""
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


class Wrong(ValueError):
    """Why what was typed cannot be taken: a message, and what stands in its places."""

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.said = Said(message, values)


def sent_of(form: FormData, name: str) -> str:
    """One field as it was sent, empty without it or for a file. For what is never stored as it is."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


async def sent_json(request: Request, most: int = 256_000) -> dict[str, Any] | None:
    """The JSON object that a program sent; None where it is a form. An empty body is an empty object.

    Raises HTTPException for what is no object, or has more than `most` bytes.
    """
    if "json" not in request.headers.get("content-type", ""):
        return None
    body = await request.body()
    try:
        whole: Any = json.loads(body or b"{}") if len(body) <= most else None
    except (ValueError, RecursionError):
        whole = None
    if not isinstance(whole, dict):
        raise HTTPException(400, "Send a JSON object.")
    return cast("dict[str, Any]", whole)


@dataclass(frozen=True, slots=True)
class Field:
    """One field. `most` are characters of a text, or the greatest number; `least` is the least.

    `read` turns the text into the value that is stored and raises Wrong; without it a number is an int, a switch a
    bool, choices a tuple, and all else a text without blanks around it.
    """

    name: str
    label: str
    kind: Kind = "text"
    help: str = ""
    required: bool = True
    least: int | None = None
    most: int | None = None
    choices: tuple[Choice, ...] = ()
    autocomplete: str = "off"
    read: Callable[[str], object] | None = None

    @property
    def is_secret(self) -> bool:
        """Whether what was typed is never written into a page again."""
        return self.kind == "password"


class Input(NamedTuple):
    """A field with what is in it. `texts` is empty for a switch that is off, and where nothing is chosen."""

    field: Field
    texts: tuple[str, ...]
    error: Said | None = None
    was: tuple[str, ...] | None = None
    """What the form was loaded with; None where it changes nothing that is stored."""
    theirs: tuple[str, ...] | None = None
    """What somebody else stored meanwhile, where that is not the same."""
    picked: Literal["mine", "theirs"] = "mine"

    @property
    def text(self) -> str:
        """What is in it, as one text."""
        return self.texts[0] if self.texts else ""

    def difference(self, say: Callable[[object], str]) -> tuple[Part, ...]:
        """What somebody else stored beside what is in it. `say` draws a label in the reader's language."""
        return difference(self.written(self.theirs or (), say), self.written(self.texts, say))

    def written(self, texts: Sequence[str], say: Callable[[object], str]) -> str:
        """`texts` as one reads them: choices by their labels, a switch by a word."""
        if self.field.kind == "switch":
            return say(N_("on") if texts else N_("off"))
        labels: dict[str, str] = {each.value: each.label for each in self.field.choices}
        return ", ".join(say(labels.get(text, text)) for text in texts)


class Part(NamedTuple):
    """A part of a difference: in both, only in theirs, or only in mine."""

    of: Literal["both", "theirs", "mine"]
    text: str


class Filled(NamedTuple):
    """A form with what is in it, as it is drawn. `values` are those of all its fields where none has an error."""

    inputs: tuple[Input, ...]
    values: dict[str, object]
    refused: bool = False
    """Whether it was sent, and not taken."""

    @property
    def ok(self) -> bool:
        """Whether its values can be stored."""
        return not self.errors and not self.stale

    @property
    def errors(self) -> tuple[Input, ...]:
        """The inputs with an error, in the order of the form."""
        return tuple(each for each in self.inputs if each.error is not None)

    @property
    def stale(self) -> tuple[Input, ...]:
        """The inputs that somebody else changed meanwhile."""
        return tuple(each for each in self.inputs if each.theirs is not None)

    @property
    def status(self) -> int:
        """That of the answer that draws it: 200, 422 with errors, 409 where somebody else was faster."""
        return 422 if self.errors else 409 if self.stale else 200

    def input(self, name: str) -> Input:
        """The input of that name, for templates that place each on its own."""
        return next(each for each in self.inputs if each.field.name == name)

    def wrong(self, name: str, message: str, **values: object) -> Filled:
        """The same, refused for what only the database knows: `wrong("address", N_("... is here already."))`."""
        said = Said(message, values)
        inputs = tuple(each._replace(error=said) if each.field.name == name else each for each in self.inputs)
        return self._replace(inputs=inputs, refused=True)

    def against(self, stored: Mapping[str, Sequence[str]]) -> Filled:
        """The same, compared with what is stored now (`Form.texts`).

        Where that is what the form was loaded with, nothing changes. Else it is stale: fields that were not touched
        take over what is stored, and those that both changed say what each wrote.
        """
        inputs = tuple(_compared(each, stored.get(each.field.name)) for each in self.inputs)
        return self._replace(inputs=inputs, refused=self.refused or any(each.theirs is not None for each in inputs))


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in their order."""

    fields: tuple[Field, ...]

    def texts(self, values: Values) -> dict[str, tuple[str, ...]]:
        """Stored values as the fields write them; a field without one is empty."""
        return {each.name: _texts(each, values.get(each.name)) for each in self.fields if not each.is_secret}

    def empty(self, values: Values | None = None) -> Filled:
        """To make something new, with `values` in it to begin with."""
        texts = self.texts(values or {})
        return Filled(tuple(Input(each, texts.get(each.name, ())) for each in self.fields), {})

    def loaded(self, values: Values) -> Filled:
        """To change what is stored: it carries `values`, so that a change in between is seen."""
        texts = self.texts(values)
        inputs = (Input(each, texts.get(each.name, ()), was=texts.get(each.name)) for each in self.fields)
        return Filled(tuple(inputs), {})

    def read(self, sent: Iterable[tuple[str, str]]) -> Filled:
        """What was sent, judged. What is no field of this form is not looked at."""
        pairs = [(name, text.replace("\r\n", "\n").replace("\r", "\n")) for name, text in sent]
        carries = ("loaded", "yes") in pairs
        inputs: list[Input] = []
        values: dict[str, object] = {}
        for field in self.fields:
            input = _sent(field, pairs, carries)
            try:
                values[field.name] = _value(field, input.texts)
            except Wrong as wrong:
                input = input._replace(error=wrong.said)
            inputs.append(input)
        wrong = any(each.error is not None for each in inputs)
        return Filled(tuple(inputs), {} if wrong else values, refused=wrong)

    async def of(self, request: Request) -> Filled:
        """What a request sent, judged."""
        async with request.form() as form:
            return self.read([(name, text) for name, text in form.multi_items() if isinstance(text, str)])


def difference(theirs: str, mine: str) -> tuple[Part, ...]:
    """What of two texts is in both, and what in one of them, word by word."""
    old, new = _words(theirs), _words(mine)
    parts: list[Part] = []
    for what, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            parts.append(Part("both", "".join(old[first:last])))
            continue
        if last > first:
            parts.append(Part("theirs", "".join(old[first:last])))
        if end > start:
            parts.append(Part("mine", "".join(new[start:end])))
    return tuple(parts)


def _words(text: str) -> list[str]:
    """Words and what is between them. A long text is compared by its lines: that is quadratic, too."""
    return re.findall(r"\S+|\s+", text) if len(text) < 4000 else text.splitlines(keepends=True)


def _sent(field: Field, pairs: Sequence[tuple[str, str]], carries: bool) -> Input:
    """`was` is known where the form says that it carries it: nothing chosen is carried by nothing."""
    mine = tuple(text for name, text in pairs if name == field.name)
    mine = () if mine == ("",) else mine
    if field.is_secret or not carries:
        return Input(field, mine)
    was = tuple(text for name, text in pairs if name == f"was.{field.name}")
    picked = next((text for name, text in pairs if name == f"pick.{field.name}"), "mine")
    # What the other one wrote is what the form was loaded with since.
    return Input(field, was if picked == "theirs" else mine, was=was)


def _compared(input: Input, now: Sequence[str] | None) -> Input:
    stored = tuple(now) if now is not None else None
    if input.was is None or stored is None or input.was == stored:
        return input
    if input.texts == stored:
        return input._replace(was=stored)
    picked: Literal["mine", "theirs"] = "theirs" if input.texts == input.was else "mine"
    return input._replace(was=stored, theirs=stored, picked=picked)


def _texts(field: Field, value: object) -> tuple[str, ...]:
    match value:
        case None | "" | False:
            return ()
        case True:
            return (_ON,)
        case time():
            return (value.strftime("%H:%M"),)
        case _ if field.kind == "choices" and isinstance(value, Iterable):
            chosen = {str(each) for each in cast("Iterable[object]", value)}
            return tuple(each.value for each in field.choices if each.value in chosen)
        case _:
            return (str(value),)


def _value(field: Field, texts: tuple[str, ...]) -> object:
    if field.kind == "switch":
        return bool(texts)
    if field.kind == "choices":
        return _chosen(field, texts)
    text = texts[0] if texts else ""
    text = text if field.is_secret else text.strip()
    if not text:
        if field.required:
            raise Wrong(N_("“%(label)s” is missing."), label=field.label)
        return "" if field.read is None and field.kind != "number" else None
    _judge(field, text)
    if field.read is not None:
        return field.read(text)
    return _number(field, text) if field.kind == "number" else text


def _judge(field: Field, text: str) -> None:
    """Raises Wrong for a text that no field of that kind takes."""
    lines = field.kind == "lines"
    if "\0" in text or not (lines or text.translate(_NO_BREAK).isprintable()):
        raise Wrong(N_("“%(label)s” holds a character that cannot be seen: write it again."), label=field.label)
    if field.kind == "choice" and text not in {each.value for each in field.choices}:
        raise Wrong(N_("“%(label)s” cannot be “%(text)s”: choose one of the list."), label=field.label, text=text[:60])
    if field.kind == "email" and not _EMAIL.fullmatch(text):
        raise Wrong(N_("“%(text)s” is no e-mail address: write it as name@example.com."), text=text[:60])
    if field.kind == "time" and not _TIME.fullmatch(text):
        raise Wrong(N_("“%(text)s” is no time of day: write it as %(example)s."), text=text[:60], example="08:30")
    if field.kind != "number":
        _judge_length(field, text)


def _judge_length(field: Field, text: str) -> None:
    values = {"label": field.label, "length": len(text)}
    most = field.most or (10_000 if field.kind == "lines" else 200)
    if len(text) > most:
        raise Wrong(N_("“%(label)s” has %(length)s characters: %(most)s at most."), most=most, **values)
    if field.least is not None and len(text) < field.least:
        raise Wrong(N_("“%(label)s” has %(length)s characters: %(least)s at least."), least=field.least, **values)


def _number(field: Field, text: str) -> int:
    least = field.least if field.least is not None else 0
    most = field.most if field.most is not None else 2**31 - 1
    if re.fullmatch(r"-?[0-9]{1,18}", text) is None or not least <= int(text) <= most:
        message = N_("“%(text)s” cannot be taken: write a whole number from %(least)s to %(most)s.")
        raise Wrong(message, text=text[:60], least=least, most=most)
    return int(text)


def _chosen(field: Field, texts: tuple[str, ...]) -> tuple[str, ...]:
    offered = {each.value for each in field.choices}
    odd = next((text for text in texts if text not in offered), None)
    if odd is not None:
        raise Wrong(N_("“%(label)s” cannot be “%(text)s”: choose from the list."), label=field.label, text=odd[:60])
    if field.required and not texts:
        raise Wrong(N_("Choose at least one of “%(label)s”."), label=field.label)
    return tuple(each.value for each in field.choices if each.value in texts)
