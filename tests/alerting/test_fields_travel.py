"""A field of a measurement travels from the check to the message without a copy by hand."""

from dataclasses import fields, replace

from simulation import at, fact

from driftline import Measurement
from driftline.alerting import AlertingState, step
from driftline.alerting.describe import COPIED_FIELDS
from driftline.state.incident_json import NOT_IN_ENTRY, dump_alert, parse_alert
from driftline.types.model import Decision

SAMPLES = {
    "value": 0.6,
    "interval": (0.5, 0.7),
    "was": 0.1,
    "unit": "sd",
    "detail": {"mean": 4.0},
    "decision": Decision.RETRAIN,
}
"""A value for each field that an alert remembers."""


def test_a_field_of_a_measurement_reaches_the_message():
    """Each field is held by the fact, remembered and stored with the alert, and in the message."""
    assert {item.name for item in fields(Measurement)} - NOT_IN_ENTRY == set(SAMPLES)
    found = fact(0)
    number = replace(found.judged.measurement, **SAMPLES)
    found = replace(found, judged=replace(found.judged, measurement=number))
    result = step(AlertingState(), [found], at(1))
    [alert] = result.state.alerts.values()
    assert parse_alert(dump_alert(alert)) == alert
    assert {name: getattr(alert.newest_change.measurement, name) for name in SAMPLES} == SAMPLES
    [shown] = result.changes[0].notification.alerts
    assert {name: getattr(shown, name) for name in COPIED_FIELDS} == {
        name: SAMPLES[name] for name in COPIED_FIELDS
    }
    assert set(COPIED_FIELDS) | {"decision"} == set(SAMPLES)
