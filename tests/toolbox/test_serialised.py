"""Another address in what PHP serialized: PHP itself reads the same things, with the address in them."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.demo.hosting import Hosting
from steelyard.toolbox.hosted.serialised import Address, change

URL = Address("https://old.example", "https://brand-new.example/shop")
NAME = Address("old.example", "a.longer.example")

PHP = r"""<?php
class Thing { public $url; protected $more; private $own; public $same; }
class Wide implements Serializable {
    public $text;
    function serialize() { return $this->text; }
    function unserialize($data) { $this->text = $data; }
    function __serialize(): array { return ['text' => $this->text]; }
    function __unserialize(array $data): void { $this->text = $data['text']; }
}
enum Suit: string { case Hearts = 'h'; }
function make($given) {
    if (is_array($given) && array_keys($given) === ['$nest']) return serialize(make($given['$nest']));
    if (is_array($given) && array_keys($given) === ['$thing']) {
        $thing = new Thing; $thing->url = make($given['$thing']); $thing->same = $thing; return $thing;
    }
    if (is_array($given) && array_keys($given) === ['$pair']) {
        $one = make($given['$pair']); return [&$one, &$one, Suit::Hearts, new ArrayObject([1.5, null])];
    }
    return is_array($given) ? array_map('make', $given) : $given;
}
foreach (json_decode(stream_get_contents(STDIN), true) as $case) {
    if (isset($case['make'])) { echo base64_encode(serialize(make($case['make']['v']))), "\n"; continue; }
    $read = @unserialize(base64_decode($case['read']));
    echo base64_encode($read === false ? 'FALSE' : print_r($read, true)), "\n";
}
"""


def php(hosting: Hosting, cases: list[Any], tmp: Any) -> list[bytes]:
    script = tmp / "serialize.php"
    script.write_text(PHP)
    done = subprocess.run(
        [str(hosting.php.binary), "-d", "error_reporting=0", str(script)],
        input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [base64.b64decode(line) for line in done.stdout.splitlines()]


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["https://old.example", "voilà https://old.example/é", "https:\\/\\/old.example\\/x", 's:3:"abc";', "a b"]
    ),
)  # fmt: skip
values = st.recursive(
    st.one_of(texts, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text("abc", min_size=1, max_size=4), inner, max_size=4),
        st.fixed_dictionaries({"$nest": inner}),
        st.fixed_dictionaries({"$thing": inner}),
        st.fixed_dictionaries({"$pair": inner}),
    ),
    max_leaves=12,
)


def replaced(value: Any) -> Any:
    """What PHP should find, made from the plan of it."""
    if isinstance(value, str):
        return URL.put(value.encode("utf-8", "surrogatepass"))[0].decode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return [replaced(each) for each in value]
    if isinstance(value, dict):
        return {key: replaced(each) for key, each in value.items()}
    return value


@settings(max_examples=12)
@given(st.lists(values, min_size=20, max_size=40))
def test_php_reads_the_same_with_the_other_address(
    hosting: Hosting, tmp_path_factory: pytest.TempPathFactory, several: list[Any]
) -> None:
    tmp = tmp_path_factory.mktemp("php")
    made = php(hosting, [{"make": {"v": each}} for each in several], tmp)
    wanted = php(hosting, [{"make": {"v": replaced(each)}} for each in several], tmp)
    changed = [change(each, URL) for each in made]
    assert [each.value for each in changed] == wanted
    assert not any(each.broken for each in changed)
    # And again: nothing more.
    assert [change(each.value, URL).places for each in changed] == [0] * len(made)


def test_what_is_broken_stays_to_the_byte_and_is_told() -> None:
    good = b'a:1:{i:0;s:19:"https://old.example";}'
    assert change(good, URL).value == b'a:1:{i:0;s:30:"https://brand-new.example/shop";}'
    for broken in (good[:-1], good.replace(b"19", b"18"), good + b"x", b"a:1:{" * 500 + b"https://old.example"):
        assert change(broken, URL) == (broken, 0, True, 0)
    nested = b's:%d:"%s";' % (len(good) - 1, good[:-1])
    assert change(nested, URL) == (nested, 0, True, 0)


def test_keys_stay_and_are_told() -> None:
    value = b'a:2:{s:19:"https://old.example";i:1;i:0;s:11:"old.example";}'
    assert change(value, NAME) == (value.replace(b's:11:"old.example"', b's:16:"a.longer.example"'), 1, False, 1)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("//old.example/x", "//a.longer.example/x"),
        ("http:\\/\\/old.example\\/", "http:\\/\\/a.longer.example\\/"),
        ("u=https%3A%2F%2Fold.example%2F", "u=https%3A%2F%2Fa.longer.example%2F"),
        ("old.example:8080", "a.longer.example:8080"),
        ("www.old.example very-old.example old.example.org me@old.example bold.example", None),
    ],
)
def test_a_domain_is_a_whole_name(text: str, after: str | None) -> None:
    assert NAME.put(text.encode())[0].decode() == (after or text)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("https://old.example/a", "https://brand-new.example/shop/a"),
        ("https:\\/\\/old.example", "https:\\/\\/brand-new.example\\/shop"),
        ("https%3a%2f%2fold.example", "https%3a%2f%2fbrand-new.example%2fshop"),
        ("https://old.example:8443 http://old.example https://old.example.org https://old.examples", None),
    ],
)
def test_a_url_is_that_url(text: str, after: str | None) -> None:
    assert URL.put(text.encode())[0].decode() == (after or text)


@given(st.binary(max_size=200))
def test_whatever_there_is_it_is_read(data: bytes) -> None:
    for value in (data, b"a:1:{" + data, b's:9:"' + data + b'";old.example', data + b"old.example"):
        assert change(value, NAME).broken or not NAME.found(change(value, NAME).value) or change(value, NAME).keys
