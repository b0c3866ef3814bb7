"""Facts from flat keyword arguments: each goes to the record that holds it."""

from typing import Any

from driftline.alerting import Fact
from driftline.state.earlier_bounds import parse_earlier_bound
from driftline.types.model import Judgement, Measurement, Severity, Verdict
from driftline.types.records import JudgedMeasurement

MEASURED = {"value", "was", "interval", "unit", "detail", "decision"}


def flat_fact(
    *,
    check: str,
    measurement: str,
    cause: str,
    labels: tuple[tuple[str, str], ...] = (),
    verdict: Verdict = Verdict.OK,
    severity: Severity | None = None,
    reason: str = "",
    rows: int = 0,
    **given: Any,
) -> Fact:
    """One judged measurement; a reason such as `above 0.25` is that of a crossed bound."""
    number = {"value": None} | {name: given.pop(name) for name in MEASURED & given.keys()}
    judgement = Judgement(
        verdict=verdict, severity=severity, reason=reason, bound=parse_earlier_bound(reason)
    )
    judged = JudgedMeasurement(
        check=check,
        measurement=Measurement(name=measurement, labels=dict(labels), **number),
        judgement=judgement,
        rows=rows,
        cause=cause,
    )
    return Fact(judged=judged, **given)


def altered(fact: Fact, **given: Any) -> Fact:
    """`fact` with other values."""
    judged, measurement = fact.judged, fact.judged.measurement
    whole = {
        "model": fact.model, "version": fact.version, "segment": fact.segment, "start": fact.start, "end": fact.end,
        "reference": fact.reference, "for_windows": fact.for_windows, "keep_firing_windows": fact.keep_firing_windows, "revision": fact.revision,
        "since": fact.since, "upstream": fact.upstream, "alike": fact.alike, "check": judged.check,
        "cause": judged.cause, "rows": judged.rows, "measurement": measurement.name, "labels": fact.labels,
        "verdict": fact.judgement.verdict, "severity": fact.judgement.severity, "reason": fact.judgement.reason,
        **{name: getattr(measurement, name) for name in MEASURED},
    }  # fmt: skip
    return flat_fact(**{**whole, **given})
