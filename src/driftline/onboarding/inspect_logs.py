"""A first look at logs nobody has described yet: which format, which layout, which columns, which
doubts.

Refuses to read more than a few objects, and to write anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa

from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext, Source
from driftline.extensions.registry import source_formats
from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.peek import pair_samples
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import Job, choose_format, decode_records
from driftline.onboarding.recognise import marked, recognise_format, recognise_layout
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import DriftlineError, SourceError
from driftline.types.model import LogObject, Schema

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

OBJECTS, FOLDERS, LISTED = 3, 4, 1000
LATELY = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a first look showed."""

    objects: list[LogObject]
    """Some of them."""
    more: bool
    """Whether there are more objects than were listed."""
    listed: int
    format: str
    """Empty for a table, whose source knows."""
    layout: str | None
    batches: list[pa.RecordBatch]
    inferred: InferredSchema
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """What is no data, with the reason."""


def look(source: Source, registry: Registry, now: datetime) -> Looked:
    """Look at the newest objects of a started source. Raises SourceError when there is nothing that
    can be read.
    """
    skipped: list[tuple[str, str]] = []
    ctx = DiscoverContext(now=now, skipped=lambda uri, reason: skipped.append((uri, reason)))
    found = list(islice(source.discover(ctx), LISTED + 1))
    if not found:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    more, layout = len(found) > LISTED, None
    if "layout" in type(source).model_fields:
        layout = recognise_layout(_keys(source, found))
    if layout is not None:
        source = source.model_copy(update={"layout": layout})
        found = _lately(source, now) if more else []
        found = found or list(islice(source.discover(DiscoverContext(now=now)), LISTED))
    objects = _newest(found)
    name = recognise_format(source, objects, registry)
    batches, name, trouble = _read(source, objects, name, registry)
    if not batches:
        raise SourceError(f"{objects[-1].uri} can't be read: {trouble}")
    return Looked(objects, more, len(found), name, layout, batches, infer_schema(batches), skipped)


def _lately(source: Source, now: datetime) -> list[LogObject]:
    """Objects in the newest places: old ones may have had other columns."""
    since = now - LATELY
    listed = source.discover(DiscoverContext(now=now, since=since))
    return list(
        islice((obj for obj in listed if obj.partition is None or obj.partition >= since), LISTED)
    )


def _read(
    source: Source, objects: list[LogObject], name: str, registry: Registry
) -> tuple[list[pa.RecordBatch], str, str]:
    """The first records of each object, the format they were read by, and what went wrong last."""
    formats = {"": registry.get("format", name)()} if name else source_formats(source, registry)
    job = Job(source, formats, Schema(), ProfileSpec({}), 1, 0)
    batches: list[pa.RecordBatch] = []
    trouble = "it holds no records"
    for obj in objects:
        try:
            decoding = Decoding(obj.uri, None, True, obj.parts, source.refer)
            batches += islice(decode_records(job, Work(obj, 0, True), decoding), 1)
            name = name or (
                ""
                if source.batches(obj, decoding) is not None
                else _type(choose_format(formats, obj.uri))
            )
        except DriftlineError as error:
            trouble = str(error)
    told = (
        marked(registry, batches[0].schema.names) if batches and name in ("parquet", "avro") else ""
    )
    return (
        _read(source, objects, told, registry)
        if told and told != name
        else (pair_samples(batches), name, trouble)
    )


def _newest(found: list[LogObject]) -> list[LogObject]:
    """The newest few objects; one of each kind of folder (variants, inputs and outputs) where
    places tell kinds apart.
    """
    kinds: dict[tuple[tuple[str, str], ...], list[LogObject]] = {}
    for obj in sorted(found, key=lambda obj: (obj.size > 0, obj.uri)):
        kinds.setdefault(tuple(sorted(obj.parts.items())), []).append(obj)
    each = OBJECTS if len(kinds) == 1 else 1
    newest = sorted(kinds.values(), key=lambda objects: objects[-1].uri)[-FOLDERS:]
    return [obj for objects in newest for obj in objects[-each:]]


def _keys(source: Source, found: list[LogObject]) -> list[str]:
    """The names of objects below the source's prefix or folder."""
    root = getattr(source, "prefix", None)
    if root is None:
        base = source.context.base / getattr(source, "path", "")
        root = f"{base.expanduser().absolute()}/"
    names = [unquote(obj.uri) for obj in found]
    return [
        name.partition(root)[2] if root and root in name else name.split("://", 1)[-1]
        for name in names
    ]


def _type(form: Format) -> str:
    return form.type
