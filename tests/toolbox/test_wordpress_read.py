"""Which WordPress a site is, read from its files and database by the site's user."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hosting import MakeSite
from steelyard.toolbox.hosted.here import Here
from steelyard.toolbox.hosted.wordpress import read
from steelyard.toolbox.hosted.wp_config import definitions, is_secret

PLAIN = """<?php
// define( 'DB_NAME', 'commented' );
define( 'DB_NAME', 'shop' ); /* define( 'DB_HOST', 'no' ); */
define( "DB_USER", "me" );
define( 'DB_PASSWORD', 'it\\'s a \\\\ "secret" #;' );
define( 'DB_HOST', 'localhost:/run/x.sock' );
MORE
$table_prefix = 'wp_';
if ( ! defined( 'ABSPATH' ) ) {
    define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
"""


def config(more: str = "") -> str:
    return PLAIN.replace("MORE", more)


def test_plain_configuration_is_read_as_text() -> None:
    found = definitions(config("const LIMIT = 0x10; define('DIR', dirname(__FILE__) . '/app');"), "/srv/x", "/srv/x")
    assert found.literal
    assert found.prefix == "wp_"
    assert found.constants["DB_NAME"] == "shop"
    assert found.constants["DB_PASSWORD"] == 'it\'s a \\ "secret" #;'
    assert (found.constants["LIMIT"], found.constants["DIR"]) == (16, "/srv/x/app")


@pytest.mark.parametrize(
    "more",
    [
        "if ($live) { define('DB_NAME', 'other'); }",
        "if ($live): define('DB_NAME', 'other'); endif;",
        "include 'secrets.php';",
        "eval($x);",
        "define($name, 'x');",
        "$table_prefix .= 'x';",
        "$table_prefix = getenv('PREFIX');",
        "return;",
        "foreach ($all as $name => $value) { define($name, $value); }  define('DB_HOST', $host);",
        "{ define('DB_NAME', 'other'); }",
    ],
)
def test_what_more_decides_is_not_taken_for_literal(more: str) -> None:
    assert not definitions(config(more), "/x", "/x").literal


@pytest.mark.parametrize(
    "more",
    [
        "if (isset($_SERVER['HTTP_X'])) $_SERVER['HTTPS'] = 'on';",
        "define('WP_HOME', getenv('HOME'));",
        "$x = <<<E\n define('DB_NAME', 'h');\nE;\n",
        "?> define('DB_NAME', 'html'); <?php ",
        "define('DB_NAME', 'the first one holds');",
    ],
)
def test_what_does_not_concern_the_database_stays_literal(more: str) -> None:
    found = definitions(config(more), "/x", "/x")
    assert found.literal
    assert found.constants["DB_NAME"] == "shop"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_written_as_php_writes_it_comes_back(text: str) -> None:
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    assert definitions(config(f"define('IT', {quoted});"), "/x", "/x").constants["IT"] == text


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    definitions("<?php " + text, "/x", "/x")


def test_secrets_are_known() -> None:
    names = ("AUTH_KEY", "NONCE_SALT", "WP_REDIS_PASSWORD", "MY_API_TOKEN", "SMTP_PASS")
    assert all(is_secret(name, "x") for name in names)
    assert is_secret("CACHE", "redis://me:word@host/0")
    assert not is_secret("WP_DEBUG", True)


def test_an_ordinary_site(make_site: MakeSite, here: Callable[[], Here]) -> None:
    site = make_site(prefix="x_")
    found = read(here(), {"docroot": str(site.docroot)})
    assert found == {
        "root": str(site.docroot),
        "core": str(site.docroot),
        "config": str(site.config),
        "version": "7.1.1",
        "locale": "en_US",
        "prefix": "x_",
        "database": {
            "name": site.database,
            "host": f"localhost:{site.hosting.mariadb.socket}",
            "user": site.user,
            "charset": "utf8mb4",
            "collate": "",
        },
        "constants": found["constants"],
        "literal": True,
        "content": str(site.content),
        "plugins": str(site.content / "plugins"),
        "multisite": False,
        "url": site.url,
        "forwarded": False,
        "object_cache": "",
        "problems": [],
    }
    assert site.password not in json.dumps(found)
    assert "AUTH_KEY" not in found["constants"]


def test_linked_docroot_with_its_configuration_above_and_content_elsewhere(
    make_site: MakeSite, here: Callable[[], Here]
) -> None:
    site = make_site(linked_docroot=True, config_above=True, content="assets", multisite=True)
    found = read(here(), {"docroot": str(site.docroot)})
    assert found["root"] == str(site.docroot.resolve())
    assert found["config"] == str(site.config)
    assert found["content"] == str(site.content)
    assert found["multisite"]
    assert found["url"] == site.url


def test_a_configuration_that_is_a_program_is_asked_by_php(make_site: MakeSite, here: Callable[[], Here]) -> None:
    site = make_site()
    text = site.config.read_text()
    secret = site.home / "secret.php"
    site.hosting.owner.write(secret, f"<?php return '{site.password}';")
    text = text.replace(f"'{site.password}'", "trim(require dirname(__DIR__) . '/secret.php')")
    text = text.replace("$table_prefix = 'wp_';", "foreach (['wp'] as $p) { $table_prefix = \"{$p}_\"; } echo 'noise';")
    site.hosting.owner.write(site.config, text)
    found = read(here(), {"docroot": str(site.docroot), "php": str(site.hosting.php.binary)})
    assert (found["literal"], found["prefix"], found["url"], found["problems"]) == (True, "wp_", site.url, [])
    assert site.password not in json.dumps(found)


def test_what_is_missing_is_said(make_site: MakeSite, here: Callable[[], Here]) -> None:
    site = make_site()
    asked = {"docroot": str(site.docroot)}
    site.sql("RENAME TABLE wp_options TO wp_options_gone")
    assert read(here(), asked)["problems"] == ["no_tables"]
    site.hosting.owner.write(site.config, site.config.read_text().replace(site.password, "wrong"))
    assert read(here(), asked)["problems"] == ["database"]
    site.config.unlink()
    assert read(here(), asked) == {"missing": "config"}
    (site.docroot / "wp-load.php").unlink()
    assert read(here(), asked) == {"missing": "wordpress"}
    assert read(here(), {"docroot": str(site.docroot / "no")}) == {"missing": "docroot"}


def test_core_in_a_folder_of_its_own(make_site: MakeSite, here: Callable[[], Here]) -> None:
    site = make_site()
    core = site.hosting.owner.make_folder(site.docroot / "core")
    for each in list(site.docroot.iterdir()):
        if each.name not in ("core", "wp-content"):
            each.rename(core / each.name)
    (site.docroot / "wp-content").rename(core / "wp-content")
    site.hosting.owner.write(site.docroot / "index.php", "<?php require __DIR__ . '/core/wp-blog-header.php';")
    found = read(here(), {"docroot": str(site.docroot)})
    assert (found["core"], found["root"], found["url"]) == (str(core), str(site.docroot), site.url)
    site.hosting.owner.write(site.docroot / "index.php", "<?php require __DIR__ . '/../../../wp-blog-header.php';")
    assert read(here(), {"docroot": str(site.docroot)}) == {"missing": "wordpress"}
