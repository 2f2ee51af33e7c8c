"""The style guide: every token and part on one page, in all its states, with the markup that pages use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from steelyard.kit.scopes import Scope
from steelyard.web.data import answer_table, data_routes, wants_rows
from steelyard.web.forms import Field, Filled, Form
from steelyard.web.fragments import Fragment, FragmentLink, Fragments
from steelyard.web.language import N_
from steelyard.web.logs import LogPart, log_answer, part_of
from steelyard.web.pages import Pages
from steelyard.web.place import Place
from steelyard.web.routes import OPEN, PageRoute
from steelyard.web.tables import Choice, Column, Days, Holds, Is, Table
from steelyard.web.toasts import Done, Undo, done_of, told
from steelyard.web.viewer import Viewer, viewer_of

_NOWHERE: Final = Place("", "")
_AT: Final = datetime(2026, 11, 22, 15, 42, 8, tzinfo=UTC)
_MOST_LINES: Final = 200_000


class Host(NamedTuple):
    """A row of the example table."""

    name: str
    state: str
    sites: int
    free: float | None
    seen: datetime


HOSTS: Final = tuple(
    Host(
        f"web-{number}",
        ("well", "well", "disk", "well", "silent")[number % 5],
        17 + number * 37 % 100,
        None if number % 5 == 4 else 318 - number * 7.5,
        _AT - timedelta(hours=number * 5),
    )
    for number in range(1, 38)
)
TABLE: Final = Table[Host](
    "hosts",
    (
        Column("name", N_("Host"), lambda row: row.name, sorts=True, filter=Holds(), heads=True),
        Column(
            "state",
            N_("State"),
            lambda row: row.state,
            filter=Is((Choice("well", N_("well")), Choice("disk", N_("disk")), Choice("silent", N_("no answer")))),
        ),
        Column("sites", N_("Sites"), lambda row: row.sites, sorts=True, number=True),
        Column("free", N_("Disk free, GB"), lambda row: row.free, sorts=True, number=True),
        Column("seen", N_("Last seen"), lambda row: row.seen, sorts=True, filter=Days()),
    ),
    sort="name",
    per_page=8,
    also=frozenset({"state_of", "line"}),
)

_ZONES: Final = (Choice("browser", N_("as the browser says")), Choice("utc", N_("in UTC")))
_ROLES: Final = (Choice("engineer", N_("engineer")), Choice("lead", N_("lead")))


def _form(prefix: str) -> Form:
    """All kinds of fields. The prefix tells the examples on the page apart."""
    return Form(
        (
            Field(f"{prefix}weight", N_("Weight"), "number", N_("DNS is 1, malware is 8."), least=1, most=13),
            Field(f"{prefix}mail", N_("E-mail address"), "email"),
            Field(f"{prefix}zone", N_("Times"), "choice", choices=_ZONES),
            Field(f"{prefix}roles", N_("Roles"), "choices", choices=_ROLES),
            Field(f"{prefix}from", N_("Quiet from"), "time", required=False),
            Field(f"{prefix}note", N_("Note for the next engineer"), "lines", required=False),
            Field(f"{prefix}secret", N_("Password"), "password", required=False),
            Field(f"{prefix}keys", N_("Single keys"), "switch"),
        )
    )


_STORED: Final = {"weight": 8, "mail": "noor@example.com", "zone": "utc", "roles": ("lead",), "keys": True}
FORM: Final = _form("")
_WRONG: Final = _form("wrong-")
_STALE: Final = _form("stale-")


class Guide(NamedTuple):
    """What the page shows beside the table."""

    at: datetime
    form: Filled
    wrong: Filled
    stale: Filled
    done: Done | None
    undo: Undo
    log: LogPart
    log_href: str
    fragments: tuple[FragmentLink, ...]


class StyleGuide:
    """The page, and what its examples lead to. Nothing is stored."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def show(self, request: Request) -> Response:
        """All parts; the table's rows as data."""
        query = TABLE.read(request.query_params, everything=wants_rows(request))
        rows = () if request.query_params.get("state_of") == "empty" else HOSTS
        shown = TABLE.of_rows(rows, query, viewer_of(request).zone)
        return answer_table(
            self._pages, request, "web/styleguide.html", shown, view=_guide(request, FORM.loaded(_STORED))
        )

    async def send(self, request: Request) -> Response:
        """The example of a form: accepted, or refused with what was typed."""
        filled = await FORM.of(request)
        if filled.ok:
            return told(viewer_of(request).place or _NOWHERE, "/styleguide", Done("kept"))
        shown = TABLE.of_rows(HOSTS, TABLE.read({}), UTC)
        view = _guide(request, filled)
        return self._pages.answer(request, "web/styleguide.html", status=filled.status, table=shown, view=view)

    async def fragment(self, request: Request) -> Response:
        """The example of a part that another page loads in place."""
        return self._pages.answer(request, "web/styleguide_fragment.html", at=_AT)

    async def log(self, request: Request) -> Response:
        """The example of a log: `?lines=` of them."""
        return log_answer(_lines(request), request.query_params)


