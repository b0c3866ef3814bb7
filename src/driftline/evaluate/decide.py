"""Decides what to do with a model, from what changed in one span of time.

`docs/decisions-of-a-model.md` has the table. Does not run anything: actions are bound to decisions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from driftline.alerting.fact import Fact
from driftline.evaluate.check_plan import CheckPlan
from driftline.types.family import Family
from driftline.types.incident import UpstreamKind
from driftline.types.model import Decision, Verdict
from driftline.types.phrasing import clean

MOST_EVIDENCE = 8
"""Findings that a decision names."""
CALM_WINDOWS = 3
"""Windows after an action without a decision to act that show that it helped."""
PATIENCE = 7
"""Windows after an action after which it did not help if the model still needs one."""
ACTIONABLE = frozenset(
    {Decision.RECALIBRATE, Decision.RETRAIN, Decision.ROLL_BACK, Decision.PROMOTE}
)
"""Decisions that an action can carry out."""


class Effect(StrEnum):
    """What the windows after an action say."""

    HELPED = "helped"
    FAILED = "did not help"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDecision:
    """What to do with a model, and why."""

    decision: Decision
    reasons: tuple[str, ...]
    """Sentences, the most important first."""
    evidence: tuple[str, ...] = ()
    """The findings behind them: measurement and what it is about."""


def find_remedies(plans: Iterable[CheckPlan]) -> Mapping[str, Mapping[str, Decision]]:
    """What each check says helps against a change of its measurements, by name of the check."""
    return {plan.name: plan.check.remedies for plan in plans if plan.check.remedies}


def make_decision(
    facts: Sequence[Fact],
    remedies: Mapping[str, Mapping[str, Decision]],
    *,
    has_performance: bool,
) -> ModelDecision:
    """Decide by the facts of one span of time: the judged measurements of all checks.

    Segments count as far as no rule about all rows says more. `remedies` says by check and
    measurement what helps against a change; a change of performance without one needs a retrain.
    What the agent reports about itself, such as too few rows, is no change of the model.
    `has_performance` says whether a metric by labels was judged, and is not unsure.
    """
    changed = [
        fact
        for fact in facts
        if fact.verdict is Verdict.CHANGED and fact.judged.cause != Family.MONITORING
    ]
    if proposals := [fact for fact in changed if _own_decision(fact) is Decision.PROMOTE]:
        return _make(Decision.PROMOTE, ["the challenger is better than the champion"], proposals)
    losses = [fact for fact in changed if fact.judged.cause == Family.PERFORMANCE]
    named = {fact.key: _remedy(fact, remedies) for fact in losses}
    proven = [fact for fact in losses if named[fact.key] is not Decision.WATCH]
    faults = [
        fact
        for fact in changed
        if fact.judged.cause == Family.QUALITY
        or (fact.upstream is not None and fact.upstream.kind is UpstreamKind.SCHEMA)
    ]
    new = [
        fact
        for fact in proven
        if fact.upstream is not None and fact.upstream.kind is UpstreamKind.NEW_VERSION
    ]
    if new and new[0].upstream is not None:
        text = f"it is worse since version {clean(new[0].upstream.name, 60)} is new"
        return _make(Decision.ROLL_BACK, [text], new)
    if proven and faults:
        text = "it is worse, and so are its data: correct the data first, then judge it again"
        return _make(Decision.WATCH, [text], [*faults, *proven])
    if proven and all(named[fact.key] is Decision.RECALIBRATE for fact in proven):
        text = "its scores are off, and it ranks rows as well as before"
        return _make(Decision.RECALIBRATE, [text], proven)
    if proven:
        return _make(Decision.RETRAIN, ["it is worse than in the reference"], proven)
    if losses:
        text = "it may be worse by an estimate without labels; labels will tell"
        return _make(Decision.WATCH, [text], losses)
    if changed and has_performance:
        text = "its data changed, and its performance did not"
        return _make(Decision.WATCH, [text], changed)
    if changed:
        text = "its data changed, and its performance is not known"
        return _make(Decision.WATCH, [text], changed)
    if has_performance:
        return _make(Decision.KEEP, ["nothing changed"], [])
    return _make(Decision.KEEP, ["nothing changed; its performance is not known"], [])


def with_decision(facts: Sequence[Fact], decision: ModelDecision) -> list[Fact]:
    """The facts; those behind a decision to act say it, where their check says none."""
    if decision.decision not in ACTIONABLE:
        return list(facts)
    return [
        replace(
            fact,
            judged=replace(
                fact.judged,
                measurement=replace(fact.judged.measurement, decision=decision.decision),
            ),
        )
        if fact.verdict is Verdict.CHANGED
        and fact.judged.cause == Family.PERFORMANCE
        and _own_decision(fact) is None
        else fact
        for fact in facts
    ]


def judge_effect(later: Sequence[Decision]) -> Effect | None:
    """Judge an action by the decisions of the windows that began after it, oldest first.

    None while they do not tell.
    """
    newest = later[-CALM_WINDOWS:]
    if len(newest) == CALM_WINDOWS and not ACTIONABLE.intersection(newest):
        return Effect.HELPED
    if len(later) >= PATIENCE and later[-1] in ACTIONABLE:
        return Effect.FAILED
    return None


def describe_decision(decision: str, reasons: Sequence[str], since: datetime) -> str:
    """One line for people: `retrain since 2026-05-06: it is worse than in the reference`."""
    text = decision.replace("_", " ")
    return f"{text} since {since:%Y-%m-%d %H:%M}: {'; '.join(reasons)}"


def _own_decision(fact: Fact) -> Decision | None:
    return fact.judged.measurement.decision


def _remedy(fact: Fact, remedies: Mapping[str, Mapping[str, Decision]]) -> Decision:
    own = _own_decision(fact)
    if own is not None:
        return own
    of_check = remedies.get(fact.judged.check, {})
    return of_check.get(fact.judged.measurement.name) or of_check.get("") or Decision.RETRAIN


def _make(decision: Decision, reasons: Sequence[str], facts: Sequence[Fact]) -> ModelDecision:
    evidence = dict.fromkeys(_name(fact) for fact in facts)
    return ModelDecision(
        decision=decision, reasons=tuple(reasons), evidence=tuple(evidence)[:MOST_EVIDENCE]
    )


def _name(fact: Fact) -> str:
    labels = [value for _, value in fact.labels]
    scope = [text for text in (fact.segment, *labels) if text]
    name = fact.judged.measurement.name
    return clean(f"{name} of {', '.join(scope)}" if scope else name, 120)
