"""Decodes one object to record batches: opens it, unpacks it and runs its format.

Does not cast values: the columns of a batch have the types that the format gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.source_stream import iterate, open_object, translate_unknown
from driftline.ingest.read.unfinished_record import TailStream
from driftline.kit.decoding.profile_records import is_profile_batch
from driftline.kit.decoding.split_records import side_of
from driftline.types.errors import Unreadable
from driftline.types.model import LogObject

if TYPE_CHECKING:
    import pyarrow as pa

PACKED_SUFFIXES = (".gz", ".bz2", ".zst", ".zstd")


def discover_objects(job: Job, context: DiscoverContext) -> Iterator[LogObject]:
    """The objects that the source lists, without those that their format declares to be no data."""
    for obj in job.source.discover(context):
        if reason := no_data_reason(job, obj):
            context.skipped(obj.uri, reason)
        else:
            yield obj


def no_data_reason(job: Job, obj: LogObject) -> str:
    """Return why an object is no data of its format, such as a manifest; empty when it is."""
    try:
        return choose_format(job.formats, obj.uri).no_data(obj.uri)
    except Unreadable:
        return ""  # quarantined when it is read


def choose_format(formats: Mapping[str, Format], uri: str) -> Format:
    """The format of an object, by the suffix of its name. Raises Unreadable when none fits."""
    if "" in formats:
        return formats[""]
    name = uri.rsplit("/", 1)[-1].lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    for suffix, format_ in formats.items():
        if name.endswith(suffix):
            return format_
    raise Unreadable("no format is known by this file name: set source.options.format")


def is_packed(uri: str) -> bool:
    """Whether the name of an object says that it is compressed."""
    return uri.lower().endswith(PACKED_SUFFIXES)


def decode_records(job: Job, work: Work, decoding: Decoding) -> Iterator[pa.RecordBatch]:
    """The decoded batches of one object, with columns by schema name, after the user's transform.

    Halves (requests or responses logged apart) come before the transform: it runs once they are
    paired. Raises SourceError, ObjectGone, ObjectChanged and Unreadable.
    """
    table = translate_unknown(job.source.batches, work.object, decoding)
    batches = _decode_stream(job, work, decoding) if table is None else iterate(table)
    for batch in batches:
        job.beat()
        if is_profile_batch(batch):
            if not decoding.takes_profiles:
                raise Unreadable("it holds profiles, and no rows that could be read again")
            yield batch
            continue
        if decoding.parts:
            batch = add_path_columns(batch, decoding)
        yield batch if job.transform is None or side_of(batch) is not None else job.transform(batch)


def add_path_columns(batch: pa.RecordBatch, decoding: Decoding) -> pa.RecordBatch:
    """Add the values that the object's path holds, where the records have none of that name."""
    import pyarrow as pa

    parts = decoding.parts
    constants = (
        {f.name: parts[f.path] for f in decoding.fields if f.path in parts}
        if decoding.fields is not None
        else parts
    )
    for name, value in constants.items():
        place = batch.schema.get_field_index(name)
        if place < 0 or batch.column(place).null_count == len(batch):
            column = (
                pa.array([value])
                .dictionary_encode()
                .take(pa.nulls(len(batch), pa.int32()).fill_null(0))
            )
            field = pa.field(name, column.type)
            batch = (
                batch.append_column(field, column)
                if place < 0
                else batch.set_column(place, field, column)
            )
    return batch


def _decode_stream(job: Job, work: Work, decoding: Decoding) -> Iterator[pa.RecordBatch]:
    from driftline.ingest.read.compression import open_decompressed

    format_ = choose_format(job.formats, work.object.uri)
    with open_object(job.source, work.object, work.start) as stream:
        if format_.compressed:
            yield from format_.decode(stream, decoding)
            return
        plain = open_decompressed(stream)
        decoding.resumable = not plain.compressed
        if work.may_be_unfinished and not plain.compressed:
            plain = decoding.stream = TailStream(plain)
        yield from format_.decode(plain, decoding)
