"""Numbers from outside with a mistake: a time in the future, very many series, a bad expression."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import databases
import pytest
from click.testing import CliRunner
from run_commands import configure, run_once

from driftline.cli.validate import validate
from driftline.state.factory import open_store

pytestmark = pytest.mark.system

CHECKS = {
    "series": {"type": "statistics", "options": {"statistics": ["mean_value"]}, "min_rows": 1}
}


def model(folder, **schema):
    features = {"value": "numeric"} | schema.pop("features", {})
    return {
        "source": {"type": "local", "options": {"path": f"{folder}/points.jsonl"}},
        "schema": {"timestamp": "time", "features": features} | schema,
        "windows": {"length": "1d"},
        "checks": CHECKS,
    }


def write(folder, rows):
    with (folder / "points.jsonl").open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")


@pytest.mark.parametrize("ahead", [timedelta(days=2), timedelta(days=400), timedelta(days=40_000)])
def test_a_point_with_a_time_in_the_future_is_held_back(tmp_path, ahead):
    """It makes no window, and the points of today stay."""
    now = datetime.now(UTC)
    times = [now - timedelta(days=2), now - timedelta(days=1), now + ahead]
    write(tmp_path, [{"time": at.isoformat(), "value": 1.0} for at in times])
    _, summary = run_once(configure(tmp_path, {"figures": model(tmp_path)}))
    assert summary["models"]["figures"]["held"] == 1


def count_segments(config):
    store = open_store(databases.of(config.parent), readonly=True)
    with store.read() as connection:
        names = connection.exec_driver_sql("select distinct segment from windows").scalars().all()
    store.close()
    return len(names)


SERIES = {"features": {"name": "categorical"}, "segments": ["name"]}


def test_very_many_series_are_a_bounded_number_of_segments(tmp_path):
    """At most 100 series are judged by themselves; the others are one segment."""
    at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    write(tmp_path, ({"time": at, "value": n, "name": f"series {n}"} for n in range(5_000)))
    path = configure(tmp_path, {"figures": model(tmp_path, **SERIES)})
    _, summary = run_once(path)
    assert summary["models"]["figures"]["rows"] == 5_000
    assert count_segments(path) <= 102


@pytest.mark.slow
def test_a_million_series_take_bounded_memory(tmp_path):
    """An agent that reads a million series stays below 1.5 GB."""
    at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    write(tmp_path, ({"time": at, "value": n, "name": f"series {n}"} for n in range(1_000_000)))
    path = configure(tmp_path, {"figures": model(tmp_path, **SERIES)})
    command = [sys.executable, "-m", "driftline", "run", "--once", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode in (0, 1), done.stderr
    # Kilobytes of the largest child process of this test's process.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1_500_000
    assert count_segments(path) <= 102


@pytest.mark.parametrize(
    ("options", "setting", "problem"),
    [
        ({"expressions": {"margin": "price * (2 +"}}, "expressions.margin", "is no expression"),
        ({"expressions": {"margin": "price ** foo("}}, "expressions.margin", "is no expression"),
        ({"values": {"tp": "much"}}, "values.tp", "number"),
        ({"values": {"hit": 1}}, "values", "hit"),
    ],
)
def test_a_mistake_in_a_cost_has_its_place_and_setting(tmp_path, options, setting, problem):
    """`validate` names line, column, setting and problem."""
    worth = {"type": "business_value", "options": options}
    figures = model(tmp_path, features={"price": "numeric"}) | {"checks": {"worth": worth}}
    path = configure(tmp_path, {"figures": figures})
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    done = CliRunner().invoke(validate, ["-c", str(path)])
    assert done.exit_code != 0
    text = done.output + str(done.exception)
    assert f"models.figures.checks.worth.options.{setting}" in text
    assert problem in text
