"""Matches requests with responses by id: the k-th request of an id with its k-th response.

Does not know where the halves are stored. Hashes find candidates; the ids themselves decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from driftline.kit.decoding import json_values
from driftline.kit.decoding.split_records import PAIR, side_of
from driftline.profiles.rowhash import hash_strings
from driftline.types.arrays import Hashes, Ints

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
CACHED_PARTS = 8
"""Unpacked responses that are held in memory at a time."""
LOPSIDED = 8
"""Gathering stops when one side has this many times the rows asked for and the other has none."""


def hash_pair_ids(batch: pa.RecordBatch) -> Hashes:
    """Hashes of the ids of halves, uint64, shape (rows,)."""
    return hash_strings(batch.column(PAIR))


def pack_batches(batches: Sequence[pa.RecordBatch]) -> bytes:
    """Batches of one schema as a zstd-compressed Arrow stream."""
    import pyarrow as pa

    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    with (
        pa.CompressedOutputStream(sink, "zstd") as stream,
        pa.ipc.new_stream(stream, table.schema) as writer,
    ):
        writer.write_table(table)
    return bytes(sink.getvalue())


def unpack_batch(content: bytes) -> pa.RecordBatch:
    """The inverse of `pack_batches`, as one batch."""
    import pyarrow as pa

    with (
        pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream,
        pa.ipc.open_stream(stream) as reader,
    ):
        table = reader.read_all().unify_dictionaries().combine_chunks()
    return table.to_batches()[0]


def drop_pair_column(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A half as a batch like any other: without its id column and its schema metadata."""
    return batch.select(
        [name for name in batch.schema.names if name != PAIR]
    ).replace_schema_metadata(None)


def match_responses(requests: Sequence[Hashes], responses: Sequence[Hashes]) -> list[Ints]:
    """For each request, the place of its response among all responses in sequence; -1 for none.

    Both arguments are parts of id hashes; the result has one array per part of the requests.
    """
    request_ids = np.concatenate([np.empty(0, np.uint64), *requests])
    response_ids = np.concatenate([np.empty(0, np.uint64), *responses])
    response_order, sorted_ids, _ = _rank(response_ids)
    request_order, ids, ranks = _rank(request_ids)
    places = np.full(len(request_ids), -1, np.int64)
    if len(sorted_ids):
        at = np.searchsorted(sorted_ids, ids) + ranks
        matches = (at < len(sorted_ids)) & (sorted_ids[np.minimum(at, len(sorted_ids) - 1)] == ids)
        places[request_order[matches]] = response_order[at[matches]]
    return np.split(places, np.cumsum([len(part) for part in requests])[:-1]) if requests else []


def _rank(ids: Hashes) -> tuple[Ints, Hashes, Ints]:
    """The order by value, the values in that order, and each one's rank among equal values."""
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    positions = np.arange(len(ids))
    is_first = np.append(True, ids[1:] != ids[:-1])[: len(ids)]
    return order, ids, positions - np.maximum.accumulate(np.where(is_first, positions, 0))


def join_responses(
    request: pa.RecordBatch, places: Ints, ends: Ints, response: Callable[[int], pa.RecordBatch]
) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Join some requests with their responses: (rows, whether they are paired).

    `places` come from `match_responses`; `ends` is where each part of the responses ends;
    `response` returns a part. Rows with responses of one part are one batch.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = np.where(places < 0, -1, np.searchsorted(ends, places, side="right"))
    rows_alone = [np.flatnonzero(parts < 0)]
    for part in np.unique(parts[parts >= 0]).tolist():
        rows = np.flatnonzero(parts == part)
        responses = response(part)
        at = pa.array(places[rows] - (ends[part] - len(responses)))
        left, right = request.take(pa.array(rows)), responses.take(at)
        same_id = pc.equal(left.column(PAIR), right.column(PAIR)).fill_null(False)
        if not pc.all(same_id).as_py():
            rows_alone.append(rows[~same_id.to_numpy(zero_copy_only=False)])
            left, right = left.filter(same_id), right.filter(same_id)
        if len(left):
            yield _merge_columns(drop_pair_column(left), drop_pair_column(right)), True
    rows = np.sort(np.concatenate(rows_alone))
    if len(rows):
        yield drop_pair_column(request.take(pa.array(rows))), False


def _merge_columns(left: pa.RecordBatch, right: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of both; of a common column, the value of `left` unless it is null."""
    columns = dict(zip(right.schema.names, right.columns, strict=True))
    for name, array in zip(left.schema.names, left.columns, strict=True):
        fallback = columns.get(name)
        if fallback is None or array.null_count == 0 or fallback.null_count == len(fallback):
            columns[name] = array
        elif array.null_count < len(array):
            pairs = zip(array.to_pylist(), fallback.to_pylist(), strict=True)
            columns[name] = json_values.value_array([b if a is None else a for a, b in pairs])
    names = dict.fromkeys((*left.schema.names, *right.schema.names))
    return json_values.record_batch(list(names), [columns[name] for name in names], len(left))


def pair_batches(
    batches: Iterable[tuple[T, pa.RecordBatch]],
    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None,
    limit: int | None = None,
) -> Iterator[tuple[T, pa.RecordBatch]]:
    """Yield whole records at once, then the rows of all requests; each batch with its origin.

    Halves wait packed in memory. With `limit`, gathering stops at so many rows of each side, or
    LOPSIDED times as many of one. `transform` is applied to rows that were joined from halves.
    """
    halves: dict[str, list[tuple[T, Hashes, bytes]]] = {"request": [], "response": []}
    rows = {"request": 0, "response": 0}
    for origin, batch in batches:
        side = side_of(batch)
        if side is None:
            yield origin, batch
        elif len(batch):
            halves[side].append((origin, hash_pair_ids(batch), pack_batches([batch])))
            rows[side] += len(batch)
            if limit is not None and (
                min(rows.values()) >= limit or max(rows.values()) >= LOPSIDED * limit
            ):
                break
    requests, responses = halves["request"], halves["response"]
    places = match_responses([ids for _, ids, _ in requests], [ids for _, ids, _ in responses])
    ends = np.cumsum([len(ids) for _, ids, _ in responses])

    @lru_cache(CACHED_PARTS)
    def response(part: int) -> pa.RecordBatch:
        return unpack_batch(responses[part][2])

    for (origin, _, content), request_places in zip(requests, places, strict=True):
        for batch, _ in join_responses(unpack_batch(content), request_places, ends, response):
            yield origin, batch if transform is None else transform(batch)
