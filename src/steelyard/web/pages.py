"""Turns view models into pages: the shell, the reader's language and theme, and errors that are pages too."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from babel import Locale
from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from steelyard.web import charts
from steelyard.web.language import LANGUAGES, Writer, age, messages, negotiate
from steelyard.web.place import Place
from steelyard.web.static import Static
from steelyard.web.viewer import THEMES, Viewer, viewer_of

_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame around a page shows."""

    path: str
    query: Mapping[str, str]
    language: str
    theme: str
    place: Place | None
    viewer: Viewer

    def may(self, permission: str) -> bool:
        """Whether the viewer has a permission: what they may not do is not offered."""
        return self.viewer.may(permission)

    def link(self, path: str) -> str:
        """The address of `path` in the same workspace."""
        return self.place.link(path) if self.place is not None else path

    def with_query(self, **changes: str) -> str:
        """This page's address with some of its query changed."""
        return f"{self.path}?{urlencode({**self.query, **changes})}"


class Pages:
    """All templates, in all languages. A room's lie under its prefix: `routing/desk.html`."""

    def __init__(self, static: Static, rooms: Mapping[str, Path]) -> None:
        """`rooms`: the folder of templates of each prefix."""
        folders = {"web": Path(__file__).parent / "templates", **rooms}
        loader = PrefixLoader({prefix: FileSystemLoader(folder) for prefix, folder in folders.items()})
        self._environments = {language: _environment(loader, language, static) for language in LANGUAGES}

    def draw(self, template: str, language: str, **context: object) -> str:
        """The HTML of a template, in `language`."""
        return self._environments[language].get_template(template).render(**context)

    def answer(
        self, request: Request, template: str, *, place: Place | None = None, status: int = 200, **context: object
    ) -> Response:
        """A whole page, in the reader's language and theme; a choice in the query is remembered."""
        viewer = viewer_of(request)
        language, theme = language_of(request), theme_of(request)
        shell = Shell(request.url.path, dict(request.query_params), language, theme, place or viewer.place, viewer)
        response = HTMLResponse(self.draw(template, shell.language, shell=shell, **context), status)
        for name, chosen, allowed in (("lang", shell.language, LANGUAGES), ("theme", shell.theme, THEMES)):
            if request.query_params.get(name) in allowed:
                response.set_cookie(name, chosen, max_age=_YEAR, samesite="lax", httponly=True)
        return response

    def refusal(self, request: Request, error: Exception) -> Response:
        """An error as a page; as JSON where the page was asked for as data."""
        known = error if isinstance(error, HTTPException) else HTTPException(500)
        message = "" if known.detail in ("", HTTPStatus(known.status_code).phrase) else known.detail
        if request.url.path.endswith(".json"):
            body = {"error": {"status": known.status_code, "message": message or HTTPStatus(known.status_code).phrase}}
            return JSONResponse(body, known.status_code, headers=known.headers)
        page = self.answer(request, "web/error.html", status=known.status_code, code=known.status_code, message=message)
        page.headers.update(known.headers or {})
        return page


def language_of(request: Request) -> str:
    """The reader's language: `?lang=`, else what they chose for themselves, the cookie, or Accept-Language."""
    remembered = viewer_of(request).preferences.language or request.cookies.get("lang")
    return negotiate(request.query_params.get("lang"), remembered, request.headers.get("accept-language", ""))


def theme_of(request: Request) -> str:
    """`light`, `dark`, or `system`, which leaves it to the browser."""
    chosen = viewer_of(request).preferences.theme
    wishes = (request.query_params.get("theme"), chosen, request.cookies.get("theme"))
    return next((wish for wish in wishes if wish in THEMES), THEMES[0])


def _environment(loader: PrefixLoader, language: str, static: Static) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["ext.i18n.trimmed"] = True
    untyped: Any = environment
    untyped.install_gettext_translations(messages(language), newstyle=True)
    writer = Writer(Locale.parse(language))
    functions = (writer.number, writer.clock, writer.second, writer.day, writer.date, age)
    untyped.globals.update({function.__name__: function for function in functions})
    untyped.globals.update(static=static, language=language, languages=LANGUAGES, charts=charts)
    return environment
