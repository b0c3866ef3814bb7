"""Groups stored measurements as series, one for each number over windows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.contracts.chart import Chart
from driftline.state.series import SeriesValue
from driftline.types.model import Severity, Verdict
from driftline.types.notification import AlertFact
from driftline.types.phrasing import number, share
from driftline.types.times import from_micros

if TYPE_CHECKING:
    from driftline.agent.model_settings import ModelSettings
    from driftline.contracts.check import Check
    from driftline.extensions.phrasebook import Phrasebook

PLAIN = Chart()
"""How a measurement is drawn whose check declares nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The values of one measurement over windows."""

    check: str
    family: str
    measurement: str
    noun: str
    """What people call the number."""
    subject: str
    """The column or group; empty for the model as a whole."""
    column: str
    values: Sequence[SeriesValue]
    """Oldest first; windows without a value are among them."""
    chart: Chart = PLAIN
    """How it is drawn, as its check declares."""
    estimated: str | None = None
    """The measurement by labels that it estimates, empty if none has it; None if it has labels."""

    @property
    def newest(self) -> SeriesValue:
        """The newest value; the newest without one where no window has any."""
        return next(
            (value for value in reversed(self.values) if value.value is not None), self.values[-1]
        )

    @property
    def rank(self) -> tuple[int, int, float]:
        """The place in a list: what changed first, most severe first, then what moved most."""
        newest = self.newest
        order = [Verdict.CHANGED, Verdict.ERROR, Verdict.UNSURE, Verdict.OK]
        place = order.index(Verdict(newest.verdict)) if newest.verdict else len(order)
        severity = Severity(newest.severity).rank if newest.severity else 0
        return place, -severity, -self._movement

    @property
    def _movement(self) -> float:
        """How far the newest value lies from the middle of all, in half intervals or spreads."""
        numbers = sorted(value.value for value in self.values if value.value is not None)
        newest = self.newest
        if newest.value is None or len(numbers) < 3:
            return 0.0
        middle = numbers[len(numbers) // 2]
        spread = numbers[3 * len(numbers) // 4] - numbers[len(numbers) // 4]
        if newest.low is not None and newest.high is not None:
            spread = max(spread, (newest.high - newest.low) / 2)
        return abs(newest.value - middle) / spread if spread > 0 else 0.0


def format_value(value: float | None, unit: str) -> str:
    """Format a value of a series for people: a share in percent; empty for None."""
    if value is None:
        return ""
    return share(value) if unit == "share" and 0 <= value <= 1 else number(value)


def group_series(
    values: Sequence[SeriesValue], settings: ModelSettings, phrasebook: Phrasebook
) -> list[Series]:
    """Group measurements of a model: what changed first, then by family and name."""
    groups: dict[tuple[str, str, str], list[SeriesValue]] = {}
    for value in values:
        groups.setdefault((value.check, value.name, value.labels), []).append(value)
    checks = {plan.name: plan.check for plan in settings.plans}
    all_series = [
        _series(checks.get(check), group, phrasebook) for (check, _, _), group in groups.items()
    ]
    return sorted(all_series, key=lambda item: (*item.rank, item.family, item.subject, item.noun))


def _series(check: Check | None, values: list[SeriesValue], phrasebook: Phrasebook) -> Series:
    first, labels = values[0], json.loads(values[0].labels)
    family = "" if check is None else check.cause
    alert = AlertFact(
        check=first.check,
        measurement=first.name,
        labels=labels,
        cause=family,
        state="firing",
        severity="info",
        value=first.value if first.value is None or math.isfinite(first.value) else None,
        since=from_micros(first.start),
        rows=first.rows,
    )
    others = [f"{name} {value}" for name, value in labels.items() if name != "column"]
    return Series(
        check=first.check,
        family=family,
        measurement=first.name,
        noun=phrasebook.noun(alert),
        subject=" ".join([labels.get("column", ""), *others]).strip(),
        column=labels.get("column", ""),
        values=values,
        chart=PLAIN if check is None else check.charts.get(first.name, PLAIN),
        estimated=None if check is None else check.estimates.get(first.name),
    )
