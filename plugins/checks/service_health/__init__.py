"""Measures how the service answers: latency, errors, time-outs, throughput, cost and objectives.

Does not call the service: it reads what the log says about each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from driftline import (
    Check,
    CheckContext,
    Collector,
    Measurement,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import canonical_value
from driftline.kit.checks.service_calls import ServiceCalls

from .call_rates import measure_rate, measure_throughput, measure_unusable
from .collector import ServiceCollector
from .objectives import ErrorBudget, Objectives, measure_burn_rates
from .sentences import WORDINGS

USUAL_WINDOWS = 100
"""The earlier windows whose median is the usual value in messages."""
QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}


class ServiceHealth(Check):
    """Measures latency, errors, time-outs, throughput and cost per call.

    `schema.service` names the columns. Latency quantiles are within 1%, with the interval of ranks.
    Calls with a status of 500 to 599, or one of gRPC that means the same, are errors; 408, 504, 524
    and DEADLINE_EXCEEDED are time-outs, and count as errors too. Other statuses, such as 404, are
    answers. With `slo`, the burn rates of each error budget are measured by the published table for
    several windows: burn_rate_1h above 14.4 and burn_rate_6h above 6 are critical, burn_rate_3d
    above 1 is a warning. Each is the smaller rate of its two spans: 1 h and 5 min, 6 h and 30 min,
    3 d and 6 h. Spans are whole windows, at least one.

    | input | answer |
    | --- | --- |
    | no such column in `schema.service` | it is not measured |
    | a latency or cost below 0, or no finite number | it counts in unusable_rate only |
    | a missing or unknown status | it counts in unusable_rate only |
    | no usable value in a window | no value, with the reason |
    | the last window of a log of the past that ends before it | no throughput, with the reason |
    | fewer windows than a span has | the time before counts as having no errors |
    | a span with fewer than 30 calls, or a high rate by one failed call | the verdict is unsure |
    """

    type = "service_health"
    cause = "service"
    main = "latency_p95"
    collectors: ClassVar = frozenset({"service"})
    default_rules: ClassVar = {
        "latency_p95": unusual(
            side="above", scale="log", info=0.1, warning=0.4, neutral=None, additive=False
        ),
        "error_rate": unusual(
            side="above", scale="odds", info=0.5, warning=2.0, obvious=0.05, neutral=None
        ),
        "timeout_rate": unusual(
            side="above", scale="odds", info=0.5, warning=2.0, obvious=0.05, neutral=None
        ),
        "cost_per_call": unusual(scale="log", info=0.1, warning=0.4, neutral=None),
        "unusable_rate": above(info=0.05, warning=0.2),
        "burn_rate_1h": above(critical=14.4),
        "burn_rate_6h": above(critical=6.0),
        "burn_rate_3d": above(warning=1.0),
    }
    min_rows = 30
    wordings: ClassVar = WORDINGS

    latency_unit: Literal["us", "ms", "s"] = "ms"
    """The unit of the latency in the log."""
    currency: str = Field(default="", max_length=20)
    """The currency or unit of the cost, such as `EUR`."""
    errors: tuple[str, ...] = ()
    """Statuses that are errors besides, such as 429.

    They count for all `service_health` checks of the model.
    """
    timeouts: tuple[str, ...] = ()
    """Statuses that are time-outs besides, such as 499, likewise."""
    slo: Objectives | None = None
    """Objectives: `{availability: 99.9, latency: {below: 300ms, share: 99}}`."""

    @field_validator("errors", "timeouts", mode="before")
    @classmethod
    def _canonical(cls, statuses: object) -> object:
        if not isinstance(statuses, (list, tuple)):
            return statuses
        return tuple(canonical_value(status) or "" for status in statuses)

    def collector_options(self) -> Mapping[str, tuple[str, ...]]:
        """Return the statuses and the latency that the collector looks for."""
        texts = [f"error {status}" for status in self.errors]
        texts += [f"timeout {status}" for status in self.timeouts]
        if (limit := self._limit()) is not None:
            texts.append(f"slow {limit!r}")
        return {"service": tuple(sorted(set(texts)))} if texts else {}

    def _limit(self) -> float | None:
        """Return the latency of the objective in the unit of the log."""
        if self.slo is None or self.slo.latency is None:
            return None
        below = self.slo.latency.below / timedelta(microseconds=1)
        return below / MICROSECONDS[self.latency_unit]

    def evaluate(self, ctx: CheckContext) -> Iterator[Measurement]:
        """Yield latency, rates, throughput and cost, unusable values, then burn rates."""
        now: ServiceCalls = ctx.current.summaries["service"]
        before = ctx.reference.summaries.get("service") if ctx.reference else None
        columns = ctx.schema.service
        if not columns.parts:
            yield Measurement(None, name=self.main, reason="schema.service names no column")
        if columns.latency is not None:
            for m in self._latency(now, before):
                yield _with_usual(m, ctx)
        outcome = columns.status or columns.error
        if outcome is not None:
            errors = measure_rate("error_rate", now.errors, now, before and before.errors, before)
            timeouts = measure_rate(
                "timeout_rate", now.timeouts, now, before and before.timeouts, before
            )
            yield _with_usual(errors, ctx)
            yield _with_usual(timeouts, ctx)
        yield measure_throughput(ctx.current)
        if columns.cost is not None:
            yield from self._cost(now, before)
        if columns.latency is not None:
            yield measure_unusable(columns.latency.path, now.latency, now.rows)
        if outcome is not None:
            yield measure_unusable(outcome.path, now.status, now.rows)
        if columns.cost is not None:
            yield measure_unusable(columns.cost.path, now.cost, now.rows)
        if self.slo is not None:
            yield from self._burn_rates(ctx, now, self.slo, outcome is not None)

    def _latency(self, now: ServiceCalls, before: ServiceCalls | None) -> Iterator[Measurement]:
        histogram = now.latency.histogram
        for name, q in QUANTILES.items():
            value = histogram.quantile(q)
            yield Measurement(
                value,
                name=name,
                rows=histogram.count,
                interval=None if value is None else histogram.quantile_interval(q),
                was=None if before is None else before.latency.histogram.quantile(q),
                reason="" if value is not None else now.latency.reason("latency"),
                unit=self.latency_unit,
            )
        limit = self._limit()
        if limit is None:
            return
        calls, slow = histogram.count, now.slow.get(repr(limit), 0)
        yield Measurement(
            slow / calls if calls else None,
            {"below": self._below()},
            name="slow_rate",
            rows=calls,
            interval=stats.wilson(slow, calls) if calls else None,
            reason="" if calls else now.latency.reason("latency"),
            unit="share",
        )

    def _below(self) -> str:
        limit = self._limit()
        return "" if limit is None else f"{limit:g} {self.latency_unit}"

    def _cost(self, now: ServiceCalls, before: ServiceCalls | None) -> Iterator[Measurement]:
        cost = now.cost
        mean = cost.mean_cost()
        was = None if before is None else before.cost.mean_cost().value
        reason = "" if mean.value is not None else cost.reason("cost")
        yield Measurement(
            mean.value,
            name="cost_per_call",
            rows=cost.count,
            interval=mean.interval,
            was=was,
            reason=reason,
            unit=self.currency,
        )
        yield Measurement(
            None if mean.value is None else cost.total.value,
            name="total_cost",
            rows=cost.count,
            reason=reason,
            unit=self.currency,
        )

    def _burn_rates(
        self, ctx: CheckContext, now: ServiceCalls, slo: Objectives, has_outcome: bool
    ) -> Iterator[Measurement]:
        if slo.availability is not None:
            calls, budget = now.answered, 1 - slo.availability / 100
            reason = "" if has_outcome else "schema.service names no status and no error"
            current = now.errors, calls
            yield from measure_burn_rates(ctx, ErrorBudget(
                objective="availability", measurement="error_rate", labels={}, share=budget,
                days=slo.days,
            ), current, reason)  # fmt: skip
        if slo.latency is not None:
            budget = 1 - slo.latency.share / 100
            limit, below = self._limit(), self._below()
            reason = "" if ctx.schema.service.latency else "schema.service names no latency"
            current = now.slow.get(repr(limit), 0), now.latency.histogram.count
            yield from measure_burn_rates(
                ctx,
                ErrorBudget(
                    objective="latency",
                    measurement="slow_rate",
                    labels={"below": below},
                    share=budget,
                    days=slo.days,
                ),
                current,
                reason,
            )


def _with_usual(m: Measurement, ctx: CheckContext) -> Measurement:
    """Return a judged measurement with the median of earlier windows, where no reference has it."""
    if m.value is None or m.was is not None or m.name not in ServiceHealth.default_rules:
        return m
    past = ctx.history(m.name, m.labels, USUAL_WINDOWS)
    values = [item.value for item in past if item.verdict != "changed"]
    return m.with_detail({"usual": float(np.median(values))}) if values else m


@hookimpl
def register_checks() -> list[type[Check]]:
    """The service_health check."""
    return [ServiceHealth]


@hookimpl
def register_collectors() -> list[type[Collector]]:
    """The collector that the check needs."""
    return [ServiceCollector]
