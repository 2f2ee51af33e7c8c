"""The judge judges: the description's own examples fit it, and what Intercom would refuse or ignore does not."""

import re

import pytest
import spec

JUDGED = ("/me", "/admins", "/away_status_reasons", "/conversations", "/tags", "/teams", "/ticket_states", "/tickets")

# Examples that break their own schema, and how.
WRONG_EXAMPLES = {
    ("put", "/admins/{admin_id}/away"): "the reason's id is a string",
    ("get", "/admins/activity_logs"): "what changed is text",
    ("post", "/admins/activity_logs/search"): "what changed is text",
    ("get", "/conversations/{conversation_id}"): "a part's id is an integer",
    ("put", "/conversations/{conversation_id}"): "a custom object's list has no type `list`",
    ("post", "/conversations/{id}/merge"): "unassigned is null, which 2.16 writes as 0",
    ("post", "/tickets/{ticket_id}/change_type"): "the state is text",
}


def test_the_descriptions_examples_fit_it_but_for_the_listed_ones():
    wrong, judged = set(), 0
    for template, operations in spec.load()["paths"].items():
        if "/" + template.split("/")[1] not in JUDGED:
            continue
        for method in operations.keys() & spec.METHODS:
            for status in operations[method]["responses"]:
                for example in spec.examples(method, template, int(status)).values():
                    judged += 1
                    try:
                        spec.check_response(method, re.sub(r"\{\w+\}", "1", template), int(status), example)
                    except AssertionError:
                        wrong.add((method, template))
    assert wrong == WRONG_EXAMPLES.keys()
    assert judged > 150


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/me", None),
        ("GET", "/conversations?per_page=150&starting_after=abc", None),
        ("GET", "/conversations/17?display_as=plaintext", None),
        ("POST", "/conversations/search", {"query": {"field": "open", "operator": "=", "value": True}}),
        ("POST", "/conversations/1/parts", {"message_type": "open", "admin_id": "1"}),
        ("DELETE", "/conversations/1/tags/2", {"admin_id": "1"}),
        ("POST", "/conversations/attributes", {"name": "weight", "data_type": "integer"}),
        ("PUT", "/tickets/1", {"admin_id": 1, "assignee_id": "2"}),
    ],
)
def test_described_requests_pass(method: str, path: str, body: object):
    spec.check_request(method, path, body)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/nowhere", None),
        ("GET", "/me", {}),
        ("GET", "/conversations?page=2", None),
        ("GET", "/conversations/seventeen", None),
        ("POST", "/conversations/search", {}),
        ("POST", "/conversations/search", {"query": {"field": "open", "operator": "EQ", "value": True}}),
        ("POST", "/conversations/search", {"query": {"field": "open", "operator": "=", "value": 1.5}}),
        ("POST", "/conversations/1/parts", {"type": "admin", "admin_id": "1", "assignee_id": "2"}),
        ("POST", "/conversations/1/parts", {"message_type": "open", "admin_id": 1}),
        ("POST", "/conversations/1/parts", {"message_type": "open", "admin_id": "1", "assignee": "2"}),
        ("PUT", "/conversations/1", {"custom_attributes": {"weight": 1.5}}),
        ("PUT", "/conversations/1", {"attributes": {"weight": 1}}),
        ("POST", "/conversations/attributes", {"name": "weight", "data_type": "number"}),
        ("DELETE", "/conversations/1/tags/2", None),
    ],
)
def test_other_requests_are_refused(method: str, path: str, body: object):
    with pytest.raises(AssertionError):
        spec.check_request(method, path, body)


def test_errors_any_call_can_have_are_judged_by_the_error_list():
    spec.check_response("GET", "/me", 429, {"type": "error.list", "errors": [{"code": "rate_limit_exceeded"}]})
    with pytest.raises(AssertionError):
        spec.check_response("GET", "/me", 429, {"error": "slow down"})
    with pytest.raises(AssertionError):
        spec.check_response("GET", "/me", 201, {})
