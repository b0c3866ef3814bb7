"""Infers what is compared from the reference, and says what is left out."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.comparison.tables import OpenTable
from driftline.ingest.columns.infer import infer_schema
from driftline.ingest.columns.roles import DeclaredRoles
from driftline.ingest.reference.from_profiles import header_schema
from driftline.kit.decoding.repeated_columns import repeated_columns
from driftline.profiles.label_classes import listing
from driftline.types.errors import ComparisonError
from driftline.types.model import Field, Kind, Schema

SAMPLE = 500
"""Rows at the start of a batch, and rows all over it, that the schema is inferred from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRoles:
    """The columns that a person names; what is absent is inferred from the reference."""

    label: str | None = None
    prediction: str | None = None
    score: str | None = None
    """The probability of the positive class."""
    segments: tuple[str, ...] = ()
    """Columns whose categories are compared separately as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedColumns:
    """The columns of two tables, by what happens with them."""

    schema: Schema
    """Of those that are compared."""
    added: tuple[str, ...]
    """Columns that only the current table has."""
    removed: tuple[str, ...]
    """Columns that only the reference has."""
    left_out: tuple[str, ...]
    """Columns of both that are not compared, such as ids and times."""
    doubts: tuple[str, ...]
    """Sentences about guesses that a person should check."""


def find_compared_columns(
    reference: OpenTable, current: OpenTable, roles: ColumnRoles
) -> ComparedColumns:
    """Infer the schema of a comparison from the first records of the reference.

    A column with one value stays: in the current table it may have others. Raises ComparisonError
    when a named column is absent, or when the tables have no column in common.
    """
    check_roles(roles, reference, current)
    common = set(reference.columns) & set(current.columns)
    if not common:
        raise ComparisonError(
            f"the tables have no column in common: {reference.name} has "
            f"{listing(reference.columns)}; {current.name} has {listing(current.columns)}"
        )
    schema, doubts = _profiled_schema(reference, current, roles), list[str]()
    if schema is None:
        schema, doubts = infer_compared_schema(reference.batches, roles)
        schema, lost = _without_removed(schema, common)
        doubts = [*doubts, *lost]
    input_columns = {
        path
        for part in schema.fields
        for path in (part.path, *(element.path for element in part.input_fields))
    }
    if not common & input_columns:
        raise ComparisonError(
            f"nothing to compare: of the common columns {listing(sorted(common))} none is an input "
            "or output of a model: they are ids, times, or the same text nowhere twice"
        )
    return ComparedColumns(
        schema=schema,
        added=tuple(name for name in current.columns if name not in common),
        removed=tuple(name for name in reference.columns if name not in common),
        left_out=tuple(
            name for name in reference.columns if name in common and name not in input_columns
        ),
        doubts=(
            *_repeated(reference),
            *_repeated(current),
            # The others ask for settings of a configuration, which a comparison does not have.
            *(doubt for doubt in doubts if "schema." not in doubt),
        ),
    )


def check_roles(roles: ColumnRoles, *tables: OpenTable) -> None:
    """Raise ComparisonError when a table lacks a column that a person named."""
    for option, names in (
        ("label", (roles.label,)),
        ("prediction", (roles.prediction,)),
        ("score", (roles.score,)),
        ("segment", roles.segments),
    ):
        for name in names:
            for table in tables:
                if name is not None and name not in table.columns:
                    raise ComparisonError(
                        f"{option}: {table.name} has no column {name!r}; it has "
                        f"{listing(table.columns)}"
                    )


def infer_compared_schema(
    batches: Sequence[pa.RecordBatch], roles: ColumnRoles
) -> tuple[Schema, list[str]]:
    """Return the schema of the first records of a table, without times and ids, and the doubts."""
    declared = DeclaredRoles(label=roles.label, prediction=roles.prediction, score=roles.score)
    samples = [_sample(batch) for batch in batches]
    inference = infer_schema(
        samples,
        named=frozenset((*_constants(samples), *roles.segments)),
        roles=declared,
    )
    schema = replace(inference.schema, timestamp=None, id=None, version=None)
    schema = replace(
        schema,
        features={
            name: replace(part, kind=Kind.CATEGORICAL) if name in roles.segments else part
            for name, part in schema.features.items()
        },
        segments=roles.segments,
    )
    return schema, inference.doubts


def _without_removed(schema: Schema, common: Set[str]) -> tuple[Schema, list[str]]:
    """Leave out the columns that only the reference has: they are listed as removed.

    Also returns a sentence where the metrics of the model can't be compared without them.
    """

    def stays(part: Field | None) -> bool:
        return part is not None and any(field.path in common for field in part.input_fields)

    roles = (schema.label, schema.prediction, schema.score)
    label, prediction, score = (part if stays(part) else None for part in roles)
    lost = [part.path for part in roles if part is not None and not stays(part)]
    had_metrics = schema.label is not None and (schema.prediction or schema.score)
    sentences = [
        f"the metrics of the model are not compared: only the reference has {listing(lost)}"
    ]
    return replace(
        schema,
        features={name: part for name, part in schema.features.items() if stays(part)},
        label=label,
        prediction=prediction,
        score=score,
    ), sentences if had_metrics and lost else []


def _profiled_schema(reference: OpenTable, current: OpenTable, roles: ColumnRoles) -> Schema | None:
    """Return the schema of the profiles among the tables, of the reference first; else None.

    Raises ComparisonError when the profiles have other roles than those that are named.
    """
    for table in (reference, current):
        if table.profiled is None:
            continue
        schema = header_schema(table.profiled)
        for option, name, part in (
            ("label", roles.label, schema.label),
            ("prediction", roles.prediction, schema.prediction),
            ("score", roles.score, schema.score),
        ):
            if name is not None and (part is None or part.path != name):
                raise ComparisonError(
                    f"{option}: {table.name} was profiled without it: name {name!r} in "
                    "driftline.profile, too"
                )
        if roles.segments and roles.segments != schema.segments:
            raise ComparisonError(
                f"segment: {table.name} was profiled with "
                f"{listing(schema.segments) if schema.segments else 'no segments'}: name the "
                "segments in driftline.profile"
            )
        return replace(schema, timestamp=None, id=None, version=None)
    return None


def _repeated(table: OpenTable) -> list[str]:
    """Return a sentence for each name that several columns of a file have."""
    return [
        f"{table.name} has more than one column {name!r}: the first one is compared"
        for name in repeated_columns(table.batches)
    ]


def _sample(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the first rows, and rows from all over the batch, which may be sorted; in order."""
    rows = np.concatenate((np.arange(min(SAMPLE, len(batch))), _spread(len(batch))))
    return batch.take(pa.array(np.unique(rows)))


def _spread(rows: int) -> NDArray[np.int64]:
    return np.linspace(0, max(rows - 1, 0), min(SAMPLE, rows)).astype(np.int64)


def _constants(batches: Sequence[pa.RecordBatch]) -> set[str]:
    """Return the columns that have one value, a number or a text, in all of these records."""
    values: dict[str, set[object]] = {}
    for batch in batches:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_nested(array.type) or pa.types.is_temporal(array.type):
                continue
            examples = values.setdefault(name, set())
            if len(examples) <= 1:
                distinct = pc.unique(array.drop_null())
                examples.update(distinct.slice(0, 2).to_pylist())
    return {name for name, examples in values.items() if len(examples) == 1}
