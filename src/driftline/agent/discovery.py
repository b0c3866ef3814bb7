"""Finds the models of a pattern: one for each folder that stands in place of its placeholder.

A listing that fails changes nothing. A folder that is missing for a day has no model any more: its
history stays, and an own model of that name in the configuration goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.config import Config, ModelConfig, load_config
from driftline.config.cross_checks import NAME
from driftline.config.document import Parts
from driftline.config.patterns import NamePattern, find_folder_option, part_in
from driftline.contracts.context import StartContext
from driftline.contracts.source import Source
from driftline.state.factory import open_store
from driftline.types.errors import DriftlineError, NoState
from driftline.types.times import as_micros

if TYPE_CHECKING:
    from driftline.extensions.guard import Guard
    from driftline.state.store import Store

GONE_AFTER = timedelta(days=1)
"""How long a folder must be missing until its model ends.

Until then the checks report that its rows are missing.
"""
LISTING_SECONDS = 120.0


def load_known_config(path: Path) -> Config:
    """Load a configuration with the models that its patterns had at the last look.

    Resolves no reference. Raises ConfigError, and StateError where patterns need a state that can't
    be read.
    """
    config = load_config(path)
    parts = known_parts(config)
    return load_config(path, parts=parts) if parts else config


def known_parts(config: Config) -> Parts:
    """Return the parts for which each pattern has a model, as the state has them."""
    if not config.patterns:
        return {}
    # Most configurations have no patterns, and do without the code of their table.
    from driftline.state.discovered_models import load_parts

    try:
        store = open_store(config.agent.state, base=config.origin.parent, readonly=True)
    except NoState:
        return {}
    try:
        with store.read() as connection:
            return load_parts(connection)
    finally:
        store.close()


def discover_models(
    config: Config, store: Store, *, guard: Guard, clock: Callable[[], datetime], log: Any
) -> bool:
    """List the folders of each pattern and note them in the state.

    Returns whether models appeared or ended since the last look. A source that can't be listed is
    logged, and keeps its models.
    """
    from driftline.state.discovered_models import load_parts, save_parts

    listings: dict[str, list[str]] = {}
    for name, model in config.patterns.items():
        pattern = NamePattern.parse(name)
        assert pattern is not None
        try:
            parts = _list_parts(pattern, model, config, guard, clock, log)
        except DriftlineError as error:
            log.warning(f"the folders of {name} can't be listed: {error}", model=name)
            continue
        good = [part for part in parts if NAME.fullmatch(pattern.fill(part))]
        for part in sorted(set(parts) - set(good)):
            log.info("a folder whose name can't be that of a model is left out", folder=part)
        listings[name] = good
    now = clock()
    with store.write() as connection:
        before = load_parts(connection)
        for name, parts in listings.items():
            oldest = as_micros(now - GONE_AFTER)
            save_parts(connection, name, parts, now=as_micros(now), drop_before=oldest)
        return load_parts(connection) != before


def _list_parts(
    pattern: NamePattern,
    model: ModelConfig,
    config: Config,
    guard: Guard,
    clock: Callable[[], datetime],
    log: Any,
) -> list[str]:
    """Return the parts for which the source of a pattern has a folder. Raises DriftlineError."""
    source = model.source
    mark = f"{{{pattern.placeholder}}}"
    options = {name: getattr(source, name) for name in type(source).model_fields}
    option = find_folder_option(options, pattern.placeholder)
    assert option is not None
    before, _, after = str(options[option]).partition(mark)
    parent, slash, beginning = before.rpartition("/")
    folder = f"{beginning}{mark}{after.partition('/')[0]}"
    lister: Source = source.model_copy(update={option: f"{parent}{slash}"})
    key = f"{pattern.text}.folders"
    context = StartContext(
        name=pattern.text, log=log, clock=clock, config_folder=config.origin.parent
    )
    try:
        guard.call(f"{key}.start", lister.start, context, timeout=LISTING_SECONDS)
        names = guard.call(key, lambda: list(lister.list_folders()), timeout=LISTING_SECONDS)
    finally:
        guard.call(f"{key}.stop", lister.stop, timeout=LISTING_SECONDS)
    parts = (part_in(folder, pattern.placeholder, name) for name in names)
    return [part for part in parts if part is not None]
