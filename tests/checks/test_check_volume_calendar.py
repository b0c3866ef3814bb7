"""What the calendar and growth do to the rows of a window is usual; an outage is not."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from counted_rows import changed, measured
from driftline_plugins.checks.volume import Volume

JANUARY, HOUR, DAY = datetime(2025, 1, 1, tzinfo=UTC), timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 8, 31, tzinfo=UTC)
SECOND_MONTH_END = JANUARY + 62 * DAY


def dates(days):
    return [JANUARY.date() + timedelta(days=number) for number in range(days)]


def daily(means, seed=15, wobble=0.0):
    rng = np.random.default_rng(seed)
    return rng.poisson(np.asarray(means) * np.exp(rng.normal(0, wobble, len(means))))


def late_alarms(counts, check=None):
    found = measured(check or Volume(), counts, JANUARY, DAY)
    return [at for at in changed(found) if at >= SECOND_MONTH_END]


@pytest.mark.parametrize(
    ("is_busy", "factor"),
    [
        (lambda day: day.day <= 3, 1.8),
        (lambda day: day.day in (15, 16), 2.5),
        (lambda day: (day + timedelta(days=1)).day == 1, 0.35),
    ],
    ids=["billing on days 1 to 3", "salaries on days 15 and 16", "closed on the last day"],
)
def test_a_day_of_the_month_is_usual_after_two_months(is_busy, factor):
    """Rows that differ on the same days of each month are told in two months at most."""
    counts = daily([800 * (factor if is_busy(day) else 1) for day in dates(270)])
    assert late_alarms(counts) == []


def test_a_loss_on_a_busy_day_of_the_month_is_a_change():
    """The usual number of rows is too few for a day that had 2.5 times of it each month."""
    counts = daily([800 * (2.5 if day.day == 15 else 1) for day in dates(150)])
    at = [day.isoformat() for day in dates(150)].index("2025-05-15")
    counts[at] = 800
    assert late_alarms(counts) == [JANUARY + at * DAY]


@pytest.mark.parametrize(
    ("doubling", "rate", "days"),
    [(182, 400, 365), (45, 300, 120), (-90, 3000, 200)],
    ids=["doubles in six months", "doubles in 45 days", "halves in 90 days"],
)
def test_growth_is_no_change_and_no_lack_of_data(doubling, rate, days):
    """Rows that grow or shrink steadily are ok in each window after two weeks."""
    times = np.arange(days)
    weekend = np.where((times + 2) % 7 >= 5, 0.6, 1)
    counts = daily(rate * 2 ** (times / doubling) * weekend, seed=4, wobble=0.05)
    found = measured(Volume(), counts, JANUARY, DAY)
    assert {verdict for _, verdict, _ in found[15:]} == {"ok"}


def weeks(busy, night, weekend, weekend_night, seed=15, days=56):
    """Hourly rows: 08 to 20 h and the rest, from Monday to Friday and at weekends."""
    hours = np.arange(days * 24)
    is_day = (hours % 24 >= 8) & (hours % 24 < 20)
    is_weekend = hours // 24 % 7 >= 5
    means = np.where(
        is_weekend, np.where(is_day, weekend, weekend_night), np.where(is_day, busy, night)
    )
    return np.random.default_rng(seed).poisson(means)


@pytest.mark.parametrize(
    "shape",
    [
        (120, 4, 3, 0.5),
        pytest.param((60, 0, 0, 0), marks=pytest.mark.slow),
        pytest.param((400, 12, 250, 6), marks=pytest.mark.slow),
    ],
    ids=["quiet weekends", "business hours only", "busy weekends"],
)
def test_quiet_hours_are_usual_and_an_outage_is_told(shape):
    """After four weekends nothing is told but the hours without rows that others had."""
    counts = weeks(*shape)
    outage = MONDAY + 51 * DAY + 9 * HOUR
    begin = round((outage - MONDAY) / HOUR)
    counts[begin : begin + 3] = 0
    found = measured(Volume(), counts, MONDAY, HOUR, first=45 * 24)
    assert changed(found) == [outage, outage + HOUR, outage + 2 * HOUR]


@pytest.mark.parametrize(
    ("rate", "hours", "seed"), [(90, 5, 1), (90, 5, 7), (12, 8, 3), (300, 3, 4)]
)
def test_an_outage_that_is_over_is_not_told_again(rate, hours, seed):
    """The hours after an outage are usual, although those before them were empty."""
    counts = np.random.default_rng(seed).poisson(rate, 30 * 24)
    begin = 24 * 24 + 11
    counts[begin : begin + hours] = 0
    # The second hour after it has few rows by chance.
    counts[begin + hours + 1] = round(0.7 * rate)
    found = measured(Volume(), counts, MONDAY, HOUR, first=20 * 24)
    told = [round((at - MONDAY) / HOUR) for at in changed(found)]
    assert told[-1] == begin + hours - 1


@pytest.mark.parametrize("shape", [(120, 4, 3, 0.5), (300, 30, 5, 1), (50, 50, 2, 2)])
def test_the_first_weekend_is_no_outage(shape):
    """An hour without rows on the first Sunday is usual: Saturday had few as well."""
    counts = weeks(*shape, days=9)
    found = measured(Volume(), counts, MONDAY, HOUR)
    assert changed(found) == []


@pytest.mark.parametrize(("rate", "at"), [(40, 60), (200, 30), (25, 200)])
def test_an_outage_of_the_first_days_ends_with_the_rows(rate, at):
    """Three hours without rows are told before two weeks are known, and over in the next one."""
    counts = np.random.default_rng(5).poisson(rate, 300)
    counts[at : at + 3] = 0
    found = measured(Volume(), counts, MONDAY, HOUR)
    verdicts = {round((start - MONDAY) / HOUR): verdict for start, verdict, _ in found}
    assert [hour for hour, verdict in verdicts.items() if verdict == "changed"] == [
        at,
        at + 1,
        at + 2,
    ]
    assert verdicts[at + 3] == "ok"


@pytest.mark.parametrize("seed", [6, 7, 8])
def test_enough_rows_are_no_lack_of_data_after_days_that_differ(seed):
    """Five days of 30% make the days of the month before differ, yet 1,000 rows are enough."""
    counts = daily(np.full(120, 1000), seed=seed, wobble=0.05)
    counts[[38, 45, 47, 59, 80]] = 310
    found = measured(Volume(), counts, JANUARY, DAY)
    week = [verdict for at, verdict, _ in found if at >= JANUARY + 81 * DAY]
    assert "changed" not in week
    assert all("ok" in week[at : at + 2] for at in range(len(week) - 1))


@pytest.mark.parametrize(("first", "days"), [(10, 2), (50, 3), (17, 1), (3, 4)])
def test_the_day_of_an_outage_is_expected_to_have_rows_again(first, days):
    """Neither the next weekday nor the same day of the next months is expected to be empty."""
    counts = daily(np.full(130, 200), seed=29)
    counts[first : first + days] = 0
    found = measured(Volume(), counts, JANUARY, DAY)
    assert [at for at in changed(found) if at >= JANUARY + (first + days) * DAY] == []


def test_a_business_that_closes_on_days_of_the_week_and_month_is_usual():
    """No rows on Sundays, nor on the first of a month, are usual after two months."""
    closed = np.array([day.weekday() == 6 or day.day == 1 for day in dates(200)])
    assert late_alarms(daily(np.where(closed, 0, 300))) == []


def test_few_rows_are_told_over_several_windows():
    """Of five rows an hour a third is left: no hour shows it alone, a day does."""
    counts = np.random.default_rng(2).poisson(5, 30 * 24)
    counts[28 * 24 :] = np.random.default_rng(3).poisson(1, 2 * 24)
    found = measured(Volume(), counts, MONDAY, HOUR, first=26 * 24)
    told = changed(found)
    assert told
    assert told[0] >= MONDAY + 28 * DAY
    item = next(item for at, _, item in found if at == told[0])
    assert 1 < item.detail["windows"] <= 24
    assert item.detail["rows_expected"] == pytest.approx(5 * item.detail["windows"], rel=0.2)


HOLIDAYS = [date(2025, 1, 6), date(2025, 4, 18), date(2025, 4, 21), date(2025, 5, 1)]


def holiday_counts():
    return daily([1000 * (0.3 if day in HOLIDAYS else 1) for day in dates(140)], wobble=0.05)


def test_listed_holidays_are_usual():
    """A holiday is not judged before two others are known, then it is ok."""
    found = measured(Volume(holidays=HOLIDAYS), holiday_counts(), JANUARY, DAY)
    by_day = {at.date(): (verdict, item) for at, verdict, item in found}
    assert changed(found) == []
    assert by_day[HOLIDAYS[1]][1].reason == (
        "a holiday: the rows of two earlier holidays are not known yet"
    )
    assert by_day[HOLIDAYS[3]][0] == "ok"


def test_a_loss_on_a_known_holiday_is_a_change():
    """No rows on a holiday are told once two holidays with rows are known."""
    counts = holiday_counts()
    counts[dates(140).index(HOLIDAYS[3])] = 0
    found = measured(Volume(holidays=HOLIDAYS), counts, JANUARY, DAY)
    assert [at.date() for at in changed(found)] == [HOLIDAYS[3]]


def test_the_holidays_of_a_country_come_from_its_calendar():
    """Good Friday and Easter Monday are holidays of Germany."""
    pytest.importorskip("holidays")
    assert changed(measured(Volume(country="DE-BY"), holiday_counts(), JANUARY, DAY)) == []


def test_a_zone_that_does_not_exist_is_an_error():
    """The options are checked when the configuration is read."""
    with pytest.raises(ValueError, match="there is no zone 'Mars/Olympus'"):
        Volume(timezone="Mars/Olympus")


def test_days_of_the_month_count_for_windows_of_hours():
    """The sums of days are kept longer than the hours, so that five months are known."""
    means = [200 * (1.8 if day.day <= 3 else 1) for day in dates(150) for _ in range(4)]
    found = measured(Volume(), daily(means), JANUARY, 6 * HOUR)
    assert [at for at in changed(found) if at >= SECOND_MONTH_END] == []
    in_may = next(item for at, _, item in found if at == JANUARY + 121 * DAY)
    assert in_may.detail["rows_expected"] == pytest.approx(360, rel=0.1)


@pytest.mark.parametrize("length", [7 * DAY, 3 * DAY], ids=["weeks", "three days"])
def test_windows_longer_than_a_day_are_forecast_from_those_before(length):
    """A year of 280 rows a window is ok; a window of 40 rows is a change."""
    counts = np.random.default_rng(4).poisson(280, 60)
    counts[50] = 40
    assert changed(measured(Volume(), counts, MONDAY, length)) == [MONDAY + 50 * length]
