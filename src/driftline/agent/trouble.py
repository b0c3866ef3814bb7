"""The state of the feed as facts: a source that can't be read, records that can't, halves that stay
alone.

Refuses to judge what was read: that is the checks'.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from driftline.alerting.fact import Fact, trouble
from driftline.ingest.read.read_pass import ReadCounts

REJECTED_SHARE = 0.05
"""Of the records of one tick; more than this can't be chance, and is an alert about monitoring."""


def feed_facts(
    model: str,
    now: datetime,
    taken: ReadCounts,
    error: str,
    alone: str | None,
    labels: Mapping[str, str],
    patience_ticks: int,
) -> list[Fact]:
    """Each trouble that a tick may have, with its own patience; an empty reason is that there is
    none.

    `alone` is None where nothing is paired.
    """

    def trouble_of(what: str, reason: str, needed: int = 1) -> Fact:
        return trouble(model, "source", what, reason, (now, now), needed=needed)

    facts = [trouble_of("reading", error or _waiting(taken), patience_ticks)]
    if taken.objects:
        records = taken.rows + taken.responses + taken.rejected_records
        unreadable = taken.quarantined > 0 or taken.rejected_records > REJECTED_SHARE * max(
            records, 1
        )
        worst = taken.errors[0] if taken.errors else ""
        told = f"{taken.rejected_records:,} of {records:,} records and {taken.quarantined:,} objects: {worst}"
        facts.append(trouble_of("unreadable", told if unreadable else ""))
    if alone is not None:
        facts.append(trouble_of("unpaired", alone))
    needed = {"labels": patience_ticks}
    return facts + [trouble_of(what, text, needed.get(what, 1)) for what, text in labels.items()]


def _waiting(taken: ReadCounts) -> str:
    return (
        f"{taken.waiting} objects could not be read just now: {taken.errors[0]}"
        if taken.waiting and taken.errors
        else ""
    )
