"""Delivers the logs and labels of the example on late labels, in three steps.

    python examples/late_labels/deliver.py FOLDER predictions
    python examples/late_labels/deliver.py FOLDER first_labels
    python examples/late_labels/deliver.py FOLDER other_labels

The first step writes eleven days of predictions, and the labels of the first six days, which are
all that is known then. The second step writes the labels of the seventh day, the third those of the
last days. All write the same files every time. The rows are those of
`examples/churn/reference.csv`, drawn at random. From CAMPAIGN on, an advertisement brings customers
for whom the model is less sure. Their labels come with the same probability for the same score as
before.
"""

from __future__ import annotations

import csv
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "churn/reference.csv"
START = datetime(2026, 11, 1, tzinfo=UTC)
CAMPAIGN = datetime(2026, 11, 7, tzinfo=UTC)
DAYS = 11
ROWS_A_DAY = 900
LABEL_DELAY = timedelta(days=5)
UNSURE_SCORES = (0.15, 0.7)
"""Scores of the customers that the campaign brings more often."""
STEPS = ("predictions", "first_labels", "other_labels")
COLUMNS = ("Day Mins", "Eve Mins", "Intl Mins", "CustServ Calls", "churned", "churn_probability")


def write_day(folder: Path, start: datetime, rows: list[dict[str, str]], *, kind: str) -> None:
    """Write the `predictions` of a day, or its `labels`, which are known five days later."""
    chance = random.Random(start.toordinal())
    weights = [_weight(row) if start >= CAMPAIGN else 1.0 for row in rows]
    chosen = chance.choices(rows, weights, k=ROWS_A_DAY)
    times = sorted(start + timedelta(seconds=chance.randrange(86_400)) for _ in chosen)
    target = folder / kind / f"{start:%Y-%m-%d}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    columns, delay = (COLUMNS, timedelta(0)) if kind == "predictions" else (("label",), LABEL_DELAY)
    with target.open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["id", "time", *columns])
        for number, (at, row) in enumerate(zip(times, chosen, strict=True)):
            values = [row[name] for name in columns]
            out.writerow([f"{start:%m%d}-{number}", f"{at + delay:%Y-%m-%dT%H:%M:%SZ}", *values])


def _weight(row: dict[str, str]) -> float:
    low, high = UNSURE_SCORES
    return 12.0 if low <= float(row["churn_probability"]) <= high else 1.0


def deliver(folder: Path, step: str) -> None:
    """Write the files of one step of STEPS."""
    with REFERENCE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for start in (START + timedelta(days=day) for day in range(DAYS)):
        if step == "predictions":
            write_day(folder, start, rows, kind="predictions")
        if step == _step_of_labels(start):
            write_day(folder, start, rows, kind="labels")


def _step_of_labels(start: datetime) -> str:
    if start < CAMPAIGN:
        return "predictions"
    return "first_labels" if start == CAMPAIGN else "other_labels"


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in STEPS:
        sys.exit(__doc__)
    deliver(Path(sys.argv[1]), sys.argv[2])
