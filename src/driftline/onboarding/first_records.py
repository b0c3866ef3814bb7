"""Reads the first records of the newest objects of a source."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext, Source
from driftline.extensions.registry import SourceFormats
from driftline.ingest.read.decode_object import choose_format, decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.peek import pair_samples
from driftline.ingest.read.plan import Work
from driftline.ingest.read.source_stream import open_reference
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import DriftlineError
from driftline.types.loss_reasons import LossReasons
from driftline.types.model import LogObject, Schema

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

MAX_OBJECTS = 3
"""Objects that are read where all are of one kind."""
MAX_KINDS = 4
"""Kinds of folders; one object of each is read."""
MAX_LISTED = 1000
MAX_WHOLE = 64 << 20
"""Bytes of the newest object up to which it is read to its end, for the time of its last row."""
MAX_TRIED = 20
"""Objects that are tried until one has a record that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRecords:
    """The first records of some objects."""

    batches: list[pa.RecordBatch]
    last_batches: list[pa.RecordBatch]
    """The last records of the newest object, if they are not the first ones and it is small."""
    objects: list[LogObject]
    rejected: LossReasons
    error: str
    """Why an object could not be read; empty where all could."""


def read_first_records(
    source: Source,
    listing: list[LogObject],
    name: str,
    options: Mapping[str, Any],
    registry: Registry,
) -> FirstRecords:
    """Read the first records of the newest objects; of older ones where these have none."""
    formats: Mapping[str, Format]
    formats = (
        {"": registry.get("format", name).model_validate(dict(options))}
        if name
        else SourceFormats(source, registry)
    )
    job = Job(
        source=source,
        formats=formats,
        schema=Schema(),
        spec=ProfileSpec(columns={}),
        length=1,
        latest=0,
    )
    newest = newest_objects(listing)
    older = sorted(
        (obj for obj in listing if obj not in newest), key=lambda obj: obj.uri, reverse=True
    )
    batches: list[pa.RecordBatch] = []
    last_batches: list[pa.RecordBatch] = []
    read, rejected, error = list[LogObject](), LossReasons(), ""
    for place, obj in enumerate([*newest, *older[: MAX_TRIED - len(newest)]]):
        if place >= len(newest) and batches:
            break
        decoding = Decoding(
            uri=obj.uri,
            fields=None,
            is_complete=True,
            parts=obj.parts,
            open_reference=open_reference(source),
        )
        read.append(obj)
        try:
            records = decode_records(job, Work(object=obj, start=0, is_complete=True), decoding)
            batches += islice(records, 1)
            if obj is newest[-1] and obj.size <= MAX_WHOLE:
                last_batches = list(deque(records, maxlen=1))
        except DriftlineError as trouble:
            error = str(trouble)
        rejected.merge(decoding.reasons, obj.uri)
    return FirstRecords(
        batches=pair_samples(batches),
        last_batches=last_batches,
        objects=read,
        rejected=rejected,
        error=error,
    )


def newest_objects(listing: list[LogObject]) -> list[LogObject]:
    """Return the newest few objects.

    Where their places have parts (such as variants, inputs and outputs), one of each kind.
    """
    kinds: dict[tuple[tuple[str, str], ...], list[LogObject]] = {}
    for obj in sorted(listing, key=lambda obj: (obj.size > 0, obj.uri)):
        kinds.setdefault(tuple(sorted(obj.parts.items())), []).append(obj)
    count = MAX_OBJECTS if len(kinds) == 1 else 1
    newest = sorted(kinds.values(), key=lambda objects: objects[-1].uri)[-MAX_KINDS:]
    return [obj for objects in newest for obj in objects[-count:]]


def one_of_each_kind(listing: list[LogObject]) -> list[LogObject]:
    """Return the newest objects, and the newest of each other suffix."""
    newest = newest_objects(listing)
    by_suffix = {obj.uri.rpartition(".")[2]: obj for obj in sorted(listing, key=lambda o: o.uri)}
    others = [obj for obj in by_suffix.values() if obj not in newest]
    return [*newest, *others[:MAX_KINDS]]


def format_by_suffix(source: Source, objects: Sequence[LogObject], registry: Registry) -> str:
    """Return the format of the newest object's suffix, rather one that is not for any JSON.

    Empty for tables and unknown suffixes.
    """
    forms: list[Format] = []
    for obj in reversed(objects):
        try:
            with source.open(obj):
                forms.append(choose_format(SourceFormats(source, registry), obj.uri))
        except (NotImplementedError, DriftlineError):
            continue
    return next((form.type for form in [*(f for f in forms if not f.any_json), *forms]), "")


def whole_prefix(source: Source, ctx: DiscoverContext) -> str | None:
    """Return the prefix with a `/`, where it is the name of a folder with objects; else None.

    Without the `/`, the objects of `logs-old/` have the prefix `logs` as well.
    """
    prefix = getattr(source, "prefix", "")
    if not prefix or prefix.endswith("/") or getattr(source, "layout", None):
        return None
    inside = source.model_copy(update={"prefix": f"{prefix}/"})
    return f"{prefix}/" if next(iter(inside.discover(ctx)), None) is not None else None
