"""What a message says to do first, by the columns that its alerts are about."""

from datetime import UTC, datetime

import pytest

from driftline import Severity
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.notification import AlertFact, Event, Notification

NOW = datetime(2026, 11, 30, tzinfo=UTC)
PHRASEBOOK = Phrasebook(outputs={"churn": frozenset({"p", "p_score"})})


def advice(cause, *columns, model="churn"):
    alerts = tuple(
        AlertFact(
            check="drift",
            measurement="mean_shift",
            labels={"column": column},
            cause=cause,
            state="firing",
            severity=Severity.WARNING,
            value=1.0,
            since=NOW,
        )
        for column in columns
    )
    return PHRASEBOOK.advice(
        Notification(
            id="1", incident="i", revision=1, event=Event.OPENED, model=model, cause=cause,
            severity=Severity.WARNING, title="", since=NOW, alerts=alerts,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "columns", "text"),
    [
        ("drift", ["p_score"], "version of the model"),
        ("drift", ["p", "p_score"], "version of the model"),
        ("quality", ["p"], "service that runs the model"),
        ("drift", ["p_score", "age"], "job that fills “age”."),
    ],
)
def test_no_job_fills_a_prediction(cause, columns, text):
    """Predictions and scores are made by the model; a feature beside them has its job."""
    assert text in advice(cause, *columns)


def test_the_outputs_of_another_model_are_columns_as_any():
    """Each model has its own predictions."""
    assert advice("drift", "p", model="fraud") == "Check the job that fills “p”."
