"""The settings of one watched model, ready for use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from driftline.agent.closing import Links
from driftline.agent.labelling import LateLabels
from driftline.agent.reference_state import Origin
from driftline.alerting.lifespans import Life
from driftline.alerting.silencing import Quiet
from driftline.contracts.format import Format
from driftline.contracts.source import Source
from driftline.evaluate.check_plan import CheckPlan
from driftline.extensions.phrasebook import Phrasebook
from driftline.state.incident_store import SinkPlan
from driftline.types.model import Schema
from driftline.types.notification import Notification


@dataclass(frozen=True)
class Settings:
    """What the configuration says of one model, ready for use."""

    source: Source
    formats: Mapping[str, Format]
    origin: Origin
    schema: Schema | None
    length: timedelta
    lateness: timedelta
    reopen_for: timedelta
    backfill: timedelta | None
    notify_within: timedelta | None
    plans: Sequence[CheckPlan]
    told: Callable[[Notification], Sequence[SinkPlan]]
    """Who is to hear of a notification."""
    config_digest: str
    """Names `config` and `plugins`; stands beside every window."""
    config: str = "{}"
    """What the file says of this model, as JSON, references to secrets unresolved."""
    plugins: str = "{}"
    """Versions and origins of the plugins it uses, as JSON."""
    patience_ticks: int = 1
    """Failing ticks in a row before a source that can't be read is an alert."""
    false_pages_per_year: float = 1.0
    labels: LateLabels | None = None
    """Labels that come later and on their own."""
    life: Life = field(default_factory=Life)
    quiet: Quiet = field(default_factory=Quiet)
    phrasebook: Phrasebook | None = None
    """How alerts read; as the installed plugins say when None."""
    links: Links = lambda notification, now: {}
    """See `Closing`."""
