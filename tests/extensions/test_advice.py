"""What a message says to do first, by the columns that its alerts are about."""

from datetime import UTC, datetime
from typing import ClassVar

import pytest

from driftline import Check, Severity
from driftline.contracts.wording import Wording
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


def fact(check, measurement, decision=None):
    return AlertFact(
        check=check, measurement=measurement, cause="performance", state="firing",
        severity=Severity.CRITICAL, value=0.7, since=NOW, decision=decision,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measurements", "is_confirmed"),
    [
        ([("guess", "guessed_accuracy"), ("labelled", "accuracy")], True),
        ([("labelled", "accuracy"), ("guess", "guessed_accuracy")], True),
        ([("guess", "guessed_accuracy"), ("labelled", "recall")], False),
        ([("guess", "guessed_accuracy")], False),
        ([("guess", "guessed_share"), ("labelled", "accuracy")], False),
        ([("labelled", "accuracy")], False),
    ],
)
def test_labels_confirm_an_estimate_of_the_same_metric(measurements, is_confirmed):
    """A message about a loss that was estimated, and that labels show, says both in one sentence."""

    class Guess(Check):
        type = "guess"
        estimates: ClassVar = {"guessed_accuracy": "accuracy", "guessed_share": ""}
        wordings: ClassVar = {
            "guessed_accuracy": Wording(advice=lambda alert: "Wait for labels."),
            "guessed_share": Wording(advice=lambda alert: "Wait for labels."),
        }

        def evaluate(self, ctx):
            yield from ()

    alerts = tuple(fact(*measurement) for measurement in measurements)
    text = Phrasebook([Guess]).advice(
        Notification(
            id="1", incident="i", revision=1, event=Event.UPDATED, model="churn",
            cause="performance", severity=Severity.CRITICAL, title="", since=NOW, alerts=alerts,
        )
    )  # fmt: skip
    assert ("Labels confirm the estimated loss: check that the newest" in text) is is_confirmed
    assert ("Wait for labels" in text) is (
        not any(check == "labelled" for check, _ in measurements)
    )
