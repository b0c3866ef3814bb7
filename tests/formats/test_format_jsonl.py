"""JSON Lines: fast where it can be, careful where it must be, and the same rows either way."""

from __future__ import annotations

import io
import json
import math
import time

import pyarrow as pa
import pytest
from driftline_plugins.formats import jsonl
from driftline_plugins.formats.jsonl import JsonLines
from format_decoding import Trickle, category, number, other, read
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import Unreadable
from driftline.ingest.read.decoding import Decoding


def values(data: bytes, *fields, **how):
    rows, ctx = read(JsonLines(), data, *fields, **how)
    return [tuple(row.values()) for row in rows], ctx


def test_nested_fields_are_found_by_path():
    """`a.b[1].c` leads through objects and lists; what isn't there is null."""
    data = b'{"a":{"b":[{"c":1},{"c":2}],"d":"x"}}\n{"a":{"b":[{"c":3}]}}\n{"a":null}\n{}\n'
    rows, ctx = values(data, number("a.b[1].c"), category("a.d"))
    assert rows == [(2.0, "x"), (None, None), (None, None), (None, None)]
    assert ctx.rejected == 0


def test_a_key_spelt_like_the_path_wins():
    """Flat records may have dots in their names."""
    assert values(b'{"a.b":1,"a":{"b":2}}\n', number("a.b"))[0] == [(1.0,)]
    assert values(b'{"a":{"b":2}}\n{"a.b":3}\n', number("a.b"))[0] == [(2.0,), (3.0,)]


def test_columns_are_narrow_and_categories_are_dictionaries():
    """Numbers are float64, categories dictionary-encoded, whole ids int64."""
    [batch] = JsonLines().decode(
        io.BytesIO(b'{"n":1,"c":"x","id":9007199254740993}\n'),
        Decoding(uri="u", fields=(number("n"), category("c"), other("id"))),
    )
    assert batch.schema.types == [pa.float64(), pa.dictionary(pa.int32(), pa.string()), pa.int64()]
    assert batch["id"].to_pylist() == [9007199254740993]


def test_bad_lines_cost_only_themselves():
    """Each unreadable line is rejected with its ordinal and reason; the rest are rows."""
    data = b'{"a":1}\nnot json\n[1]\n7\n{"a":2}\n{"a":\n\xff\xfe{\n{"a":3}\n'
    rows, ctx = values(data, number("a"))
    assert rows == [(1.0,), (2.0,), (3.0,)]
    assert ctx.rejected == 5
    assert [(place, why.split(":")[0]) for place, why, _ in ctx.samples] == [
        (1, "not JSON"), (2, "not an object"), (3, "not an object"), (5, "not JSON"), (6, "not UTF-8"),
    ]  # fmt: skip
    assert ctx.samples[0][2] == b"not json"


def test_values_of_mixed_types_are_all_kept():
    """A column that changes its type keeps every value, as text where need be."""
    rows, ctx = values(
        b'{"a":1,"b":"x"}\n{"a":"2","b":3.5}\n{"a":true,"b":{"k":[1]}}\n',
        number("a"),
        category("b"),
    )
    assert rows == [(1.0, "x"), ("2", 3.5), (True, '{"k":[1]}')]
    assert ctx.rejected == 0


def test_types_learned_from_the_first_lines_lose_nothing_later():
    """A type that appears first after hundreds of records is read too."""
    data = (
        b"".join(b'{"a":%d,"b":null}\n' % i for i in range(500))
        + b'{"a":"late","b":1}\n{"a":1.5,"b":"s"}\n'
    )
    rows, ctx = values(data, category("a"), other("b"))
    assert len(rows) == 502
    assert [str(a) for a, _ in rows][-2:] == ["late", "1.5"]
    assert [str(b) for _, b in rows][-2:] == ["1", "s"]
    assert ctx.rejected == 0


