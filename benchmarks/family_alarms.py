"""False alarms of the families beside drift, on rows, in years in which nothing happens.

    python benchmarks/family_alarms.py --out build/family_alarms.jsonl

A model of a binary decision has 500 rows a day: two features, a group, latency, status and cost of
each call. Its labels come at once, or half of them at once and the others three days later; without
labels only the reference has some. One budget is shared by the checks of performance, estimates
without labels, labels, plain statistics, missing values, fairness, business value and service
health, with their default rules. An alarm is an incident that opens. A message that there is too
little data to judge something is counted by itself: it is no false alarm. What the output file has
is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from driftline_plugins.checks.business_value import BusinessValue
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from driftline_plugins.checks.fairness import Fairness
from driftline_plugins.checks.labels import LabelCoverage
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.performance import Performance
from driftline_plugins.checks.service_health import ServiceHealth
from driftline_plugins.checks.statistics import Statistics
from false_alarms import poisson_bounds
from judged_days import DayJudge, profile_day, profile_reference
from numpy.typing import NDArray

from driftline import Field, Kind, Schema
from driftline.evaluate.check_plan import CheckPlan
from driftline.profiles.spec import make_spec
from driftline.types.family import Family
from driftline.types.model import ServiceColumns, Task
from driftline.types.notification import Event

SCHEMA = Schema(
    features={
        "age": Field("age", "age", Kind.NUMERIC),
        "income": Field("income", "income", Kind.NUMERIC),
        "region": Field("region", "region", Kind.CATEGORICAL),
    },
    score=Field("score", "score", Kind.NUMERIC),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
    segments=("region",),
    service=ServiceColumns(
        latency=Field("#latency", "latency", Kind.NUMERIC),
        status=Field("#status", "status", Kind.CATEGORICAL),
        cost=Field("#cost", "cost", Kind.NUMERIC),
    ),
)
BUSINESS = BusinessValue(
    values={"tp": 50.0, "fp": -10.0, "fn": -100.0, "tn": 0.0}, expressions={"margin": "income * 2"}
)
CHECKS = (
    Performance(),
    EstimatedPerformance(),
    LabelCoverage(),
    Statistics(),
    Missing(),
    Fairness(facets=("region",)),
    BUSINESS,
    ServiceHealth(),
)
PLANS = [CheckPlan(name=check.type, check=check) for check in CHECKS]
COLLECTORS = ("numeric", "categories", "scores", "prediction_errors", "sample")
REFERENCE_ROWS, DAY_ROWS = 5_000, 500
MEAN_INCOME = 3.0
"""Mean income, in standard deviations."""
REGIONS, REGION_SHARES = ("east", "north", "west"), (0.4, 0.35, 0.25)
LATE_DAYS = 3
"""Days after which the other half of the labels comes."""
KINDS = ("labels at once", "half of the labels late", "no labels")


class Model:
    """One simulated model with its reference and the judge of its days."""

    def __init__(self, rng: np.random.Generator, wobble: float) -> None:
        self._rng, self._wobble = rng, wobble
        batch = self._rows(REFERENCE_ROWS)
        self._spec = make_spec(
            SCHEMA,
            {name: batch[name].drop_null().to_numpy() for name in ("age", "income", "score")},
            {"label": {"0": 1, "1": 1}, "region": dict.fromkeys(REGIONS, 1)},
            collectors=(*COLLECTORS, "expressions", "service"),
            options=dict(BUSINESS.collector_options()),
        )
        references = {
            f"region={region}": profile_reference(self._spec, _of_region(batch, region))
            for region in REGIONS
        }
        self._judge = DayJudge(
            SCHEMA, profile_reference(self._spec, batch), PLANS, segments=references
        )
        self._late: dict[int, pa.RecordBatch] = {}

    def judge(self, day: int, kind: str) -> Iterator[str]:
        """Judge the rows of a day; return the title of each incident that opens."""
        batch = self._rows(max(1, int(self._rng.poisson(DAY_ROWS))))
        late = self._late.pop(day - LATE_DAYS, None)
        if late is not None:
            yield from self._judge_rows(day - LATE_DAYS, late, labels_only=True)
        if kind == "half of the labels late":
            self._late[day] = batch
            batch = _without_labels(batch, self._rng.random(batch.num_rows) < 0.5)
        elif kind == "no labels":
            batch = _without_labels(batch, np.ones(batch.num_rows, bool))
        yield from self._judge_rows(day, batch)

    def _judge_rows(
        self, day: int, batch: pa.RecordBatch, *, labels_only: bool = False
    ) -> Iterator[str]:
        groups = {
            f"region={region}": profile_day(self._spec, _of_region(batch, region), day)
            for region in REGIONS
        }
        window = profile_day(self._spec, batch, day)
        for change in self._judge.judge(day, window, groups=groups, labels_only=labels_only):
            if change.event in (Event.OPENED, Event.REOPENED):
                incident = change.incident
                yield f"{incident.cause} {incident.severity} {incident.title}"

    def _rows(self, rows: int) -> pa.RecordBatch:
        """Rows of a day. Income moves from day to day, and scores with it."""
        rng, shift = self._rng, self._rng.normal(0, self._wobble)
        income = rng.normal(shift, 1, rows)
        evidence = -1.0 + 1.5 * income + rng.normal(0, 2, rows)
        score = 1 / (1 + np.exp(-evidence))
        label = np.where(rng.random(rows) < score, "1", "0")
        columns = {
            "age": pa.array(rng.gamma(9, 5, rows)),
            "income": pa.array(MEAN_INCOME + income, mask=rng.random(rows) < 0.02),
            "region": _texts(rng.choice(REGIONS, rows, p=REGION_SHARES)),
            "score": pa.array(score),
            "label": _texts(label),
            "#latency": pa.array(rng.lognormal(4, 0.5, rows)),
            "#status": _texts(np.where(rng.random(rows) < 0.01, "500", "200")),
            "#cost": pa.array(rng.gamma(4, 0.01, rows)),
        }
        return pa.RecordBatch.from_pydict(columns)


def _texts(values: NDArray[np.str_]) -> pa.DictionaryArray:
    return pa.array(values.tolist()).dictionary_encode()


def _of_region(batch: pa.RecordBatch, region: str) -> pa.RecordBatch:
    return batch.filter(pa.array([value == region for value in batch["region"].to_pylist()]))


def _without_labels(batch: pa.RecordBatch, is_lost: NDArray[np.bool_]) -> pa.RecordBatch:
    labels = [
        None if lost else value
        for value, lost in zip(batch["label"].to_pylist(), is_lost, strict=True)
    ]
    place = batch.schema.get_field_index("label")
    return batch.set_column(place, "label", pa.array(labels, pa.string()).dictionary_encode())


@dataclass(frozen=True, kw_only=True)
class YearResult:
    """The incidents of one model."""

    kind: str
    wobble: float
    """Standard deviation between days of the mean income."""
    seed: int
    days: int
    incidents: list[str]
    """Day, family, severity and title of each incident."""
    seconds: float

    @property
    def alarms(self) -> list[str]:
        """The incidents that say that something has changed."""
        return [text for text in self.incidents if text.split()[1] != Family.MONITORING]


def run(kind: str, *, wobble: float, days: int, seed: int) -> YearResult:
    """Judge one model."""
    began = time.monotonic()
    model = Model(np.random.default_rng((seed, KINDS.index(kind), int(wobble * 100))), wobble)
    incidents = [f"{day} {title}" for day in range(days) for title in model.judge(day, kind)]
    return YearResult(
        kind=kind,
        wobble=wobble,
        seed=seed,
        days=days,
        incidents=incidents,
        seconds=round(time.monotonic() - began, 1),
    )


def main() -> None:
    """Run what the file doesn't have yet; print a line a model, and the bounds of all together."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="models of each kind and wobble")
    parser.add_argument("--days", type=int, default=366)
    parser.add_argument("--out", type=Path, help="JSON Lines; what is there is not run again")
    options = parser.parse_args()
    results: list[YearResult] = []
    if options.out is not None and options.out.exists():
        results = [YearResult(**json.loads(text)) for text in options.out.read_text().splitlines()]
    known = {(result.kind, result.wobble, result.seed) for result in results}
    for seed in range(options.rounds):
        for kind in KINDS:
            for wobble in (0.0, 0.05):
                if (kind, wobble, seed) in known:
                    continue
                result = run(kind, wobble=wobble, days=options.days, seed=seed)
                results.append(result)
                if options.out is not None:
                    options.out.parent.mkdir(exist_ok=True, parents=True)
                    with options.out.open("a") as out:
                        out.write(json.dumps(asdict(result)) + "\n")
                print(f"{kind}, wobble {wobble}, seed {seed}: {result.incidents}", flush=True)
    count = sum(len(result.alarms) for result in results)
    years = sum(result.days for result in results) / 365.25
    low, high = poisson_bounds(count, years)
    print(f"all: {count} alarms in {years:.1f} model-years ({low:.2f} to {high:.2f} a year)")


if __name__ == "__main__":
    main()
