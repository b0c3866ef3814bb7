"""Writes what the configuration says of the models to their records.

A value of the configuration is written when it changes there. In between, what people change by
other ways stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from driftline.catalog.catalog import Catalog, RecordError, event_name
from driftline.config import Config, ModelConfig
from driftline.state.records import load_records, newest_row

WAY = "config"


def configured_records(model: ModelConfig) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield kind, name and fields of each record that the settings of a model hold."""
    record = model.record
    addresses = {"runbook": model.runbook, "dashboard": model.dashboard}
    links = {name: text for name, text in addresses.items() if text} | record.links
    fields = {
        "description": record.description,
        "owner": model.owner or "",
        "tags": dict(model.tags),
        "links": links,
    }
    fields = {name: value for name, value in fields.items() if value}
    if fields:
        yield "model", "", fields
    for kind, items in (("dataset", record.datasets), ("version", record.versions)):
        for name, settings in items.items():
            yield kind, name, settings.model_dump(mode="json", exclude_defaults=True)
    for name, version in record.aliases.items():
        yield "alias", name, {"version": version}
    for event in record.events:
        body = event.model_dump(mode="json", exclude_defaults=True)
        yield "event", event_name(body), body


def write_configured(catalog: Catalog, config: Config, log: Any) -> None:
    """Write the records of the configuration, and delete those that it no longer has.

    A record that can't be written, such as an alias of an unknown version, is logged.
    """
    for model, settings in config.models.items():
        current = list(configured_records(settings))
        for kind, name, fields in current:
            with catalog.store.read() as connection:
                earlier = newest_row(connection, model, kind, name, way=WAY)
            if earlier is not None and earlier.body == fields:
                continue
            try:
                catalog.write(model, kind, name, fields)
            except RecordError as error:
                log.warning(f"not recorded: {kind} {name}: {error}", model=model)
        keys = {(kind, name) for kind, name, _ in current}
        with catalog.store.read() as connection:
            stored = load_records(connection, model=model)
        for row in stored:
            if row.way == WAY and (row.kind, row.name) not in keys:
                catalog.delete(model, row.kind, row.name)
