"""One REST call, and what can be wrong with it. Ids may be strings or integers, as Intercom takes both."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from steelyard.demo.intercom.conversations import Actor
from steelyard.demo.intercom.model import Admin, Conversation, Json, Tag, Workspace
from steelyard.kit.ids import numeric_id


class Refused(Exception):
    """Answered with `status` and an error list."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field


class Call(NamedTuple):
    workspace: Workspace
    path: dict[str, str]
    query: dict[str, str]
    body: Json

    def required(self, name: str) -> Any:
        """The body's value of that name. Raises Refused where it is missing."""
        if self.body.get(name) is None:
            raise Refused(400, "parameter_not_found", f"{name} not specified", name)
        return self.body[name]

    def string(self, name: str, default: str | None = None) -> str:
        """A string of the body; required unless there is a default. Raises Refused."""
        value = self.required(name) if default is None else self.body.get(name, default)
        if not isinstance(value, str):
            raise invalid(f"{name} must be a string", name)
        return value

    def id(self, name: str) -> int:
        """An id of the body; 0 is nobody. Raises Refused."""
        value = self.required(name)
        if str(value) == "0":
            return 0
        found = numeric_id(value)
        if found is None:
            raise invalid(f"{name} must be an id", name)
        return found

    def choice(self, name: str, *allowed: str) -> str:
        value = self.required(name)
        if value not in allowed:
            raise invalid(f"{name} must be one of {', '.join(allowed)}", name)
        return value

    def mapping(self, name: str) -> Json:
        """An object of the body; an empty one where it is missing. Raises Refused."""
        value: Any = self.body.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise invalid(f"{name} must be an object", name)
        return cast(Json, value)

    def boolean(self, name: str) -> bool:
        value = self.required(name)
        if not isinstance(value, bool):
            raise invalid(f"{name} must be true or false", name)
        return value

    def number(self, name: str) -> int:
        value = self.required(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid(f"{name} must be an integer", name)
        return value

    def conversation(self) -> Conversation:
        """The conversation that the path names. Raises Refused."""
        found = self.workspace.conversations.get(numeric_id(self.path["conversation_id"]) or 0)
        if found is None:
            raise Refused(404, "not_found", "Resource Not Found")
        return found

    def actor(self) -> Actor:
        """The admin of the body's `admin_id`, acting through our app. Raises Refused: a team is no admin."""
        return Actor(self.admin(self.id("admin_id")), self.workspace.package)

    def admin(self, admin_id: int, code: str = "admin_not_found") -> Admin:
        found = self.workspace.admins.get(admin_id)
        if found is None:
            raise Refused(404, code, "Assignee not found" if code[1] == "s" else "Admin for admin_id not found")
        return found

    def tag(self, tag_id: object) -> Tag:
        found = self.workspace.tags.get(numeric_id(tag_id) or 0)
        if found is None:
            raise Refused(404, "tag_not_found", "Tag not found")
        return found


class Operation(NamedTuple):
    """A call that can be made, and who handles it."""

    name: str
    method: str
    path: str
    handler: Callable[[Call], Json]


def invalid(message: str, field: str | None = None) -> Refused:
    return Refused(400, "parameter_invalid", message, field)


def paging(values: Json) -> tuple[int, str | None]:
    """`per_page` (1 to 150, 20 if unsaid) and `starting_after`. Raises Refused."""
    per_page, after = values.get("per_page", 20), values.get("starting_after")
    if isinstance(per_page, str):
        per_page = numeric_id(per_page)
    if not isinstance(per_page, int) or isinstance(per_page, bool) or not 1 <= per_page <= 150:
        raise invalid("per_page must be between 1 and 150", "per_page")
    if not (after is None or isinstance(after, str)):
        raise invalid("starting_after must be a string", "starting_after")
    return per_page, after or None