def test_not_a_number_and_infinity_are_read():
    """The literals that Python writes are numbers here."""
    rows, _ = values(b'{"a":NaN}\n{"a":Infinity}\n{"a":-Infinity}\n{"a":1e400}\n', number("a"))
    assert math.isnan(rows[0][0])
    assert [row[0] for row in rows[1:]] == [math.inf, -math.inf, math.inf]


def test_integers_beyond_every_type_are_kept_as_text():
    """An id of thirty digits keeps all of them."""
    assert values(b'{"a":123456789012345678901234567890}\n', other("a"))[0] == [
        ("123456789012345678901234567890",)
    ]


def test_a_depth_bomb_is_one_reject():
    """A hundred thousand brackets neither crash nor stop the file."""
    for field in (number("a"), other("x")):
        data = b'{"a":1}\n{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"a":2}\n{"a":3}\n'
        rows, ctx = values(data, field)
        assert len(rows) + ctx.rejected == 3
    assert [why for _, why, _ in ctx.samples] == ["nested too deeply"]


def test_byte_order_mark_line_ends_and_blank_lines():
    """A byte order mark, CRLF and blank lines are neither records nor rejects."""
    data = b'\xef\xbb\xbf{"a":1}\r\n\r\n   \n{"a":2}\r\n\n'
    rows, ctx = values(data, number("a"))
    assert rows == [(1.0,), (2.0,)]
    assert (ctx.rejected, ctx.offset) == (0, len(data))


def test_utf16_is_named():
    """A file in UTF-16 is read by its mark; where it is torn, the reason says so."""
    assert values('{"a":1}\n'.encode("utf-16"), number("a"))[0] == [(1.0,)]
    with pytest.raises(Unreadable, match="utf-16"):
        values(b"\xff\xfe\x00\xd8\x41\x00", number("a"))


def test_objects_without_newline_between():
    """Firehose puts objects end to end: each is a record, also those with `}{` in a string."""
    rows, ctx = values(b'{"a":"x"}{"a":"y}{z"}{"a":{"b":1}}\n{"a":"w"}', category("a"))
    assert [row[0] for row in rows] == ["x", "y}{z", '{"b":1}', "w"]
    plain = b"".join(b'{"a":%d}' % i for i in range(5000))
    rows, _ = values(plain, number("a"))
    assert [row[0] for row in rows] == list(range(5000))
    assert ctx.rejected == 0


def test_objects_without_newline_beyond_the_cap(monkeypatch):
    """End-to-end objects are read however long the line is."""
    plain = b"".join(b'{"a":%d}' % i for i in range(5000))
    monkeypatch.setattr(jsonl, "LineChunks", lambda *a, **k: _SMALL(*a, **k, size=512, cap=1024))
    rows, ctx = values(plain, number("a"))
    assert [row[0] for row in rows] == list(range(5000))
    assert ctx.rejected == 0


_SMALL = jsonl.LineChunks


def test_an_endless_line_is_one_reject(monkeypatch):
    """A line beyond the cap is rejected without being held; its neighbours are rows."""
    monkeypatch.setattr(jsonl, "LineChunks", lambda *a, **k: _SMALL(*a, **k, size=512, cap=1024))
    data = b'{"a":1}\n{"a":"' + b"x" * 5000 + b'"}\n{"a":2}\n'
    rows, ctx = values(data, number("a"))
    assert rows == [(1.0,), (2.0,)]
    assert (ctx.rejected, ctx.offset) == (1, len(data))
    assert ctx.samples[0][:2] == (1, "line longer than 16 MiB")


@pytest.mark.parametrize(("end", "is_complete", "count", "rejected", "offset"), [
    (b'{"a":2}', True, 2, 0, 15),
    (b'{"a":', True, 1, 1, 13),
    (b'{"a":2}', False, 1, 0, 8),
    (b'{"a":', False, 1, 0, 8),
    (b'{"a":2}\n', False, 2, 0, 16),
])  # fmt: skip
def test_the_last_line_without_its_end(end, is_complete, count, rejected, offset):
    """A torn end waits while the object may grow, and is judged once it can't."""
    rows, ctx = values(b'{"a":1}\n' + end, number("a"), is_complete=is_complete)
    assert (len(rows), ctx.rejected, ctx.offset) == (count, rejected, offset)


