"""What administrators and reviewers of the companion read says all of it, in the words of the options page."""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "extension"


def page(name: str) -> str:
    return (ROOT / "docs/reference" / name).read_text("utf-8")


def read(name: str) -> dict[str, Any]:
    return json.loads((EXTENSION / name).read_text("utf-8"))


def rows(text: str) -> dict[str, list[str]]:
    """The rows of tables whose first cell is code, by it."""
    found = re.findall(r"^\| `([^`|]+)` \|(.*)\|$", text, re.M)
    return {first: [cell.strip() for cell in rest.split("|")] for first, rest in found}


def test_every_permission_has_its_row_with_the_sentence_of_the_options_page() -> None:
    manifest, words = read("manifest.json"), read("_locales/en/messages.json")
    described = rows(page("companion-permissions.md"))
    hosts = [*manifest["host_permissions"], *manifest["optional_host_permissions"]]
    assert described.keys() == {*manifest["permissions"], *hosts}
    for each in manifest["permissions"]:
        assert described[each] == [words[f"options_permission_{each.lower()}"]["message"]]
    assert described["<all_urls>"] == [words["options_permission_every"]["message"]]
    assert described[manifest["host_permissions"][0]] == [words["options_permission_hosts"]["message"]]


def test_every_setting_of_the_policy_has_its_row_its_heading_and_its_type() -> None:
    settings = read("managed_schema.json")["properties"]
    text = page("companion-policy.md")
    types = {"string": "text", "array": "list of texts", "boolean": "true or false"}
    described = rows(text)
    assert described.keys() == settings.keys() == set(re.findall(r"^## `(.+)`$", text, re.M))
    for name, each in settings.items():
        assert described[name][0].startswith(types[each["type"]])
        assert each["title"]
        assert each["description"]


def test_every_setting_of_the_policy_is_one_that_is_read() -> None:
    source = (EXTENSION / "lib/settings.js").read_text("utf-8")
    known = re.search(r"^const NAMES = (\[.*\]);$", source, re.M)
    assert known
    assert set(json.loads(known[1])) == read("managed_schema.json")["properties"].keys()


def test_the_examples_are_what_the_companion_understands() -> None:
    settings = read("managed_schema.json")["properties"]
    examples = [
        json.loads(each) for each in re.findall(r"^```json\n(.*?)^```$", page("companion-policy.md"), re.M | re.S)
    ]
    [policy] = [each for each in examples if "3rdparty" in each]
    [chosen] = policy["3rdparty"]["extensions"].values()
    assert chosen.keys() <= settings.keys()
    assert policy["3rdparty"]["extensions"].keys() == set(policy["ExtensionInstallForcelist"])
    assert isinstance(json.loads(chosen["editors"]), list)
