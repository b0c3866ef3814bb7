"""The contract of formats: bytes that are no records end in rejected records or Unreadable."""

from __future__ import annotations

import io
from typing import Any

from driftline.contracts.format import Format
from driftline.ingest.read.decoding import Decoding
from driftline.kit.decoding.split_records import PAIR
from driftline.types.errors import Unreadable
from driftline.types.model import Field, Kind

FIELDS = (
    Field("age", "age", Kind.NUMERIC),
    Field("plan", "customer.plan", Kind.CATEGORICAL),
    Field("at", "at"),
)
PIECES: dict[str, bytes] = {
    "nothing": b"",
    "one newline": b"\n",
    "zeros": b"\0" * 300,
    "noise": bytes((place * 197 + place // 7) % 256 for place in range(3000)),
    "text": b"hello, world\nand more\n",
    "half an object": b'{"age": 3',
    "an array": b"[1, 2, 3]\n",
    "a bare number": b"42\n",
    "broken UTF-8": b'{"age": "\xff\xfe"}\n',
    "a byte order mark": b"\xef\xbb\xbf",
    "deep nesting": b"[" * 5000 + b"]" * 5000 + b"\n",
    "a magic number": b"PAR1" + b"\0" * 20 + b"PAR1",
}


def assert_format(form: Format) -> None:
    """Assert the contract of formats on bytes that are no records.

    Each is decoded with and without fields, as a whole object and as one that still grows.
    """
    for story, data in PIECES.items():
        for fields in (None, FIELDS):
            for is_complete in (True, False):
                name = (
                    f"{story}{'' if fields else ', all fields'}{'' if is_complete else ', growing'}"
                )
                _assert_survives(form, name, data, fields, is_complete)


def _assert_survives(form: Format, story: str, data: bytes, fields: Any, is_complete: bool) -> None:
    import pyarrow as pa

    ctx = Decoding(uri="memory:///data", fields=fields, is_complete=is_complete)
    try:
        for batch in form.decode(io.BytesIO(data), ctx):
            assert isinstance(batch, pa.RecordBatch), (
                f"{form.type}: on {story} it gives {type(batch).__name__}, no RecordBatch"
            )
            if fields:
                names = {field.name for field in fields}
                unexpected_columns = set(batch.schema.names) - {PAIR} - names
                assert not unexpected_columns, (
                    f"{form.type}: on {story} it gives columns that nobody asked for: "
                    f"{sorted(unexpected_columns)}"
                )
    except Unreadable as error:
        if not str(error):
            raise AssertionError(
                f"{form.type}: on {story} it raises Unreadable without a reason"
            ) from error
    except AssertionError:
        raise
    except Exception as error:
        raise AssertionError(f"{form.type}: on {story}: {type(error).__name__}: {error}") from error
    if ctx.offset is not None:
        assert ctx.offset <= len(data), f"{form.type}: on {story} it consumed more than there is"
