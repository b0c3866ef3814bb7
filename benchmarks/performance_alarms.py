"""False alarms and power of the performance check, on rows with labels.

    python benchmarks/performance_alarms.py --out build/performance.jsonl
    python benchmarks/performance_alarms.py --cells "500 labels a day" --models 4 --days 90
    python benchmarks/performance_alarms.py --quick

Each model has a reference of 2,500 rows without times, then one window a day. Rows are drawn, then
profiled and judged by the agent's own code: accuracy, recall, ROC AUC, Brier score and calibration
gap together. A share of the labels is wrong; its changes make accuracy and AUC better and worse
from day to day (`wobble`), at weekends, or lastingly (`loss`). An alarm is an incident that opens.
What the output file has is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from driftline_plugins.checks.performance import Performance
from false_alarms import poisson_bounds
from judged_days import DAY, DayJudge, profile_day, profile_reference
from numpy.typing import NDArray
from streams import START

from driftline import Field, Kind, Schema
from driftline.evaluate.check_plan import CheckPlan
from driftline.profiles.spec import make_spec
from driftline.types.model import Task
from driftline.types.notification import Event

SCHEMA = Schema(
    score=Field("score", "score", Kind.NUMERIC),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
)
PLANS = [CheckPlan(name="performance", check=Performance())]
REFERENCE_ROWS = 2_500
POSITIVES = 0.4
SEPARATION = 3.0
"""Distance between the means of both classes, in standard deviations."""
WRONG_LABELS = 0.06
"""Share of labels that are wrong; accuracy is 0.88 with it."""
LOSS_BEGIN, LOSS_END, LOSS_DAYS = 20, 65, 90
"""First day of a loss, the day after its last one, and the days of a simulation of it."""


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How the performance of a model differs from day to day, in accuracy."""

    name: str
    labels: int
    """Mean number of rows with a label of a day (Poisson)."""
    wobble: float = 0.0
    """Standard deviation between days."""
    weekend: float = 0.0
    """How much lower it is at weekends."""
    loss: float = 0.0
    """How much lower it is from `LOSS_BEGIN` to `LOSS_END`."""


def _regimes() -> tuple[Regime, ...]:
    regimes = []
    for labels in (120, 500, 5_000):
        name = f"{labels:,} labels a day"
        regimes += [
            Regime(name=name, labels=labels),
            Regime(name=f"{name}, wobble of 1 point", labels=labels, wobble=0.01),
            Regime(name=f"{name}, weekend -3 points", labels=labels, weekend=0.03),
        ]
    return tuple(regimes)


REGIMES = _regimes()
LOSSES = tuple(
    Regime(name=f"500 labels a day, loss of {points} points", labels=500, loss=points / 100)
    for points in (5, 9)
)


