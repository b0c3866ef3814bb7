"""Joining labels with the predictions that wait for them, window by window, from what is kept of
both.

Refuses to add to what a window had: whatever came, went or was corrected, what its labels say is
made anew from all that is kept, so that order, repeats and crashes don't show. A few million rows
are in memory at a time, however many wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from driftline.ingest.labels.decode_labels import unpack_labels
from driftline.ingest.labels.newest_label import NewestLabels
from driftline.ingest.labels.waiting_predictions import (
    SECOND,
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
from driftline.types.model import Schema, Task
from driftline.types.records import Hashes

PORTION = 1 << 20
"""Predictions that are joined at a time, at least; beside them as many labels."""

Ints = NDArray[np.int64]
Span = tuple[int, str]
"""Start and version of a window, with all its segments."""


@dataclass(frozen=True, slots=True)
class JoinTerms:
    """What a join needs to know of a model."""

    model: str
    labels: str
    """The name under which the ledger keeps the objects with labels."""
    schema: Schema
    spec: ProfileSpec
    collectors: Collectors
    length: int
    """Of windows, microseconds."""
    wait: int
    """Microseconds that a label may be older than its prediction."""
    has_own_times: bool = True
    """Whether labels say themselves when they were given."""


@dataclass(slots=True)
class JoinCounts:
    """What a join came to."""

    labels: int = 0
    """New ones."""
    matches: int = 0
    """Of these, how many have a prediction that waits for them."""
    windows: int = 0
    """How many say something else now than before."""


@dataclass(slots=True)
class _Work:
    """What is to be done, and what has been found on the way."""

    news: list[WaitingRow]
    """Labels that came or went."""
    labels: list[WaitingRow]
    """All that are kept, in the order in which they count."""
    affected: list[Span]
    pieces: list[WaitingRow]
    """The predictions of these windows, in their order."""
    marks: dict[Span, list[int]]
    """Rows of the table, by window, that are dealt with once it is."""
    fresh: set[int]
    """Those of the pieces that are joined for the first time."""
    profiles: dict[Span, dict[str, Profile]] = field(default_factory=dict)
    """What labels say, by window and segment."""
    matched: dict[int, int] = field(default_factory=dict)
    """Predictions that found a label, by row of the table."""
    finds: dict[int, int] = field(default_factory=dict)
    """Labels that found a prediction, by row of the table."""


def join_labels(store: Store, terms: JoinTerms, until: int, portion: int = PORTION) -> JoinCounts:
    """Bring all windows that end by `until` (microseconds) up to date with the labels and
    predictions that are kept.

    Younger windows are left for later: their predictions are still coming. Some windows at a time
    are one transaction; new labels count as joined when all their windows are.
    """
    with store.write() as connection:
        gone = models.load_waits_from(connection, terms.model)
        if gone is not None:
            waiting.drop_before(connection, terms.model, PREDICTION, gone)
    with store.read() as connection:
        work = _look(connection, terms, until)
    joined, todo = JoinCounts(), work.affected
    for part in _portions(work.pieces, portion):
        with store.read() as connection:
            _portion(connection, terms, part, work, portion)
        done = [span for span in todo if span < (part[-1].start, part[-1].version)]
        todo = todo[len(done) :]
        joined.windows += _write(store, terms, done, work)
    joined.windows += _write(store, terms, todo, work)
    if work.news or work.finds:
        with store.write() as connection:
            waiting.set_matched(connection, work.finds)
            waiting.mark_joined(connection, [one.id for one in work.news])
    new = [one for one in work.news if not one.is_removed]
    joined.labels = sum(one.rows for one in new)
    joined.matches = sum(work.finds.get(one.id, 0) for one in new)
    return joined


def _look(connection: Connection, terms: JoinTerms, until: int) -> _Work:
    """The windows to deal with, and what there is of them."""
    news = waiting.load_unjoined(connection, terms.labels, LABEL)
    came = [
        one
        for one in waiting.load_unjoined(connection, terms.model, PREDICTION)
        if one.start + terms.length <= until
    ]
    affected = {(one.start, one.version) for one in came}
    for ids in _ids(
        connection,
        news if terms.has_own_times else waiting.of_same_objects(connection, terms.labels, news),
    ):
        for one in waiting.find_rows_with_ids(connection, terms.model, PREDICTION, ids):
            if one.start + terms.length <= until:
                affected.add((one.start, one.version))
    marks: dict[Span, list[int]] = {span: [] for span in affected}
    for one in came:
        marks[one.start, one.version].append(one.id)
    labels = waiting.load_labels(connection, terms.labels)
    # Where there has never been a label, there is nothing to look at.
    starts = sorted({start for start, _ in affected}) if labels or news else []
    pieces = [
        one
        for one in waiting.load_predictions(connection, terms.model, starts)
        if (one.start, one.version) in affected
    ]
    return _Work(
        news,
        labels,
        sorted(affected),
        pieces,
        marks,
        {one.id for one in came if not one.is_removed},
    )


def _ids(connection: Connection, news: Sequence[WaitingRow]) -> Iterator[Hashes]:
    """The ids of some labels, sorted, a few million at a time."""
    for part in _portions(news, 4 * PORTION):
        yield _distinct(
            [hashes for _, hashes, _ in waiting.read_content(connection, [one.id for one in part])]
        )


def _distinct(parts: Sequence[Hashes]) -> Hashes:
    """All ids, sorted, each once."""
    ids = np.sort(np.concatenate(parts))  # np.unique is several times slower here
    mine: Hashes = ids[np.append(True, ids[1:] != ids[:-1])]
    return mine


def _portions(pieces: Sequence[WaitingRow], rows: int) -> Iterator[list[WaitingRow]]:
    part: list[WaitingRow] = []
    held = 0
    for one in pieces:
        part.append(one)
        held += one.rows
        if held >= rows:
            yield part
            part, held = [], 0
    if part:
        yield part


def _portion(
    connection: Connection,
    terms: JoinTerms,
    pieces: Sequence[WaitingRow],
    work: _Work,
    portion: int,
) -> None:
    """Add what labels say of some predictions to the profiles of their windows."""
    spans: dict[Span, list[PredictionRows]] = {}
    owners: list[tuple[int, Hashes]] = []
    for one, hashes, content in waiting.read_content_in_order(connection, pieces, portion):
        rows = unpack_rows(hashes, content, terms.spec.digest)
        if rows is not None:
            spans.setdefault((one.start, one.version), []).append(rows)
            owners.append((one.id, hashes))
    if not spans:
        return
    whole = {span: concatenate(parts) for span, parts in spans.items()}
    truth = NewestLabels(_distinct([rows.hashes for rows in whole.values()]))
    fresh = [hashes for id_, hashes in owners if id_ in work.fresh]
    _resolve(connection, terms, truth, work, fresh, min(whole)[0], portion)
    for span, rows in whole.items():
        at = np.searchsorted(truth.ids, rows.hashes)
        _label(terms, span[0], rows, truth, at, work.profiles.setdefault(span, {}))
    for id_, hashes in owners:
        work.matched[id_] = int(truth.known[np.searchsorted(truth.ids, hashes)].sum())


def _resolve(
    connection: Connection,
    terms: JoinTerms,
    truth: NewestLabels,
    work: _Work,
    fresh: Sequence[Hashes],
    first: int,
    portion: int,
) -> None:
    """Give `truth` all labels that can count for predictions from `first` on, and count those that
    found one.

    Of labels that were joined before, only `fresh` predictions are new finds.
    """
    new = np.isin(truth.ids, np.concatenate(fresh)) if fresh else np.zeros(len(truth.ids), bool)
    unjoined = {one.id for one in work.news}
    numeric = terms.schema.task is Task.REGRESSION
    labels = [one for one in work.labels if one.start >= first - terms.wait]
    changes = {} if terms.has_own_times else waiting.load_modified_times(connection, terms.labels)
    for one, hashes, content in waiting.read_content_in_order(connection, labels, portion):
        given = unpack_labels(hashes, content)
        if (given.names is None) != numeric:
            continue  # read when the task was another one
        places = truth.add(given, changes.get(one.object_id))
        finds = len(places) if one.id in unjoined else int(new[places].sum())
        if finds:
            before = work.finds.get(one.id, 0 if one.id in unjoined else one.matched_rows)
            work.finds[one.id] = min(before + finds, one.rows)


def _label(
    terms: JoinTerms,
    start: int,
    rows: PredictionRows,
    truth: NewestLabels,
    at: Ints,
    found: dict[str, Profile],
) -> None:
    """Add the labelled ones of the rows of one window to its profiles, by segment; `at` are the
    places of their ids.
    """
    events = start + rows.seconds * SECOND
    kept = np.flatnonzero(truth.known[at] & (truth.times[at] >= events - terms.wait))
    if not len(kept):
        return
    at, events = at[kept], events[kept]
    columns = {
        name: _column(column, kept)
        for name, column in rows.columns.items()
        if name not in terms.schema.segments
    }
    assert terms.schema.label is not None
    columns[terms.schema.label.name] = _labels(truth, at)
    delays = np.maximum(truth.firsts[at] - events, 0)
    whole = LabelledRows(
        Batch(len(kept), columns), delays, truth.corrected[at], truth.contradicting[at]
    )
    for segment, part in [("", whole), *_segments(whole, rows, kept, terms.schema.segments)]:
        profile = found.get(segment)
        if profile is None:
            profile = found[segment] = Profile(terms.spec, terms.collectors)
        profile.label(part)


def _labels(truth: NewestLabels, at: Ints) -> pa.Array:
    values = truth.values[at]
    if truth.names:
        return pa.DictionaryArray.from_arrays(
            pa.array(values.astype(np.int32)), pa.array(truth.names, pa.string())
        )
    return pa.array(values.view(np.float64))


def _column(column: Column, kept: Ints) -> pa.Array:
    if isinstance(column, np.ndarray):
        return pa.array(column[kept])
    names, codes = column
    codes = codes[kept]
    indices = pa.array(np.maximum(codes, 0).astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))


def _segments(
    whole: LabelledRows, rows: PredictionRows, kept: Ints, segments: Iterable[str]
) -> Iterator[tuple[str, LabelledRows]]:
    """The labelled rows of each segment; `kept` are their places among `rows`."""
    for name in segments:
        column = rows.columns.get(name)
        if column is None or isinstance(column, np.ndarray):
            continue
        names, codes = column
        codes = codes[kept]
        for code in np.unique(codes[codes >= 0]).tolist():
            yield f"{name}={names[code]}", _take(whole, np.flatnonzero(codes == code))


def _take(whole: LabelledRows, places: Ints) -> LabelledRows:
    columns = {name: array.take(pa.array(places)) for name, array in whole.batch.columns.items()}
    batch = Batch(len(places), columns)
    return LabelledRows(
        batch, whole.delays[places], whole.is_corrected[places], whole.is_contradictory[places]
    )


def _write(store: Store, terms: JoinTerms, done: Sequence[Span], work: _Work) -> int:
    """Commit windows that are complete; returns how many changed."""
    if not done:
        return 0
    changed = 0
    with store.write() as connection:
        for span in done:
            content = {
                segment: profile.to_bytes()
                for segment, profile in work.profiles.pop(span, {}).items()
            }
            changed += windows.relabel(connection, terms.model, *span, content)
            waiting.mark_joined(connection, work.marks[span])
        waiting.set_matched(connection, work.matched)
        work.matched.clear()
    return changed
