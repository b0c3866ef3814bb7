"""The settings that the reading of all objects of one model shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.contracts.format import Format
from driftline.contracts.source import Source
from driftline.profiles.built_in import BUILT_IN
from driftline.profiles.profile import Collectors
from driftline.profiles.spec import ProfileSpec
from driftline.types.model import Schema

if TYPE_CHECKING:
    import pyarrow as pa

Transform = Callable[["pa.RecordBatch"], "pa.RecordBatch"]


def _no_heartbeat() -> None:
    """Does nothing: nobody watches this job."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """How the objects of one model are read and profiled; it can be pickled when `beat` can."""

    source: Source
    formats: Mapping[str, Format]
    """By file suffix; the format under "" is used for every object."""
    schema: Schema
    spec: ProfileSpec
    length: int
    """Length of a window, in microseconds."""
    latest: int
    """Microseconds since the epoch; later event times are from the future and held back."""
    collectors: Collectors = field(default_factory=lambda: BUILT_IN)
    transform: Transform | None = None
    """The user's feature code, run on each batch of whole rows."""
    beat: Callable[[], None] = _no_heartbeat
    """Called for every batch, so that a hanging read can be told from a long one."""
    labels: bool = False
    """Whether the records are labels that came on their own, not predictions."""
    base: Path = Path()
    """Folder of the configuration, for a source that is started in another process."""
