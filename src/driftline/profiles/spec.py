"""The spec of a profile: its columns, their grids and known categories, and its collectors.

It is frozen with the reference, and its digest is stored with every profile made by it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from driftline.profiles.label_classes import LabelClasses, find_classes
from driftline.types.arrays import Floats
from driftline.types.model import Kind, Schema, Task, TaskColumns

LEVELS = 1500
"""Quantile levels of a grid: between two edges lies less than 1/1500 of the reference's rows."""
SEGMENTS = 100
"""Categories of a segment column that get profiles of their own."""
OTHER_SEGMENTS = "(others)"
"""The segment of the rows of all other categories, where a column has more than SEGMENTS."""
KNOWN = 10_000
"""Categories of a column that are always counted by name."""
TAIL = 64
"""Values at either end of the reference that are all edges: rare large ones decide a distance."""
WIDEST = 128
"""Cells between two edges whose values are summed, the widest ones."""
GAPS, FEW_GAPS = 4, 16
"""The widest gaps that get edges of their own; where there are few gaps, each does."""
WIDE = 8
"""A gap is wide when it is so many times as wide as the median one."""
HALVINGS = 8
"""Edges at either end of a gap, at a half of it, a quarter and so on."""
SAME = 2e-7
"""Relative difference at which a value still counts as a value of the grid.

A float of 32 bits is off by up to 6e-8. More would move values of dense columns to other bins.
"""
SPARSE = 300
"""Edges up to which a grid has few values, or few rows, so that more can count as one value."""
SIX_DIGITS, SIX_DECIMALS, MAX_OF_DECIMALS = 5.1e-6, 5.1e-7, 1e-4
"""The same difference for few values, which logs write with six digits (relative) or decimals.

That of decimals is at most a ten-thousandth of the value, so that small values differ.
"""
SHARE_OF_GAP = 1 / 32
"""The most of the way to the next edge that this difference may take."""
ALWAYS_COLLECTED = ("numeric", "categories", "scores")
"""Names of the collectors that every profile has."""


@dataclass(frozen=True)
class NumericSpec:
    """The grid of one numeric column."""

    edges: Floats
    """Shape (E,), strictly rising."""
    centre: float = 0.0
    """Subtracted before squaring, so that the variance does not lose digits."""

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """The smallest and the largest value that counts as each edge; both of shape (E,)."""
        return same_values(self.edges)

    @cached_property
    def widest(self) -> NDArray[np.int64]:
        """The WIDEST cells between two edges, by the place of the lower edge, rising."""
        order = np.argsort(-np.diff(self.edges), kind="stable")[:WIDEST]
        return np.sort(order).astype(np.int64)


