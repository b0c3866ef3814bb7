"""The simulated streams: rows and counts follow one law, and that is the one they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as witness
from stream_columns import COLUMNS, Categorical, Numeric
from streams import CHANGES, DAYS, REGIMES, START, Change, Stream

from driftline import Kind, stats

pytestmark = pytest.mark.system

NUMERIC = [column for column in COLUMNS if isinstance(column, Numeric)]
UNLIKELY = 1e-4
"""The seeds are fixed: what passes once, passes."""


@pytest.fixture(scope="module")
def both():
    """200 windows, each both ways, of a stream whose days differ."""
    stream = Stream("month_end", 300, seed=1)
    return stream, [(stream.profile_window(day), stream.window(day)) for day in range(200)]


def psi(reference, column):
    if column.kind is Kind.CATEGORICAL:
        names = list(reference.counts)
        return stats.psi_shift(
            *([side.counts.get(name, 0) for name in names] for side in (reference, column))
        ).raw
    cuts = stats.quantile_groups(reference.counts, 10)
    return stats.psi_shift(
        stats.group_counts(reference.counts, cuts), stats.group_counts(column.counts, cuts)
    ).raw


@pytest.mark.parametrize("name", [column.name for column in NUMERIC])
def test_numeric_windows_agree_in_law(both, name):
    """Mean, variance, extremes and PSI of windows made of rows and of counts have one law, and so
    have the pooled counts.
    """
    stream, windows = both
    reference = stream.reference.columns[name]
    rows, counts = ([pair[side].columns[name] for pair in windows] for side in (0, 1))
    for of in (
        lambda column: column.mean,
        lambda column: column.variance,
        lambda column: column.minimum,
        lambda column: column.maximum,
        lambda column: psi(reference, column),
        lambda column: column.quantile(0.9),
    ):
        assert (
            witness.ks_2samp(
                [of(column) for column in rows], [of(column) for column in counts]
            ).pvalue
            > UNLIKELY
        )
    cuts = stats.quantile_groups(reference.counts, 20)
    pooled = np.array(
        [sum(stats.group_counts(column.counts, cuts) for column in side) for side in (rows, counts)]
    )
    assert len(pooled[0]) > 5
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    assert witness.chi2_contingency(pooled).pvalue > UNLIKELY


@pytest.mark.parametrize(
    "name", [column.name for column in COLUMNS if isinstance(column, Categorical)]
)
def test_categorical_windows_agree_in_law(both, name):
    """PSI of windows made of rows and of counts has one law, and so have the pooled counts."""
    stream, windows = both
    reference = stream.reference.columns[name]
    rows, counts = ([pair[side].columns[name] for pair in windows] for side in (0, 1))
    found = [[psi(reference, column) for column in side] for side in (rows, counts)]
    assert witness.ks_2samp(*found).pvalue > UNLIKELY
    pooled = [
        [sum(column.counts.get(c, 0) for column in side) for c in reference.counts]
        for side in (rows, counts)
    ]
    assert witness.chi2_contingency(pooled).pvalue > UNLIKELY


def test_windows_are_made_alike(both):
    """Windows of counts have what profiled ones have: columns in order, their grids, times, rows,
    nulls as many as counted.
    """
    for row, count in both[1][:20]:
        assert list(row.columns) == list(count.columns)
        assert (row.rows, row.start, row.end, row.last_seen) == (
            count.rows,
            count.start,
            count.end,
            count.last_seen,
        )
        assert (row.first_event, row.last_event, list(row.summaries)) == (
            count.first_event, count.last_event, list(count.summaries),
        )  # fmt: skip
        for name, column in count.columns.items():
            assert column.rows == row.columns[name].rows == 300
            if column.kind is Kind.NUMERIC:
                np.testing.assert_array_equal(column.edges, row.columns[name].edges)
                assert column.counts.sum() == column.count
                held = np.flatnonzero(column.counts)
                padded = np.concatenate(([-np.inf], column.edges, [np.inf]))
                assert padded[(held[0] + 1) // 2] <= column.minimum <= padded[held[0] // 2 + 1]
                assert padded[(held[-1] + 1) // 2] <= column.maximum <= padded[held[-1] // 2 + 1]
            else:
                assert sum(column.counts.values()) == column.count
                assert list(column.counts.values()) == sorted(column.counts.values(), reverse=True)
    nulls = [sum(pair[side].columns["n04"].nulls for pair in both[1]) for side in (0, 1)]
    assert all(abs(n - 600) < 5 * np.sqrt(600) for n in nulls)


def test_a_million_rows():
    """Mean and variance of a large window are the law's, moved by what the day moves."""
    stream = Stream("wobble", 1_000_000, seed=2)
    for day in range(3):
        for place, column in enumerate(NUMERIC):
            found = stream.window(day).columns[column.name]
            mean = column.centre + column.scale * stream.shifts[day, place]
            variance = column.scale**2 + (1 / 12 if column.whole else 0.0)
            assert abs(found.mean - mean) < 5 * column.scale / 1000
            assert found.variance == pytest.approx(variance, rel=0.02)


