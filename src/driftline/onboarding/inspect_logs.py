"""Inspects logs that no configuration describes yet: their format, layout and columns.

Reads only a few objects. Does not write anything.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from driftline.contracts.source import DiscoverContext, Source
from driftline.extensions.registry import source_formats
from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.ingest.read.decode_object import choose_format, decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.peek import pair_samples
from driftline.ingest.read.plan import Work
from driftline.onboarding.recognise import recognise_format, recognise_layout, recognise_names
from driftline.onboarding.window_choice import WindowChoice, choose_windows
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import DriftlineError, SourceError
from driftline.types.model import LogObject, Schema

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

MAX_OBJECTS = 3
"""Objects that are read where all are of one kind."""
MAX_KINDS = 4
"""Kinds of folders; one object of each is read."""
MAX_LISTED = 1000
RECENT = timedelta(days=2)
MAX_WHOLE = 64 << 20
"""Bytes of the newest object up to which it is read to its end, for the time of its last row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogInspection:
    """The result of inspecting the logs of a source."""

    objects: list[LogObject]
    """Those that were read."""
    has_more: bool
    """Whether there are more objects than were listed."""
    object_count: int
    """Objects that were listed."""
    format: str
    """Name of a format; empty for a table, whose source decodes by itself."""
    layout: str | None
    """Name or pattern of a layout; None where names of objects don't contain the time."""
    batches: list[pa.RecordBatch]
    """The first records of each object that was read."""
    inference: InferredSchema
    windows: WindowChoice
    skipped_objects: list[tuple[str, str]] = field(default_factory=list)
    """URI of what is no data, and the reason."""


def inspect_logs(source: Source, registry: Registry, now: datetime) -> LogInspection:
    """Inspect the newest objects of a started source.

    Raises SourceError when there is nothing that can be read.
    """
    skipped_objects: list[tuple[str, str]] = []
    ctx = DiscoverContext(
        now=now, skipped=lambda uri, reason: skipped_objects.append((uri, reason))
    )
    listing = list(islice(source.discover(ctx), MAX_LISTED + 1))
    if not listing:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    has_more, layout = len(listing) > MAX_LISTED, None
    if "layout" in type(source).model_fields:
        layout = recognise_layout(_keys(source, listing))
    if layout is not None:
        source = source.model_copy(update={"layout": layout})
        listing = _list_recent(source, now) if has_more else []
        listing = listing or list(islice(source.discover(DiscoverContext(now=now)), MAX_LISTED))
    objects = _newest_objects(listing)
    name = recognise_format(source, objects, registry)
    batches, last_batches, name, error = _read(source, objects, name, registry)
    if not batches:
        raise SourceError(f"{objects[-1].uri} can't be read: {error}")
    inference = infer_schema(batches)
    stamp = inference.schema.timestamp
    windows = choose_windows([*batches, *last_batches], stamp.path if stamp else None, now)
    return LogInspection(
        objects=objects,
        has_more=has_more,
        object_count=len(listing),
        format=name,
        layout=layout,
        batches=batches,
        inference=inference,
        windows=windows,
        skipped_objects=skipped_objects,
    )


def _list_recent(source: Source, now: datetime) -> list[LogObject]:
    """List objects in the newest places: old ones may have had other columns."""
    since = now - RECENT
    objects = source.discover(DiscoverContext(now=now, since=since))
    recent = (obj for obj in objects if obj.partition is None or obj.partition >= since)
    return list(islice(recent, MAX_LISTED))


def _read(
    source: Source, objects: list[LogObject], name: str, registry: Registry
) -> tuple[list[pa.RecordBatch], list[pa.RecordBatch], str, str]:
    """Return the first records of each object, the last of the newest one, format and last error.

    The last records are there only if they are not the first ones and the object is small.
    """
    formats = {"": registry.get("format", name)()} if name else source_formats(source, registry)
    job = Job(
        source=source,
        formats=formats,
        schema=Schema(),
        spec=ProfileSpec(columns={}),
        length=1,
        latest=0,
    )
    batches: list[pa.RecordBatch] = []
    last_batches: list[pa.RecordBatch] = []
    last_error = "it holds no records"
    for obj in objects:
        try:
            decoding = Decoding(
                uri=obj.uri,
                fields=None,
                is_complete=True,
                parts=obj.parts,
                open_reference=source.open_reference,
            )
            work = Work(object=obj, start=0, is_complete=True)
            records = decode_records(job, work, decoding)
            batches += islice(records, 1)
            if obj is objects[-1] and obj.size <= MAX_WHOLE:
                last_batches = list(deque(records, maxlen=1))
            if not name and source.batches(obj, decoding) is None:
                name = choose_format(formats, obj.uri).type
        except DriftlineError as error:
            last_error = str(error)
    if batches and name and registry.get("format", name).magic:
        better_name = recognise_names(registry, batches[0].schema.names)
        if better_name and better_name != name:
            return _read(source, objects, better_name, registry)
    return pair_samples(batches), last_batches, name, last_error


def _newest_objects(listing: list[LogObject]) -> list[LogObject]:
    """Return the newest few objects.

    Where their places have parts (such as variants, inputs and outputs), one of each kind.
    """
    kinds: dict[tuple[tuple[str, str], ...], list[LogObject]] = {}
    for obj in sorted(listing, key=lambda obj: (obj.size > 0, obj.uri)):
        kinds.setdefault(tuple(sorted(obj.parts.items())), []).append(obj)
    count = MAX_OBJECTS if len(kinds) == 1 else 1
    newest = sorted(kinds.values(), key=lambda objects: objects[-1].uri)[-MAX_KINDS:]
    return [obj for objects in newest for obj in objects[-count:]]


def _keys(source: Source, listing: list[LogObject]) -> list[str]:
    """Return the names of objects below the source's prefix or folder."""
    root = getattr(source, "prefix", None)
    if root is None:
        base = source.context.config_folder / getattr(source, "path", "")
        root = f"{base.expanduser().absolute()}/"
    names = [unquote(obj.uri) for obj in listing]
    return [
        name.partition(root)[2] if root and root in name else name.split("://", 1)[-1]
        for name in names
    ]
