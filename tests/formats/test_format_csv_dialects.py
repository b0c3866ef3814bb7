"""CSV as Excel, Spark and European locales write it."""

from __future__ import annotations

import pytest
from driftline_plugins.formats.csv import Csv
from format_decoding import category, number, read
from pydantic import ValidationError

from driftline import Unreadable


def values(data: bytes, *fields, form=None, **how):
    rows, ctx = read(form or Csv(), data, *fields, **how)
    return [tuple(row.values()) for row in rows], ctx


COMMA = Csv(decimal=",", thousands=".")


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (Csv(decimal=","), "33,4", 33.4),
        (Csv(decimal=","), "-0,5e3", -500.0),
        (COMMA, "26.610,29", 26610.29),
        (COMMA, "1.234.567", 1234567.0),
        (COMMA, "7", 7.0),
        (Csv(delimiter=";", thousands=","), "1,234.5", 1234.5),
        (Csv(thousands=" "), "12 345", 12345.0),
        (Csv(thousands="'"), "12'345.5", 12345.5),
    ],
)
def test_numbers_with_other_separators(form, text, value):
    """A number is read with the separators of the settings, alone and beside a word."""
    assert values(f"a;b\n{text};x\n".encode(), number("a"), form=form)[0] == [(value,)]
    rows, ctx = values(f"a;b\n{text};x\nword;x\n;x\n".encode(), number("a"), form=form)
    assert [row[0] if row[0] in ("word", None) else float(row[0]) for row in rows] == [
        value, "word", None,
    ]  # fmt: skip
    assert ctx.rejected == 0
    rows, _ = values(f"a;b\n{text};x\n".encode(), form=form)
    assert rows == [(value, "x")]


def test_categories_keep_their_separators():
    """The separators of numbers change no category."""
    data = b"a;b\n7,0;1.000\n"
    assert values(data, category("a"), category("b"), form=COMMA)[0] == [("7,0", "1.000")]


def test_one_separator_cannot_be_both():
    """The same character for decimals and groups is an error of the settings."""
    with pytest.raises(ValidationError, match="different"):
        Csv(decimal=",", thousands=",")


@pytest.mark.parametrize("sep", [";", ",", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_excel_sep_line_names_the_delimiter(sep, end):
    """The line before the header is no record, and its delimiter is used."""
    data = f"\ufeffsep={sep}{end}a,x{sep}b{end}1{sep}2{end}3{end}".encode()
    data = data.replace(b"a,x", b'"a,x"')
    rows, ctx = values(data, number("a,x"), number("b"))
    assert rows == [(1.0, 2.0)]
    assert [sample[1] for sample in ctx.samples] == ["1 values where 2 are expected"]
    data = f"SEP={sep}{end}1{sep}2{end}".encode()
    assert values(data, number("b"), form=Csv(names=("a", "b")))[0] == [(2.0,)]


def test_a_quoted_sep_line_names_the_delimiter_too():
    """Writers that quote every text put quotes around it."""
    rows, _ = values(b'"sep=;"\r\n"a";"b"\r\n"1";"2,5"\r\n', number("a"), number("b"))
    assert rows == [(1.0, 2.5)]


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b'a,b\r1,x\r2,"y\rz"\r3,w', [(1.0, "x"), (2.0, "y\nz"), (3.0, "w")]),
        (b"\xef\xbb\xbfsep=;\ra;b\r1;x\r", [(1.0, "x")]),
        (b"a,b\r1,x\r2\r3,w\r", [(1.0, "x"), (3.0, "w")]),
    ],
)
def test_lines_may_end_with_a_carriage_return_alone(data, whole):
    """Excel on a Mac writes such files; a last line without its end waits."""
    rows, ctx = values(data, number("a"), category("b"))
    assert rows == whole
    assert ctx.rejected == (data == b"a,b\r1,x\r2\r3,w\r")
    grown, _ = values(data, number("a"), category("b"), is_complete=False)
    assert grown == [row for row in whole if row != (3.0, "w") or data.endswith(b"\r")]


def test_a_carriage_return_before_a_newline_ends_one_line():
    """Also where the file stops between the two."""
    rows, ctx = values(b"a,b\r\n1,2\r\n", number("a"), number("b"))
    assert (rows, ctx.rejected) == ([(1.0, 2.0)], 0)
    assert values(b"a,b\r", number("a"), is_complete=False)[0] == []


SPARK = (
    b'a,b,c\n1,"he said \\"yes, ok\\"",2\n3,"two\nlines \\" ",4\n5,"ends in \\\\",6\n7,plain,8\n'
)


def test_escaped_quotes_belong_to_the_value():
    """With `escape`, a quote after the character neither ends a value nor a record."""
    form = Csv(escape="\\")
    expected = [
        ('he said "yes, ok"', 2.0), ('two\nlines " ', 4.0), ("ends in \\", 6.0), ("plain", 8.0),
    ]  # fmt: skip
    rows, ctx = values(SPARK, category("b"), number("c"), form=form)
    assert (rows, ctx.rejected) == (expected, 0)


