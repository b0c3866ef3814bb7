"""CSV: every record counts once, whatever stands in it."""

from __future__ import annotations

import csv
import io
import math

import pytest
from driftline_plugins.formats import csv as plugin
from driftline_plugins.formats.csv import Csv
from format_decoding import Trickle, category, number, other, read
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from driftline import Unreadable


def values(data: bytes, *fields, form=None, **how):
    rows, ctx = read(form or Csv(), data, *fields, **how)
    return [tuple(row.values()) for row in rows], ctx


def test_columns_by_header_name():
    """Wanted columns come by name, in the order asked for; one that the file lacks is null; dots
    are part of a name.
    """
    rows, _ = values(b"a,b.c,d\n1,x,2\n3,y,4\n", category("b.c"), number("a"), number("nope"))
    assert rows == [("x", 1.0, None), ("y", 3.0, None)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter):
    """Comma, semicolon, tab and bar are told apart by the first line."""
    data = f'"a,;x"{delimiter}b{delimiter}c\n1{delimiter}2{delimiter}3\n'.encode()
    assert values(data, number("c"))[0] == [(3.0,)]


def test_a_row_of_another_width_is_rejected_with_both_numbers():
    """The reject has the place, the values found and those expected; other rows stay."""
    rows, ctx = values(b"a,b\n1,2\n3\n4,5,6\n7,8\n", number("a"))
    assert rows == [(1.0,), (7.0,)]
    assert [sample[:2] for sample in ctx.samples] == [
        (1, "1 values where 2 are expected"),
        (2, "3 values where 2 are expected"),
    ]


def test_line_ends_inside_quotes():
    """A line end inside quotes belongs to the value; doubled quotes are one."""
    rows, ctx = values(b'a,b\n"x\ny ""z""",1\n"w\r\n",2\n', category("a"), number("b"))
    assert rows == [('x\ny "z"', 1.0), ("w\r\n", 2.0)]
    assert ctx.rejected == 0


def test_values_that_are_no_numbers_stay_text():
    """One word in a numeric column costs no row: the host counts what doesn't fit."""
    rows, ctx = values(b"a,b\n1,1\nabc,2\n,3\n", number("a"), number("b"))
    assert [a for a, _ in rows] == ["1", "abc", None]
    assert [b for _, b in rows] == [1.0, 2.0, 3.0]
    assert ctx.rejected == 0


def test_nulls_and_numbers_that_are_none():
    """Empty and `null` are null, NaN and Infinity are numbers, and `nulls` says what else is
    null.
    """
    rows, _ = values(b"a,b\n,\nnull,null\nNaN,NA\nInfinity,x\n", number("a"), category("b"))
    assert rows[:2] == [(None, None), (None, None)]
    assert math.isnan(rows[2][0])
    assert rows[2][1] == "NA"
    assert rows[3] == (math.inf, "x")
    assert values(b"b\nNA\n", category("b"), form=Csv(nulls=("NA",)))[0] == [(None,)]


def test_categories_keep_their_spelling():
    """`007` and `1.0` stay as they are written where a category is wanted."""
    assert values(b"a\n007\n1.0\ntrue\n", category("a"))[0] == [("007",), ("1.0",), ("true",)]


def test_encodings():
    """Other encodings by option, a byte order mark by itself, and a wrong one is told record by
    record.
    """
    text = "näme,b\nä,1\nö,2\n"
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        rows, _ = values(
            text.encode(encoding), category("näme"), number("b"), form=Csv(encoding=encoding)
        )
        assert rows == [("ä", 1.0), ("ö", 2.0)]
    assert values(b"\xef\xbb\xbfa\n1\n", number("a"))[0] == [(1.0,)]
    rows, ctx = values(b"a,b\n\xe4,1\nx,2\n", category("a"), number("b"))
    assert rows == [("x", 2.0)]
    assert "not UTF-8" in ctx.samples[0][1]
    with pytest.raises(Unreadable, match="encoding"):
        values(b"a\n\xff\xff\xff\n", number("a"), form=Csv(encoding="utf-16"))


def test_files_without_header():
    """Names come from the configuration, or are `_c0`, `_c1`; such files can be read on from an
    offset.
    """
    rows, ctx = values(b"1,x\n2,y\n", number("n"), form=Csv(names=("n", "s")))
    assert (rows, ctx.offset) == ([(1.0,), (2.0,)], 8)
    assert read(Csv(header=False), b"1,x\n")[0] == [{"_c0": 1, "_c1": "x"}]


def test_a_file_with_header_is_read_as_a_whole():
    """The end of such a file means nothing without its first line, so no offset is given."""
    assert values(b"a\n1\n", number("a"))[1].offset is None


