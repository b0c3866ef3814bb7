"""The read-only summaries of a window or a reference that checks read.

These are values: made from a profile, and dropped after the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from driftline.profiles.spec import same_values
from driftline.stats.distributions.side import Side, Tails
from driftline.types.arrays import Floats
from driftline.types.model import Kind

if TYPE_CHECKING:
    import pyarrow as pa

Counts = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NumericColumn:
    """A numeric column, counted on the grid of its reference.

    With E edges there are 2E+1 cells: the open interval below the first edge, the first edge
    itself, the open interval up to the second edge, and so on to the open interval above the last.
    An edge's own cell holds the values equal to it, up to rounding to 32 bits, so a column with few
    distinct values is known exactly.
    """

    name: str
    rows: int
    """All rows, with or without a value."""
    nulls: int
    """Rows without a value."""
    nans: int
    """Rows whose value is not a number."""
    infinities: int
    """Rows whose value is infinite or beyond 1e150 in size."""
    invalid: int
    """Rows whose value was of another type; they are counted in `nulls` too."""
    edges: Floats
    """Shape (E,), strictly rising."""
    counts: Counts
    """Shape (2E+1,), see above; sums to `count`."""
    minimum: float | None
    maximum: float | None
    mean: float | None
    variance: float | None
    """With ddof 1; None below two values."""
    centres: Floats | None = None
    """Mean value of each cell between two edges, shape (E-1,); see `Side`."""
    deviations: Floats | None = None
    """Standard deviation of the values of each cell between two edges, shape (E-1,)."""
    tails: Tails | None = None
    """What lies beyond the first and the last edge."""

    kind = Kind.NUMERIC

    @property
    def count(self) -> int:
        """Rows with a finite value."""
        return self.rows - self.nulls - self.nans - self.infinities

    @property
    def missing(self) -> int:
        """Rows without a value or with NaN."""
        return self.nulls + self.nans

    @property
    def sd(self) -> float | None:
        """Standard deviation with ddof 1."""
        return None if self.variance is None else float(np.sqrt(self.variance))

    @cached_property
    def side(self) -> Side:
        """Its finite values for the distances of `stats`; built once."""
        return Side(
            edges=self.edges,
            counts=self.counts,
            minimum=self.minimum or 0.0,
            maximum=self.maximum or 0.0,
            mean=self.mean or 0.0,
            variance=self.variance,
            centres=self.centres,
            deviations=self.deviations,
            tails=self.tails,
        )

    def edge_of(self, value: float) -> int | None:
        """The place of the edge that `value` counts as, up to rounding; None between two edges."""
        low, high = same_values(self.edges)
        place = int(np.searchsorted(high, value))
        return place if place < len(low) and low[place] <= value else None

    def binned(self, edges: Floats) -> Counts:
        """Exact counts in (-inf, e1], (e1, e2], ..., (ek, inf); int64, shape (k+1,).

        Raises ValueError when one of `edges`, shape (k,), is not an edge of the grid.
        """
        places = np.searchsorted(self.edges, edges)
        if np.any(places >= len(self.edges)) or not np.array_equal(self.edges[places], edges):
            raise ValueError("these edges are not on the grid")
        upto = np.cumsum(self.counts)[2 * places + 1]
        return np.diff(np.concatenate(([0], upto, [self.counts.sum()]))).astype(np.int64)

    def quantile(self, q: float) -> float | None:
        """The smallest edge or extreme with a share `q` of the values at or below; None without."""
        return None if self.minimum is None or self.maximum is None else self.side.quantile(q)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoricalColumn:
    """A categorical column: exact counts, up to a bound on the number of categories."""

    name: str
    rows: int
    nulls: int
    invalid: int
    """Rows whose value can't be a category, such as a list; counted in `nulls` too."""
    counts: Mapping[str, int]
    """By category, most frequent first, ties by name."""
    other: int
    """Rows in categories beyond the bound."""
    distinct: int
    """Distinct categories; an estimate when `other` is not 0."""

    kind = Kind.CATEGORICAL

    @property
    def count(self) -> int:
        """Rows with a value."""
        return self.rows - self.nulls

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.nulls


