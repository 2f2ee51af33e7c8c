"""The forms of the registry's pages, judged field by field as everywhere, and the same from a program's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from starlette.requests import Request

from steelyard.toolbox import fields
from steelyard.toolbox.fields import Unfit
from steelyard.toolbox.imports import texts_of
from steelyard.toolbox.model import HostId, Json
from steelyard.toolbox.registry_rows import HostRow, NewSite, SiteRow
from steelyard.web.forms import Field, Filled, Form, Wrong
from steelyard.web.language import N_, Said
from steelyard.web.tables import Choice

IMPORT: Final = Form(
    (
        Field(
            "text",
            N_("Sites as CSV or JSON"),
            "lines",
            most=60_000,
            help=N_(
                "The first line names the columns: name, host, docroot, account, and if you like url, group, hints."
            ),
        ),
        Field("partly", N_("Take in the good lines, leave out the others"), "switch"),
    )
)


def judged(read: Callable[[str], object]) -> Callable[[str], object]:
    """A judge of the registry as forms ask one."""

    def judge(text: str) -> object:
        try:
            return read(text)
        except Unfit as unfit:
            raise Wrong(unfit.says.message, **unfit.says.values) from None

    return judge


def site_form(hosts: Sequence[HostRow]) -> Form:
    """A site. `hosts`: those that it can be on."""
    choices = tuple(Choice(str(row.host.id), row.host.name) for row in hosts)
    return Form(
        (
            Field("name", N_("Main domain"), read=judged(fields.site_name), most=253,
                  help=N_("As in shop.example. It is typed to confirm what destroys.")),
            Field("host", N_("Host"), "choice", choices=choices),
            Field("docroot", N_("Docroot"), read=judged(fields.path), most=1000,
                  help=N_("The folder that the web server serves, such as /var/www/shop/htdocs.")),
            Field("account", N_("User"), read=judged(fields.account), most=32,
                  help=N_("Whose files they are. Everything is done as this user.")),
            Field("url", N_("Address"), required=False, most=300,
                  help=N_("Where it is opened; by https at its domain where nothing is said.")),
            Field("group", N_("Group"), required=False, read=judged(fields.group), most=40,
                  help=N_("Sites of one group share who may run what.")),
            Field("hints", N_("Hints"), "lines", required=False, read=judged(fields.hints), most=4000,
                  help=N_("What cannot be found out, as a JSON object; most sites need none.")),
        )
    )  # fmt: skip


HOST: Final = Form(
    (
        Field("hints", N_("Hints"), "lines", required=False, read=judged(fields.hints), most=4000,
              help=N_("What cannot be found out, as a JSON object. They hold for all sites on it; a site’s own win.")),
    )
)  # fmt: skip


def site_values(row: SiteRow) -> dict[str, object]:
    """A site as the form holds it."""
    site = row.site
    return {
        "name": site.name,
        "host": str(site.host.id),
        "docroot": site.docroot,
        "account": site.account,
        "url": site.url,
        "group": site.group,
        "hints": written(row.hints),
    }


def written(hints: Mapping[str, Json]) -> str:
    """Hints as one writes them; empty where there are none."""
    return json.dumps(dict(hints), indent=2, ensure_ascii=False) if hints else ""


def refused_at(filled: Filled, name: str, says: Said) -> Filled:
    """The same, refused for what a field of that name holds."""
    inputs = tuple(each._replace(error=says) if each.field.name == name else each for each in filled.inputs)
    return filled._replace(inputs=inputs, refused=True)


def site_in(filled: Filled) -> tuple[Filled, NewSite | None]:
    """The site of a form that was accepted; None where its address cannot be taken, which the form then says."""
    if not filled.ok:
        return filled, None
    values = filled.values
    name = str(values["name"])
    try:
        url = fields.url(str(values["url"] or ""), name)
    except Unfit as unfit:
        return refused_at(filled, "url", unfit.says), None
    hints: Json = values["hints"] or {}
    group, host = str(values["group"] or ""), HostId(int(str(values["host"])))
    return filled, NewSite(name, host, str(values["docroot"]), str(values["account"]), url, group, hints)


async def sent(request: Request, form: Form, hosts: Sequence[HostRow]) -> Filled:
    """What a browser or a program sent. In JSON a host is named by its name or its number. Raises Unfit."""
    if "json" not in request.headers.get("content-type", ""):
        return await form.of(request)
    try:
        whole: Json = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Unfit(N_("This is no JSON: a quote, a comma or a bracket is off here.")) from None
    texts = texts_of(whole)
    numbers = {row.host.name: str(row.host.id) for row in hosts}
    texts["host"] = numbers.get(texts.get("host", ""), texts.get("host", ""))
    return form.read(texts.items())
