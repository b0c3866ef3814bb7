"""Recognises columns that only some tasks have, and names the settings that they need.

These are sets of classes, probabilities of classes, groups of ranked items, horizons and series of
forecasts, and the ends of prediction intervals. The name of a column suggests what it is; its
values must fit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.column_names import LABELS, PREDICTIONS, ColumnName
from driftline.ingest.columns.label_set_names import SEPARATOR
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.model import Field, Schema, Task

MAX_CLASSES = 100
"""Distinct classes of sets up to which a column holds sets of classes."""
MIN_SETS = 0.05
"""Share of the texts that must have the separator."""
GROUP_ROWS = 1.5
"""Rows of a group, on average, from which on its items may be ranked."""
GROUPS = frozenset(("query", "qid", "search", "session", "impression"))
"""Words of the names of groups of ranked items."""
USERS, ITEMS = frozenset(("user", "visitor")), frozenset(("item", "product", "doc", "document"))
"""Words of the names of users, which are groups where a column has items beside them."""
RELEVANCES = frozenset(("relevance", "clicked", "click", "grade", "rating"))
HORIZONS = frozenset(("horizon", "h", "lead", "leadtime", "stepsahead", "daysahead"))
SERIES = frozenset(("series", "seriesid", "uniqueid", "tsid", "timeseries"))
LOWER, UPPER = frozenset(("lower", "low", "lo")), frozenset(("upper", "high", "hi"))
CHANCES = frozenset(("p", "prob", "probs", "proba", "probability", "probabilities", "scores"))
"""Words of the names of probabilities."""
MAX_HORIZON = 1_000
"""The largest horizon, in steps."""
Names = Mapping[str, ColumnName]
Columns = Mapping[str, pa.Array]


class Hints(NamedTuple):
    """What columns of one task suggest."""

    sentences: tuple[str, ...]
    columns: frozenset[str]
    """Outputs of the model that are no features."""


def find_class_sets(columns: Columns, names: Names) -> tuple[str | None, str | None]:
    """Return the columns of the predicted and the true sets of classes; None where none is."""
    sets = [
        name
        for name, read in names.items()
        if not read.is_input and _holds_class_sets(columns[name])
    ]
    exact = [name for name in sets if names[name].joined in _joined(PREDICTIONS)]
    predicted = [*exact, *(name for name in sets if names[name].is_prediction)]
    if not predicted:
        return None, None
    others = [name for name in sets if name != predicted[0]]
    labels = [name for name in others if names[name].joined in _joined(LABELS)]
    labels += [name for name in others if names[name].stem == names[predicted[0]].stem]
    return predicted[0], next(iter(labels), others[0] if len(others) == 1 else None)


def find_task_settings(columns: Columns, names: Names, schema: Schema) -> Hints:
    """Return the settings that the columns suggest, and the outputs among them."""
    output = schema.prediction or schema.score
    if output is None:
        return Hints((), frozenset())
    sentences: list[str] = []
    outputs: set[str] = set()
    free = {name: read for name, read in names.items() if name not in _roles(schema)}
    if schema.task in (Task.BINARY, Task.REGRESSION):
        sentences += _describe_ranking(columns, free, schema, output)
    if schema.task is Task.REGRESSION:
        sentences += _describe_forecast(columns, free)
        ends = _find_interval_ends(columns, free, names[output.name])
        if ends is not None:
            outputs.update(ends)
            sentences.append(
                f"{ends[0]} and {ends[1]} look like the ends of a prediction interval: set lower: "
                f"{ends[0]}, upper: {ends[1]} and coverage in schema.prediction"
            )
    if schema.task is Task.MULTICLASS:
        classes, _ = to_categorical(columns[output.path])
        places, class_columns = _find_class_places(
            columns, free, sorted(classes.dictionary.to_pylist())
        )
        outputs.update(class_columns)
        if places:
            pairs = ", ".join(f"{name}: {json.dumps(place)}" for name, place in places.items())
            sentences.append(
                "the probabilities of the classes are in the records: set probabilities: "
                f"{{{pairs}}} in schema.prediction if these are their places"
            )
    return Hints(tuple(sentences), frozenset(outputs))


def _describe_ranking(
    columns: Columns, names: Names, schema: Schema, output: Field
) -> Iterator[str]:
    """Yield the settings of a ranking where rows have groups and the model gives scores."""
    has_items = any(ITEMS.intersection(read.words) for read in names.values())
    words = GROUPS | (USERS if has_items else frozenset())
    group = next(
        (
            name
            for name, read in names.items()
            if words.intersection(read.words) and _is_group(columns[name])
        ),
        None,
    )
    if group is None:
        return
    relevance = schema.label.name if schema.label else None
    if relevance is None:
        relevances = (name for name, read in names.items() if RELEVANCES.intersection(read.words))
        relevance = next(relevances, None)
    label = f", label: {{column: {relevance}}}" if relevance else ""
    yield (
        f"{group} looks like the query or user whose items are ranked: if the model ranks, set "
        f"group: {group}, prediction: {{kind: ranking, column: {output.name}}}{label} in schema"
    )


def _describe_forecast(columns: Columns, names: Names) -> Iterator[str]:
    """Yield the settings of a forecast: its horizon and its series."""
    horizon = next(
        (
            name
            for name, read in names.items()
            if (read.joined in HORIZONS or "horizon" in read.words) and _is_horizon(columns[name])
        ),
        None,
    )
    series = next(
        (
            name
            for name, read in names.items()
            if read.joined in SERIES and _is_group(columns[name])
        ),
        None,
    )
    settings = {"horizon": horizon, "series": series}
    parts = {setting: name for setting, name in settings.items() if name is not None}
    if parts:
        names_of_parts = " and ".join(parts.values())
        verb = "looks" if len(parts) == 1 else "look"
        settings_text = ", ".join(f"{setting}: {name}" for setting, name in parts.items())
        yield (
            f"{names_of_parts} {verb} like part of a forecast: if the model forecasts, set "
            f"{settings_text} in schema"
        )


def _find_interval_ends(
    columns: Columns, names: Names, prediction: ColumnName
) -> tuple[str, str] | None:
    """Return the columns of the ends of a prediction interval; None without them."""
    ends: list[str] = []
    for words in (LOWER, UPPER):
        for name, read in names.items():
            rest = [word for word in read.words if word not in words]
            is_end = len(rest) < len(read.words)
            if is_end and rest in ([], list(prediction.words)) and _is_numeric(columns[name]):
                ends.append(name)
                break
    return (ends[0], ends[1]) if len(ends) == 2 else None


def _find_class_places(
    columns: Columns, names: Names, classes: list[str]
) -> tuple[Mapping[str, str], Set[str]]:
    """Return the place of each class's probability, and their columns; empty without them."""
    chances = [name for name, read in names.items() if CHANCES.intersection(read.words)]
    for name in chances:
        kind = columns[name].type
        if pa.types.is_list(kind) and pa.types.is_floating(kind.value_type):
            return {class_name: f"{name}[{place}]" for place, class_name in enumerate(classes)}, {
                name
            }
    by_class = {
        class_name: name
        for name in chances
        for class_name in classes
        if names[name].words[-1] == class_name.lower() and _is_numeric(columns[name])
    }
    is_complete = len(by_class) == len(classes)
    return (by_class, set(by_class.values())) if is_complete else ({}, set())


