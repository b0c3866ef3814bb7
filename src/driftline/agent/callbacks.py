"""Functions that a tick calls while it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.alerting.incident import Change
from driftline.types.notification import Notification

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.profiles.window import Window


@dataclass(kw_only=True, slots=True)
class Callbacks:
    """Functions that a tick calls while it works; each does nothing by default."""

    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
    """Changes a batch of records before it is profiled."""
    on_window: Callable[[Window], None] = lambda window: None
    """Called after a window is judged and stored."""
    enrich: Callable[[Notification], Mapping[str, str]] = lambda notification: {}
    """Returns what plugins add to the message of an incident, by label."""
    on_changes: Callable[[Sequence[Change]], None] = lambda changes: None
    """Called after changes of incidents are stored."""
    progress: Callable[[str, int, int, int], None] = lambda stage, count, total, rows: None
    """Called with stage (`read`, `labels` or `judge`), finished steps, steps in all, and rows."""
    step: Callable[[str, float], None] = lambda name, seconds: None
    """Called before a step, with its name and the seconds that it may take without progress."""
    beat: Callable[[], None] = lambda: None
    """Called while a step makes progress."""
    stopping: Callable[[], bool] = lambda: False
    """Returns whether the tick should end soon."""
