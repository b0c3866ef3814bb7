"""The distances of many columns at once are those of each column alone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from driftline import stats
from driftline.profiles.batch import Batch
from driftline.profiles.numeric import NumericCollector
from driftline.profiles.spec import NumericSpec, ProfileSpec

ROWS, WINDOW_ROWS = 4_000, 300
EDGES = {
    "normal": np.linspace(-2.5, 2.5, 101),
    "heavy": np.array([-30.0, -1.0, 0.0, 0.5, 1.0, 400.0]),
    "few": np.array([0.0, 1.0, 2.0]),
    "constant": np.array([7.0]),
    "moved": np.linspace(-3.0, 3.0, 12),
}


def draw(rng: np.random.Generator, name: str, rows: int, *, is_window: bool) -> np.ndarray:
    if name == "heavy":
        return rng.standard_cauchy(rows)
    if name == "few":
        return rng.integers(0, 3, rows).astype(float)
    if name == "constant":
        return np.full(rows, 7.0)
    return rng.normal(2.0 if is_window and name == "moved" else 0.0, 1.0, rows)


def sides_of(rows: int, *, is_window: bool) -> dict[str, stats.Side]:
    """The columns as a profile has them: with means and deviations of their widest cells."""
    rng = np.random.default_rng(11 + is_window)
    specs = {name: NumericSpec(edges=edges) for name, edges in EDGES.items()}
    collector = NumericCollector.zero(ProfileSpec(columns=specs))
    values = {name: pa.array(draw(rng, name, rows, is_window=is_window)) for name in EDGES}
    collector.update(Batch(rows=rows, columns=values, events=np.empty(0, np.int64)))
    return {name: column.side for name, column in collector.summary().items()}


@pytest.mark.parametrize(
    ("together", "alone"),
    [(stats.ks_shifts, stats.ks_shift), (stats.wasserstein_shifts, stats.wasserstein_shift)],
)
def test_distances_of_stacked_columns_are_those_of_each_column(together, alone):
    """To 1e-12: value, interval and p-value, whatever the number of edges."""
    ref, cur = sides_of(ROWS, is_window=False), sides_of(WINDOW_ROWS, is_window=True)
    shifts = together(
        stats.SideStack.of(list(ref.values())), stats.SideStack.of(list(cur.values()))
    )
    for name, shift in zip(EDGES, shifts, strict=True):
        expected = alone(ref[name], cur[name])
        assert shift.value == pytest.approx(expected.value, rel=1e-12, abs=1e-12), name
        assert shift.interval == pytest.approx(expected.interval, rel=1e-12, abs=1e-12), name
        assert (shift.p_value is None) is (expected.p_value is None), name
        assert (shift.p_value or 0.0) == pytest.approx(expected.p_value or 0.0, rel=1e-12), name
        assert shift.cells == expected.cells, name
    assert shifts[list(EDGES).index("moved")].value > 0.5


def test_a_stack_of_one_column_has_its_grid():
    """A stack has no more cells than its widest column."""
    side = sides_of(WINDOW_ROWS, is_window=False)["few"]
    stack = stats.SideStack.of([side])
    assert stack.edges.tolist() == [[0.0, 1.0, 2.0]]
    assert stack.cumulative.tolist() == [np.cumsum(side.counts).tolist()]