Column = NumericColumn | CategoricalColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionSums:
    """Exact sums over labelled rows with prediction p, label y and error e = p - y."""

    n: int = 0
    e: float = 0.0
    abs_e: float = 0.0
    e2: float = 0.0
    e4: float = 0.0
    """Sum of e to the fourth power, for the standard error of the RMSE."""
    abs_y: float = 0.0
    y: float = 0.0
    """Sum of y - `centre`."""
    y2: float = 0.0
    """Sum of (y - `centre`) squared."""
    centre: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorSums:
    """Exact sums over labelled rows with prediction p, label y and error e = p - y.

    Those of squares end with 2; all are 0 without rows.
    """

    n: int = 0
    zeros: int = 0
    """Rows whose label is 0: they have no percentage error."""
    beyond_log: int = 0
    """Rows with a prediction or label of -1 or below, which have no logarithmic error."""
    intervals: int = 0
    """Rows with a prediction interval."""
    crossed: int = 0
    """Rows whose interval ends below its begin; they are not in `intervals`."""
    covered: int = 0
    """Rows whose label lies in the interval."""
    scaled: int = 0
    """Rows of a series whose naive error is known."""
    e: float = 0.0
    abs_e: float = 0.0
    e2: float = 0.0
    e4: float = 0.0
    abs_y: float = 0.0
    y: float = 0.0
    """Sum of y - `centre`."""
    y2: float = 0.0
    """Sum of (y - `centre`) squared."""
    abs_off: float = 0.0
    """Sum of |y - `centre`|."""
    percent: float = 0.0
    """Sum of |e / y|; a label of 0 adds nothing."""
    percent2: float = 0.0
    symmetric: float = 0.0
    """Sum of 2 |e| / (|p| + |y|); 0 where both are 0."""
    symmetric2: float = 0.0
    log2: float = 0.0
    """Sum of (log(1 + p) - log(1 + y)) squared."""
    log4: float = 0.0
    scaled_e: float = 0.0
    """Sum of |e| over the naive error of the series in the reference."""
    scaled_e2: float = 0.0
    quantile_loss: float = 0.0
    """Sum of the mean pinball loss of both ends of the interval."""
    quantile_loss2: float = 0.0
    width: float = 0.0
    width2: float = 0.0
    largest: float = 0.0
    """The largest |e|."""
    cells: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    """Cells of |e|, rising, shape (k,); see `stats.error_quantile`."""
    cell_rows: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    """Rows in each, shape (k,)."""
    centre: float = 0.0
    """The middle label of the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """The errors of a regression, of all rows and by horizon."""

    total: ErrorSums = ErrorSums()
    infinite: int = 0
    """Labelled rows with an infinite label or prediction; they are in no sum."""
    by_horizon: Mapping[str, ErrorSums] = field(default_factory=dict)
    """The shortest horizon first."""
    is_cut: bool = False
    """Whether there are more horizons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """Labelled items of whole groups, in each the highest score first; see `stats.group_scores`."""

    starts: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    """The place of the first item of each group, shape (groups,)."""
    scores: Floats = field(default_factory=lambda: np.empty(0))
    """Shape (items,)."""
    labels: Floats = field(default_factory=lambda: np.empty(0))
    """The relevance of each item, same shape."""
    infinite: int = 0
    """Items with an infinite score or label; they are left out."""
    is_sample: bool = False
    """Whether there are more groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSets:
    """Sums over labelled rows of a model that predicts sets of classes."""

    n: int = 0
    exact: int = 0
    """Rows whose sets are equal."""
    wrong: int = 0
    """Classes that are in one of both sets only."""
    wrong2: int = 0
    """Their squares by row."""
    tp: int = 0
    """Classes in both sets."""
    predicted: int = 0
    labelled: int = 0
    tp_tp: int = 0
    """Sums of products by row, of `tp`, `predicted` and `labelled`."""
    tp_predicted: int = 0
    tp_labelled: int = 0
    predicted2: int = 0
    labelled2: int = 0
    both: int = 0
    """Sum of predicted times labelled classes."""
    jaccard: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """Rows by (classes in both sets, classes in either)."""
    by_class: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Rows where the class is in both sets, only predicted, and only labelled; by class."""
    classes: int = 0
    """Classes of the reference and of these rows."""
    is_cut: bool = False
    """Whether there are more classes than are counted one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProbabilities:
    """Sums and grids over rows with a label and a probability of each of several classes."""

    classes: tuple[str, ...] = ()
    n: int = 0
    improper: int = 0
    """Rows with a probability below 0 or above 1, or with a sum that is not 1."""
    unseen: int = 0
    """Labelled rows whose label is none of the classes; they are in no sum."""
    log_loss: float = 0.0
    """Sum of the log losses; probabilities clipped to 1e-15 at least."""
    log_loss2: float = 0.0
    brier: float = 0.0
    """Sum of (probability - 1 for the true class) squared, over all classes."""
    brier2: float = 0.0
    negatives: Counts = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    """Rows of other classes by cell of the class's probability, rising; (classes, cells)."""
    positives: Counts = field(default_factory=lambda: np.zeros((0, 1), np.int64))
    """Rows of the class, likewise."""
    ranks: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    """Rows by the number of classes that are likelier than the true one, shape (classes,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSums:
    """Sums over labelled rows with a score s and a label y in {0, 1}."""

    n: int = 0
    brier: float = 0.0
    """Sum of (s - y) squared."""
    brier2: float = 0.0
    """Sum of (s - y) to the fourth power."""
    log_loss: float = 0.0
    """Sum of the log losses: natural logarithm, scores clipped to [1e-15, 1 - 1e-15]."""
    log_loss2: float = 0.0
    """Sum of the squared log losses."""
    score: float = 0.0
    outside: int = 0
    """Rows whose score is no probability: below 0 or above 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Counts and sums that performance metrics are made from.

    Rows without a label, or without a usable prediction, are only counted.
    """

    rows: int = 0
    """Rows with a prediction or a score."""
    labelled: int = 0
    """Rows with a label of a known class, and a prediction or a score."""
    label_values: Mapping[str, int] = field(default_factory=dict)
    """Rows by the value of the label, the most frequent first; empty for regression."""
    classes: tuple[str, ...] = ()
    """The labels that count; empty where all count."""
    positive: str = ""
    """The positive class of a binary model; empty where it is not known."""
    class_reason: str = ""
    """Why the positive class of a binary model is not known; then no label counts."""
    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Rows by (label, predicted class). Binary: `1` is the positive class, `0` all others."""
    edges: Floats = field(default_factory=lambda: np.empty(0))
    """Grid of the score, shape (E,)."""
    negatives: Counts = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    """Scores of rows labelled 0 on the cells of the grid, shape (2E+1,), as in `NumericColumn`.

    Of a model of several classes, scores of rows whose prediction is wrong.
    """
    positives: Counts = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    """Scores of rows labelled 1, or whose predicted class is right, same shape."""
    order_error: float = 0.0
    """Largest error of an AUC because scores between two edges count as equal, 0 to 0.5."""
    sums: ScoreSums = ScoreSums()
    regression: RegressionSums = RegressionSums()
    errors: Errors = Errors()
    rankings: Rankings = Rankings()
    label_sets: LabelSets = LabelSets()
    probabilities: ClassProbabilities = ClassProbabilities()
    k: int | None = None
    """How many first items of a ranking, or likeliest classes, count; a check may set it."""


