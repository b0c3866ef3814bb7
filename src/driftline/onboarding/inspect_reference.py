"""Inspects the source of a reference: how its objects are read, and their first records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.contracts.source import DiscoverContext, Source
from driftline.onboarding.first_records import (
    MAX_LISTED,
    format_by_suffix,
    newest_objects,
    one_of_each_kind,
    read_first_records,
    whole_prefix,
)
from driftline.onboarding.recognise import (
    read_head,
    recognise_format,
)
from driftline.types.errors import SourceError
from driftline.types.model import LogObject

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceInspection:
    """The result of inspecting the source of a reference."""

    options: dict[str, Any]
    """Options of the source that were found: its whole prefix, and settings of its format."""
    batches: list[pa.RecordBatch]
    """The first records; empty where none can be read."""


def inspect_reference(source: Source, registry: Registry, now: datetime) -> ReferenceInspection:
    """Inspect the newest objects of a started source of a reference.

    Raises SourceError when there is no object, or none that can be read.
    """
    read = _find_reading(source, registry, now)
    first = read_first_records(read.source, read.listing, read.format, read.options, registry)
    return ReferenceInspection(options=read.found, batches=first.batches)


def find_source_options(source: Source, registry: Registry, now: datetime) -> dict[str, Any]:
    """Return the options that the started source of a reference lacks; see `ReferenceInspection`.

    Raises SourceError when there is no object.
    """
    return _find_reading(source, registry, now).found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How the objects of a reference are read."""

    source: Source
    listing: list[LogObject]
    format: str
    """Name of the format; empty for a table."""
    options: dict[str, Any]
    """Settings of the format."""
    found: dict[str, Any]
    """Options of the source that differ from those it has."""


def _find_reading(source: Source, registry: Registry, now: datetime) -> _Reading:
    ctx = DiscoverContext(now=now)
    prefix = whole_prefix(source, ctx)
    if prefix is not None:
        source = source.model_copy(update={"prefix": prefix})
    listing = list(islice(source.discover(ctx), MAX_LISTED))
    if not listing:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    found: dict[str, Any] = {} if prefix is None else {"prefix": prefix}
    newest = newest_objects(listing)[-1]
    by_suffix = format_by_suffix(source, [newest], registry)
    name = recognise_format(source, one_of_each_kind(listing), registry) or by_suffix
    options: dict[str, Any] = {}
    if name:
        uris = [obj.uri for obj in listing]
        options = registry.get("format", name).suggest_options(read_head(source, newest), uris)
    if options:
        found["format"] = {"type": name, "options": options}
    elif name != by_suffix:
        found["format"] = name
    return _Reading(source=source, listing=listing, format=name, options=options, found=found)
