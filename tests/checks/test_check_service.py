"""The volume and freshness checks: is the service alive, and as busy as it should be."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from driftline_plugins.checks.freshness import Freshness
from driftline_plugins.checks.volume import Volume
from profile_builder import HOUR, START, context, judged, pasts, severity

from driftline import CheckContext, Schema, Window
from driftline.kit.checks import PastValue

VOLUME, FRESHNESS = Volume(), Freshness()


DAY = timedelta(days=1)


def volume(rows, past, length=DAY):
    found = {
        m.name: m
        for m in VOLUME.evaluate(
            context(Window(rows=rows, start=START, end=START + length), None, past)
        )
    }
    return found["rows_ratio"]


def age(last_seen, check=FRESHNESS, rows=0):
    window = Window(rows=rows, start=START, end=START + HOUR, last_seen=last_seen)
    return {m.name: m for m in check.evaluate(context(window))}


def counts(seed, mean, k, n):
    return np.random.default_rng(seed).negative_binomial(k, k / (k + mean), n)


def test_the_rows_are_measured_from_the_first_window_on():
    """Rows have no rule, and are there so that history grows."""
    [rows, ratio] = VOLUME.evaluate(context(Window(rows=7, start=START, end=START + HOUR)))
    assert (rows.name, rows.value, rows.name in VOLUME.default_rules) == ("rows", 7, False)
    assert (ratio.value, ratio.reason) == (
        None,
        "14 more days are needed to know the rows of two weeks",
    )


def test_usual_traffic_is_not_changed():
    """Over 300 windows of traffic that varies by a fifth, none is called changed."""
    past = pasts(counts(1, 1_000, 25, 200))
    assert "changed" not in {
        judged(VOLUME, volume(int(rows), past)) for rows in counts(2, 1_000, 25, 300)
    }


def test_as_many_rows_as_ever_are_ok():
    """A steady service with its steady number of rows is ok."""
    assert judged(VOLUME, volume(1_000, pasts([990, 1_010, 1_000, 995, 1_005] * 4, DAY))) == "ok"


@pytest.mark.parametrize(
    "past", [[5, 7, 6, 4, 5, 8, 6, 5], [1_000, 1_100, 900, 1_000, 950, 1_050, 980, 1_000]]
)
def test_no_rows_where_rows_were_always_seen_is_a_change(past):
    """Silence is a change, however few rows were usual."""
    found = volume(0, pasts(past), HOUR)
    assert found.value == 0
    assert judged(VOLUME, found) == "changed"


def test_silence_that_is_usual_is_no_change():
    """A service with empty hours among its few rows is not called changed in the next empty
    hour.
    """
    assert judged(VOLUME, volume(0, pasts([2, 0, 3, 1, 0, 2, 4, 0, 2, 3]), HOUR)) == "unsure"
    some = pasts([2, 0, 3, 1, 0, 2, 4, 0, 2, 3] * 40)
    assert judged(VOLUME, volume(0, some, HOUR)) != "changed"
    assert (
        volume(0, pasts(([0] * 23 + [5]) * 20), HOUR).reason
        == "windows like this one used to be empty"
    )


@pytest.mark.parametrize(
    ("rows", "verdict"), [(200, "changed"), (2_400, "changed"), (1_100, "ok"), (700, "ok")]
)
def test_half_and_one_and_a_half_are_the_limits(rows, verdict):
    """Less than half, or more than one and a half, of steady traffic is a change."""
    assert judged(VOLUME, volume(rows, pasts([1_000, 1_030, 970, 1_010, 990] * 4, DAY))) == verdict


def test_a_day_is_known_before_hours_are_judged():
    """A model whose first hours are at night does not alarm when the day begins; but silence is
    told from the start.
    """
    night = pasts([600] * 12)
    assert "needed to know the rows of two weeks" in volume(1_000, night, HOUR).reason
    assert judged(VOLUME, volume(0, night, HOUR)) == "changed"


@pytest.mark.parametrize("rows", [100, 700, 2_000])
def test_until_two_weeks_are_known_only_silence_is_judged(rows):
    """Nothing is known of weekends, so few or many rows are unsure, and silence is a change."""
    past = pasts([500] * 150 + [1_000] * 150)
    assert volume(rows, past, HOUR).reason == "2 more days are needed to know the rows of two weeks"
    assert judged(VOLUME, volume(0, past, HOUR)) == "changed"


def test_the_night_is_compared_with_nights():
    """With a daily rhythm the same hour of other days is what is expected."""
    hours = [START - HOUR * (480 - n) for n in range(480)]
    busy = [100 if hour.hour in range(8, 20) else 10 for hour in hours]
    found = volume(100, pasts(busy), HOUR)
    assert found.detail["rows_expected"] == pytest.approx(100)
    night = Window(rows=10, start=START + 15 * HOUR, end=START + 16 * HOUR)
    [_, at_night] = VOLUME.evaluate(context(night, None, pasts(busy)))
    assert at_night.detail["rows_expected"] == pytest.approx(10)


def test_sundays_are_compared_with_sundays():
    """Once four weeks are known the same weekday counts."""
    daily = [1_000 if (START - timedelta(days=35 - n)).weekday() < 5 else 100 for n in range(35)]
    sunday = START + timedelta(days=6)
    past = pasts(daily, timedelta(days=1))
    [_, found] = VOLUME.evaluate(
        context(Window(rows=100, start=sunday, end=sunday + timedelta(days=1)), None, past)
    )
    assert found.value == pytest.approx(1)


def test_later_windows_are_no_expectation():
    """A revised old window is not compared with what came after it."""
    late = pasts([10] * 20, DAY)
    [_, found] = VOLUME.evaluate(
        context(Window(rows=10, start=START - 10 * DAY, end=START - 9 * DAY), None, late)
    )
    assert found.reason == "4 more days are needed to know the rows of two weeks"


def test_fresh_data_is_ok_and_old_data_is_critical():
    """Data is stale after two windows' length without any, or after the limit that was set."""
    fresh, old = age(START + HOUR / 2), age(START - 2 * HOUR)
    assert (fresh["age_seconds"].value, fresh["staleness"].value) == (1800, 0.25)
    assert judged(FRESHNESS, fresh["staleness"]) == "ok"
    assert severity(FRESHNESS, old["staleness"]) == "critical"
    assert (
        severity(FRESHNESS, age(START + HOUR / 2, Freshness(limit=600))["staleness"]) == "critical"
    )