@dataclass(frozen=True, kw_only=True)
class PredictionErrors:
    """Labelled rows of a regression model by group of predictions, with their errors e.

    With C cuts there are C+1 groups; a prediction that equals a cut is in the group above it. The
    arrays have shape (C+1,).
    """

    cuts: Floats
    """Shape (C,), rising; all are edges of the grid of the prediction."""
    rows: Counts
    abs_e: Floats = field(default_factory=lambda: np.zeros(1))
    """Sums of |e|."""
    e2: Floats = field(default_factory=lambda: np.zeros(1))
    e4: Floats = field(default_factory=lambda: np.zeros(1))

    def rows_by_group(self, column: NumericColumn) -> Floats:
        """The rows of a column of predictions by group, shape (C+1,)."""
        lower = np.concatenate(([-np.inf], np.repeat(column.edges, 2)))
        groups = np.searchsorted(self.cuts, lower, "right")
        return np.bincount(groups, column.counts, len(self.rows)).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Facts about labels that came later, on their own."""

    labelled: int = 0
    """Predictions that got such a label."""
    corrected: int = 0
    """Those that got labels of different values; the newest counts."""
    contradicting: int = 0
    """Those that got different labels of one and the same newest time."""
    edges: Floats = field(default_factory=lambda: np.empty(0))
    """Seconds, shape (E,)."""
    delays: Counts = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    """Labels by delay: below the first edge, between edges, above the last; int64, (E+1,)."""

    def delay(self, q: float) -> float | None:
        """The quantile `q` of the delay in seconds, a middle of a cell; None without labels."""
        total = int(self.delays.sum())
        if not total:
            return None
        cell = int(np.searchsorted(np.cumsum(self.delays), q * total - 1e-9))
        if cell == 0:
            return 0.0
        return float(np.sqrt(self.edges[cell - 1] * self.edges[min(cell, len(self.edges) - 1)]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The summary of a span of event time, or of a reference, of one version and segment."""

    rows: int
    columns: Mapping[str, Column] = field(default_factory=dict)
    """In the order of the schema: features, prediction, score, label."""
    scores: Scores = Scores()
    start: datetime | None = None
    """None for a reference that is no span of time."""
    end: datetime | None = None
    """Exclusive."""
    version: str = ""
    """The version of the model; of a reference, its own name and version."""
    segment: str = ""
    """Such as `plan=gold`; empty for all rows."""
    first_event: datetime | None = None
    last_event: datetime | None = None
    last_seen: datetime | None = None
    """The newest event time of the model up to the end of this window."""
    joined: int = 0
    """Base windows in it, where they are joined until they hold enough rows (`windows.rows`)."""
    log_end: datetime | None = None
    """The newest event time of the log, where a log of the past ends before this window does.

    Such a window has fewer rows than the span of time has, and that is no finding.
    """
    summaries: Mapping[str, Any] = field(default_factory=dict)
    """The summaries of all collectors, by their names."""
    reread: Callable[[], Iterator[pa.RecordBatch]] | None = None
    derived: dict[tuple[str, ...], Any] = field(default_factory=dict, compare=False, repr=False)
    """What checks computed from this window alone: a reference serves many windows.

    A key begins with the type of the check.
    """

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the raw rows again from the log objects. Raises RuntimeError when it can't."""
        if self.reread is None:
            raise RuntimeError("the rows of this window can't be read again")
        return self.reread()

    def numeric(self) -> Iterator[NumericColumn]:
        """Its numeric columns."""
        return (column for column in self.columns.values() if isinstance(column, NumericColumn))

    def categorical(self) -> Iterator[CategoricalColumn]:
        """Its categorical columns."""
        return (column for column in self.columns.values() if isinstance(column, CategoricalColumn))
