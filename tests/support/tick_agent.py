"""An agent whose ticks a test makes one by one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driftline.agent.composition_root import open_agent, read_config
from driftline.agent.summary import summarise
from driftline.telemetry.logs import make_log


@contextmanager
def ticking(config: Path, model: str = "shop") -> Iterator[Callable[[], dict[str, Any]]]:
    """A function that makes one tick of the daemon and gives the model's summary."""
    log = make_log(io.StringIO(), human=False)
    with open_agent(read_config(config), log=log, console=io.StringIO()) as agent:

        def tick() -> dict[str, Any]:
            assert agent.tick(model).error == ""
            found: dict[str, Any] = summarise(agent.store, agent.config)["models"][model]
            return found

        yield tick
