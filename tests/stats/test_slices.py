"""The search for slices, and the split of a change by columns, on rows with a known cause."""

from __future__ import annotations

import numpy as np
import pytest

from driftline import stats
from driftline.stats.performance.drivers import DriverSegments, rank_segments
from driftline.stats.performance.slice_conditions import CodedColumn, make_conditions, mask_rows
from driftline.stats.performance.slice_tallies import SliceGrid
from driftline.stats.performance.slices import weak_slices, worse_slices


def draw_columns(rng, rows):
    return {
        "age": rng.normal(40, 10, rows).tolist(),
        "income": rng.lognormal(0, 1, rows).tolist(),
        "region": rng.choice(list("nswecxyzqr"), rows).tolist(),
        "plan": rng.choice(list("abc"), rows).tolist(),
        "visits": rng.poisson(2, rows).astype(float).tolist(),
    }


def draw_losses(rng, rates):
    return (rng.random(len(rates)) < rates).astype(float)


def planted_sample(seed, rows=5_000):
    """5% of the rows, by two conditions, are wrong in 35% instead of 15%."""
    rng = np.random.default_rng(seed)
    columns = draw_columns(rng, rows)
    bad = (np.array(columns["plan"]) == "a") & (np.array(columns["age"]) > 50.36)
    return stats.LossSample(columns, draw_losses(rng, np.where(bad, 0.35, 0.15)))


def count_hits(seeds):
    hits = 0
    for seed in seeds:
        slices = stats.find_weak_slices(planted_sample(seed))
        hits += bool(slices) and {c.column for c in slices[0].conditions} == {"plan", "age"}
    return hits


def count_null_runs_with_a_slice(seeds):
    count = 0
    for seed in seeds:
        rng = np.random.default_rng(1_000 + seed)
        sample = stats.LossSample(draw_columns(rng, 5_000), draw_losses(rng, np.full(5_000, 0.15)))
        count += bool(stats.find_weak_slices(sample))
    return count


def test_a_slice_of_two_conditions_is_found_in_most_runs():
    assert count_hits(range(8)) >= 7


@pytest.mark.slow
def test_a_slice_of_two_conditions_is_found_in_nine_of_ten_of_50_runs():
    assert count_hits(range(50)) >= 45


def test_no_slice_is_named_where_errors_depend_on_nothing():
    assert count_null_runs_with_a_slice(range(8)) <= 1


@pytest.mark.slow
def test_no_slice_is_named_in_19_of_20_null_runs():
    assert count_null_runs_with_a_slice(range(200)) <= 10


def test_a_change_of_all_rows_alike_is_not_one_of_a_slice():
    rng = np.random.default_rng(3)
    before = stats.LossSample(draw_columns(rng, 5_000), draw_losses(rng, np.full(5_000, 0.15)))
    now = stats.LossSample(draw_columns(rng, 3_000), draw_losses(rng, np.full(3_000, 0.30)))
    assert stats.find_worse_slices(before, now) == []


def test_a_slice_that_became_worse_is_named_with_its_share_and_both_losses():
    rng = np.random.default_rng(4)
    before = stats.LossSample(draw_columns(rng, 5_000), draw_losses(rng, np.full(5_000, 0.15)))
    columns = draw_columns(rng, 3_000)
    rates = np.where(np.array(columns["region"]) == "w", 0.4, 0.15)
    [worst] = stats.find_worse_slices(before, stats.LossSample(columns, draw_losses(rng, rates)))
    assert worst.text == "region = w"
    assert worst.share == pytest.approx(0.1, abs=0.02)
    assert worst.loss == pytest.approx(0.4, abs=0.08)
    assert worst.interval[0] < worst.gap < worst.interval[1]


def test_mean_errors_of_numbers_are_searched_too():
    rng = np.random.default_rng(5)
    columns = draw_columns(rng, 4_000)
    scale = np.where(np.array(columns["plan"]) == "c", 3.0, 1.0)
    sample = stats.LossSample(columns, np.abs(rng.normal(0, scale)))
    assert stats.find_weak_slices(sample)[0].text == "plan = c"


@pytest.mark.parametrize(
    "columns",
    [
        {"x": [None] * 300},
        {"x": [1.0] * 300},
        {"x": ["all"] * 300},
        {"x": [float("nan")] * 300},
        {},
    ],
)
def test_a_slice_of_all_rows_or_of_none_is_no_slice(columns):
    losses = np.ones(300)
    sample = stats.LossSample(columns, losses)
    assert stats.find_weak_slices(sample) == []
    assert stats.find_worse_slices(sample, sample) == []


def test_no_rows_give_no_slices_and_no_drivers():
    nothing = stats.LossSample({"x": []}, np.empty(0))
    assert stats.find_weak_slices(nothing) == []
    assert stats.rank_drivers(nothing, nothing) == []


def test_each_split_adds_up_to_the_change():
    rng = np.random.default_rng(6)
    before = stats.LossSample(draw_columns(rng, 2_000), draw_losses(rng, np.full(2_000, 0.15)))
    columns = draw_columns(rng, 1_500)
    columns["region"][:300] = ["new"] * 300
    columns["age"][5:50] = [None] * 45
    now = stats.LossSample(columns, draw_losses(rng, np.full(1_500, 0.2)))
    change = now.losses.mean() - before.losses.mean()
    for driver in stats.rank_drivers(before, now):
        assert driver.total == pytest.approx(change, abs=1e-9)
        assert driver.mix + driver.within == pytest.approx(change, abs=1e-9)


