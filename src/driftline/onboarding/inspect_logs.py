"""Inspects logs that no configuration describes yet: their format, layout and columns.

Reads only a few objects. Does not write anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext, Source
from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.ingest.read.sample_rows import NO_RECORD
from driftline.kit.decoding.repeated_columns import repeated_columns
from driftline.onboarding.first_records import (
    MAX_LISTED,
    format_by_suffix,
    newest_objects,
    one_of_each_kind,
    read_first_records,
    whole_prefix,
)
from driftline.onboarding.model_folders import find_mixed_files, find_model_folders, object_keys
from driftline.onboarding.recognise import (
    read_head,
    recognise_format,
    recognise_layout,
    recognise_names,
)
from driftline.onboarding.window_choice import WindowChoice, choose_windows
from driftline.types.errors import SourceError
from driftline.types.loss_reasons import LossReasons
from driftline.types.model import LogObject

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry

RECENT = timedelta(days=2)
"""Age up to which objects count as recent."""
MAX_NAMED = 20_000
"""Names of objects whose folders are compared."""


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
    format_options: Mapping[str, Any]
    """Settings of the format that differ from its defaults."""
    prefix: str | None
    """The prefix that ends where a folder ends; None for a source without, or a right one."""
    layout: str | None
    """Name or pattern of a layout; None where names of objects don't contain the time."""
    folders: Mapping[str, str]
    """The folders by model, where there are several; see `ModelFolders.of_models`."""
    batches: list[pa.RecordBatch]
    """The first records of each object that was read."""
    inference: InferredSchema
    windows: WindowChoice
    rejected: LossReasons
    """Records before those of `batches` that can't be read, and the reasons."""
    skipped_objects: list[tuple[str, str]] = field(default_factory=list)
    """URI of what is no data, and the reason."""

    @property
    def source_options(self) -> dict[str, Any]:
        """Options of the source that were found."""
        form: Any = self.format
        if self.format_options:
            form = {"type": self.format, "options": dict(self.format_options)}
        options = {"prefix": self.prefix, "layout": self.layout, "format": form}
        return {name: value for name, value in options.items() if value}


def inspect_logs(source: Source, registry: Registry, now: datetime) -> LogInspection:
    """Inspect the newest objects of a started source.

    Raises SourceError when there is nothing that can be read.
    """
    skipped_objects: list[tuple[str, str]] = []
    ctx = DiscoverContext(
        now=now, skipped=lambda uri, reason: skipped_objects.append((uri, reason))
    )
    prefix = whole_prefix(source, ctx)
    if prefix is not None:
        skipped_objects.clear()
        source = source.model_copy(update={"prefix": prefix})
    listing = list(islice(source.discover(ctx), MAX_LISTED + 1))
    if not listing:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    has_more, layout = len(listing) > MAX_LISTED, None
    oldest_object = min(listing, key=lambda obj: obj.uri)
    if "layout" in type(source).model_fields:
        layout = recognise_layout(object_keys(source, listing))
    if layout is not None:
        source, listing = _list_by_layout(source, layout, listing, has_more, now)
    name = recognise_format(source, one_of_each_kind(listing), registry)
    if not name:
        name = format_by_suffix(source, newest_objects(listing), registry)
    form: Any = registry.get("format", name) if name else None
    if layout is not None and form is not None and form.folders:
        service_layout = recognise_layout(object_keys(source, listing), form.folders)
        if service_layout not in (None, layout):
            layout = service_layout
            source, listing = _list_by_layout(source, layout, listing, has_more, now)
    options: dict[str, Any] = {}
    if form is not None:
        listing = _without_other_data(listing, form(), skipped_objects)
        head = read_head(source, newest_objects(listing)[-1])
        options = form.suggest_options(head, [obj.uri for obj in listing])
    first = read_first_records(source, listing, name, options, registry)
    if not first.batches:
        reasons = first.rejected.describe("record")
        reasons = f"{first.rejected.total:,} records rejected: {reasons}" if reasons else ""
        uri = first.rejected.first_uri or first.objects[-1].uri
        raise SourceError(
            f"{uri} can't be read: {first.error or reasons or f'it holds no record: {NO_RECORD}'}"
        )
    if name and registry.get("format", name).magic:
        better_name = recognise_names(registry, first.batches[0].schema.names)
        if better_name and better_name != name:
            name, options = better_name, {}
            first = read_first_records(source, listing, name, options, registry)
    inference = infer_schema(first.batches)
    oldest = read_first_records(source, [oldest_object], name, options, registry).batches
    windows = choose_windows([*first.batches, *first.last_batches], inference.schema, now, oldest)
    doubts = [
        f"the first records look as if {key} of the format is {json.dumps(value)}"
        for key, value in options.items()
    ]
    doubts += [
        f"the file has the column {name} more than once: the first one is read"
        for name in repeated_columns(first.batches)
    ]
    named = list(listing)
    if has_more:
        named = list(islice(source.discover(DiscoverContext(now=now)), MAX_NAMED))
    folders = find_model_folders(source, named, layout, name, registry)
    doubts += [*inference.doubts, *folders.doubts()]
    if not folders.of_models:
        doubts += find_mixed_files(source, named, name, registry)
    return LogInspection(
        objects=first.objects,
        has_more=has_more,
        object_count=len(listing),
        format=name,
        format_options=options,
        prefix=prefix,
        layout=layout,
        folders=folders.of_models,
        batches=first.batches,
        inference=replace(inference, doubts=doubts),
        windows=windows,
        rejected=first.rejected,
        skipped_objects=skipped_objects,
    )


def _list_by_layout(
    source: Source, layout: str, listing: list[LogObject], has_more: bool, now: datetime
) -> tuple[Source, list[LogObject]]:
    """Return the source with a layout, and its objects with the parts of their paths."""
    source = source.model_copy(update={"layout": layout})
    listing = _list_recent(source, now) if has_more else []
    listing = listing or list(islice(source.discover(DiscoverContext(now=now)), MAX_LISTED))
    return source, listing


def _without_other_data(
    listing: list[LogObject], form: Format, skipped: list[tuple[str, str]]
) -> list[LogObject]:
    """Return the objects that are data of the format; all where none would be left."""
    reasons = {obj.uri: form.no_data(obj.uri) for obj in listing}
    data = [obj for obj in listing if not reasons[obj.uri]]
    if not data:
        return listing
    skipped.extend((uri, reason) for uri, reason in reasons.items() if reason)
    return data


def _list_recent(source: Source, now: datetime) -> list[LogObject]:
    """List objects in the newest places: old ones may have had other columns."""
    since = now - RECENT
    objects = source.discover(DiscoverContext(now=now, since=since))
    recent = (obj for obj in objects if obj.partition is None or obj.partition >= since)
    return list(islice(recent, MAX_LISTED))
