"""The rule `loss`: performance is judged by what windows say together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from loss_streams import DAY_MICROS, HOUR, START, JudgedStream, accuracy, is_night, run

from driftline import Measurement, loss
from driftline.contracts.rule import Rule
from driftline.evaluate.evidence.loss_evidence import Anchor, LossTerms, _add_to_first, log_ratio
from driftline.evaluate.evidence.loss_series import LOSS_TRACE
from driftline.evaluate.evidence.trail import FIRST_TRACE, TRACE
from driftline.types.phrasing import utc
from driftline.types.times import from_micros

pytestmark = pytest.mark.system


def lost(begin, end, size, usual=0.89):
    """The share of right rows, window by window, with a loss between two windows."""
    return lambda place: usual - size * (begin <= place < end)


@pytest.mark.parametrize("seed", range(4))
def test_a_lasting_loss_opens_once_and_ends_with_its_proof(seed):
    """Nine points for 45 days: told within four days, on until the accuracy is back, then `ok`."""
    stream = run(lost(15, 60, 0.09), 75, seed=seed)
    assert stream.openings == 1
    first = stream.is_on.index(True)
    assert 15 <= first < 19
    assert all(stream.is_on[first:60])
    assert not any(stream.is_on[70:])
    ended = max(place for place in range(75) if stream.is_on[place]) + 1
    assert ended >= 62, "three windows at least prove that it is over"
    assert stream.rows[ended].verdict == "ok"


@pytest.mark.parametrize("seed", range(4))
def test_small_losses_add_up(seed):
    """Five points, which no window of 500 rows proves alone, are told within 14 days."""
    stream = run(lost(15, 60, 0.05), 60, seed=seed)
    assert 15 <= stream.is_on.index(True) < 29
    assert stream.openings == 1
    row = stream.rows[59]
    since = round((row.since - START) / DAY_MICROS)
    assert abs(since - 15) <= 3
    assert row.measurement.detail["usual"] == pytest.approx(0.89, abs=0.015)
    assert row.measurement.detail["now"] == pytest.approx(0.84, abs=0.015)


def test_the_reason_says_what_was_compared():
    """It has the usual value, the mean since the begin, when that was, and the interval."""
    row = run(lost(15, 60, 0.09), 40, seed=1).rows[39]
    detail = row.measurement.detail
    assert f"since {utc(from_micros(row.since))}" in row.reason
    assert row.reason.startswith("0.891 in the reference, 0.80")
    assert detail["now_low"] < detail["now"] < detail["now_high"]
    assert detail["now"] == pytest.approx(0.80, abs=0.01)
    assert row.severity == "critical"


def test_nothing_is_told_while_nothing_changes():
    """A year of days of 500 rows that wobble by a point, and weekends that are three points worse:
    no window is changed.
    """
    for seed in range(3):
        wobble = np.random.default_rng(seed + 50).normal(0, 0.01, 365)
        stream = run(lambda place, wobble=wobble: 0.89 + wobble[place], 365, seed=seed)
        assert stream.openings == 0
        weekends = run(
            lambda place, wobble=wobble: 0.9 + wobble[place] / 2 - 0.03 * (place % 7 >= 5),
            365,
            seed=seed,
        )
        assert weekends.openings == 0


def test_hours_of_a_night_that_differs_are_not_a_loss():
    """Nights are ten points worse, in the reference they are mixed with days: no hour is changed,
    neither in the first weeks nor later.
    """
    stream = run(
        lambda place: 0.84 - 0.1 * is_night(place) + 0.0375,
        40 * 24,
        seed=3,
        rows=120,
        length=HOUR,
        reference=(2100, 2500),
    )
    assert not any(stream.is_on)


@pytest.mark.parametrize(("size", "rows"), [(0.27, 800), (0.2, 3000), (0.4, 100)])
def test_one_hour_of_a_broken_model_is_enough(size, rows):
    """A loss beyond `obvious` by many standard errors is critical in the first hour of the log."""
    stream = run(lost(0, 1, size), 1, seed=5, rows=rows, length=HOUR)
    assert stream.rows[0].verdict == "changed"
    assert stream.rows[0].severity == "critical"


@pytest.mark.parametrize(("size", "rows"), [(0.05, 3000), (0.15, 1_000_000), (0.2, 40)])
def test_one_hour_that_may_be_chance_or_a_night_is_not_enough(size, rows):
    """Few rows, or a difference that hours of a day have, do not raise an alarm in one hour."""
    stream = run(lost(0, 1, size), 1, seed=6, rows=rows, length=HOUR)
    assert stream.rows[0].verdict == "unsure"


@pytest.mark.slow
def test_hours_add_up_to_days():
    """Five points of 21 rows an hour are told within 14 days, with an hour of the begin near it."""
    begin = 20 * 24 + 9
    stream = run(lost(begin, 60 * 24, 0.07), 40 * 24, seed=4, rows=21, length=HOUR)
    assert not any(stream.is_on[:begin])
    first = stream.is_on.index(True)
    assert first < begin + 14 * 24
    assert stream.openings == 1
    assert abs((stream.rows[first].since - START) / HOUR - begin) < 4 * 24


@pytest.mark.parametrize(
    "hour", [2, *(pytest.param(hour, marks=pytest.mark.slow) for hour in (9, 17))]
)
def test_a_loss_begins_in_the_hour_that_shows_it(hour):
    """Thirty points less from one hour of a day on: `since` is that hour, not the begin of the day
    that is judged as a whole.
    """
    begin = 20 * 24 + hour
    stream = run(lost(begin, 60 * 24, 0.3), 23 * 24, seed=hour, rows=200, length=HOUR)
    assert abs((stream.rows[22 * 24].since - START) / HOUR - begin) <= 1


def test_a_loss_within_a_day_is_the_mean_of_the_hours_since_it_began():
    """The good hours of the day in which it began do not make it look smaller."""
    hour = 20 * 24 + 9
    stream = run(lost(hour, 10**6, 0.5), 21 * 24, length=HOUR, rows=500, seed=2)
    row = stream.rows[stream.is_on.index(True)]
    assert abs(row.since - (START + hour * HOUR)) <= HOUR
    assert row.measurement.detail["now"] == pytest.approx(0.39, abs=0.05)


@pytest.mark.parametrize("offset", [pytest.param(0.03, marks=pytest.mark.slow), 0.045])
def test_a_constant_offset_is_shown_and_never_adds_up(offset):
    """Windows that are as much worse than the reference from the first day on are no loss: the
    detail has the difference.
    """
    for seed in range(3):
        stream = run(lambda place: 0.89 - offset, 200, seed=seed, reference=(22_250, 25_000))
        assert stream.openings == 0
        shown = stream.rows[199].measurement.detail["offset"]
        assert shown == pytest.approx(-offset, abs=0.012)


def test_a_loss_after_a_constant_offset_is_found():
    """What is usual then is what the first windows showed, and the reason says so."""
    stream = run(lost(30, 90, 0.08, usual=0.84), 60, seed=2, reference=(22_250, 25_000))
    assert 30 <= stream.is_on.index(True) < 36
    assert "in the first windows" in stream.rows[59].reason


def test_a_loss_within_the_first_windows_is_found():
    """It does not hide in what is usual: from the sixth day on, and proven from the first."""
    assert 5 <= run(lost(5, 90, 0.08), 30, seed=1).is_on.index(True) < 12
    first = run(lost(0, 90, 0.15), 30, seed=1)
    assert first.is_on.index(True) == 1, "two blocks prove it"
    assert first.rows[1].since == START


def test_better_than_the_reference_is_no_change():
    """Coming back from better days to the reference is no loss."""
    stream = run(lambda place: 0.93 if place < 6 else 0.89, 40, seed=5)
    assert not any(stream.is_on)


def test_too_few_labels_never_end_a_loss():
    """Windows without labels leave it open, and say nothing about it."""
    stream = run(lost(15, 60, 0.09), 30, seed=1)
    nothing = Measurement(None, name="accuracy", reason="no labelled rows", rows=0)
    for place in range(30, 40):
        assert stream.window(place, nothing).verdict != "ok"
    rng = np.random.default_rng(1)
    assert stream.window(40, accuracy(rng, 0.8, 500)).verdict == "changed"


def test_a_restart_changes_nothing():
    """From what is stored the same evidence follows: verdicts, reasons, and what is stored."""
    begin, windows = 25, 70
    whole = run(lost(begin, 50, 0.06), windows, seed=6)
    rng, pieces = np.random.default_rng(6), JudgedStream()
    for place in range(windows):
        if place % 7 == 3:
            pieces.restart()
        pieces.window(place, accuracy(rng, lost(begin, 50, 0.06)(place), 500))
    assert [pieces.rows[place] for place in range(windows)] == [
        whole.rows[place] for place in range(windows)
    ]
    assert whole.openings == 1


def test_labels_that_come_late_give_the_same_evidence():
    """Windows first judged by a tenth of their labels, then restated by all of them."""
    whole = run(lost(15, 60, 0.08), 40, seed=7)
    late = JudgedStream()
    for place in range(40):
        full = whole.rows[place].measurement
        early = replace(full, rows=50, interval=(full.value - 0.1, min(1, full.value + 0.1)))
        late.window(place, early)
        if place >= 3:
            late.window(place - 3, replace(whole.rows[place - 3].measurement, detail={}))
    for place in range(37):
        assert late.rows[place].verdict == whole.rows[place].verdict
        assert late.rows[place].trace == whole.rows[place].trace


def test_a_loss_that_doubles_says_so():
    """Five points become fifteen: the judgement counts one doubling."""
    stream = run(lambda place: 0.89 - 0.05 * (place >= 15) - 0.1 * (place >= 40), 60, seed=8)
    doublings = [row.judgement.doublings for _, row in sorted(stream.rows.items())]
    assert max(doublings[:40]) == 0
    assert doublings[59] == 1
    assert stream.openings == 1


def test_errors_are_judged_on_the_log_scale():
    """An MAE that grows by a fifth is a loss; one that shrinks is none."""
    rule = Rule.model_validate({"loss": {"side": "above", "scale": "log", "margins": [0.1, 0.2]}})
    rng = np.random.default_rng(9)
    for factor, changes in ((1.2, True), (0.8, False)):
        stream = JudgedStream(rule=rule.loss)
        for place in range(60):
            value = 10.0 * (factor if place >= 20 else 1.0) * np.exp(rng.normal(0, 0.035))
            stream.window(
                place,
                Measurement(
                    value,
                    name="mae",
                    rows=500,
                    interval=(value * 0.933, value * 1.072),
                    was=10.0,
                    was_interval=(9.7, 10.3),
                ),
            )
        assert any(stream.is_on[20:30]) is changes
        assert not any(stream.is_on[:20])


def test_a_ratio_too_small_for_a_float_still_has_a_logarithm():
    """An error that falls from 1e150 to 1e-180 has a size on the log scale."""
    rule = loss(side="above", scale="log", margins=(0.1, 0.2, 0.4), obvious=0.2).loss
    assert rule is not None
    assert rule.size(1e-180, 1e150) == pytest.approx(-330 * np.log(10))


def test_a_gap_is_watched_on_both_sides():
    """Labels that become rarer or more frequent than the scores say are found alike."""
    rule = loss(side="both", warning=0.03, critical=0.1).loss
    for sign in (-1, 1):
        rng, stream = np.random.default_rng(10), JudgedStream(rule=rule)
        for place in range(50):
            gap = sign * 0.06 * (place >= 20) + rng.normal(0, 0.018)
            stream.window(
                place,
                Measurement(
                    gap,
                    name="gap",
                    rows=500,
                    interval=(gap - 0.035, gap + 0.035),
                    was=0.0,
                    was_interval=(-0.016, 0.016),
                ),
            )
        assert 20 <= stream.is_on.index(True) < 30
        assert stream.rows[49].measurement.detail["now"] == pytest.approx(sign * 0.06, abs=0.02)


def test_traces_of_both_rules_are_told_apart_by_their_length():
    """A stored trace is read by the rule that wrote it."""
    assert len({LOSS_TRACE.itemsize, TRACE.itemsize, FIRST_TRACE.itemsize}) == 3


@pytest.mark.parametrize("restarts", [False, True])
def test_a_reference_that_comes_later_is_the_origin_of_all_drops(restarts):
    """With the time before as reference the first window has none. It is no part of what is usual,
    also after a restart, and a window without reference that comes late is not judged.
    """
    rng, stream = np.random.default_rng(7), JudgedStream()
    first = accuracy(rng, 0.84, 280)
    stream.window(0, replace(first, was=None, was_interval=None))
    for place in range(1, 30):
        if restarts:
            stream.restart()
        stream.window(place, accuracy(rng, 0.84, 280, (941, 1120)))
    assert stream.openings == 0
    assert stream.rows[29].measurement.detail["usual"] == pytest.approx(0.84, abs=0.02)
    late = stream.window(0, replace(first, was=None, was_interval=None))
    assert late.trace is None


def test_a_rate_of_few_rows_has_no_better_usual_value_than_its_mean():
    """Windows of 50 rows with a high rate seem surer than those with a low one; the usual value
    is the plain mean of the first ones all the same.
    """
    first = (0.0, 0.0, 0)
    for drop, variance in ((0.1, 0.004), (-0.1, 0.001)) * 7:
        first = _add_to_first(first, drop, variance)
    total, precision, count = first
    assert count == 14
    assert total / precision == pytest.approx(0.0, abs=1e-12)
    assert 1 / precision == pytest.approx(0.0025 / 14)


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_windows_of_few_rows_that_are_all_wrong_by_chance_are_no_loss(rows):
    """A share of 0 in two rows has no room below and much above: its error is that above."""
    streams = [run(lambda _: 0.73, 40, seed=seed, rows=rows, length=HOUR, reference=(1752, 2400))
               for seed in range(15)]  # fmt: skip
    assert sum(stream.openings for stream in streams) == 0


def test_a_first_block_without_a_reference_is_no_evidence():
    """The usual value is not known at all: the ratio is 1, not NaN."""
    terms = LossTerms(
        margins=(0.02, 0.05), obvious=0.05, has_two_sides=True, threshold=1000.0, critical=0.1
    )
    assert not log_ratio(0.3, 0.001, Anchor(0.0, float("inf"), is_proven=False), terms).any()


@pytest.mark.parametrize("side", ["below", "both"])
def test_a_figure_near_zero_is_no_change_by_chance(side):
    """A margin of about 0 in days of 500 rows: a share of it is far less than chance makes of it.

    200 models in their first two weeks: at most 3 are told of a change.
    """
    rule = loss(side=side, scale="relative", margins=(0.05, 0.1, 0.2, 0.4), obvious=0.1).loss
    rng, opened = np.random.default_rng(3), 0
    for _ in range(200):
        stream, reference, error = JudgedStream(rule=rule, share=1), rng.normal(0.05, 0.03), 0.09
        for place in range(14):
            value = rng.normal(0.05, error)
            interval = (value - 1.96 * error, value + 1.96 * error)
            was_interval = (reference - 1.96 * 0.03, reference + 1.96 * 0.03)
            stream.window(
                place,
                Measurement(
                    value,
                    rows=500,
                    interval=interval,
                    was=reference,
                    was_interval=was_interval,
                ),
            )
        opened += stream.openings
    assert opened <= 3


@pytest.mark.parametrize(("seed", "sign"), [(8, -1.0), (9, 1.0)])
def test_a_usual_value_that_is_off_by_chance_is_no_change_in_a_year(seed, sign):
    """A small group: the reference and the first 14 days together lie two standard errors beside
    the later days. A year of such days adds up to no change.
    """
    rule = loss(side="both", margins=(0.03, 0.1), obvious=0.1).loss
    rng, stream, error = np.random.default_rng(seed), JudgedStream(rule=rule, share=6), 0.07
    offset = sign * 2.0 * error / np.sqrt(28)
    noise = rng.normal(0, error, 14)
    for place in range(350):
        value = noise[place] - noise.mean() if place < 14 else rng.normal(offset, error)
        interval = (value - 1.96 * error, value + 1.96 * error)
        stream.window(
            place,
            Measurement(
                value, rows=125, interval=interval, was=0.0, was_interval=(-0.0367, 0.0367)
            ),
        )
    assert stream.openings == 0


@pytest.mark.parametrize(
    ("size", "value"), [(-0.3, 0.0), (-0.05, 0.05), (0.95, 1.0)], ids=["below", "inside", "above"]
)
def test_the_value_of_a_rate_stays_within_its_limits(size, value):
    """A recall of 0.1 less 0.3 is 0, and no interval of a rate ends outside of 0 to 1."""
    rule = loss(warning=0.03, critical=0.05, limits=(0, 1)).loss
    assert rule.value(size, 0.1) == pytest.approx(value)
