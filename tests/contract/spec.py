"""Judges requests and answers against Intercom's own API description, for the tests of the client and of the simulator.

    check_request("POST", "/conversations/1/parts", {"message_type": "open", "admin_id": "1"})
    check_response("GET", "/me", 200, {...})

Both raise AssertionError with every complaint, and skip the test where the description is absent. Requests are judged
more strictly than the description asks: unknown query parameters and unknown properties are refused, since Intercom
would ignore them silently.
"""

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import yaml
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource, Specification

FILE = Path(__file__).parents[2] / ".." / "shared" / "intercom" / "openapi-2.16.yaml"

# The description's own errors. It means null to be allowed here and its examples send it, but says `nullable: true`
# beside a `$ref` or `allOf`, where OpenAPI 3.0 does not hear it.
NULLABLE = (
    ("conversation", "ai_agent"),
    ("conversation", "channel"),
    ("conversation", "company"),
    ("conversation", "sales_agent"),
    ("conversation_list_item", "ai_agent"),
    ("conversation_list_item", "channel"),
    ("conversation_list_item", "company"),
    ("conversation_list_item", "sales_agent"),
    ("conversation_part", "assigned_to"),
    ("conversation_part", "email_message_metadata"),
    ("conversation_part", "event_details"),
    ("conversation_part", "metadata"),
    ("tag", "applied_by"),
    ("ticket_part", "assigned_to"),
)

_ANSWERS, _REQUESTS = "urn:intercom:answers", "urn:intercom:requests"
METHODS = frozenset({"get", "put", "post", "delete", "patch"})


def load() -> dict[str, Any]:
    """The description with the overlay laid on, not to be changed; skips the test where the file is absent."""
    if not FILE.exists():
        pytest.skip("Intercom's API description is not there: put openapi-2.16.yaml into ../shared/intercom")
    return _load()


@cache
def _load() -> dict[str, Any]:
    with FILE.open("rb") as file:
        description = yaml.load(file, Loader=yaml.CSafeLoader)
    for schema, name in NULLABLE:
        properties = description["components"]["schemas"][schema]["properties"]
        assert properties[name]["nullable"] is True, f"{schema}.{name} is not nullable: take it off the list"
        null = {"type": "object", "nullable": True, "enum": [None]}
        properties[name] = {"anyOf": [properties[name], null]}
    return description


def check_request(method: str, path: str, body: Any = None) -> None:
    """Raises AssertionError unless `method path?query` with the JSON value `body` (None: no body) is described."""
    template, values = operation(method, path)
    described = load()["paths"][template][method.lower()]
    complaints = [*_parameter_complaints(described, values, urlsplit(path).query)]
    wanted = "requestBody" in described
    if body is not None and not wanted:
        complaints.append("has a body, and none is described")
    elif wanted and (body is not None or described["requestBody"].get("required", True)):
        place = ("paths", template, method.lower(), "requestBody", "content", "application/json", "schema")
        complaints += _complaints(_REQUESTS, place, body)
    assert not complaints, f"{method} {path}: " + "; ".join(complaints)


def check_response(method: str, path: str, status: int, body: Any) -> None:
    """Raises AssertionError unless `status` is described for `method path` and the JSON value `body` fits its schema.

    The errors that any call can have (401, 429, 5xx, ...) are judged by the description's error list where the call
    does not describe them itself.
    """
    template, _ = operation(method, path)
    place: tuple[str, ...] = ("paths", template, method.lower(), "responses", str(status))
    responses = load()["paths"][template][method.lower()]["responses"]
    if "schema" in responses.get(str(status), {}).get("content", {}).get("application/json", {}):
        place = (*place, "content", "application/json", "schema")
    elif status >= 400:
        place = ("components", "schemas", "error")
    elif str(status) in responses:
        return
    else:
        raise AssertionError(f"{method} {path}: status {status} is not described")
    complaints = _complaints(_ANSWERS, place, body)
    assert not complaints, f"{method} {path} answered {status}: " + "; ".join(complaints)


def examples(method: str, template: str, status: int = 200) -> dict[str, Any]:
    """The description's examples of that answer, by name."""
    responses = load()["paths"][template][method.lower()]["responses"]
    content = responses[str(status)].get("content", {}).get("application/json", {})
    return {name: example["value"] for name, example in content.get("examples", {}).items() if "value" in example}


def operation(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The path template of `method path` and the values of its parameters. A literal part beats a parameter."""
    plain = urlsplit(path).path
    matches = [
        (template.count("{"), template, {name: unquote(value) for name, value in found.groupdict().items()})
        for template, pattern in _patterns()
        if (found := pattern.fullmatch(plain)) and method.lower() in load()["paths"][template]
    ]
    assert matches, f"{method} {plain} is not described"
    _, template, values = min(matches, key=lambda match: match[:2])
    return template, values


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template))) for template in load()["paths"]]


def _parameter_complaints(described: dict[str, Any], values: dict[str, str], query: str) -> Iterator[str]:
    given = values | dict(parse_qsl(query, keep_blank_values=True))
    known = {each["name"]: each for each in described.get("parameters", ()) if each["in"] in ("path", "query")}
    for name in given.keys() - known.keys():
        yield f"parameter {name} is not described"
    for name, parameter in known.items():
        if name not in given:
            if parameter.get("required"):
                yield f"parameter {name} is missing"
            continue
        schema = parameter["schema"]
        for error in OAS30Validator(schema).iter_errors(_as_typed(given[name], schema)):
            yield f"parameter {name}: {error.message}"


def _as_typed(text: str, schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "integer" if re.fullmatch(r"-?\d+", text):
            return int(text)
        case "boolean" if text in ("true", "false"):
            return text == "true"
        case _:
            return text


def _complaints(document: str, place: tuple[str, ...], body: Any) -> list[str]:
    errors = _validator(document, place).iter_errors(body)
    return [f"{error.json_path}: {_worst(error)}" for error in errors]


def _worst(error: Any) -> str:
    """The message, with the nearest cause where the schema is a choice of several."""
    causes = "; ".join(f"{cause.json_path}: {cause.message}"[:200] for cause in error.context[:6])
    return error.message[:300] + (f" (because {causes})" if causes else "")


@cache
def _validator(document: str, place: tuple[str, ...]) -> Any:
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)
    return OAS30Validator({"$ref": f"{document}#/{pointer}"}, registry=_registry())


@cache
def _registry() -> Any:
    documents = {_ANSWERS: load(), _REQUESTS: _closed(copy.deepcopy(load()))}
    return Registry().with_resources(
        (name, Resource(contents=contents, specification=Specification.OPAQUE)) for name, contents in documents.items()
    )


def _closed(description: dict[str, Any]) -> dict[str, Any]:
    """The description with every object that lists its properties closed to others (a typo must not pass).

    Parts of an `allOf` stay open, since the others' properties are unknown to each.
    """
    nodes = list(_nodes(description))
    combined = [part for node in nodes for part in node.get("allOf", ())]
    schemas = description["components"]["schemas"]
    open_ones = {id(schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part) for part in combined}
    for node in nodes:
        if id(node) not in open_ones and node.get("type") == "object" and "properties" in node and "allOf" not in node:
            node.setdefault("additionalProperties", False)
    return description


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _nodes(each)
