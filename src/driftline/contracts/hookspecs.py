"""The hooks that a plugin module may implement.

`register_*` hooks run once for each look at the plugins: when the agent starts, when its
configuration is read again, and in each command. They run on the thread that reads the
configuration. If one raises, none of its plugins is available and `driftline plugins` shows the
error; the other plugins still load.

The other hooks run while the agent works. Announcements (`on_*`) must be quick: the next step
waits for them, and their result is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from driftline.types.notification import Notification

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.contracts.action import Action
    from driftline.contracts.check import Check
    from driftline.contracts.executor import ExecutorFactory
    from driftline.contracts.format import Format
    from driftline.contracts.imported_checks import ImportedChecks
    from driftline.contracts.sink import Sink
    from driftline.contracts.source import Source
    from driftline.profiles.collector import Collector
    from driftline.profiles.window import Window

hookspec = pluggy.HookspecMarker("driftline")
hookimpl = pluggy.HookimplMarker("driftline")


@hookspec
def register_sources() -> Iterable[type[Source]]:  # type: ignore[empty-body]
    """Return the sources of this module."""


@hookspec
def register_formats() -> Iterable[type[Format]]:  # type: ignore[empty-body]
    """Return the formats of this module."""


@hookspec
def register_checks() -> Iterable[type[Check]]:  # type: ignore[empty-body]
    """Return the checks of this module."""


@hookspec
def register_collectors() -> Iterable[type[Collector]]:  # type: ignore[empty-body]
    """Return the collectors of this module."""


@hookspec
def register_sinks() -> Iterable[type[Sink]]:  # type: ignore[empty-body]
    """Return the sinks of this module."""


@hookspec
def register_actions() -> Iterable[type[Action]]:  # type: ignore[empty-body]
    """Return the actions of this module."""


@hookspec
def register_executors() -> Iterable[type[ExecutorFactory]]:  # type: ignore[empty-body]
    """Return the executors of this module."""


@hookspec
def transform_batch(batch: pa.RecordBatch, model: str) -> pa.RecordBatch:
    """Return the batch to profile in place of `batch`, with as many rows: the user's feature code.

    Runs for each decoded batch before it is profiled, on the thread of the executor that reads the
    object, so several calls may run at once. If it raises, or returns another number of rows, the
    object is not counted and is read again later.
    """


@hookspec
def on_window_closed(model: str, window: Window) -> None:
    """Announce that a window was judged, for the first time or as a new revision.

    Runs after the verdicts are committed, on the model's thread. An exception is logged and
    ignored.
    """


@hookspec
def on_alert_changed(notification: Notification) -> None:
    """Announce that an incident opened, changed or was resolved.

    Runs after the change is committed, on the model's thread; its messages may be sent at the same
    time. An exception is logged and ignored.
    """


@hookspec
def on_delivery(sink: str, notification: Notification, outcome: str) -> None:
    """Announce that a sink accepted or rejected a notification, or that it will be tried again.

    Runs after each attempt, on the sink's thread. An exception is logged and ignored.
    """


@hookspec
def enrich_incident(incident: Notification) -> Mapping[str, str]:  # type: ignore[empty-body]
    """Return facts to add to a message: links, owners, runbooks.

    Runs for each change of an incident before it is stored, on the model's thread. If two plugins
    name the same fact, the first one stays. An exception is logged; the message leaves without
    this plugin's facts.
    """


@hookspec
def import_checks(document: Any, rename: Mapping[str, str]) -> ImportedChecks | None:
    """Return the checks that another tool's JSON document asks for; None where it asks for none.

    `rename` gives features of the document the names of the model's schema. Runs in `driftline
    reference import`, once for each file, on the main thread. The first answer counts. If it
    raises, the command ends with the error.
    """
