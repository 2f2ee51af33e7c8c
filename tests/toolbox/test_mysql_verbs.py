"""Asking a site's database through the client on the host, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting import MakeSite
from steelyard.demo.hosting import Site
from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.mysql import execute, filled, place, query
from steelyard.toolbox.tools import mysql

HOSTILE = [
    "it's",
    "\\' OR 1=1 -- ",
    "a\tb\nc\\n",
    "\\! touch {file}",
    "é😀\u2028",
    "%(other)s",
    "",
    "`;DROP TABLE x;--",
]


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()


def test_rows_come_back_as_they_are(site: Site, here: Callable[[], Here], tmp_path: Path) -> None:
    told = [each.format(file=tmp_path / "done") for each in HOSTILE]
    values = {f"v{number}": text for number, text in enumerate(told)}
    sql = "SELECT " + ", ".join(f"%(v{number})s" for number in range(len(told))) + ", NULL, %(list)s = (1, 2)"
    found = query(here(), {"config": str(site.config), "sql": sql, "values": {**values, "list": [1, 2]}})
    assert found == {"rows": [[*told, None, "1"]], "cut": False}
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("mode", ["NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", ""])
def test_no_mode_of_the_server_lets_a_value_out(site: Site, here: Callable[[], Here], mode: str) -> None:
    sql = f"SET sql_mode = '{mode}'; SELECT %(it)s"
    for text in HOSTILE:
        assert query(here(), {"config": str(site.config), "sql": sql, "values": {"it": text}})["rows"] == [[text]]


def test_a_query_changes_nothing(site: Site, here: Callable[[], Here]) -> None:
    for sql in ("DELETE FROM wp_posts", "DROP TABLE wp_posts", "UPDATE wp_options SET option_value = 'x'"):
        with pytest.raises(Failed, match="READ ONLY"):
            query(here(), {"config": str(site.config), "sql": sql})
    assert site.sql("SELECT COUNT(*) FROM wp_posts") != [["0"]]


def test_changing_and_the_limit_of_rows(site: Site, here: Callable[[], Here]) -> None:
    asked = {"config": str(site.config), "values": {"names": ["siteurl", "home"]}}
    execute(here(), {**asked, "sql": "UPDATE wp_options SET option_value = 'é' WHERE option_name IN %(names)s"})
    sql = "SELECT option_value FROM wp_options WHERE option_name IN %(names)s"
    assert query(here(), {**asked, "sql": sql})["rows"] == [["é"], ["é"]]
    assert query(here(), {**asked, "sql": sql, "most": 1}) == {"rows": [["é"]], "cut": True}


def test_commands_of_the_client_are_not_obeyed(site: Site, here: Callable[[], Here], tmp_path: Path) -> None:
    for command in (f"\\! touch {tmp_path}/done", f"system touch {tmp_path}/done;", f"\\T {tmp_path}/done"):
        with pytest.raises(Failed):
            execute(here(), {"config": str(site.config), "sql": f"{command}\nSELECT 1;"})
    assert not (tmp_path / "done").exists()


def test_what_the_server_refuses_is_said(site: Site, here: Callable[[], Here]) -> None:
    with pytest.raises(Failed, match="wp_none") as missing:
        query(here(), {"config": str(site.config), "sql": "SELECT 1 FROM wp_none"})
    assert missing.value.code == "failed"
    site.hosting.owner.write(site.config, site.config.read_text().replace(site.password, 'wr"o#ng'))
    with pytest.raises(Failed) as denied:
        query(here(), {"config": str(site.config), "sql": "SELECT 1"})
    assert denied.value.code == "denied"
    assert "wr" not in denied.value.message


def test_a_password_of_odd_characters_signs_in(site: Site, here: Callable[[], Here]) -> None:
    odd = "a #;'\"\\$x[client]=é"
    quoted = odd.replace("\\", "\\\\").replace("'", "\\'")
    site.sql(f"ALTER USER `{site.user}`@localhost IDENTIFIED BY '{quoted}'")
    site.hosting.owner.write(site.config, site.config.read_text().replace(f"'{site.password}'", f"'{quoted}'"))
    assert query(here(), {"config": str(site.config), "sql": "SELECT 1"})["rows"] == [["1"]]


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("localhost", {"host": '"localhost"'}),
        ("", {"host": '"localhost"'}),
        ("db.example:3307", {"host": '"db.example"', "port": "3307", "protocol": "tcp"}),
        ("p:127.0.0.1", {"host": '"127.0.0.1"'}),
        ("localhost:/run/my sql.sock", {"socket": '"/run/my sql.sock"', "protocol": "socket"}),
        ("localhost:3306:/run/x.sock", {"socket": '"/run/x.sock"', "protocol": "socket"}),
        (":/run/x.sock", {"socket": '"/run/x.sock"', "protocol": "socket"}),
        ("[::1]:3307", {"host": '"::1"', "port": "3307", "protocol": "tcp"}),
        ("::1", {"host": '"::1"'}),
    ],
)
def test_every_way_to_write_the_host(host: str, settings: dict[str, str]) -> None:
    assert place(host) == settings


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_value_is_hexadecimal_digits(text: str) -> None:
    assert filled("%(a)s %(b)s", {"a": text}) == f"_utf8mb4 X'{text.encode().hex()}' %(b)s"


def test_builders() -> None:
    assert mysql.name("a`b") == "`a``b`"
    assert mysql.like("a_b%|") == "a|_b|%||"
    asked = mysql.query("/x/wp-config.php", "SELECT 1", {"a": 1})
    assert (asked.verb, asked.args) == (
        "mysql.query",
        {"config": "/x/wp-config.php", "sql": "SELECT 1", "values": {"a": 1}},
    )