def routes(pages: Pages) -> list[PageRoute]:
    """The routes of the style guide: open to all, since they hold nothing of anybody."""
    guide = StyleGuide(pages)
    return [
        *data_routes("/styleguide", guide.show, Scope.GLOBAL, OPEN),
        PageRoute("/styleguide", guide.send, Scope.GLOBAL, OPEN, methods=["POST"]),
        PageRoute("/styleguide/fragment", guide.fragment, Scope.GLOBAL, OPEN, methods=["GET"]),
        PageRoute("/styleguide/log", guide.log, Scope.GLOBAL, OPEN, methods=["GET"]),
    ]


def _guide(request: Request, form: Filled) -> Guide:
    place = viewer_of(request).place or _NOWHERE
    lines = _lines(request)
    return Guide(
        at=_AT,
        form=form,
        wrong=_WRONG.read([("wrong-weight", "80"), ("wrong-mail", "noor"), ("wrong-note", "MX record put back.")]),
        stale=_stale(),
        done=done_of(request.query_params, {"kept", "moved"}),
        undo=Undo(place.link("/styleguide")),
        log=part_of(lines, request.query_params),
        log_href=place.link("/styleguide/log", lines=str(len(lines))),
        fragments=_fragments(place),
    )


def _stale() -> Filled:
    """Somebody stored other values after the form was loaded, and one of its fields was changed in it, too."""
    loaded = {f"stale-{name}": value for name, value in _STORED.items()}
    carried = [(f"was.{name}", text) for name, texts in _STALE.texts(loaded).items() for text in texts]
    typed = _STALE.texts(loaded | {"stale-weight": 5, "stale-note": "MX record put back; waits for the TTL."})
    sent = [("loaded", "yes"), *carried, *((name, text) for name, texts in typed.items() for text in texts)]
    now = loaded | {"stale-weight": 3, "stale-roles": ("engineer", "lead"), "stale-note": "MX record is back."}
    return _STALE.read(sent).against(_STALE.texts(now))


def _fragments(place: Place) -> tuple[FragmentLink, ...]:
    registered = Fragments(
        (
            Fragment("handbook", "guide", N_("A part of another room"), _part, "see"),
            Fragment("broken", "guide", N_("A part that fails"), _nowhere, "see"),
        )
    )
    return registered.of("guide", 0, Viewer(granted=frozenset({"see"})), place)


def _part(_: int) -> str:
    return "/styleguide/fragment"


def _nowhere(_: int) -> str:
    return "/styleguide/nowhere"


def _lines(request: Request) -> list[str]:
    """Lines such as hosts print, hostile ones among them."""
    asked = request.query_params.get("lines", "2000")
    most = min(int(asked), _MOST_LINES) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 2000
    said = (
        "$ wp core verify-checksums",
        "Success: 3312 files match",
        "<img src=x onerror=\"document.title='broken'\">Warning: wp-admin/js/.s.php should not exist",
        "</span></pre><script>document.title='broken'</script>",
    )
    return [f"{number / 7:9.2f}  {said[number % len(said)]}" for number in range(most)]
