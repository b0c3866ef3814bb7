"""Infers the schema of a model whose configuration has none, once, from a few records.

Every guess that a person may want to change is named in `doubts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from driftline.ingest.columns import row_marks, unstructured, vectors
from driftline.ingest.columns.bytes_as_text import as_text
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.column_names import (
    LABELS,
    MAKERS,
    SCORES,
    WEAK_LABELS,
    ColumnName,
    read_name,
)
from driftline.ingest.columns.date_formats import has_unclear_dates
from driftline.ingest.columns.roles import NO_ROLES, SHARE, DeclaredRoles, find_roles, holds_times
from driftline.ingest.columns.task_settings import find_task_settings
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.model import Field, Kind, Schema, Task

CODES = re.compile(
    r"(?i)(^|[_\s.-])(zip|zipcode|postal|postcode|code|area|region|branch|store|sku|type|class"
    r"|category|phone)$"
)
"""Names of columns whose numbers are often names."""
HTTP_STATUSES = frozenset(
    str(code)
    for first, count in ((200, 9), (300, 9), (400, 30), (500, 12))
    for code in (*range(first, first + count), 499)
)
MIN_ROWS = 20
"""Rows from which on a constant, an index or distinct texts are recognised."""
MAX_CATEGORIES = 100
"""Distinct values from which on a column may hold ids."""
_LABEL_NAMES = frozenset(name.replace("_", "") for name in LABELS if name not in WEAK_LABELS)
_SCORE_NAMES = frozenset(name.replace("_", "") for name in SCORES)
FLOATS_OF_A_NAME = 8
"""The most distinct floats of one name: rounded to 32 bits, with either sign of 0, and NaN."""
MAX_MODELS = 20
"""Distinct values up to which a column called `model` has names of models."""
SHOWN = 5
"""Columns that a doubt names."""


@dataclass(frozen=True, slots=True)
class InferredSchema:
    """An inferred schema, and sentences about guesses that a person should check."""

    schema: Schema
    doubts: list[str] = field(default_factory=list)
    positive: str = ""
    """The positive class of a binary model as the records spell it, such as `True`."""


@dataclass(frozen=True, slots=True)
class _NoInput:
    """Why a column is no input of the model."""

    reason: str
    is_sure: bool = False
    """Whether nobody needs to check it, or another sentence names the column."""


def infer_schema(
    records: Iterable[pa.RecordBatch],
    declared: Schema | None = None,
    named: Set[str] = frozenset(),
    roles: DeclaredRoles = NO_ROLES,
) -> InferredSchema:
    """Return the schema of these records, which come from the log or the reference.

    A declared schema is kept; its embeddings without a dimension get it from the records. Columns
    that are no input of a model are left out and named in the doubts: ids, counters, times,
    constants, facts about serving, more outputs of the model, and images. Those in `named` stay:
    options of checks name them, so somebody wants them to be judged. `roles` names outputs of the
    model where no schema is declared.
    """
    records = list(records)
    columns = _columns(records)
    schema, no_features = declared or Schema(), frozenset[str]()
    doubts: list[str] = []
    if declared is None:
        schema, no_features = find_roles(columns, doubts, roles)
        filled = {
            name: read_name(name)
            for name, array in columns.items()
            if array.null_count < len(array)
        }
        hints = find_task_settings(columns, filled, schema)
        doubts += hints.sentences
        no_features |= hints.columns
    used_paths = {part.path for part in schema.fields}
    if schema.features:
        return InferredSchema(
            replace(schema, features=dict(_with_dimensions(schema.features, columns))), doubts
        )
    features: dict[str, Field] = {}
    remaining = {
        name: array
        for name, array in columns.items()
        if name not in used_paths and array.null_count < len(array)
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
    left_out: dict[str, list[str]] = {}
    for name, array in remaining.items():
        if name in named and (plain := _plain_feature(name, array)) is not None:
            features[name] = plain
            continue
        if name in no_features:
            continue
        read = read_name(name)
        no_input = _mixed_models(name, records, doubts) or _why_no_input(read, array, schema)
        if no_input is not None:
            if not no_input.is_sure:
                left_out.setdefault(no_input.reason, []).append(name)
            continue
        feature = _feature(name, read, array, doubts)
        if feature is not None:
            features[name] = feature
    doubts += [_sentence(names, reason) for reason, names in left_out.items()]
    positive = _spelling(columns, schema) if schema.task is Task.BINARY else ""
    return InferredSchema(replace(schema, features=features), doubts, positive)


def _spelling(columns: Mapping[str, pa.Array], schema: Schema) -> str:
    """Return a value of the label or prediction that is the positive class."""
    for part in (schema.label, schema.prediction):
        if part is None or not schema.positive:
            continue
        names, _ = to_categorical(columns[part.path])
        place = pc.index(names.cast(pa.string()), schema.positive).as_py()
        if place >= 0:
            value = columns[part.path][place].as_py()
            return str(value).lower() if isinstance(value, bool) else str(value)
    return schema.positive


def _sentence(names: list[str], reason: str) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    is_one = len(names) == 1
    return (
        f"{', '.join(names[:SHOWN])}{more} {'is' if is_one else 'are'} left out: {reason}; make "
        f"{'it a feature if it is an input' if is_one else 'each a feature that is an input'} of "
        "the model"
    )


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
            if not unstructured.is_image(array):
                array = as_text(array)[0]
            if name not in columns or columns[name].null_count == len(columns[name]):
                columns[name] = array
    return columns


def _mixed_models(
    name: str, records: Sequence[pa.RecordBatch], doubts: list[str]
) -> _NoInput | None:
    """Return why a column with the names of several models is no input; None for another one."""
    read = read_name(name)
    if not read.is_model:
        return None
    models: set[str] = set()
    for batch in records:
        if name in batch.schema.names:
            names, _ = to_categorical(as_text(batch.column(name))[0])
            models.update(names.cast(pa.string()).drop_null().unique().to_pylist())
    others = {read_name(other).joined for batch in records for other in batch.schema.names}
    if read.joined == "model" and (others & MAKERS or len(models) > MAX_MODELS):
        return None
    if len(models) < 2:
        return _NoInput("the name of the model", is_sure=read.is_place or read.joined == "model")
    more = f" and {len(models) - SHOWN} more" if len(models) > SHOWN else ""
    doubts.append(
        f"{name} has the names of several models ({', '.join(sorted(models)[:SHOWN])}{more}), "
        "whose records are mixed here: give each model a source of its own, such as a folder; or "
        f"make {name} a feature and list it in schema.segments"
    )
    return _NoInput("the names of several models", is_sure=True)


def _why_no_input(name: ColumnName, array: pa.Array, schema: Schema) -> _NoInput | None:
    """Return why a column is no input of the model; None for one that may be an input."""
    if name.is_place:
        return _NoInput("where the record was written", is_sure=True)
    reason = _no_input_reason(name, array, schema)
    return _NoInput(reason) if reason else None


def _no_input_reason(name: ColumnName, array: pa.Array, schema: Schema) -> str:
    """Return the reason in words; empty for a column that may be an input."""
    if name.serving_fact:
        return name.serving_fact
    if name.is_row_id:
        return "called like an id"
    if name.is_time or holds_times(name, array) or has_unclear_dates(array):
        return "times"
    is_role = schema.prediction is not None or schema.score is not None
    if _has_addresses(array):
        return "addresses of other data"
    is_score = (
        name.is_probability
        or name.is_class_score
        or name.is_unnamed_output
        or name.joined in _SCORE_NAMES
    )
    is_decision = name.is_decision and schema.score is not None
    if not name.is_input and (name.is_prediction or is_decision or (is_score and is_role)):
        return "another output of the model"
    if not name.is_input and schema.label is not None and name.joined in _LABEL_NAMES:
        return "another label"
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        return ""
    values, wrong = to_numeric(array)
    numbers = values.drop_null()
    names = _Names(array)
    rows = len(array) - array.null_count
    is_numeric = wrong is None and len(numbers) > 0 and not pa.types.is_boolean(array.type)
    if is_numeric:
        if row_marks.is_counter(numbers.to_numpy(zero_copy_only=False)):
            return "the values rise or fall from row to row, as those of counters and times do"
        if name.words[-1] in {"status", "code", "http"}:
            statuses = set(names.all.to_pylist())
            if "200" in statuses and statuses <= HTTP_STATUSES:
                return "status codes"
    if name.is_index and (names.count == rows or rows < MIN_ROWS or not name.joined):
        return "called like the number of a row"
    if name.is_id and names.count > min(MAX_CATEGORIES, 0.5 * rows):
        return "called like an id, with many values"
    if row_marks.is_code(array):
        return "each row has another code"
    if names.is_one() and rows >= MIN_ROWS and not unstructured.is_image(array):
        return "one value only"
    return ""


class _Names:
    """The categories that the values of a column are, made when they are asked for.

    Writing the canonical form of many distinct floats takes long.
    """

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    @cached_property
    def all(self) -> pa.Array:
        """The distinct names."""
        return to_categorical(self._array)[0].dictionary

    @property
    def count(self) -> int:
        """The number of distinct names."""
        return len(self.all)

    def is_one(self) -> bool:
        """Return whether there is one name."""
        if pa.types.is_floating(self._array.type):
            distinct: int = pc.count_distinct(self._array, mode="only_valid").as_py()
            if distinct > FLOATS_OF_A_NAME:
                return False
        return self.count == 1


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


def _feature(name: str, read: ColumnName, array: pa.Array, doubts: list[str]) -> Field | None:
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
    kind = _kind(name, read, array, doubts)
    return None if kind is None else Field(name, name, kind)


def _kind(name: str, read: ColumnName, array: pa.Array, doubts: list[str]) -> Kind | None:
    rows = len(array) - array.null_count
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        return None
    values, wrong = to_numeric(array)
    numbers = len(values) - values.null_count
    others = 0 if wrong is None else int(wrong.sum())
    text = is_text_type(array.type) or pa.types.is_dictionary(array.type)
    names = _Names(array)
    is_numeric = numbers and numbers >= SHARE * (numbers + others)
    if is_numeric and ((read.is_id and names.count > 2) or _has_leading_zeros(array)):
        doubts.append(
            f"{name} is taken as categorical: its numbers look like codes; make it numeric if they "
            "are amounts"
        )
        return Kind.CATEGORICAL
    if is_numeric and not pa.types.is_boolean(array.type):
        if text and names.count > MAX_CATEGORIES and names.count > 0.9 * rows:
            doubts.append(
                f"{name} is taken as numeric: text that reads as {names.count} distinct numbers; "
                "is it an id?"
            )
        elif CODES.search(name) and names.count > 2:
            doubts.append(
                f"{name} looks numeric, {names.count} distinct values; if they are codes, make it "
                "categorical"
            )
        return Kind.NUMERIC
    distinct = names.count
    if (distinct > MAX_CATEGORIES / 2 and distinct > 0.5 * rows) or distinct == rows >= MIN_ROWS:
        doubts.append(
            f"{name} is left out: {distinct} distinct values in {rows} rows look like ids or free "
            "text"
        )
        return None
    return Kind.CATEGORICAL


def _has_addresses(array: pa.Array) -> bool:
    """Whether all values are addresses such as `gs://bucket/cat.jpg`."""
    if not is_text_type(array.type):
        return False
    return bool(pc.all(pc.match_substring_regex(array, r"^[a-z][a-z0-9+]*://\S+$")).as_py())


def _has_leading_zeros(array: pa.Array) -> bool:
    """Whether some values are whole numbers of text that begin with 0, as postcodes do."""
    if not is_text_type(array.type):
        return False
    return bool(pc.any(pc.match_substring_regex(array, r"^0[0-9]+$")).as_py())
