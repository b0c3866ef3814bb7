"""Generates the log of the example of loans: from the 15th day on women are approved less often.

    python examples/loans/generate.py

writes `reference.csv` and `log.csv` beside this file, the same every time. All rows are made here;
whether a loan is repaid depends on the income alone.
"""

from __future__ import annotations

import csv
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS, ROWS = 20, 800
UNFAIR_FROM = 14
"""The first day on which women need a higher income."""
COLUMNS = ("time", "id", "income", "sex", "amount", "approved", "repaid")


def rows(rng: random.Random, day: int, count: int) -> Iterator[tuple[object, ...]]:
    """Yield the applications of a day."""
    for place in range(count):
        income = rng.gauss(3.0, 1.0)
        sex = "female" if rng.random() < 0.4 else "male"
        bar = 3.5 if sex == "female" and day >= UNFAIR_FROM else 2.6
        repaid = rng.random() < 1 / (1 + math.exp(-2.5 * (income - 2.6)))
        time = START + timedelta(days=day, seconds=86_400 * place / count)
        yield (
            time.isoformat(),
            f"{day}-{place}",
            round(income, 3),
            sex,
            rng.randrange(1, 20) * 500,
            int(income + rng.gauss(0, 0.3) > bar),
            int(repaid),
        )


def generate(folder: Path) -> None:
    """Write the reference, six days before the log, and the log."""
    rng = random.Random(17)
    _write(folder / "reference.csv", (row for day in range(-6, 0) for row in rows(rng, day, ROWS)))
    _write(folder / "log.csv", (row for day in range(DAYS) for row in rows(rng, day, ROWS)))


def _write(path: Path, table: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(table)


if __name__ == "__main__":
    generate(HERE)
