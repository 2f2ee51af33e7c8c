"""The detector of the companion: the shared cases, its promises, and the same answers as in the browser."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.companion.defang import defang, refang
from steelyard.companion.detect import find
from steelyard.companion.names import TLDS
from steelyard.companion.trust import is_trusted_target, trusting

ROOT = Path(__file__).parents[2]
TRUSTED = trusting(["trusted.com"])
ODD_DOTS = re.compile("[\u3002\uff0e\uff61\u2024]")
WORDS = """
http:// https:// HTTP: http:/ http:\\\\ ftp:// ws:// ssh:// // hxxp:// evil.com trusted.com https://trusted.com
evil.com/ https://trusted.com/ evil.md evil.My www. com sh install.sh 1.2.3.4 [::1] user@ evil[.]com [.] . .. : @ / \\
? # :80 %2e _ - -- * , ; ( ) [ ] { } < > | ' \u2019 \u2026 \u2013 \u3002 \uff0e \u00e9 \u0430 \u67fb \U0001f600 a 1
"""
PIECES = [*WORDS.split(), " ", "\n", "\u200b", "\u00ad", "\ufeff"]
texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)


def shared(folder: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (path.name, json.loads(path.read_text("utf-8"))) for path in sorted((ROOT / "cases" / folder).glob("*.json"))
    ]


@pytest.mark.parametrize(("name", "file"), shared("defang"))
def test_the_shared_cases_of_defanging(name: str, file: dict[str, Any]) -> None:
    trusted = trusting(file["trusted"])
    for each in file.get("cases", []):
        done = defang(each["text"], trusted)
        assert done == each["becomes"]
        assert defang(done, trusted) == done
        assert refang(done) == each.get("back", each["text"])
    for each in file.get("back", []):
        assert refang(each["text"]) == each["becomes"]
    for each in file.get("found", []):
        assert [each["text"][begun.start : end] for begun, end in find(each["text"])] == each["finds"]


@pytest.mark.parametrize(("name", "file"), shared("trust"))
def test_the_shared_cases_of_trust(name: str, file: dict[str, Any]) -> None:
    trusted = trusting(file["trusted"])
    for each in file["cases"]:
        assert is_trusted_target(each["href"], trusted) is each["trusted"], each["href"]
    for each in file.get("refused", []):
        with pytest.raises(ValueError, match=r"no domain that can be trusted|Anybody can have a name"):
            trusting([each])
    for each, domain in file.get("kept", {}).items():
        assert trusting([each]) == {domain}


def test_there_are_enough_shared_cases() -> None:
    files = [file for _, file in shared("defang") + shared("trust")]
    assert sum(len(file.get("cases", [])) + len(file.get("back", [])) for file in files) >= 700


@settings(max_examples=400, deadline=None)
@given(texts)
def test_nothing_is_lost_and_nothing_is_done_twice(text: str) -> None:
    done = defang(text, TRUSTED)
    assert defang(done, TRUSTED) == done
    assert ODD_DOTS.sub(".", refang(done)) == ODD_DOTS.sub(".", refang(text))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert ODD_DOTS.sub(".", refang(defang(text, TRUSTED))) == ODD_DOTS.sub(".", refang(text))


@settings(max_examples=200, deadline=None)
@given(texts)
def test_what_is_found_is_in_order_and_within_the_text(text: str) -> None:
    before = 0
    for begun, end in find(text):
        assert before <= begun.start <= begun.authority <= begun.rest <= end <= begun.limit <= len(text)
        before = end


@pytest.mark.parametrize(
    "unit",
    [
        ".",
        "@",
        "[",
        "(",
        "http://",
        "http:x",
        "ab://c/",
        "http://a/",
        "a.com,",
        "t.co,",
        "https://t.co/(",
        "www.",
        "[:",
        'http://"x',
        "//[a",
        "a.co@a-",
        "ab.co\u2713",
    ],
)
@pytest.mark.parametrize("end", ["", ")" * 20_000, "/http://evil.com"])
def test_hostile_texts_take_no_longer_than_their_length(unit: str, end: str) -> None:
    text = unit * (40_000 // len(unit)) + end
    started = time.perf_counter()
    refang(defang(text, trusting(["t.co"])))
    assert time.perf_counter() - started < 5


def test_both_languages_say_the_same() -> None:
    node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    if node is None:
        pytest.skip("node is not installed: the JavaScript side was not compared")
    command = [node, str(ROOT / "extension" / "tests" / "answers.js"), "61", "20000"]
    answers = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    assert len(answers) == 20_000
    for each in answers:
        done = defang(each["text"], TRUSTED)
        assert (done, refang(done), is_trusted_target(each["text"], TRUSTED)) == (
            each["done"],
            each["back"],
            each["target"],
        ), ascii(each["text"])


def test_both_languages_know_the_same_top_level_domains() -> None:
    source = (ROOT / "extension" / "lib" / "tlds.js").read_text("utf-8")
    written = re.search(r"WRITTEN = `(.*?)`", source, re.DOTALL)
    assert written
    found: list[str] = []
    last = ""
    for shared, rest in re.findall(r"([A-Z])([^A-Z\s]*)", written[1]):
        last = last[: ord(shared) - ord("A")] + rest
        found.append(last)
    assert found == sorted(TLDS)
