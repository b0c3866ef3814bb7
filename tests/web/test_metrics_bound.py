"""The measurements that are shown stay within their bound."""

from __future__ import annotations

from driftline.telemetry.metrics import Metrics


def shown(metrics: Metrics) -> list[str]:
    [family] = [
        family for family in metrics.registry.collect() if family.name == "driftline_measurement"
    ]
    return [sample.labels["column"] for sample in family.samples]


def put(metrics: Metrics, column: str, value: float | None = 1.0) -> None:
    metrics.set_measurement(
        model="churn", check="drift", measurement="psi", column=column, value=value
    )


def test_oldest_measurement_makes_room():
    """With all places full the measurement set longest ago goes, and is counted."""
    metrics = Metrics("0", label_sets=3)
    for column in ("a", "b", "c", "a", "d"):
        put(metrics, column)
    assert sorted(shown(metrics)) == ["a", "c", "d"]
    assert metrics.registry.get_sample_value("driftline_measurement_label_sets_dropped_total") == 1


def test_measurement_without_a_value_is_not_shown():
    """A number that could not be had this time takes the old one away instead of leaving it to look
    fresh.
    """
    metrics = Metrics("0")
    put(metrics, "a")
    put(metrics, "a", None)
    put(metrics, "never there", None)
    assert shown(metrics) == []


def test_a_flood_of_columns_is_bounded():
    """Three thousand columns take no more than a thousand places."""
    metrics = Metrics("0")
    for number in range(3000):
        put(metrics, f"c{number}")
    assert len(shown(metrics)) == 1000


def test_registries_are_independent():
    """Two agents in one process do not share numbers."""
    one, other = Metrics("0"), Metrics("0")
    one.rows.labels(model="churn").inc()
    assert other.registry.get_sample_value("driftline_rows_total", {"model": "churn"}) is None


def test_the_expected_band_has_no_more_series_than_the_measurements():
    """It goes with its measurement, and where it is not known any more."""
    metrics = Metrics("0", label_sets=3)

    def columns(name: str) -> set[str]:
        return {
            sample.labels["column"]
            for family in metrics.registry.collect()
            for sample in family.samples
            if sample.name == name
        }

    words = {"model": "m", "check": "drift", "measurement": "psi", "value": 0.1}
    for number in range(10):
        metrics.set_measurement(**words, column=f"c{number}", expected=(0.0, 0.2))
    for end in ("low", "high"):
        assert columns(f"driftline_measurement_expected_{end}") == {"c7", "c8", "c9"}
    metrics.set_measurement(**words, column="c8")
    assert columns("driftline_measurement_expected_low") == {"c7", "c9"}
    assert columns("driftline_measurement") == {"c7", "c8", "c9"}
