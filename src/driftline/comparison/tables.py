"""Opens the two tables of a comparison: files, addresses, or tables in memory."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.comparison.memory_source import MemorySource
from driftline.comparison.spooled_stream import read_stream
from driftline.comparison.table_profile import TableProfile
from driftline.contracts.context import StartContext
from driftline.contracts.format import Format
from driftline.contracts.source import Source
from driftline.extensions.registry import SourceFormats
from driftline.ingest.read.decode_object import decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.peek import peek
from driftline.ingest.read.plan import whole_object
from driftline.ingest.read.profile_rows import latest_event_time
from driftline.ingest.reference.build import list_reference_objects
from driftline.ingest.reference.from_profiles import header_schema
from driftline.kit.decoding.profile_records import ProfileHeader, profile_batch, profile_header
from driftline.onboarding.inspect_reference import find_source_options
from driftline.profiles.profile import Collectors
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import ComparisonError, DriftlineError, SourceError
from driftline.types.model import LogObject, Schema

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry


Table = str | os.PathLike[str] | TableProfile | Any
"""A path, an address, a profile, or an object with `__arrow_c_stream__`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTable:
    """A table that can be read, and its first records."""

    name: str
    """What messages call it: its address, or `reference` and `current`."""
    source: Source
    formats: Mapping[str, Format]
    objects: list[LogObject]
    batches: Sequence[pa.RecordBatch]
    """The first records, with all columns."""

    @property
    def profiled(self) -> ProfileHeader | None:
        """What its profiles have in common; None where it holds rows."""
        return next(map(profile_header, self.batches), None)

    @property
    def columns(self) -> list[str]:
        """The names of its columns, in their order."""
        if self.profiled is not None:
            return [part.path for part in header_schema(self.profiled).fields]
        return list(dict.fromkeys(name for batch in self.batches for name in batch.schema.names))

    def held_rows(self) -> pa.Table:
        """Return the rows of a table in memory. Raises TypeError for files."""
        if not isinstance(self.source, MemorySource):
            raise TypeError(f"{self.name} is not in memory")
        return self.source.table

    def all_batches(self, now: datetime) -> Iterator[pa.RecordBatch]:
        """Yield all records with all columns. Raises Unreadable where there are none."""
        job = self.job(Schema(), ProfileSpec(columns={}), now, {})
        for obj in self.objects:
            decoding = Decoding(uri=obj.uri, parts=obj.parts, takes_profiles=True)
            yield from decode_records(job, whole_object(obj, now), decoding)

    def job(self, schema: Schema, spec: ProfileSpec, now: datetime, collectors: Collectors) -> Job:
        """Return how it is read."""
        return Job(
            source=self.source,
            formats=self.formats,
            schema=schema,
            spec=spec,
            length=1,
            latest=latest_event_time(now),
            collectors=collectors,
        )


def open_table(
    data: Any, role: str, registry: Registry, context: StartContext, now: datetime
) -> OpenTable:
    """Open a path, an address, a profile, or an object with `__arrow_c_stream__`.

    `role` is `reference` or `current`. Raises TypeError for another object, and SourceError or
    ComparisonError for a table that can't be read.
    """
    if isinstance(data, (str, os.PathLike)):
        return _open_address(os.fspath(data), registry, context, now)
    if isinstance(data, TableProfile):
        table = pa.Table.from_batches([profile_batch(*data.to_records())])
    else:
        table = _arrow_table(data, role)
    if not table.num_rows:
        raise ComparisonError(f"the {role} table has no rows")
    source = MemorySource.of(role, table)
    source.start(context)
    return _with_records(role, source, {}, now)


def _open_address(
    address: str, registry: Registry, context: StartContext, now: datetime
) -> OpenTable:
    type_name, options = registry.source_for(address)
    source: Source = registry.get("source", type_name).model_validate(options)
    source.start(context)
    try:
        more_options = find_source_options(source, registry, now)
        if more_options:
            source.stop()
            source = registry.get("source", type_name).model_validate(options | more_options)
            source.start(context)
        return _with_records(address, source, SourceFormats(source, registry), now)
    except DriftlineError as error:
        source.stop()
        text = str(error)
        raise type(error)(text if address in text else f"{address}: {text}") from None


def _with_records(
    name: str, source: Source, formats: Mapping[str, Format], now: datetime
) -> OpenTable:
    job = Job(
        source=source,
        formats=formats,
        schema=Schema(),
        spec=ProfileSpec(columns={}),
        length=1,
        latest=latest_event_time(now),
    )
    objects = list_reference_objects(job, now)
    batches = peek(job, objects)
    if not any(len(batch) for batch in batches):
        raise SourceError(f"{name}: no row can be read: it is empty, or has another format")
    return OpenTable(name=name, source=source, formats=formats, objects=objects, batches=batches)


def _arrow_table(data: Any, role: str) -> pa.Table:
    """Return a table that any library of data frames hands over through Arrow."""
    if not hasattr(data, "__arrow_c_stream__"):
        raise TypeError(
            f"{role}: {type(data).__name__} is no table: give a path, or a table of pandas (2.2 "
            "or newer), polars, pyarrow or DuckDB, or another object with __arrow_c_stream__"
        )
    try:
        table = read_stream(data)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise ComparisonError(
            f"the {role} table can't be handed over through Arrow: {' '.join(str(error).split())}"
        ) from None
    repeated = [name for name, count in Counter(table.column_names).items() if count > 1]
    if repeated:
        raise ComparisonError(
            f"the {role} table has more than one column {repeated[0]!r}: rename or drop the "
            "repeated ones"
        )
    if not table.num_columns:
        raise ComparisonError(f"the {role} table has no columns")
    return table
