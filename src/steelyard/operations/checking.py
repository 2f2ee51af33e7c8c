"""Looking at an Intercom before it is connected: everything that could be wrong is said before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from unicodedata import category

from steelyard.adapters.intercom.answers import Attribute, Me
from steelyard.adapters.intercom.client import Intercom
from steelyard.adapters.intercom.errors import Forbidden, Invalid, Unauthorized
from steelyard.adapters.intercom.regions import REGIONS, api_url, region_of
from steelyard.config import Settings
from steelyard.kit.errors import ConfigError
from steelyard.kit.ids import CellId, WorkspaceId, workspace_id

ATTRIBUTES: tuple[tuple[str, Literal["string", "integer"]], ...] = (
    ("weight", "integer"),
    ("topic", "string"),
    ("decision", "integer"),
)
"""The conversation attributes that Steelyard writes, and of which type they are."""

PERMISSIONS = (
    "Read admins",
    "Read conversations",
    "Write conversations",
    "Read tags",
    "Write tags",
    "Write data attributes",
    "Read tickets",
)
"""What the app must be allowed, as the Developer Hub calls it."""

_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What was entered, to connect a workspace."""

    region: str
    token: str = field(repr=False)
    client_secret: str = field(repr=False)
    workspace: str | None = None
    """The known one whose token and secret are to be renewed; whichever the token is of where it is None."""


class Found(NamedTuple):
    """An Intercom that can be connected."""

    workspace: WorkspaceId
    me: Me
    open: int | None
    """Its open conversations, where it says so."""
    attributes: frozenset[str]
    """Which of ours it had already."""


def address(settings: Settings, region: str) -> str:
    """Where the API of a workspace in `region` is. Raises ConfigError unless that is this cell's region."""
    if settings.region is None:
        raise ConfigError(
            "STEELYARD_REGION is not set, and there is no default region: set it to where this cell is, us, eu or au"
        )
    if region != settings.region:
        raise ConfigError(_elsewhere(settings, f"a workspace in {region}", region) + ". Nothing was sent")
    return settings.intercom_url or api_url(region)


def check_secrets(asked: Asked) -> None:
    """Raises ConfigError for what can be no token or no client secret."""
    for name, value in (("access token", asked.token), ("client secret", asked.client_secret)):
        if not value or len(value) > _LONGEST or not (value.isascii() and value.isprintable()) or " " in value:
            raise ConfigError(f"the {name} is empty, too long, or has spaces or odd characters: copy it again")
    if asked.token == asked.client_secret:
        raise ConfigError(
            "the access token and the client secret are the same: copy the token from the app's Authentication page"
            " and the client secret from its Basic information"
        )


async def look(intercom: Intercom, settings: Settings, asked: Asked) -> Found:
    """What the token opens. Raises ConfigError where that must not be connected here, RemoteError."""
    me = await _who(intercom, asked.region)
    told = region_of(me.app.region)
    if told != settings.region:
        raise ConfigError(_elsewhere(settings, f"the workspace {me.app.id} in {shown(told or me.app.region)}", told))
    try:
        workspace = workspace_id(CellId(settings.cell), me.app.id)
    except ValueError as error:
        raise ConfigError(f"Intercom names its workspace as no workspace can be named: {error}. Report it") from None
    if asked.workspace not in (None, workspace):
        raise ConfigError(
            f"the token is of {workspace}, not of {asked.workspace}: nothing was changed. Copy the token of the app"
            " that is in that workspace"
        )
    try:
        await intercom.roster()
        found = check_attributes(await intercom.conversation_attributes())
        return Found(workspace, me, await intercom.count_open_conversations(), found)
    except Forbidden as error:
        raise _forbidden(error) from None


async def _who(intercom: Intercom, region: str) -> Me:
    try:
        return await intercom.me()
    except Forbidden as error:
        raise _forbidden(error) from None
    except Unauthorized:
        raise ConfigError(
            f"Intercom in {region} refuses the access token: it was mistyped or revoked, it is the client secret in its"
            " place, or the workspace is in another region. Copy the token from the app's Authentication page"
        ) from None


def check_attributes(known: list[Attribute]) -> frozenset[str]:
    """Which of our attributes are there. Raises ConfigError where one of that name is not usable as ours."""
    wanted = dict(ATTRIBUTES)
    for each in known:
        if each.name in wanted and each.data_type != wanted[each.name]:
            raise ConfigError(
                f"the workspace has a conversation attribute {each.name} of type {shown(each.data_type)}, and Steelyard"
                f" writes {each.name} as {wanted[each.name]}: rename yours in Intercom's settings, then connect again"
            )
        if each.name in wanted and each.archived:
            raise ConfigError(_archived(each.name))
    return frozenset(each.name for each in known if each.name in wanted)


async def make_attributes(intercom: Intercom) -> None:
    """Makes the attributes that are not there yet. Raises ConfigError where one cannot be made, RemoteError."""
    known = check_attributes(await intercom.conversation_attributes())
    for name, data_type in ATTRIBUTES:
        if name in known:
            continue
        try:
            await intercom.create_conversation_attribute(name, data_type)
        except Forbidden as error:
            raise _forbidden(error) from None
        except Invalid:
            # Somebody else may have made it meanwhile.
            if name not in check_attributes(await intercom.conversation_attributes()):
                raise ConfigError(_archived(name)) from None


def shown(text: str, most: int = 80) -> str:
    """A text from outside for a terminal: one line of `most` characters without what would move its cursor."""
    return "".join(each if each.isprintable() else " " if category(each) == "Zs" else "?" for each in text[:most])


def _forbidden(error: Forbidden) -> ConfigError:
    return ConfigError(
        f"Intercom does not allow the app the call {error.call}: tick the permissions {', '.join(PERMISSIONS)} on its"
        " Authentication page, then copy the access token again: it may be a new one"
    )


def _archived(name: str) -> str:
    return (
        f"Intercom does not let Steelyard use the conversation attribute {name}: one of that name is archived. Restore"
        " it in Intercom's settings (Data, Conversations), or rename it there, then connect again"
    )


def _elsewhere(settings: Settings, what: str, region: str | None) -> str:
    said = f"cell {settings.cell} is in {settings.region} and does not take {what}: data stays in its region"
    if region is None or region not in REGIONS:
        return f"{said}, and Steelyard knows {', '.join(REGIONS)} only"
    return f"{said}. Connect it with an Intercom app of its own to a cell in {region}, which calls {REGIONS[region]}"
