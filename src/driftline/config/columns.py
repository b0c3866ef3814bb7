"""The settings of `schema`: the columns of a model's records, and the canonical schema of them.

Does not infer anything: `ingest.columns` infers what is not declared.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from driftline.config.document import Quoted
from driftline.profiles.canonical_value import canonical_value
from driftline.profiles.language import parse
from driftline.types.model import (
    DEFAULT_THRESHOLD,
    MAX_DIMENSION,
    NUMERIC_TASKS,
    Kind,
    Schema,
    ServiceColumns,
    Task,
    TaskColumns,
)
from driftline.types.model import Field as Column
from driftline.types.segment_rule import SegmentRule
from driftline.types.settings import Settings
from driftline.types.time_form import TimeForm


class ColumnConfig(Settings):
    """One column of a record."""

    path: str = Field(min_length=1)
    """The column, or a path into nested records such as `payload.customer.age`."""
    name: str | None = None
    """The name in checks and messages. Default: the path."""

    def column(self, kind: Kind | None = None) -> Column:
        """Return the canonical column."""
        return Column(self.name or self.path, self.path, kind)


def _path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


ColumnRef = Annotated[
    ColumnConfig, BeforeValidator(_path, json_schema_input_type=str | ColumnConfig)
]
"""A column by its path, or its path and its name."""


class TimeColumnConfig(ColumnConfig):
    """The column of a time, and how its times are written."""

    format: str | None = None
    """A format of Python's `strptime`, such as `%d/%m/%Y %H:%M`.

    Default: ISO 8601 and other spellings with one meaning, see the page on values. A value that the
    log marks as a time, as Parquet does, needs no format.
    """
    zone: str | None = None
    """The time zone of times that name none, such as `Europe/Berlin`. Default: UTC.

    Windows are in UTC nevertheless: a window of a day is a day in UTC.

    Of an hour that exists twice in autumn the first one counts. A time that is skipped in spring is
    read with the offset before the change: 02:30 is 03:30.
    """

    @field_validator("format")
    @classmethod
    def _holds_a_date(cls, value: str | None) -> str | None:
        if value is None:
            return None
        day, parse = datetime(2026, 11, 23, tzinfo=UTC), datetime.strptime
        try:
            has_date = parse(day.strftime(value), value).date() == day.date()
        except ValueError as error:
            raise ValueError(f"no format of strptime: {error}") from None
        if not has_date:
            raise ValueError("the format needs year, month and day, such as %d/%m/%Y")
        return value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (LookupError, ValueError, OSError):
                raise ValueError("no time zone; write a name such as Europe/Berlin") from None
        return value

    def form(self) -> TimeForm:
        """Return how the times are written."""
        return TimeForm(self.format or "", self.zone or "")


TimeColumnRef = Annotated[
    TimeColumnConfig, BeforeValidator(_path, json_schema_input_type=str | TimeColumnConfig)
]
"""The column of a time by its path, or with its format and zone."""


class FeatureConfig(Settings):
    """One feature."""

    kind: Kind
    """`numeric`, `categorical`, `text`, `image` or `embedding`.

    Each of the last three becomes several columns, such as `NAME.words`.
    """
    path: str | None = None
    """The column or path in a record.

    Default: the name. If the values of an embedding are columns of their own, write `emb_{0..767}`.
    """
    dimension: int | None = Field(default=None, ge=1, le=MAX_DIMENSION)
    """The number of values of an embedding. Default: that of most vectors of the reference."""

    @model_validator(mode="after")
    def _fits(self) -> FeatureConfig:
        if self.kind is not Kind.EMBEDDING:
            if self.dimension is not None:
                raise ValueError("only an embedding has a dimension")
            return self
        run = len(self.column("").element_paths)
        if run > MAX_DIMENSION:
            raise ValueError(f"an embedding has {MAX_DIMENSION:,} values at most")
        if run and self.dimension not in (None, run):
            raise ValueError(f"{self.path} are {run} columns, not {self.dimension}")
        return self

    def column(self, name: str) -> Column:
        """Return the canonical column."""
        part = Column(name, self.path or name, self.kind, self.dimension or 0)
        return replace(part, dimension=part.dimension or len(part.element_paths))


def _kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


FeatureRef = Annotated[
    FeatureConfig, BeforeValidator(_kind, json_schema_input_type=Kind | FeatureConfig)
]


def _class_name(value: Any) -> Any:
    """Return the label of a class in the form that the values of the logs have."""
    if not isinstance(value, (str, bool, int, float)):
        return value
    name = canonical_value(value)
    if name is None:
        raise ValueError("name a class; leave `positive` out if the values show which it is")
    return name


class PredictionConfig(Settings):
    """The prediction of the model."""

    kind: Task
    """`binary`, `multiclass`, `multilabel`, `regression` or `ranking`."""
    column: ColumnRef | None = None
    """The column of the predicted class or number. Optional for a binary model with a score.

    Of a ranking it is the score of an item: the highest one stands first. Of `multilabel` it is a
    list of classes, a JSON list, or text such as `news|sport`.
    """
    score: ColumnRef | None = None
    """The column of the probability of the positive class, 0 to 1. Binary models only."""
    positive: (
        Annotated[
            str, BeforeValidator(_class_name, json_schema_input_type=str | int | float | bool)
        ]
        | None
    ) = None
    """The label of the positive class of a binary model. `1`, `1.0` and `true` are one label.

    Default: recognised in pairs such as 1 and 0, true and false, yes and no, good and bad.
    """
    threshold: float = Field(default=DEFAULT_THRESHOLD, ge=0, le=1)
    """The lowest score that predicts the positive class. Used if `column` is absent.

    Scores beyond 0 to 1, such as logits, need one of these: 0.5 is none of theirs.
    """
    probabilities: dict[str, ColumnRef] = {}
    """The column of the probability of each class, `{cat: p_cat, dog: "p[1]"}`. Multiclass only.

    `p[1]` is the second number of a list.
    """
    lower: ColumnRef | None = None
    """The column of the lower end of the prediction interval. Regression only, with `upper`."""
    upper: ColumnRef | None = None
    """The column of the upper end of the prediction interval."""
    coverage: float = Field(default=0.9, gt=0, lt=1)
    """The share of labels that should lie between `lower` and `upper`."""

    @model_validator(mode="after")
    def _fits(self) -> PredictionConfig:
        if self.kind is not Task.BINARY and self.score is not None:
            raise ValueError(
                "only a binary model has a score here; leave it out, or make it a feature"
            )
        if self.column is None and self.score is None:
            raise ValueError("name the column of the prediction, or the score of a binary model")
        if self.kind is not Task.BINARY and self.positive is not None:
            raise ValueError("only a binary model has a positive class")
        if self.probabilities and self.kind is not Task.MULTICLASS:
            raise ValueError(
                "only a multiclass model has `probabilities`: use score, or remove them"
            )
        if len(self.probabilities) == 1:
            raise ValueError("`probabilities` needs the column of each class; there is one only")
        if (self.lower is None) != (self.upper is None):
            missing = "upper" if self.upper is None else "lower"
            raise ValueError(f"a prediction interval has two ends: set `{missing}` too")
        if self.lower is not None and self.kind is not Task.REGRESSION:
            raise ValueError("only a regression has a prediction interval: remove lower and upper")
        return self


def _positive(prediction: PredictionConfig | None) -> str:
    """Return the positive class; empty where the values of a binary model are to show it."""
    if prediction is None or prediction.kind is not Task.BINARY:
        return "1"
    return prediction.positive or ""


class LabelConfig(Settings):
    """The label, if the prediction logs hold it."""

    column: ColumnRef
    """The column of the true class or number. An empty value means not known yet.

    `label: churned` is short for `label: {column: churned}`.
    """


def _label(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


LabelRef = Annotated[LabelConfig, BeforeValidator(_label, json_schema_input_type=str | LabelConfig)]
"""The label by its column, or as a mapping with the column."""


class VersionConfig(Settings):
    """The version of the model: a column, or one version for all records."""

    column: ColumnRef | None = None
    """The column that holds the version."""
    constant: str = ""
    """The version of all records."""


def _version(value: Any) -> Any:
    if isinstance(value, Quoted):
        return {"constant": str(value)}
    if isinstance(value, str):
        return {"column": value}
    if isinstance(value, (int, float)):
        raise ValueError("put a constant version in quotes; a bare word is a column")
    return value


VersionRef = Annotated[
    VersionConfig, BeforeValidator(_version, json_schema_input_type=str | VersionConfig)
]


def _condition(text: str) -> str:
    parse(text)
    return text


class SegmentConfig(Settings):
    """Segments of the rows that no single categorical feature shows.

    Give `column` and `bands`, or `columns`, or `where`.
    """

    name: str = Field(min_length=1)
    """The name of the segments, such as `age_band`."""
    column: str | None = None
    """A numeric feature, with `bands`."""
    bands: tuple[float, ...] = ()
    """The limits of the bands, rising: `[18, 30]` gives `below 18`, `18 to 30`, `30 or more`."""
    columns: tuple[str, ...] = ()
    """Categorical features, or segments that stand before it, whose values are combined."""
    where: Annotated[str, AfterValidator(_condition)] | None = None
    """A condition, such as `age < 30 and plan == "gold"`: its segments are `yes` and `no`."""

    @model_validator(mode="after")
    def _has_one_rule(self) -> SegmentConfig:
        count = sum((self.column is not None, bool(self.columns), self.where is not None))
        if count != 1:
            raise ValueError("give one of column (with bands), columns and where")
        if (self.column is None) != (not self.bands):
            raise ValueError("column and bands belong together")
        limits = self.bands
        if not all(isfinite(limit) for limit in limits) or any(
            low >= high for low, high in pairwise(limits)
        ):
            raise ValueError("the limits of the bands should be finite and rise")
        return self

    def rule(self) -> SegmentRule:
        """Return how the segments are made."""
        columns = self.columns if self.column is None else (self.column,)
        return SegmentRule(columns=columns, bands=self.bands, where=self.where or "")


class ServiceConfig(Settings):
    """The columns that say how the service answered a call. They are no inputs of the model."""

    latency: ColumnRef | None = None
    """The column of the time that a call took, a number."""
    status: ColumnRef | None = None
    """The column of the status of a call, such as 200, 503 or DEADLINE_EXCEEDED."""
    error: ColumnRef | None = None
    """The column of an error. Empty, `0`, `false`, `no`, `ok` and `none` mean that there is none.
    """
    cost: ColumnRef | None = None
    """The column of what a call cost, a number."""

    def columns(self) -> ServiceColumns:
        """Return the canonical columns."""
        return ServiceColumns(
            latency=_role_column("latency", self.latency, Kind.NUMERIC),
            status=_role_column("status", self.status, Kind.CATEGORICAL),
            error=_role_column("error", self.error, Kind.CATEGORICAL),
            cost=_role_column("cost", self.cost, Kind.NUMERIC),
        )


class SchemaConfig(Settings):
    """The columns of a model and their roles."""

    timestamp: TimeColumnRef | None = None
    """The column of the time of the prediction; with `format` and `zone` for local times."""
    id: ColumnRef | None = None
    """The column of the id, which is unique for ever."""
    version: VersionRef | None = None
    """The version of the model: a column; or, in quotes, one version for all records."""
    features: dict[str, FeatureRef] = {}
    """The inputs of the model: each name with its kind, or with its kind and path."""
    prediction: PredictionConfig | None = None
    """The prediction of the model."""
    label: LabelRef | None = None
    """The column of the label, if the prediction logs or the reference hold it."""
    series: ColumnRef | None = None
    """Of a forecast: the column that names its time series, such as the shop. Regression only."""
    horizon: ColumnRef | None = None
    """Of a forecast: the column that says how far ahead it was made, such as the number of days.

    Regression only. Its metrics are measured for each horizon, too.
    """
    season: int = Field(default=1, ge=1, le=10_000)
    """Of a forecast: the steps after which the pattern of a series repeats, such as 7 for days.

    MASE compares the model with the value of the series so many steps before, in the reference.
    """
    service: ServiceConfig = ServiceConfig()
    """How the service answered each call: latency, status, error and cost."""
    group: ColumnRef | None = None
    """Of a ranking: the column that its items have in common, such as the query or the user."""
    segments: tuple[str | SegmentConfig, ...] = ()
    """Parts of the rows that are monitored one by one as well.

    A categorical feature stands for the rows of each of its values; at most 100 values have a
    segment.
    """
    redact: frozenset[str] = frozenset()
    """Columns whose values never appear in a sample, a message or a page."""

    @model_validator(mode="after")
    def _fits(self) -> SchemaConfig:
        task = self.prediction.kind if self.prediction else None
        if task is not Task.REGRESSION:
            for name in ("series", "horizon", "season"):
                if name in self.model_fields_set and getattr(self, name) is not None:
                    raise ValueError(
                        f"`{name}` belongs to a forecast: set prediction.kind to regression, or "
                        "remove it"
                    )
        if task is Task.RANKING and self.group is None:
            raise ValueError("a ranking needs `group`: the column of its query or user")
        if task is not Task.RANKING and self.group is not None:
            raise ValueError(
                "`group` belongs to a ranking: set prediction.kind to ranking, or remove it"
            )
        return self

    def to_schema(self) -> Schema:
        """Return the canonical schema."""
        prediction = self.prediction
        kind = Kind.NUMERIC if prediction and prediction.kind in NUMERIC_TASKS else Kind.CATEGORICAL
        version = self.version
        return Schema(
            features={name: feature.column(name) for name, feature in self.features.items()},
            timestamp=self.timestamp.column() if self.timestamp else None,
            time_form=self.timestamp.form() if self.timestamp else TimeForm(),
            id=self.id.column() if self.id else None,
            version=version.column.column() if version and version.column else None,
            constant_version=version.constant if version else "",
            prediction=prediction.column.column(kind) if prediction and prediction.column else None,
            score=prediction.score.column(Kind.NUMERIC)
            if prediction and prediction.score
            else None,
            label=self.label.column.column(kind) if self.label else None,
            task=prediction.kind if prediction else None,
            positive=_positive(prediction),
            threshold=prediction.threshold if prediction else DEFAULT_THRESHOLD,
            task_columns=self._task_columns(),
            service=self.service.columns(),
            segments=tuple(
                segment if isinstance(segment, str) else segment.name for segment in self.segments
            ),
            segment_rules={
                segment.name: segment.rule()
                for segment in self.segments
                if isinstance(segment, SegmentConfig)
            },
            redact=self.redact,
        )

    def _task_columns(self) -> TaskColumns:
        prediction = self.prediction
        if prediction is None:
            return TaskColumns()
        return TaskColumns(
            lower=_role_column("lower", prediction.lower, Kind.NUMERIC),
            upper=_role_column("upper", prediction.upper, Kind.NUMERIC),
            coverage=prediction.coverage,
            series=_role_column("series", self.series, Kind.CATEGORICAL),
            horizon=_role_column("horizon", self.horizon, Kind.CATEGORICAL),
            season=self.season,
            group=_role_column("group", self.group, Kind.CATEGORICAL),
            probabilities={
                name: Column(f"#p {name}", column.path, Kind.NUMERIC)
                for name, column in prediction.probabilities.items()
            },
        )


def _role_column(role: str, column: ColumnConfig | None, kind: Kind) -> Column | None:
    return None if column is None else Column(f"#{role}", column.path, kind)
