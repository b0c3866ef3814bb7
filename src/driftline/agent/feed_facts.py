"""The state of the feed as facts: what can't be read, and halves without a match."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from driftline.alerting.fact import Fact, monitoring_fact
from driftline.ingest.read.read_pass import ReadCounts
from driftline.ingest.reference.losses import ReferenceLosses
from driftline.state.pair_rows import RequestCounts
from driftline.types.loss_reasons import LOSS_SHARE
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.phrasing import count


def feed_facts(
    model: str,
    now: datetime,
    reading: ReadCounts,
    *,
    error: str,
    request_counts: RequestCounts | None,
    reference_losses: ReferenceLosses | None,
    label_problems: Mapping[MonitoringKind, str],
    patience_ticks: int,
) -> list[Fact]:
    """Return a fact for each trouble that a tick may have; an empty reason says there is none.

    `request_counts` is None where no requests wait for responses, `reference_losses` where the
    model has no reference of its own source.
    """

    def fact(kind: MonitoringKind, reason: str, ticks: int = 1) -> Fact:
        return monitoring_fact(model, "source", kind, reason, (now, now), for_windows=ticks)

    facts = [fact(MonitoringKind.READING, error or _waiting(reading), patience_ticks)]
    if reading.objects:
        facts.append(fact(MonitoringKind.UNREADABLE, _unreadable(reading)))
        facts.append(fact(MonitoringKind.UNUSABLE_TIMES, _unusable_times(reading)))
    if reference_losses is not None:
        is_large = reference_losses.is_large(LOSS_SHARE)
        reason = reference_losses.describe() if is_large else ""
        facts.append(fact(MonitoringKind.REFERENCE_LOSSES, reason))
    facts.append(fact(MonitoringKind.UNPAIRED, _unpaired(request_counts) if request_counts else ""))
    patience = {MonitoringKind.LABELS: patience_ticks}
    return facts + [
        fact(kind, reason, patience.get(kind, 1)) for kind, reason in label_problems.items()
    ]


def _waiting(reading: ReadCounts) -> str:
    if not reading.waiting or not reading.errors:
        return ""
    plural = "" if reading.waiting == 1 else "s"
    return f"{reading.waiting:,} object{plural} could not be read just now: {reading.errors[0]}"


def _loses_much(reading: ReadCounts) -> bool:
    """Whether the rejected records and the rows held back are together above the share."""
    return reading.rejected_records + reading.rows_held_back > LOSS_SHARE * _records(reading)


def _records(reading: ReadCounts) -> int:
    return reading.rows + reading.responses + reading.rejected_records


def _unreadable(reading: ReadCounts) -> str:
    records = _records(reading)
    if not reading.quarantined and not (reading.rejected_records and _loses_much(reading)):
        return ""
    sentences = []
    if reading.rejected_records:
        reasons = reading.rejected_reasons
        sentences.append(
            f"{reading.rejected_records:,} of {count(records, 'record')} rejected in "
            f"{reasons.first_name}: {reasons.describe('record')}"
        )
    if reading.quarantined:
        example = f": {reading.errors[0]}" if reading.errors else ""
        sentences.append(
            f"{count(reading.quarantined, 'object')} can't be decoded{example}: check its format"
        )
    return "; ".join(reversed(sentences))


def _unusable_times(reading: ReadCounts) -> str:
    is_large = reading.rows_held_back > LOSS_SHARE * reading.rows
    if not reading.rows_held_back or not (is_large or _loses_much(reading)):
        return ""
    reasons = reading.held_reasons
    return (
        f"{reading.rows_held_back:,} of {count(reading.rows, 'row')} held back in "
        f"{reasons.first_name}: {reasons.describe('row')}"
    )


def _unpaired(counts: RequestCounts) -> str:
    """Most requests have no response, though earlier ones had."""
    if 2 * counts.unpaired_requests <= counts.requests or not counts.earlier_had_responses:
        return ""
    return (
        f"{counts.unpaired_requests:,} of {counts.requests:,} requests "
        f"since {counts.start:%Y-%m-%d %H:%M} have no response"
    )
