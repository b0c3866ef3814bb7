"""The result of one tick of a model."""

from __future__ import annotations

from dataclasses import dataclass, field

from driftline.agent.closing import ClosingReport
from driftline.agent.late_labels import LabelReport
from driftline.ingest.read.read_pass import ReadCounts
from driftline.ingest.reference.losses import ReferenceLosses


@dataclass(slots=True, kw_only=True)
class Tick:
    """The result of one tick of a model."""

    object_count: int = 0
    """Objects in the listing."""
    reading: ReadCounts = field(default_factory=ReadCounts)
    labels: LabelReport = field(default_factory=LabelReport)
    closing: ClosingReport = field(default_factory=ClosingReport)
    skipped_objects: list[tuple[str, str]] = field(default_factory=list)
    """URI and reason."""
    reference_losses: ReferenceLosses = field(default_factory=ReferenceLosses)
    has_new_reference: bool = False
    """Whether the reference was built or loaded in this tick."""
    warnings: tuple[str, ...] = ()
    """Doubts about the inferred schema, only in the tick that inferred it."""
    error: str = ""
    """Why the tick ended early; empty when it did not."""
    seconds: float = 0.0
