"""Facts, the input of alerting: a judged measurement of a window or of a tick of the agent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

from driftline.types.family import Family
from driftline.types.incident import Upstream
from driftline.types.model import OK, Judgement, Measurement, Severity, Verdict
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.phrasing import Scalar
from driftline.types.records import JudgedMeasurement

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One judged measurement of one window, as alerting takes it."""

    model: str
    version: str = ""
    segment: str = ""
    start: datetime
    """Start of the window; the time of the tick for `monitoring`."""
    end: datetime
    """End of the window; the time of the tick for `monitoring`."""
    judged: JudgedMeasurement
    reference: str = ""
    """What the window was compared with, in words."""
    for_windows: int = 1
    """Changed windows in a row before the alert fires (`for`)."""
    among_windows: int | None = None
    """The newest judged windows among which `for_windows` are changed; None: they are in a row."""
    keep_firing_windows: int = 0
    """Further quiet windows before a firing alert is resolved (`keep_firing`)."""
    revision: int = 0
    """The revision of the window; a fact with an older one is ignored."""
    since: datetime | None = None
    """Start of the first window that was different; None stands for this window."""
    upstream: Upstream | None = None
    """What is known to have changed before it: alerts that share it are one incident."""
    alike: frozenset[str] = frozenset()
    """Keys of alerts that moved together with this one while nothing was wrong.

    With one that fires it is one incident.
    """

    labels: Labels = field(init=False)
    """What the number is about, sorted by name."""
    verdict: Verdict = field(init=False)
    """The verdict; `ok` also for what is unsure but within its bounds."""

    def __post_init__(self) -> None:
        judgement = self.judged.judgement
        if judgement is None:
            raise ValueError(f"{self.judged.check}: no rule judges this measurement")
        verdict = Verdict.OK if judgement.is_within_bounds else judgement.verdict
        object.__setattr__(self, "labels", tuple(sorted(self.judged.measurement.labels.items())))
        object.__setattr__(self, "verdict", verdict)

    @property
    def judgement(self) -> Judgement:
        """What the rule said."""
        assert self.judged.judgement is not None
        return self.judged.judgement

    @property
    def check(self) -> str:
        """The name of the check in the configuration."""
        return self.judged.check

    @property
    def measurement(self) -> str:
        """The name of what was measured."""
        return self.judged.measurement.name

    @property
    def cause(self) -> str:
        """The family: `drift`, `quality`, `service`, `performance` or `monitoring`."""
        return self.judged.cause

    @property
    def key(self) -> str:
        """The identity of the alert: the same for every window of one rule on one set of labels."""
        return key_of(
            model=self.model,
            version=self.version,
            segment=self.segment,
            cause=self.cause,
            check=self.check,
            measurement=self.measurement,
            labels=self.labels,
        )


def lane_of(cause: str, check: str, measurement: str) -> str:
    """The lane of an alert: only alerts of one lane can be one incident.

    One lane holds all alerts about the model and its data, one those about its traffic. The agent's
    own trouble has a lane each for its feed, its checks, its sinks, and too little data.
    """
    if cause != Family.MONITORING:
        return Family.SERVICE.value if cause == Family.SERVICE else ""
    try:
        return MonitoringKind(measurement).lane
    except ValueError:
        # An incident as a whole has no measurement, and earlier versions stored others.
        return "feed" if check == "source" else "agent"


def monitoring_fact(
    model: str,
    check: str,
    kind: MonitoringKind,
    reason: str,
    span: tuple[datetime, datetime],
    *,
    severity: Severity = Severity.WARNING,
    rows: int = 0,
    for_windows: int = 1,
    revision: int = 0,
) -> Fact:
    """A fact about the agent itself: whether something of its own goes wrong.

    An empty `reason` says that nothing does, or no longer. `span` is that of the window, or twice
    the time of the tick.
    """
    judgement = (
        Judgement(verdict=Verdict.CHANGED, severity=severity, reason=reason) if reason else OK
    )
    judged = JudgedMeasurement(
        check=check,
        measurement=Measurement(None, name=kind.value),
        judgement=judgement,
        rows=rows,
        cause=Family.MONITORING.value,
    )
    return Fact(
        model=model,
        start=span[0],
        end=span[1],
        judged=judged,
        for_windows=for_windows,
        revision=revision,
    )


@lru_cache(maxsize=20_000)
def key_of(
    model: str,
    version: str,
    segment: str,
    cause: str,
    check: str,
    measurement: str,
    labels: Labels,
) -> str:
    """See `Fact.key`; `labels` sorted by name."""
    return hash_parts(model, version, segment, cause, check, measurement, labels, length=32)


def hash_parts(*parts: object, length: int) -> str:
    """The first `length` hex digits of a hash of `parts`: the same on every computation."""
    text = json.dumps(parts, ensure_ascii=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:length]


def message_id(incident: str, revision: int, *sink: str) -> str:
    """The id of a message of an incident, of one sink if given.

    It is the same on every computation, so that a receiver recognises a repeat.
    """
    return "ntf_" + hash_parts(incident, revision, *sink, length=32)


def finite(value: Any) -> float | None:
    """`value` as a plain float; None for None, NaN and the infinities, which JSON lacks."""
    return float(value) if value is not None and math.isfinite(value) else None


def to_json_values(detail: Mapping[str, Any]) -> dict[str, Scalar]:
    """`detail` with JSON values only: whole numbers, finite floats, text, None."""
    return {str(name): _scalar(value) for name, value in detail.items()}


def _scalar(value: Any) -> Scalar:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    try:
        return finite(value)
    except (TypeError, ValueError):
        return str(value)
