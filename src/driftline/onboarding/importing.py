"""From the files in which another monitor keeps its baseline to a reference and checks of a model.

Refuses to write anything, and to take a file for something else than it is.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from driftline.contracts.source import DiscoverContext, Source
from driftline.ingest.read.compression import open_decompressed
from driftline.ingest.read.decoding import Decoding
from driftline.kit.decoding.json_values import parse_documents
from driftline.kit.decoding.rows_from_statistics import read_statistics
from driftline.onboarding.model_monitor import Asked, Plain, is_constraints, understand
from driftline.types.errors import SourceError, Unreadable

if TYPE_CHECKING:
    from driftline.config import ModelConfig
    from driftline.extensions.registry import Registry

FILES = 50
"""Files of one folder that are looked at."""
CONSTRAINTS, QUALITY = "model_monitor", "model_quality"
"""What the checks are called in the configuration."""


@dataclass(frozen=True, slots=True)
class File:
    """One file, as it was found."""

    where: str
    """For people: its address."""
    source: Plain
    """The `type` and `options` of a source that reads it alone."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Column:
    """What the statistics say of one feature."""

    name: str
    kind: str
    """`numeric`, `categorical`, or empty where the file does not tell its values."""
    missing: int


@dataclass(slots=True)
class Imported:
    """A baseline, understood."""

    rows: int = 0
    columns: list[Column] = field(default_factory=list)
    reference: Plain | None = None
    """What to write as the model's `reference`."""
    asked: Asked = field(default_factory=Asked)
    doubts: list[str] = field(default_factory=list)

    @property
    def checks(self) -> Plain:
        """What to write among the model's `checks`."""
        found: Plain = {}
        if self.asked.constraints:
            found[CONSTRAINTS] = {"type": "constraints", "options": self.asked.constraints}
        if self.asked.rules:
            found[QUALITY] = {"type": "performance", "rule": self.asked.rules}
        return found


def read_all(source: Source, now: datetime) -> list[tuple[str, bytes]]:
    """Address and content of each object of a started source. Raises SourceError when there is
    none, or too many.
    """
    found = sorted(source.discover(DiscoverContext(now=now)), key=lambda obj: obj.uri)
    if not found:
        raise SourceError("there is no such file")
    if len(found) > FILES:
        raise SourceError(
            f"there are {len(found)} files: name statistics.json and constraints.json themselves"
        )
    read = []
    for obj in found:
        try:
            with source.open(obj) as stored:
                content = read_statistics(open_decompressed(stored))
        except Unreadable as error:
            raise SourceError(f"{obj.uri} {error}") from None
        read.append((obj.uri, content))
    return read


def understood(files: Sequence[File], registry: Registry, rename: Mapping[str, str]) -> Imported:
    """What the files say together. Raises SourceError when none of them says anything."""
    made = Imported()
    for file in files:
        document = _document(file.content)
        if isinstance(document, dict) and "violations" in document:
            continue  # what a monitor once found, and no baseline
        if is_constraints(document):
            asked = understand(document, rename)
            made.asked.constraints = asked.constraints or made.asked.constraints
            made.asked.rules += asked.rules
            made.asked.doubts += asked.doubts
        elif isinstance(document, dict) and any(name.endswith("_metrics") for name in document):
            made.doubts.append(
                f"{file.where} holds metrics only: the bounds for them are in constraints.json"
            )
        elif form := _statistics(document, file.content):
            if made.reference is not None:
                raise SourceError(
                    f"{file.where}: a second file of statistics; a model has one reference"
                )
            _reference(file, form, registry, rename, made)
        else:
            made.doubts.append(
                f"{file.where} is neither statistics nor constraints, and is left out"
            )
    made.doubts += made.asked.doubts
    if made.reference is None and not made.checks:
        raise SourceError("; ".join(made.doubts) or "there is no baseline in these files")
    return made


def compared(made: Imported, model: ModelConfig) -> list[str]:
    """What does not fit together between a baseline and the model that is to have it, in
    sentences.
    """
    doubts = []
    if (
        made.asked.rules
        and model.labels is None
        and (model.schema_ is None or model.schema_.label is None)
    ):
        doubts.append(
            "model quality needs labels: give the model `labels`, or `label` in the schema"
        )
    if model.schema_ is None or not model.schema_.features:
        return doubts
    known = set(model.schema_.to_schema().profiled)
    for what, names in (
        ("have constraints", list(made.asked.constraints.get("features", ()))),
        ("stand in the statistics", [column.name for column in made.columns]),
    ):
        strange = [name for name in names if name not in known]
        if strange:
            shown = ", ".join(strange[:5]) + (
                f" and {len(strange) - 5} more" if len(strange) > 5 else ""
            )
            doubts.append(
                f"not in the schema, though they {what}: {shown}; --rename OLD=NEW gives them the schema's names"
            )
    return doubts


def _document(content: bytes) -> Any:
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return None
    try:
        return next(parse_documents(content), None)
    except ValueError:
        return None


def _statistics(document: Any, content: bytes) -> str:
    """The format of a file of statistics, or empty."""
    if document is None:
        # A message of TensorFlow's begins with its first dataset, a TFRecord with the length of
        # one.
        return "tfdv_statistics" if content[:1] == b"\n" or content[4:8] == b"\0\0\0\0" else ""
    if not isinstance(document, dict):
        return ""
    return (
        "sagemaker_statistics"
        if "dataset" in document
        else "tfdv_statistics"
        if "datasets" in document
        else ""
    )


def _reference(
    file: File, form: str, registry: Registry, rename: Mapping[str, str], made: Imported
) -> None:
    kind = registry.get("format", form)
    renamed = (
        {old: new for old, new in rename.items() if old.encode() in file.content}
        if "rename" in kind.model_fields
        else {}
    )
    decoding = Decoding(file.where)
    names: list[str] = []
    kinds: list[str] = []
    missing: list[int] = []
    made_format = kind.model_validate({"rename": renamed} if renamed else {})
    try:
        for batch in made_format.decode(io.BytesIO(file.content), decoding):
            names = names or batch.schema.names
            kinds = kinds or [
                "numeric" if pa.types.is_floating(each) else "categorical"
                for each in batch.schema.types
            ]
            missing = [
                a + column.null_count
                for a, column in zip(missing or [0] * len(names), batch.columns, strict=True)
            ]
            made.rows += batch.num_rows
    except Unreadable as error:
        raise SourceError(f"{file.where} {error}") from None
    if not made.rows:
        raise SourceError(f"{file.where} is about no rows")
    made.doubts += [reason for _, reason, _ in decoding.samples]
    told = zip(names, kinds, missing, strict=True)
    made.columns = [
        Column(name, "" if none == made.rows else kind, none) for name, kind, none in told
    ]
    options = dict(file.source["options"])
    options["format"] = {"type": form, "options": {"rename": renamed}} if renamed else form
    made.reference = {"type": file.source["type"], "options": options}
