"""The columns of the simulated streams: laws that give a day's rows, or its counts on the
reference's grid without the rows.

Both ways follow one law: counts are multinomial with the law's own cell probabilities. Of a numeric
column's values those in open cells are drawn (beyond the outermost two edges on either side;
between whole numbers); the others count with the mean and the variance of their cell. Less than
0.0003 of the variance lies within such cells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from driftline import CategoricalColumn, NumericColumn
from driftline.profiles.numeric import cells
from driftline.profiles.spec import NumericSpec

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)


@dataclass(frozen=True)
class Law:
    """A law with mean 0 and standard deviation 1: its distribution function and the inverse."""

    cdf: Function
    ppf: Function


def _lognormal(sigma: float) -> Law:
    mean, sd = np.exp(sigma**2 / 2), np.exp(sigma**2 / 2) * np.sqrt(np.expm1(sigma**2))

    def cdf(z: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            return special.ndtr(np.log(np.maximum(mean + sd * z, 0)) / sigma)

    return Law(cdf, lambda u: (np.exp(sigma * special.ndtri(u)) - mean) / sd)


def _erlang(shape: int) -> Law:
    """The gamma law of a whole shape, whose distribution function is a sum of a few terms."""
    root = np.sqrt(shape)

    def cdf(z: Floats) -> Floats:
        x = np.maximum(shape + root * z, 0)
        term = total = np.exp(-x)
        for k in range(1, shape):
            term = term * x / k
            total = total + term
        return 1 - total

    return Law(cdf, lambda u: (special.gammaincinv(shape, u) - shape) / root)


NORMAL = Law(special.ndtr, special.ndtri)
LOGNORMAL = _lognormal(0.5)
ERLANG = _erlang(4)
UNIFORM = Law(lambda z: np.clip(0.5 + z / np.sqrt(12), 0, 1), lambda u: (u - 0.5) * np.sqrt(12))


@dataclass(frozen=True)
class Numeric:
    """A numeric column: centre + scale·(Z + shift), Z of the law; whole numbers are these,
    rounded.
    """

    name: str
    law: Law
    centre: float
    scale: float
    whole: bool = False
    missing: float = 0.0

    def values(self, rows: int, shift: float, rng: np.random.Generator) -> Floats:
        """Shape (rows,)."""
        values = self.centre + self.scale * (self.law.ppf(rng.random(rows)) + shift)
        return np.rint(values) if self.whole else values

    def cdf(self, bounds: Floats, shift: float) -> Floats:
        """The share of values at or below each bound, before rounding."""
        return self.law.cdf((bounds - self.centre) / self.scale - shift)

    def ppf(self, u: Floats, shift: float) -> Floats:
        """The inverse of `cdf`, rounded where the column is."""
        values = self.centre + self.scale * (self.law.ppf(u) + shift)
        return np.rint(values) if self.whole else values


class Cells:
    """The cells of a numeric column on a grid, and what the values in each are on average."""

    def __init__(self, column: Numeric, edges: Floats) -> None:
        self.column, self.edges = column, edges
        # No whole number falls on an edge with a fraction.
        around = np.column_stack((np.ceil(edges) - 0.5, np.floor(edges) + 0.5)).ravel()
        self.bounds = around if column.whole else edges
        """Between them lie the cells; where values are continuous, none falls on an edge."""
        inner = np.concatenate(([0], column.cdf(self.bounds, 0.0), [1]))
        low, width = inner[:-1, None], np.diff(inner)[:, None]
        inside = column.ppf(low + width * (NODES + 1) / 2, 0.0)
        self.mean: Floats = inside @ WEIGHTS / 2
        self.variance: Floats = ((inside - self.mean[:, None]) ** 2) @ WEIGHTS / 2
        self.open = np.zeros(len(self.mean), bool)
        self.open[slice(None, None, 2) if column.whole else [0, 1, -2, -1]] = True
        self.mean[self.open] = self.variance[self.open] = 0.0

    def draw(
        self, rows: int, missing: float, shift: float, rng: np.random.Generator
    ) -> NumericColumn:
        """A day of `rows` rows, as a profile shows it."""
        column, nulls = self.column, int(rng.binomial(rows, missing)) if missing else 0
        n = rows - nulls
        upto = np.concatenate(([0.0], column.cdf(self.bounds, shift), [1.0]))
        counts = rng.multinomial(n, np.maximum(np.diff(upto), 0))

        def within(cell: int, u: Floats) -> Floats:
            return column.ppf(upto[cell] + (upto[cell + 1] - upto[cell]) * u, shift)

        open_cells = np.flatnonzero(self.open & (counts > 0))
        values = np.concatenate(
            [np.empty(0), *(within(cell, rng.random(counts[cell])) for cell in open_cells)]
        )
        off, away = values - column.centre, self.mean - column.centre
        closed_counts = np.where(self.open, 0, counts)
        total = off.sum() + closed_counts @ away
        square = (off * off).sum() + closed_counts @ (away * away + self.variance)
        filled_cells = np.flatnonzero(closed_counts)
        ends = [values.min(), values.max()] if len(values) else []
        if len(filled_cells):
            first, last = int(filled_cells[0]), int(filled_cells[-1])
            # The least of k uniform numbers is 1 - V^(1/k), the greatest V^(1/k).
            low, high = rng.random(2) ** (1 / counts[[first, last]])
            ends += [within(first, np.array(1 - low)), within(last, np.array(high))]
        on_grid = np.zeros(2 * len(self.edges) + 1, np.int64)
        on_grid[:: 1 if column.whole else 2] = counts
        return NumericColumn(
            name=column.name, rows=rows, nulls=nulls, nans=0, infinities=0, invalid=0, edges=self.edges, counts=on_grid,
            minimum=float(min(ends)) if n else None, maximum=float(max(ends)) if n else None,
            mean=float(column.centre + total / n) if n else None,
            variance=float(max(square - total * total / n, 0.0) / (n - 1)) if n > 1 else None,
        )  # fmt: skip


def times(column: NumericColumn, factor: float) -> NumericColumn:
    """The same values times a factor that brings even the smallest above the grid."""
    if column.minimum is None or column.maximum is None or column.mean is None:
        return column
    assert column.minimum * factor > column.edges[-1], "not all values would be above the grid"
    counts = np.zeros_like(column.counts)
    counts[-1] = column.counts.sum()
    return replace(
        column,
        counts=counts,
        minimum=column.minimum * factor,
        maximum=column.maximum * factor,
        mean=column.mean * factor,
        variance=None if column.variance is None else column.variance * factor**2,
    )


def frozen(column: NumericColumn, value: float) -> NumericColumn:
    """As many values, all the same."""
    if not column.count:
        return column
    counts = cells(np.array([value]), NumericSpec(column.edges)) * column.count
    variance = None if column.variance is None else 0.0
    return replace(
        column, counts=counts, minimum=value, maximum=value, mean=value, variance=variance
    )


@dataclass(frozen=True)
class Categorical:
    """A categorical column: a normal latent, cut so that the categories have these shares."""

    name: str
    shares: tuple[float, ...]
    missing: float = 0.0

    @property
    def categories(self) -> list[str]:
        """Their names, in the order of the latent."""
        return [f"{self.name}_{place}" for place in range(len(self.shares))]

    def shift_shares(self, shift: float, more: float = 0.0) -> Floats:
        """The shares when the latent has moved by `shift`, and then the first category has grown by
        `more`.
        """
        cuts = special.ndtri(np.cumsum(self.shares)[:-1])
        shares = np.diff(np.concatenate(([0.0], special.ndtr(cuts - shift), [1.0])))
        new_shares = shares * (1 - shares[0] - more) / (1 - shares[0])
        new_shares[0] = shares[0] + more
        return new_shares

    def codes(self, rows: int, shares: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
        """Places among the categories, shape (rows,)."""
        return np.searchsorted(np.cumsum(shares)[:-1], rng.random(rows), "right")

    def draw(
        self, rows: int, missing: float, shares: Floats, rng: np.random.Generator
    ) -> CategoricalColumn:
        """A day of `rows` rows, as a profile shows it."""
        nulls = int(rng.binomial(rows, missing)) if missing else 0
        category_counts = zip(
            self.categories, rng.multinomial(rows - nulls, shares).tolist(), strict=True
        )
        counts = dict(
            sorted(
                ((name, n) for name, n in category_counts if n),
                key=lambda item: (-item[1], item[0]),
            )
        )
        return CategoricalColumn(
            name=self.name,
            rows=rows,
            nulls=nulls,
            invalid=0,
            counts=counts,
            other=0,
            distinct=len(counts),
        )


COLUMNS: tuple[Numeric | Categorical, ...] = (
    *(
        Numeric(f"n{place:02}", NORMAL, 100.0, 10.0, missing=0.01 * (place == 4))
        for place in range(7)
    ),
    *(
        Numeric(f"n{place:02}", LOGNORMAL, 50.0, 20.0, missing=0.01 * (place == 9))
        for place in range(7, 11)
    ),
    *(Numeric(f"n{place:02}", ERLANG, 30.0, 10.0) for place in range(11, 14)),
    *(
        Numeric(f"n{place:02}", UNIFORM, 60.0, 15.0, missing=0.01 * (place == 14))
        for place in range(14, 16)
    ),
    *(Numeric(f"n{place:02}", NORMAL, 60.0, 8.0, whole=True) for place in range(16, 18)),
    *(
        Numeric(f"n{place:02}", ERLANG, 6.0, 2.0, whole=True, missing=0.01 * (place == 19))
        for place in range(18, 20)
    ),
    Categorical("c0", (0.5, 0.3, 0.2)),
    Categorical("c1", (0.4, 0.25, 0.2, 0.1, 0.05)),
    Categorical("c2", (0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05)),
    Categorical("c3", (0.25, 0.2, 0.15, 0.12, 0.1, 0.07, 0.05, 0.04, 0.02)),
    Categorical(
        "c4", (0.3, 0.2, 0.14, 0.1, 0.08, 0.05, 0.04, 0.03, 0.02, 0.02, 0.01, 0.01), missing=0.01
    ),
)
