"""Turns view models into pages: the shell, the reader's language and theme, and errors that are pages too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import partial
from gettext import NullTranslations
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from babel import Locale
from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from steelyard.web import charts
from steelyard.web.compiled import COMPILED
from steelyard.web.language import LANGUAGES, ZONE, Writer, age, messages, negotiate, term, zone_name
from steelyard.web.navigation import NAVIGATION
from steelyard.web.place import Place
from steelyard.web.static import Static
from steelyard.web.viewer import THEMES, Viewer, viewer_of

_YEAR = 365 * 24 * 3600
_TOLD = ("done", "was")
"""What an address says was just done: it is not part of any other address."""
_NOTHING_OF_IT = frozenset({401, 403, 404, 410, 500})
"""What a page in place of another's part answers by a word, not by the whole of itself."""


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame around a page shows."""

    path: str
    query: Mapping[str, str]
    language: str
    theme: str
    place: Place | None
    viewer: Viewer
    bare: bool = False
    """Whether the page is drawn without its frame, to stand in another one."""

    def may(self, permission: str) -> bool:
        """Whether the viewer has a permission: what they may not do is not offered."""
        return self.viewer.may(permission)

    def link(self, path: str) -> str:
        """The address of `path` in the same workspace."""
        return self.place.link(path) if self.place is not None else path

    def with_query(self, **changes: str) -> str:
        """This page's address with some of its query changed."""
        kept = {name: text for name, text in self.query.items() if name not in _TOLD}
        asked = urlencode({**kept, **changes})
        return f"{self.path}?{asked}" if asked else self.path

    def ask(self, asked: Mapping[str, str], suffix: str = "") -> str:
        """This page's address in the same workspace, with another query; with `.csv` and the like, its data."""
        path = self.path + suffix
        if self.place is not None:
            return self.place.link(path, **asked)
        return f"{path}?{urlencode(asked)}" if asked else path

    @property
    def told(self) -> str:
        """This page's address once what was just done is no longer told."""
        return self.with_query()

    @property
    def times(self) -> str:
        """The zone that times are shown in: `browser`, or a name of the tz database."""
        chosen = self.viewer.preferences.zone
        return {"browser": "browser", "workspace": self.viewer.workspace_zone}.get(chosen, "UTC")


class Pages:
    """All templates, in all languages. A room's lie under its prefix: `routing/desk.html`."""

    def __init__(
        self,
        static: Static,
        rooms: Mapping[str, Path],
        translations: Callable[[str], NullTranslations] = messages,
    ) -> None:
        """`rooms`: the folder of templates of each prefix. `translations`: the messages of a language."""
        folders = {"web": Path(__file__).parent / "templates", **rooms}
        loader = PrefixLoader({prefix: FileSystemLoader(folder) for prefix, folder in folders.items()})
        self._messages = {language: translations(language) for language in LANGUAGES}
        self._environments = {
            language: _environment(loader, language, said, static) for language, said in self._messages.items()
        }

    def draw(self, template: str, language: str, *, zone: tzinfo = UTC, **context: object) -> str:
        """The HTML of a template, in `language`, with its times in `zone`."""
        before = ZONE.set(zone)
        try:
            return self._environments[language].get_template(template).render(**context)
        finally:
            ZONE.reset(before)

    def say(self, text: object, language: str) -> str:
        """A Message or a Said in `language`, for what is not drawn from a template."""
        return term(text, self._messages[language].gettext)

    def macros(self, template: str, language: str) -> Any:
        """The macros of a template, in `language`, by their names: for pages that are drawn in parts."""
        return self._environments[language].get_template(template).module

    def answer(
        self, request: Request, template: str, *, place: Place | None = None, status: int = 200, **context: object
    ) -> Response:
        """A whole page, in the reader's language and theme; a choice in the query is remembered."""
        viewer = viewer_of(request)
        language, theme = language_of(request), theme_of(request)
        query, bare = dict(request.query_params), request.headers.get("hx-request") == "true"
        shell = Shell(request.url.path, query, language, theme, place or viewer.place, viewer, bare)
        if bare and status in _NOTHING_OF_IT:
            template, context = "web/left_out.html", {"code": status}
        response = HTMLResponse(self.draw(template, language, zone=viewer.zone, shell=shell, **context), status)
        for name, chosen, allowed in (("lang", shell.language, LANGUAGES), ("theme", shell.theme, THEMES)):
            if request.query_params.get(name) in allowed:
                response.set_cookie(name, chosen, max_age=_YEAR, samesite="lax", httponly=True)
        return response

    def refusal(self, request: Request, error: Exception) -> Response:
        """An error as a page; as JSON for a program."""
        known = error if isinstance(error, HTTPException) else HTTPException(500)
        message = "" if known.detail in ("", HTTPStatus(known.status_code).phrase) else known.detail
        if wants_data(request):
            body = {"error": {"status": known.status_code, "message": message or HTTPStatus(known.status_code).phrase}}
            return JSONResponse(body, known.status_code, headers=known.headers)
        page = self.answer(request, "web/error.html", status=known.status_code, code=known.status_code, message=message)
        page.headers.update(known.headers or {})
        return page


def wants_data(request: Request) -> bool:
    """Whether the asker is a program: an address of data, or a script of ours."""
    data = request.url.path.endswith((".json", ".csv", "/live"))
    # Any other scheme than ours is a proxy's, which browsers send along with every request.
    by_token = request.headers.get("authorization", "").partition(" ")[0].lower() == "bearer"
    return data or by_token or "application/json" in request.headers.get("accept", "")


def language_of(request: Request) -> str:
    """The reader's language: `?lang=`, else what they chose for themselves, the cookie, or Accept-Language."""
    remembered = viewer_of(request).preferences.language or request.cookies.get("lang")
    return negotiate(request.query_params.get("lang"), remembered, request.headers.get("accept-language", ""))


def theme_of(request: Request) -> str:
    """`light`, `dark`, or `system`, which leaves it to the browser."""
    chosen = viewer_of(request).preferences.theme
    wishes = (request.query_params.get("theme"), chosen, request.cookies.get("theme"))
    return next((wish for wish in wishes if wish in THEMES), THEMES[0])


def _environment(loader: PrefixLoader, language: str, said: NullTranslations, static: Static) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=COMPILED,
    )
    environment.policies["ext.i18n.trimmed"] = True
    untyped: Any = environment
    untyped.install_gettext_translations(said, newstyle=True)
    writer = Writer(Locale.parse(language))
    written = (writer.number, writer.size, writer.took, writer.clock, writer.second, writer.day, writer.date)
    functions = (*written, writer.whole, age)
    untyped.globals.update({function.__name__: function for function in functions})
    untyped.globals.update(static=static, language=language, languages=LANGUAGES, charts=charts, navigation=NAVIGATION)
    untyped.globals.update(term=partial(term, translate=said.gettext), zone_now=_zone_now)
    untyped.globals.update(say=partial(term, translate=said.gettext, write=writer.write))
    untyped.tests.update(moment=_is_moment, several=_is_several)
    return environment


def _zone_now() -> str:
    return zone_name(datetime.now(UTC))


def _is_moment(value: object) -> bool:
    return isinstance(value, datetime)


def _is_several(value: object) -> bool:
    return isinstance(value, (tuple, list, frozenset)) and not hasattr(cast("object", value), "_fields")
