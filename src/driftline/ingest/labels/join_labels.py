"""Joins labels with the predictions that wait for them, window by window.

Does not add to earlier results: the labels of a window are joined anew from all stored rows, so
that order, repeats and crashes change nothing. A few million rows are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy.engine import Connection

from driftline.ingest.labels.decode_labels import unpack_labels
from driftline.ingest.labels.newest_label import NewestLabels
from driftline.ingest.labels.waiting_predictions import (
    Column,
    PredictionRows,
    concatenate,
    unpack_rows,
)
from driftline.profiles.batch import Batch, LabelledRows
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.spec import ProfileSpec
from driftline.state import models, waiting, windows
from driftline.state.store import Store
from driftline.state.waiting import LABEL, PREDICTION, WaitingRow
from driftline.types.arrays import Hashes, Ints
from driftline.types.model import NUMERIC_TASKS, Schema
from driftline.types.times import SECOND_MICROS

if TYPE_CHECKING:
    import pyarrow as pa

PORTION = 1 << 20
"""Predictions that are joined at a time, at least; beside them as many labels."""

LabelSpan = tuple[int, str]
"""Start and version of a window, with all its segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinTerms:
    """The settings of a model's join."""

    model: str
    labels: str
    """The name under which the ledger keeps the objects with labels."""
    schema: Schema
    spec: ProfileSpec
    collectors: Collectors
    length: int
    """Length of a window, microseconds."""
    wait: int
    """Microseconds that a label may be older than its prediction."""
    has_own_times: bool = True
    """Whether labels have a time of their own."""


@dataclass(slots=True)
class JoinCounts:
    """Counts of one join."""

    labels: int = 0
    """New labels."""
    matches: int = 0
    """New labels that have a prediction."""
    windows: int = 0
    """Windows whose labels changed."""


