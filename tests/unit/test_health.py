"""Which alarms hold: total over any figures, and each kind exactly where its sentence says."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from steelyard.kit.instants import SECOND, Micros
from steelyard.routing.alarms import over, words
from steelyard.routing.health import RATE_KNOWN, Figures, Kind, Thresholds, judge

NOW = Micros(1_800_000_000 * SECOND)
WELL = Figures()

instants = st.none() | st.integers(0, 2 * NOW).map(Micros)
counts = st.integers(0, 10**6)
any_figures = st.builds(
    Figures,
    unhandled=counts,
    unhandled_since=instants,
    set_aside=counts,
    pending=counts,
    pending_since=instants,
    drift=st.none() | counts,
    refused_at=instants,
    rate_low_at=instants,
    heard=st.booleans(),
    weeks_known=st.integers(0, 4),
    weeks_heard=st.integers(0, 4),
)
any_thresholds = st.builds(
    Thresholds, waiting=st.integers(5, 86_400), drift=st.integers(1, 10**6), silence=st.integers(5, 1440)
)


def kinds(figures: Figures, thresholds: Thresholds | None = None) -> set[Kind]:
    return {alarm.kind for alarm in judge(figures, thresholds or Thresholds(), NOW)}


def ago(seconds: float) -> Micros:
    return Micros(NOW - int(seconds * SECOND))


@given(any_figures, any_thresholds, instants)
def test_any_figures_give_alarms_of_numbers_each_kind_once(
    figures: Figures, thresholds: Thresholds, now: Micros | None
) -> None:
    found = judge(figures, thresholds, now or NOW)
    assert [alarm.kind for alarm in found] == sorted({each.kind for each in found}, key=list(Kind).index)
    for alarm in found:
        assert all(type(value) is int and value >= 0 for value in alarm.figures.values())
        for language in ("en", "fr"):
            said = words(alarm.kind, alarm.figures, language)
            assert said.title
            assert said.means
            assert said.advice
            assert "%(" not in "".join(said)
            assert said.title in over(123.0, said.title, language)


@given(any_figures, any_thresholds)
def test_what_is_well_in_one_thing_does_not_hide_another(figures: Figures, thresholds: Thresholds) -> None:
    together = {alarm.kind for alarm in judge(figures, thresholds, NOW)}
    alone = [
        replace(WELL, unhandled=figures.unhandled, unhandled_since=figures.unhandled_since),
        replace(WELL, pending=figures.pending, pending_since=figures.pending_since),
        replace(WELL, set_aside=figures.set_aside),
        replace(WELL, drift=figures.drift),
        replace(WELL, refused_at=figures.refused_at),
        replace(WELL, rate_low_at=figures.rate_low_at),
        replace(WELL, heard=figures.heard, weeks_known=figures.weeks_known, weeks_heard=figures.weeks_heard),
    ]
    assert together == set().union(*({alarm.kind for alarm in judge(each, thresholds, NOW)} for each in alone))


def test_nothing_is_wrong_with_a_fresh_workspace() -> None:
    assert kinds(WELL) == set()


@given(st.integers(0, 4), st.integers(0, 4), st.booleans())
def test_silence_is_learnt_and_never_within_the_first_two_weeks(known: int, weeks: int, heard: bool) -> None:
    figures = replace(WELL, heard=heard, weeks_known=known, weeks_heard=min(known, weeks))
    assert (Kind.SILENCE in kinds(figures)) == (not heard and min(known, weeks) >= 2)


@given(st.integers(5, 86_400), st.integers(0, 100_000))
def test_waiting_is_an_alarm_from_the_threshold_on(threshold: int, waited: int) -> None:
    thresholds = Thresholds(waiting=threshold)
    wanted = waited >= threshold
    pending = replace(WELL, pending=1, pending_since=ago(waited))
    assert (Kind.UNDELIVERED in kinds(pending, thresholds)) == wanted
    unhandled = replace(WELL, unhandled=1, unhandled_since=ago(waited))
    assert (Kind.UNHANDLED in kinds(unhandled, thresholds)) == wanted


def test_drift_is_an_alarm_from_the_threshold_on() -> None:
    assert kinds(replace(WELL, drift=19)) == set()
    assert kinds(replace(WELL, drift=20)) == {Kind.DRIFT}


def test_a_window_that_was_nearly_full_counts_for_a_minute() -> None:
    assert kinds(replace(WELL, rate_low_at=ago(RATE_KNOWN - 1))) == {Kind.RATE_LOW}
    assert kinds(replace(WELL, rate_low_at=ago(RATE_KNOWN))) == set()


def test_a_refused_token_and_what_is_set_aside_are_alarms_at_once() -> None:
    assert kinds(replace(WELL, refused_at=NOW)) == {Kind.TOKEN_REFUSED}
    assert kinds(replace(WELL, set_aside=1)) == {Kind.SET_ASIDE}


def test_a_kind_of_a_newer_release_goes_by_its_code() -> None:
    assert words("of_tomorrow", {}, "fr").title == "of_tomorrow"
