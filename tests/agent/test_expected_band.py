"""The band in which measurements are expected, as `/metrics` shows it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from station import MODEL, START, Station

from driftline.agent.tick_report import count_tick
from driftline.telemetry.metrics import Metrics

pytestmark = [pytest.mark.slow, pytest.mark.system]


def test_a_usual_measurement_lies_in_its_band_and_a_changed_one_does_not(tmp_path):
    """Once enough windows were judged; a check with fixed bounds has no band."""
    checks = "    checks: {{learnt: {{type: drift}}, fixed: {{type: drift, rule: {{measurement: "
    checks += "psi, above: {{warning: 0.1}}}}}}}}\n"
    model = MODEL[: MODEL.index("    checks:")].replace("length: 1h", "length: 1d")
    station = Station(tmp_path, model + checks)
    day = timedelta(days=1)
    for number in range(31):
        shift = 30.0 * (number == 30)
        station.write(
            f"log/{number}.jsonl",
            START + number * day,
            day,
            200,
            amount=lambda row, shift=shift: row["amount"] + shift,
        )
    station.clock.now = START + 30 * day + timedelta(minutes=20)
    with station.open():
        quiet = bands(station)
        station.clock.now += day
        moved = bands(station)
    assert {check for check, _, _ in quiet} == {"learnt"}
    assert ("learnt", "psi", "amount") in quiet
    assert all(low <= value <= high for value, low, high in quiet.values())
    value, low, high = moved["learnt", "psi", "amount"]
    assert value > high > low


def bands(station: Station) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    """Value and ends of the band by check, measurement and column, after the next tick."""
    metrics = Metrics("0.1.0")
    count_tick("shop", station.tick(), metrics)
    samples: dict[str, dict[tuple[str, str, str], float]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name.startswith("driftline_measurement"):
                labels = sample.labels
                key = tuple(labels.get(name, "") for name in ("check", "measurement", "column"))
                samples.setdefault(sample.name, {})[key] = sample.value
    values = samples["driftline_measurement"]
    ends = (samples.get(f"driftline_measurement_expected_{end}", {}) for end in ("low", "high"))
    low, high = ends
    assert set(low) == set(high) <= set(values)
    return {key: (values[key], low[key], high[key]) for key in low}
