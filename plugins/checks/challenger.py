"""Compares two versions of a model on live traffic: promote the challenger, keep, or wait.

Needs labels. The answer is valid however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from pydantic import PositiveFloat

from driftline import AlertFact, Check, CheckContext, Measurement, above, hookimpl, stats
from driftline.kit.checks import Decision, Scores, Wording, phrasing

MOST_WINDOWS = 10_000
"""Earlier windows that are added up."""


class Challenger(Check):
    """Compares the errors of two versions of the model: the champion and the challenger.

    Both versions judge rows of the same windows: the traffic is split, or one of them runs in the
    shadow. The error of a row is 1 for a wrong class, or the absolute error of a number.
    `loss_difference` is the mean error of the champion less that of the challenger, over all
    windows in which both have labelled rows. Its interval holds at all times together
    (Waudby-Smith et al. 2024). The decision is `promote` once it lies above 0; `keep` and `wait`
    stand in the detail, with the rows that are still needed. The other measurements are those of
    one window.

    | input | answer |
    | --- | --- |
    | neither version is named | no value, with the reason |
    | a window of another version | no measurement |
    | versions that never share a window | no value, with the reason |
    | no labelled rows of one of them in this window | the value of the windows before |
    | fewer than 200 rows or 25 errors of a version | `wait`, with the rows needed |
    """

    type = "challenger"
    cause = "performance"
    main = "loss_difference"
    collectors: ClassVar = frozenset({"scores"})
    default_rules: ClassVar = {"loss_difference": above(info=0.0)}
    min_rows = 200
    uses_labels = True
    wordings: ClassVar = {
        "loss_difference": Wording(
            noun="challenger",
            sentence=lambda alert: _sentence(alert),
            advice=lambda alert: "Promote the challenger.",
            hides_value=True,
        ),
    }

    champion: str = ""
    """The version that is in use."""
    challenger: str = ""
    """The version that may replace it."""
    least_gain: PositiveFloat = 0.01
    """The difference of mean errors from which on the challenger is worth it."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the difference of this window, then that of all windows."""
        if not self.champion or not self.challenger:
            reason = "name the champion and the challenger"
            yield Measurement(None, name="loss_difference", rows=0, reason=reason)
            return
        if ctx.current.version != self.champion:
            return
        window = _difference(ctx.current.scores, ctx.of_version(self.challenger).scores)
        parts = [] if window is None else [window]
        if window is not None:
            for name, value in (
                ("window_difference", window.value),
                ("window_variance", window.variance),
                ("window_events", float(window.events)),
            ):
                yield Measurement(value, name=name, rows=window.rows)
        parts += self._earlier(ctx)
        total = _add(parts)
        result = stats.judge_challenger(total, least_gain=self.least_gain)
        verdict = result.verdict.value
        detail: dict[str, str | float | int | None] = {
            "verdict": verdict,
            "champion": self.champion,
            "challenger": self.challenger,
            "windows": len(parts),
            "rows_needed": result.rows_needed,
        }
        is_better = result.verdict is stats.ChallengeVerdict.PROMOTE
        is_decided = result.interval is not None and result.rows >= self.min_rows
        yield Measurement(
            result.difference,
            name="loss_difference",
            rows=result.rows,
            interval=result.interval if is_decided else None,
            reason="" if total is not None else "the versions share no window with labelled rows",
            detail=detail,
            decision=Decision.PROMOTE if is_better else None,
        )

    def _earlier(self, ctx: CheckContext) -> list[stats.LossDifference]:
        series = [
            {past.start: past for past in ctx.history(name, limit=MOST_WINDOWS)}
            for name in ("window_difference", "window_variance", "window_events")
        ]
        values, variances, events = series
        return [
            stats.LossDifference(
                value=past.value,
                variance=variances[start].value,
                rows=past.rows,
                events=int(events[start].value),
            )
            for start, past in values.items()
            if start in variances and start in events
        ]


def _difference(champion: Scores, challenger: Scores) -> stats.LossDifference | None:
    """The difference of both in one window; None where a side has no labelled rows."""
    sides = [_sums(scores) for scores in (champion, challenger)]
    if any(rows < 2 for rows, _, _, _ in sides):
        return None
    means = [total / rows for rows, total, _, _ in sides]
    variance = sum(
        # Half an error is added on both sides: a window without errors is not without variance.
        max(squares / rows - mean**2, 0.25 / rows) / rows
        for (rows, _, squares, _), mean in zip(sides, means, strict=True)
    )
    return stats.LossDifference(
        value=means[0] - means[1],
        variance=variance,
        rows=int(min(rows for rows, _, _, _ in sides)),
        events=max(events for _, _, _, events in sides),
    )


def _sums(scores: Scores) -> tuple[int, float, float, int]:
    """Rows, sum and sum of squares of the losses, and rows with a loss."""
    if scores.regression.n:
        sums = scores.regression
        return sums.n, sums.abs_e, sums.e2, sums.n
    rows = sum(scores.confusion.values())
    errors = sum(count for (label, guess), count in scores.confusion.items() if label != guess)
    return rows, float(errors), float(errors), errors


def _add(parts: list[stats.LossDifference]) -> stats.LossDifference | None:
    """The mean difference of all windows, each by its rows."""
    rows = sum(part.rows for part in parts)
    if not rows:
        return None
    return stats.LossDifference(
        value=math.fsum(part.rows * part.value for part in parts) / rows,
        variance=math.fsum(part.rows**2 * part.variance for part in parts) / rows**2,
        rows=rows,
        events=sum(part.events for part in parts),
    )


def _sentence(alert: AlertFact) -> str:
    name = alert.detail.get("challenger")
    if alert.value is None or not isinstance(name, str):
        return ""
    text = f"version {name} errs less than the champion, by {phrasing.number(alert.value)}"
    if alert.interval is not None:
        low, high = (phrasing.number(end) for end in alert.interval)
        text += f" (at all times: {low} to {high})"
    return text


@hookimpl
def register_checks() -> list[type[Check]]:
    """The comparison of two versions."""
    return [Challenger]
