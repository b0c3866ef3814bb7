"""The report of one tick of a model, and who receives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.agent.acting import Acting
from driftline.agent.closing import Closed, Enrich
from driftline.agent.labelling import Labelling
from driftline.alerting.incident import Change
from driftline.ingest.read.read_pass import ReadCounts

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.window import Window


@dataclass(slots=True)
class Tick:
    """What one tick came to."""

    listed: int = 0
    taken: ReadCounts = field(default_factory=ReadCounts)
    labels: Labelling = field(default_factory=Labelling)
    closed: Closed = field(default_factory=Closed)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    doubts: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Hooks:
    """Who else wants to know, and may change what is read."""

    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
    on_read: Callable[[Tick], None] = lambda report: None
    on_window: Callable[[Window], None] = lambda window: None
    enrich: Enrich = lambda notification: {}
    acting: Acting | None = None
    on_changes: Callable[[Sequence[Change]], None] = lambda changes: None
    progress: Callable[[str, int, int, int], None] = lambda stage, done, total, rows: None
    """Stage (`read` or `judge`), done, in all, rows."""
    stopping: Callable[[], bool] = lambda: False
