"""Finds the settings that read the beginning of a CSV file as its author meant it.

What it finds is a guess for a person to check: whether there is a header line, the delimiter, the
decimal and thousands separators, the escape character and the encoding.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Sequence

MAX_LINES = 1000
"""Lines of the file that are read."""
DELIMITERS = ";\t|,"
"""The comma comes last: it is a decimal separator as well."""
SHARE = 0.95
"""The share of values that must be alike."""
MIN_ROWS = 10
"""Rows from which on repeated values show that the first line is a record, not a header."""
BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)*|[.,]\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_POINT = re.compile(r"[+-]?\d*\.\d+")
_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
"""Never with a zero in front: `0,134` has decimals."""
_TIME = re.compile(
    r"\[?(\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/. ](\d\d?|[A-Za-z]{3})[-/. ]\d{4})([T:, ].*)?"
    r"|[A-Za-z]{3}, \d\d? [A-Za-z]{3} \d{4} .*"
)
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-"))
Table = Sequence[Sequence[str]]


def find_csv_settings(head: bytes) -> dict[str, object]:
    """Return the settings that differ from the defaults of the format, by their names.

    `head` is the beginning of the unpacked file; its last line may be cut off.
    """
    settings: dict[str, object] = {}
    text = _decode(head)
    wide = _wide_encoding(head)
    if wide is not None:
        settings["encoding"] = wide
        text = head.decode(wide, "replace")
    elif text is None:
        settings["encoding"] = "cp1252"
        text = head.decode("cp1252", "replace")
    lines = text.splitlines()[:MAX_LINES]
    if len(lines) > 1 and not text.endswith(("\n", "\r")):
        lines = lines[:-1]
    lines = [line for line in lines if line.strip()]
    if not lines or re.match(r'"?sep=."?$', lines[0], re.IGNORECASE):
        return settings
    escape = "\\" if re.search(r'"[^"\n]*\\"', text) and '""' not in text else None
    if escape is not None:
        settings["escape"] = escape
    delimiter, usual = _find_delimiter(lines), max(",;\t|", key=lines[0].count)
    if delimiter != usual:
        settings["delimiter"] = delimiter
    try:
        table = list(csv.reader(lines, delimiter=delimiter, escapechar=escape))
    except csv.Error:
        return settings
    width = len(table[0])
    table = [row for row in table if len(row) == width]
    if not _has_header(table):
        settings["header"] = False
        return settings | _find_separators(table)
    return settings | _find_separators(table[1:])


def _decode(head: bytes) -> str | None:
    """Return the text of UTF-8 or of a file with a mark; None for another encoding."""
    if head.startswith(BOMS[1:]):
        return head.decode("utf-16", "replace")
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        return decoder.decode(head)  # a character that is cut off at the end is left out
    except UnicodeDecodeError:
        return None


def _wide_encoding(head: bytes) -> str | None:
    """Return the UTF-16 of a file without a mark, whose other bytes are mostly zero; else None."""
    for name, zeros, others in (
        ("utf-16-le", head[1::2], head[::2]),
        ("utf-16-be", head[::2], head[1::2]),
    ):
        if zeros.count(0) > len(zeros) / 2 and not others.count(0):
            return name
    return None


def _find_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that is as often in each line, else the most frequent one."""
    plain = [re.sub('"[^"]*"', "", line) for line in lines]
    for delimiter in DELIMITERS:
        counts = [line.count(delimiter) for line in plain]
        if counts[0] and counts.count(counts[0]) >= SHARE * len(counts):
            return delimiter
    most = max(DELIMITERS, key=plain[0].count)
    return most if most in plain[0] else ","


def _has_header(table: Table) -> bool:
    """Whether the first row has names. Values of the kind of those below are no names."""
    first, rows = table[0], table[1:]
    if not rows or [cell.strip() for cell in first if cell.strip()] == [
        str(place) for place in range(sum(bool(cell.strip()) for cell in first))
    ]:
        return bool(rows) or not any(map(_is_value, first))  # names that pandas makes: 0, 1, 2
    is_repeated = len(rows) >= MIN_ROWS
    for place, cell in enumerate(first):
        cells = [row[place].strip() for row in rows if row[place].strip().lower() not in _MISSING]
        if cell.strip().lower() in _MISSING or not cells:
            continue
        alike = sum(map(_is_value, cells)) >= SHARE * len(cells)
        if alike:
            return not _is_value(cell)
        is_repeated = is_repeated and cell.strip() in cells
    return not is_repeated


def _is_value(cell: str) -> bool:
    """Whether a cell is a number or a time."""
    text = cell.strip()
    return bool(_NUMBER.fullmatch(text) or _TIME.fullmatch(text))


def _find_separators(rows: Table) -> dict[str, object]:
    """Return the decimal and thousands separators of the columns with numbers."""
    has_comma = has_groups = has_point = has_point_groups = False
    for place in range(len(rows[0]) if rows else 0):
        cells = [row[place].strip() for row in rows if row[place].strip().lower() not in _MISSING]
        if not cells or sum(bool(_NUMBER.fullmatch(cell)) for cell in cells) < SHARE * len(cells):
            continue
        commas = [cell for cell in cells if "," in cell]
        groups = bool(commas) and all(map(_GROUPS.fullmatch, commas))
        has_groups = has_groups or groups
        has_comma = has_comma or (not groups and any(map(_COMMA.fullmatch, cells)))
        has_point_groups = has_point_groups or any("." in cell and "," in cell for cell in commas)
        has_point = has_point or any(map(_POINT.fullmatch, cells))
    if has_comma:
        return {"decimal": ",", "thousands": "."} if has_point_groups else {"decimal": ","}
    if has_groups and (has_point or has_point_groups):
        return {"thousands": ","}
    # 1,234 alone may be either; as decimals, each value would have three.
    return {"thousands": ","} if has_groups else {}
