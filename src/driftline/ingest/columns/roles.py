"""Finds the roles of columns in a few records: time, id, version, prediction, score and label.

The name of a column suggests its role; its type and values must fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.ingest.columns import row_marks, unstructured
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.ingest.columns.column_names import (
    IDS,
    LABELS,
    OUTCOMES,
    PREDICTIONS,
    SCORES,
    TIMES,
    VERSIONS,
    WEAK_LABELS,
    ColumnName,
    read_name,
)
from driftline.ingest.columns.date_formats import fitting_date_formats, has_unclear_dates
from driftline.ingest.columns.task_settings import find_class_sets
from driftline.ingest.columns.timestamps import to_micros
from driftline.kit.decoding.plain_types import is_text_type
from driftline.profiles.categories import count_categories
from driftline.profiles.label_classes import find_classes, is_unknown, listing
from driftline.types.model import Field, Kind, Schema, Task
from driftline.types.time_form import TimeForm

MAX_CLASSES = 20
"""Distinct whole numbers up to which labels or predictions are classes."""
MAX_TEXT_CLASSES = 100
"""Distinct texts from which on a column may hold ids or free text."""
SHARE = 0.95
"""The share of values that must be alike."""
BIRTHS = frozenset(("birth", "born", "dob", "signup", "joined", "expiry", "expires", "due"))
"""Words of times that are facts about a person or a thing, not the time of the row."""
MIN_CLASS_SCORES = 5
"""Distinct scores of each class from which on two classes are compared."""
Columns = Mapping[str, pa.Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TimeColumn:
    """The column with the time of a row."""

    name: str | None = None
    """None where no column can be read as times."""
    form: TimeForm = field(default_factory=TimeForm)
    unread: str | None = None
    """A column whose times can't be read, where no other one has times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredRoles:
    """The columns of a model's outputs that a person names; None where the records decide."""

    prediction: str | None = None
    score: str | None = None
    label: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are named."""
        return tuple(name for name in (self.prediction, self.score, self.label) if name is not None)


NO_ROLES = DeclaredRoles()


def find_roles(
    columns: Columns, doubts: list[str], declared: DeclaredRoles = NO_ROLES
) -> tuple[Schema, frozenset[str]]:
    """Return a schema without features, and columns that are no features though they have no role.

    Guesses that a person should check go to `doubts`; they name these columns. The roles that are
    `declared` are kept.
    """
    names = {
        name: read_name(name) for name, array in columns.items() if array.null_count < len(array)
    }
    stamp = _find_time(columns, names, doubts)
    outputs = {name: read for name, read in names.items() if name != stamp.name}
    free = {name: read for name, read in outputs.items() if name not in declared.columns}
    # With a declared score, a decision is looked for below: it is taken by that score.
    prediction = declared.prediction
    predicted_sets = true_sets = None
    if declared == NO_ROLES:
        predicted_sets, true_sets = find_class_sets(columns, free)
    if prediction is None and declared.score is None:
        prediction = predicted_sets or _find_prediction(columns, free)
    score = declared.score
    if score is None:
        others = {name: read for name, read in outputs.items() if name != declared.label}
        score = _find_score(columns, others, prediction)
    if prediction is None and score is None:
        prediction, score = _find_unnamed_outputs(columns, outputs, doubts)
    label = declared.label or true_sets
    if label is None and predicted_sets is None:
        label = _find_label(columns, outputs, prediction, score)
    positive, unused = "", None
    if prediction is None and score is not None:
        decision, positive = _find_decision(columns, outputs, score, label, doubts)
        prediction, unused = (decision, None) if positive else (None, decision)
        if prediction is not None and not has_probabilities(columns[score]):
            doubts.append(f"{score} is left out: no probability, which is 0 to 1")
            score = None
    if prediction is None and score is None and label is None:
        prediction, score, label = _find_letters(columns, outputs)
    has_classes = sum(read.is_class_score for read in names.values()) > 2
    task = _task(columns, prediction, score, label) if predicted_sets is None else Task.MULTILABEL
    if has_classes and task is Task.BINARY and label is None and prediction is not None:
        task = Task.MULTICLASS
    if task is Task.REGRESSION and prediction is None and score is not None:
        prediction, score = score, None
    if task is not Task.BINARY:
        score = None
    if (
        task is Task.BINARY
        and score is None
        and prediction is not None
        and has_varied_probabilities(columns[prediction])
    ):
        score, prediction = prediction, None
        doubts.append(
            f"{score} looks like a probability: predictions are taken to be positive from 0.5 on"
        )
    if task is not Task.BINARY:
        positive = "1"
    elif not positive:
        classes = find_classes("", *(value_counts(columns, name) for name in (label, prediction)))
        positive = classes.positive
        if classes.reason:
            doubts.append(classes.reason)
    target_kind = Kind.NUMERIC if task is Task.REGRESSION else Kind.CATEGORICAL
    identity = _find_id(columns, names)
    if prediction is None and score is None and names.keys() - {stamp.name, identity, label}:
        doubts.append(
            "no column is known as the prediction: name it in schema.prediction, if there is one"
        )
    schema = Schema(
        timestamp=_plain(stamp.name),
        time_form=stamp.form,
        id=_plain(identity),
        version=_plain(next(_exact(names, VERSIONS), None)),
        prediction=None
        if prediction is None or task is None
        else Field(prediction, prediction, target_kind),
        score=None if score is None else Field(score, score, Kind.NUMERIC),
        label=None if label is None or task is None else Field(label, label, target_kind),
        task=task,
        positive=positive,
    )
    return schema, frozenset(name for name in (stamp.unread, unused) if name is not None)


def has_varied_probabilities(array: pa.Array) -> bool:
    """Whether all values are numbers from 0 to 1, and more than two are different."""
    return has_probabilities(array) and pc.count_distinct(to_numeric(array)[0]).as_py() > 2


def has_probabilities(array: pa.Array) -> bool:
    """Whether all values are numbers from 0 to 1."""
    values, wrong = to_numeric(array)
    span = pc.min_max(values).as_py()
    return wrong is None and span["min"] is not None and span["min"] >= 0 and span["max"] <= 1


def holds_times(name: ColumnName, array: pa.Array) -> bool:
    """Whether the values are times: of a type for times, texts, or numbers since 1970."""
    if array.null_count == len(array):
        return False
    kind = array.type
    if pa.types.is_temporal(kind):
        return True
    if pa.types.is_dictionary(kind):
        array = array.dictionary.take(array.indices)
        kind = array.type
    values = array.drop_null()
    is_text = is_text_type(kind)
    if not is_text and not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    ):
        return False
    numbers, wrong = to_numeric(values)
    if not is_text or numbers.null_count < (1 - SHARE) * len(values):
        return wrong is None and row_marks.is_epoch(
            numbers.drop_null().to_numpy(zero_copy_only=False), is_named=name.is_time
        )
    _, usable = to_micros(values)
    return bool(np.count_nonzero(usable) >= SHARE * len(values))


def value_counts(columns: Columns, name: str | None) -> Mapping[str, int]:
    """Return the rows by category of a column; empty without the column."""
    return {} if name is None else dict(count_categories(to_categorical(columns[name])[0]))


def _exact(names: Mapping[str, ColumnName], usual: Sequence[str]) -> Iterator[str]:
    """Yield the columns that are called like one of `usual`, in the order of `usual`.

    A column outside a path comes before one inside; inputs of a model have no role.
    """
    for plain in (name.replace("_", "") for name in usual):
        matches = [name for name, read in names.items() if read.joined == plain]
        yield from sorted(
            (name for name in matches if not names[name].is_input), key=lambda name: "." in name
        )


def _find_time(columns: Columns, names: Mapping[str, ColumnName], doubts: list[str]) -> _TimeColumn:
    """Return the column with the time of a row, and how its times are written."""
    usual = list(_exact(names, TIMES))
    for name in usual:
        if _is_usable_time(columns[name]):
            return _TimeColumn(name=name)
    times = [
        name for name, read in names.items() if not read.is_id and holds_times(read, columns[name])
    ]
    times.sort(key=lambda name: bool(BIRTHS.intersection(names[name].words)))
    if times and not BIRTHS.intersection(names[times[0]].words):
        return _TimeColumn(name=times[0])
    unread = usual or [
        name
        for name, read in names.items()
        if not BIRTHS.intersection(read.words) and has_unclear_dates(columns[name])
    ]
    at_change = "each row counts at its object's last change"
    if not unread:
        doubts.append(f"no column with times was found: {at_change}; set schema.timestamp")
        return _TimeColumn()
    name, formats = unread[0], fitting_date_formats(columns[unread[0]])
    example = str(columns[name].drop_null()[0].as_py())[:40]
    if len(formats) == 1:
        doubts.append(
            f"{name} is read in the format {formats[0]}, the only one that fits: some of its days "
            "are above 12"
        )
        return _TimeColumn(name=name, form=TimeForm(format=formats[0]))
    if formats:
        settings = " or ".join(f'{{path: {name}, format: "{form}"}}' for form in formats)
        doubts.append(
            f"{name} has dates such as {example!r}, where the day may be the first number or the "
            f"second: {at_change} until schema.timestamp says which: write {settings}"
        )
    else:
        doubts.append(
            f"{name} has times that can't be read, such as {example!r}: {at_change}; set the path, "
            "format and zone of schema.timestamp"
        )
    return _TimeColumn(unread=name)


def _is_usable_time(array: pa.Array) -> bool:
    """Whether the values can be read as times after 2000, where they may be numbers."""
    values = array.drop_null()
    micros, usable = to_micros(values)
    recent = usable & (micros >= row_marks.EPOCH_START * 1e6) & (micros < row_marks.EPOCH_END * 1e6)
    is_plain_number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    good = recent if is_plain_number else usable
    return bool(len(values) and np.count_nonzero(good) >= 0.5 * len(values))


def _find_id(columns: Columns, names: Mapping[str, ColumnName]) -> str | None:
    """Return the column with the id of a row, by its name or because its values are UUIDs."""
    usual = next(_exact(names, IDS), None)
    if usual is not None:
        return usual
    codes = [name for name in names if row_marks.is_code(columns[name])]
    return codes[0] if len(codes) == 1 else None


def _find_prediction(columns: Columns, names: Mapping[str, ColumnName]) -> str | None:
    exact = [name for name in _exact(names, PREDICTIONS) if _is_target(columns[name])]
    if exact:
        return exact[0]
    others = [
        name
        for name, read in names.items()
        if not read.is_input and read.is_prediction and _is_target(columns[name])
    ]
    if others:
        return others[0]
    outputs = [
        name
        for name, read in names.items()
        if read.is_output
        and not (read.is_probability or read.is_id or read.is_time or read.serving_fact)
        and read.joined not in _plain_names(SCORES)
        and _is_target(columns[name])
    ]
    named = [name for name in outputs if names[name].joined in _plain_names(LABELS)]
    return next(iter(named), outputs[0] if len(outputs) == 1 else None)


def _find_score(
    columns: Columns, names: Mapping[str, ColumnName], prediction: str | None
) -> str | None:
    free = {name: read for name, read in names.items() if name != prediction}
    exact = [name for name in _exact(free, SCORES) if _is_number(columns[name])]
    exact.sort(key=lambda name: not has_probabilities(columns[name]))
    if exact:
        return exact[0]
    stems = {names[prediction].stem} if prediction else set()
    chances = [
        name
        for name, read in free.items()
        if not read.is_input
        and not read.is_class_score
        and (read.is_probability or ({"score", "p"} & set(read.words) and read.stem in stems))
        and _is_number(columns[name])
        and has_probabilities(columns[name])
    ]
    # Of one column for each class, the positive one is 1, yes or true.
    chances.sort(key=lambda name: names[name].words[-1] not in {"1", "yes", "true", "positive"})
    return next(iter(chances), None)


def _find_decision(
    columns: Columns,
    names: Mapping[str, ColumnName],
    score: str,
    label: str | None,
    doubts: list[str],
) -> tuple[str | None, str]:
    """Return the column of the decision that was taken by the score, and its positive class.

    It has two values. Either all scores of one value are above those of the other, or the column is
    called like a decision. The positive class is the one with the higher scores. It is empty where
    the decision can't be compared with the label.
    """
    candidates: dict[str, tuple[str, str]] = {}
    for name, read in names.items():
        is_other = name in (score, label) or read.is_input or read.is_id or read.is_time
        is_truth = read.is_label or read.joined in _plain_names((*LABELS, *OUTCOMES))
        if is_other or is_truth or read.serving_fact or not _is_target(columns[name]):
            continue
        lower, upper, is_split = _compare_scores(columns[name], columns[score])
        if upper and (is_split or read.is_decision):
            candidates[name] = lower, upper
    named = [name for name in candidates if names[name].is_decision]
    best = named or list(candidates)
    if not named and len(candidates) != 1:
        return None, ""  # inputs of a rule may split the scores, too
    name, (lower, upper) = best[0], candidates[best[0]]
    truth = _classes(columns, label)
    if truth and not truth & {lower.lower(), upper.lower()}:
        doubts.append(
            f"{name} looks like the decision that is taken by {score}, and is not used: its "
            f"values, {listing((lower, upper))}, are not those of {label}"
        )
        return name, ""
    doubts.append(
        f"{name} is taken as the prediction, and its value {upper}, which has the higher scores, "
        "as the positive class"
    )
    return name, upper


def _compare_scores(array: pa.Array, scores: pa.Array) -> tuple[str, str, bool]:
    """Return two classes, that with the lower scores first, and whether no scores overlap.

    Two empty names where there are not two classes with enough scores each.
    """
    names, _ = to_categorical(array)
    numbers = to_numeric(scores)[0].to_numpy(zero_copy_only=False)
    texts = names.cast(pa.string()).to_pylist()
    classes = sorted({text for text in texts if text is not None})
    if len(classes) != 2:
        return "", "", False
    parts = []
    for value in classes:
        part = numbers[[text == value for text in texts]]
        part = part[np.isfinite(part)]
        if len(np.unique(part)) < MIN_CLASS_SCORES:
            return "", "", False
        parts.append((float(part.mean()), value, part))
    (_, lower, low), (_, upper, high) = sorted(parts, key=lambda part: part[0])
    return lower, upper, bool(low.max() <= high.min() and low.min() < high.max())


def _find_unnamed_outputs(
    columns: Columns, names: Mapping[str, ColumnName], doubts: list[str]
) -> tuple[str | None, str | None]:
    """Return prediction and score of two outputs without names: a class and a probability."""
    outputs = [name for name, read in names.items() if read.is_unnamed_output]
    chances = [
        name
        for name in outputs
        if _is_number(columns[name])
        and has_probabilities(columns[name])
        and _has_fractions(columns[name])
    ]
    classes = [name for name in outputs if name not in chances and _is_target(columns[name])]
    if (len(outputs), len(chances), len(classes)) != (2, 1, 1):
        return None, None
    doubts.append(
        f"the outputs have no names: {classes[0]} looks like a class and {chances[0]} like its "
        "probability"
    )
    return classes[0], chances[0]


def _find_letters(
    columns: Columns, names: Mapping[str, ColumnName]
) -> tuple[str | None, str | None, str | None]:
    """Return prediction `p`, score `s` or `p`, and label `y` of a binary model.

    The letters may be those of inputs as well: `y` must have two classes, and one of the others
    the values of a prediction or a probability.
    """
    letters = {read.joined: name for name, read in names.items() if "." not in name}
    label, prediction, score = (letters.get(letter) for letter in "yps")
    if label is None or not _is_target(columns[label]) or len(_classes(columns, label)) > 2:
        return None, None, None
    if prediction is not None and not (
        _is_target(columns[prediction])
        and _classes(columns, prediction) & _classes(columns, label)
        and len(_classes(columns, prediction)) <= 2
    ):
        is_probability = _is_number(columns[prediction]) and has_probabilities(columns[prediction])
        score = prediction if is_probability and score is None else score
        prediction = None
    if score is not None and not (
        _is_number(columns[score]) and (prediction is not None or has_probabilities(columns[score]))
    ):
        score = None
    return (prediction, score, label) if prediction or score else (None, None, None)


def _find_label(
    columns: Columns, names: Mapping[str, ColumnName], prediction: str | None, score: str | None
) -> str | None:
    free = {
        name: read
        for name, read in names.items()
        if name not in (prediction, score) and not read.is_input and not read.is_output
    }
    weak = () if prediction or score else WEAK_LABELS
    exact = (name for name in _exact(free, LABELS) if free[name].joined not in weak)
    for name in exact:
        if _is_target(columns[name]):
            return name
    for name in _exact(free, OUTCOMES):
        if _is_target(columns[name]) and len(_classes(columns, name)) == 2:
            return name
    stems = {names[name].stem for name in (prediction, score) if name} - {()}
    for name, read in free.items():
        if not _is_target(columns[name]) or read.is_id or read.is_time or read.is_prediction:
            continue
        if read.is_probability:
            continue
        if (read.is_label and (prediction or score)) or read.stem in stems:
            return name
    return None


def _plain_names(usual: Sequence[str]) -> set[str]:
    return {name.replace("_", "") for name in usual}


def _is_target(array: pa.Array) -> bool:
    """Whether the values may be predictions or labels: numbers, or some classes."""
    kind = array.type
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind) or pa.types.is_binary(kind):
        return False
    if _is_number(array):
        return True
    values = array.dictionary.take(array.indices) if pa.types.is_dictionary(kind) else array
    rows = len(values) - values.null_count
    distinct = pc.count_distinct(values).as_py()
    return not (
        unstructured.is_prose(values) or (distinct > MAX_TEXT_CLASSES and distinct > 0.5 * rows)
    )


def _is_number(array: pa.Array) -> bool:
    if pa.types.is_nested(array.type) or pa.types.is_temporal(array.type):
        return False
    values, wrong = to_numeric(array)
    return wrong is None and values.null_count < len(values)


def _has_fractions(array: pa.Array) -> bool:
    """Whether some numbers are not whole."""
    values = to_numeric(array)[0].drop_null()
    return bool(pc.any(pc.not_equal(pc.floor(values), values)).as_py())


def _task(
    columns: Columns, prediction: str | None, score: str | None, label: str | None
) -> Task | None:
    targets = [name for name in (label, prediction) if name is not None]
    if not targets:
        if score is None:
            return None
        return Task.BINARY if has_probabilities(columns[score]) else Task.REGRESSION
    if prediction is not None and has_varied_probabilities(columns[prediction]):
        # a probability, unless the labels are shares as well
        both = label is not None and has_varied_probabilities(columns[label])
        return Task.REGRESSION if both else Task.BINARY
    known = _classes(columns, label) or _classes(columns, prediction)
    if len(known) <= 2:
        return Task.BINARY
    if not all(_is_number(columns[name]) for name in targets):
        return Task.MULTICLASS
    has_fractions = any(_has_fractions(columns[name]) for name in targets)
    return Task.REGRESSION if has_fractions or len(known) > MAX_CLASSES else Task.MULTICLASS


def _classes(columns: Columns, name: str | None) -> set[str]:
    """Return the values in lower case, without those for an unknown label."""
    classes = {value.lower() for value in value_counts(columns, name)}
    known = {value for value in classes if not is_unknown(value)}
    return known if len(classes) > 2 or not known else classes


def _plain(name: str | None) -> Field | None:
    return None if name is None else Field(name, name)
