"""Calls the hooks of plugins: events go to every plugin, facts are merged, batches are transformed.

A plugin that fails at an event or a fact does not keep the others from their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from driftline.contracts.context import Logger
from driftline.contracts.imported_checks import ImportedChecks
from driftline.extensions.load import describe_error
from driftline.types.errors import PluginError
from driftline.types.notification import Notification

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.extensions.registry import Registry


def listeners(registry: Registry, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield origin and function of each implementation, in the order of registration.

    Call a function with all arguments of the hook: it takes those that it declares.
    """
    for impl in getattr(registry.manager.hook, hook).get_hookimpls():
        yield impl.plugin_name, _select_arguments(impl.function, impl.argnames)


def _select_arguments(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    return lambda **event: function(*(event[name] for name in names))


def announce(registry: Registry, hook: str, log: Logger, /, **event: Any) -> None:
    """Call the hook of every plugin; log a warning for each one that raises."""
    for origin, listener in listeners(registry, hook):
        try:
            listener(**event)
        except Exception as error:
            log.warning("plugin_failed", hook=hook, origin=origin, error=describe_error(error))


def enrich(registry: Registry, incident: Notification, log: Logger) -> dict[str, str]:
    """Collect the facts of all plugins about an incident; of two facts with one name the first."""
    facts: dict[str, str] = {}
    for origin, listener in listeners(registry, "enrich_incident"):
        try:
            for name, value in (listener(incident=incident) or {}).items():
                facts.setdefault(str(name), str(value))
        except Exception as error:
            log.warning(
                "plugin_failed", hook="enrich_incident", origin=origin, error=describe_error(error)
            )
    return facts


def transform(registry: Registry, batch: pa.RecordBatch, model: str) -> pa.RecordBatch:
    """Return the batch after the feature code of every plugin.

    Raises PluginError if one fails: a half-transformed batch must not be profiled.
    """
    for origin, listener in listeners(registry, "transform_batch"):
        try:
            result = listener(batch=batch, model=model)
        except Exception as error:
            raise PluginError(f"{origin}: transform_batch: {describe_error(error)}") from error
        if type(result) is not type(batch) or result.num_rows != batch.num_rows:
            size = getattr(result, "num_rows", type(result).__name__)
            raise PluginError(
                f"{origin}: transform_batch returned {size} for a batch of {batch.num_rows} rows"
            )
        batch = result
    return batch


def transformer(
    registry: Registry, model: str
) -> Callable[[pa.RecordBatch], pa.RecordBatch] | None:
    """Return `transform` for the batches of one model; None if no plugin has feature code."""
    return (
        (lambda batch: transform(registry, batch, model))
        if any(listeners(registry, "transform_batch"))
        else None
    )


def find_imported_checks(
    registry: Registry, document: Any, rename: Mapping[str, str]
) -> ImportedChecks | None:
    """The first plugin's checks for a document of another tool; None where no plugin knows it."""
    registry.load_all()
    for _, read in listeners(registry, "import_checks"):
        if (imported := read(document=document, rename=rename)) is not None:
            return cast("ImportedChecks", imported)
    return None
