"""The values of driftline that every part uses: schemas, measurements, verdicts.

Does not read, write, ask the time or compute statistics.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from enum import StrEnum

from driftline.types.segment_rule import SegmentRule
from driftline.types.time_form import TimeForm

ALL = ""
"""The segment that holds all rows of a window."""
DEFAULT_THRESHOLD = 0.5
"""The lowest score that predicts the positive class, where nobody chose another one."""


class Kind(StrEnum):
    """How the values of a column are summarised."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    TEXT = "text"
    IMAGE = "image"
    EMBEDDING = "embedding"


DERIVED: Mapping[Kind, Mapping[str, Kind]] = {
    Kind.TEXT: {
        "characters": Kind.NUMERIC,
        "words": Kind.NUMERIC,
        "non_ascii": Kind.NUMERIC,
        "digits": Kind.NUMERIC,
        "script": Kind.CATEGORICAL,
        "word": Kind.CATEGORICAL,
    },
    Kind.IMAGE: dict.fromkeys(
        (
            "width",
            "height",
            "aspect",
            "brightness",
            "contrast",
            "blur",
            "red",
            "green",
            "blue",
            "bytes",
        ),
        Kind.NUMERIC,
    ),
    Kind.EMBEDDING: dict.fromkeys(("norm", "nan_share", "dimension"), Kind.NUMERIC),
}
"""The columns that replace a column of texts, images or embeddings, each with its kind.

Their names begin with the column's name, such as `comment.words`.
"""
SAMPLED = frozenset({Kind.TEXT, Kind.EMBEDDING})
"""Kinds whose own column is kept in a window too, for a sample of its rows.

A text is kept as a hash, an embedding as its vector.
"""
MAX_DIMENSION = 4096
"""The most values of an embedding."""
_ELEMENT_RANGE = re.compile(r"(.*)\{(\d+)\.\.(\d+)\}(.*)", re.DOTALL)


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"
    RANKING = "ranking"
    MULTILABEL = "multilabel"


NUMERIC_TASKS = frozenset({Task.REGRESSION, Task.RANKING})
"""The tasks whose predictions and labels are numbers."""


class Verdict(StrEnum):
    """The verdicts that a rule can give."""

    OK = "ok"
    CHANGED = "changed"
    UNSURE = "unsure"
    ERROR = "error"


class Severity(StrEnum):
    """How much a change matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least severity."""
        return list(Severity).index(self)


class BoundSide(StrEnum):
    """The side of a bound on which a value lies."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound that a measurement crossed."""

    side: BoundSide
    value: float

    @property
    def text(self) -> str:
        """The bound as the reason of a verdict: `above 0.25`."""
        return f"{self.side} {self.value:g}"


