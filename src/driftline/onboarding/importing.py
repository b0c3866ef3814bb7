"""Imports the baseline of another monitor: its files become a reference and checks of a model.

Does not write anything.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.contracts.imported_checks import ImportedChecks
from driftline.contracts.source import DiscoverContext, Source
from driftline.extensions.hooks import find_imported_checks
from driftline.ingest.read.compression import open_decompressed
from driftline.ingest.read.decoding import Decoding
from driftline.kit.decoding.json_values import parse_documents
from driftline.kit.decoding.rows_from_statistics import read_statistics
from driftline.types.errors import SourceError, Unreadable

if TYPE_CHECKING:
    from driftline.config import ModelConfig
    from driftline.extensions.registry import Registry

MAX_FILES = 50
"""Files of one folder that are read."""
NO_NAME = re.compile(r"_c\d+")
"""A name that stands for a value without one."""
Plain = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """One file of a baseline."""

    address: str
    """For people."""
    source: Plain
    """The `type` and `options` of a source that reads it alone."""
    content: bytes


@dataclass(frozen=True, slots=True)
class BaselineColumn:
    """The statistics of one feature."""

    name: str
    kind: str
    """`numeric`, `categorical`, or empty where the file does not have its values."""
    missing: int
    """Rows without a value."""


@dataclass(slots=True, kw_only=True)
class ImportedBaseline:
    """The content of the files of a baseline."""

    rows: int = 0
    columns: list[BaselineColumn] = field(default_factory=list)
    reference: Plain | None = None
    """The model's `reference` in the configuration."""
    checks: Plain = field(default_factory=dict)
    """The model's `checks` in the configuration."""
    features: Plain = field(default_factory=dict)
    """The constraints of each feature."""
    summaries: dict[str, str] = field(default_factory=dict)
    """The same in a few words, for people."""
    needs_labels: bool = False
    """Whether one of the checks compares predictions with labels."""
    doubts: list[str] = field(default_factory=list)
    """Problems for people to check, in sentences."""

    def add(self, imported: ImportedChecks) -> None:
        """Add the checks of one file; the rules of checks with one name are joined."""
        for name, check in imported.checks.items():
            rules = [*self.checks.get(name, {}).get("rule", ()), *check.get("rule", ())]
            self.checks[name] = {**check, **({"rule": rules} if rules else {})}
        self.features |= imported.features
        self.summaries |= imported.summaries
        self.needs_labels = self.needs_labels or imported.needs_labels
        self.doubts += imported.doubts


def read_files(source: Source, now: datetime) -> list[tuple[str, bytes]]:
    """Return address and content of each object of a started source.

    Raises SourceError when there is none, or too many.
    """
    objects = sorted(source.discover(DiscoverContext(now=now)), key=lambda obj: obj.uri)
    if not objects:
        raise SourceError("there is no such file")
    if len(objects) > MAX_FILES:
        raise SourceError(
            f"there are {len(objects)} files: name statistics.json and constraints.json themselves"
        )
    files = []
    for obj in objects:
        try:
            with source.open(obj) as stream:
                content = read_statistics(open_decompressed(stream))
        except Unreadable as error:
            raise SourceError(f"{obj.uri} {error}") from None
        files.append((obj.uri, content))
    return files


def import_baseline(
    files: Sequence[BaselineFile], registry: Registry, rename: Mapping[str, str]
) -> ImportedBaseline:
    """Return the content of all files together.

    `rename` maps the names of features in the files to those in the records. Raises SourceError
    when no file has a baseline.
    """
    baseline = ImportedBaseline()
    for file in files:
        document = _document(file.content)
        if isinstance(document, dict) and "violations" in document:
            continue  # results of the monitor, no baseline
        if (imported := find_imported_checks(registry, document, rename)) is not None:
            baseline.add(imported)
        elif isinstance(document, dict) and any(name.endswith("_metrics") for name in document):
            baseline.doubts.append(
                f"{file.address} holds metrics only: the bounds for them are in constraints.json"
            )
        elif form := _statistics_format(registry, document, file.content):
            if baseline.reference is not None:
                raise SourceError(
                    f"{file.address}: a second file of statistics; a model has one reference"
                )
            _import_statistics(file, form, registry, rename, baseline)
        else:
            baseline.doubts.append(
                f"{file.address} is neither statistics nor constraints, and is left out"
            )
    if baseline.reference is None and not baseline.checks:
        raise SourceError("; ".join(baseline.doubts) or "there is no baseline in these files")
    return baseline