@dataclass(slots=True, kw_only=True)
class _Join:
    """One join: its settings, what is to be joined, and the results so far."""

    terms: JoinTerms
    portion: int
    changes: list[WaitingRow]
    """Stubs of labels that came or went."""
    labels: list[WaitingRow]
    """All stubs of labels, in the order in which they count."""
    spans: list[LabelSpan]
    """The windows to join, in order."""
    predictions: list[WaitingRow]
    """Stubs of the predictions of these windows, in their order."""
    marks: dict[LabelSpan, list[int]]
    """Ids of new prediction stubs, by window, that are marked as joined with the window."""
    new_predictions: set[int]
    """Ids of prediction stubs that are joined for the first time."""
    profiles: dict[LabelSpan, dict[str, Profile]] = field(default_factory=dict)
    """Profiles of labelled rows, by window and segment."""
    prediction_matches: dict[int, int] = field(default_factory=dict)
    """Predictions that have a label, by id of the stub."""
    label_matches: dict[int, int] = field(default_factory=dict)
    """Labels that have a prediction, by id of the stub."""

    def join_portion(self, connection: Connection, stubs: Sequence[WaitingRow]) -> None:
        """Add the labels of some predictions to the profiles of their windows."""
        parts: dict[LabelSpan, list[PredictionRows]] = {}
        stub_hashes: list[tuple[int, Hashes]] = []
        for stub, hashes, content in waiting.read_content_in_order(connection, stubs, self.portion):
            rows = unpack_rows(hashes, content, self.terms.spec.digest)
            if rows is not None:
                parts.setdefault((stub.start, stub.version), []).append(rows)
                stub_hashes.append((stub.id, hashes))
        if not parts:
            return
        predictions = {span: concatenate(part) for span, part in parts.items()}
        labels = NewestLabels(_distinct([rows.hashes for rows in predictions.values()]))
        new_hashes = [hashes for id_, hashes in stub_hashes if id_ in self.new_predictions]
        self._load_labels(connection, labels, new_hashes, earliest=min(predictions)[0])
        for span, rows in predictions.items():
            self._add_labels(span, rows, labels)
        for id_, hashes in stub_hashes:
            has_label = labels.has_label[np.searchsorted(labels.ids, hashes)]
            self.prediction_matches[id_] = int(has_label.sum())

    def _load_labels(
        self,
        connection: Connection,
        labels: NewestLabels,
        new_hashes: Sequence[Hashes],
        earliest: int,
    ) -> None:
        """Add all labels that can count for predictions from `earliest` (microseconds) on.

        Also counts labels that have a prediction; of labels joined before, only matches with the
        new predictions are added.
        """
        terms = self.terms
        is_new = (
            np.isin(labels.ids, np.concatenate(new_hashes))
            if new_hashes
            else np.zeros(len(labels.ids), bool)
        )
        change_ids = {stub.id for stub in self.changes}
        is_numeric = terms.schema.task in NUMERIC_TASKS
        stubs = [stub for stub in self.labels if stub.start >= earliest - terms.wait]
        object_times = (
            {} if terms.has_own_times else waiting.load_modified_times(connection, terms.labels)
        )
        for stub, hashes, content in waiting.read_content_in_order(connection, stubs, self.portion):
            rows = unpack_labels(hashes, content)
            if (rows.names is None) != is_numeric:
                continue  # read when the task was another one
            places = labels.add(rows, object_times.get(stub.object_id))
            matches = len(places) if stub.id in change_ids else int(is_new[places].sum())
            if matches:
                earlier_matches = 0 if stub.id in change_ids else stub.matched_rows
                total = self.label_matches.get(stub.id, earlier_matches) + matches
                self.label_matches[stub.id] = min(total, stub.rows)

    def _add_labels(self, span: LabelSpan, rows: PredictionRows, labels: NewestLabels) -> None:
        """Add the labelled rows of one window to its profiles, by segment."""
        terms, profiles = self.terms, self.profiles.setdefault(span, {})
        at = np.searchsorted(labels.ids, rows.hashes)
        events = span[0] + rows.seconds * SECOND_MICROS
        places = np.flatnonzero(labels.has_label[at] & (labels.times[at] >= events - terms.wait))
        if not len(places):
            return
        at, events = at[places], events[places]
        columns = {
            name: _take_column(column, places)
            for name, column in rows.columns.items()
            if name not in terms.schema.segments
        }
        assert terms.schema.label is not None
        columns[terms.schema.label.name] = _label_column(labels, at)
        labelled_rows = LabelledRows(
            Batch(rows=len(places), columns=columns, hashes=rows.hashes[places]),
            np.maximum(labels.firsts[at] - events, 0),
            labels.is_corrected[at],
            labels.is_contradictory[at],
        )
        segments = _split_by_segment(labelled_rows, rows, places, terms.schema.segments)
        for segment, part in [("", labelled_rows), *segments]:
            profile = profiles.get(segment)
            if profile is None:
                profile = profiles[segment] = Profile(terms.spec, terms.collectors)
            profile.label(part)

    def commit(self, store: Store, spans: Sequence[LabelSpan]) -> int:
        """Write windows that are complete; returns how many changed."""
        if not spans:
            return 0
        changes = 0
        with store.write() as connection:
            for span in spans:
                content = {
                    segment: profile.to_bytes()
                    for segment, profile in self.profiles.pop(span, {}).items()
                }
                changes += windows.relabel(connection, self.terms.model, *span, content)
                waiting.mark_joined(connection, self.marks[span])
            waiting.set_matched(connection, self.prediction_matches)
            self.prediction_matches.clear()
        return changes


def join_labels(store: Store, terms: JoinTerms, until: int, portion: int = PORTION) -> JoinCounts:
    """Join labels and predictions of all windows that end by `until` (microseconds).

    Younger windows are left for later, because their predictions are still coming. Some windows
    are one transaction; new labels count as joined when all their windows are.
    """
    with store.write() as connection:
        expiry = models.load_waits_from(connection, terms.model)
        if expiry is not None:
            waiting.drop_before(connection, terms.model, PREDICTION, expiry)
    with store.read() as connection:
        join = _prepare(connection, terms, until, portion)
    counts, spans = JoinCounts(), join.spans
    for part in _portions(join.predictions, portion):
        with store.read() as connection:
            join.join_portion(connection, part)
        complete = [span for span in spans if span < (part[-1].start, part[-1].version)]
        spans = spans[len(complete) :]
        counts.windows += join.commit(store, complete)
    counts.windows += join.commit(store, spans)
    if join.changes or join.label_matches:
        with store.write() as connection:
            waiting.set_matched(connection, join.label_matches)
            waiting.mark_joined(connection, [stub.id for stub in join.changes])
    new_labels = [stub for stub in join.changes if not stub.is_removed]
    counts.labels = sum(stub.rows for stub in new_labels)
    counts.matches = sum(join.label_matches.get(stub.id, 0) for stub in new_labels)
    return counts