def test_a_seed_decides_everything():
    """Equal seeds give equal windows in any order of asking; another seed other ones."""
    one, same, other = (Stream("t3", 500, seed) for seed in (7, 7, 8))
    for day in (300, 3):
        assert same.batch(day).equals(one.batch(day))
        assert not other.batch(day).equals(one.batch(day))
        for name, column in one.window(day).columns.items():
            again, else_ = same.window(day).columns[name], other.window(day).columns[name]
            assert str(again) == str(column) != str(else_)
    assert not one.batch(3).equals(one.batch(4))


def test_a_change_leaves_what_was_before():
    """Up to its day, a stream with a change is the stream without it."""
    plain, changed = (Stream("ar", 500, 4, change) for change in (None, CHANGES["shift 0.25 sd"]))
    assert plain.batch(199).equals(changed.batch(199))
    assert str(plain.window(199)) == str(changed.window(199))
    assert not plain.batch(200)["n00"].equals(changed.batch(200)["n00"])
    assert plain.batch(200)["n02"].equals(changed.batch(200)["n02"])


@pytest.mark.parametrize("way", ["profile_window", "window"])
def test_changes(way):
    """Each change does what it says, whichever way the window is made."""

    def after(name):
        stream = Stream("iid", 20_000, 5, CHANGES[name])
        return stream.reference.columns[CHANGES[name].column], getattr(stream, way)(200).columns[
            CHANGES[name].column
        ]

    for size in (0.1, 0.15, 0.25, 0.5):
        _, column = after(f"shift {size} sd")
        assert column.mean == pytest.approx(100 + 10 * size, abs=0.35)
    _, column = after("share +10 points")
    assert column.counts["c1_0"] / column.count == pytest.approx(0.5, abs=0.018)
    assert column.counts["c1_1"] / column.count == pytest.approx(0.25 * 0.5 / 0.6, abs=0.018)
    _, column = after("missing 1% to 4%")
    assert column.nulls / column.rows == pytest.approx(0.04, abs=0.007)
    was, column = after("unit x1000")
    assert column.mean == pytest.approx(50_000, rel=0.02)
    assert column.sd == pytest.approx(20_000, rel=0.05)
    assert column.counts[-1] == column.count
    was, column = after("frozen")
    assert (column.minimum, column.maximum, column.mean, column.variance) == (
        *[was.quantile(0.5)] * 3,
        0.0,
    )
    assert column.counts.max() == column.count == 20_000


def test_an_unknown_column_is_left_alone():
    """A change happens to its own column only."""
    plain = Stream("iid", 500, 1).batch(424)
    changed = Stream("iid", 500, 1, Change("unit", "n08", 1000)).batch(424)
    assert [name for name in plain.schema.names if not plain[name].equals(changed[name])] == ["n08"]


def test_regimes():
    """Each regime moves days as it says."""
    moved = {name: [Stream(name, 1, seed).shifts for seed in range(20)] for name in REGIMES}
    assert not np.any(moved["iid"])
    sd = {name: float(np.sqrt(np.mean(np.square(shifts)))) for name, shifts in moved.items()}
    assert sd["wobble"] == pytest.approx(0.05, rel=0.02)
    assert sd["ar"] == pytest.approx(0.05, rel=0.03)
    assert sd["t3"] == pytest.approx(0.05, rel=0.1)
    assert np.quantile(moved["t3"], 0.9999) > 0.2 > np.quantile(moved["wobble"], 0.9999)
    ar = np.stack(moved["ar"])
    assert np.mean(ar[:, 1:] * ar[:, :-1]) / np.mean(ar**2) == pytest.approx(0.5, abs=0.02)
    assert np.var(ar[:, 0]) == pytest.approx(0.0025, rel=0.15)
    assert abs(np.corrcoef(ar[:, :, 0].ravel(), ar[:, :, 1].ravel())[0, 1]) < 0.05
    added = {
        name: np.stack(moved[name]) - np.stack(moved["wobble"])
        for name in ("weekend", "month_end", "trend")
    }
    saturday, friday = 5, 4
    assert START.weekday() == 0
    assert added["weekend"][:, saturday] == pytest.approx(0.2)
    assert added["weekend"][:, friday] == pytest.approx(0, abs=1e-12)
    month_ends = np.flatnonzero(added["month_end"][0, :, 0] > 0.1).tolist()
    assert month_ends[:3] == [30, 59, 90]
    assert len(month_ends) == 14
    assert added["trend"][:, [0, 212, DAYS - 1], :].mean(axis=(0, 2)) == pytest.approx(
        [0, 0.1, 0.2]
    )
