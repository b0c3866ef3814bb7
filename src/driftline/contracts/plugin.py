"""The contracts: what a plugin of each kind declares, what it is given, and what it gives back.

Refuses to hold any of the hard parts: timing, timeouts, retries, logging and isolation are the
host's, for every plugin alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from driftline.contracts.rule import Rule
from driftline.contracts.start_context import StartContext
from driftline.types.action_request import Order, Request
from driftline.types.errors import Unreadable
from driftline.types.message import Markup, Message
from driftline.types.model import Field, LogObject, Measurement, Schema
from driftline.types.notification import Notification

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from driftline.profiles.collector import Collector as Collector
    from driftline.profiles.window import Window


class Plugin(BaseModel):
    """A frozen set of settings, each with a sentence under it, and what is done with them.

    `start` may fail; `stop` must not, is safe without `start` and safe twice.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: ClassVar[str]
    """The name by which a configuration asks for it."""
    extra: ClassVar[str] = ""
    """The extra of the package that brings what this plugin imports in `start`, such as `aws`."""

    _context: StartContext | None = PrivateAttr(default=None)

    def __getstate__(self) -> dict[Any, Any]:
        # Connections and contexts don't travel to other machines: there, settings are all there is,
        # as before `start`.
        private = self.__private_attributes__.items()
        fresh = {
            name: made.default_factory() if made.default_factory else made.get_default()  # type: ignore[call-arg]
            for name, made in private
        }
        return super().__getstate__() | {"__pydantic_private__": fresh}

    @property
    def context(self) -> StartContext:
        """What `start` was given. Raises RuntimeError before `start`."""
        if self._context is None:
            raise RuntimeError(f"{self.type}: start() comes first")
        return self._context

    def start(self, context: StartContext) -> None:
        """Open what the plugin needs. Raise to say that it can't work now."""
        self._context = context

    def stop(self) -> None:
        """Let go of everything."""
        self._context = None

    def probe(self) -> str:
        """Reach the outside once, harmlessly, and say in a few words what was found. Raise to say
        what is missing.
        """
        return "nothing to reach"

    def permissions(self) -> Sequence[str]:
        """The least rights this plugin needs where it reads or writes."""
        return ()


class FormatRef(BaseModel):
    """A format and its settings, where its name alone is not enough."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    type: str
    """The format's name."""
    options: dict[str, Any] = {}
    """The format's settings."""


@dataclass(frozen=True, slots=True)
class DiscoverContext:
    """What a source may use to list less."""

    now: datetime
    since: datetime | None = None
    """Objects whose place names a span that ended before this may be left out; None asks for all
    there are.
    """
    skipped: Callable[[str, str], None] = lambda uri, reason: None
    """Call with a URI and a reason for what is listed on purpose as no data: markers, manifests,
    temporary files.
    """


class Source(Plugin, ABC):
    """Lists log objects and opens them. A table source overrides `batches` instead of `open`."""

    format: str | FormatRef | None = None
    """How the records are written: a format's name, or its `type` and `options`. Guessed from the
    file name when absent.
    """

    @property
    def whole_every(self) -> timedelta | None:
        """How often everything must be listed. In between `ctx.since` is set, and less may be
        given; None: every time.
        """
        return None

    @abstractmethod
    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """Everything that is there, in any order; a page that fails raises and nothing of the pass
        counts.

        Raises SourceError when the store can't be listed.
        """

    def committed(self) -> None:
        """All that the last `discover` gave has been dealt with and remembered: notifications of it
        may be thrown away.
        """

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The stored bytes of exactly this version from byte `start` on.

        Raises ObjectChanged when the store holds another version now, ObjectGone, Unreadable or
        SourceError.
        """
        raise NotImplementedError(f"{self.type} has neither open() nor batches()")

    def refer(self, uri: str) -> BinaryIO:
        """The stored bytes of an object that a record refers to: a whole address, or a path beside
        the records.

        Raises ObjectGone, Unreadable (also for what lies outside of what this source may read) or
        SourceError.
        """
        raise Unreadable(f"{self.type} follows no references")

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch] | None:
        """For tables: the records themselves. None says that `open` and a format do the work."""
        return None


class DecodeContext(Protocol):
    """What a format is given for one object, and how it tells what became of the records."""

    @property
    def uri(self) -> str:
        """The object's."""
        ...

    @property
    def fields(self) -> tuple[Field, ...] | None:
        """The columns wanted; None asks for everything there is, nested names joined by dots."""
        ...

    @property
    def sealed(self) -> bool:
        """Whether the stream ends where the object ends: if not, a last record without its end is
        left for later.
        """
        ...

    def reject(self, position: int, reason: str, record: bytes | str = b"") -> None:
        """Count one record that can't be read: its ordinal in the stream, why, and its first bytes
        as a sample.
        """
        ...

    def consumed(self, offset: int) -> None:
        """Say that whole records reach to byte `offset` of the stream. Without it an object is only
        read as a whole.
        """
        ...

    @property
    def parts(self) -> Mapping[str, str]:
        """What the object's place says of its records, see `LogObject.parts`."""
        ...

    def refer(self, uri: str) -> BinaryIO:
        """The bytes of another object that a record refers to; see `Source.refer` for what it
        raises.
        """
        ...


