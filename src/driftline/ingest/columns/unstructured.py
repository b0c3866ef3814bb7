"""Recognises columns of embeddings, free text or images by their values.

Names, addresses, links and codes are not text: a column must clearly be prose.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from driftline.ingest.columns import texts, vectors
from driftline.kit.decoding.plain_types import is_text_type
from driftline.types.model import Field, Kind

SHARE = 0.95
"""The share of values that must look alike."""
VALUES_CHECKED = 1000
SHORTEST = 8
"""Values that a list must have to be an embedding; a run of columns needs RUN."""
RUN = 16
EMBEDDING_NAME = re.compile(r"(?i)(emb|vec|latent|hidden|repr)")
"""Names of columns that each hold one value of an embedding."""
NUMBERED = re.compile(r"(.*?)(\d+)")
MIN_TEXTS, WORDS, SIGNS = 20, 6, 20
"""Texts that are needed, and the median words of prose, or characters in unspaced scripts."""
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")


def find_embedding_columns(columns: Mapping[str, pa.Array]) -> Iterator[Field]:
    """Embeddings whose values are in numbered columns, such as `emb_0` to `emb_127`."""
    numbers_by_prefix: dict[str, list[str]] = {}
    for name, array in columns.items():
        match = NUMBERED.fullmatch(name)
        if match is not None and pa.types.is_floating(array.type):
            numbers_by_prefix.setdefault(match[1], []).append(match[2])
    for before, numbers in numbers_by_prefix.items():
        if EMBEDDING_NAME.search(before) and len(numbers) >= RUN:
            numbers = sorted(numbers, key=int)
            path = f"{before}{{{numbers[0]}..{numbers[-1]}}}"
            part = Field(before.rstrip("_.- [") or before, path, Kind.EMBEDDING, len(numbers))
            if part.element_paths == tuple(f"{before}{number}" for number in numbers):
                yield part


def vector_size(array: pa.Array) -> int:
    """The dimension of a column of embeddings; 0 for any other column, such as lists of ids."""
    values = array.drop_null().slice(0, VALUES_CHECKED)
    if is_text_type(values.type) and not (len(values) and str(values[0]).lstrip().startswith("[")):
        return 0
    size = vectors.most_frequent_dimension([values])
    if size < SHORTEST:
        return 0
    sizes, numbers = vectors.list_values(values)
    whole = bool((numbers == np.floor(numbers)).all())  # a list of ids, or of yes and no
    return size if (sizes == size).mean() >= SHARE and not whole else 0


def is_prose(array: pa.Array) -> bool:
    """Whether strings are sentences: the median has six words or more, and few occur twice."""
    values = array.drop_null().slice(0, VALUES_CHECKED)
    if (
        not is_text_type(values.type)
        or len(values) < MIN_TEXTS
        or pc.count_distinct(values).as_py() <= len(values) / 2
    ):
        return False
    columns = texts.derive_text_columns(values.cast(pa.string()))
    if median(columns["words"].to_pylist()) >= WORDS:
        return True
    is_unspaced = pc.is_in(columns["script"].cast(pa.string()), pa.array(["han", "kana", "thai"]))
    return (
        bool(np.mean(is_unspaced) >= SHARE) and median(columns["characters"].to_pylist()) >= SIGNS
    )


def is_image(array: pa.Array) -> bool:
    """Whether the values begin as images do, as bytes or in base64."""
    values = array.drop_null().slice(0, MIN_TEXTS).to_pylist()
    heads = [_head(value) for value in values]
    return bool(heads) and sum(head.startswith(MAGIC) for head in heads) >= SHARE * len(heads)


def _head(value: object) -> bytes:
    if isinstance(value, bytes):
        return value[:8]
    text = value.partition("base64,")[2] or value if isinstance(value, str) else ""
    try:
        return base64.b64decode(text[:16], validate=True)
    except (binascii.Error, ValueError):
        return b""
