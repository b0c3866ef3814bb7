"""Recognises header lines in CSV bodies, which have no other sign than their content.

A line of text alone is no header: rows of categories look the same. It must have the names of the
columns, stand at the start of every body, or stand above a column of numbers.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import count

from driftline.kit.decoding import csv_parse

EMPTY = frozenset((*csv_parse.NULLS, "NA", "NaN", "nan", "None"))


def read_lines(data: str) -> list[list[str]]:
    """Return the values of each line that is not blank. Raises ValueError for broken CSV."""
    try:
        return [line for line in csv.reader(io.StringIO(data, newline="")) if line]
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None


def first_line(body: str) -> str:
    """Return the first line of a body without its line end."""
    return body.lstrip("\r\n").partition("\n")[0].rstrip("\r")


def find_headers(
    bodies: Sequence[str], rows: Sequence[int], names: tuple[str, ...]
) -> dict[str, tuple[str, ...]]:
    """Return the header lines at the start of some bodies, with the names of the values.

    `rows` is the number of rows that each body should have, -1 where it is unknown. `names` are the
    names of the values; they are the names of a header line that has the same number of others.
    """
    several_lines = [
        (body, row_count)
        for body, row_count in zip(bodies, rows, strict=True)
        if "\n" in body.strip("\r\n")
    ]
    counts = Counter(first_line(body) for body, _ in several_lines)
    headers: dict[str, tuple[str, ...]] = {}
    for body, row_count in several_lines:
        line = first_line(body)
        if line in headers or not _may_be_header(line, names):
            continue
        try:
            lines = read_lines(body)
        except ValueError:
            continue
        if row_count >= 0 and len(lines) != row_count + 1:
            continue
        title = [value.strip() for value in lines[0]]
        is_shared = counts[line] == len(several_lines)
        if (
            set(title) == set(names)
            or row_count >= 0
            or (is_shared and counts[line] > 1)
            or ((is_shared or counts[line] > 1) and _stands_above_numbers(lines))
        ):
            is_renamed = len(title) == len(names) and set(title) != set(names)
            headers[line] = names if is_renamed else unique_names(title)
    return headers


def unique_names(values: Sequence[str]) -> tuple[str, ...]:
    """Return distinct names: a repeated one gets `.1` and so on, an empty one is `_cI`."""
    names: dict[str, None] = {}
    for i, value in enumerate(values):
        name = unique_name = value.strip() or f"_c{i}"
        suffix = count(1)
        while unique_name in names:
            unique_name = f"{name}.{next(suffix)}"
        names[unique_name] = None
    return tuple(names)


def _may_be_header(line: str, names: tuple[str, ...]) -> bool:
    try:
        values = [value.strip() for value in next(csv.reader([line]), [])]
    except csv.Error:
        return False
    if names and set(values) == set(names):
        return True
    # pandas writes the index with an empty name
    texts = values[1:] if values[:1] == [""] else values
    return (
        bool(texts)
        and len(set(values)) == len(values)
        and not any(value in EMPTY or _is_number(value) for value in texts)
    )


def _stands_above_numbers(lines: list[list[str]]) -> bool:
    width = len(lines[0])
    if any(len(line) != width for line in lines):
        return False
    columns = ([line[i].strip() for line in lines[1:]] for i in range(width))
    return any(
        any(map(_is_number, column))
        and all(value in EMPTY or _is_number(value) for value in column)
        for column in columns
    )


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