def _holds_class_sets(array: pa.Array) -> bool:
    """Whether the values are lists of names, their JSON, or texts such as `news|sport`."""
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return bool(is_text_type(kind.value_type))
    if not is_text_type(kind):
        return False
    texts = [text for text in array.drop_null().to_pylist() if text.strip()]
    if texts and all(text.lstrip().startswith("[") for text in texts):
        return all(map(_is_list_of_names, texts))
    with_separator = sum(SEPARATOR in text for text in texts)
    if with_separator < max(1.0, MIN_SETS * len(texts)):
        return False
    return len({part for text in texts for part in text.split(SEPARATOR)}) <= MAX_CLASSES


def _is_list_of_names(text: str) -> bool:
    try:
        items = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(items, list) and all(isinstance(item, str) for item in items)


def _is_group(array: pa.Array) -> bool:
    """Whether values stand in several rows each, and there are at least two."""
    if pa.types.is_nested(array.type):
        return False
    distinct, rows = pc.count_distinct(array).as_py(), len(array) - array.null_count
    return bool(distinct >= 2 and rows >= GROUP_ROWS * distinct)


def _is_horizon(array: pa.Array) -> bool:
    """Whether the values are a few whole numbers from 0 on."""
    if not _is_numeric(array):
        return False
    values = to_numeric(array)[0].drop_null()
    span = pc.min_max(values).as_py()
    return bool(
        0 <= span["min"] <= span["max"] <= MAX_HORIZON
        and pc.all(pc.equal(pc.floor(values), values)).as_py()
    )


def _is_numeric(array: pa.Array) -> bool:
    if pa.types.is_nested(array.type) or array.null_count == len(array):
        return False
    values, wrong = to_numeric(array)
    return wrong is None and values.null_count < len(values)


def _roles(schema: Schema) -> set[str]:
    outputs = (schema.prediction, schema.score, schema.label)
    parts = (schema.timestamp, schema.id, schema.version, *outputs)
    return {part.name for part in parts if part is not None}


def _joined(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.replace("_", "") for name in names)
