"""Call the hooks: announcements are isolated from each other, facts are merged, a batch goes from
hand to hand.

Refuses to lose one listener's words because another one failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from driftline.contracts.context import Logger
from driftline.extensions.load import describe
from driftline.types.errors import PluginError
from driftline.types.notification import Notification

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.extensions.registry import Registry


def listeners(registry: Registry, hook: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Origin and function of each implementation, in the order of registration; call them with
    keywords they may not want.
    """
    for impl in getattr(registry.manager.hook, hook).get_hookimpls():
        yield impl.plugin_name, _picky(impl.function, impl.argnames)


def _picky(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    return lambda **event: function(*(event[name] for name in names))


def announce(registry: Registry, hook: str, log: Logger, /, **event: Any) -> None:
    """Tell every plugin; one that raises costs only itself."""
    for origin, tell in listeners(registry, hook):
        try:
            tell(**event)
        except Exception as error:
            log.warning("plugin_failed", hook=hook, origin=origin, error=describe(error))


def enrich(registry: Registry, incident: Notification, log: Logger) -> dict[str, str]:
    """What plugins know about an incident; of two facts with one name the first stays."""
    facts: dict[str, str] = {}
    for origin, ask in listeners(registry, "enrich_incident"):
        try:
            for name, value in (ask(incident=incident) or {}).items():
                facts.setdefault(str(name), str(value))
        except Exception as error:
            log.warning(
                "plugin_failed", hook="enrich_incident", origin=origin, error=describe(error)
            )
    return facts


def transform(registry: Registry, batch: pa.RecordBatch, model: str) -> pa.RecordBatch:
    """The batch after every plugin's own feature code.

    Raises PluginError: rows that went halfway through must not be profiled as if they were right.
    """
    for origin, change in listeners(registry, "transform_batch"):
        try:
            changed = change(batch=batch, model=model)
        except Exception as error:
            raise PluginError(f"{origin}: transform_batch: {describe(error)}") from error
        if type(changed) is not type(batch) or changed.num_rows != batch.num_rows:
            given = getattr(changed, "num_rows", type(changed).__name__)
            raise PluginError(
                f"{origin}: transform_batch gave {given} for a batch of {batch.num_rows} rows"
            )
        batch = changed
    return batch


def transformer(
    registry: Registry, model: str
) -> Callable[[pa.RecordBatch], pa.RecordBatch] | None:
    """`transform` for the batches of one model; None where no plugin has feature code."""
    return (
        (lambda batch: transform(registry, batch, model))
        if any(listeners(registry, "transform_batch"))
        else None
    )
