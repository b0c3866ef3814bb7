"""Labels that come later: read like predictions, under a name of their own in the ledger, then
joined, and let go in time.

Refuses to hold up the model: when the labels can't be read, its windows are judged on time and
restated later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from driftline.agent.reference_state import Ground
from driftline.contracts.format import Format
from driftline.contracts.source import Source
from driftline.ingest.labels.join_labels import JoinCounts, JoinTerms, join_labels
from driftline.ingest.read.job import Job
from driftline.ingest.read.read_pass import ReadCounts
from driftline.profiles.profile import Collectors
from driftline.profiles.spec import ProfileSpec
from driftline.state import models, waiting
from driftline.state.store import Store
from driftline.state.tables import moment
from driftline.state.waiting import LABEL, PREDICTION
from driftline.types.errors import DriftlineError
from driftline.types.model import Schema

UNUSABLE_SHARE = 0.05
"""Of the labels of one tick; more than this without id, time or value can't be chance."""


@dataclass(frozen=True)
class LateLabels:
    """What the configuration says of labels that come later."""

    source: Source
    formats: Mapping[str, Format]
    schema: Schema
    """Of a label's record: its id (`joins`), label and timestamp."""
    wait_for: timedelta
    max_disk: int
    """Bytes."""


@dataclass(slots=True)
class Labelling:
    """What one tick did about labels."""

    taken: ReadCounts = field(default_factory=ReadCounts)
    joined: JoinCounts = field(default_factory=JoinCounts)
    error: str = ""
    dropped: int = 0
    """Predictions that stopped waiting because there were too many, and had no label."""
    dropped_before: datetime | None = None
    """Start of the oldest window whose predictions still wait, after that."""

    @property
    def troubles(self) -> dict[str, str]:
        """What people should know, by its kind; an empty text where all is well, nothing where
        nothing can be told.
        """
        found = {"labels": self.error}
        if self.taken.objects:
            taken = self.taken
            records, bad = (
                taken.rows + taken.rejected_records,
                taken.rejected_records + taken.rows_held_back,
            )
            worst = f": {taken.errors[0]}" if taken.errors else ""
            told = (
                f"{bad:,} of {records:,} labels have no id, time or value that can be used{worst}"
            )
            found["unusable labels"] = (
                told if taken.quarantined or bad > UNUSABLE_SHARE * max(records, 1) else ""
            )
        if self.dropped_before is not None:
            found["waiting predictions"] = (
                f"{self.dropped:,} predictions from before {self.dropped_before:%Y-%m-%d %H:%M} wait no longer for their "
                "labels: more wait than labels.max_disk allows"
            )
        elif self.taken.objects:
            found["waiting predictions"] = ""
        return found


def ledger_name(model: str) -> str:
    """Under which the ledger keeps the objects with labels; no model's name has a # in it."""
    return f"{model}#labels"


def label_job(late: LateLabels, job: Job) -> Job:
    """How labels are read; `job` is how the model's predictions are."""
    schema = late.schema
    assert schema.label is not None
    assert schema.joins is not None
    stamp = schema.timestamp.path if schema.timestamp else ""
    # Its digest changes with all that decides what is kept of a label, as that of predictions does.
    spec = ProfileSpec(
        {},
        task=schema.task,
        label=f"{schema.label.path} {stamp}",
        joins=schema.joins.path,
        collectors=(),
    )
    return replace(
        job,
        source=late.source,
        formats=late.formats,
        schema=schema,
        spec=spec,
        transform=None,
        labels=True,
    )


def read_and_join(
    store: Store,
    model: str,
    late: LateLabels,
    ground: Ground,
    kinds: Collectors,
    length: int,
    until: int,
    read: Callable[[], ReadCounts],
    report: Labelling,
) -> None:
    """Take in the labels that there are, and bring the windows that ended by `until` (microseconds)
    up to date.
    """
    try:
        report.taken = read()
    except DriftlineError as error:
        report.error = " ".join(str(error).split())
    if not report.error and report.taken.waiting and report.taken.errors:
        report.error = (
            f"{report.taken.waiting} objects could not be read just now: {report.taken.errors[0]}"
        )
    wait = late.wait_for // timedelta(microseconds=1)
    terms = JoinTerms(
        model=model,
        labels=ledger_name(model),
        schema=ground.schema,
        spec=ground.spec,
        collectors=kinds,
        length=length,
        wait=wait,
        has_own_times=late.schema.timestamp is not None,
    )
    report.joined = join_labels(store, terms, until)


def let_go(
    connection: Connection,
    model: str,
    late: LateLabels,
    newest: int,
    length: int,
    came: bool,
    report: Labelling,
) -> None:
    """Forget what has waited long enough by the newest event time (microseconds), and if something
    `came`, what is too much.
    """
    wait = late.wait_for // timedelta(microseconds=1)
    labels = ledger_name(model)
    waiting.drop(connection, model, PREDICTION, newest - wait - length + 1)
    # A label may be that much older than its prediction, which may be that old when its window
    # ends.
    waiting.drop(connection, labels, LABEL, newest - 2 * wait - length)
    models.wait_from(connection, model, newest - wait - length + 1)
    before = waiting.fits(connection, (model, labels), late.max_disk) if came else None
    if before is not None:
        report.dropped = waiting.drop(connection, model, PREDICTION, before)
        waiting.drop(connection, labels, LABEL, before)
        models.wait_from(connection, model, before)
        report.dropped_before = moment(before)
