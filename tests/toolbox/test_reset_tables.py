"""Whose tables are whose, and which renames are still to be done. Pure."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steelyard.toolbox.hosted.tables import pending
from steelyard.toolbox.model import Token
from steelyard.toolbox.tools.tables import LONGEST, aside, fresh_names, moved, ours

TOKEN = Token("0a1b2c3d")
WHOLE = ("options", "posts", "terms", "users")
prefixes = st.text("abwp_", min_size=1, max_size=6)


def schema(names: list[str], **more: Any) -> dict[str, Any]:
    tables = [[name, "BASE TABLE", "InnoDB", 1, 10] for name in names]
    return {"lower": 0, "tables": tables, "triggers": [], "keys": [], "views": [], "events": [], "blogs": []} | more


@given(st.sets(prefixes, min_size=1, max_size=4), st.lists(st.text("abwp_x", min_size=1, max_size=12), max_size=6))
def test_no_table_belongs_to_two_installs(all_prefixes: set[str], more: list[str]) -> None:
    names = sorted({each + table for each in all_prefixes for table in WHOLE} | set(more))
    owned = [set(ours(schema(names), each).tables) for each in sorted(all_prefixes)]
    assert sum(map(len, owned)) == len(set().union(*owned))
    for prefix, mine in zip(sorted(all_prefixes), owned, strict=True):
        assert {prefix + table for table in WHOLE if prefix + table not in set().union(*owned) - mine} <= mine


@given(st.lists(st.text("abcż`_", min_size=1, max_size=70), unique=True))
def test_no_two_tables_get_one_name_and_none_is_too_long(names: list[str]) -> None:
    told = [aside(each, TOKEN, "o") for each in names]
    assert len(set(told)) == len(told)
    assert all(len(each) <= LONGEST for each in told)


@given(st.sets(st.sampled_from(WHOLE)), st.sets(st.sampled_from([*WHOLE, "orders"])), st.data())
def test_renames_end_the_same_from_wherever_they_stopped(fresh: set[str], old: set[str], data: st.DataObject) -> None:
    staged = [f"sy{TOKEN}n_{each}" for each in sorted(fresh)]
    live = [f"wp_{each}" for each in sorted(old)]
    renames = moved(live, TOKEN, "o") + fresh_names(staged, TOKEN, "wp_")
    there = set(staged) | set(live)
    wanted = apply(renames, there)
    stopped = apply(renames[: data.draw(st.integers(0, len(renames)))], there)
    assert apply(pending(renames, stopped), stopped) == wanted
    assert pending(renames, wanted) == []


def apply(renames: list[list[str]], there: set[str]) -> set[str]:
    now = set(there)
    for before, after in renames:
        assert before in now
        assert after not in now
        now = now - {before} | {after}
    return now


def test_names_fold_where_the_server_does() -> None:
    names = ["wp_options", "wp_posts", "wp_terms", "wp_two_options", "wp_two_posts", "wp_two_terms"]
    assert len(ours(schema(names, lower=1), "WP_").tables) == 3
    assert ours(schema(names), "WP_").tables == ()


def test_sites_of_a_network_belong_to_it_and_an_install_of_that_name_does_not() -> None:
    names = ["wp_options", "wp_posts", "wp_terms", "wp_2_options", "wp_2_posts", "wp_2_terms"]
    assert len(ours(schema(names, blogs=[1, 2]), "wp_").tables) == 6
    assert len(ours(schema(names), "wp_").tables) == 3
