"""Profiles a frame of Spark where its rows are: `driftline.spark.profile(df, path)`.

Each partition is profiled by `mapInArrow`, so that only profiles travel. Needs Spark 3.4 or newer,
and the same version of driftline on driver and executors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.comparison.profile_table import profile as profile_table
from driftline.comparison.table_profile import TableProfile, profile_of_records
from driftline.extensions.registry import Registry
from driftline.ingest.reference.build import GRID_ROWS
from driftline.kit.decoding.profile_records import (
    ProfileRecord,
    decode_profiles,
    encode_profiles,
    profile_batch,
    profile_records,
)
from driftline.types.errors import SourceError

if TYPE_CHECKING:
    from os import PathLike

    import pyarrow as pa

SCHEMA = "start long, version string, segment string, rows long, profile binary"
"""What `PartitionProfiler` returns, for `mapInArrow`."""
CHUNK_ROWS = 1 << 17
"""Rows of a partition that are in memory at once."""


def profile(
    df: Any,
    path: str | PathLike[str] | None = None,
    reference: TableProfile | str | PathLike[str] | None = None,
    *,
    plugins: Sequence[Path | str] = (),
    **columns: Any,
) -> TableProfile:
    """Profile a frame of Spark, save the profile at `path`, and return it.

    `reference` gives the grid: a profile or its path, such as that of a model of the agent. Without
    it the grid is made from a sample of 131,072 rows. `columns` are `label`, `prediction` and the
    other names of columns that `driftline.profile` takes. `plugins` have to be on the executors,
    too. Raises SourceError for a frame without rows, and what `driftline.profile` raises.
    """
    if reference is None:
        grid = profile_table(_sample(df), plugins=plugins, **columns)
    else:
        grid = profile_table(reference, plugins=plugins, **columns)
    profiler = PartitionProfiler.of(grid, plugins)
    rows = df.mapInArrow(profiler, SCHEMA).collect()
    total = profiler.add(ProfileRecord(**row.asDict()) for row in rows)
    if path is not None:
        total.save(path)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionProfiler:
    """Profiles the batches of one partition; it is sent to the executors."""

    grid: bytes
    """Schema, grid and windows, as `encode_profiles` writes them."""
    plugins: tuple[str, ...] = ()

    @classmethod
    def of(cls, grid: TableProfile, plugins: Sequence[Path | str] = ()) -> PartitionProfiler:
        """Return the profiler on the grid of a profile."""
        header, _ = grid.to_records()
        return cls(grid=encode_profiles(header, ()), plugins=tuple(map(str, plugins)))

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield one batch with the profiles of all rows; nothing for a partition without rows."""
        grid = self._grid()
        total: TableProfile | None = None
        for chunk in _chunks(batches):
            chunk_profile = profile_table(chunk, grid, plugins=self.plugins)
            total = chunk_profile if total is None else total + chunk_profile
        if total is not None:
            # Without the header: the driver knows it, and Spark drops the metadata of a schema.
            yield profile_batch(*total.to_records()).replace_schema_metadata(None)

    def add(self, records: Iterable[ProfileRecord]) -> TableProfile:
        """Return the sum of what the partitions yielded. Raises SourceError for no rows."""
        header, _ = decode_profiles(self.grid)
        total = profile_of_records(header, list(records), self._grid().collectors)
        if not total.parts:
            raise SourceError("the frame has no rows")
        return replace(total, parts={key: total.parts[key] for key in sorted(total.parts)})

    def add_batches(self, batches: Iterable[pa.RecordBatch]) -> TableProfile:
        """Return the sum of the batches that the partitions yielded."""
        return self.add(record for batch in batches for record in profile_records(batch))

    def _grid(self) -> TableProfile:
        header, records = decode_profiles(self.grid)
        collectors: Mapping[str, Any] = Registry.load(
            [Path(path) for path in self.plugins]
        ).collectors()
        return profile_of_records(header, records, collectors)


def _chunks(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of about CHUNK_ROWS rows."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows:
            waiting.append(batch)
        if sum(part.num_rows for part in waiting) >= CHUNK_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _sample(df: Any) -> pa.Table:
    """Return a sample of the rows from all over the frame."""
    import pyarrow as pa

    count = df.count()
    if not count:
        raise SourceError("the frame has no rows")
    if count > GRID_ROWS:
        df = df.sample(fraction=min(1.0, 1.05 * GRID_ROWS / count), seed=0).limit(GRID_ROWS)
    # Spark 4 has toArrow.
    return df.toArrow() if hasattr(df, "toArrow") else pa.Table.from_pandas(df.toPandas())
