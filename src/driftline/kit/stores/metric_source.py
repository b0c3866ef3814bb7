"""A source that asks a metric service for points, a slice of time at a time.

Each slice is an object that never changes: it is read once, some time after its end. Does not know
the protocol of any service.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic import Field as Setting
from pydantic import PrivateAttr, model_validator

from driftline.contracts.format import DecodeContext
from driftline.contracts.source import DiscoverContext, Source
from driftline.kit.decoding import json_values
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject
from driftline.types.scalars import Duration, Length, format_scalar
from driftline.types.times import as_utc

if TYPE_CHECKING:
    from typing import Self

    import pyarrow as pa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
ROW_COLUMNS = ("time", "value", "name")
"""The columns that every row has; a label of this name gets `label_` before it."""
BATCH = 50_000
"""Rows of one batch."""


class MetricSource(Source):
    """Reads points of a metric service. Each point is a row with `time`, `value` and `name`.

    `name` is the name of the series in the settings; each label is a column of its name. A slice of
    time is read once, `settle` after its end.
    """

    step: Length = timedelta(minutes=1)
    """The distance of two points of a series, in whole seconds."""
    slice: Length = timedelta(hours=1)
    """The span that one look reads, a multiple of `step` that divides a day evenly.

    Set the length of a window where windows are shorter than an hour. Don't change it later: points
    that are already counted would count again.
    """
    settle: Duration = timedelta(minutes=5)
    """How long after its end a slice is read. Points that come later are not found."""
    history: Length = timedelta(days=14)
    """How far back the first look reads. The service may keep its points for a shorter time."""
    max_points: int = Setting(default=1_000_000, ge=1)
    """The most points of one slice; a slice with more is not read, with the reason."""

    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

    @model_validator(mode="after")
    def _slices_fit(self) -> Self:
        if self.step % SECOND:
            raise ValueError("step should be whole seconds")
        if DAY % self.slice:
            raise ValueError("slice should divide a day evenly, such as 5m or 1h")
        if self.slice % self.step:
            step, span = format_scalar(self.step), format_scalar(self.slice)
            raise ValueError(f"slice should be a multiple of step: {span} is none of {step}")
        return self

    @property
    def full_listing_interval(self) -> timedelta | None:
        """Return a day: in between only new slices are listed."""
        return DAY

    @property
    @abstractmethod
    def address(self) -> str:
        """Return the address of what is read, to which the time of a slice is added."""

    @abstractmethod
    def read_points(self, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
        """Yield the points from `start` until before `end`, as `make_point` makes them.

        Raises SourceError.
        """

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """List the slices that have ended, without a request."""
        until = _floor(ctx.now - self.settle, self.slice)
        since = _floor(until - self.history, self.slice)
        if ctx.since is not None:
            since = max(since, _floor(ctx.since, self.slice))
        while since < until:
            uri = f"{self.address}/{since:%Y-%m-%dT%H:%M:%SZ}"
            end = since + self.slice
            yield LogObject(uri=uri, version="1", size=0, modified=end, partition=since)
            since = end

    def batches(self, obj: LogObject, ctx: DecodeContext) -> Iterator[pa.RecordBatch]:
        """Return the points of a slice. Raises Unreadable where it has too many."""
        start = obj.partition or EPOCH
        points = self._points_within(start, start + self.slice, obj.uri)
        while rows := list(islice(points, BATCH)):
            yield json_values.batch_of_records(ctx.fields, rows)

    def _points_within(self, start: datetime, end: datetime, uri: str) -> Iterator[dict[str, Any]]:
        """Yield the points of a slice: what a service adds of other times is left out."""
        count = 0
        for point in self.read_points(start, end):
            if start <= point["time"] < end:
                count += 1
                if count > self.max_points:
                    raise Unreadable(
                        f"{uri}: more than {self.max_points:,} points: ask for fewer series, set "
                        "a longer step, or raise max_points"
                    )
                yield point | {"time": point["time"].isoformat()}

    def probe(self) -> str:
        """Return how many points the newest slice has, by series."""
        end = _floor(self.context.clock() - self.settle, self.slice)
        counts: dict[str, int] = {}
        for point in self._points_within(end - self.slice, end, self.address):
            counts[point["name"]] = counts.get(point["name"], 0) + 1
        names = ", ".join(f"{count:,} of {name}" for name, count in sorted(counts.items())[:10])
        return f"{self.address}: points of {end - self.slice:%H:%M} to {end:%H:%M} UTC: " + (
            names or "none"
        )


def make_point(
    name: str, at: datetime, value: float | None, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the row of one point. A value that is NaN is none."""
    row: dict[str, Any] = {
        f"label_{label}" if label in ROW_COLUMNS else label: text for label, text in labels.items()
    }
    is_number = value is not None and value == value
    return row | {"time": at, "value": value if is_number else None, "name": name}


def parse_rfc3339(text: str) -> datetime:
    """Return a time of RFC 3339, UTC. Raises ValueError."""
    return as_utc(datetime.fromisoformat(text))


def _floor(at: datetime, span: timedelta) -> datetime:
    return EPOCH + (at - EPOCH) // span * span
