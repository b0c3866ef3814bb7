"""`driftline init` on logs of several kinds, then `run --once`: the verdict that a person expects."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from driftline.cli.main import main

pytestmark = pytest.mark.system

PAST = datetime(2024, 1, 1, tzinfo=UTC)
"""All logs here begin then: they are logs of the past."""
Row = dict[str, Any]


def records(count: int, step: timedelta, words: tuple[Any, Any] = (1, 0), seed: int = 1) -> list:
    """Rows of a binary model with two features; each is `step` after the one before."""
    draw = np.random.default_rng(seed)
    rows: list[Row] = []
    for place in range(count):
        y = bool(draw.random() < 0.3)
        s = round(float(1 / (1 + np.exp(-(1.5 * (y - 0.6) + draw.normal())))), 3)
        rows.append(
            {
                "ts": (PAST + place * step).isoformat(),
                "amount": round(float(draw.lognormal(1, 0.5)), 2),
                "plan": str(draw.choice(["gold", "free"])),
                "prediction": words[0] if s >= 0.5 else words[1],
                "score": s,
                "label": words[0] if y else words[1],
            }
        )
    return rows


def with_columns(rows: list[Row], columns: Callable[[int], Row]) -> list[Row]:
    return [row | columns(place) for place, row in enumerate(rows)]


def marks(place: int) -> Row:
    return {"order": 7 * place + 1000, "epoch": 1.7e9 + place, "trace": f"t-{place:08x}-{place}"}


MINUTE = timedelta(minutes=1)
TRAIN = records(1500, MINUTE, seed=9)
LOGS: dict[str, tuple[list[Row], list[Row], str, int]] = {
    # The log, the training file, what the configuration says, the exit code of the run.
    "words as labels": (
        records(600, MINUTE / 10, ("yes", "no")),
        records(900, MINUTE, ("yes", "no"), 9),
        'positive: "yes"',
        0,
    ),
    "rising ids and times": (
        with_columns(records(600, MINUTE / 10), marks),
        TRAIN,
        "CHECK: order is left out",
        0,
    ),
    "few rows an hour": (records(1000, timedelta(minutes=6)), TRAIN, "length: 1d", 0),
    "training file": (records(600, MINUTE / 10), TRAIN, "train.jsonl", 0),
    "no training file": (records(600, MINUTE / 10), [], "trailing: 28d", 0),
    "floats of 32 bits": (
        with_columns(records(600, MINUTE / 10), lambda n: {"f": float(np.float32(n % 7 / 10))}),
        with_columns(TRAIN, lambda n: {"f": n % 7 / 10}),
        "f: numeric",
        0,
    ),
    "own names of classes": (
        records(600, MINUTE / 10, ("leaver", "keeper")),
        records(900, MINUTE, ("leaver", "keeper"), 9),
        "set prediction.positive",
        1,
    ),
    "a backlog of a year with few rows": (
        records(7300, timedelta(minutes=72)),
        TRAIN,
        "length: 7d",
        0,
    ),
    "training file and log with other types": (
        with_columns(
            records(600, MINUTE / 10),
            lambda n: {"code": n % 5, "f": str(n % 7 / 10), "flag": n % 2 == 0},
        ),
        with_columns(
            records(900, MINUTE, (True, False), 9),
            lambda n: {"code": str(n % 5), "f": n % 7 / 10, "flag": n % 2},
        ),
        "train.jsonl",
        0,
    ),
    "labels not known yet": (
        with_columns(records(600, MINUTE / 10), lambda n: {"label": "pending"} if n % 2 else {}),
        TRAIN,
        "notify_within: null",
        1,
    ),
}
USUAL = {"words as labels", "labels not known yet"}


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k in USUAL else pytest.mark.slow) for k in LOGS]
)
def test_init_then_run_gives_the_expected_verdict(tmp_path, monkeypatch, capsys, kind):
    """A healthy log has no incident; labels that give no metric are one in the first run."""
    monkeypatch.chdir(tmp_path)
    log, training, expected, code = LOGS[kind]
    for name, rows in (("log.jsonl", log), ("train.jsonl", training)):
        if rows:
            Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert call("init", "log.jsonl") == 0
    text = Path("driftline.yaml").read_text().replace("127.0.0.1:8080", "null")
    Path("driftline.yaml").write_text(text)
    assert expected in text
    assert "notify_within: null" in text
    assert "epoch: " not in text
    assert call("validate") == 0
    capsys.readouterr()
    found = call("run", "--once", "--json")
    assert found == code, capsys.readouterr().out


def call(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    return int(left.value.code or 0)