def test_without_fields_everything_is_read():
    """Asked for nothing in particular, nested names are joined by dots and lists are JSON text."""
    rows, _ = read(JsonLines(), b'{"a":{"b":1,"c":{}},"l":[1,{"x":2}]}\n{"z":"new"}\n')
    assert rows[0] == {"a.b": 1, "a.c": "{}", "l": '[1,{"x":2}]', "z": None}
    assert rows[1]["z"] == "new"


def test_rows_are_counted_without_a_column():
    """A model that needs no column still counts its rows."""
    ctx = Decoding(uri="u", fields=(), is_complete=True)
    assert [batch.num_rows for batch in JsonLines().decode(io.BytesIO(b'{"a":1}\n{}\n'), ctx)] == [
        2
    ]


def test_an_object_in_place_of_a_value_is_text():
    """Where a value is an object or a list it is given as JSON."""
    assert values(b'{"a":{"b":1}}\n{"a":[1,2]}\n', category("a"))[0] == [('{"b":1}',), ("[1,2]",)]


def test_a_record_over_several_lines_below_whole_ones_is_no_record():
    """In JSON lines only whole lines count: an object over several lines below them is rejected
    line by line, however the parser would take it. A file that starts with one is read whole.
    """
    rows, ctx = values(b'{"a":2}\n{"a":\n1}\n', number("a"))
    assert (rows, ctx.rejected) == ([(2.0,)], 2)
    rows, ctx = values(b'{"a":\n1}\n{"a":2}\n', number("a"))
    assert (rows, ctx.rejected) == ([(1.0,), (2.0,)], 0)


def test_lone_surrogates_do_not_stop_the_line():
    """A half of a character is replaced, the record stays."""
    assert values(b'{"a":"x\\ud800y"}\n', category("a"))[0] == [("x\ufffdy",)]


def test_offsets_cover_what_was_given():
    """After each batch the offset reaches exactly to the end of that batch's lines."""
    lines = [b'{"a":%d}\n' % i for i in range(3000)]
    lines[1234] = b"bad\n"
    data = b"".join(lines)
    ctx = Decoding(uri="u", fields=(number("a"),), is_complete=True)
    seen = 0
    for batch in JsonLines().decode(io.BytesIO(data), ctx):
        seen += batch.num_rows
        good = data[: ctx.offset].count(b"\n") - (ctx.offset > data.index(b"bad"))
        assert seen == good
    assert ctx.offset == len(data)


scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
)
record = st.fixed_dictionaries(
    {},
    optional={
        "a": scalar,
        "b": st.floats(allow_nan=False, allow_infinity=False),
        "c": st.text(max_size=5),
        "d": st.integers(-9, 9),
    },
)


def plain(value):
    """A value as the host would see it: bools, numbers and text are told apart by what they say."""
    if value is None or isinstance(value, str):
        return value
    return (
        json.dumps(value)
        if isinstance(value, bool) or (isinstance(value, int) and abs(value) > 2**53)
        else float(value)
    )


def same(given, expected) -> bool:
    if given is None or expected is None:
        return given is expected
    left, right = plain(given), plain(expected)
    if isinstance(left, str) and not isinstance(right, str):
        return left == json.dumps(expected)
    return left == right or (isinstance(right, str) and left == float(right))


@settings(max_examples=60, deadline=None)
@given(st.lists(record, max_size=40), st.booleans())
def test_records_come_back(entries, ascii_only):
    """Whatever is written as JSON Lines is read again, value by value."""
    data = "".join(json.dumps(entry, ensure_ascii=ascii_only) + "\n" for entry in entries).encode(
        "utf-8", "surrogatepass"
    )
    rows, ctx = read(JsonLines(), data, other("a"), number("b"), category("c"), other("d"))
    assert ctx.rejected == 0
    assert len(rows) == len(entries)
    for row, entry in zip(rows, entries, strict=True):
        assert all(same(row[name], entry.get(name)) for name in "abcd"), (row, entry)