class Model:
    """One simulated model with its reference and the judge of its days."""

    def __init__(self, rng: np.random.Generator, regime: Regime) -> None:
        self._rng, self._regime = rng, regime
        score, label = self._scores(100_000)
        # A wrong label turns right rows into wrong ones, and wrong rows into right ones.
        self._right = 2 * float(((score >= 0.5) == label).mean()) - 1
        is_weekend = rng.random(REFERENCE_ROWS) < 2 / 7
        batch = self._rows(REFERENCE_ROWS, regime.weekend * is_weekend)
        self._spec = make_spec(
            SCHEMA,
            {"score": batch["score"].to_numpy()},
            {"label": {"0": 1, "1": 1}},
            collectors=("numeric", "categories", "scores"),
        )
        self._judge = DayJudge(SCHEMA, profile_reference(self._spec, batch), PLANS)

    def judge(self, day: int) -> tuple[Event, ...]:
        """Draw and judge the rows of a day; return the events of incidents."""
        regime, rows = self._regime, max(int(self._rng.poisson(self._regime.labels)), 1)
        drop = regime.weekend * ((START + day * DAY).weekday() >= 5)
        drop += regime.loss * (LOSS_BEGIN <= day < LOSS_END)
        drop += self._rng.normal(0, regime.wobble)
        batch = self._rows(rows, np.full(rows, drop))
        changes = self._judge.judge(day, profile_day(self._spec, batch, day))
        return tuple(change.event for change in changes)

    def _scores(self, rows: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Calibrated scores, and the labels before some of them are made wrong, shape (rows,)."""
        label = self._rng.random(rows) < POSITIVES
        evidence = SEPARATION * (self._rng.normal(size=rows) + SEPARATION * (label - 0.5))
        return 1 / (1 + np.exp(-evidence - np.log(POSITIVES / (1 - POSITIVES)))), label

    def _rows(self, rows: int, drop: NDArray[np.float64]) -> pa.RecordBatch:
        """Rows whose accuracy is lower by `drop`, shape (rows,), than usual."""
        score, label = self._scores(rows)
        is_wrong = self._rng.random(rows) < WRONG_LABELS + drop / self._right
        labels = pa.array(np.where(label != is_wrong, "1", "0").tolist()).dictionary_encode()
        return pa.RecordBatch.from_arrays([pa.array(score), labels], ["score", "label"])


@dataclass(frozen=True, kw_only=True)
class RegimeResult:
    """The incidents of all models of a regime."""

    regime: str
    days: int
    openings: list[list[int]]
    """Days on which incidents of each model opened."""
    ends: list[list[int]]
    """Days on which they ended."""
    seconds: float

    @property
    def line(self) -> str:
        """The result for people."""
        years = len(self.openings) * self.days / 365.25
        count = sum(map(len, self.openings))
        low, high = poisson_bounds(count, years)
        return (
            f"{self.regime:45} {count / years:6.2f} incidents a model-year "
            f"({low:.2f} to {high:.2f}; {len(self.openings)} models, "
            f"{self.days} days; {self.seconds:.0f} s)"
        )

    @property
    def loss_line(self) -> str:
        """How the loss was found and how it ended, as shares of the models."""
        during = [[d for d in days if LOSS_BEGIN <= d < LOSS_END] for days in self.openings]
        delays = [days[0] - LOSS_BEGIN + 1 if days else LOSS_DAYS for days in during]
        within = ", ".join(
            f"{np.mean([delay <= days for delay in delays]):.0%} in {days} days"
            for days in (4, 7, 14)
        )
        is_single = np.mean([len(days) == 1 for days in during])
        ends = [[day for day in days if day >= LOSS_END] for days in self.ends]
        closes = np.mean([bool(days) and days[0] < LOSS_END + 10 for days in ends])
        early = np.mean([any(d < LOSS_BEGIN for d in days) for days in self.openings])
        return (
            f"{self.regime:45} found {within} (median {np.median(delays):.0f}); opened once "
            f"{is_single:.0%}; over within 10 windows {closes:.0%}; "
            f"false before it {early:.0%}; {len(during)} seeds"
        )


def run(regime: Regime, *, models: int, days: int) -> RegimeResult:
    """Judge all models of a regime."""
    began, openings, ends = time.monotonic(), [], []
    for seed in range(models):
        model = Model(np.random.default_rng((seed, regime.labels)), regime)
        opened: list[int] = []
        ended: list[int] = []
        for day in range(days):
            for event in model.judge(day):
                if event in (Event.OPENED, Event.REOPENED):
                    opened.append(day)
                elif event is Event.RESOLVED:
                    ended.append(day)
        openings.append(opened)
        ends.append(ended)
    return RegimeResult(
        regime=regime.name,
        days=days,
        openings=openings,
        ends=ends,
        seconds=round(time.monotonic() - began, 1),
    )


def main() -> None:
    """Print false incidents of all regimes, then how losses are found and end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--days", type=int, default=366)
    parser.add_argument("--seeds", type=int, default=100, help="models of each loss")
    parser.add_argument("--cells", nargs="*", help="names of regimes; all when absent")
    parser.add_argument("--out", type=Path, help="JSON Lines; what is there is not run again")
    parser.add_argument("--quick", action="store_true", help="one model, 60 days, two seeds")
    options = parser.parse_args()
    models, days, seeds = (
        (1, 60, 2)
        if options.quick
        else (
            options.models,
            options.days,
            options.seeds,
        )
    )
    results: dict[str, RegimeResult] = {}
    if options.out is not None and options.out.exists():
        for text in options.out.read_text().splitlines():
            result = RegimeResult(**json.loads(text))
            results[result.regime] = result
    for regime in (*LOSSES, *REGIMES):
        if options.cells and regime.name not in options.cells:
            continue
        if regime.name not in results:
            count, length = (seeds, LOSS_DAYS) if regime.loss else (models, days)
            results[regime.name] = run(regime, models=count, days=length)
            if options.out is not None:
                options.out.parent.mkdir(exist_ok=True, parents=True)
                with options.out.open("a") as out:
                    out.write(json.dumps(asdict(results[regime.name])) + "\n")
        result = results[regime.name]
        print(result.loss_line if regime.loss else result.line, flush=True)


if __name__ == "__main__":
    main()
