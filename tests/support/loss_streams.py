"""Simulated streams of one metric, judged as the agent judges them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from driftline import Measurement, Schema, stats
from driftline.contracts.loss import Loss
from driftline.contracts.rule import loss
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.trail import Stream, stream_of
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.types.records import JudgedMeasurement, WindowKey
from driftline.types.times import DAY_MICROS, HOUR_MICROS

START = 20_000 * DAY_MICROS
RULE = loss(warning=0.03, critical=0.05).loss
NO_METRIC = Measurement(None, reason="no labelled rows")


def a_judge(length: int = DAY_MICROS) -> PastJudge:
    policy = AlarmPolicy(length)
    return PastJudge(policy.make_trail(), policy, Schema())


@dataclass
class JudgedStream:
    """One stream of a metric, window by window; keeps what the agent would store."""

    length: int = DAY_MICROS
    rule: Loss | None = RULE
    share: int = 5
    """Streams that divide the budget: the others are judged beside it and never change."""
    rule_of_others: Loss | None = None
    """The rule of the other streams; that of this stream if None."""
    judge: PastJudge = field(init=False)
    rows: dict[int, JudgedMeasurement] = field(default_factory=dict)
    """By start of the window, as stored last."""
    traces: dict[int, list[tuple[int, Stream, bytes]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.judge = a_judge(self.length)

    def window(self, place: int, measurement: Measurement) -> JudgedMeasurement:
        """Judge the window at `place`."""
        start = START + place * self.length
        quiet = Measurement(0.8, name="quiet", rows=500, interval=(0.77, 0.83), was=0.8)
        names = ["", *(f"quiet {number}" for number in range(1, self.share))]
        rows = [
            (
                WindowKey("m", start, "", name),
                self._row(quiet, self.rule_of_others or self.rule)
                if name
                else self._row(measurement, self.rule),
            )
            for name in names
        ]
        judged = self.judge.judge(start, rows)
        self.rows[place] = judged[0]
        self.traces[place] = [
            (start, stream_of(key, row), row.trace)
            for (key, _), row in zip(rows, judged, strict=True)
            if row.trace is not None
        ]
        return judged[0]

    def restart(self) -> None:
        """Forget all but what is stored."""
        self.judge = a_judge(self.length)
        self.judge.restore(row for place in sorted(self.traces) for row in self.traces[place])

    def _row(self, measurement: Measurement, rule: Loss | None) -> JudgedMeasurement:
        return JudgedMeasurement(
            check="performance",
            measurement=measurement,
            rows=measurement.rows or 0,
            cause="performance",
            past_rule=rule if measurement.value is not None else None,
        )

    @property
    def is_on(self) -> list[bool]:
        """Whether each window was changed, in the order of time."""
        return [self.rows[place].verdict == "changed" for place in sorted(self.rows)]

    @property
    def openings(self) -> int:
        """How often a change began."""
        on = self.is_on
        return sum(now and not before for before, now in zip([False, *on], on, strict=False))


def accuracy(
    rng: np.random.Generator,
    share: float,
    rows: int,
    reference: tuple[int, int] = (2225, 2500),
) -> Measurement:
    """A window of a model that is right in `share` of its rows; `reference` is right of all."""
    right = int(rng.binomial(rows, share))
    now, was = stats.rate(right, rows, ""), stats.rate(*reference, "")
    return Measurement(
        now.value,
        name="accuracy",
        rows=rows,
        interval=now.interval,
        was=was.value,
        was_interval=was.interval,
    )


def run(
    share: Callable[[int], float],
    windows: int,
    *,
    seed: int,
    rows: int = 500,
    length: int = DAY_MICROS,
    reference: tuple[int, int] = (2225, 2500),
    **settings: Any,
) -> JudgedStream:
    """Judge windows whose share of right rows is `share(window)`."""
    rng = np.random.default_rng(seed)
    stream = JudgedStream(length, **settings)
    for place in range(windows):
        stream.window(place, accuracy(rng, share(place), rows, reference))
    return stream


def is_night(place: int) -> bool:
    """Whether a window of an hour lies between 22:00 and 7:00."""
    return place % 24 < 7 or place % 24 >= 22


HOUR = HOUR_MICROS
Places = Sequence[int]
