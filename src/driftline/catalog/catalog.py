"""The records of models: read, written with a history, and asked by when events happened.

A record is a model, a version, an alias, a dataset or an event. Each change is a row of its own, so
that the history says who wrote what, when and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from driftline.config.mistakes import explain_error, fields_at, unknown_name
from driftline.state.records import (
    RecordRow,
    add_row,
    load_monitored_versions,
    load_record_history,
    load_records,
    newest_row,
)
from driftline.state.store import Store
from driftline.types.errors import DriftlineError
from driftline.types.record_fields import KINDS, AliasFields, EventFields
from driftline.types.settings import Settings
from driftline.types.times import as_micros, from_micros

Body = Mapping[str, Any]
WAYS = ("config", "cli", "http", "python", "import")


class RecordError(DriftlineError):
    """A record that can't be written, with the reason for its author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record, as one change left it."""

    model: str
    kind: str
    name: str
    """Empty for the model itself."""
    fields: Body
    """Empty where it was deleted."""
    revision: int
    at: datetime
    way: str
    author: str
    reason: str
    is_deleted: bool = False

    @classmethod
    def of(cls, row: RecordRow) -> Record:
        """Return the record of a stored row."""
        return cls(
            model=row.model,
            kind=row.kind,
            name=row.name,
            fields=row.body or {},
            revision=row.revision,
            at=from_micros(row.at),
            way=row.way,
            author=row.author,
            reason=row.reason,
            is_deleted=row.body is None,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the record as plain values for JSON."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """The records in one store."""

    store: Store
    clock: Callable[[], datetime]
    way: str = "python"
    """How the changes made here are written."""

    def write(
        self,
        model: str,
        kind: str,
        name: str = "",
        fields: Body | None = None,
        *,
        author: str = "",
        reason: str = "",
        merge: bool = False,
    ) -> Record:
        """Write a record; nothing is stored when it is so already.

        With `merge`, fields and entries that `fields` leaves out stay, and those that are None are
        removed. An event without a name has one made of its content. Raises RecordError.
        """
        _check_name(model, kind, name)
        fields = fields or {}
        if kind == "event" and not name:
            name = event_name(fields)
        with self.store.note() as connection:
            newest = newest_row(connection, model, kind, name)
            if merge and newest is not None and newest.body is not None:
                fields = merge_fields(newest.body, fields)
            elif merge:
                fields = merge_fields({}, fields)
            settings = check_fields(kind, fields)
            if isinstance(settings, AliasFields):
                _check_alias(connection, model, settings)
            body = settings.model_dump(mode="json", exclude_defaults=True)
            if newest is not None and newest.body == body:
                return Record.of(newest)
            row = RecordRow(
                model=model,
                kind=kind,
                name=name,
                revision=1 if newest is None else newest.revision + 1,
                at=as_micros(self.clock()),
                way=self.way,
                author=author,
                reason=reason,
                happened=as_micros(settings.at) if isinstance(settings, EventFields) else None,
                body=body,
            )
            add_row(connection, row)
        return Record.of(row)

    def delete(
        self, model: str, kind: str, name: str = "", *, author: str = "", reason: str = ""
    ) -> None:
        """Delete a record; its history stays. Raises RecordError when there is none."""
        with self.store.note() as connection:
            newest = newest_row(connection, model, kind, name)
            if newest is None or newest.body is None:
                names = [row.name for row in load_records(connection, model=model, kind=kind)]
                raise RecordError(unknown_name(name, names, f"{model} has no {kind} '{name}'"))
            add_row(
                connection,
                RecordRow(
                    model=model,
                    kind=kind,
                    name=name,
                    revision=newest.revision + 1,
                    at=as_micros(self.clock()),
                    way=self.way,
                    author=author,
                    reason=reason,
                    happened=newest.happened,
                    body=None,
                ),
            )

    def records(
        self, model: str | None = None, kind: str | None = None, name: str | None = None
    ) -> list[Record]:
        """Return the records that are there, by model, kind and name."""
        with self.store.read() as connection:
            rows = load_records(connection, model=model, kind=kind, name=name)
        return [Record.of(row) for row in rows]

    def history(
        self,
        model: str | None = None,
        kind: str | None = None,
        name: str | None = None,
        *,
        limit: int = 1000,
    ) -> list[Record]:
        """Return changes, the newest first."""
        with self.store.read() as connection:
            rows = load_record_history(connection, model=model, kind=kind, name=name, limit=limit)
        return [Record.of(row) for row in rows]

    def events(self, model: str, since: datetime, until: datetime) -> list[Record]:
        """Return the events that happened in [since, until), in order."""
        with self.store.read() as connection:
            rows = load_records(
                connection,
                model=model,
                kind="event",
                since=as_micros(since),
                until=as_micros(until),
            )
        return [Record.of(row) for row in rows]

    def resolve_version(self, model: str, name: str) -> str:
        """Return the version that an alias stands for, or `name` itself."""
        aliases = self.records(model, "alias", name)
        return str(aliases[0].fields["version"]) if aliases else name


def event_name(fields: Body) -> str:
    """Return a name of an event that is the same for the same content."""
    content = repr(sorted((key, str(value)) for key, value in fields.items()))
    return f"evt_{sha256(content.encode()).hexdigest()[:12]}"


def merge_fields(before: Body, fields: Body) -> dict[str, Any]:
    """Return `before` with the values of `fields`; mappings are merged, None removes an entry."""
    result = dict(before)
    for name, value in fields.items():
        old = result.get(name)
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            result[name] = merge_fields(old if isinstance(old, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def check_fields(kind: str, fields: Body) -> Settings:
    """Return the fields of a record. Raises RecordError with every mistake."""
    try:
        return KINDS[kind].model_validate(dict(fields))
    except ValidationError as error:
        sentences = []
        for details in error.errors(include_url=False):
            place = ".".join(str(part) for part in details["loc"])
            if details["type"] == "extra_forbidden":
                names = fields_at(KINDS[kind], details["loc"][:-1])
                sentences.append(f"{place}: {unknown_name(str(details['loc'][-1]), names)}")
            else:
                sentences.append(f"{place}: {explain_error(details)}" if place else details["msg"])
        raise RecordError("; ".join(dict.fromkeys(sentences))) from None


def _check_name(model: str, kind: str, name: str) -> None:
    if kind not in KINDS:
        raise RecordError(unknown_name(kind, KINDS, f"there is no kind '{kind}' of records"))
    if not model or len(model) > 200:
        raise RecordError("the name of the model should have 1 to 200 characters")
    if len(name) > 500:
        raise RecordError("a name has 500 characters at most")
    if kind == "model" and name:
        raise RecordError("the record of a model itself has no name")
    if kind not in ("model", "event") and not name:
        raise RecordError(f"a {kind} has a name")


def _check_alias(connection: Any, model: str, alias: AliasFields) -> None:
    versions = [row.name for row in load_records(connection, model=model, kind="version")]
    versions += load_monitored_versions(connection, model)
    if alias.version not in versions:
        text = f"{model} has no version '{alias.version}'"
        raise RecordError(unknown_name(alias.version, versions, text))