@dataclass(frozen=True)
class CategorySpec:
    """The known categories of one categorical column."""

    known: tuple[str, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The same as a set."""
        return frozenset(self.known)


@dataclass(frozen=True)
class SampledSpec:
    """A column that only the sample stores: a hash of a text, the bytes of a vector."""

    dimension: int = 0
    """Values per raw vector; 0 for texts."""


ColumnSpec = NumericSpec | CategorySpec | SampledSpec


@dataclass(frozen=True, kw_only=True)
class ProfileSpec:
    """Everything that the bytes of a profile depend on."""

    columns: Mapping[str, ColumnSpec]
    task: Task | None = None
    prediction: str | None = None
    score: str | None = None
    label: str | None = None
    positive: str = "1"
    """The positive class of a binary model; empty where it is not known."""
    negative: str = ""
    """The negative class; empty where it is every other value."""
    class_reason: str = ""
    """Why the positive class is not known."""
    threshold: float = 0.5
    collectors: tuple[str, ...] = ALWAYS_COLLECTED
    sample_rows: int = 500
    redact: frozenset[str] = frozenset()
    joins: str = ""
    """Path of the id by which later labels are joined; empty without such labels."""
    task_columns: TaskColumns = field(default_factory=TaskColumns)
    naive_errors: Mapping[str, float] = field(default_factory=dict)
    """Of a forecast: the mean absolute error of the seasonal naive forecast in the reference.

    By series; 1,000 series at most, those with the smallest hashes.
    """
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options of collectors, such as expressions, by collector; see `Check.collector_options`."""

    @cached_property
    def digest(self) -> str:
        """16 hex digits that name this spec."""
        return sha256(self._plain()).hexdigest()[:16]

    def to_bytes(self) -> bytes:
        """The canonical form, compressed."""
        return zlib.compress(self._plain(), 6)

    def _plain(self) -> bytes:
        columns = [(name, *_plain_column(spec)) for name, spec in self.columns.items()]
        outputs = (
            self.task,
            self.prediction,
            self.score,
            self.label,
            self.positive,
            self.threshold,
        )
        # Empty newer fields are left out, so that older specs keep their digests.
        classes = (self.negative, self.class_reason)
        extra: list[object] = [self.joins, sorted(self.options.items()), classes]
        if self.task_columns != TaskColumns():
            task_columns = msgspec.msgpack.encode(self.task_columns)
            extra += [task_columns, sorted(self.naive_errors.items())]
        elif not any(classes):
            extra = extra[: 2 if self.options else 1 if self.joins else 0]
        return msgspec.msgpack.encode(
            (1, columns, outputs, self.collectors, self.sample_rows, sorted(self.redact), *extra)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ProfileSpec:
        """The inverse of `to_bytes`. Raises ValueError for another version."""
        version, columns, outputs, collectors, sample_rows, redact, *extra = msgspec.msgpack.decode(
            zlib.decompress(data)
        )
        if version != 1:
            raise ValueError(f"profile spec of version {version}")
        task, prediction, score, label, positive, threshold = outputs
        negative, class_reason = extra[2] if len(extra) > 2 else ("", "")
        return cls(
            columns={name: _column(*content) for name, *content in columns},
            task=Task(task) if task else None,
            prediction=prediction,
            score=score,
            label=label,
            positive=positive,
            negative=negative,
            class_reason=class_reason,
            threshold=threshold,
            collectors=tuple(collectors),
            sample_rows=sample_rows,
            redact=frozenset(redact),
            joins=extra[0] if extra else "",
            task_columns=msgspec.msgpack.decode(extra[3], type=TaskColumns)
            if len(extra) > 3
            else TaskColumns(),
            naive_errors=dict(extra[4]) if len(extra) > 4 else {},
            options={name: tuple(texts) for name, texts in extra[1]} if len(extra) > 1 else {},
        )


def _plain_column(spec: ColumnSpec) -> tuple[str, object, float]:
    if isinstance(spec, NumericSpec):
        return "numeric", np.asarray(spec.edges, "<f8").tobytes(), spec.centre
    return (
        ("categorical", list(spec.known), 0.0)
        if isinstance(spec, CategorySpec)
        else ("sampled", spec.dimension, 0.0)
    )


def _column(kind: str, content: Any, centre: float) -> ColumnSpec:
    if kind == "numeric":
        return NumericSpec(np.frombuffer(content, "<f8"), centre)
    return CategorySpec(tuple(content)) if kind == "categorical" else SampledSpec(content)


def same_values(edges: Floats) -> tuple[Floats, Floats]:
    """The smallest and the largest value that counts as each of `edges`, rising, shape (E,).

    A heavy value may have been rounded on its way, to 32 bits or to six digits or decimals where
    there are few values: then it is still the same value.
    Where values lie close together, the difference is a small part of the gap between them.
    """
    reach = _rounding(np.abs(edges), len(edges))
    if len(edges) > 1:
        gaps = np.diff(edges) * SHARE_OF_GAP
        reach[1:] = np.minimum(reach[1:], gaps)
        reach[:-1] = np.minimum(reach[:-1], gaps)
    return edges - reach, edges + reach


def _rounding(sizes: Floats, edge_count: int) -> Floats:
    """Return by how much writers round values of these sizes, any shape, on a grid of so many."""
    if edge_count > SPARSE:
        return SAME * sizes
    of_decimals = np.minimum(SIX_DECIMALS, MAX_OF_DECIMALS * sizes)
    return np.maximum(SIX_DIGITS * sizes, of_decimals)


def _without_narrow_copies(distinct: Floats) -> Floats:
    """Leave out each value that is another one of `distinct`, rounded to 32 bits.

    `distinct` rises, shape (n,). Both occur where some files of a reference are narrower than
    others. Whole numbers are all kept.
    """
    with np.errstate(over="ignore"):
        narrow = distinct.astype(np.float32).astype(np.float64)
    same = narrow[1:] == narrow[:-1]
    is_copy = np.zeros(len(distinct), bool)
    is_copy[1:] |= same
    is_copy[:-1] |= same
    kept: Floats = distinct[~(is_copy & (distinct == narrow) & (distinct != np.floor(distinct)))]
    return kept


def _fill_gaps(edges: Floats) -> Floats:
    """Add edges within wide gaps, close to both ends of each.

    A window may have rows there: a value that was 0 is 10 now, and the next one is 1000.
    """
    gaps = np.diff(edges)
    if not len(gaps):
        return edges
    wide = np.argsort(-gaps, kind="stable")
    if len(gaps) > FEW_GAPS:
        wide = wide[:GAPS]
        wide = wide[gaps[wide] > WIDE * np.median(gaps)]
    parts = gaps[wide, None] * 0.5 ** np.arange(1, HALVINGS + 1)
    low, high = edges[wide, None] + parts, edges[wide + 1, None] - parts
    # None so close to a value that it would not count as itself when it is rounded.
    sizes = np.maximum(np.abs(edges[wide]), np.abs(edges[wide + 1]))
    apart = parts * SHARE_OF_GAP > _rounding(sizes, len(edges))[:, None]
    return np.unique(np.concatenate((edges, low[apart], high[apart])))


def grid(values: Floats) -> NumericSpec:
    """A grid on the quantiles and the extremes of `values`, shape (n,), any order, finite.

    The edges are values that occur (inverse of the empirical distribution function), so a column
    with at most LEVELS distinct values is counted exactly. A value and the same one in 32 bits are
    one edge.
    """
    if not len(values):
        return NumericSpec(np.empty(0))
    sorted_values = np.sort(np.asarray(values, np.float64))
    distinct = _without_narrow_copies(np.unique(sorted_values))
    if len(distinct) <= LEVELS:
        edges = distinct
    else:
        # Integer arithmetic: a float level such as 0.07 * n may round to the wrong value.
        places = (
            np.arange(LEVELS + 1, dtype=np.int64) * len(sorted_values) + LEVELS - 1
        ) // LEVELS - 1
        ends = np.arange(TAIL, dtype=np.int64)
        places = np.concatenate((places, ends, len(sorted_values) - 1 - ends))
        edges = _without_narrow_copies(
            np.unique(sorted_values[np.clip(places, 0, len(sorted_values) - 1)])
        )
    return NumericSpec(_fill_gaps(edges + 0.0), float(sorted_values[len(sorted_values) // 2]))


def make_spec(
    schema: Schema,
    numeric: Mapping[str, Floats],
    categorical: Mapping[str, Mapping[str, int]],
    collectors: Iterable[str] = ALWAYS_COLLECTED,
    sample_rows: int = 500,
    options: Mapping[str, tuple[str, ...]] | None = None,
    naive_errors: Mapping[str, float] | None = None,
) -> ProfileSpec:
    """The spec of a model from its reference.

    `numeric` holds values (float64, (n,)) by column, `categorical` rows by category, by column;
    for `naive_errors` see `ProfileSpec`.
    """
    columns: dict[str, ColumnSpec] = {}
    for name, kind in schema.profile_columns.items():
        if kind is Kind.NUMERIC:
            columns[name] = grid(numeric.get(name, np.empty(0)))
        elif kind is Kind.CATEGORICAL:
            counts = categorical.get(name, {})
            most = SEGMENTS if name in schema.segment_rules else KNOWN
            columns[name] = CategorySpec(_most_frequent(counts, most))
        else:
            columns[name] = SampledSpec(schema.features[name].dimension)
    classes = classes_of(schema, categorical)
    return ProfileSpec(
        columns=columns,
        task=schema.task,
        prediction=schema.prediction.name if schema.prediction else None,
        score=schema.score.name if schema.score else None,
        label=schema.label.name if schema.label else None,
        positive=classes.positive,
        negative=classes.negative,
        class_reason=classes.reason,
        threshold=schema.threshold,
        collectors=tuple(collectors),
        sample_rows=sample_rows,
        redact=schema.redact,
        joins=schema.joins.path if schema.joins else "",
        task_columns=schema.task_columns,
        naive_errors=naive_errors or {},
        options=options or {},
    )


def classes_of(schema: Schema, categorical: Mapping[str, Mapping[str, int]]) -> LabelClasses:
    """Return the classes of a binary model from rows by category, by column.

    For any other model the positive class is that of the schema.
    """
    if schema.task is not Task.BINARY:
        return LabelClasses(schema.positive)
    labels, predictions = (
        categorical.get(part.name, {}) if part is not None else {}
        for part in (schema.label, schema.prediction)
    )
    return find_classes(schema.positive, labels, predictions)


def _most_frequent(counts: Mapping[str, int], most: int) -> tuple[str, ...]:
    by_frequency: Sequence[tuple[str, int]] = sorted(
        counts.items(), key=lambda item: (-item[1], item[0])
    )
    return tuple(sorted(name for name, _ in by_frequency[:most]))
