"""Inspects logs that no configuration describes yet: their format, layout and columns.

Reads only a few objects. Does not write anything.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa

from driftline.contracts.format import Format
from driftline.contracts.source import DiscoverContext, Source
from driftline.extensions.registry import SourceFormats
from driftline.ingest.columns.infer import InferredSchema, infer_schema
from driftline.ingest.read.decode_object import choose_format, decode_records
from driftline.ingest.read.decoding import Decoding
from driftline.ingest.read.job import Job
from driftline.ingest.read.peek import pair_samples
from driftline.ingest.read.plan import Work
from driftline.ingest.read.sample_rows import NO_RECORD
from driftline.ingest.read.source_stream import open_reference
from driftline.kit.decoding.repeated_columns import repeated_columns
from driftline.kit.decoding.split_records import side_of
from driftline.kit.stores.layout import LAYOUTS
from driftline.onboarding.recognise import (
    read_head,
    recognise_format,
    recognise_layout,
    recognise_names,
)
from driftline.onboarding.window_choice import WindowChoice, choose_windows
from driftline.profiles.label_classes import listing as name_values
from driftline.profiles.spec import ProfileSpec
from driftline.types.errors import DriftlineError, SourceError
from driftline.types.loss_reasons import LossReasons
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


MAX_NAMED = 20_000
"""Names of objects whose folders are compared."""
ENDPOINT_PART, MODEL_PART = "{endpoint}", "{model}"
"""Parts of layouts that name models."""
MAX_FOLDERS = 20
"""Folders that are compared; with more of them they are not those of models."""
COMMON_SHARE = 0.5
"""The share of common columns from which the records of two folders are of one model."""
NUMBERS = re.compile(r"[-_.T]*[0-9]")
"""Where the part of a file's name begins that counts or dates it."""
MAX_TRIED = 20
"""Objects that are tried until one has a record that can be read."""


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
    """The folders by model, where there are several; see `_Folders.of_models`."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Folders:
    """What the folders of a log say about models."""

    of_models: Mapping[str, str] = field(default_factory=dict)
    """Folders with the records of one model each by model, where there are several.

    One that ends in `*` is the beginning of the names of several folders.
    """
    alike: tuple[str, ...] = ()
    """First folders whose records have the same columns."""

    def doubts(self) -> Iterator[str]:
        """Yield sentences about what a person should check."""
        if self.alike:
            yield (
                f"the folders {name_values(self.alike)} have the same columns and are taken as one "
                "model: if each is a model, give it a source of its own"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FirstRecords:
    """The first records of some objects."""

    batches: list[pa.RecordBatch]
    last_batches: list[pa.RecordBatch]
    """The last records of the newest object, if they are not the first ones and it is small."""
    objects: list[LogObject]
    rejected: LossReasons
    error: str
    """Why an object could not be read; empty where all could."""


def inspect_logs(source: Source, registry: Registry, now: datetime) -> LogInspection:
    """Inspect the newest objects of a started source.

    Raises SourceError when there is nothing that can be read.
    """
    skipped_objects: list[tuple[str, str]] = []
    ctx = DiscoverContext(
        now=now, skipped=lambda uri, reason: skipped_objects.append((uri, reason))
    )
    prefix = _whole_prefix(source, ctx)
    if prefix is not None:
        skipped_objects.clear()
        source = source.model_copy(update={"prefix": prefix})
    listing = list(islice(source.discover(ctx), MAX_LISTED + 1))
    if not listing:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    has_more, layout = len(listing) > MAX_LISTED, None
    oldest_object = min(listing, key=lambda obj: obj.uri)
    if "layout" in type(source).model_fields:
        layout = recognise_layout(_keys(source, listing))
    if layout is not None:
        source, listing = _list_by_layout(source, layout, listing, has_more, now)
    name = recognise_format(source, _one_of_each_kind(listing), registry)
    if not name:
        name = _format_by_suffix(source, _newest_objects(listing), registry)
    form: Any = registry.get("format", name) if name else None
    if layout is not None and form is not None and form.folders:
        service_layout = recognise_layout(_keys(source, listing), form.folders)
        if service_layout not in (None, layout):
            layout = service_layout
            source, listing = _list_by_layout(source, layout, listing, has_more, now)
    options: dict[str, Any] = {}
    if form is not None:
        listing = _without_other_data(listing, form(), skipped_objects)
        head = read_head(source, _newest_objects(listing)[-1])
        options = form.suggest_options(head, [obj.uri for obj in listing])
    first = _read(source, listing, name, options, registry)
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
            first = _read(source, listing, name, options, registry)
    inference = infer_schema(first.batches)
    oldest = _read(source, [oldest_object], name, options, registry).batches
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
    folders = _model_folders(source, named, layout, name, registry)
    doubts += [*inference.doubts, *folders.doubts()]
    if not folders.of_models:
        doubts += _mixed_files(source, named, name, registry)
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
    ctx = DiscoverContext(now=now)
    prefix = _whole_prefix(source, ctx)
    if prefix is not None:
        source = source.model_copy(update={"prefix": prefix})
    listing = list(islice(source.discover(ctx), MAX_LISTED))
    if not listing:
        raise SourceError("nothing is there: check the path, bucket and prefix")
    found: dict[str, Any] = {} if prefix is None else {"prefix": prefix}
    newest = _newest_objects(listing)[-1]
    by_suffix = _format_by_suffix(source, [newest], registry)
    name = recognise_format(source, _one_of_each_kind(listing), registry) or by_suffix
    options: dict[str, Any] = {}
    if name:
        uris = [obj.uri for obj in listing]
        options = registry.get("format", name).suggest_options(read_head(source, newest), uris)
    if options:
        found["format"] = {"type": name, "options": options}
    elif name != by_suffix:
        found["format"] = name
    first = _read(source, listing, name, options, registry)
    return ReferenceInspection(options=found, batches=first.batches)


def _whole_prefix(source: Source, ctx: DiscoverContext) -> str | None:
    """Return the prefix with a `/`, where it is the name of a folder with objects; else None.

    Without the `/`, the objects of `logs-old/` have the prefix `logs` as well.
    """
    prefix = getattr(source, "prefix", "")
    if not prefix or prefix.endswith("/") or getattr(source, "layout", None):
        return None
    inside = source.model_copy(update={"prefix": f"{prefix}/"})
    return f"{prefix}/" if next(iter(inside.discover(ctx)), None) is not None else None


def _list_by_layout(
    source: Source, layout: str, listing: list[LogObject], has_more: bool, now: datetime
) -> tuple[Source, list[LogObject]]:
    """Return the source with a layout, and its objects with the parts of their paths."""
    source = source.model_copy(update={"layout": layout})
    listing = _list_recent(source, now) if has_more else []
    listing = listing or list(islice(source.discover(DiscoverContext(now=now)), MAX_LISTED))
    return source, listing


def _format_by_suffix(source: Source, objects: Sequence[LogObject], registry: Registry) -> str:
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


def _read(
    source: Source,
    listing: list[LogObject],
    name: str,
    options: Mapping[str, Any],
    registry: Registry,
) -> _FirstRecords:
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
    newest = _newest_objects(listing)
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
    return _FirstRecords(
        batches=pair_samples(batches),
        last_batches=last_batches,
        objects=read,
        rejected=rejected,
        error=error,
    )


def _one_of_each_kind(listing: list[LogObject]) -> list[LogObject]:
    """Return the newest objects, and the newest of each other suffix."""
    newest = _newest_objects(listing)
    by_suffix = {obj.uri.rpartition(".")[2]: obj for obj in sorted(listing, key=lambda o: o.uri)}
    others = [obj for obj in by_suffix.values() if obj not in newest]
    return [*newest, *others[:MAX_KINDS]]


def _model_folders(
    source: Source, listing: list[LogObject], layout: str | None, name: str, registry: Registry
) -> _Folders:
    """Return the folders of several models; none where the objects are of one model.

    Folders of endpoints are models, and folders with the jobs of one model each. First folders of
    another kind are where their records have other columns.
    """
    keys = [key.lstrip("/") for key in _keys(source, listing)]
    pattern = LAYOUTS.get(layout or "", layout or "").split("/")
    model_part = next((part for part in pattern if MODEL_PART in part), None)
    if ENDPOINT_PART in pattern or model_part is not None:
        depth = pattern.index(model_part or ENDPOINT_PART) + (model_part is None)
        found = {"/".join(key.split("/")[:depth]) for key in keys if key.count("/") >= depth}
        if 1 < len(found) <= MAX_FOLDERS:
            return _Folders(of_models=_name_folders(found))
        return _Folders(of_models=_split_jobs(listing, model_part or "", found))
    by_folder: dict[str, list[LogObject]] = {}
    for key, obj in zip(keys, listing, strict=True):
        folder, slash, _ = key.partition("/")
        if not slash or not folder or not folder.strip("0123456789-T:") or "=" in folder:
            return _Folders()
        by_folder.setdefault(folder, []).append(obj)
    if not 1 < len(by_folder) <= MAX_FOLDERS or pattern[0] == "{collection}":
        return _Folders()
    if not pattern[0].startswith("{") and pattern[0]:
        return _Folders()
    columns = [
        set(batch.schema.names)
        for objects in by_folder.values()
        for batch in _read(source, objects[-1:], name, {}, registry).batches[:1]
        if side_of(batch) is None
    ]
    folders = tuple(sorted(by_folder))
    alike = (_common_share(names, columns[0]) for names in columns)
    if len(columns) < len(by_folder):
        return _Folders()
    if min(alike) >= COMMON_SHARE:
        return _Folders(alike=folders)
    return _Folders(of_models={folder: folder for folder in folders})


def _name_folders(folders: Iterable[str]) -> dict[str, str]:
    """Return folders by the names of their models: the last part, or the path where two agree."""
    names = {folder: folder.rpartition("/")[2] for folder in folders}
    if len(set(names.values())) < len(names):
        names = {folder: folder.replace("/", "-") for folder in folders}
    return {name: folder for folder, name in sorted(names.items())}


def _split_jobs(listing: list[LogObject], part: str, folders: Set[str]) -> dict[str, str]:
    """Return the beginnings of the names of jobs by their models, where one folder has several.

    There are none where the name of one model is the beginning of another one's.
    """
    models = sorted({obj.parts["model"] for obj in listing if "model" in obj.parts})
    overlap = any(other.startswith(f"{model}-") for model in models for other in models)
    if not 1 < len(models) <= MAX_FOLDERS or overlap:
        return {}
    folder = next(iter(folders), "")
    start = f"{folder}/" if folder else ""
    beginning = part.partition(MODEL_PART)[0]
    return {model: f"{start}{beginning}{model}-*" for model in models}


def _mixed_files(
    source: Source, listing: list[LogObject], name: str, registry: Registry
) -> Iterator[str]:
    """Yield a sentence where files beside each other have records of different kinds."""
    kinds: dict[str, LogObject] = {}
    for obj in listing:
        file_name = unquote(obj.uri).rpartition("/")[2]
        stem = NUMBERS.split(file_name, maxsplit=1)[0].partition(".")[0]
        kinds[stem] = obj
    if not 1 < len(kinds) <= MAX_KINDS or any(obj.parts for obj in kinds.values()):
        return
    columns = {
        unquote(obj.uri).rpartition("/")[2]: set(batch.schema.names)
        for obj in kinds.values()
        for batch in _read(source, [obj], name, {}, registry).batches[:1]
        if side_of(batch) is None
    }
    names = sorted(columns)
    if any(_common_share(columns[names[0]], columns[other]) < COMMON_SHARE for other in names):
        yield (
            f"the files {name_values(names)} have different columns and are read as one log: give "
            "the records of each model a source of its own, and labels that come later one in "
            "`labels`"
        )


def _common_share(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


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
        path = os.path.expanduser(getattr(source, "path", ""))
        while glob.has_magic(path) and not os.path.lexists(source.context.config_folder / path):
            path = os.path.dirname(path)
        root = f"{os.path.abspath(source.context.config_folder / path)}/"
    names = [unquote(obj.uri) for obj in listing]
    return [
        name.partition(root)[2] if root and root in name else name.split("://", 1)[-1]
        for name in names
    ]
