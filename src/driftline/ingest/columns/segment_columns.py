"""Makes the columns of segments that are declared by bands, combined columns or a condition."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.profiles.batch import Batch
from driftline.profiles.language import parse
from driftline.profiles.rowwise import ExpressionRows
from driftline.types.model import Schema
from driftline.types.segment_rule import SegmentRule, band_names


def add_segment_columns(batch: Batch, schema: Schema) -> None:
    """Add the columns of `schema.segment_rules` to a batch: categories, shape (rows,).

    A row is in no segment where a value is missing that decides. Raises UnsuitableColumns.
    """
    for name, rule in schema.segment_rules.items():
        batch.columns[name] = _segments(rule, batch, schema)


def _segments(rule: SegmentRule, batch: Batch, schema: Schema) -> pa.DictionaryArray:
    if rule.where:
        rows = ExpressionRows(batch, schema.profile_columns, ())
        return _dictionary(rows.evaluate(parse(rule.where)).cast(pa.int32()), ["no", "yes"])
    if not batch.columns.keys() >= set(rule.columns):
        return _dictionary(pa.nulls(batch.rows, pa.int32()), [])
    arrays = [batch.columns[column] for column in rule.columns]
    if rule.bands:
        values = arrays[0].to_numpy(zero_copy_only=False)
        codes = np.searchsorted(np.asarray(rule.bands), values, side="right").astype(np.int32)
        return _dictionary(pa.array(codes, mask=np.isnan(values)), band_names(rule.bands))
    texts = [array.cast(pa.string()) for array in arrays]
    combined = pc.binary_join_element_wise(*texts, ", ").dictionary_encode()
    return _dictionary(combined.indices, combined.dictionary.to_pylist())


def _dictionary(codes: pa.Array, names: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string()))
