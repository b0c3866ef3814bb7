"""`driftline.catalog.open_catalog`: the records of models from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from driftline.catalog.catalog import Catalog
from driftline.config import load_config
from driftline.state.factory import open_store


def _system_clock() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_catalog(
    config: str | Path, *, clock: Callable[[], datetime] = _system_clock
) -> Iterator[Catalog]:
    """Open the records of the models of a configuration, beside an agent that may be at work.

    `config` is the path of the configuration file. `clock` returns the time of changes, UTC. The
    catalog reads and writes records: `write`, `delete`, `records`, `history` and `events`.

    Raises ConfigError for mistakes in the file, and StateError when its database can't be used.
    """
    settings = load_config(Path(config))
    store = open_store(settings.agent.state, base=settings.origin.parent, readonly=True)
    try:
        yield Catalog(store=store, clock=clock)
    finally:
        store.close()