class Decision(StrEnum):
    """What is to be done with a model."""

    KEEP = "keep"
    WATCH = "watch"
    RECALIBRATE = "recalibrate"
    RETRAIN = "retrain"
    ROLL_BACK = "roll_back"
    PROMOTE = "promote"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogObject:
    """One unit of source data: a file, an object of a store, a slice of a table."""

    uri: str
    """Its address, which never changes."""
    version: str
    """Changes whenever the content does: an ETag, a generation, a checksum of size and time."""
    size: int
    """Bytes as stored; 0 where the source can't tell."""
    modified: datetime
    """Last change, UTC."""
    grows: bool = False
    """Whether a larger size under the same URI and lineage continues the old content.

    Otherwise it replaces the old content.
    """
    lineage: str = ""
    """Stays the same as long as the content only grows: an inode, a creation time.

    Empty where the source can't tell.
    """
    partition: datetime | None = None
    """Start of the time span that its path names, such as the hour of its folder.

    None where its path names no time.
    """
    parts: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What its path says about all its records, by name: `endpoint`, `variant`.

    These are columns that the records themselves lack.
    """


@dataclass(frozen=True, slots=True)
class Field:
    """One column that the model needs from its records."""

    name: str
    """The canonical name: what checks, alerts and people call it."""
    path: str
    """Where it stands in a record: a column name, or a path such as `payload.customer.age`."""
    kind: Kind | None = None
    """How it is summarised; None for timestamps, ids and versions."""
    dimension: int = 0
    """How many values each vector has; 0 for other kinds, or as long as it is unknown."""

    @property
    def element_paths(self) -> tuple[str, ...]:
        """The paths of an embedding with one column for each value, written `emb_{0..767}`.

        Empty for any other column.
        """
        match = _ELEMENT_RANGE.fullmatch(self.path) if self.kind is Kind.EMBEDDING else None
        if match is None:
            return ()
        before, first, last, after = match.groups()
        return tuple(
            f"{before}{n:0{len(first)}}{after}"
            for n in range(int(first), min(int(last), int(first) + MAX_DIMENSION) + 1)
        )

    @property
    def input_fields(self) -> tuple[Field, ...]:
        """What is read from each record for it: itself, or each column of such an embedding."""
        elements = tuple(
            Field(f"{self.name}[{n}]", path, Kind.NUMERIC)
            for n, path in enumerate(self.element_paths)
        )
        return elements or (self,)

    @property
    def profile_columns(self) -> Mapping[str, Kind]:
        """The columns that represent it in a profile, each with its kind."""
        if self.kind is None or self.kind not in DERIVED:
            return {} if self.kind is None else {self.name: self.kind}
        columns = {f"{self.name}.{suffix}": kind for suffix, kind in DERIVED[self.kind].items()}
        return columns | ({self.name: self.kind} if self.kind in SAMPLED else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskColumns:
    """The columns that only some tasks have, and what they mean.

    They are read and enter the scores of a window, and have no summary of their own. Their names
    begin with #, so that a feature can stand in the same place.
    """

    lower: Field | None = None
    """The lower end of the prediction interval of a regression."""
    upper: Field | None = None
    coverage: float = 0.9
    """The share of labels that should lie in the prediction interval."""
    series: Field | None = None
    """The time series that a forecast is about; None where there is only one."""
    horizon: Field | None = None
    """How far ahead a forecast was made."""
    season: int = 1
    """Steps of a series after which its pattern repeats; 1 where it does not."""
    group: Field | None = None
    """The query or user that the items of one ranking have in common."""
    probabilities: Mapping[str, Field] = field(default_factory=dict)
    """The probability of each class of several, by class."""

    @property
    def parts(self) -> tuple[Field, ...]:
        """Its fields."""
        parts = (
            self.lower,
            self.upper,
            self.series,
            self.horizon,
            self.group,
            *self.probabilities.values(),
        )
        return tuple(part for part in parts if part is not None)

    @property
    def names(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(part.name for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceColumns:
    """The columns that say how the service answered a call, and are no input of the model.

    They are read for collectors that ask for them, and have no summary of their own. Their names
    begin with #, so that a feature can stand in the same place.
    """

    latency: Field | None = None
    """How long a call took."""
    status: Field | None = None
    """The status code of a call."""
    error: Field | None = None
    """What went wrong with a call; empty where nothing did."""
    cost: Field | None = None
    """What a call cost."""

    @property
    def parts(self) -> tuple[Field, ...]:
        """Its fields."""
        parts = (self.latency, self.status, self.error, self.cost)
        return tuple(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The canonical columns of a model and the role of each.

    A schema is fixed: it is never inferred again for a window.
    """

    features: Mapping[str, Field] = field(default_factory=dict)
    timestamp: Field | None = None
    time_form: TimeForm = field(default_factory=TimeForm)
    """How the times of the column `timestamp` are written."""
    id: Field | None = None
    version: Field | None = None
    constant_version: str = ""
    """The model version of every record, if no column holds it."""
    prediction: Field | None = None
    score: Field | None = None
    """The probability of the positive class, or None."""
    label: Field | None = None
    joins: Field | None = None
    """The id that labels refer to, if they come later and separately; else None."""
    task: Task | None = None
    positive: str = "1"
    """The label of the positive class in a binary task, as text.

    Empty where the values of labels and predictions show it.
    """
    threshold: float = DEFAULT_THRESHOLD
    """A score at or above it predicts the positive class.

    Used if no prediction column holds the decision.
    """
    task_columns: TaskColumns = TaskColumns()
    service: ServiceColumns = ServiceColumns()
    segments: tuple[str, ...] = ()
    """Columns whose categories are monitored separately as well."""
    segment_rules: Mapping[str, SegmentRule] = field(default_factory=dict)
    """How columns of `segments` that no record holds are made, by name."""
    redact: frozenset[str] = frozenset()
    """Columns whose values never enter a sample, a message or a page.

    For a feature, also all columns that are derived from it.
    """

    def __post_init__(self) -> None:
        redacted_columns = [
            name
            for part in self.features.values()
            if part.name in self.redact
            for name in part.profile_columns
        ]
        object.__setattr__(self, "redact", self.redact.union(redacted_columns))

    @property
    def parts(self) -> tuple[Field, ...]:
        """All fields that stand in a record, each once, in a stable order."""
        parts = (
            self.timestamp,
            self.id,
            self.version,
            *self.features.values(),
            self.prediction,
            self.score,
            self.label,
            *self.task_columns.parts,
            *self.service.parts,
        )
        return tuple(
            {part.name: part for part in (*parts, self.joins) if part is not None}.values()
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every column to read."""
        return tuple(field for part in self.parts for field in part.input_fields)

    @property
    def embeddings_without_dimension(self) -> tuple[str, ...]:
        """The embeddings whose dimension is not known yet."""
        return tuple(
            name
            for name, part in self.features.items()
            if part.kind is Kind.EMBEDDING and not part.dimension
        )

    @property
    def profile_columns(self) -> Mapping[str, Kind]:
        """The columns that are summarised.

        They are the features, then prediction, score and label, then columns made for segments.
        """
        parts = (*self.features.values(), self.prediction, self.score, self.label)
        columns = {
            name: kind
            for part in parts
            if part is not None
            for name, kind in part.profile_columns.items()
        }
        return columns | dict.fromkeys(self.segment_rules, Kind.CATEGORICAL)


@dataclass(slots=True)  # Not frozen: a window makes hundreds of them.
class Measurement:
    """A number with a name, the labels that identify it, and what it rests on."""

    value: float | None
    """None when the number can't be computed; `reason` then says why. Never NaN or infinite."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the number is about, such as `{"column": "age"}`.

    Labels are the identity of a series: they hold no values of this window.
    """
    _: KW_ONLY
    name: str = ""
    """What was measured, such as `psi`; the check's own name when empty."""
    rows: int | None = None
    """The rows behind the number; the window's when None."""
    interval: tuple[float, float] | None = None
    """Where the true value lies with 95% confidence."""
    p_value: float | None = None
    """The chance of a value at least this extreme when nothing changed."""
    reason: str = ""
    """Why there is no value, or what a reader must know about it."""
    was: float | None = None
    """The same number of the reference, for people: `0.91 (was 0.84)`."""
    was_interval: tuple[float, float] | None = None
    """Where the reference's true value lies with 95% confidence; the rule `loss` needs it."""
    unit: str = ""
    """What a person reads after the number: `sd`, `%`, `rows`, `points`."""
    detail: Mapping[str, str | float | int | None] = field(default_factory=dict)
    """A few facts that explain the number to a person.

    Such as old and new means, or the category that moved.
    """
    least: float | None = None
    """The smallest value that is fine, if this number has a bound of its own.

    A rule for the measurement takes precedence.
    """
    most: float | None = None
    """The largest value that is fine, likewise."""
    decision: Decision | None = None
    """The decision that the check recommends, if it can.

    An action may be bound to it, and runs once the measurement has changed.
    """

    def with_detail(self, facts: Mapping[str, str | float | int | None]) -> Measurement:
        """Return the measurement with more facts in its detail."""
        # Field by field: `dataclasses.replace` takes several times as long.
        return Measurement(
            self.value,
            self.labels,
            name=self.name,
            rows=self.rows,
            interval=self.interval,
            p_value=self.p_value,
            reason=self.reason,
            was=self.was,
            was_interval=self.was_interval,
            unit=self.unit,
            detail={**self.detail, **facts},
            least=self.least,
            most=self.most,
            decision=self.decision,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict of a rule on one measurement."""

    verdict: Verdict
    severity: Severity | None = None
    """Set when the verdict is `changed`."""
    reason: str = ""
    """One sentence for people: the bound that was crossed, or how many rows are missing."""
    bound: Bound | None = None
    """The bound that was crossed, where the rule has one."""
    is_within_bounds: bool = False
    """Of `unsure`: whether the value is within its bounds, although too few rows prove it.

    Such a verdict ends a change.
    """
    doublings: int = 0
    """Of `changed`: how often the change has doubled since it was first sent."""

    @classmethod
    def change(cls, severity: Severity, bound: Bound) -> Judgement:
        """Return the verdict `changed`: the measurement lies beyond `bound`."""
        return cls(verdict=Verdict.CHANGED, severity=severity, reason=bound.text, bound=bound)


OK = Judgement(verdict=Verdict.OK)
"""The verdict `ok`."""
