"""Offers the collectors of `profiles` by the same hook as a plugin does."""

from __future__ import annotations

from driftline.contracts.hookspecs import hookimpl
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.collector import Collector


@hookimpl
def register_collectors() -> list[type[Collector]]:
    """The collectors that driftline brings."""
    return list(BUILT_IN.values())
