"""How soon the check `fairness` reports unfairness of a group, and how often without any.

    python benchmarks/fairness_power.py --seeds 100 --years 20

A model approves half of the rows of four groups of the same size, and is right in 80% of them. Half
of the models have labels. From one day on it approves 10 points fewer of one group. The delay is
that until the first incident that names the group. Without unfairness every incident is a false
alarm. Checks, rules, evidence and incidents are the agent's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from driftline_plugins.checks.fairness import Fairness
from false_alarms import poisson_bounds
from judged_days import DayJudge, profile_day, profile_reference

from driftline import Field, Kind, Schema
from driftline.evaluate.check_plan import CheckPlan
from driftline.profiles.spec import make_spec
from driftline.types.family import Family
from driftline.types.model import Task
from driftline.types.notification import Event

GROUPS = ("a", "b", "c", "d")
SCHEMA = Schema(
    features={"group": Field("group", "group", Kind.CATEGORICAL)},
    prediction=Field("prediction", "prediction", Kind.CATEGORICAL),
    label=Field("label", "label", Kind.CATEGORICAL),
    task=Task.BINARY,
    segments=("group",),
)
PLANS = [CheckPlan(name="fairness", check=Fairness(facets=("group",)))]
REFERENCE_ROWS, CHANGE_DAY, LATEST = 8_000, 14, 7


@dataclass(frozen=True, kw_only=True)
class Opening:
    """An incident that opened."""

    day: int
    title: str
    groups: frozenset[str]
    """The groups that its alerts name."""


class Lender:
    """One simulated model with its reference and the judge of its days."""

    def __init__(self, seed: int, rows: int, *, has_labels: bool) -> None:
        """`rows` is the mean number of rows of each group in a day (Poisson)."""
        self._rng, self._rows, self._has_labels = np.random.default_rng(seed), rows, has_labels
        batch = self._draw(REFERENCE_ROWS, 0.0)
        self._spec = make_spec(
            SCHEMA,
            {},
            {
                "group": dict.fromkeys(GROUPS, 1),
                **{c: {"0": 1, "1": 1} for c in ("prediction", "label")},
            },
            collectors=("categories", "scores"),
        )
        references = {
            f"group={name}": profile_reference(self._spec, part) for name, part in _split(batch)
        }
        reference = profile_reference(self._spec, batch)
        self._judge = DayJudge(SCHEMA, reference, PLANS, segments=references)

    def judge(self, day: int, points: float) -> Iterator[Opening]:
        """Judge a day on which the last group has `points` fewer approvals."""
        count = max(1, int(self._rng.poisson(self._rows * len(GROUPS))))
        batch = self._draw(count, points)
        groups = {
            f"group={name}": profile_day(self._spec, part, day) for name, part in _split(batch)
        }
        window = profile_day(self._spec, batch, day)
        for change in self._judge.judge(day, window, groups=groups):
            incident = change.incident
            if (
                change.event in (Event.OPENED, Event.REOPENED)
                and incident.cause != Family.MONITORING
            ):
                named = frozenset(
                    alert.labels.get("group", "") for alert in change.notification.alerts
                )
                yield Opening(day=day, title=incident.title, groups=named)

    def _draw(self, count: int, points: float) -> pa.RecordBatch:
        rng = self._rng
        group = rng.integers(len(GROUPS), size=count)
        approved = rng.random(count) < np.where(group == len(GROUPS) - 1, 0.5 - points, 0.5)
        right = rng.random(count) < 0.8
        label = [
            str(int(a == r)) if self._has_labels else None
            for a, r in zip(approved, right, strict=True)
        ]
        columns = {
            "group": [GROUPS[place] for place in group],
            "prediction": approved.astype(int).astype(str).tolist(),
            "label": label,
        }
        return pa.RecordBatch.from_pydict(
            {
                name: pa.array(texts, pa.string()).dictionary_encode()
                for name, texts in columns.items()
            }
        )


def _split(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
    names = np.array(batch["group"].to_pylist())
    for name in GROUPS:
        yield name, batch.filter(pa.array(names == name))


def days_until_reported(
    seed: int,
    *,
    rows: int = 500,
    points: float = 0.1,
    has_labels: bool = True,
    latest: int = LATEST,
) -> int | None:
    """Days until an incident names the group; None where none does within `latest` days."""
    lender = Lender(seed, rows, has_labels=has_labels)
    for day in range(CHANGE_DAY + latest):
        openings = list(lender.judge(day, points if day >= CHANGE_DAY else 0.0))
        if day >= CHANGE_DAY and any(GROUPS[-1] in opening.groups for opening in openings):
            return day - CHANGE_DAY + 1
    return None


def false_alarms(
    seed: int, *, days: int = 366, rows: int = 500, has_labels: bool = True
) -> list[Opening]:
    """The incidents of a year in which all groups are treated alike."""
    lender = Lender(seed, rows, has_labels=has_labels)
    return [opening for day in range(days) for opening in lender.judge(day, 0.0)]


def main() -> None:
    """Print the share of changes that are reported in time, and the false alarms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=100, help="models that become unfair")
    parser.add_argument("--years", type=int, default=20, help="model-years without unfairness")
    parser.add_argument("--rows", type=int, default=500, help="rows of a group in a day")
    parser.add_argument("--points", type=float, default=0.1)
    options = parser.parse_args()
    for has_labels in (True, False):
        delays = [
            days_until_reported(
                seed, rows=options.rows, points=options.points, has_labels=has_labels
            )
            for seed in range(options.seeds // 2)
        ]
        known = sorted(delay for delay in delays if delay is not None)
        if delays:
            print(
                f"{'with' if has_labels else 'without'} labels: {len(known)} of {len(delays)} reported "
                f"within {LATEST} days; median {np.median(known) if known else float('nan'):g} days",
                flush=True,
            )
    openings = []
    for seed in range(options.years):
        found = false_alarms(10_000 + seed, rows=options.rows, has_labels=seed % 2 == 0)
        openings += found
        print(f"year {seed}: {[(one.day, one.title) for one in found]}", flush=True)
    if options.years:
        low, high = poisson_bounds(len(openings), options.years)
        print(
            f"{len(openings)} false alarms in {options.years} model-years ({low:.2f} to {high:.2f} a year)"
        )


if __name__ == "__main__":
    main()
