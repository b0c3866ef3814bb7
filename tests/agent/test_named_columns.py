"""Columns that a check names, where the schema is inferred: they are judged, or reported."""

from __future__ import annotations

import json

import databases
import pytest
from run_commands import configure, run_once

pytestmark = pytest.mark.system


def write(path, count: int) -> None:
    rows = (
        {
            "ts": f"2026-11-01T00:{place // 60:02}:{place % 60:02}Z",
            "amount": place % 7,
            "order": 10_000 + 3 * place,
            "trace": f"t-{place:08x}",
            "id": place,
        }
        for place in range(count)
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def judged_columns(folder) -> set[str]:
    query = "select labels from measurements where value is not null"
    labels = (json.loads(row["labels"]) for row in databases.rows(folder, query))
    return {each["column"] for each in labels if "column" in each}


@pytest.mark.parametrize("column", ["order", "trace"])
def test_a_named_column_is_judged_and_one_that_is_not_there_is_reported(tmp_path, column):
    """Inference leaves out columns that look like ids, unless a check names them."""
    for name in ("ref.jsonl", "cur.jsonl"):
        write(tmp_path / name, 300)
    model = {
        "source": {"type": "local", "options": {"path": "cur.jsonl"}},
        "reference": {"type": "local", "options": {"path": "ref.jsonl"}},
        "windows": {"length": "1h", "lateness": "0s", "notify_within": None},
        "checks": {
            "gaps": {"type": "missing", "options": {"columns": [column, "nowhere"]}},
            "drift": {"type": "drift"},
        },
    }
    code, result = run_once(configure(tmp_path, {"m": model}))
    assert judged_columns(tmp_path) >= {"amount", column}
    assert code == 1
    [incident] = result["models"]["m"]["incidents"]
    assert "no column 'nowhere' in the inferred schema" in incident["title"]