def test_a_rejected_row_names_the_backslash():
    """Without `escape` the reason says what to set; a row without backslashes has no such hint."""
    rows, ctx = values(b'a,b\n1,"x \\"yes, ok\\" "\n2\n3,plain\n', number("a"))
    assert rows == [(3.0,)]
    reasons = [sample[1] for sample in ctx.samples]
    assert reasons[0].endswith("a backslash before a quote: set the format's escape to a backslash")
    assert "backslash" not in reasons[1]


def test_repeated_header_lines_are_no_rows():
    """Files that were joined keep one header; a value that equals a name stays."""
    data = b"a,b\n1,x\na,b\na,b\n2,b\n"
    rows, ctx = values(data, number("a"), category("b"))
    assert (rows, ctx.rejected) == ([(1.0, "x"), (2.0, "b")], 0)
    assert values(b"b\nx\nb\n", category("b"))[0] == [("x",), ("b",)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_recognised_by_its_mark(encoding):
    """A byte order mark tells the encoding; all rows are read."""
    mark = "" if encoding in ("utf-16", "utf-32") else "\ufeff"
    data = (mark + "a,b\n1,é\n2,ü\n").encode(encoding)
    rows, ctx = values(data, number("a"), category("b"))
    assert (rows, ctx.rejected) == ([(1.0, "é"), (2.0, "ü")], 0)


@pytest.mark.parametrize("encoding", ["cp1252", "cp1250", "iso-8859-15"])
def test_single_byte_encodings_by_setting(encoding):
    """The setting names the encoding; without it the reason names the setting."""
    data = "a,b\n1,Straße\n2,plain\n".encode(encoding)
    rows, ctx = values(data, category("b"), form=Csv(encoding=encoding))
    assert (rows, ctx.rejected) == ([("Straße",), ("plain",)], 0)
    rows, ctx = values(data, category("b"))
    assert (rows, ctx.rejected) == ([("plain",)], 1)
    assert "set the format's encoding" in ctx.samples[0][1]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a;b\n33,4;1\n7,0;2\n", [33.4, 7.0]),
        (b"a\tb\n0,125\t1\n-12\t2\n", [0.125, -12.0]),
        (b"a;b\n1234,567;x\n,5;y\n", [1234.567, 0.5]),
    ],
)
def test_decimal_commas_are_recognised(data, expected):
    """The values between other delimiters say so."""
    assert values(data, number("a"))[0] == [(value,) for value in expected]


@pytest.mark.parametrize("data", [b"a;b\n1,234;1\n", b"a;b\n1,5;1\n2.5;2\n", b'a,b\n"1,5",2\n'])
def test_a_comma_that_may_be_another_separator_stays(data):
    """It may separate thousands, or the numbers have decimal points."""
    assert all(isinstance(row[0], str) for row in values(data, number("a"))[0])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_needs_the_encoding(encoding):
    """A file read as UTF-8 has no column of the schema; the reason names the setting."""
    data = "name,n\nx,1.5\n".encode(encoding)
    with pytest.raises(Unreadable, match="looks like UTF-16: set the format's encoding"):
        values(data, number("n"))
    assert values(data, number("n"), form=Csv(encoding=encoding))[0] == [(1.5,)]


def test_equal_mistakes_have_one_reason():
    """The number of the line is their place, not their reason."""
    _, ctx = values(b"a,b\n" + b'"x\\"y,z",1\n2,3\n' * 300, number("b"))
    (reason,) = ctx.reasons.reasons
    assert reason.startswith("3 values where 2 are expected, with a backslash before a quote")


@pytest.mark.parametrize(
    "data",
    [
        b"a,b\r\n1,x\r\na,b\r\n2,y\r\n",
        b"a,b\n1,x\na,b\r\n2,y\na,b",
        b"1,x\na,b\na,b\n2,y\n",
    ],
)
@pytest.mark.parametrize("form", [Csv(names=("a", "b")), Csv(names=("a", "b"), header=False)])
def test_a_line_of_the_set_names_is_no_row(form, data):
    """Also the first line, one with another line end, and the last one without any."""
    rows, ctx = values(data, number("a"), category("b"), form=form)
    assert ([(float(a), b) for a, b in rows], ctx.rejected) == ([(1.0, "x"), (2.0, "y")], 0)


def test_a_file_without_a_header_has_numbered_columns():
    """The first line is a row, whatever stands in it."""
    form = Csv(header=False)
    assert values(b"x,1\ny,2\n", category("_c0"), number("_c1"), form=form)[0] == [
        ("x", 1.0),
        ("y", 2.0),
    ]
