"""Requests and responses to rows, by id: the k-th request of an id belongs to its k-th response.

Refuses to know where the halves are kept: each is asked for when it is needed. Hashes find
candidates; the ids decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from driftline.kit.decoding import json_values
from driftline.kit.decoding.split_records import PAIR, side_of
from driftline.profiles.rowhash import Hashes, hash_strings

T = TypeVar("T")
Places = NDArray[np.int64]
CACHED_PARTS = 8
"""Unpacked responses that are held at a time."""
LOPSIDED = 8
"""So many times the rows of one side wanted are gathered while the other side has not come."""


def hash_pair_ids(batch: pa.RecordBatch) -> Hashes:
    """Of the ids of halves; shape (rows,)."""
    return hash_strings(batch.column(PAIR))


def pack_batches(batches: Sequence[pa.RecordBatch]) -> bytes:
    """Batches of one schema as compressed bytes."""
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    with (
        pa.CompressedOutputStream(sink, "zstd") as packed,
        pa.ipc.new_stream(packed, table.schema) as writer,
    ):
        writer.write_table(table)
    return bytes(sink.getvalue())


def unpack_batch(content: bytes) -> pa.RecordBatch:
    """The inverse of `pack`, as one batch."""
    with (
        pa.CompressedInputStream(pa.BufferReader(content), "zstd") as packed,
        pa.ipc.open_stream(packed) as reader,
    ):
        table = reader.read_all().unify_dictionaries().combine_chunks()
    return table.to_batches()[0]


def drop_pair_column(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A half as a batch like any other: without its ids and its mark."""
    return batch.select(
        [name for name in batch.schema.names if name != PAIR]
    ).replace_schema_metadata(None)


def match_responses(requests: Sequence[Hashes], responses: Sequence[Hashes]) -> list[Places]:
    """For each row of each part of the requests, the place of its response among all of them one
    after another; -1: none.
    """
    asked = np.concatenate([np.empty(0, np.uint64), *requests])
    given = np.concatenate([np.empty(0, np.uint64), *responses])
    order, ids, _ = _ranked(given)
    mine, wanted, turn = _ranked(asked)
    places = np.full(len(asked), -1, np.int64)
    if len(ids):
        at = np.searchsorted(ids, wanted) + turn
        found = (at < len(ids)) & (ids[np.minimum(at, len(ids) - 1)] == wanted)
        places[mine[found]] = order[at[found]]
    return np.split(places, np.cumsum([len(part) for part in requests])[:-1]) if requests else []


def _ranked(ids: Hashes) -> tuple[Places, Hashes, Places]:
    """Their order by value, the values so ordered, and how many equal ones stand before each."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    counted = np.arange(len(ids))
    first = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
    return order, ids, counted - np.maximum.accumulate(np.where(first, counted, 0))


def join_responses(
    request: pa.RecordBatch, places: Places, ends: Places, response: Callable[[int], pa.RecordBatch]
) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """The rows of some requests: (rows, whether they are paired), those with responses of one part
    in one batch.

    `places` are those of `match_responses`, `ends` where each part of the responses ends among them,
    `response` gives a part.
    """
    parts = np.where(places < 0, -1, np.searchsorted(ends, places, side="right"))
    alone = [np.flatnonzero(parts < 0)]
    for part in np.unique(parts[parts >= 0]).tolist():
        rows = np.flatnonzero(parts == part)
        other = response(part)
        at = pa.array(places[rows] - (ends[part] - len(other)))
        mine, theirs = request.take(pa.array(rows)), other.take(at)
        same = pc.equal(mine.column(PAIR), theirs.column(PAIR)).fill_null(False)
        if not pc.all(same).as_py():
            alone.append(rows[~same.to_numpy(zero_copy_only=False)])
            mine, theirs = mine.filter(same), theirs.filter(same)
        if len(mine):
            yield _coalesced(drop_pair_column(mine), drop_pair_column(theirs)), True
    rows = np.sort(np.concatenate(alone))
    if len(rows):
        yield drop_pair_column(request.take(pa.array(rows))), False


def _coalesced(mine: pa.RecordBatch, theirs: pa.RecordBatch) -> pa.RecordBatch:
    """Each column is `mine` unless it is null there."""
    columns = dict(zip(theirs.schema.names, theirs.columns, strict=True))
    for name, own in zip(mine.schema.names, mine.columns, strict=True):
        other = columns.get(name)
        if other is None or own.null_count == 0 or other.null_count == len(other):
            columns[name] = own
        elif own.null_count < len(own):
            pairs = zip(own.to_pylist(), other.to_pylist(), strict=True)
            columns[name] = json_values.value_array([b if a is None else a for a, b in pairs])
    names = dict.fromkeys((*mine.schema.names, *theirs.schema.names))
    return json_values.record_batch(list(names), [columns[name] for name in names], len(mine))


def pair_batches(
    batches: Iterable[tuple[T, pa.RecordBatch]],
    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
    most: int | None = None,
) -> Iterator[tuple[T, pa.RecordBatch]]:
    """Whole records as they come, then the rows of all requests among `batches`, each batch with
    what it came with.

    Halves wait packed. With `most` no more are gathered once there are so many of each side, or far
    more of one. `transform` is applied to what was made of halves.
    """
    gathered: dict[str, list[tuple[T, Hashes, bytes]]] = {"request": [], "response": []}
    rows = {"request": 0, "response": 0}
    for origin, batch in batches:
        side = side_of(batch)
        if side is None:
            yield origin, batch
        elif len(batch):
            gathered[side].append((origin, hash_pair_ids(batch), pack_batches([batch])))
            rows[side] += len(batch)
            if most is not None and (
                min(rows.values()) >= most or max(rows.values()) >= LOPSIDED * most
            ):
                break
    requests, responses = gathered["request"], gathered["response"]
    places = match_responses([ids for _, ids, _ in requests], [ids for _, ids, _ in responses])
    ends = np.cumsum([len(ids) for _, ids, _ in responses])

    @lru_cache(CACHED_PARTS)
    def response(part: int) -> pa.RecordBatch:
        return unpack_batch(responses[part][2])

    for (origin, _, content), mine in zip(requests, places, strict=True):
        for batch, _ in join_responses(unpack_batch(content), mine, ends, response):
            yield origin, batch if transform is None else transform(batch)
