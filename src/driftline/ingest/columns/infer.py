"""Infers the schema of a model whose configuration has none, once, from a few records.

Every guess that a person may want to change is named in `doubts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from driftline.ingest.columns import row_marks, unstructured, vectors
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.timestamps import to_micros
from driftline.ingest.columns.usual_names import (
    IDS,
    LABELS,
    PLACES,
    PREDICTIONS,
    SCORES,
    TIMES,
    VERSIONS,
)
from driftline.profiles.categories import count_categories
from driftline.profiles.label_classes import find_classes
from driftline.types.model import Field, Kind, Schema, Task

CODES = re.compile(
    r"(?i)(^|[_\s.-])(zip|zipcode|postal|postcode|code|area|region|branch|store|sku|ids?|type|class"
    r"|category|phone)$|_id$"
)
"""Names of columns whose numbers are often names."""
SHARE = 0.95
"""The share of values that must read as numbers for a column of text to be numeric."""
FEW, MANY = 20, 100


@dataclass(frozen=True, slots=True)
class InferredSchema:
    """An inferred schema, and sentences about guesses that a person should check."""

    schema: Schema
    doubts: list[str] = field(default_factory=list)


def infer_schema(
    records: Iterable[pa.RecordBatch],
    declared: Schema | None = None,
    named: Set[str] = frozenset(),
) -> InferredSchema:
    """The schema of these records, which come from the log or the reference.

    A declared schema is kept; its embeddings without a dimension get it from the records. Columns
    that look like ids or images are left out and named in the doubts, except those in `named`:
    options of checks name them, so somebody wants them to be judged.
    """
    columns = _columns(records)
    schema = declared or Schema()
    doubts: list[str] = []
    if declared is None:
        schema = _roles(columns, doubts)
    used_paths = {part.path for part in schema.fields}
    if schema.features:
        return InferredSchema(
            replace(schema, features=dict(_with_dimensions(schema.features, columns))), doubts
        )
    features: dict[str, Field] = {}
    remaining = {
        name: array
        for name, array in columns.items()
        if name not in used_paths and (name in named or not _is_metadata(name))
    }
    for part in unstructured.find_embedding_columns(remaining):
        features[part.name] = part
        doubts.append(
            f"{part.path} is taken as an embedding; if these are {part.dimension} features, make "
            "each numeric"
        )
        remaining = {
            name: array for name, array in remaining.items() if name not in part.element_paths
        }
    for name, array in remaining.items():
        feature = _plain_feature(name, array) if name in named else None
        feature = feature or _feature(name, array, doubts)
        if feature is not None:
            features[name] = feature
    return InferredSchema(replace(schema, features=features), doubts)


def _with_dimensions(
    features: Mapping[str, Field], columns: Mapping[str, pa.Array]
) -> Iterator[tuple[str, Field]]:
    """The features; embeddings get the dimension that most of their vectors have."""
    for name, part in features.items():
        if part.kind is Kind.EMBEDDING and not part.dimension and part.path in columns:
            part = replace(part, dimension=vectors.most_frequent_dimension([columns[part.path]]))
        yield name, part


def _columns(records: Iterable[pa.RecordBatch]) -> Mapping[str, pa.Array]:
    columns: dict[str, pa.Array] = {}
    for batch in records:
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if name not in columns or columns[name].null_count == len(columns[name]):
                columns[name] = array
    return columns


def _is_metadata(name: str) -> bool:
    return name.lower() in (*IDS, *TIMES, *PLACES, *VERSIONS)


def _roles(columns: Mapping[str, pa.Array], doubts: list[str]) -> Schema:
    lower = {name.lower(): name for name in reversed(list(columns))}

    def first(names: tuple[str, ...]) -> str | None:
        return next(
            (
                lower[name]
                for name in names
                if name in lower and columns[lower[name]].null_count < len(columns[lower[name]])
            ),
            None,
        )

    stamp = next(
        (name for name, array in columns.items() if pa.types.is_timestamp(array.type)), None
    ) or first(TIMES)
    if stamp is None or not to_micros(columns[stamp])[1].any():
        stamp = next((name for name, array in columns.items() if _is_time(array)), None)
    if stamp is None:
        doubts.append(
            "no column with times was found: each row counts at its object's last change; set "
            "schema.timestamp"
        )
    identity, version = first(IDS), first(VERSIONS)
    prediction, score, label = first(PREDICTIONS), first(SCORES), first(LABELS)
    task = _task(columns, prediction, score, label)
    if (
        task is Task.BINARY
        and score is None
        and prediction is not None
        and _is_share(columns[prediction])
    ):
        score, prediction = prediction, None
        doubts.append(
            f"{score} looks like a probability: predictions are taken to be positive from 0.5 on"
        )
    positive = "1"
    if task is Task.BINARY:
        classes = find_classes("", *(_value_counts(columns, name) for name in (label, prediction)))
        positive = classes.positive
        if classes.reason:
            doubts.append(classes.reason)
    target_kind = Kind.NUMERIC if task is Task.REGRESSION else Kind.CATEGORICAL
    return Schema(
        timestamp=_plain(stamp),
        id=_plain(identity),
        version=_plain(version),
        prediction=None
        if prediction is None or task is None
        else Field(prediction, prediction, target_kind),
        score=None if score is None else Field(score, score, Kind.NUMERIC),
        label=None if label is None or task is None else Field(label, label, target_kind),
        task=task,
        positive=positive,
    )


def _value_counts(columns: Mapping[str, pa.Array], name: str | None) -> Mapping[str, int]:
    """Return the rows by category of a column; empty without the column."""
    return {} if name is None else dict(count_categories(to_categorical(columns[name])[0]))


def _plain(name: str | None) -> Field | None:
    return None if name is None else Field(name, name)


def _is_time(array: pa.Array) -> bool:
    """Whether all values of a column of text are dates with times."""
    if not pa.types.is_string(array.type) or array.null_count == len(array):
        return False
    all_dates = pc.all(pc.match_substring_regex(array, r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d")).as_py()
    return bool(all_dates) and bool(to_micros(array)[1].any())


def _is_share(array: pa.Array) -> bool:
    values, wrong = to_numeric(array)
    span = pc.min_max(values).as_py()
    few = pc.count_distinct(values).as_py() <= 2
    return (
        wrong is None
        and not few
        and span["min"] is not None
        and span["min"] >= 0
        and span["max"] <= 1
    )


def _task(
    columns: Mapping[str, pa.Array], prediction: str | None, score: str | None, label: str | None
) -> Task | None:
    if score is not None:
        return Task.BINARY
    target = label or prediction
    if target is None:
        return None
    distinct = pc.count_distinct(to_categorical(columns[target])[0].cast(pa.string())).as_py()
    if prediction is not None and _is_share(columns[prediction]):
        return Task.BINARY
    if distinct <= 2:
        return Task.BINARY
    values, wrong = to_numeric(columns[target])
    return (
        Task.REGRESSION
        if wrong is None and distinct > FEW and values.null_count < len(values)
        else Task.MULTICLASS
    )


def _plain_feature(name: str, array: pa.Array) -> Field | None:
    """The feature that a column of numbers or categories is, whatever its values look like."""
    if pa.types.is_nested(array.type) or array.null_count == len(array):
        return None
    values, wrong = to_numeric(array)
    numbers = len(values) - values.null_count
    others = 0 if wrong is None else int(wrong.sum())
    is_numeric = numbers and numbers >= SHARE * (numbers + others)
    is_numeric = is_numeric and not pa.types.is_boolean(array.type)
    return Field(name, name, Kind.NUMERIC if is_numeric else Kind.CATEGORICAL)


def _feature(name: str, array: pa.Array, doubts: list[str]) -> Field | None:
    values = array.dictionary.take(array.indices) if pa.types.is_dictionary(array.type) else array
    size = unstructured.vector_size(values)
    if size:
        return Field(name, name, Kind.EMBEDDING, size)
    if unstructured.is_image(values):
        doubts.append(f"{name} is left out: it looks like images; make it an image to watch these")
        return None
    if unstructured.is_prose(values):
        doubts.append(
            f"{name} is taken as text: its length, script and single words are watched; redact it "
            "if these are secret"
        )
        return Field(name, name, Kind.TEXT)
    kind = _kind(name, array, doubts)
    return None if kind is None else Field(name, name, kind)


def _row_mark(values: pa.Array) -> str:
    """Return what says that a column of numbers names its rows; empty when nothing does."""
    numbers = values.drop_null().to_numpy(zero_copy_only=False)
    if row_marks.is_rising_id(numbers):
        return "its values rise from row to row, as those of ids and times do"
    return "its values look like times since 1970" if row_marks.is_epoch(numbers) else ""


def _kind(name: str, array: pa.Array, doubts: list[str]) -> Kind | None:
    rows = len(array) - array.null_count
    if (
        not rows
        or pa.types.is_nested(array.type)
        or pa.types.is_timestamp(array.type)
        or pa.types.is_binary(array.type)
    ):
        return None
    values, wrong = to_numeric(array)
    numbers = len(values) - values.null_count
    others = 0 if wrong is None else int(wrong.sum())
    text = (
        pa.types.is_string(array.type)
        or pa.types.is_dictionary(array.type)
        or pa.types.is_large_string(array.type)
    )
    names, _ = to_categorical(array)
    distinct = len(names.dictionary)
    if mark := _row_mark(values):
        doubts.append(f"{name} is left out: {mark}; make it numeric if it is an input of the model")
        return None
    is_numeric = numbers and numbers >= SHARE * (numbers + others)
    if is_numeric and not pa.types.is_boolean(array.type):
        if text and distinct > MANY and distinct > 0.9 * rows:
            doubts.append(
                f"{name} is taken as numeric: text that reads as {distinct} distinct numbers; is "
                "it an id?"
            )
        elif CODES.search(name) and distinct > 2:
            doubts.append(
                f"{name} looks numeric, {distinct} distinct values; if they are codes, make it "
                "categorical"
            )
        return Kind.NUMERIC
    if distinct > MANY and distinct > 0.5 * rows:
        doubts.append(
            f"{name} is left out: {distinct} distinct values in {rows} rows look like ids or free "
            "text"
        )
        return None
    return Kind.CATEGORICAL
