"""Changes of many kinds, in rows of daily windows: days until the default checks report each.

    python benchmarks/detection_power.py
    python benchmarks/detection_power.py --seeds 40
    python benchmarks/detection_power.py --quick

A reference of 10,000 rows, then one window a day, profiled from rows. Each day shifts each column
by 0.05 standard deviations (`wobble`). Checks, rules, evidence engine, alerts and incidents are the
agent's own; only source and state are left out. A model has 20 columns; two pairs of them are correlated. The
changes are those that a distance of means or shares may miss: rare classes, one category of many, a
tenth of the rows, spread and tails, columns that decouple. All changes of a seed begin on day 70 of
the same stream. One change is confined to a segment that is declared, the rows of one plan.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from judged_days import DayJudge, profile_day, profile_reference
from numpy.typing import NDArray

from driftline import Field, Kind, Schema, Window
from driftline.alerting.incident import Change as IncidentChange
from driftline.profiles.categories import count_categories
from driftline.profiles.spec import make_spec
from driftline.types.notification import Event

NUMERIC = (*(f"x{number}" for number in range(13)), "amount", "count", "score", "optional")
CATEGORICAL = ("plan", "prediction", "product")
SCHEMA = Schema(
    features={
        **{name: Field(name, name, Kind.NUMERIC) for name in NUMERIC},
        **{name: Field(name, name, Kind.CATEGORICAL) for name in CATEGORICAL},
    }
)
REFERENCE_ROWS = 10_000
WOBBLE = 0.05
COUPLED = 0.9
"""Correlation of `x2` and `x3`."""
CHANGE_DAY, DAYS = 70, 110
Columns = dict[str, NDArray[np.generic]]
Segments = dict[str, Window]


@dataclass(frozen=True)
class Rates:
    """The rates that rows are drawn with."""

    plan_shares: tuple[float, ...] = (0.4, 0.3, 0.2, 0.1)
    positive: float = 0.05
    """Share of the rare prediction."""
    missing: float = 0.01
    """Share of rows in which `optional` is missing."""
    no_prediction: float = 0.0
    """Share of rows without a prediction."""


USUAL = Rates()


def draw(rng: np.random.Generator, rows: int, shifts: NDArray[np.float64], rates: Rates) -> Columns:
    """Draw the rows of one window; `shifts`, shape (17,), are those of the numeric columns."""
    normal = {name: rng.normal(size=rows) + shifts[place] for place, name in enumerate(NUMERIC)}
    columns: Columns = dict(normal)
    columns["x3"] = COUPLED * normal["x2"] + np.sqrt(1 - COUPLED**2) * normal["x3"]
    columns["x5"] = 0.5 * normal["x4"] + np.sqrt(0.75) * normal["x5"]
    columns["amount"] = np.exp(3 + normal["amount"])
    columns["count"] = rng.poisson(3 * np.exp(shifts[NUMERIC.index("count")]), rows).astype(float)
    columns["score"] = 1 / (1 + np.exp(2 - normal["score"]))
    columns["optional"] = np.where(rng.random(rows) < rates.missing, np.nan, normal["optional"])
    columns["plan"] = rng.choice(list("abcd"), rows, p=rates.plan_shares)
    prediction = np.where(rng.random(rows) < rates.positive, "1", "0").astype(object)
    prediction[rng.random(rows) < rates.no_prediction] = None
    columns["prediction"] = prediction
    columns["product"] = rng.choice([f"p{number}" for number in range(40)], rows)
    return columns


Alter = Callable[[np.random.Generator, Columns, NDArray[np.float64]], None]
"""Changes the drawn columns of a window in place; the array are the shifts of the day."""


@dataclass(frozen=True)
class Change:
    """One change: other rates, or columns that are altered after they are drawn."""

    rates: Rates = USUAL
    alter: Alter = lambda rng, columns, shifts: None
    has_segment: bool = False
    """Whether `SEGMENT` is declared; it is judged by itself from the first day on."""


def in_tenth(column: str, change: Callable[[NDArray[np.float64]], object]) -> Alter:
    """Alter a random tenth of the rows of a column."""

    def alter(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
        is_altered = rng.random(len(columns[column])) < 0.1
        columns[column] = np.where(is_altered, change(columns[column]), columns[column])

    return alter


def spread(factor: float) -> Alter:
    """Multiply the standard deviation of `x1`."""

    def alter(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
        columns["x1"] = shifts[1] + (columns["x1"] - shifts[1]) * factor

    return alter


def replace_share(column: str, value: str, share: float) -> Alter:
    """Give a share of the rows one value."""

    def alter(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
        is_replaced = rng.random(len(columns[column])) < share
        columns[column] = np.where(is_replaced, value, columns[column])

    return alter


def triple_tail(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
    """Multiply the largest hundredth of `amount` by three."""
    amount = columns["amount"]
    columns["amount"] = np.where(amount >= np.quantile(amount, 0.99), amount * 3, amount)


def raise_score(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
    """Multiply the score by 1.1, at most 1."""
    columns["score"] = np.minimum(columns["score"] * 1.1, 1)


def decouple(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
    """Draw `x3` anew: it has the same distribution, and nothing in common with `x2`."""
    spread = columns["x3"] - COUPLED * shifts[2] - np.sqrt(1 - COUPLED**2) * shifts[3]
    columns["x3"] = columns["x3"] - spread + rng.permutation(spread)


SEGMENT = "plan=d"
"""The segment that is declared for a change in it: a tenth of the rows."""


def shift_segment(rng: np.random.Generator, columns: Columns, shifts: NDArray[np.float64]) -> None:
    """Add one standard deviation to `x1` in the rows of the segment."""
    columns["x1"] = np.where(columns["plan"] == "d", columns["x1"] + 1, columns["x1"])


CHANGES: Mapping[str, Change] = {
    "share 10% to 20%": Change(Rates(plan_shares=(0.36, 0.26, 0.18, 0.2))),
    "prediction rate 5% to 7%": Change(Rates(positive=0.07)),
    "missing 1% to 3%": Change(Rates(missing=0.03)),
    "10% of rows: value 0": Change(alter=in_tenth("x1", lambda values: 0.0)),
    "10% of rows: +1 sd": Change(alter=in_tenth("x1", lambda values: values + 1)),
    "10% of rows: x100": Change(alter=in_tenth("amount", lambda values: values * 100)),
    "variance +30%": Change(alter=spread(np.sqrt(1.3))),
    "standard deviation +30%": Change(alter=spread(1.3)),
    "largest 1% x3": Change(alter=triple_tail),
    "new category 0.5%": Change(alter=replace_share("plan", "e", 0.005)),
    "new category 2%": Change(alter=replace_share("plan", "e", 0.02)),
    "one of 40 categories doubles": Change(alter=replace_share("product", "p0", 0.025)),
    "score +10%": Change(alter=raise_score),
    "columns decouple, 0.9 to 0": Change(alter=decouple),
    "missing predictions 0% to 25%": Change(Rates(no_prediction=0.25)),
    "declared segment of 10%: +1 sd": Change(alter=shift_segment, has_segment=True),
}


def make_batch(columns: Columns) -> pa.RecordBatch:
    """Rows as the agent reads them: NaN is missing, categories are dictionary-encoded."""
    arrays = [pa.array(columns[name], from_pandas=True) for name in NUMERIC]
    arrays += [pa.array(columns[name].tolist()).dictionary_encode() for name in CATEGORICAL]
    return pa.RecordBatch.from_arrays(arrays, [*NUMERIC, *CATEGORICAL])


@dataclass
class Result:
    """The result of one simulated stream."""

    delay: int | None = None
    """Days from the change to the first incident; None when there is none."""
    false_incidents: int = 0
    """Incidents before the change."""
    columns: set[str] = field(default_factory=set)
    """Columns that the first incident names."""


class Model:
    """One simulated model: its reference, and profiles of windows against its grid."""

    def __init__(self, rng: np.random.Generator) -> None:
        batch = make_batch(draw(rng, REFERENCE_ROWS, np.zeros(len(NUMERIC)), USUAL))
        values = {name: batch[name].drop_null() for name in batch.schema.names}
        self._spec = make_spec(
            SCHEMA,
            {name: values[name].to_numpy() for name in NUMERIC},
            {name: dict(count_categories(values[name])) for name in CATEGORICAL},
            collectors=("numeric", "categories", "sample"),
        )
        self.reference = profile_reference(self._spec, batch)
        self.segment_reference = profile_reference(self._spec, _of_segment(batch))

    def windows(self, columns: Columns, day: int, has_segment: bool) -> tuple[Window, Segments]:
        """The window of a day, and that of the segment where it is declared."""
        batch = make_batch(columns)
        segments = (
            {SEGMENT: profile_day(self._spec, _of_segment(batch), day, SEGMENT)}
            if has_segment
            else {}
        )
        return profile_day(self._spec, batch, day), segments


def _of_segment(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.filter(pc.equal(batch["plan"], "d"))


class Judge:
    """Judges the days of a model, alone or with a declared segment."""

    def __init__(self, model: Model, has_segment: bool) -> None:
        self.model, self.has_segment = model, has_segment
        segments = {SEGMENT: model.segment_reference} if has_segment else {}
        self._judge = DayJudge(SCHEMA, model.reference, segments=segments)

    def openings(self, day: int, columns: Columns) -> list[IncidentChange]:
        """The incidents that open with the window of a day."""
        window, segments = self.model.windows(columns, day, self.has_segment)
        changes = self._judge.judge(day, window, segments)
        return [change for change in changes if change.event in (Event.OPENED, Event.REOPENED)]


def run(names: Sequence[str], *, seed: int, rows: int) -> dict[str, Result]:
    """Judge a stream until day 70, and from there on once for each change."""
    rng = np.random.default_rng(seed)
    model = Model(rng)
    shifts = rng.normal(0, WOBBLE, (DAYS, len(NUMERIC)))
    kinds = {CHANGES[name].has_segment for name in names}
    judges = {has_segment: Judge(model, has_segment) for has_segment in kinds}
    false_incidents = dict.fromkeys(kinds, 0)
    for day in range(CHANGE_DAY):
        columns = draw(rng, rows, shifts[day], USUAL)
        for has_segment, judge in judges.items():
            false_incidents[has_segment] += len(judge.openings(day, columns))
    results = {}
    for name in names:
        change, result = CHANGES[name], Result()
        judge = deepcopy(judges[change.has_segment])
        result.false_incidents = false_incidents[change.has_segment]
        change_rng = np.random.default_rng((seed, list(CHANGES).index(name)))
        for day in range(CHANGE_DAY, DAYS):
            columns = draw(change_rng, rows, shifts[day], change.rates)
            change.alter(change_rng, columns, shifts[day])
            openings = judge.openings(day, columns)
            if openings:
                result.delay = day - CHANGE_DAY + 1
                alerts = openings[0].notification.alerts
                result.columns = {alert.labels.get("column", "") for alert in alerts}
                break
        results[name] = result
    return results


def describe(results: Sequence[Result]) -> str:
    """The delays of all seeds in words."""
    delays = sorted(np.inf if result.delay is None else result.delay for result in results)
    columns = " ".join(sorted(set().union(*(result.columns for result in results))))
    within = ", ".join(
        f"{np.mean([delay <= days for delay in delays]):.0%} in {days}" for days in (2, 4, 7, 14)
    )
    return f"median {np.median(delays):4.0f}; {within}; never {delays.count(np.inf)}; {columns}"


def main() -> None:
    """Print one line for each change, over all seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rows", type=int, default=1_000, help="rows of a window")
    parser.add_argument("--changes", nargs="*", default=list(CHANGES), choices=list(CHANGES))
    parser.add_argument("--quick", action="store_true", help="one seed, two changes")
    options = parser.parse_args()
    start = time.monotonic()
    names = options.changes[:2] if options.quick else options.changes
    runs = [
        run(names, seed=seed, rows=options.rows)
        for seed in range(1 if options.quick else options.seeds)
    ]
    for name in names:
        print(f"{name:30} days: {describe([results[name] for results in runs])}")
    false_incidents = sum(next(iter(results.values())).false_incidents for results in runs)
    print(
        f"{false_incidents} incidents in {CHANGE_DAY} days before the change of {len(runs)} seeds"
    )
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
