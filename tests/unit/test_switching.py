"""Changes of the switch as codes, and what they do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.ids import TeamId
from steelyard.routing.model import NO_TEAM, Switch
from steelyard.routing.switching import Change, Verb, change_of, changed, code_of, switch_of

teams = st.integers(0, 10**15).map(TeamId)
switches = st.builds(
    Switch, st.none() | st.frozensets(teams, max_size=6).map(lambda each: tuple(sorted(each))), st.booleans()
)
changes = (
    st.builds(lambda verb, team: Change(verb, team), st.sampled_from([Verb.ON, Verb.SHADOW]), st.none() | teams)
    | st.sampled_from([Change(Verb.PAUSE), Change(Verb.RESUME)])
    | st.builds(lambda was, after: Change(Verb.BACK, was=was, after=after), switches, switches)
)


@given(changes)
def test_a_change_is_its_code(change: Change) -> None:
    assert change_of(change.code) == change


@given(switches)
def test_a_switch_is_its_code(switch: Switch) -> None:
    assert switch_of(code_of(switch)) == switch


@given(switches, changes, st.frozensets(teams, max_size=6))
def test_every_change_can_be_taken_back(switch: Switch, change: Change, known: frozenset[TeamId]) -> None:
    after = changed(switch, change, known)
    assert changed(after, Change(Verb.BACK, was=switch, after=after), known) == switch


@given(switches, switches, switches, st.frozensets(teams, max_size=6))
def test_what_was_changed_since_is_not_taken_back(
    was: Switch, after: Switch, now: Switch, known: frozenset[TeamId]
) -> None:
    wanted = was if now == after else now
    assert changed(now, Change(Verb.BACK, was=was, after=after), known) == wanted


@given(switches, st.none() | teams, st.frozensets(teams, max_size=6))
def test_one_team_changes_and_no_other(switch: Switch, team: TeamId | None, known: frozenset[TeamId]) -> None:
    running = switch._replace(paused=False)
    for verb, on in ((Verb.ON, True), (Verb.SHADOW, False)):
        after = changed(running, Change(verb, team), known)
        for each in {*known, NO_TEAM, *(running.routed or ())}:
            wanted = on if team in (None, each) else running.routes(each)
            assert after.routes(each) == wanted
        assert changed(after, Change(verb, team), known) == after


@given(switches)
def test_paused_no_team_is_on_and_resumed_the_same_ones_are(switch: Switch) -> None:
    paused = changed(switch, Change(Verb.PAUSE), ())
    assert not any(paused.routes(each) for each in (None, *(switch.routed or (TeamId(7),))))
    assert changed(paused, Change(Verb.RESUME), ()) == switch._replace(paused=False)


@pytest.mark.parametrize(
    "code",
    ["", "on", "pause ", "back", "back-", "back-7.", "back-7", "back-7-from-", "on--1", "on-1.5", "off-1", "on-all-x"],
)
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="no"):
        change_of(code)
