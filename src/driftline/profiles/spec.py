"""What a profile counts: the columns, their grids and known categories, and the collectors that
run.

Refuses to change: it is frozen with the reference, and its digest stands beside every profile made
by it.
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

from driftline.profiles.window import Floats
from driftline.types.model import Kind, Schema, Task

LEVELS = 1500
"""Quantile levels of a grid. Between two edges lies less than 1/1500 of the rows the grid was made
of.
"""
KNOWN = 10_000
"""Categories of a column that are counted by name, whatever else comes."""
ALWAYS_COLLECTED = ("numeric", "categories", "scores")


@dataclass(frozen=True)
class NumericSpec:
    """The grid of one numeric column."""

    edges: Floats
    """Shape (E,), strictly rising."""
    centre: float = 0.0
    """Subtracted before squaring, so that the variance keeps its digits."""


@dataclass(frozen=True)
class CategorySpec:
    """The known categories of one categorical column."""

    known: tuple[str, ...] = ()

    @cached_property
    def names(self) -> frozenset[str]:
        """The same, to look names up in."""
        return frozenset(self.known)


@dataclass(frozen=True)
class SampledSpec:
    """A column that is kept for sampled rows only: a hash of a text, the bytes of a vector."""

    dimension: int = 0
    """Of the vectors as they came."""


ColumnSpec = NumericSpec | CategorySpec | SampledSpec


@dataclass(frozen=True)
class ProfileSpec:
    """Everything that decides what a profile's bytes mean."""

    columns: Mapping[str, ColumnSpec]
    task: Task | None = None
    prediction: str | None = None
    score: str | None = None
    label: str | None = None
    positive: str = "1"
    threshold: float = 0.5
    collectors: tuple[str, ...] = ALWAYS_COLLECTED
    sample_rows: int = 500
    redact: frozenset[str] = frozenset()
    joins: str = ""
    """Path of the id that labels refer to, where they come later."""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What checks told their collectors beyond their names, such as expressions; see
    `Check.wants`.
    """

    @cached_property
    def digest(self) -> str:
        """16 hex digits that name this spec."""
        return sha256(self._plain()).hexdigest()[:16]

    def to_bytes(self) -> bytes:
        """The canonical form, compressed."""
        return zlib.compress(self._plain(), 6)

    def _plain(self) -> bytes:
        columns = [(name, *_told(spec)) for name, spec in self.columns.items()]
        rest = (self.task, self.prediction, self.score, self.label, self.positive, self.threshold)
        # What is not there leaves no trace, so that a spec without it has the digest that it always
        # had.
        more: tuple[object, ...] = (self.joins,) if self.joins or self.options else ()
        more += (sorted(self.options.items()),) if self.options else ()
        return msgspec.msgpack.encode(
            (1, columns, rest, self.collectors, self.sample_rows, sorted(self.redact), *more)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> ProfileSpec:
        """The inverse of `to_bytes`. Raises ValueError for another version."""
        version, columns, rest, collectors, sample_rows, redact, *more = msgspec.msgpack.decode(
            zlib.decompress(data)
        )
        if version != 1:
            raise ValueError(f"profile spec of version {version}")
        task, prediction, score, label, positive, threshold = rest
        return cls(
            columns={name: _column(*told) for name, *told in columns},
            task=Task(task) if task else None,
            prediction=prediction,
            score=score,
            label=label,
            positive=positive,
            threshold=threshold,
            collectors=tuple(collectors),
            sample_rows=sample_rows,
            redact=frozenset(redact),
            joins=more[0] if more else "",
            options={name: tuple(texts) for name, texts in more[1]} if len(more) > 1 else {},
        )


def _told(spec: ColumnSpec) -> tuple[str, object, float]:
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


def grid(values: Floats) -> NumericSpec:
    """A grid on the quantiles of `values`, shape (n,), any order, finite.

    The edges are values that occur (inverse of the empirical distribution function), so a column
    with at most LEVELS distinct values is counted exactly.
    """
    if not len(values):
        return NumericSpec(np.empty(0))
    ordered = np.sort(np.asarray(values, np.float64))
    distinct = np.unique(ordered)
    if len(distinct) <= LEVELS:
        edges = distinct
    else:
        # Integer arithmetic: a float level such as 0.07 * n may round to the wrong value.
        places = (np.arange(LEVELS + 1, dtype=np.int64) * len(ordered) + LEVELS - 1) // LEVELS - 1
        edges = np.unique(ordered[np.clip(places, 0, len(ordered) - 1)])
    return NumericSpec(edges + 0.0, float(ordered[len(ordered) // 2]))


def make_spec(
    schema: Schema,
    numeric: Mapping[str, Floats],
    categorical: Mapping[str, Mapping[str, int]],
    collectors: Iterable[str] = ALWAYS_COLLECTED,
    sample_rows: int = 500,
    options: Mapping[str, tuple[str, ...]] | None = None,
) -> ProfileSpec:
    """The spec of a model from what its reference holds: values by numeric column, counts by
    categorical column.
    """
    columns: dict[str, ColumnSpec] = {}
    for name, kind in schema.profiled.items():
        if kind is Kind.NUMERIC:
            columns[name] = grid(numeric.get(name, np.empty(0)))
        elif kind is Kind.CATEGORICAL:
            counts = categorical.get(name, {})
            columns[name] = CategorySpec(_most_frequent(counts))
        else:
            columns[name] = SampledSpec(schema.features[name].dimension)
    return ProfileSpec(
        columns=columns,
        task=schema.task,
        prediction=schema.prediction.name if schema.prediction else None,
        score=schema.score.name if schema.score else None,
        label=schema.label.name if schema.label else None,
        positive=schema.positive,
        threshold=schema.threshold,
        collectors=tuple(collectors),
        sample_rows=sample_rows,
        redact=schema.redact,
        joins=schema.joins.path if schema.joins else "",
        options=options or {},
    )


def _most_frequent(counts: Mapping[str, int]) -> tuple[str, ...]:
    ordered: Sequence[tuple[str, int]] = sorted(
        counts.items(), key=lambda item: (-item[1], item[0])
    )
    return tuple(sorted(name for name, _ in ordered[:KNOWN]))