class Format(Plugin, ABC):
    """Decodes a stream of bytes into record batches."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name endings (without compression) by which the format is guessed, such as `.csv`."""
    marks: ClassVar[tuple[frozenset[str], ...]] = ()
    """By what its records are recognised: all names of one of these sets stand at the top of
    each.
    """
    compressed: ClassVar[bool] = False
    """True for formats that compress by themselves, such as Parquet: the host then hands the stored
    bytes over as they are.
    """

    def with_columns(self, names: Sequence[str]) -> Self:
        """The same format for records whose values may lack names: `names` are the inputs' in the
        reference, in order.
        """
        return self

    def no_data(self, uri: str) -> str:
        """Why an object of this name is none of the format's data, such as a manifest beside it;
        empty when it is.
        """
        return ""

    @abstractmethod
    def decode(self, stream: BinaryIO, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Batches whose columns bear the names of `ctx.fields`; a field that a record lacks is
        null.

        Values may have any Arrow type: the host casts them to the canonical ones and counts what
        doesn't fit. Raises Unreadable when nothing more can be read of this object; batches given
        before that count.
        """


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier value of a measurement."""

    start: datetime
    """Start of the window it belongs to."""
    value: float
    rows: int
    verdict: str


class History(Protocol):
    """Earlier values of the measurements of the same check, model version and segment; oldest
    first.
    """

    def __call__(
        self, name: str, labels: Mapping[str, str] | None = None, limit: int = 100
    ) -> Sequence[Earlier]:
        """The newest `limit` values of one series."""
        ...


def no_history(
    name: str, labels: Mapping[str, str] | None = None, limit: int = 100
) -> Sequence[Earlier]:
    """The history of a model that has none."""
    return ()


@dataclass(frozen=True, slots=True)
class CheckContext:
    """All that a check may see."""

    current: Window
    reference: Window | None
    """None until there is one."""
    schema: Schema
    history: History = no_history
    seed: int = 0
    """For checks that draw: the same for the same model, check and window."""

    def rng(self) -> np.random.Generator:
        """A generator seeded by `seed`."""
        import numpy as np

        return np.random.default_rng(self.seed)


class Check(Plugin, ABC):
    """Measures a window against a reference. Knows nothing of thresholds, storage or messages."""

    collectors: ClassVar[frozenset[str]] = frozenset({"numeric", "categories"})
    """The parts of a profile that it looks at."""
    cause: ClassVar[str] = "drift"
    """The family its alerts belong to: `drift`, `quality`, `service` or `performance`."""
    main: ClassVar[str] = ""
    """The measurement that a rule without `measurement` judges; the check's type when empty."""
    default_rules: ClassVar[Mapping[str, Rule]] = {}
    """What judges its measurements when the configuration has no rule, by measurement name."""
    min_rows: ClassVar[int] = 1
    """Fewer rows than this behind a measurement are `unsure`."""
    on_empty: ClassVar[bool] = False
    """Whether it also runs on a window without rows."""

    def wants(self) -> Mapping[str, tuple[str, ...]]:
        """What it tells its collectors beyond their names, such as expressions to look at: texts by
        collector.

        A collector finds what all checks of its model told it in `ProfileSpec.options`. Other texts
        make another reference, and what is not judged yet is read again.
        """
        return {}

    def only(self, names: frozenset[str]) -> Self:
        """The same check where only measurements of these names are looked at: others may be left
        out.
        """
        return self

    @abstractmethod
    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """The measurements of `ctx.current`, in a stable order. No NaN: a number that can't be had
        is None with its reason.
        """


class Sink(Plugin, ABC):
    """Delivers one notification. The host decides about trying again."""

    repeat: ClassVar[Literal["deduplicates", "looks", "repeats"]] = "repeats"
    """What becomes of a notification sent twice: its receiver recognises it, the sink looks first,
    or it is there twice.
    """
    updates: ClassVar[bool] = True
    """Whether it wants to hear of changes between opening and resolution."""
    pace: ClassVar[float] = 1.0
    """Seconds between two messages; 0 for a receiver that bears any number at once."""
    markup: ClassVar[Markup] = "plain"
    """How the service wants its text: the host escapes all data for it."""
    limits: ClassVar[Mapping[str, int]] = {}
    """Characters of a piece of a message, by its name, where the service takes fewer (or more) than
    is usual.
    """

    def message(self, notification: Notification, markup: Markup | None = None) -> Message:
        """The text of `notification`, in the sink's markup (or in `markup`) and within its
        limits.
        """
        return self.context.message(notification, markup or self.markup, self.limits)

    def look(self, notification: Notification, since: datetime) -> str | None:
        """The receiver's reference when it has `notification` already, which was first tried after
        `since`; None when not.

        Asked before every attempt but the first, when `repeat` is `looks`. Raises what `send`
        raises.
        """
        return None

    @abstractmethod
    def send(self, notification: Notification) -> str | None:
        """Deliver it; returns the receiver's reference, if any. Raises Rejected, Retryable,
        OutcomeUnknown or Throttled.
        """


class Action(Plugin, ABC):
    """Changes something in the world when an incident calls for it. The host decides when, and
    about trying again.
    """

    repeat: ClassVar[Literal["deduplicates", "repeats"]] = "repeats"
    """What the receiver makes of the same request sent twice. `repeats` is never sent again once it
    may have been taken.
    """

    @property
    def patience(self) -> float:
        """Seconds that `perform` may take before it counts as hanging."""
        return 30.0

    @abstractmethod
    def request(self, order: Order) -> Request:
        """Exactly what `perform` sends, and no secret in it. It reaches nothing, and works without
        `start`.

        Raises Rejected when there is no request that the receiver could take.
        """

    @abstractmethod
    def perform(self, request: Request) -> str:
        """Send it; returns in a line what came of it. Raises Rejected, Retryable, OutcomeUnknown or
        Throttled.
        """


class ExecutorFactory(Plugin, ABC):
    """Makes the executor on which objects are profiled."""

    @abstractmethod
    def create(self) -> Executor:
        """An executor; the host shuts it down."""


PluginKind = Literal["source", "format", "check", "collector", "sink", "action", "executor"]
