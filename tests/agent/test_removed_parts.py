"""Alerts about parts that the configuration no longer has end at the next start."""

from datetime import timedelta

from station import MODEL, START, Station

from driftline.alerting.fact import monitoring_fact
from driftline.state.incident_store import load_alerting_state
from driftline.types.monitoring_kind import MonitoringKind

LABELS = """
    labels: {{type: local, options: {{path: {folder}/truth}}, label: truth, time: given}}"""
PAGER = "  pager: {{type: diary, options: {{path: {folder}/pager.jsonl}}}}\n"
TROUBLE = [
    ("drift", "error"),
    ("drift", "unsure"),
    ("pager", "refused"),
    ("source", "labels"),
    ("source", "unusable labels"),
]
"""Check and measurement of alerts about the parts that are removed."""
REMAINING = [("volume", "error"), ("volume", "unsure")]


def fired(connection):
    """Check and measurement of the alerts that fire."""
    state = load_alerting_state(connection, "shop")
    return {(alert.check, alert.measurement) for alert in state.alerts.values() if alert.is_firing}


def test_trouble_of_removed_parts_does_not_stay_open(tmp_path):
    """A check, a sink and the labels are removed: what fired about them ends, the rest stays."""
    station = Station(tmp_path)
    (tmp_path / "truth").mkdir()
    station.hour(0)
    station.clock.now = START + timedelta(hours=1, minutes=20)
    station.configure(
        MODEL.replace(
            "      features:", "      prediction: {{kind: binary, score: s}}\n      features:"
        )
        + LABELS
    )
    station.config.write_text(station.config.read_text() + PAGER.format(folder=tmp_path))
    with station.open():
        station.tick()
        now = station.clock.now
        facts = [
            monitoring_fact("shop", check, MonitoringKind(measurement), "trouble", (now, now))
            for check, measurement in TROUBLE + REMAINING
        ]
        station.agent.watches["shop"].alerts.report(facts, now)
        with station.agent.store.read() as connection:
            assert fired(connection) == set(TROUBLE + REMAINING)
    drift = next(line for line in MODEL.splitlines(keepends=True) if "type: drift" in line)
    station.configure(MODEL.replace(drift, ""))
    with station.open():
        station.tick()
        with station.agent.store.read() as connection:
            assert fired(connection) == set(REMAINING)
