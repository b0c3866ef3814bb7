"""The composition root: makes a running agent from a configuration.

Clock, random seed, secrets, HTTP clients and store are created here and handed down. Only `cli`
imports this module.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import select

from driftline.agent.agent import Agent
from driftline.agent.callbacks import Callbacks
from driftline.agent.context_factory import ContextFactory
from driftline.agent.model_settings import phrasebook_for
from driftline.agent.services import Services, Timeouts
from driftline.config import Config, load_config
from driftline.delivery.direct import ask_unless_direct
from driftline.extensions.guard import Guard
from driftline.state.factory import open_store
from driftline.state.link_keys import add_first_key
from driftline.state.store import Store
from driftline.state.tables import records
from driftline.telemetry.logs import scrub_log
from driftline.types.scrubbing import Scrubber
from driftline.types.secret import read_secret

if TYPE_CHECKING:
    from driftline.agent.state_trouble import StateTrouble
    from driftline.delivery.network.http import HttpClient
    from driftline.extensions.registry import Registry
    from driftline.telemetry.metrics import Metrics

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the machine's time, UTC."""
    return datetime.now(UTC)


def read_config(path: Path, registry: Registry | None = None) -> Config:
    """Return the configuration with its secrets and the models that its patterns had last.

    Raises ConfigError.
    """
    config = load_config(path, registry, read_secret)
    if not config.patterns:
        return config
    from driftline.agent.discovery import known_parts

    return load_config(path, registry, read_secret, known_parts(config))


def read_current_config(path: Path, config: Config, store: Store, log: Any) -> Config:
    """Look for the models of the patterns of `config`, and return the configuration with them.

    Raises ConfigError.
    """
    if not config.patterns:
        return config
    from driftline.agent.discovery import discover_models

    guard = make_guard(system_clock)
    discover_models(config, store, guard=guard, clock=system_clock, log=log)
    return read_config(path)


def make_guard(
    clock: Clock, metrics: Metrics | None = None, scrub: Callable[[str], str] = lambda text: text
) -> Guard:
    """Return what calls plugins; with `metrics` it counts their errors.

    `scrub` takes secrets out of the texts of errors.
    """
    if metrics is None:
        return Guard(clock, scrub=scrub)
    return Guard(clock, lambda key, text: metrics.plugin_errors.labels(key).inc(), scrub)


def make_http(allow_private: bool, scrub: Callable[[str], str]) -> HttpClient:
    """Return a client for heartbeats; `scrub` takes secrets out of its errors."""
    from driftline.delivery.network.http import HttpClient

    return HttpClient(
        system_clock, allow_private=allow_private, scrub=scrub, part="agent.heartbeat"
    )


def make_metrics() -> Metrics:
    """Return the metrics of an agent."""
    from driftline import __version__
    from driftline.telemetry.metrics import Metrics

    return Metrics(__version__)


def make_services(
    config: Config,
    store: Store,
    clock: Clock,
    log: Any,
    *,
    metrics: Metrics | None,
    timeouts: Timeouts | None = None,
) -> Services:
    """Return the shared parts of an agent."""
    scrub = Scrubber(config).scrub
    return Services(
        store=store,
        registry=config.registry,
        guard=make_guard(clock, metrics, scrub),
        scrub=scrub,
        clock=clock,
        monotonic=time.monotonic,
        log=log,
        metrics=metrics,
        base=config.origin.parent,
        workers=config.agent.workers or min(os.cpu_count() or 2, 8),
        executor=config.agent.executor.plugin,
        timeouts=timeouts or Timeouts(),
        retention=config.agent.keep,
    )


def record_configuration(config: Config, store: Store, clock: Clock, log: Any) -> None:
    """Write what the configuration says of its models to their records."""
    with store.read() as connection:
        has_records = any(model.has_record for model in config.models.values()) or (
            connection.execute(
                select(records.c.id).where(records.c.way == "config").limit(1)
            ).first()
        )
    if has_records:
        from driftline.catalog.catalog import Catalog
        from driftline.catalog.configured import write_configured

        write_configured(Catalog(store=store, clock=clock, way="config"), config, log)


def make_link_key(config: Config, store: Store, clock: Clock) -> None:
    """Make the key that signs the links of messages, unless the state has one or none is needed."""
    if config.agent.token is not None:
        with store.write() as connection:
            add_first_key(connection, make_random_key(), clock())


def make_random_key() -> bytes:
    """Return a new key that signs links, as long as the signatures that it makes."""
    return secrets.token_bytes(32)


@contextmanager
def open_agent(
    config: Config,
    *,
    store: Store | None = None,
    clock: Clock = system_clock,
    log: Any,
    console: TextIO | None = None,
    once: bool = False,
    callbacks: Callbacks | None = None,
    timeouts: Timeouts | None = None,
    trouble: StateTrouble | None = None,
    seed: int | None = None,
) -> Iterator[Agent]:
    """Make an agent, and stop it and close its store at the end.

    Without `store`, that of the configuration is opened. With `once`, a source that can't be read
    is reported in the first tick, and there are no metrics. `seed` sets the jitter of retries;
    without it each agent has its own.
    """
    store = store or open_store(config.agent.state, base=config.origin.parent, warn=log.warning)
    try:
        metrics = None if once else make_metrics()
        services = make_services(config, store, clock, log, metrics=metrics, timeouts=timeouts)
        scrub_log(log, services.scrub)
        contexts = ContextFactory(
            console=console or sys.stdout,
            clock=clock,
            base=services.base,
            permit=ask_unless_direct(store.confirm),
            scrub=services.scrub,
            phrasebook=phrasebook_for(config),
        )
        agent = Agent(
            config,
            services,
            contexts,
            seed=secrets.randbits(64) if seed is None else seed,
            once=once,
            callbacks=callbacks,
            trouble=trouble,
        )
        record_configuration(config, store, clock, log)
        make_link_key(config, store, clock)
        try:
            yield agent
        finally:
            if not agent.stop():
                log.warning("a plugin hangs and was left behind; nothing that was finished is lost")
    finally:
        store.close()
