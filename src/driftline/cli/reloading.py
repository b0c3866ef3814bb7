"""Reads the configuration again and tries what can fail, while the old one goes on running."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from driftline.agent.agent import Agent
from driftline.agent.composition_root import read_config
from driftline.agent.model_settings import make_settings
from driftline.agent.window_length import explain_other_length
from driftline.config import Config
from driftline.state.probe import probe_state
from driftline.types.errors import ConfigError, DriftlineError

DONE, REFUSED = "done", "refused"
"""The outcomes of a reload."""


class Reloads:
    """The reloads of one process, by what came of them."""

    def __init__(self, path: Path, log: Any) -> None:
        self.outcomes = Counter[str]()
        self.is_successful = True
        """Whether the last reload was used; also before the first one."""
        self.previous: Config | None = None
        """The configuration before, until the new one runs."""
        self.path, self._log = path, log

    def read(self, running: Config, agent: Agent | None) -> Config | None:
        """Return the new configuration; None, with the reasons in the log, if it can't be used.

        `agent` is the one that runs with the old configuration; None while this one stands by.
        """
        try:
            config = read_config(self.path)
            problems = [] if agent is None else list(_find_problems(config, running, agent))
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
        except DriftlineError as error:
            problems = [str(error)]
        if problems:
            self.refuse(*problems)
            return None
        return config

    def begin(self, previous: Config) -> None:
        """Note that a new configuration is about to take the place of `previous`."""
        self.previous = previous

    def accept(self) -> None:
        """Note that the configuration at hand runs; nothing unless it is a new one."""
        if self.previous is None:
            return
        self.previous = None
        self._count(DONE)
        self._log.info("reloaded", config=str(self.path))

    def go_back(self, problem: str) -> Config:
        """Return the configuration before: the new one could not be started."""
        assert self.previous is not None
        previous, self.previous = self.previous, None
        self.refuse(problem)
        return previous

    def refuse(self, *problems: str) -> None:
        """Note that the old configuration goes on."""
        self._count(REFUSED)
        for problem in problems:
            self._log.error(f"not reloaded, the old configuration goes on: {problem}")

    def show(self, agent: Agent) -> None:
        """Show the outcomes in the metrics of an agent."""
        agent.show_reloads(self.outcomes, is_successful=self.is_successful)

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] += 1
        self.is_successful = outcome == DONE


def _find_problems(config: Config, running: Config, agent: Agent) -> Iterator[str]:
    """Yield why the new configuration would not run. Raises DriftlineError as well."""
    if config.agent.http != running.agent.http:
        yield from _try_address(config, running)
    is_same_state = (config.agent.state, config.origin.parent) == (
        running.agent.state,
        running.origin.parent,
    )
    if not is_same_state:
        probe_state(config.agent.state, config.origin.parent)
        return
    for name in config.models:
        settings = make_settings(config, name, config.registry, patience_ticks=1)
        problem = explain_other_length(agent.store, settings)
        if problem:
            yield problem


def _try_address(config: Config, running: Config) -> Iterator[str]:
    """Yield why the new address can't be listened on. The port of this agent is not tried."""
    from driftline.web.address import check_address

    if config.agent.http is None:
        return
    address = check_address(
        config.agent.http, config.agent.http_token or config.agent.http_user_header
    )
    if running.agent.http is not None:
        now = check_address(
            running.agent.http, running.agent.http_token or running.agent.http_user_header
        )
        if now.port == address.port:
            return
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=family).close()
    except OSError as error:
        yield f"agent.http: can't listen on {address}: {error.strerror or error}"
