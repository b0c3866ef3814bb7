"""The hooks: `register_*` collects types once, `transform_*` and `enrich_*` add, `on_*` announces.

Refuses anything slow: an announcement is quick, and its result is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

from driftline.types.notification import Notification

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.contracts.plugin import (
        Action,
        Check,
        Collector,
        ExecutorFactory,
        Format,
        Sink,
        Source,
    )
    from driftline.profiles.window import Window

hookspec = pluggy.HookspecMarker("driftline")
hookimpl = pluggy.HookimplMarker("driftline")


@hookspec
def register_sources() -> Iterable[type[Source]]:  # type: ignore[empty-body]
    """The sources on offer."""


@hookspec
def register_formats() -> Iterable[type[Format]]:  # type: ignore[empty-body]
    """The formats on offer."""


@hookspec
def register_checks() -> Iterable[type[Check]]:  # type: ignore[empty-body]
    """The checks on offer."""


@hookspec
def register_collectors() -> Iterable[type[Collector]]:  # type: ignore[empty-body]
    """The collectors on offer."""


@hookspec
def register_sinks() -> Iterable[type[Sink]]:  # type: ignore[empty-body]
    """The sinks on offer."""


@hookspec
def register_actions() -> Iterable[type[Action]]:  # type: ignore[empty-body]
    """The actions on offer."""


@hookspec
def register_executors() -> Iterable[type[ExecutorFactory]]:  # type: ignore[empty-body]
    """The executors on offer."""


@hookspec
def transform_batch(batch: pa.RecordBatch, model: str) -> pa.RecordBatch:
    """The user's own feature code: the batch that is profiled in place of `batch`, with as many
    rows.
    """


@hookspec
def on_window_closed(model: str, window: Window) -> None:
    """A window was judged, for the first time or as a new revision."""


@hookspec
def on_alert_changed(notification: Notification) -> None:
    """An incident opened, changed or was resolved."""


@hookspec
def on_delivery(sink: str, notification: Notification, outcome: str) -> None:
    """A sink took a notification, refused it, or will be tried again."""


@hookspec
def enrich_incident(incident: Notification) -> Mapping[str, str]:  # type: ignore[empty-body]
    """Facts to add before a message leaves: links, owners, runbooks."""
