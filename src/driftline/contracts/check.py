"""The contract of a check: measure a window against a reference."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol, Self

from driftline.contracts.chart import Chart
from driftline.contracts.plugin import Plugin
from driftline.contracts.rule import Rule
from driftline.contracts.wording import Wording
from driftline.types.family import Family
from driftline.types.model import Decision, Measurement, Schema

if TYPE_CHECKING:
    import numpy as np

    from driftline.profiles.window import Window


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """Marks an option, or a part of one, as text that names columns of the model's schema.

    `Annotated[str, ColumnNames()]` is one column; with `read` the text names several, such as an
    expression. A name that the schema lacks is then an error of the configuration, with its place.
    """

    read: Callable[[str], Iterable[str]] = lambda text: (text,)
    """Returns the columns that a text names; raises ValueError where the text is wrong."""


ColumnName = Annotated[str, ColumnNames()]
"""An option, or a part of one, that is the name of a column."""


ModelPart = Literal[
    "label", "late label", "id", "numeric", "categorical", "text", "image", "embedding"
]
"""A part that a model may have: a label, a label that comes later, ids, features of a kind."""


@dataclass(frozen=True, slots=True)
class PastValue:
    """One earlier value of a measurement."""

    start: datetime
    """Start of the window it belongs to."""
    value: float
    rows: int
    verdict: str


class History(Protocol):
    """Earlier values of a check's measurements, for one model version and segment; oldest first."""

    def __call__(
        self, name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[PastValue]:
        """The newest `limit` values of one series."""
        ...


def no_history(
    name: str, labels: Mapping[str, str] | None = None, limit: int = 100
) -> Sequence[PastValue]:
    """The history of a model that has none."""
    return ()


class SegmentWindows(Protocol):
    """The rows of the segments of one window."""

    def __call__(self, name: str) -> tuple[Window, Window | None]:
        """The window of a segment such as `plan=gold`, and its reference; None without one."""
        ...


def no_segment(name: str) -> tuple[Window, Window | None]:
    """The window of a segment without rows."""
    from driftline.profiles.window import Window

    return Window(rows=0, columns={}), None


class VersionWindow(Protocol):
    """The rows of another version of the model in the same window."""

    def __call__(self, version: str) -> Window:
        """The window of a version; one without rows where it has none."""
        ...


def no_version(version: str) -> Window:
    """The window of a version without rows."""
    return no_segment(version)[0]


class EarlierWindows(Protocol):
    """The windows before one, of the same model version and segment."""

    def __call__(self, count: int) -> Sequence[Window]:
        """The windows with rows among the newest `count` spans before it, oldest first."""
        ...


def no_earlier(count: int) -> Sequence[Window]:
    """The earlier windows of a model that has none."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckContext:
    """The inputs of a check."""

    current: Window
    reference: Window | None
    """None until there is one, and for a window without rows whose reference is the windows before
    it.
    """
    schema: Schema
    history: History = no_history
    segment: SegmentWindows = no_segment
    """The rows of one segment of this window; for checks that compare segments."""
    of_version: VersionWindow = no_version
    """The same window of another model version; for checks that compare versions."""
    earlier: EarlierWindows = no_earlier
    """The summaries of the windows before; for checks that add up rows of several."""
    seed: int = 0
    """For checks that draw: the same for the same model, check and window."""
    reference_spans: Sequence[Window] = ()
    """The weeks or months of the reference, where its rows have times; else empty.

    They are those of all rows; for a window of a segment there are none.
    """

    def rng(self) -> np.random.Generator:
        """A generator seeded by `seed`."""
        import numpy as np

        return np.random.default_rng(self.seed)


@dataclass(frozen=True, slots=True)
class Worth:
    """Which measurement of a check is the mean worth of a row."""

    measurement: str
    labels: Mapping[str, str]


COLUMNS_OPTION = "columns"
"""An option of this name lists columns, also where its type says only `str`."""


class Check(Plugin, ABC):
    """Measures a window against a reference. Does not know thresholds, storage or messages."""

    collectors: ClassVar[frozenset[str]] = frozenset({"numeric", "categories"})
    """The parts of a profile that it looks at."""
    cause: ClassVar[str] = Family.DRIFT.value
    """The family its alerts belong to: one of `CHECK_FAMILIES`, such as `quality`."""
    main: ClassVar[str] = ""
    """The measurement that a rule without `measurement` judges; the check's type when empty."""
    default_rules: ClassVar[Mapping[str, Rule]] = {}
    """The rules of its measurements if the configuration has none, by measurement name."""
    min_rows: ClassVar[int] = 1
    """Fewer rows than this behind a measurement are `unsure`."""
    on_empty: ClassVar[bool] = False
    """Whether it also runs on a window without rows."""
    default_for: ClassVar[frozenset[ModelPart] | None] = None
    """The parts that a model must have for the check to run by default; None: it does not.

    By default means: the configuration of the model names no checks. Empty: it runs on every model.
    """
    uses_labels: ClassVar[bool] = False
    """Whether it has no value where neither the records nor the reference have labels."""
    default_place: ClassVar[int] = 1000
    """Its place among the default checks: the smallest runs first."""
    wordings: ClassVar[Mapping[str, Wording]] = {}
    """How its measurements read in messages, by measurement name; see `Wording` for the default."""
    charts: ClassVar[Mapping[str, Chart]] = {}
    """How its measurements are drawn, by measurement name; see `Chart` for the default."""
    remedies: ClassVar[Mapping[str, Decision]] = {}
    """What helps against a change, by measurement; the key "" stands for all others.

    Without one a change of the family `performance` needs a retrain. `watch`: it is no proof.
    """
    estimates: ClassVar[Mapping[str, str]] = {}
    """Measurements without labels, each with the measurement by labels that it estimates.

    An empty name stands for a number that no measurement has by labels. While both are changed, a
    message says that labels confirm the estimated loss. A check with estimates never tells that
    performance is known.
    """
    explains: ClassVar[frozenset[str]] = frozenset()
    """The families whose changes the detail `likely_cause` of its measurements explains.

    Messages about them have the sentence as the fact `likely cause`.
    """
    schema_changes: ClassVar[frozenset[str]] = frozenset()
    """Measurements whose change means that the column itself is a different one now.

    It is then the likely cause of other changes of that column.
    """
    inhibits: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs of matchers, as under `inhibit` in the configuration.

    While an incident of the model matches the first, those that match the second are held back.
    They apply where the configuration has no `inhibit`.
    """

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return options for its collectors: texts by collector, such as expressions.

        A collector finds the options of all checks of its model in `ProfileSpec.options`. If they
        change, a new reference is made, and windows that are not judged yet are read again.
        """
        return {}

    def worth(self) -> Worth | None:
        """Return which measurement is the mean worth of a row; None for a check without one.

        What it falls by is what an incident costs. Its detail has the 95% interval of the
        reference, as `was_low` and `was_high`.
        """
        return None

    @classmethod
    def for_segments(cls, columns: tuple[str, ...]) -> Self | None:
        """Return the check that compares the segments of these columns with each other.

        None for a check that does not; the other checks judge each segment by itself.
        """
        return None

    def restrict_to(self, names: frozenset[str]) -> Self:
        """Return the same check, free to leave out measurements with other names."""
        return self

    @abstractmethod
    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the measurements of `ctx.current`, in a stable order.

        Values are finite. A number that does not exist is None, with its reason.
        """