def compare_with_model(baseline: ImportedBaseline, model: ModelConfig) -> list[str]:
    """Return the contradictions between a baseline and the model it is for, in sentences."""
    doubts = []
    if (
        baseline.needs_labels
        and model.labels is None
        and (model.schema_ is None or model.schema_.label is None)
    ):
        doubts.append(
            "model quality needs labels: give the model `labels`, or `label` in the schema"
        )
    if model.schema_ is None or not model.schema_.features:
        return doubts
    schema_columns = set(model.schema_.to_schema().profile_columns)
    for place, names in (
        ("have constraints", list(baseline.features)),
        ("stand in the statistics", [column.name for column in baseline.columns]),
    ):
        unknown = [name for name in names if name not in schema_columns]
        if unknown:
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            doubts.append(
                f"not in the schema, though they {place}: {', '.join(unknown[:5])}{more}; "
                "--rename OLD=NEW gives them the schema's names"
            )
    return doubts


def format_with_headers(
    baseline: ImportedBaseline, model_settings: Mapping[str, Any], registry: Registry
) -> Plain | None:
    """Return the format of the model's source with the baseline's names of inputs as `headers`.

    `model_settings` is the model as it is written in the configuration. None where the format
    takes no headers or has some, or where the baseline has no names of its own.
    """
    form = model_settings.get("source", {}).get("options", {}).get("format")
    written: Plain = dict(form) if isinstance(form, dict) else {"type": form}
    type_name, options = written.get("type"), dict(written.get("options") or {})
    if type_name not in registry.names("format") or options.get("headers"):
        return None
    if "headers" not in getattr(registry.get("format", type_name), "model_fields", {}):
        return None
    schema = model_settings.get("schema") or {}
    parts = [schema.get(role) for role in ("timestamp", "id", "version", "label")]
    prediction = schema.get("prediction")
    if isinstance(prediction, dict):
        parts += [prediction.get("column"), prediction.get("score")]
    roles = {part.get("column") if isinstance(part, dict) else part for part in parts}
    names = [column.name for column in baseline.columns] or list(baseline.features)
    names = [name for name in names if name not in roles]
    if not names or any(NO_NAME.fullmatch(name) for name in names):
        return None
    return {"type": type_name, "options": {**options, "headers": names}}


def _document(content: bytes) -> Any:
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return None
    try:
        return next(parse_documents(content), None)
    except ValueError:
        return None


def _statistics_format(registry: Registry, document: Any, content: bytes) -> str:
    """Return the format of a file of statistics, empty for another file."""
    formats = ((name, registry.get("format", name)) for name in registry.names("format"))
    return next((name for name, type_ in formats if type_.holds_statistics(document, content)), "")


def _import_statistics(
    file: BaselineFile,
    form: str,
    registry: Registry,
    rename: Mapping[str, str],
    baseline: ImportedBaseline,
) -> None:
    """Add the reference and columns of a file of statistics to `baseline`."""
    kind = registry.get("format", form)
    file_rename = (
        {old: new for old, new in rename.items() if old.encode() in file.content}
        if "rename" in kind.model_fields
        else {}
    )
    decoding = Decoding(uri=file.address)
    names: list[str] = []
    kinds: list[str] = []
    missing: list[int] = []
    decoder = kind.model_validate({"rename": file_rename} if file_rename else {})
    try:
        for batch in decoder.decode(io.BytesIO(file.content), decoding):
            names = names or batch.schema.names
            kinds = kinds or [
                "numeric" if pa.types.is_floating(type_) else "categorical"
                for type_ in batch.schema.types
            ]
            missing = [
                count + column.null_count
                for count, column in zip(missing or [0] * len(names), batch.columns, strict=True)
            ]
            baseline.rows += batch.num_rows
    except Unreadable as error:
        raise SourceError(f"{file.address} {error}") from None
    if not baseline.rows:
        raise SourceError(f"{file.address} is about no rows")
    baseline.doubts += [reason for _, reason, _ in decoding.samples]
    baseline.columns = [
        BaselineColumn(name, "" if count == baseline.rows else kind, count)
        for name, kind, count in zip(names, kinds, missing, strict=True)
    ]
    options = dict(file.source["options"])
    options["format"] = {"type": form, "options": {"rename": file_rename}} if file_rename else form
    baseline.reference = {"type": file.source["type"], "options": options}
