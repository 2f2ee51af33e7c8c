"""What is judged without rules: manifests, places, settings, the database. And what is written must be read again."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.hosted import places
from steelyard.toolbox.hosted.places import WHOLE
from steelyard.toolbox.hosted.scan import pack, unpack
from steelyard.toolbox.hosted.spelling import meant, spelled
from steelyard.toolbox.scanning import database, judge, serialised
from steelyard.toolbox.scanning.model import Entry, Hit, Judged, Kind, Layout, Manifest, Memory, Severity, clean
from steelyard.toolbox.scanning.search import batched
from steelyard.toolbox.scanning.words import RULES

LAYOUT = Layout("/s", "/s", "/s/wp-content", "/s/wp-content/plugins")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)


# Names and evidence


@given(st.binary(max_size=40))
def test_a_spelled_name_is_printable_and_means_the_same_file(raw: bytes) -> None:
    name = os.fsdecode(raw)
    text = spelled(name)
    assert text.isprintable()
    assert meant(text) == name
    assert os.fsencode(meant(text)) == raw


@given(TEXTS, TEXTS)
def test_two_names_are_never_spelled_the_same(one: str, other: str) -> None:
    assert (spelled(one) == spelled(other)) == (one == other)


@given(st.binary(max_size=3000), st.integers(0, 3000), st.integers(0, 4000))
def test_evidence_is_short_and_printable_whatever_the_file_holds(data: bytes, offset: int, length: int) -> None:
    text = places.around(data, min(offset, len(data)), length)
    assert len(text) <= 701
    assert all(each.isprintable() or each == "\n" for each in text)
    assert "\0" not in clean(data.decode("latin-1"))


def test_evidence_shows_the_line_that_matched() -> None:
    data = b"one\ntwo\nthree needle four\nfive\n" + b"x" * 9999
    assert "three needle four" in places.around(data, data.index(b"needle"), 6)
    assert places.around(data, data.index(b"needle"), 6).startswith("3: ")


# Manifests

PATHS = st.sampled_from(
    ["index.php", "wp-admin/a.php", "wp-includes/b.js", "wp-content/plugins/hello.php", "license.txt"]
)
FILES = st.dictionaries(PATHS, st.tuples(st.sampled_from("abc"), st.integers(0, 9)), min_size=1)


def entries_of(found: dict[str, str]) -> dict[str, Entry]:
    return {f"/s/{path}": Entry(f"/s/{path}", 1, 2, 3, 4) for path in found}


@given(FILES, st.dictionaries(PATHS, st.sampled_from("abc")))
def test_a_file_is_known_only_with_the_released_digest_and_all_others_of_core_are_told(
    files: dict[str, tuple[str, int]], found: dict[str, str]
) -> None:
    manifest = Manifest("core", "WordPress", "/s", files)
    digests = {f"/s/{path}": digest for path, digest in found.items()}
    compared = judge.compare(manifest, entries_of(found), digests)
    same = {f"/s/{path}" for path, (digest, _) in files.items() if found.get(path) == digest}
    assert set(compared.known) == same
    assert not same & {*compared.changed, *compared.missing, *compared.added}
    for path, (digest, _) in files.items():
        name = f"/s/{path}"
        if not path.startswith("wp-content/"):
            assert (name in compared.missing) == (path not in found)
            assert (name in compared.changed) == (path in found and found[path] != digest)
    assert {each.place for each in compared.findings} <= {*compared.changed, *compared.missing, *compared.added}


def test_what_no_release_put_into_core_is_told_and_what_a_site_may_have_is_not() -> None:
    manifest = Manifest("core", "WordPress", "/s", {"index.php": ("a", 1)})
    names = [
        "wp-includes/x.php",
        "wp-admin/notes.txt",
        "wp-login2.php",
        "wp-config.php",
        "error_log",
        "shop/x.php",
        ".htaccess",
    ]
    compared = judge.compare(manifest, entries_of(dict.fromkeys([*names, "index.php"], "")), {"/s/index.php": "a"})
    told = {each.place: each.hit.severity for each in compared.findings}
    assert told == {
        "/s/wp-includes/x.php": "suspicious",
        "/s/wp-admin/notes.txt": "odd",
        "/s/wp-login2.php": "suspicious",
    }


def test_a_change_is_told_with_what_was_released_and_what_is_there() -> None:
    manifest = Manifest("core", "WordPress 7.1.1", "/s", {"index.php": ("a" * 64, 405)})
    (finding,) = judge.compare(manifest, entries_of({"index.php": ""}), {"/s/index.php": "b" * 64}).findings
    assert finding.hit.rule == "core_changed"
    assert finding.hit.evidence.splitlines() == ["WordPress 7.1.1", f"- {'a' * 64} (405)", f"+ {'b' * 64} (1)"]


# Places


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("wp-content/uploads/2026/x.php", "php_in_uploads"),
        ("wp-content/uploads/2026/x.pHp7", "php_in_uploads"),
        ("wp-content/uploads/x.php.jpg", "php_in_uploads"),
        ("wp-content/fonts/x.phtml", "php_in_uploads"),
        ("wp-content/cache/x.php", "php_in_cache"),
        ("wp-content/languages/fr.php", "php_in_uploads"),
        (".git/x.php", "php_in_hidden_folder"),
        (".well-known/acme/x.php", "php_in_hidden_folder"),
        ("wp-includes/.a.php", "php_hidden"),
        ("wp-content/thing.php", "php_beside_drop_ins"),
        ("wp-content/object-cache.php", None),
        ("wp-content/languages/fr.l10n.php", None),
        ("wp-content/plugins/a/a.php", None),
        ("wp-content/themes/a/functions.php", None),
        ("index.php", None),
    ],
)
def test_programs_have_their_places(name: str, rule: str | None) -> None:
    hits = list(places.of_file(f"/s/{name}", b"<?php echo 1;", LAYOUT))
    assert [each.rule for each in hits] == ([rule] if rule else [])
    assert rule is None or rule in RULES


@pytest.mark.parametrize(
    "data",
    [b"", b"<?php\n// Silence is golden.\n", b"<?php /* x */ ?>", b"<?php exit;", b"  <?php # nothing\n"],
)
def test_what_does_nothing_may_lie_anywhere(data: bytes) -> None:
    assert list(places.of_file("/s/wp-content/uploads/index.php", data, LAYOUT)) == []
    assert list(places.of_file("/s/wp-content/uploads/index.php", data + b" echo 1;/**/x();", LAYOUT)) != [] or not data


@given(st.text("<?ph /*#\nexitd;ab()", max_size=60))
def test_what_runs_something_is_never_silent(code: str) -> None:
    assert not places.is_silent(b"<?php call();" + code.encode())


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        (".htaccess", "AddHandler application/x-httpd-php .jpg", "handler_for_other_files"),
        ("wp-content/uploads/.htaccess", "AddType application/x-httpd-php .php", "handler_for_other_files"),
        (".user.ini", "auto_prepend_file = /tmp/x", "php_before_every_page"),
        (".htaccess", "php_value auto_append_file '/tmp/.a'", "php_before_every_page"),
        (
            ".htaccess",
            "RewriteCond %{HTTP_REFERER} google [NC]\nRewriteRule .* http://a.example/ [R]",
            "searchers_sent_away",
        ),
        (".htaccess", "AddHandler application/x-httpd-php82 .php", None),
        (".htaccess", "RewriteEngine On\nRewriteRule ^index\\.php$ - [L]", None),
        ("wp-content/uploads/.htaccess", "deny from all", None),
    ],
)
def test_settings_that_run_other_files_are_told(name: str, text: str, rule: str | None) -> None:
    assert [each.rule for each in places.of_file(f"/s/{name}", text.encode(), LAYOUT)] == ([rule] if rule else [])


def test_a_firewall_before_every_page_is_only_odd() -> None:
    (hit,) = places.of_file("/s/.user.ini", b"auto_prepend_file = '/s/wordfence-waf.php'", LAYOUT)
    assert hit.severity == "odd"


def test_php_in_a_picture_is_told_and_a_picture_is_not() -> None:
    assert [each.rule for each in places.of_file("/s/a.ico", b"\0\0<?php echo 1;", LAYOUT)] == ["php_inside_another"]
    assert list(places.of_file("/s/a.ico", b"\0\0<?xpacket", LAYOUT)) == []


# Memory and batches

HITS = st.builds(Hit, st.sampled_from(Severity), *[TEXTS.map(clean)] * 6)
JUDGED = st.builds(
    Judged, st.tuples(*[st.integers(0, 2**63)] * 4), st.text("0123456789abcdef"), st.booleans(), st.tuples(HITS)
)


@given(st.dictionaries(TEXTS.map(spelled), JUDGED, max_size=5))
def test_what_is_remembered_is_read_again(files: dict[str, Judged]) -> None:
    assert Memory.load("r", Memory("r", files).dump()) == Memory("r", files)


@given(st.binary(max_size=50))
def test_a_broken_memory_remembers_nothing(seen: bytes) -> None:
    assert Memory.load("r", seen).files == {}


@given(JUDGED, st.integers(0, 3), st.integers(1, 9))
def test_a_file_that_changed_in_any_way_is_looked_at_again(judged: Judged, which: int, by: int) -> None:
    memory = Memory("r", {"/a": judged})
    assert memory.of(Entry("/a", *judged.identity)) is judged
    changed = list(judged.identity)
    changed[which] += by
    assert memory.of(Entry("/a", *changed)) is None


@given(st.lists(st.integers(0, 6_000_000), max_size=900))
def test_batches_hold_every_file_once_and_stay_small(sizes: list[int]) -> None:
    entries = [Entry(f"/{number}", size, 0, 0, 0) for number, size in enumerate(sizes)]
    batches = list(batched(entries))
    assert [each for batch in batches for each in batch] == entries
    for batch in batches:
        assert 0 < len(batch) <= 200
        assert len(batch) == 1 or sum(min(each.size, WHOLE) for each in batch) <= 3_000_000


JSON = st.recursive(st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=3))


@given(JSON)
def test_packed_is_unpacked(value: Any) -> None:
    assert unpack(pack(value)) == value


def test_what_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        unpack(pack("0" * 100_000), most=1000)


# PHP's serialize

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: st.dictionaries(st.integers(0, 99) | st.text("abé", max_size=3), inner, max_size=3),
    max_leaves=12,
)


def written(value: Any) -> str:
    match value:
        case None:
            return "N;"
        case bool():
            return f"b:{int(value)};"
        case int():
            return f"i:{value};"
        case str():
            return f's:{len(value.encode())}:"{value}";'
        case _:
            return f"a:{len(value)}:{{" + "".join(written(k) + written(v) for k, v in value.items()) + "}"


@given(VALUES)
def test_what_php_serialises_is_read(value: Any) -> None:
    assert serialised.read(written(value)) == value


@given(st.text(max_size=60) | VALUES.map(written).map(lambda text: text[:-1]))
def test_anything_else_is_refused_in_one_way(text: str) -> None:
    try:
        serialised.read(text)
    except serialised.Unreadable:
        return


def test_what_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(serialised.Unreadable):
        serialised.read("a:1:{i:0;" * 5000 + "N;" + "}" * 5000)


# The database


def rules(kind: Kind, *rows: list[str | None]) -> list[tuple[str, str]]:
    return [(each.hit.severity, each.hit.rule) for each in database.judge(kind, rows, "https://shop.example", NOW)]


CODE = "ev~al(base64_de~code('x'))".replace("~", "")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["siteurl", "https://shop.example", "named"], []),
        (["home", "https://www.shop.example/blog", "named"], []),
        (["siteurl", "https://evil.example", "named"], [("suspicious", "address_of_another")]),
        (["home", "https://shop.example/<script>", "named"], [("malicious", "address_with_code")]),
        (["default_role", "administrator", "named"], [("malicious", "everybody_becomes_administrator")]),
        (["default_role", "subscriber", "named"], []),
        (["widget_text", f"<b>{CODE}</b>", "yes"], [("malicious", "code_in_database")]),
        (["analytics", "<script src='https://www.googletagmanager.com/gtag/js'>", "yes"], []),
        (["ads", "<script src=//cdn.evil.example/a.js>", "yes"], [("odd", "script_from_elsewhere")]),
        (["own", "<script src=https://shop.example/a.js>", "yes"], []),
    ],
)
def test_options(row: list[str | None], told: list[tuple[str, str]]) -> None:
    assert rules(Kind.OPTION, row) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<iframe src='https://a.example' width='1' height='1'>", [("suspicious", "invisible_frame")]),
        ("<iframe src='https://www.youtube.com/embed/x' width='560'>", []),
        ("<script>ev" + "al(String.fromCharCode(1,2))</script>", [("malicious", "coded_script")]),
        ("<div style='display:none'><a href='https://pills.example'>", [("suspicious", "hidden_links")]),
        ("<p>plain <a href='https://a.example'>link</a></p>", []),
    ],
)
def test_posts(text: str, told: list[tuple[str, str]]) -> None:
    assert rules(Kind.POST, ["7", "post", "publish", text]) == told


def test_administrators_are_judged_by_what_speaks_against_them() -> None:
    owner: list[str | None] = ["1", "claire", "claire@shop.example", "2021-03-04 05:06:07", "wp_capabilities"]
    fresh: list[str | None] = ["2", "noor", "noor@shop.example", "2026-11-20 05:06:07", "wp_capabilities"]
    rogue: list[str | None] = ["3", "wp-backup", "x@mail.ru", "2026-11-21 00:00:00", "wp_capabilities"]
    never: list[str | None] = ["4", "claude", "c@shop.example", "0000-00-00 00:00:00", "wp_capabilities"]
    assert rules(Kind.USER, owner) == []
    assert rules(Kind.USER, fresh) == []  # the only one, of a new site
    found = database.judge(Kind.USER, [owner, fresh, rogue, never], "https://shop.example", NOW)
    assert {each.place: each.hit.severity for each in found} == {
        "noor": "odd",
        "wp-backup": "suspicious",
        "claude": "odd",
    }


def test_cron_is_read_and_judged() -> None:
    call = {"x": {"schedule": "daily", "args": {}}}
    ordinary = {1700000000: {"wp_version_check": call, "woocommerce_cleanup_sessions": call}, "version": 2}
    assert rules(Kind.CRON, [written(ordinary)]) == []
    bad = {1: {"ass" + "ert": call}, 2: {"my_hook": {"x": {"args": {0: CODE}}}}, 3: {"0123456789abcdef0": call}}
    assert sorted(rules(Kind.CRON, [written(bad)])) == [
        ("malicious", "cron_calls_code"), ("odd", "cron_random_name"), ("suspicious", "cron_given_code"),
    ]  # fmt: skip
    assert rules(Kind.CRON, ["O:8:broken"]) == [("odd", "cron_unreadable")]
    assert rules(Kind.CRON) == []


@given(st.sampled_from(list(Kind)), st.lists(st.lists(st.none() | TEXTS, min_size=5, max_size=5), max_size=4))
def test_whatever_the_database_holds_is_judged(kind: Kind, rows: list[list[str | None]]) -> None:
    for each in database.judge(kind, rows, "https://shop.example", NOW):
        assert each.hit.rule in RULES
        assert all(mark.isprintable() or mark == "\n" for mark in each.hit.evidence)
