"""The evidence engine on series made by hand and by laws that are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.evaluate.evidence import outcome as window_outcome
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.baseline import Baseline
from driftline.evaluate.evidence.observation import Observation, Panel, StreamNumbers
from driftline.evaluate.evidence.trail import TRACE, Stream
from driftline.types.times import DAY_MICROS

pytestmark = pytest.mark.system

DAILY = AlarmPolicy(DAY_MICROS)
HISTORY = [10.2, 9.8, 10.5, 10.1, 9.9, 10.3, 10.0, 9.7, 10.4, 10.1, 9.6, 10.2]


def stream(name="s", version=""):
    return Stream(version, "", "drift", name, "{}")


def judge_window(trail, start, observations, policy):
    panel, numbers = Panel.of(observations), StreamNumbers.of(observations)
    return window_outcome.judge_window(trail, start, panel, numbers, policy)


def feed(policy, series, trail=None, first=0, **settings):
    """The outcomes of each window, by stream; `series` has shape (windows, streams)."""
    trail = trail if trail is not None else policy.make_trail()
    found = []
    for place, values in enumerate(np.atleast_2d(np.asarray(series, float).T).T):
        given_now = [
            Observation(stream=stream(f"s{j}"), level=value, size=value, **settings)
            for j, value in enumerate(values)
        ]
        found.append(judge_window(trail, (first + place) * policy.length, given_now, policy)[0])
    return found


def changed(outcomes, place=0):
    return [window for window, outcome in enumerate(outcomes) if outcome[place].is_changed]


def test_a_new_window_is_placed_among_those_of_the_baseline():
    """t, and the p-values within the baseline, are those of the published trace; beyond it the tail
    is that of index 3.
    """
    levels = np.array(HISTORY)[:, None]
    starts = np.arange(12, dtype=np.int64) * 7 * DAY_MICROS + 3 * DAY_MICROS
    base = Baseline.estimate(levels, levels, starts, 7 * DAY_MICROS)
    base = type(base)(
        **{**{name: getattr(base, name) for name in base.__slots__}, "memory": np.zeros(1)}
    )
    for y, t, up, down in (
        (10.3, 0.808046, 0.26923077, 0.73076923),
        (11.0, 3.232182, None, 0.96153846),
    ):
        seen = base.compare(
            int(starts[-1] + 7 * DAY_MICROS),
            np.array([y]),
            np.array([y]),
            np.array([np.nan]),
            np.zeros(1),
        )
        assert seen.deviation[0] == pytest.approx(t, abs=1e-6)
        assert seen.p_values[1, 0] == pytest.approx(down, abs=1e-8)
        assert seen.p_values[0, 0] == pytest.approx(
            up if up else (3.232182 / 1.786530) ** -3 / 13, rel=1e-5
        )


@pytest.mark.parametrize("method", ["shiryaev_roberts", "cusum"])
def test_a_lasting_shift_is_found_and_dated(method):
    """Four standard deviations, from day 80 on: found within a week, the begin known to two days,
    the size to a fifth.
    """
    draw = np.random.default_rng(3)
    series = draw.normal(0, 1, 110)
    series[80:] += 4
    outcomes = feed(DAILY, series, cusum=method == "cusum", tolerance=1.0)
    days = changed(outcomes)
    assert days
    assert 80 <= days[0] <= 86
    assert days == list(range(days[0], 110)), "it stays on"
    last = outcomes[-1][0]
    assert abs(last.since / DAY_MICROS - 80) <= 2
    assert last.effect == pytest.approx(4, rel=0.2)
    assert outcomes[days[0]][0].odds > 10


def test_a_change_names_the_series_that_moved_together_with_it():
    """Season and memory removed: of three series the one that copies another is named beside a
    change, and only then.
    """
    draw = np.random.default_rng(6)
    series = draw.normal(0, 1, (110, 3))
    series[:, 1] = 0.5 * draw.normal(0, 1, 110) - 2 * series[:, 0]
    series[80:, 0] += 4
    outcomes = feed(DAILY, series, tolerance=1.0)
    assert {outcome[0].correlated_streams for outcome in outcomes[:80]} == {()}
    assert outcomes[-1][0].is_changed
    assert outcomes[-1][0].correlated_streams == (stream("s1"),)


def test_a_change_ends_when_the_windows_are_as_they_were():
    """Two windows of the usual size end it; the windows in between never became usual."""
    draw = np.random.default_rng(4)
    series = draw.normal(0, 1, 140)
    series[80:110] += 8
    outcomes = feed(DAILY, series, tolerance=1.0)
    days = changed(outcomes)
    assert days[0] < 84
    assert days[-1] in (110, 111)
    assert abs(outcomes[-1][0].baseline_size) < 0.5
    assert outcomes[-1][0].sd < 1.5


def test_a_change_too_small_to_matter_is_none():
    """Ten standard deviations between windows, and half of what matters: nothing is said."""
    draw = np.random.default_rng(5)
    series = draw.normal(0, 0.01, 120)
    series[80:] += 0.1
    assert changed(feed(DAILY, series, tolerance=0.2)) == []
    assert changed(feed(DAILY, series, tolerance=0.05)) != []


def test_only_the_sides_that_are_watched_count():
    """A distance that falls is no alarm."""
    draw = np.random.default_rng(6)
    series = draw.normal(5, 0.1, 120)
    series[80:] -= 3
    assert changed(feed(DAILY, series, below=False)) == []
    assert changed(feed(DAILY, series)) != []


def test_a_week_that_is_always_so_is_no_change():
    """Weekends three standard deviations higher are usual; a Monday like a Saturday is not, for
    long.
    """
    draw = np.random.default_rng(7)
    weekend = np.array([(day + 3) % 7 >= 5 for day in range(200)])
    series = draw.normal(0, 1, 200) + 6 * weekend
    assert changed(feed(DAILY, series, tolerance=0.5)) == []
    series[150:] += 6 * ~weekend[150:]
    assert changed(feed(DAILY, series, tolerance=0.5))[0] <= 156


def test_the_streams_that_moved_are_named_and_no_other():
    """Of twenty streams the three that moved are changed, the others not."""
    draw = np.random.default_rng(8)
    series = draw.normal(0, 1, (100, 20))
    series[70:, [2, 5, 11]] += 7
    outcomes = feed(DAILY, series, tolerance=1.0)
    assert {place for place in range(20) if changed(outcomes, place)} == {2, 5, 11}


def test_a_flat_series_that_moves_is_found():
    """A baseline without any spread has that of the tolerance: a move within it is none, a large
    one is found at once.
    """
    series = np.zeros(80)
    series[60:] = 1.0
    days = changed(feed(DAILY, series, tolerance=0.5, least_sd=0.01))
    assert days[0] in (60, 61)
    assert changed(feed(DAILY, np.zeros(80), tolerance=0.5)) == []


def test_a_restart_goes_on_from_the_rows_that_were_kept():
    """A trail filled from its stored rows gives the same outcomes as one that was never put
    down.
    """
    draw = np.random.default_rng(9)
    series = draw.normal(0, 1, (90, 3))
    series[75:, 1] += 5
    whole = DAILY.make_trail()
    rows = []
    for day, values in enumerate(series):
        given_now = [
            Observation(stream=stream(f"s{j}"), level=value, size=value, tolerance=0.5)
            for j, value in enumerate(values)
        ]
        _, traces = judge_window(whole, day * DAY_MICROS, given_now, DAILY)
        rows += [
            (day * DAY_MICROS, one.stream, trace.tobytes())
            for one, trace in zip(given_now, traces, strict=True)
        ]
        if day in (40, 76, 78):
            again = DAILY.make_trail()
            again.restore(rows)
            whole = again
    together = feed(DAILY, series, tolerance=0.5)
    kept = np.frombuffer(b"".join(row for _, _, row in rows[-3:]), TRACE)
    assert (
        np.isfinite(kept["since"]).tolist()
        == [outcome.is_changed for outcome in together[-1]]
        == [False, True, False]
    )
    assert kept["odds"][1] == together[-1][1].odds


def test_a_window_that_is_judged_again_replaces_itself():
    """Late rows judge an old window again: its row is the new one, and those after it stay."""
    draw = np.random.default_rng(10)
    trail = DAILY.make_trail()
    series = draw.normal(0, 1, 60)
    feed(DAILY, series, trail)
    last = trail.newest_before(60 * DAY_MICROS, trail.columns_of([stream("s0")]))
    judge_window(
        trail, 50 * DAY_MICROS, [Observation(stream=stream("s0"), level=0.25, size=0.25)], DAILY
    )
    assert (
        trail.window_before(51 * DAY_MICROS, trail.columns_of([stream("s0")]))["level"][0] == 0.25
    )
    assert (
        trail.newest_before(60 * DAY_MICROS, trail.columns_of([stream("s0")])).tobytes()
        == last.tobytes()
    )


def test_a_new_model_version_begins_with_the_baseline_of_the_old_one():
    """A feature needs no new learning with a new version; what the model makes of it does."""
    draw = np.random.default_rng(11)
    for kin, windows in ((True, 60), (False, 0)):
        trail = DAILY.make_trail()
        feed(DAILY, draw.normal(0, 1, 75), trail)
        found = judge_window(
            trail,
            75 * DAY_MICROS,
            [Observation(stream=stream("s0", "v2"), level=0.0, size=0.0, shared_by_versions=kin)],
            DAILY,
        )[0]
        assert found[0].windows == (61 if kin else windows)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(st.floats(-1e12, 1e12), st.just(0.0), st.just(1.0), st.just(float("nan"))),
            min_size=2,
            max_size=2,
        ),
        min_size=1,
        max_size=60,
    )
)
def test_any_series_gives_numbers(rows):
    """Whatever the values, missing ones among them: no exception, and nothing that is no number."""
    for outcome in feed(AlarmPolicy(7 * DAY_MICROS), rows, tolerance=0.1):
        for one in outcome:
            assert np.isfinite(
                [one.effect, one.expected, one.sd, one.odds, one.recent_effect, one.p_value]
            ).all()


def test_hourly_windows_learn_for_two_weeks_and_daily_ones_for_four():
    """A weekday has to have been seen twice."""
    assert AlarmPolicy(DAY_MICROS // 24).min_windows == 14 * 24
    assert DAILY.min_windows == 28
    assert AlarmPolicy(7 * DAY_MICROS).min_windows == 20
    assert DAILY.alarm_threshold == pytest.approx(365.25)
    assert AlarmPolicy(DAY_MICROS // 24, 2.0).alarm_threshold == pytest.approx(365.25 / 2)