def test_odd_headers():
    """Names that stand twice or are empty get a name of their own; spaces around them don't
    count.
    """
    assert read(Csv(), b"a, a,,b\n1,2,3,4\n")[0] == [{"a": 1, "a.1": 2, "_c2": 3, "b": 4}]


def test_empty_files_and_blank_lines():
    """Nothing, a header alone and blank lines are no rows and no rejects."""
    for data in (b"", b"\n\n", b"a,b\n", b"a,b"):
        rows, ctx = values(data, number("a"))
        assert (rows, ctx.rejected) == ([], 0)
    assert values(b"\na,b\n1,2\n\n3,4\n", number("a"))[0] == [(1.0,), (3.0,)]
    rows, ctx = values(b"a,b\n1,2\n  \n3,4\r\n \r\n5,6\n   ", number("a"))
    assert (rows, ctx.rejected) == ([(1.0,), (3.0,), (5.0,)], 0)


def test_the_last_line_without_its_end():
    """It waits while the file may grow, and counts once it can't."""
    form = Csv(names=("a", "b"))
    assert values(b'1,2\n3,"x', number("a"), form=form, is_complete=False)[0] == [(1.0,)]
    rows, ctx = values(b"1,2\n3,4", number("a"), form=form, is_complete=True)
    assert (rows, ctx.offset) == ([(1.0,), (3.0,)], 7)


def test_a_quote_that_is_never_closed_costs_its_line(monkeypatch):
    """The file is not swallowed: the line that opens the quote is rejected, the rest are rows."""
    monkeypatch.setattr(plugin, "SIZE", 512)
    monkeypatch.setattr(plugin, "CAP", 1024)
    data = b'a,b\n1,2\n"oops,3\n' + b"4,5\n" * 2000
    rows, ctx = values(data, number("a"))
    assert len(rows) + ctx.rejected == 2002
    assert len(rows) == 2001
    assert "never closed" in ctx.samples[0][1]


def test_a_torn_end_inside_quotes_is_one_reject():
    """A quote that the end of the file leaves open costs its line, and not those before or after
    it.
    """
    rows, ctx = values(b'a,b\n1,2\n3,"x', number("a"))
    assert (rows, ctx.rejected) == ([(1.0,)], 1)
    rows, ctx = values(b'a,b\n1,2\n3,"x\n4,5\n6,7\n', number("a"))
    assert (rows, ctx.rejected) == ([(1.0,), (4.0,), (6.0,)], 1)


def test_quotes_inside_unquoted_values(monkeypatch):
    """A stray quote, as in 5\" pipe, means nothing and does not join lines."""
    monkeypatch.setattr(plugin, "SIZE", 256)
    data = b"a,b\n" + b'5" pipe,1\nx,2\n"q\n",3\n' * 300
    rows, ctx = values(data, category("a"), number("b"))
    assert (len(rows), ctx.rejected) == (900, 0)
    assert {a for a, _ in rows} == {'5" pipe', "x", "q\n"}


def test_settings_are_checked():
    """A delimiter of two characters or an unknown encoding is a mistake at once."""
    for wrong in ({"delimiter": ";;"}, {"delimiter": "\n"}, {"quote": ""}, {"encoding": "klingon"}):
        with pytest.raises(ValidationError):
            Csv(**wrong)


cell = st.text(st.sampled_from("ab,;\"\n 1é'"), max_size=6) | st.just("x\r\n")


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(cell, cell, st.integers(-99, 99)), max_size=25),
    st.integers(1, 64),
    st.sampled_from(["\n", "\r\n"]),
)
def test_records_come_back(entries, size, end):
    """Whatever a CSV writer writes is read again, value by value, at any size of chunk."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end)
    writer.writerow(["a", "b", "n"])
    writer.writerows(entries)
    before = plugin.SIZE
    plugin.SIZE = size
    try:
        rows, ctx = values(Trickle(out.getvalue().encode()), other("a"), category("b"), number("n"))
    finally:
        plugin.SIZE = before
    assert ctx.rejected == 0
    assert rows == [(a or None, b or None, float(n)) for a, b, n in entries]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_growing_file_gives_the_rows_of_the_whole(data):
    """However a file without header grows, reading on from the offset gives each row once."""
    entries = data.draw(st.lists(st.tuples(cell, st.integers(0, 9)), min_size=1, max_size=10))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(entries)
    whole = out.getvalue().encode()
    form = Csv(names=("a", "n"))
    at, rows = 0, []
    for cut in [*sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5))), len(whole)]:
        part, ctx = values(
            whole[at:cut], other("a"), number("n"), form=form, is_complete=cut == len(whole)
        )
        rows += part
        at += ctx.offset or 0
    assert rows == [(a or None, float(n)) for a, n in entries]
    assert at == len(whole)
