"""What to do with a model: histories whose decisions the table in the docs derives by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from driftline.alerting.fact import Fact
from driftline.evaluate.decide import Effect, judge_effect, make_decision, with_decision
from driftline.types.incident import Upstream, UpstreamKind
from driftline.types.model import Decision, Judgement, Measurement, Verdict
from driftline.types.records import JudgedMeasurement

START = datetime(2026, 5, 1, tzinfo=UTC)
REMEDIES = {
    "performance": {"calibration_gap": Decision.RECALIBRATE, "brier": Decision.RECALIBRATE},
    "estimate": {"": Decision.WATCH},
}
NEW_VERSION = Upstream(UpstreamKind.NEW_VERSION, "v4")
SCHEMA = Upstream(UpstreamKind.SCHEMA, "age")


def fact(check, name, cause, *, verdict=Verdict.CHANGED, upstream=None, decision=None, column=""):
    labels = {"column": column} if column else {}
    measurement = Measurement(0.5, labels, name=name, decision=decision)
    judged = JudgedMeasurement(
        check=check, measurement=measurement, judgement=Judgement(verdict=verdict), cause=cause
    )
    return Fact(
        model="m", start=START, end=START + timedelta(days=1), judged=judged, upstream=upstream
    )


def accuracy(**options):
    return fact("performance", "accuracy", "performance", **options)


def gap(**options):
    return fact("performance", "calibration_gap", "performance", **options)


def brier(**options):
    return fact("performance", "brier", "performance", **options)


def estimate(**options):
    return fact("estimate", "accuracy", "performance", **options)


def drift(**options):
    return fact("drift", "psi", "drift", column="age", **options)


def missing(**options):
    return fact("missing", "missing_rate", "quality", column="age", **options)


def challenger(**options):
    return fact("challenger", "loss_difference", "performance", **options)


FINE, UNKNOWN = True, False
HISTORIES = [
    ("quiet", [accuracy(verdict=Verdict.OK)], FINE, Decision.KEEP),
    ("no labels", [drift(verdict=Verdict.OK)], UNKNOWN, Decision.KEEP),
    ("unsure", [accuracy(verdict=Verdict.UNSURE)], UNKNOWN, Decision.KEEP),
    ("drift alone", [drift(), accuracy(verdict=Verdict.OK)], FINE, Decision.WATCH),
    ("drift without labels", [drift()], UNKNOWN, Decision.WATCH),
    ("an estimate alone", [estimate()], UNKNOWN, Decision.WATCH),
    ("broken data", [accuracy(), missing()], FINE, Decision.WATCH),
    ("another schema", [accuracy(), drift(upstream=SCHEMA)], FINE, Decision.WATCH),
    ("scores alone", [gap(), brier(), accuracy(verdict=Verdict.OK)], FINE, Decision.RECALIBRATE),
    ("worse", [accuracy(), gap(), drift()], FINE, Decision.RETRAIN),
    ("worse since a new version", [accuracy(upstream=NEW_VERSION)], FINE, Decision.ROLL_BACK),
    ("a better challenger", [challenger(decision=Decision.PROMOTE)], FINE, Decision.PROMOTE),
]


@pytest.mark.parametrize(
    ("facts", "has_performance", "decision"),
    [history[1:] for history in HISTORIES],
    ids=[history[0] for history in HISTORIES],
)
def test_each_history_has_the_decision_of_the_table(facts, has_performance, decision):
    result = make_decision(facts, REMEDIES, has_performance=has_performance)
    assert result.decision is decision
    assert result.reasons
    is_quiet = all(item.verdict is not Verdict.CHANGED for item in facts)
    assert bool(result.evidence) is not is_quiet


@pytest.mark.parametrize("name", ["unsure", "error", "source"])
@pytest.mark.parametrize("has_performance", [True, False])
def test_what_the_agent_says_about_itself_is_no_change_of_the_model(name, has_performance):
    facts = [fact("drift", name, "monitoring")]
    result = make_decision(facts, REMEDIES, has_performance=has_performance)
    assert result.decision is Decision.KEEP
    assert result.evidence == ()


def test_the_findings_behind_a_decision_to_act_are_offered_to_actions():
    facts = [accuracy(), drift(), accuracy(verdict=Verdict.OK)]
    decision = make_decision(facts, REMEDIES, has_performance=True)
    offered = [item.judged.measurement.decision for item in with_decision(facts, decision)]
    assert offered == [Decision.RETRAIN, None, None]


def test_a_decision_to_watch_is_offered_to_no_action():
    facts = [drift()]
    decision = make_decision(facts, REMEDIES, has_performance=True)
    assert with_decision(facts, decision) == facts


@pytest.mark.parametrize(
    ("later", "effect"),
    [
        ([Decision.RETRAIN], None),
        ([Decision.RETRAIN, Decision.KEEP, Decision.WATCH, Decision.KEEP], Effect.HELPED),
        ([Decision.KEEP, Decision.KEEP], None),
        ([Decision.RETRAIN] * 7, Effect.FAILED),
        ([Decision.RETRAIN] * 6 + [Decision.KEEP], None),
        ([], None),
    ],
)
def test_the_windows_after_an_action_say_whether_it_helped(later, effect):
    assert judge_effect(later) is effect