GLUED = b'{"a":2}{"a":3}\n'


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_growing_file_gives_the_rows_of_the_whole(data):
    """However a file grows, reading on from the offset gives each row and reject once."""
    lines = data.draw(
        st.lists(
            st.sampled_from(
                [
                    b'{"a":1}\n',
                    b'{"a":"x"}\n',
                    b"bad\n",
                    b"\n",
                    GLUED,
                    b'{"b":1}\r\n',
                    '{"a":"ü"}\n'.encode(),
                    b"{}\n",
                ]
            ),
            max_size=12,
        )
    )
    whole = b"".join(lines)
    expected, total = values(whole, category("a"), is_complete=True)
    at, rows, rejected = 0, [], 0
    for cut in [*sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5))), len(whole)]:
        part, ctx = values(
            Trickle(whole[at:cut]), category("a"), start=at, is_complete=cut == len(whole)
        )
        # What is read from the start replaces what was read before.
        rows, rejected = (rows + part, rejected + ctx.rejected) if at else (part, ctx.rejected)
        at += ctx.offset or 0
    assert [str(row[0]) for row in rows] == [str(row[0]) for row in expected]
    assert (rejected, at) == (total.rejected, total.offset or 0)
    assert at == (0 if lines[:1] == [GLUED] else len(whole))


@pytest.mark.parametrize("null", [b"null\n", b" \t null\n", b"\nnull\n", b"null\nnull\n"])
@pytest.mark.parametrize("before", [b"", b'{"a":1}\n' * 300])
def test_a_bare_null_is_no_object(null, before):
    """It is a reject wherever it stands: the bulk parser would take it for a row of nulls, or die
    of it.
    """
    found, ctx = read(JsonLines(), before + null + b'{"a":2}\n', number("a"))
    assert [row["a"] for row in found] == [1.0] * (300 if before else 0) + [2.0]
    assert ctx.rejected == null.count(b"null")
    assert {reason for _, reason, _ in ctx.samples} == {"not an object: null"}


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"  \n", b"\t\r\n"])
def test_blank_lines_take_linear_time(blank):
    """A megabyte of them is read in a moment, before, between and after records."""
    data = (blank * (1_000_000 // len(blank))).join([b"", b'{"a":1}\n', b'{"a":2}\n', b"x\n", b""])
    start = time.process_time()
    rows, ctx = values(data, number("a"))
    assert (rows, ctx.rejected) == ([(1.0,), (2.0,)], 1)
    assert time.process_time() - start < 20


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":7}{"a":8}',
        b'{"a":7} {"a":8}',
        b'{"a":7}x',
        b'{"a":7}}',
        b'{"a":7},',
        b'{"a":7} null',
        b'{"a":7}{"a":',
        b'{"a":{"b":7}{"a":8}',
    ],
)
@pytest.mark.parametrize("around", [b"", b"\n\n"])
def test_a_malformed_line_is_one_reject_and_no_row(line, around):
    """Also where it starts as a record, and in a chunk with blank lines."""
    for many in (1, 300):
        good = b'{"a":1}\n' * many
        rows, ctx = values(good + around + line + b"\n" + around + good, number("a"))
        assert (rows, ctx.rejected) == ([(1.0,)] * 2 * many, 1)
        rows, ctx = values(good + line + b"\n" + good)
        assert (len(rows), ctx.rejected) == (2 * many, 1)


@pytest.mark.parametrize("fields", [(), (number("a"),)])
def test_the_last_value_of_a_repeated_key_counts(fields):
    """With and without known columns, in the first record and in nested ones."""
    rows, ctx = read(JsonLines(), b'{"a": 1, "a": 2}\n{"a": 3}\n', *fields)
    assert [row["a"] for row in rows] == [2, 3]
    assert ctx.rejected == 0
    if not fields:
        rows, _ = read(JsonLines(), b'{"b": {"c": 1, "c": 2}}\n')
        assert rows == [{"b.c": 2}]
