"""40 shapes of a numeric column, before and after a move, and their windows through profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from driftline import Field, Kind, Schema, Window
from driftline.profiles.batch import Batch
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Profile
from driftline.profiles.spec import ProfileSpec

Rows = np.ndarray[Any, np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, int, bool], Any]
"""Draws rows of the reference (False) or of a window that moved (True)."""
N, M = 6000, 2000
SCHEMA = Schema(features={"x": Field("x", "x", Kind.NUMERIC)})


def with_outlier(rows: Rows, *values: float) -> Rows:
    rows[: len(values)] = values
    return rows


def clusters(rng: np.random.Generator, rows: int, *, apart: float) -> Rows:
    return rng.choice([0.0, apart], rows) + rng.normal(size=rows)


NUMERIC: dict[str, Draw] = {
    "normal": lambda r, n, moved: r.normal(0.3 * moved, 1, n),
    "normal, the same": lambda r, n, moved: r.normal(size=n),
    "wider": lambda r, n, moved: r.normal(0, 1 + moved, n),
    "uniform": lambda r, n, moved: r.uniform(0, 1 + 0.2 * moved, n),
    "exponential": lambda r, n, moved: r.exponential(1 + 0.3 * moved, n),
    "lognormal 1": lambda r, n, moved: r.lognormal(0.2 * moved, 1, n),
    "lognormal 3": lambda r, n, moved: r.lognormal(0.3 * moved, 3, n),
    "lognormal 3, the same": lambda r, n, moved: r.lognormal(0, 3, n),
    "Cauchy": lambda r, n, moved: r.standard_cauchy(n) + moved,
    "Cauchy, far away": lambda r, n, moved: r.standard_cauchy(n) + 300 * moved,
    "Pareto 0.8": lambda r, n, moved: r.pareto(0.8, n) * (1 + 0.2 * moved),
    "t with 2 degrees": lambda r, n, moved: r.standard_t(2, n) + 0.5 * moved,
    "one outlier before": lambda r, n, moved: with_outlier(
        r.normal(100 + 5 * moved, 10, n), *([] if moved else [1e6])
    ),
    "one outlier now": lambda r, n, moved: with_outlier(
        r.normal(100, 10, n), *([-1e7] if moved else [])
    ),
    "outliers on both sides": lambda r, n, moved: with_outlier(
        r.normal(100 + 5 * moved, 10, n), 1e6, -2e6, 1e9
    ),
    "an outlier of 1e15": lambda r, n, moved: with_outlier(r.normal(moved, 1, n), 1e15),
    "zero-inflated": lambda r, n, moved: np.where(
        r.random(n) < 0.6, 0.0, r.normal(1000 + 3 * moved, 1, n)
    ),
    "zeros that became ten": lambda r, n, moved: np.where(
        r.random(n) < 0.6, 10.0 * moved, r.normal(1000, 1, n)
    ),
    "two clusters": lambda r, n, moved: clusters(r, n, apart=1000 - 50 * moved),
    "rows in the gap": lambda r, n, moved: np.where(
        moved & (r.random(n) < 0.2), r.normal(30, 1, n), clusters(r, n, apart=1000)
    ),
    "two values": lambda r, n, moved: (r.random(n) < 0.3 + 0.1 * moved).astype(float),
    "shares instead of two values": lambda r, n, moved: (
        r.beta(0.5, 5, n) if moved else r.integers(0, 2, n).astype(float)
    ),
    "five values": lambda r, n, moved: r.integers(1, 6 + moved, n).astype(float),
    "Poisson": lambda r, n, moved: r.poisson(3 + 0.5 * moved, n).astype(float),
    "geometric": lambda r, n, moved: r.geometric(0.02 * (1 + 0.2 * moved), n).astype(float),
    "Zipf": lambda r, n, moved: np.minimum(r.zipf(1.7 + 0.1 * moved, n), 10**12).astype(float),
    "prices": lambda r, n, moved: np.round(r.lognormal(2 + 0.1 * moved, 0.7, n), 2),
    "32 bits now": lambda r, n, moved: (
        r.normal(3, 1, n).astype(np.float32).astype(float) if moved else r.normal(3, 1, n)
    ),
    "few values in 32 bits now": lambda r, n, moved: (
        r.choice([0.1, 0.7, 1 / 3], n).astype(np.float32 if moved else float).astype(float)
    ),
    "32 bits before": lambda r, n, moved: (
        r.choice([0.1, 0.7, 1 / 3], n).astype(float if moved else np.float32).astype(float)
    ),
    "integers beyond 2**53": lambda r, n, moved: (
        2.0**60 + 1024.0 * r.integers(0, 5000 + 500 * moved, n)
    ),
    "times in seconds": lambda r, n, moved: 1.7e9 + r.uniform(0, 86_400, n) + 3600.0 * moved,
    "size 1e-12": lambda r, n, moved: r.normal(1 + 0.3 * moved, 1, n) * 1e-12,
    "size 1e15": lambda r, n, moved: r.normal(1 + 0.3 * moved, 1, n) * 1e15,
    "far from 0": lambda r, n, moved: 1e9 + r.normal(0.3 * moved, 1, n),
    "constant": lambda r, n, moved: np.full(n, 0.1),
    "constant that moved": lambda r, n, moved: np.full(n, 0.1 + moved),
    "almost constant": lambda r, n, moved: np.where(r.random(n) < 0.995, 5.0, 6.0 + moved),
    "beyond the reference": lambda r, n, moved: r.normal(50 * moved, 1 + 9 * moved, n),
    "spikes on a curve": lambda r, n, moved: np.where(
        r.random(n) < 0.3, r.choice([0.0, 10.0], n), r.normal(5 + moved, 3, n)
    ),
}
REPRESENTATIVE = {"normal", "lognormal 3", "one outlier before", "rows in the gap", "prices"}


def batches(rows: Rows, pieces: int) -> list[Batch]:
    """The rows in so many parts of different sizes."""
    parts = np.split(
        rows, np.sort(np.random.default_rng(pieces).integers(0, len(rows), pieces - 1))
    )
    return [
        Batch(
            rows=len(part),
            columns={"x": pa.array(part, pa.float64())},
            invalid={},
            events=np.zeros(len(part), np.int64),
            hashes=np.arange(len(part), dtype=np.uint64),
        )
        for part in parts
    ]


def summary(rows: Rows, spec: ProfileSpec, pieces: int) -> Window:
    """The window of the rows: each part a profile of its own, stored, read back and merged."""
    total = Profile(spec, BUILT_IN)
    for batch in batches(rows, pieces):
        part = Profile(spec, BUILT_IN)
        part.update(batch)
        total.merge(Profile.from_bytes(part.to_bytes(), spec, BUILT_IN))
    return total.window()


def draw(shape: str) -> tuple[Rows, Rows]:
    """The rows of the reference and of the window."""
    rng = np.random.default_rng(sum(map(ord, shape)))
    was, now = (
        np.asarray(NUMERIC[shape](rng, n, moved), float) for n, moved in ((N, False), (M, True))
    )
    return was, now
