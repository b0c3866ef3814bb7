"""Makes incident.png: the picture that sinks with images get of an incident, drawn from made-up
numbers.

.venv/bin/python docs/img/incident.py
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from driftline.charts.incident import render_incident
from driftline.charts.series_points import SeriesLine, SeriesPoint
from driftline.types.model import Severity
from driftline.types.times import as_micros

BEGIN, DAYS, CHANGE = datetime(2026, 3, 1, tzinfo=UTC), 60, 45


def line(
    rng: np.random.Generator, name: str, severity: Severity, jump: float, usual: float
) -> SeriesLine:
    """Daily values that jump on a day."""
    values = rng.normal(usual, 0.03, DAYS) + np.where(np.arange(DAYS) >= CHANGE, jump, 0.0)
    points = [
        SeriesPoint(
            start=as_micros(BEGIN + timedelta(days=day)),
            value=value,
            low=value - 0.05,
            high=value + 0.05,
            severity=severity if day >= CHANGE else "",
        )
        for day, value in enumerate(values.tolist())
    ]
    return SeriesLine(
        name=name,
        severity=severity,
        since=as_micros(BEGIN + timedelta(days=CHANGE)),
        points=points,
        usual=usual,
    )


def main() -> None:
    """Draw three columns."""
    rng = np.random.default_rng(1)
    lines = [
        line(rng, "tenure: mean shift (sd)", Severity.WARNING, 0.31, 0.0),
        line(rng, "plan: psi", Severity.WARNING, 0.2, 0.02),
        line(rng, "age: missing rate (share)", Severity.INFO, 0.1, 0.03),
    ]
    png = render_incident(
        "churn: tenure drifts since 2026-04-15 00:00 UTC: mean shift 0.31 sd; and plan, age", lines
    )
    assert png is not None
    (Path(__file__).parent / "incident.png").write_bytes(png)


if __name__ == "__main__":
    main()
