"""Constants of a wp-config.php are set and taken out as PHP reads it, and nothing else of it changes."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.toolbox.hosted.here import Failed
from steelyard.toolbox.hosted.wp_edit import put_in, take_out, tokens

PHP = shutil.which("php8.2")
RUN = "0a1b2c3d"
OURS = {"WP_REDIS_HOST": "it's \\ here", "WP_REDIS_PORT": 6379, "WP_REDIS_PASSWORD": ["me", "se'cret"], "ON": True}
CONFIG = """<?php
define( 'DB_NAME', 'shop' );
$table_prefix = 'wp_';
/* That's all, stop editing! Happy publishing. */
if ( ! defined( 'ABSPATH' ) ) { define( 'ABSPATH', __DIR__ . '/' ); }
require_once ABSPATH . 'wp-settings.php';
"""
SETTINGS = "require_once ABSPATH . 'wp-settings.php';"


def run_php(text: str) -> dict[str, object]:
    """What the constants are when PHP runs the text, and what it complained of."""
    if PHP is None:
        pytest.skip("php8.2-cli is missing")
    report = "echo json_encode([get_defined_constants(true)['user'] ?? [], error_get_last()]);"
    code = text.encode("latin-1").replace(SETTINGS.encode(), report.encode())
    done = subprocess.run([PHP, "-n", "-d", "display_errors=0"], input=code, capture_output=True, timeout=20)
    assert done.returncode == 0, (done.stdout, done.stderr, text)
    constants, error = json.loads(done.stdout[done.stdout.rindex(b"[{") if b"[{" in done.stdout else 0 :])
    return {**constants, "error": error}


def test_constants_stand_before_wordpress_is_loaded_and_go_without_a_trace() -> None:
    edited = put_in(CONFIG, RUN, OURS)
    found = run_php(edited)
    assert {name: found[name] for name in OURS} == OURS
    assert found["error"] is None
    assert edited.index("define( 'WP_REDIS_HOST'") < edited.index("/* That's all")
    assert take_out(edited, RUN) == CONFIG
    assert put_in(edited, RUN, OURS) == edited


ODD = [
    CONFIG.replace("\n", "\r\n"),
    "\ufeff".encode().decode("latin-1") + CONFIG,
    CONFIG.replace("/* That's all, stop editing! Happy publishing. */\n", ""),
    CONFIG.replace("$table", "// define( 'WP_REDIS_HOST', 'no' );\n# define('WP_REDIS_HOST', 'no')\n$table"),
    CONFIG.replace("$table", "$x = \"define( 'WP_REDIS_HOST', 'no' );\"; $y = 'require wp-settings.php;';\n$table"),
    CONFIG.replace("$table", "$x = <<<TEXT\nstop editing define('WP_REDIS_HOST', 'no');\nTEXT;\n$table"),
    CONFIG.replace("$table", "?>\n<?php $table"),
    CONFIG.replace("\n", "\n\n\n") + "?>\n\n",
    CONFIG.replace("require_once", "require_once /* here */"),
    CONFIG.replace("shop", "caf\u00e9 \u00ff".encode().decode("latin-1")),
]


@pytest.mark.parametrize("config", ODD)
def test_what_is_no_definition_stays(config: str) -> None:
    config = config.replace("require_once /* here */ ABSPATH", "require_once ABSPATH")
    edited = put_in(config, RUN, OURS)
    found = run_php(edited)
    assert (found["WP_REDIS_HOST"], found["error"]) == (OURS["WP_REDIS_HOST"], None)
    assert take_out(edited, RUN) == config
    assert ("\r\n" in config) == ("\r\n" in edited)
    assert (
        edited.count("\n") - edited.count("\r\n") == config.count("\n") - config.count("\r\n") or "\r\n" not in config
    )


DEFINED = [
    "define( 'WP_REDIS_HOST', 'old;)' );",
    'DEFINE /* x */ ( "WP_REDIS_HOST" , strtolower( "OLD" ) );',
    "if ( ! defined( 'WP_REDIS_HOST' ) ) { define( 'WP_REDIS_HOST', 'a' ); }\ndefine( 'WP_REDIS_PORT', 1 );",
    "defined( 'WP_REDIS_HOST' ) || define( 'WP_REDIS_HOST', 'x' );",
    "define( 'WP_REDIS_HOST', 'twice' );\n\\define( 'WP_REDIS_HOST', 'twice more' );",
    "const WP_REDIS_HOST = 'old';",
]


@pytest.mark.parametrize("line", DEFINED)
@pytest.mark.parametrize("after", [False, True])
def test_a_definition_of_the_same_name_gives_way_and_comes_back(line: str, after: bool) -> None:
    where = "require_once" if after else "$table"
    config = CONFIG.replace(where, line + "\n" + where)
    found = run_php(put_in(config, RUN, OURS))
    assert (found["WP_REDIS_HOST"], found["error"]) == (OURS["WP_REDIS_HOST"], None)
    before, back = run_php(config), run_php(take_out(put_in(config, RUN, OURS), RUN))
    assert back["WP_REDIS_HOST"] == before["WP_REDIS_HOST"]


@pytest.mark.parametrize(
    "config",
    [
        "",
        "no php at all: require_once ABSPATH . 'wp-settings.php';",
        CONFIG.replace(SETTINGS, "// " + SETTINGS),
        CONFIG.replace("/* That's all, stop editing! Happy publishing. */\n", "").replace(
            SETTINGS, "if ($x) " + SETTINGS
        ),
        CONFIG.replace("$table", "const A = 1, WP_REDIS_HOST = 'x', B = 2;\nconst WP_REDIS_HOST = 'x', C = 3;\n$table"),
        CONFIG.replace(SETTINGS, "if (true) { " + SETTINGS + " }").replace("stop editing", "go on"),
    ],
)
def test_where_no_place_is_sure_nothing_is_changed(config: str) -> None:
    with pytest.raises(Failed) as refused:
        put_in(config, RUN, OURS)
    assert refused.value.code == "odd_config"


pieces = st.sampled_from(
    [
        *("'", '"', "\\", "/*", "*/", "//", "#", "\n", "\r\n", "<?php", "?>", "(", ")", "{", "}", ";", " ", "$x"),
        *(
            "define('WP_REDIS_HOST', 1);",
            "stop editing",
            "wp-settings.php",
            "<<<A\n",
            "\nA;\n",
            "\u00ff",
            "#[",
            "const ",
        ),
    ]
)


@given(st.lists(pieces, max_size=12).map("".join), st.booleans())
@settings(deadline=None, max_examples=300)
def test_whatever_else_a_file_holds_it_comes_back_to_the_byte_unless_a_definition_gave_way(
    junk: str, late: bool
) -> None:
    config = CONFIG + junk if late else CONFIG.replace("$table", junk + "$table")
    try:
        edited = put_in(config, RUN, OURS)
    except Failed:
        return
    assert put_in(edited, RUN, OURS) == edited
    if "true" not in edited.replace("'ON', true", ""):
        assert take_out(edited, RUN) == config


statements = st.sampled_from(
    [
        *(
            "'a\\'b\\\\';",
            '"x{$y}z \\" \'";',
            '"{$a["b"]}";',
            "/* ' */",
            '// "\n',
            "# '\n",
            "?> it's <?php ",
            "a('b', \"c\");",
        ),
        *(
            "<<<A\nx'\nA;\n",
            "<<<'B'\n\"\nB;\n",
            "#[D]\n",
            "$x = 1.5e3;",
            "e\\f();",
            "// x ?> ' <?php ",
            "{ g; }",
            "/**/",
        ),
    ]
)


@given(st.lists(statements, max_size=8).map("".join))
@settings(deadline=None, max_examples=60)
def test_names_are_seen_where_php_sees_them(code: str) -> None:
    if PHP is None:
        pytest.skip("php8.2-cli is missing")
    text = "<?php " + code + "\nname_of_ours();"
    names = "[T_STRING, T_NAME_QUALIFIED, T_NAME_FULLY_QUALIFIED]"
    look = (
        "foreach (token_get_all(stream_get_contents(STDIN)) as $t)"
        f" is_array($t) && in_array($t[0], {names}) && print($t[1] . ' ');"
    )
    argv = [PHP, "-n", "-d", "extension=tokenizer", "-r", look]
    done = subprocess.run(argv, input=text.encode("latin-1"), capture_output=True, timeout=20, check=True)
    assert [each.text for each in tokens(text) if each.kind == "name"] == done.stdout.decode("latin-1").split()
