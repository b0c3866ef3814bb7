"""The report of one tick of a model, and who receives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.agent.action_dispatch import ActionDispatcher
from driftline.agent.closing import ClosingReport, Enrich
from driftline.agent.late_labels import LabelReport
from driftline.alerting.incident import Change
from driftline.ingest.read.read_pass import Taken

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.window import Window


@dataclass(slots=True)
class Tick:
    """What one tick came to."""

    listed: int = 0
    reading: Taken = field(default_factory=Taken)
    labels: LabelReport = field(default_factory=LabelReport)
    closing: ClosingReport = field(default_factory=ClosingReport)
    skipped_objects: list[tuple[str, str]] = field(default_factory=list)
    warnings: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Callbacks:
    """Who else wants to know, and may change what is read."""

    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
    on_read: Callable[[Tick], None] = lambda report: None
    on_window: Callable[[Window], None] = lambda window: None
    enrich: Enrich = lambda notification: {}
    acting: ActionDispatcher | None = None
    on_changes: Callable[[Sequence[Change]], None] = lambda changes: None
    progress: Callable[[str, int, int, int], None] = lambda stage, done, total, rows: None
    """Stage (`read` or `judge`), done, in all, rows."""
    stopping: Callable[[], bool] = lambda: False
