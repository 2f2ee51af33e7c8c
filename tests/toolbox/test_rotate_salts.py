"""The salts of a real WordPress: made anew, everybody signed out, put back to the byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.toolbox.carrying import Carrying, asked_for, hints_of

from steelyard.demo.hosting import Hosting, Site
from steelyard.toolbox.catalog.rotate_salts.runbook import RUNBOOK
from steelyard.toolbox.hosted.here import Failed, Here
from steelyard.toolbox.hosted.salts import NAMES, _values, read, restore, rotate
from steelyard.toolbox.model import Refused

MakeHere = Callable[..., Here]
CONFIG = (
    "<?php\n"
    + "".join(f"define( '{name}', 'put your phrase here' );\n" for name in NAMES[:6])
    + (
        "/* define('NONCE_KEY', 'x'); */\n$table_prefix = 'wp_';\n/* That's all, stop editing! */\n"
        "require_once ABSPATH . 'wp-settings.php';\n"
    )
)


def written(tmp_path: Path, text: str = CONFIG) -> str:
    path = tmp_path / "wp-config.php"
    path.write_text(text, newline="")
    path.chmod(0o640)
    return str(path)


def values_in(text: str) -> dict[str, str]:
    return dict(re.findall(r"^define\( '(\w+(?:KEY|SALT))', '([^']*)' \);", text, re.MULTILINE))


def test_a_real_site_signs_everybody_out_and_back(hosting: Hosting, wordpress: Site) -> None:
    before = wordpress.config.read_bytes()
    carrying, asked = Carrying(hosting), asked_for(wordpress, hints_of(hosting), {})
    try:
        plan = carrying.plan(RUNBOOK, asked)
        carrying.carry_out(plan)
        assert carrying.prove(plan) == []
        after = wordpress.config.read_bytes()
        assert after != before
        assert wordpress.wp("config", "get", "AUTH_KEY").strip() not in before.decode()
        carrying.undo(RUNBOOK, asked, plan)
        assert wordpress.config.read_bytes() == before
        assert carrying.plan(RUNBOOK, asked).digest() == plan.digest()
    finally:
        carrying.stop()


def test_all_eight_are_new_and_nothing_else_changed(here: MakeHere, tmp_path: Path) -> None:
    config = written(tmp_path)
    one = here()
    assert read(one, {"config": config}) == {"set": list(NAMES[:6]), "missing": list(NAMES[6:]), "odd": [], "left": ""}
    rotate(one, {"config": config})
    text = Path(config).read_text()
    values = values_in(text)
    assert set(values) == set(NAMES)
    assert len(set(values.values())) == 8
    assert {len(each) for each in values.values()} == {64}
    assert "/* define('NONCE_KEY', 'x'); */" in text
    assert Path(config).stat().st_mode & 0o777 == 0o640
    assert read(one, {"config": config})["left"] == "rotated"


def test_after_a_kill_it_is_done_again_and_still_put_back_to_the_first(here: MakeHere, tmp_path: Path) -> None:
    config = written(tmp_path)
    one = here()
    rotate(one, {"config": config})
    rotate(one, {"config": config})
    assert restore(one, {"config": config}) == {"restored": True}
    assert Path(config).read_text() == CONFIG
    assert restore(one, {"config": config}) == {"restored": False}


def test_what_somebody_wrote_since_is_not_lost(here: MakeHere, tmp_path: Path) -> None:
    config = written(tmp_path)
    one = here()
    rotate(one, {"config": config})
    Path(config).write_text(Path(config).read_text() + "// mine\n")
    assert read(one, {"config": config})["left"] == "changed"
    with pytest.raises(Failed, match="somebody else"):
        restore(one, {"config": config})


@pytest.mark.parametrize("text", [CONFIG.replace("\n", "\r\n"), "\ufeff" + CONFIG])
def test_other_ends_of_lines_and_marks_stay(here: MakeHere, tmp_path: Path, text: str) -> None:
    config = written(tmp_path, text)
    one = here()
    rotate(one, {"config": config})
    assert len(values_in(Path(config).read_text())) == 8
    restore(one, {"config": config})
    assert Path(config).read_bytes() == text.encode()


def test_keys_that_come_from_elsewhere_are_refused(hosting: Hosting, wordpress: Site) -> None:
    text = wordpress.config.read_text()
    hosting.owner.write(wordpress.config, re.sub(r"define\( 'AUTH_KEY'.*", "define('AUTH_KEY', getenv('K'));", text))
    carrying = Carrying(hosting)
    try:
        with pytest.raises(Refused) as refused:
            carrying.plan(RUNBOOK, asked_for(wordpress, hints_of(hosting), {}))
    finally:
        carrying.stop()
    assert refused.value.code == "odd_config"


@given(st.text(max_size=200))
def test_whatever_stands_there_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with suppress(Failed):
        assert all(each.name in NAMES for each in _values("<?php " + text)[0])
