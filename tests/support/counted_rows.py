"""Windows of counted rows, judged one after the other by the check `volume`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from driftline_plugins.checks.volume import Volume

from driftline import CheckContext, Measurement, Schema, Window
from driftline.kit.checks import PastValue


def measured(
    check: Volume, counts: Sequence[int], start: datetime, length: timedelta, first: int = 0
) -> list[tuple[datetime, str, Measurement]]:
    """Start, verdict and ratio of each window from number `first` on.

    The windows before it are known by their rows alone.
    """
    series: dict[str, list[PastValue]] = {"rows": []}
    found = []
    for number, count in enumerate(counts):
        at = start + number * length
        rows = int(count)
        if number < first:
            series["rows"].append(PastValue(at, value=float(rows), rows=rows, verdict=""))
            continue
        window = Window(rows=rows, start=at, end=at + length)
        context = CheckContext(
            current=window,
            reference=None,
            schema=Schema(),
            history=lambda name, labels=None, limit=100: series.get(name, [])[-limit:],
        )
        for item in list(check.evaluate(context)):
            if item.value is not None:
                past = PastValue(at, value=item.value, rows=rows, verdict="")
                series.setdefault(item.name, []).append(past)
            if item.name == "rows_ratio":
                judgement = check.default_rules["rows_ratio"].judge(item, rows, 0)
                found.append((at, judgement.verdict.value, item))
    return found


def changed(found: Sequence[tuple[datetime, str, Measurement]]) -> list[datetime]:
    """Starts of the changed windows."""
    return [at for at, verdict, _ in found if verdict == "changed"]
