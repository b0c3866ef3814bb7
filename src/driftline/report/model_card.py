"""The card of a model: what is recorded of it, and what was measured of it last.

Its numbers are those of the report: they come from the same views of the state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from driftline.agent.model_views import ModelViews
from driftline.catalog.catalog import Catalog, Record
from driftline.catalog.likely_events import describe_event
from driftline.documents.document import ReportDocument, Section, Table
from driftline.documents.save import save_document
from driftline.report.model_report import ModelReport, load_report
from driftline.types.errors import DriftlineError
from driftline.types.phrasing import clean, utc
from driftline.types.times import from_micros

MOST_EVENTS = 20
"""The newest events that a card has."""
LONGEST = 400
"""The most characters of a text in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is recorded of a model and of one version, and its newest numbers."""

    model: str
    version: str
    """Empty where neither a record nor a window has a version."""
    about: Mapping[str, Any]
    """The fields of the model itself."""
    version_fields: Mapping[str, Any]
    aliases: Sequence[str]
    """The names that stand for the version."""
    datasets: Mapping[str, Mapping[str, Any]]
    """Fields of the datasets of the version, by name; empty where there is no such record."""
    events: Sequence[Record]
    """The newest first."""
    report: ModelReport | None
    """None before the first window of the version was judged."""

    @property
    def headline(self) -> str:
        """The newest result in one sentence."""
        return "no window has been judged" if self.report is None else self.report.headline

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values of JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "aliases": list(self.aliases),
            "about": dict(self.about),
            "version_fields": dict(self.version_fields),
            "datasets": {name: dict(fields) for name, fields in self.datasets.items()},
            "events": [{"name": row.name, **row.fields} for row in self.events],
            "live": None if self.report is None else self.report.to_dict(),
        }

    def document(self) -> ReportDocument:
        """Return the card as titles, tables and charts."""
        aliases = f" ({', '.join(self.aliases)})" if self.aliases else ""
        parts = [self.model, f"version {self.version}{aliases}" if self.version else ""]
        sections = [
            _fields("Model", self.about),
            _fields(f"Version {self.version}".rstrip(), self.version_fields),
            *(_fields(f"Dataset {name}", fields) for name, fields in self.datasets.items()),
            self._events(),
        ]
        live: Sequence[Section] = ()
        if self.report is not None:
            window = self.report.window
            begin, end = (utc(from_micros(moment)) for moment in (window.start, window.end))
            parts.append(f"live numbers of {begin} to {end}, {window.rows:,} rows")
            live = self.report.document().sections
        description = str(self.about.get("description", ""))
        return ReportDocument(
            title=self.headline,
            subject=" · ".join(clean(part, 200) for part in parts if part),
            lines=[clean(description, LONGEST)] if description else [],
            sections=[*(section for section in sections if section is not None), *live],
        )

    def save(self, path: str | Path) -> None:
        """Write the card: HTML, PDF, PNG, JSON or Markdown by the end of the name.

        Raises DriftlineError for another end, OSError where the file can't be written.
        """
        save_document(Path(path), self.document, self.to_dict)

    def _events(self) -> Section | None:
        rows = [(clean(describe_event(event), LONGEST),) for event in self.events]
        table = Table(head=("What happened",), rows=rows)
        return Section(title="Events", table=table) if rows else None


def load_card(views: ModelViews, catalog: Catalog, model: str, *, version: str = "") -> ModelCard:
    """Load the card of a model and a version, or an alias of one.

    Without `version` it is that of the newest window, else that of the alias `champion`, else the
    newest record. Raises DriftlineError where there is no such model or version.
    """
    if model not in views.names:
        raise DriftlineError(f"there is no model {model!r}; models are: {', '.join(views.names)}")
    aliases = {row.name: str(row.fields["version"]) for row in catalog.records(model, "alias")}
    versions = {row.name: row.fields for row in catalog.records(model, "version")}
    try:
        report = load_report(views, model)
    except DriftlineError:  # no window yet
        report = None
    judged = "" if report is None else report.view.version
    version = aliases.get(version, version)
    if version and version not in versions and version != judged:
        known = ", ".join(sorted({*versions, *aliases, *([judged] if judged else [])}))
        raise DriftlineError(f"{model} has no version {version!r}; there are: {known}")
    version = version or judged or aliases.get("champion", "") or next(reversed(versions), "")
    fields = versions.get(version, {})
    [about, *_] = [row.fields for row in catalog.records(model, "model")] or [{}]
    datasets = {row.name: row.fields for row in catalog.records(model, "dataset")}
    events = sorted(
        catalog.records(model, "event"), key=lambda row: str(row.fields["at"]), reverse=True
    )
    return ModelCard(
        model=model,
        version=version,
        about=about,
        version_fields=fields,
        aliases=sorted(name for name, target in aliases.items() if target == version),
        datasets={name: datasets.get(name, {}) for name in fields.get("datasets", ())},
        events=events[:MOST_EVENTS],
        report=report if report is not None and judged in ("", version) else None,
    )


def _fields(title: str, fields: Mapping[str, Any]) -> Section | None:
    rows = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            rows += [(f"{name}.{key}", clean(str(item), LONGEST)) for key, item in value.items()]
        elif isinstance(value, (list, tuple)):
            rows.append((name, clean(", ".join(map(str, value)), LONGEST)))
        else:
            rows.append((name, clean(str(value), LONGEST)))
    table = Table(head=("What", "Value"), rows=rows, widths=(1, 3))
    return Section(title=title, table=table) if rows else None