def _prepare(connection: Connection, terms: JoinTerms, until: int, portion: int) -> _Join:
    """Find the windows to join, with their labels and predictions."""
    changes = waiting.load_unjoined(connection, terms.labels, LABEL)
    new_predictions = [
        stub
        for stub in waiting.load_unjoined(connection, terms.model, PREDICTION)
        if stub.start + terms.length <= until
    ]
    spans = {(stub.start, stub.version) for stub in new_predictions}
    changed_labels = (
        changes
        if terms.has_own_times
        else waiting.add_labels_of_same_objects(connection, terms.labels, changes)
    )
    for ids in _ids(connection, changed_labels):
        for stub in waiting.find_rows_with_ids(connection, terms.model, PREDICTION, ids):
            if stub.start + terms.length <= until:
                spans.add((stub.start, stub.version))
    marks: dict[LabelSpan, list[int]] = {span: [] for span in spans}
    for stub in new_predictions:
        marks[stub.start, stub.version].append(stub.id)
    labels = waiting.load_labels(connection, terms.labels)
    # Where there has never been a label, there is nothing to look at.
    starts = sorted({start for start, _ in spans}) if labels or changes else []
    return _Join(
        terms=terms,
        portion=portion,
        changes=changes,
        labels=labels,
        spans=sorted(spans),
        predictions=[
            stub
            for stub in waiting.load_predictions(connection, terms.model, starts)
            if (stub.start, stub.version) in spans
        ],
        marks=marks,
        new_predictions={stub.id for stub in new_predictions if not stub.is_removed},
    )


def _ids(connection: Connection, stubs: Sequence[WaitingRow]) -> Iterator[Hashes]:
    """The ids of some labels, sorted, a few million at a time."""
    for part in _portions(stubs, 4 * PORTION):
        yield _distinct(
            [
                hashes
                for _, hashes, _ in waiting.read_content(connection, [stub.id for stub in part])
            ]
        )


def _distinct(parts: Sequence[Hashes]) -> Hashes:
    """All ids, sorted, without repeats."""
    ids = np.sort(np.concatenate(parts))  # np.unique is several times slower here
    distinct: Hashes = ids[np.append(True, ids[1:] != ids[:-1])]
    return distinct


def _portions(stubs: Sequence[WaitingRow], rows: int) -> Iterator[list[WaitingRow]]:
    part: list[WaitingRow] = []
    part_rows = 0
    for stub in stubs:
        part.append(stub)
        part_rows += stub.rows
        if part_rows >= rows:
            yield part
            part, part_rows = [], 0
    if part:
        yield part


def _label_column(labels: NewestLabels, at: Ints) -> pa.Array:
    import pyarrow as pa

    values = labels.values[at]
    if labels.names:
        return pa.DictionaryArray.from_arrays(
            pa.array(values.astype(np.int32)), pa.array(labels.names, pa.string())
        )
    return pa.array(values.view(np.float64))


def _take_column(column: Column, places: Ints) -> pa.Array:
    import pyarrow as pa

    if isinstance(column, np.ndarray):
        return pa.array(column[places])
    names, codes = column
    codes = codes[places]
    indices = pa.array(np.maximum(codes, 0).astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _split_by_segment(
    labelled_rows: LabelledRows, rows: PredictionRows, places: Ints, segments: Iterable[str]
) -> Iterator[tuple[str, LabelledRows]]:
    """The labelled rows of each segment; `places` are their places among `rows`."""
    for name in segments:
        column = rows.columns.get(name)
        if column is None or isinstance(column, np.ndarray):
            continue
        names, codes = column
        codes = codes[places]
        for code in np.unique(codes[codes >= 0]).tolist():
            yield f"{name}={names[code]}", _take_rows(labelled_rows, np.flatnonzero(codes == code))


def _take_rows(labelled_rows: LabelledRows, places: Ints) -> LabelledRows:
    import pyarrow as pa

    columns = {
        name: array.take(pa.array(places)) for name, array in labelled_rows.batch.columns.items()
    }
    hashes = labelled_rows.batch.hashes
    return LabelledRows(
        Batch(rows=len(places), columns=columns, hashes=None if hashes is None else hashes[places]),
        labelled_rows.delays[places],
        labelled_rows.is_corrected[places],
        labelled_rows.is_contradictory[places],
    )
