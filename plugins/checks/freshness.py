"""Measures how old the newest record is when a window ends.

Does not read the clock: the end of the window is the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from driftline import Check, CheckContext, Measurement, above, hookimpl
from driftline.kit.checks import Wording, phrasing


def _age_sentence(age: str | float | None) -> str:
    if not isinstance(age, (int, float)):
        return ""
    return f"newest record {phrasing.duration(age)} old"


def _past_age_sentence(age: str | float | None) -> str:
    if not isinstance(age, (int, float)):
        return ""
    return f"the newest record was {phrasing.duration(age)} old"


class Freshness(Check):
    """Measures the age of the newest record at the end of the window.

    age_seconds is the time from the model's newest event to the end of the window. staleness is
    that age over the limit.

    | input | answer |
    | --- | --- |
    | no data ever | no value, with the reason |
    | a window without rows | the age of the newest event before it |
    | a window without start or end | no value, with the reason |
    """

    type = "freshness"
    cause = "service"
    main = "age_seconds"
    collectors: ClassVar = frozenset()
    default_rules: ClassVar = {"staleness": above(critical=1.0)}
    min_rows = 0
    on_empty = True
    default_for: ClassVar = frozenset()
    default_place = 70
    inhibits: ClassVar = (
        ("family=service,measurement=age_seconds|staleness", "family=drift|quality"),
    )
    wordings: ClassVar = {
        "age_seconds": Wording(
            sentence=lambda alert: _age_sentence(alert.value),
            past=lambda alert: _past_age_sentence(alert.value),
        ),
        "staleness": Wording(
            sentence=lambda alert: _age_sentence(alert.detail.get("age_seconds")),
            past=lambda alert: _past_age_sentence(alert.detail.get("age_seconds")),
            hides_value=True,
        ),
    }

    limit: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The age in seconds from which data is stale; when absent, twice the length of the window."""

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield the age and the staleness."""
        window = ctx.current
        reason = ""
        if window.start is None or window.end is None:
            reason = "the window is no span of time"
        elif window.last_seen is None:
            reason = "no data has ever been seen"
        if reason or window.start is None or window.end is None or window.last_seen is None:
            yield Measurement(None, name="age_seconds", reason=reason)
            yield Measurement(None, name="staleness", reason=reason)
            return
        age = max(0.0, (window.end - window.last_seen).total_seconds())
        limit = self.limit or 2 * (window.end - window.start).total_seconds()
        yield Measurement(age, name="age_seconds", unit="s", detail={"limit": limit})
        if limit > 0:
            yield Measurement(
                age / limit,
                name="staleness",
                unit="of the limit",
                detail={"age_seconds": age, "limit": limit},
            )
        else:
            yield Measurement(None, name="staleness", reason="the window has no length")


@hookimpl
def register_checks() -> list[type[Check]]:
    """The freshness check."""
    return [Freshness]
