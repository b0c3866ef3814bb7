"""Values that a writer rounded count as the values of the reference, where these are few."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from driftline.profiles.numeric import cells
from driftline.profiles.spec import grid

RNG = np.random.default_rng(8)
LEAVES = np.sort(1 / (1 + np.exp(-RNG.normal(size=6))))
FEW = {
    "prices": np.array([0.1, 0.99, 1.49, 2.95, 3.33, 4.2, 5.15, 7.7]),
    "scores of a tree": LEAVES,
    "rates": LEAVES / 10,
    "amounts": np.array([-98_765.4321, 12_345.678901, 1_234_567.891]),
    "a constant": np.array([1 / 3]),
    "values close together": 5 + np.arange(5) / 300,
}
WRITERS: dict[str, Callable[[float], float]] = {
    "32 bits": lambda value: float(np.float32(value)),
    "six digits": lambda value: float(f"{value:.6g}"),
    "six decimals": lambda value: float(f"{value:.6f}"),
    "seven digits": lambda value: float(f"{value:.7g}"),
}


def on_edges(reference: np.ndarray, values: np.ndarray) -> list[int]:
    """The rows that count as each value of the reference."""
    spec = grid(np.repeat(reference, 400))
    counts = cells(np.sort(values), spec)[1::2]
    return counts[np.searchsorted(spec.edges, reference)].tolist()


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", FEW)
def test_few_values_are_the_same_whatever_wrote_them(kind, writer):
    """Each rounded value counts as its own value of the reference."""
    values = np.array([WRITERS[writer](value) for value in FEW[kind]])
    assert on_edges(FEW[kind], np.repeat(values, 3)) == [3] * len(values)


@pytest.mark.parametrize("factor", [1.0002, 0.9998, 1.01, 2.0])
@pytest.mark.parametrize("value", [0.1, 1e-9, 12.5, 3e8])
def test_a_constant_that_really_changes_is_another_value(value, factor):
    """Two hundredths of a percent are no rounding, at any size."""
    assert on_edges(np.array([value]), np.array([value * factor])) == [0]


def test_small_values_differ_although_six_decimals_are_the_same():
    """1e-9 and 2e-9 are both 0.000000 with six decimals."""
    values = np.array([0.0, 1e-9, 2e-9, 5e-9])
    assert on_edges(values, np.array([0.0, 1.5e-9, 2e-9, 3e-9])) == [1, 0, 1, 0]


def test_dense_columns_are_counted_as_before():
    """Of 6,000 different values next to each other only those of 32 bits are taken together."""
    values = np.sort(RNG.normal(3, 1, 6_000))
    spec = grid(values)
    low, high = spec.bounds
    assert np.all(high - low <= 4.1e-7 * np.abs(spec.edges))