def quiet_weekends(rate, night, weekend, weekend_night, seed, days=56):
    """Rows of each hour from a Monday on: 8 to 20 h and the rest, weekdays and weekends."""
    hours = np.arange(days * 24)
    is_day = (hours % 24 >= 8) & (hours % 24 < 20)
    means = np.where(
        hours // 24 % 7 >= 5,
        np.where(is_day, weekend, weekend_night),
        np.where(is_day, rate, night),
    )
    return np.random.default_rng(seed).poisson(means)


def stale_hours(counts, first, per_day=24):
    """Numbers of the windows from `first` on whose data is stale, with records in mid-window."""
    monday, length = datetime(2026, 8, 31, tzinfo=UTC), DAY / per_day
    past, last_seen, stale = [], None, []
    for number, rows in enumerate(counts):
        start = monday + number * length
        last_seen = start + length / 2 if rows else last_seen
        window = Window(rows=int(rows), start=start, end=start + length, last_seen=last_seen)
        if number >= first:
            ctx = CheckContext(
                current=window,
                reference=None,
                schema=Schema(),
                history=lambda name, labels=None, limit=100: past[-limit:],
            )
            found = {m.name: m for m in FRESHNESS.evaluate(ctx)}
            if judged(FRESHNESS, found["staleness"]) == "changed":
                stale.append(number)
        if last_seen is None:
            continue
        seconds = (start + length - last_seen).total_seconds()
        past.append(PastValue(start, value=seconds, rows=int(rows), verdict=""))
    return stale


@pytest.mark.parametrize(
    "shape",
    [(120, 4, 3, 0.5), (60, 0, 0, 0), (400, 12, 250, 0.2)],
    ids=["quiet weekends", "business hours only", "quiet nights of weekends"],
)
def test_silence_at_usual_hours_is_not_stale(shape):
    """After four weekends only an outage on a weekday is told, as soon as without quiet hours."""
    counts = quiet_weekends(*shape, seed=7)
    outage = 51 * 24 + 10
    counts[outage : outage + 4] = 0
    assert stale_hours(counts, 28 * 24) == [outage + 1, outage + 2, outage + 3]


@pytest.mark.parametrize(
    "shape",
    [(120, 4, 3, 0.5), (60, 0, 0, 0), (400, 12, 250, 0.2)],
    ids=["quiet weekends", "business hours only", "quiet nights of weekends"],
)
def test_nights_and_weekends_of_the_first_two_weeks_are_not_stale(shape):
    """Once a day is known, only an outage is told: in hours that had records before."""
    counts = quiet_weekends(*shape, seed=7, days=15)
    outage = 8 * 24 + 11
    counts[outage : outage + 4] = 0
    assert stale_hours(counts, 33) == [outage + 1, outage + 2, outage + 3]


def test_days_without_rows_at_each_weekend_are_not_stale():
    """Daily windows: closed at weekends; a week without rows is told on its Tuesday."""
    counts = np.array([100, 100, 100, 100, 100, 0, 0] * 8 + [0, 0])
    assert stale_hours(counts, 28, per_day=1) == [57]


def test_one_earlier_outage_does_not_make_silence_usual():
    """Three hours without rows a week ago; the same hours are silent again."""
    counts = np.full(40 * 24, 50)
    counts[30 * 24 + 9 : 30 * 24 + 12] = counts[37 * 24 + 9 : 37 * 24 + 12] = 0
    assert stale_hours(counts, 36 * 24) == [37 * 24 + 10, 37 * 24 + 11]


def test_a_model_that_never_had_data_says_so():
    """Without any data there is no age, and the reason is told."""
    assert {(m.value, m.reason) for m in age(None).values()} == {
        (None, "no data has ever been seen")
    }
