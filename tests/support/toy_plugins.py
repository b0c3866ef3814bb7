"""Small plugins of the tests' own, so that what ships may change without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from driftline import (
    Check,
    DiscoverContext,
    Format,
    LogObject,
    Measurement,
    Notification,
    Secret,
    Sink,
    Source,
    above,
)
from driftline.extensions import PluginInfo, Registry


class Disk(Source):
    """Files of a disk."""

    type = "disk"

    path: str
    """Where they are."""
    depth: int = 3
    """How deep to look."""
    secret: Secret | None = None
    """A key."""

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        return iter(())


class Lines(Format):
    """Lines."""

    type = "lines"

    separator: str = ","
    """Between values."""

    def decode(self, stream, ctx):
        return iter(())


class Nulls(Check):
    """Share of nulls."""

    type = "nulls"
    default_rules: ClassVar = {"nulls": above(warning=0.1)}

    columns: tuple[str, ...] = ()
    """Columns to look at."""
    method: Literal["exact", "sketch"] = "exact"
    """How to count."""

    def evaluate(self, ctx) -> Iterator[Measurement]:
        return iter(())


class Chat(Sink):
    """A chat room."""

    type = "chat"

    url: Secret
    """Its address."""
    room: str = "alerts"
    """The room."""

    def send(self, notification: Notification) -> str | None:
        return None


def registry() -> Registry:
    """The four plugins, and nothing that is installed."""
    kinds = {"source": Disk, "format": Lines, "check": Nulls, "sink": Chat}
    infos = tuple(PluginInfo(type_.type, kind, "1", "toy.py", ()) for kind, type_ in kinds.items())
    types = {(kind, type_.type): type_ for kind, type_ in kinds.items()}
    return Registry(types, infos)
