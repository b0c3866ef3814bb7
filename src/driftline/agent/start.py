"""The composition root: from a configuration file to a running agent's parts.

Refuses to be imported by anything but the faces: everything below is handed what it needs.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from driftline.agent.agent import Agent
from driftline.agent.outside import Outside
from driftline.agent.parts import Keep, Parts, Patience
from driftline.agent.tick import Hooks
from driftline.config import Config, load_config
from driftline.extensions.guard import Guard
from driftline.state.factory import open_store
from driftline.state.store import Store

if TYPE_CHECKING:
    from driftline.extensions.registry import Registry
    from driftline.telemetry.metrics import Metrics

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The machine's time, UTC."""
    return datetime.now(UTC)


def read_secret(kind: str, name: str) -> str:
    """What `${env:NAME}` or `${file:PATH}` stands for. Raises KeyError or OSError."""
    if kind == "env":
        return os.environ[name]
    return Path(name).read_text(encoding="utf-8").rstrip("\n")


def read_config(path: Path, registry: Registry | None = None) -> Config:
    """The configuration with its secrets. Raises ConfigError."""
    return load_config(path, registry, secrets=read_secret)


def make_guard(clock: Clock, metrics: Metrics | None = None) -> Guard:
    """What calls plugins, and counts their errors."""
    if metrics is None:
        return Guard(clock)
    return Guard(clock, lambda key, text: metrics.plugin_errors.labels(key).inc())


def make_parts(
    config: Config, store: Store, clock: Clock, log: Any, patience: Patience | None = None
) -> Parts:
    """The agent's own things."""
    from driftline import __version__
    from driftline.telemetry.metrics import Metrics

    keep, metrics = config.agent.keep, Metrics(__version__)
    return Parts(
        store=store,
        registry=config.registry,
        guard=make_guard(clock, metrics),
        clock=clock,
        log=log,
        metrics=metrics,
        base=config.origin.parent,
        workers=config.agent.workers or min(os.cpu_count() or 2, 8),
        executor=config.agent.executor.plugin,
        patience=patience or Patience(),
        keep=Keep(keep.profiles_hourly, keep.profiles_daily, keep.measurements),
    )


@contextmanager
def running(
    config: Config,
    *,
    store: Store | None = None,
    clock: Clock = system_clock,
    log: Any,
    console: TextIO | None = None,
    once: bool = False,
    hooks: Hooks | None = None,
    patience: Patience | None = None,
) -> Iterator[Agent]:
    """An agent, stopped and its store closed at the end; without `store`, the one of the
    configuration is opened.
    """
    store = store or open_store(config.agent.state, base=config.origin.parent)
    try:
        parts = make_parts(config, store, clock, log, patience)
        outside = Outside(console or sys.stdout, clock, secrets.randbits(64), store.confirm)
        agent = Agent(config, parts, outside, once=once, hooks=hooks)
        try:
            yield agent
        finally:
            if not agent.stop():
                log.warning("a plugin hangs and was left behind; nothing that was finished is lost")
    finally:
        store.close()