def test_the_column_whose_mix_changed_is_the_first_driver():
    rng = np.random.default_rng(7)
    columns, later = draw_columns(rng, 4_000), draw_columns(rng, 4_000)
    later["plan"] = rng.choice(list("abc"), 4_000, p=[0.7, 0.2, 0.1]).tolist()
    sides = [
        stats.LossSample(c, draw_losses(rng, np.where(np.array(c["plan"]) == "a", 0.4, 0.1)))
        for c in (columns, later)
    ]
    first = stats.rank_drivers(*sides)[0]
    assert first.column == "plan"
    assert first.mix > 0.8 * first.total


def test_values_of_a_column_with_texts_are_categories_by_their_text():
    column = CodedColumn(["b", None, 1, True, "1", "b", 1.0])
    assert column.names == {"b": 0, "1": 1, "True": 2, "1.0": 3}
    assert column.codes.tolist() == [0, -1, 1, 2, 1, 0, 3]


def test_numbers_and_missing_values_keep_their_places():
    column = CodedColumn([2, None, 0.5, False])
    assert column.names == {}
    assert column.is_missing.tolist() == [False, True, False, False]
    assert column.numbers[[0, 2, 3]].tolist() == [2.0, 0.5, 0.0]


def test_rows_and_errors_of_a_slice_are_those_of_its_rows():
    rng = np.random.default_rng(6)
    region = rng.choice(["north", "south", "west"], 6_000)
    errors = (rng.random(6_000) < np.where(region == "west", 0.4, 0.1)).astype(float)
    [worst] = stats.find_weak_slices(stats.LossSample({"region": region.tolist()}, errors), most=1)
    west = errors[region == "west"]
    assert (worst.text, worst.rows, worst.loss) == ("region = west", len(west), west.mean())
    assert worst.other_loss == errors[region != "west"].mean()


@pytest.mark.parametrize("is_number", [False, True])
def test_rows_counted_in_parts_give_the_slices_of_all_rows(is_number):
    rng = np.random.default_rng(8)
    before, now = draw_columns(rng, 4_000), draw_columns(rng, 3_000)
    grid = SliceGrid(make_conditions(before))
    losses = [draw_losses(rng, np.full(4_000, 0.15)), draw_losses(rng, np.full(3_000, 0.15))]
    losses[1][np.array(now["region"]) == "w"] = 1.0
    if is_number:
        losses = [side * rng.random(len(side)) for side in losses]
    parts = [
        grid.count(
            {name: values[a:b] for name, values in now.items()},
            losses[1][a:b],
        )
        for a, b in ((0, 700), (700, 701), (701, 3_000))
    ]
    whole = grid.count(now, losses[1])
    together = grid.total(parts)
    assert np.array_equal(together.rows, whole.rows)
    assert together.sums == pytest.approx(whole.sums, rel=1e-12)
    earlier = grid.count(before, losses[0])
    [worst] = worse_slices(grid, earlier, together, most=1)
    [same] = stats.find_worse_slices(
        stats.LossSample(before, losses[0]), stats.LossSample(now, losses[1]), most=1
    )
    assert worst.text == same.text == "region = w"
    assert worst.p_value == pytest.approx(same.p_value, rel=1e-9)


def test_a_slice_that_chance_explains_is_not_named_at_any_level():
    rng = np.random.default_rng(9)
    sides = [
        stats.LossSample(draw_columns(rng, rows), draw_losses(rng, np.full(rows, 0.15)))
        for rows in (5_000, 600)
    ]
    assert all(worst.p_value < 1 for worst in stats.find_worse_slices(*sides, level=1.0, most=99))


def test_categories_that_the_rows_before_lack_are_one_condition():
    before = {"plan": ["a", "b"] * 300}
    now = {"plan": ["a"] * 200 + ["c", "d"] * 50 + [None] * 10}
    grid = SliceGrid(make_conditions(before, with_new=True))
    losses = np.concatenate((np.zeros(200), np.ones(100), np.zeros(10)))
    worst = weak_slices(grid, grid.count(now, losses), mask_rows(now, grid.conditions).__getitem__)
    assert [(one.text, one.rows, one.loss) for one in worst] == [("plan is new or rare", 100, 1.0)]


def test_segments_counted_in_parts_give_the_drivers_of_all_rows():
    rng = np.random.default_rng(10)
    before, now = draw_columns(rng, 2_000), draw_columns(rng, 1_000)
    losses = draw_losses(rng, np.full(2_000, 0.1)), draw_losses(rng, np.full(1_000, 0.2))
    segments = DriverSegments(before)
    halves = [
        segments.count({name: values[part] for name, values in now.items()}, losses[1][part])
        for part in (slice(0, 400), slice(400, 1_000))
    ]
    ranked = rank_segments(segments, segments.count(before, losses[0]), halves[0] + halves[1])
    sides = stats.LossSample(before, losses[0]), stats.LossSample(now, losses[1])
    assert ranked == stats.rank_drivers(*sides)
