"""How often the interval of an incident's cost holds the true cost.

    python benchmarks/incident_cost.py --models 1000

Each model makes binary decisions that are worth something. After days like the reference, more
decisions are wrong until the end. The agent's own code judges the days and dates the incident; the
cost in its message and its interval are those of `incident_cost.estimate_cost`. The true cost is
the number of predictions since the change times the loss of each in the long run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from driftline_plugins.checks.business_value import BusinessValue
from judged_days import DAY, DayJudge, profile_day, profile_reference
from numpy.typing import NDArray
from streams import START

from driftline import CheckContext, Field, Kind, Measurement, Schema
from driftline.agent.incident_cost import estimate_cost
from driftline.evaluate.check_plan import CheckPlan
from driftline.profiles.spec import make_spec
from driftline.state.worth import WorthRow
from driftline.types.model import Task
from driftline.types.notification import Event

SCHEMA = Schema(
    prediction=Field("prediction", "prediction", Kind.CATEGORICAL),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
)
CHECK = BusinessValue.model_validate({"values": {"tp": 50, "fp": -10, "fn": -100, "tn": 0}})
AMOUNTS = np.array([0.0, -10.0, -100.0, 50.0])
"""The worth of right and wrong rejections and approvals: tn, fp, fn, tp."""
GOOD = np.array([0.80, 0.06, 0.03, 0.11])
REFERENCE_ROWS = 5_000
CHANGE_DAY, DAYS = 12, 22


@dataclass(frozen=True, kw_only=True)
class CostOutcome:
    """The cost in one message, in the currency, and the true cost."""

    interval: tuple[float, float]
    value: float
    truth: float
    is_last: bool
    """Whether it is that on the last day, not in a message."""
    dated_late: int
    """Days by which the incident begins later than the change."""


def _rows(rng: np.random.Generator, count: int, shares: NDArray[np.float64]) -> pa.RecordBatch:
    outcome = rng.choice(4, count, p=shares)
    prediction = np.isin(outcome, (1, 3)).astype(int).astype(str)
    label = np.isin(outcome, (2, 3)).astype(int).astype(str)
    columns = {"prediction": prediction, "label": label}
    return pa.RecordBatch.from_pydict(
        {name: pa.array(texts).dictionary_encode() for name, texts in columns.items()}
    )


def simulate(seed: int, rows: int = 400, missed: float = 0.05) -> Iterator[CostOutcome]:
    """Yield the costs in the messages about the change of one model, and that on the last day.

    `rows` is the mean number of a day (Poisson), `missed` the share of rows that become wrong
    rejections instead of right approvals.
    """
    rng = np.random.default_rng(seed)
    bad = GOOD + missed * np.array([0.0, 0.0, 1.0, -1.0])
    loss = float(AMOUNTS @ (GOOD - bad))
    batch = _rows(rng, REFERENCE_ROWS, GOOD)
    spec = make_spec(
        SCHEMA,
        {},
        {"label": {"0": 1, "1": 1}, "prediction": {"0": 1, "1": 1}},
        collectors=("categories", "scores"),
    )
    reference = profile_reference(spec, batch)
    judge = DayJudge(SCHEMA, reference, [CheckPlan(name="worth", check=CHECK)])
    stored: dict[int, WorthRow] = {}
    truth, since = 0.0, None
    for day in range(DAYS):
        is_bad = day >= CHANGE_DAY
        count = max(int(rng.poisson(rows)), 1)
        window = profile_day(spec, _rows(rng, count, bad if is_bad else GOOD), day)
        truth += loss * count * is_bad
        context = CheckContext(current=window, reference=reference, schema=SCHEMA)
        stored[day] = _worth_row(next(iter(CHECK.evaluate(context))))
        for change in judge.judge(day, window):
            if is_bad and change.event is not Event.RESOLVED:
                since = (change.incident.since - START) // DAY
                yield _cost(stored, since, truth, is_last=False)
    if since is not None:
        yield _cost(stored, since, truth, is_last=True)


def _cost(stored: dict[int, WorthRow], since: int, truth: float, *, is_last: bool) -> CostOutcome:
    cost = estimate_cost([row for at, row in stored.items() if at >= since])
    assert cost.interval is not None
    assert cost.value is not None
    return CostOutcome(
        interval=cost.interval,
        value=cost.value,
        truth=truth,
        is_last=is_last,
        dated_late=since - CHANGE_DAY,
    )


def _worth_row(measurement: Measurement) -> WorthRow:
    assert measurement.value is not None
    assert measurement.was is not None
    return WorthRow(
        rows=measurement.rows or 0,
        value=measurement.value,
        interval=measurement.interval,
        was=measurement.was,
        was_interval=measurement.was_interval,
        unit=measurement.unit,
    )


def main() -> None:
    """Print the share of intervals that hold the true cost, for several sizes of change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rows", type=int, nargs="*", default=[400])
    parser.add_argument("--missed", type=float, nargs="*", default=[0.05])
    arguments = parser.parse_args()
    for rows in arguments.rows:
        for missed in arguments.missed:
            outcomes = [
                outcome
                for seed in range(arguments.models)
                for outcome in simulate(seed, rows, missed)
            ]
            for is_last in (False, True):
                _print(f"{rows} rows a day, {missed:.0%} missed", outcomes, is_last=is_last)


def _print(title: str, outcomes: list[CostOutcome], *, is_last: bool) -> None:
    """Print how good the costs in messages are, or those on the last day."""
    chosen = [outcome for outcome in outcomes if outcome.is_last == is_last]
    if not chosen:
        print(f"{title}: no incident")
        return
    covered = [o.interval[0] <= o.truth <= o.interval[1] for o in chosen]
    late = np.array([outcome.dated_late for outcome in chosen])
    print(
        f"{title}, {'last day' if is_last else 'messages'}: {np.mean(covered):.1%} of "
        f"{len(chosen)} intervals hold the cost; the incident begins {late.mean():+.2f} days after "
        f"the change, on its day {np.mean(late == 0):.0%}; bias "
        f"{np.mean([o.value / o.truth - 1 for o in chosen]):+.1%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
