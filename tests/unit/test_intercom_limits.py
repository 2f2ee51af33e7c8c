"""The rate limit's window: who may go, who waits and for how long."""

import asyncio
from email.utils import formatdate
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from steelyard.adapters.intercom.limits import WINDOW, Clock, Window

START = 1_800_000_000.0


class Time:
    def __init__(self) -> None:
        self.now = START
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 2))
        self.now += seconds


def headers(limit: object, remaining: object, reset: object) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(remaining),
        "x-ratelimit-reset": str(reset),
    }


async def called(window: Window, *learnt: dict[str, str]) -> None:
    await window.enter()
    for each in learnt:
        window.learn(each)
    window.leave()


async def test_nothing_waits_before_anything_is_known():
    time = Time()
    window = Window(time, time.sleep)
    for _ in range(100):
        await called(window, {})
    assert time.slept == []


async def test_an_exhausted_window_is_waited_out():
    time = Time()
    window = Window(time, time.sleep)
    await called(window, headers(1666, 0, START + 7))
    await called(window)
    assert time.slept == []  # a fraction is no header of Intercom's
    await called(window, headers(1666, 0, int(START) + 7))
    await called(window)
    assert time.slept == [7.05]


async def test_calls_in_flight_are_counted_against_what_remains():
    time = Time()
    window = Window(time, time.sleep)
    await window.enter()
    await window.enter()
    window.learn(headers(10, 2, int(START) + 5))  # one of the two may not have been counted yet
    await window.enter()
    assert time.slept == []
    await window.enter()
    assert time.slept == [5.05]


async def test_calls_still_in_flight_count_in_the_next_window():
    time = Time()
    window = Window(time, time.sleep)
    await called(window, headers(2, 1, int(START) + 5))
    await window.enter()  # and does not come back for long
    await window.enter()
    assert time.slept == [5.05]
    window.leave()
    await window.enter()
    assert time.slept == [5.05, 10.05]


async def test_a_late_answer_of_an_older_window_changes_nothing():
    time = Time()
    window = Window(time, time.sleep)
    await called(window, headers(10, 5, int(START) + 10), headers(10, 0, int(START)))
    await called(window)
    assert time.slept == []


async def test_a_late_answer_of_the_same_window_does_not_give_calls_back():
    time = Time()
    window = Window(time, time.sleep)
    await called(window, headers(10, 0, int(START) + 10), headers(10, 4, int(START) + 10))
    await called(window)
    assert time.slept == [10.05]


async def test_no_wait_is_longer_than_a_window_whatever_the_clocks_say():
    for skew in (-3600, 3600):
        time = Time()
        window = Window(time, time.sleep)
        await called(window, headers(10, 0, int(START) + skew))
        await called(window)
        assert sum(time.slept) <= WINDOW + 0.05


async def test_a_refusal_closes_the_window_until_its_end():
    time = Time()
    window = Window(time, time.sleep)
    await window.enter()
    window.learn(headers(10, 9, int(START) + 3))
    window.close()
    assert window.left == 3
    window.leave()
    await called(window)
    assert time.slept == [3.05]


async def test_a_refusal_without_headers_closes_ten_seconds_and_no_more():
    time = Time()
    window = Window(time, time.sleep)
    await window.enter()
    window.close()
    assert window.left == WINDOW
    window.leave()
    for _ in range(50):
        await called(window)
    assert time.slept == [WINDOW + 0.05]


async def test_a_clock_that_is_set_makes_nobody_wait_for_longer():
    for step in (-3600, 3600):
        time = Time()
        window = Window(time, time.sleep)
        await called(window, headers(10, 0, int(START) + 5))
        time.now += step
        await called(window)
        await called(window, headers(10, 0, int(START) + 15))
        await called(window)
        assert sum(time.slept) <= 2 * WINDOW + 0.1


# Intercom's clock


class Answered:
    """Ours is `wrong` by so many seconds; Intercom answers `after` seconds, with the date of when it was asked."""

    def __init__(self, wrong: float) -> None:
        self.true, self.wrong = START + 0.9, wrong
        self.clock = Clock(lambda: self.true - START, lambda: self.true + self.wrong)

    def answer(self, after: float = 0.0) -> None:
        asked, date = self.true - START, formatdate(self.true, usegmt=True)
        self.true += after
        self.clock.learn({"date": date}, asked)


def test_before_an_answer_came_our_own_clock_stands_in():
    answered = Answered(-3600)
    assert answered.clock() == answered.true - 3600
    answered.clock.learn({}, 0)
    answered.clock.learn({"date": "soon"}, 0)
    assert answered.clock() == answered.true - 3600


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 15)), min_size=1, max_size=20), st.integers(-9999, 9999))
def test_the_time_is_never_told_too_late_and_ever_better(calls: list[tuple[float, float]], wrong: int):
    answered = Answered(wrong)
    behind = inf
    for pause, after in calls:
        answered.true += pause
        answered.answer(after)
        assert -1e-6 <= answered.true - answered.clock() <= min(behind, after + 1) + 1e-6
        behind = answered.true - answered.clock()


def test_where_intercom_sets_its_clock_back_it_is_followed():
    clock = Clock(lambda: 7.0, lambda: 0.0)
    for told in (START, START - 3600, START):
        clock.learn({"date": formatdate(told, usegmt=True)}, 7.0)
        assert told <= clock() <= told + 1


VALUES = st.integers(-5, 2_000).map(str) | st.text(max_size=4) | st.just(str(int(START) + 8)) | st.just("9" * 30)


@given(st.lists(st.tuples(VALUES, VALUES, VALUES, st.booleans()), max_size=20))
def test_no_headers_make_it_wait_for_long_or_fail(answers: list[tuple[str, str, str, bool]]):
    time = Time()

    async def run() -> None:
        window = Window(time, time.sleep)
        for limit, remaining, reset, refused in answers:
            before = len(time.slept)
            entered = await window.enter()
            assert sum(time.slept[before:]) <= WINDOW + 0.05
            window.learn(headers(limit, remaining, reset))
            if refused:
                window.close()
                assert 0 < window.left <= WINDOW
            if entered:
                window.leave()

    asyncio.run(run())


async def test_what_can_wait_leaves_half_of_the_window_to_others():
    time = Time()
    window = Window(time, time.sleep)
    await window.leave_room()
    await called(window, headers(100, 51, int(START) + 10))
    await window.leave_room()
    assert time.slept == []
    await called(window, headers(100, 49, int(START) + 10))
    await window.leave_room()
    assert time.slept == [10.05]
    await window.leave_room()
    assert time.slept == [10.05]
