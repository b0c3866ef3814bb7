"""Every real file that ships with the tests: as many rows as records, and no reject."""

from __future__ import annotations

import csv

import pytest
from driftline_plugins.formats.csv import Csv
from driftline_plugins.formats.jsonl import JsonLines
from format_decoding import SAMPLES, category, number, read

LINES = sorted(
    path
    for path in SAMPLES.rglob("*")
    if path.is_file()
    and (path.suffix == ".jsonl" or (path.name.startswith("prediction") and path.suffix != ".csv"))
)
TABLES = sorted(SAMPLES.rglob("*.csv"))
HEADERLESS = {"baseline_dataset.csv", "dataset.csv"}


def name(path):
    return "/".join(path.parts[-2:])


@pytest.mark.parametrize("path", LINES, ids=name)
def test_json_lines(path):
    """A row for each line that is not blank, whether everything is asked for or one column."""
    data = path.read_bytes()
    expected = sum(1 for line in data.splitlines() if line.strip())
    for fields in ((), (category("eventVersion"), number("no.such[3].field"))):
        rows, ctx = read(JsonLines(), data, *fields)
        assert (len(rows), ctx.rejected, ctx.offset) == (expected, 0, len(data))


@pytest.mark.parametrize("path", TABLES, ids=name)
def test_csv(path):
    """The values that Python's own reader finds, cell by cell."""
    with path.open(newline="") as file:
        table = list(csv.reader(file))
    header = path.name not in HEADERLESS
    names = (
        [cell.strip() for cell in table.pop(0)]
        if header
        else [f"_c{i}" for i in range(len(table[0]))]
    )
    rows, ctx = read(Csv(header=header), path.read_bytes(), *map(category, names))
    assert ctx.rejected == 0
    assert [list(row.values()) for row in rows] == [
        [None if cell in ("", "null") else cell for cell in line] for line in table
    ]


def test_nested_values_of_a_real_log():
    """Paths lead into the rows that Azure's collector and Vertex write."""
    [path] = [path for path in LINES if path.name == "data.jsonl"]
    rows, _ = read(
        JsonLines(), path.read_bytes(), number("data[0].sepal_length"), category("specversion")
    )
    assert rows[0]["data[0].sepal_length"] > 4
    [path] = [path for path in LINES if path.parent.name == "automl_image_classification"]
    rows, _ = read(
        JsonLines(),
        path.read_bytes(),
        category("prediction.displayNames[0]"),
        number("prediction.confidences[1]"),
    )
    assert list(rows[0].values()) == ["daisy", 3.1230819e-12]
