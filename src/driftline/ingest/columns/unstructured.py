"""What a column looks like that holds neither numbers nor categories: an embedding, free text,
images.

Refuses to take names, addresses, links or codes for text: a column that is not clearly prose is
nobody's text.
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
from driftline.types.model import Field, Kind

SHARE = 0.95
"""Of the values that must look alike."""
LOOKED_AT = 1000
SHORTEST = 8
"""Values of a list that may be an embedding; of columns, which may be anything, RUN."""
RUN = 16
CALLED = re.compile(r"(?i)(emb|vec|latent|hidden|repr)")
"""How columns are called that hold a value of an embedding each."""
NUMBERED = re.compile(r"(.*?)(\d+)")
FEW, WORDS, SIGNS = 20, 6, 20
"""Texts to tell by, and what half of them must have: words, or signs where there are no spaces
between words.
"""
MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")


def find_embedding_columns(columns: Mapping[str, pa.Array]) -> Iterator[Field]:
    """Embeddings whose values stand in columns of their own, by the names of these."""
    numbered: dict[str, list[str]] = {}
    for name, array in columns.items():
        found = NUMBERED.fullmatch(name)
        if found is not None and pa.types.is_floating(array.type):
            numbered.setdefault(found[1], []).append(found[2])
    for before, numbers in numbered.items():
        if CALLED.search(before) and len(numbers) >= RUN:
            ordered = sorted(numbers, key=int)
            path = f"{before}{{{ordered[0]}..{ordered[-1]}}}"
            part = Field(before.rstrip("_.- [") or before, path, Kind.EMBEDDING, len(numbers))
            if part.run == tuple(f"{before}{number}" for number in ordered):
                yield part


def vector_size(array: pa.Array) -> int:
    """The dimension of a column of embeddings; 0 for any other column, such as one of lists of
    ids.
    """
    some = array.drop_null().slice(0, LOOKED_AT)
    if _is_text(some) and not (len(some) and str(some[0]).lstrip().startswith("[")):
        return 0
    size = vectors.most_frequent_dimension([some])
    if size < SHORTEST:
        return 0
    sizes, values = vectors.list_values(some)
    whole = bool((values == np.floor(values)).all())  # a list of ids, or of yes and no
    return size if (sizes == size).mean() >= SHARE and not whole else 0


def is_prose(array: pa.Array) -> bool:
    """Whether a column of strings holds sentences: half of them of six words at least, and few of
    them twice.
    """
    some = array.drop_null().slice(0, LOOKED_AT)
    if not _is_text(some) or len(some) < FEW or pc.count_distinct(some).as_py() <= len(some) / 2:
        return False
    found = texts.derive_text_columns(some.cast(pa.string()))
    if median(found["words"].to_pylist()) >= WORDS:
        return True
    unspaced = pc.is_in(found["script"].cast(pa.string()), pa.array(["han", "kana", "thai"]))
    return bool(np.mean(unspaced) >= SHARE) and median(found["characters"].to_pylist()) >= SIGNS


def is_image(array: pa.Array) -> bool:
    """Whether a column holds the beginnings of images, as bytes or in base64."""
    some = array.drop_null().slice(0, FEW).to_pylist()
    heads = [_head(value) for value in some]
    return bool(heads) and sum(head.startswith(MAGIC) for head in heads) >= SHARE * len(heads)


def _head(value: object) -> bytes:
    if isinstance(value, bytes):
        return value[:8]
    text = value.partition("base64,")[2] or value if isinstance(value, str) else ""
    try:
        return base64.b64decode(text[:16], validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_text(array: pa.Array) -> bool:
    return bool(pa.types.is_string(array.type) or pa.types.is_large_string(array.type))
