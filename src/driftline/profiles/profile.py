"""The profile: a mergeable summary of rows, made of collectors.

Only profiles of one spec can be merged.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from driftline.profiles.batch import Batch, LabelledRows
from driftline.profiles.collector import Collector
from driftline.profiles.packing import pack, unpack
from driftline.profiles.spec import ProfileSpec
from driftline.profiles.window import Column, Scores, Window

if TYPE_CHECKING:
    import pyarrow as pa

Collectors = Mapping[str, type[Collector]]
"""Types of collectors, by name."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Profile:
    """The number of rows, first and last event time, and the collectors of its spec."""

    def __init__(
        self,
        spec: ProfileSpec,
        collectors: Collectors,
        parts: Mapping[str, Collector] | None = None,
    ) -> None:
        """Make the profile of no rows, or one of `parts`: the collectors of the spec, by name."""
        self.spec = spec
        self.collectors = collectors
        self.rows = 0
        self.first: int | None = None
        """Microseconds since the epoch."""
        self.last: int | None = None
        self._parts = (
            {name: collectors[name].zero(spec) for name in spec.collectors}
            if parts is None
            else dict(parts)
        )

    def update(self, batch: Batch) -> None:
        """Add the rows of a batch."""
        self.rows += batch.rows
        if len(batch.events):
            self._span(int(batch.events.min()), int(batch.events.max()))
        for part in self._parts.values():
            part.update(batch)

    def label(self, labelled: LabelledRows) -> None:
        """Add labels that came later, of rows that were added without them.

        The rows may also be in another profile that this one is merged with.
        """
        for part in self._parts.values():
            part.label(labelled)

    def merge(self, other: Profile) -> None:
        """Add another profile, which does not change. Raises ValueError for another spec."""
        if other.spec is not self.spec and other.spec.digest != self.spec.digest:
            raise ValueError(
                f"profiles of different specs: {self.spec.digest} and {other.spec.digest}"
            )
        self.rows += other.rows
        self._span(other.first, other.last)
        for name, part in self._parts.items():
            part.merge(other._parts[name])

    def _span(self, first: int | None, last: int | None) -> None:
        if first is not None and last is not None:
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)

    def to_bytes(self) -> bytes:
        """The canonical form: equal content gives equal bytes."""
        parts = [part.to_bytes() for part in self._parts.values()]
        return zlib.compress(pack((self.spec.digest, self.rows, self.first, self.last, parts)), 1)

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec, collectors: Collectors) -> Profile:
        """The inverse of `to_bytes`. Raises ValueError when another spec made the bytes."""
        digest, rows, first, last, parts = unpack(zlib.decompress(data))
        if digest != spec.digest:
            raise ValueError(f"the profile was made by spec {digest}, not {spec.digest}")
        profile = cls(
            spec,
            collectors,
            {
                name: collectors[name].from_bytes(part, spec)
                for name, part in zip(spec.collectors, parts, strict=True)
            },
        )
        profile.rows, profile.first, profile.last = rows, first, last
        return profile

    def window(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        version: str = "",
        segment: str = "",
        last_seen: datetime | None = None,
        reread: Callable[[], Iterator[pa.RecordBatch]] | None = None,
    ) -> Window:
        """The summaries that checks read.

        `last_seen` is the last event of the model, by default that of these rows; `reread` reads
        the raw rows again.
        """
        summaries: dict[str, Any] = {name: part.summary() for name, part in self._parts.items()}
        columns: dict[str, Column] = {
            **summaries.get("numeric", {}),
            **summaries.get("categories", {}),
        }
        return Window(
            rows=self.rows,
            columns={name: columns[name] for name in self.spec.columns if name in columns},
            scores=summaries.get("scores", Scores()),
            start=start,
            end=end,
            version=version,
            segment=segment,
            first_event=_moment(self.first),
            last_event=_moment(self.last),
            last_seen=last_seen or _moment(self.last),
            summaries=summaries,
            reread=reread,
        )


def _moment(value: int | None) -> datetime | None:
    return None if value is None else _EPOCH + timedelta(microseconds=value)
