"""Opens the stored state for a command, beside an agent that may be at work.

Does not lead: a command reads the state, or leaves a note that the agent reads at its next tick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from driftline.config import Config
    from driftline.incidents.incident_service import IncidentService
    from driftline.state.store import Store


@contextmanager
def open_state(config: Config) -> Iterator[Store]:
    """Open the state of this configuration for reading and notes, and close it at the end."""
    from driftline.state.factory import open_store

    store = open_store(config.agent.state, base=config.origin.parent, readonly=True)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_incident_service(path: Path) -> Iterator[IncidentService]:
    """Open the incidents of the configuration at `path`.

    Raises click.UsageError for an act that is not possible.
    """
    from driftline.agent.composition_root import system_clock
    from driftline.agent.discovery import load_known_config
    from driftline.incidents.incident_service import ActRefused, IncidentService

    with open_state(load_known_config(path)) as store:
        try:
            yield IncidentService(store=store, clock=system_clock)
        except ActRefused as error:
            raise click.UsageError(str(error)) from None


def pick_incident(ids: list[str], prefix: str, models: tuple[str, ...] = ()) -> str:
    """Return the only id of `ids`. Raises click.UsageError if there are none or several.

    `prefix` is the beginning of all ids. `models` are names that could stand in its place.
    """
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise click.UsageError(f"{prefix} is the beginning of several ids: {', '.join(ids)}")
    if prefix.startswith("rep_"):
        raise click.UsageError(
            f"{prefix} is the id of a report, and a report is no incident; "
            "`driftline explain MODEL` shows the numbers of a window"
        )
    place = f" or model {prefix!r}; models: {', '.join(models)}" if models else f" {prefix!r}"
    raise click.UsageError(
        f"there is no incident{place}; `driftline incidents --all` lists the ids"
    )
