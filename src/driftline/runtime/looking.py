"""A first look at logs nobody has described yet: which format, which columns, which doubts.

Refuses to read more than a few objects, and to write anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.errors import DriftlineError, SourceError, Unreadable
from driftline.ingest.compression import unpack
from driftline.ingest.decoding import Decoding
from driftline.ingest.infer import Inferred, infer
from driftline.ingest.plan import Work
from driftline.ingest.task import Job, choose_format, records
from driftline.model import LogObject, Schema
from driftline.plugin import DiscoverContext, Format, Source
from driftline.profiles.spec import ProfileSpec
from driftline.runtime.compose import formats_of

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

OBJECTS, SHOWN = 3, 10
HEAD = 1 << 16
Probe = Callable[[dict[str, Any]], bool]
RECOGNISED: dict[str, Probe] = {"sagemaker": lambda record: "captureData" in record and "eventMetadata" in record}
"""Formats that are told by their first record; the suffix tells the others."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a first look showed."""

    objects: list[LogObject]
    """Some of them."""
    more: bool
    """Whether there are more objects than these."""
    format: str
    batches: list[pa.RecordBatch]
    inferred: Inferred


def look(source: Source, registry: Registry, now: datetime) -> Looked:
    """Look at the first objects of a started source. Raises SourceError when there is nothing that can be read."""
    found = list(islice(source.discover(DiscoverContext(now=now)), 1000))
    if not found:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    objects = sorted(found, key=lambda obj: obj.uri)[-OBJECTS:]
    name = _recognise(source, objects[-1], registry)
    formats = {"": registry.get("format", name)()} if name else formats_of(source, registry)
    batches: list[pa.RecordBatch] = []
    trouble = "it holds no records"
    job = Job(source, formats, Schema(), ProfileSpec({}), 1, 0)
    for obj in objects:
        try:
            batches += islice(records(job, Work(obj, 0, True), Decoding(obj.uri, None, True, obj.parts, source.refer)), 1)
            name = name or _type(choose_format(formats, obj.uri))
        except DriftlineError as error:
            trouble = str(error)
    if not batches:
        raise SourceError(f"{objects[-1].uri} can't be read: {trouble}")
    return Looked(objects, len(found) > len(objects), name, batches, infer(batches))


def _recognise(source: Source, obj: LogObject, registry: Registry) -> str:
    try:
        with source.open(obj) as stored:
            plain, head = unpack(stored), b""
            while b"\n" not in head and len(head) < HEAD and (more := plain.read(HEAD)):
                head += more
        record = json.loads(head.split(b"\n", 1)[0])
    except (Unreadable, ValueError, RecursionError):
        return ""
    offered = registry.names("format")
    told = (name for name, probe in RECOGNISED.items() if name in offered and isinstance(record, dict) and probe(record))
    return next(told, "jsonl" if isinstance(record, dict) and "jsonl" in offered else "")


def _type(form: Format) -> str:
    return form.type
