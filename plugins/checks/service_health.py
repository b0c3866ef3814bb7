"""Measures how the service answers: latency, errors, time-outs, throughput, cost and objectives.

Does not call the service: it reads what the log says about each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from driftline import (
    AlertFact,
    Check,
    CheckContext,
    Collector,
    Measurement,
    Window,
    above,
    hookimpl,
    stats,
    unusual,
)
from driftline.kit.checks import ProfileSpec, Settings, Wording, canonical_value, phrasing
from driftline.kit.checks.burn_rates import TABLE, BurnSpan, Calls, burn_rate, window_count
from driftline.kit.checks.call_outcomes import (
    FAILURE_WORDS,
    RPC_CODES,
    Outcome,
    outcome_of_error,
    outcome_of_status,
)
from driftline.kit.checks.collecting import pack, unpack
from driftline.kit.checks.service_calls import (
    FAULTS,
    MISSING,
    NEGATIVE,
    NOT_A_NUMBER,
    UNREADABLE,
    ColumnValues,
    ServiceCalls,
)
from driftline.kit.settings import Length

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.kit.checks.collecting import Batch

LATENCY, STATUS, ERROR, COST = "#latency", "#status", "#error", "#cost"
"""The columns of `schema.service` in a batch."""
LARGEST = 1e140
MEMORY = 5000
"""The most earlier windows that a burn rate is computed from."""
USUAL_WINDOWS = 100
"""The earlier windows whose median is the usual value in messages."""
QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}
MICROSECONDS = {"us": 1.0, "ms": 1e3, "s": 1e6}


def _latency_sentence(alert: AlertFact) -> str:
    """Return `p95 latency 210 → 480 ms`."""
    if not isinstance(alert.value, (int, float)):
        return ""
    before = _before(alert)
    was = "" if before is None else f"{phrasing.number(_short(before))} → "
    name = alert.measurement.removeprefix("latency_")
    return f"{name} latency {was}{phrasing.number(_short(alert.value))} {alert.unit}".rstrip()


def _before(alert: AlertFact) -> float | None:
    """Return the value of the reference, or the usual one where the reference has none."""
    usual = alert.detail.get("usual") if alert.was is None else alert.was
    return float(usual) if isinstance(usual, (int, float)) else None


def _short(value: float) -> float:
    """Return a value with the three digits that an error of 1% leaves."""
    return float(f"{value:.3g}")


def _rate_sentence(noun: str) -> Wording:
    def text(alert: AlertFact) -> str:
        return phrasing.share_of_rows(noun, alert.value, _before(alert)).replace(
            "of rows", "of calls"
        )

    return Wording(
        noun=f"share of {noun}",
        sentence=text,
        advice=lambda alert: "Look at these calls in the log of the service.",
    )


def _burn_sentence(alert: AlertFact) -> str:
    """Return the share of bad calls, and when the budget is used up."""
    share, days, rate = (alert.detail.get(name) for name in ("failed", "days", "long_burn_rate"))
    if not all(isinstance(fact, (int, float)) for fact in (share, days, rate)):
        return ""
    share, days, rate = float(share or 0), float(days or 0), float(rate or 0)
    what = f"errors in {phrasing.share(share)} of calls"
    if alert.labels.get("objective") == "latency":
        what = f"{phrasing.share(share)} of calls slower than {alert.detail.get('below')}"
    text = f"{what} in {alert.detail.get('span')}"
    if alert.state == "resolved" or not rate:
        return text
    rest = _rough_duration(days / rate * 86_400)
    return f"{text}; the budget of {days:g} days is used up in {rest} at this rate"


def _rough_duration(seconds: float) -> str:
    for size, noun in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        count = round(seconds / size)
        if count >= 2 or (size == 60 and count == 1):
            return f"{count} {noun}{'' if count == 1 else 's'}"
    return "less than a minute"


def _unusable_sentence(alert: AlertFact) -> str:
    if not isinstance(alert.value, (int, float)):
        return ""
    facts = [
        f"{phrasing.number(count)} {name.replace('_', ' ')}"
        for name in FAULTS
        if isinstance(count := alert.detail.get(name), (int, float))
    ]
    return f"no usable value in {phrasing.share(alert.value)} of calls" + (
        f" ({', '.join(facts)})" if facts else ""
    )


class LatencyObjective(Settings):
    """An objective for the latency of calls."""

    below: Length
    """The latency that is still good, such as `300ms`."""
    share: float = Field(gt=0, lt=100)
    """The least share of calls at or below it, in percent."""


class Objectives(Settings):
    """Service level objectives."""

    availability: float | None = Field(default=None, gt=0, lt=100)
    """The least share of calls that the service answers, in percent, such as 99.9."""
    latency: LatencyObjective | None = None
    """The objective for the latency: `{below: 300ms, share: 99}`."""
    days: float = Field(default=30, gt=0, le=366)
    """The days that an error budget is for. The factors of the table are those of 30 days."""

    @model_validator(mode="after")
    def _not_empty(self) -> Objectives:
        if self.availability is None and self.latency is None:
            raise ValueError("give availability, latency or both")
        return self


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
    wordings: ClassVar = {
        **{
            name: Wording(
                noun=f"{name[-3:]} latency",
                sentence=_latency_sentence,
                advice=lambda alert: "Check the load and the newest deployment of the service.",
            )
            for name in QUANTILES
        },
        "error_rate": _rate_sentence("errors"),
        "timeout_rate": _rate_sentence("time-outs"),
        "slow_rate": _rate_sentence("slow answers"),
        "throughput": Wording(noun="throughput"),
        "cost_per_call": Wording(noun="cost per call"),
        "total_cost": Wording(noun="total cost"),
        "unusable_rate": Wording(noun="share of unusable values", sentence=_unusable_sentence),
        **{
            f"burn_rate_{row.name}": Wording(
                noun="burn rate of the error budget",
                sentence=_burn_sentence,
                hides_value=True,
                advice=lambda alert: "Look at the failed or slow calls; roll back the last change.",
            )
            for row in TABLE
        },
    }

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
            errors = _rate("error_rate", now.errors, now, before and before.errors, before)
            timeouts = _rate("timeout_rate", now.timeouts, now, before and before.timeouts, before)
            yield _with_usual(errors, ctx)
            yield _with_usual(timeouts, ctx)
        yield _throughput(ctx.current)
        if columns.cost is not None:
            yield from self._cost(now, before)
        if columns.latency is not None:
            yield _unusable(columns.latency.path, now.latency, now.rows)
        if outcome is not None:
            yield _unusable(outcome.path, now.status, now.rows)
        if columns.cost is not None:
            yield _unusable(columns.cost.path, now.cost, now.rows)
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
            yield from _burn(ctx, _Budget(
                objective="availability", measurement="error_rate", labels={}, share=budget,
                days=slo.days,
            ), current, reason)  # fmt: skip
        if slo.latency is not None:
            budget = 1 - slo.latency.share / 100
            limit, below = self._limit(), self._below()
            reason = "" if ctx.schema.service.latency else "schema.service names no latency"
            current = now.slow.get(repr(limit), 0), now.latency.histogram.count
            yield from _burn(
                ctx,
                _Budget(
                    objective="latency",
                    measurement="slow_rate",
                    labels={"below": below},
                    share=budget,
                    days=slo.days,
                ),
                current,
                reason,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Budget:
    """The error budget of one objective."""

    objective: str
    measurement: str
    """The measurement whose history has the share of bad calls."""
    labels: Mapping[str, str]
    share: float
    """The share of calls that may be bad."""
    days: float


def _burn(
    ctx: CheckContext, budget: _Budget, current: tuple[int, int], reason: str
) -> Iterator[Measurement]:
    """Yield the burn rate of each row of the table."""
    start, end = ctx.current.start, ctx.current.end
    if not reason and (start is None or end is None):
        reason = "the window is no span of time"
    if not reason and not current[1]:
        reason = "no call of this window tells"
    if reason or start is None or end is None:
        for row in TABLE:
            yield _no_burn(row, budget, reason)
        return
    length = end - start
    count = min(MEMORY, window_count(length, max(row.long for row in TABLE)))
    past = ctx.history(budget.measurement, budget.labels, count)
    windows = [
        Calls(item.start, item.rows, round(item.value * item.rows))
        for item in past
        if item.start < start
    ]
    windows.append(Calls(start, current[1], current[0]))
    for row in TABLE:
        if window_count(length, row.long) > MEMORY:
            yield _no_burn(row, budget, f"{row.name} are more than {MEMORY:,} windows")
            continue
        yield _burn_measurement(row, budget, windows, length)


def _no_burn(row: BurnSpan, budget: _Budget, reason: str) -> Measurement:
    labels = {"objective": budget.objective}
    return Measurement(None, labels, name=f"burn_rate_{row.name}", reason=reason)


def _burn_measurement(
    row: BurnSpan, budget: _Budget, windows: Sequence[Calls], length: timedelta
) -> Measurement:
    burn = burn_rate(windows, length, row, budget.share)
    long = window_count(length, row.long) * length
    short = window_count(length, row.short) * length
    detail: dict[str, str | float | int | None] = {
        "failed": burn.failed,
        "budget": budget.share,
        "days": budget.days,
        "span": phrasing.duration(long.total_seconds()),
        "short_span": phrasing.duration(short.total_seconds()),
        "long_burn_rate": burn.long_rate,
        "short_burn_rate": burn.short_rate,
    }
    if burn.known < long:
        detail["known_span"] = phrasing.duration(burn.known.total_seconds())
    if "below" in budget.labels:
        detail["below"] = budget.labels["below"]
    return Measurement(
        burn.rate,
        {"objective": budget.objective},
        name=f"burn_rate_{row.name}",
        rows=burn.calls,
        # One failed call proves nothing: of 50 calls it would be a page.
        interval=(0.0, burn.rate) if burn.failures == 1 else None,
        detail=detail,
    )


def _rate(
    name: str, hits: int, now: ServiceCalls, was_hits: int | None, before: ServiceCalls | None
) -> Measurement:
    """Return a share of the calls whose outcome is known."""
    calls, was = now.answered, None
    if before is not None and before.answered and was_hits is not None:
        was = was_hits / before.answered
    detail: dict[str, str | float | int | None] = {}
    if hits and now.failures:
        detail["most_frequent_status"] = now.failures[0][0]
    return Measurement(
        hits / calls if calls else None,
        name=name,
        rows=calls,
        interval=stats.wilson(hits, calls) if calls else None,
        was=was,
        reason="" if calls else now.status.reason("status"),
        unit="share",
        detail=detail,
    )  # fmt: skip


def _with_usual(m: Measurement, ctx: CheckContext) -> Measurement:
    """Return a judged measurement with the median of earlier windows, where no reference has it."""
    if m.value is None or m.was is not None or m.name not in ServiceHealth.default_rules:
        return m
    past = ctx.history(m.name, m.labels, USUAL_WINDOWS)
    values = [item.value for item in past if item.verdict != "changed"]
    return m.with_detail({"usual": float(np.median(values))}) if values else m


def _throughput(window: Window) -> Measurement:
    """Return the calls per second."""
    reason, value = "", None
    if window.log_end is not None:
        reason = f"the log ends in this window, at {window.log_end:%H:%M}"
    elif window.start is None or window.end is None or window.end <= window.start:
        reason = "the window is no span of time"
    else:
        value = window.rows / (window.end - window.start).total_seconds()
    return Measurement(value, name="throughput", rows=window.rows, reason=reason, unit="calls/s")


def _unusable(column: str, values: ColumnValues, rows: int) -> Measurement:
    """Return the share of calls without a usable value."""
    hits = sum(values.unusable.values())
    return Measurement(
        hits / rows if rows else None,
        {"column": column},
        name="unusable_rate",
        rows=rows,
        reason="" if rows else "no rows",
        unit="share",
        detail={name: count for name, count in values.unusable.items() if count},
    )


class ServiceCollector(Collector):
    """Counts latencies, statuses and costs of calls."""

    name = "service"

    def __init__(self, spec: ProfileSpec) -> None:
        options = spec.options.get(self.name, ())
        self._errors = _options(options, "error ")
        self._timeouts = _options(options, "timeout ")
        self._limits = {text: float(text) for text in _options(options, "slow ")}
        self._calls = ServiceCalls(slow=dict.fromkeys(self._limits, 0))

    @classmethod
    def zero(cls, spec: ProfileSpec) -> Self:
        """Return the collector of no rows."""
        return cls(spec)

    def update(self, batch: Batch) -> None:
        """Add the calls of a batch."""
        calls = self._calls
        calls.rows += batch.rows
        latencies = _usable_numbers(batch, LATENCY, calls.latency)
        calls.latency.count += len(latencies)
        calls.latency.histogram.add(latencies)
        for text, limit in self._limits.items():
            calls.slow[text] += int((latencies > limit).sum())
        costs = _usable_numbers(batch, COST, calls.cost)
        calls.cost.count += len(costs)
        calls.cost.total.add(float(costs.sum()))
        calls.cost.squares.add(float((costs * costs).sum()))
        self._add_outcomes(batch)

    def _add_outcomes(self, batch: Batch) -> None:
        calls, outcomes = self._calls, np.full(batch.rows, Outcome.UNKNOWN)
        array = batch.columns.get(STATUS)
        if array is not None:
            names, codes = _categories(array)
            classes = np.array([self._outcome(name) for name in names] + [Outcome.UNKNOWN])
            outcomes = np.maximum(outcomes, classes[codes])
            counts = np.bincount(codes[codes < len(names)], minlength=len(names))
            for name, kind, count in zip(names, classes[:-1], counts, strict=True):
                if kind >= Outcome.FAILURE and count:
                    key = self._status_name(name)
                    calls.failed_statuses[key] = calls.failed_statuses.get(key, 0) + int(count)
        error = batch.columns.get(ERROR)
        if error is not None:
            names, codes = _categories(error)
            classes = np.array([outcome_of_error(name) for name in names] + [Outcome.ANSWER])
            error_outcomes = classes[codes]
            if ERROR in batch.invalid:
                error_outcomes[batch.invalid[ERROR]] = Outcome.UNKNOWN
            outcomes = np.maximum(outcomes, error_outcomes)
        totals = np.bincount(outcomes, minlength=len(Outcome))
        for place in Outcome:
            calls.outcomes[place] += int(totals[place])
        unknown = int(totals[Outcome.UNKNOWN])
        invalid = batch.invalid.get(STATUS, np.zeros(batch.rows, bool))
        nulls = int(((outcomes == Outcome.UNKNOWN) & _nulls(array, batch.rows) & ~invalid).sum())
        calls.status.count += batch.rows - unknown
        calls.status.add_faults(**{MISSING: nulls, UNREADABLE: unknown - nulls})

    def _outcome(self, status: str) -> int:
        """Return the outcome that a status means."""
        if status in self._timeouts:
            return Outcome.TIMEOUT
        return Outcome.FAILURE if status in self._errors else outcome_of_status(status)

    def _status_name(self, status: str) -> str:
        """Return a status of a bounded number of them: a long text is named by its outcome."""
        word = status.strip().upper()
        is_standard = status.isdecimal() or word in RPC_CODES or word in FAILURE_WORDS
        is_option = status in self._errors or status in self._timeouts
        return status if is_standard or is_option else "time-out"

    def merge(self, other: Self) -> None:
        """Add the calls of `other`."""
        self._calls.merge(other._calls)

    def summary(self) -> ServiceCalls:
        """Return what the calls say."""
        return self._calls

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        calls = self._calls
        return pack(
            (
                calls.rows,
                calls.latency.plain(),
                calls.status.plain(),
                calls.cost.plain(),
                sorted(calls.slow.items()),
                calls.outcomes,
                sorted(calls.failed_statuses.items()),
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes, spec: ProfileSpec) -> Self:
        """Return the collector from the bytes of `to_bytes`."""
        rows, latency, status, cost, slow, outcomes, statuses = unpack(data)
        collector = cls(spec)
        collector._calls = ServiceCalls(
            rows=rows,
            latency=ColumnValues.from_plain(latency),
            status=ColumnValues.from_plain(status),
            cost=ColumnValues.from_plain(cost),
            slow=dict(slow),
            outcomes=list(outcomes),
            failed_statuses=dict(statuses),
        )
        return collector


def _options(texts: Sequence[str], start: str) -> tuple[str, ...]:
    return tuple(text.removeprefix(start) for text in texts if text.startswith(start))


def _categories(array: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names, and the place of each row's name, that of a null being after the last."""
    names = [str(name) for name in array.dictionary.to_pylist()]
    codes = array.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return names, codes.astype(np.int64)


def _nulls(array: pa.Array | None, rows: int) -> NDArray[np.bool_]:
    if array is None:
        return np.ones(rows, bool)
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)


def _usable_numbers(batch: Batch, name: str, values: ColumnValues) -> NDArray[np.float64]:
    """Return the numbers of a column that are finite and not negative; count the others."""
    array = batch.columns.get(name)
    if array is None:
        values.add_faults(**{MISSING: batch.rows})
        return np.empty(0)
    invalid = int(batch.invalid[name].sum()) if name in batch.invalid else 0
    numbers = np.asarray(array.drop_null().to_numpy(zero_copy_only=False), np.float64)
    with np.errstate(invalid="ignore"):
        is_finite = np.abs(numbers) <= LARGEST
        negative = is_finite & (numbers < 0)
    values.add_faults(
        **{
            MISSING: batch.rows - len(numbers) - invalid,
            UNREADABLE: invalid,
            NOT_A_NUMBER: int((~is_finite).sum()),
            NEGATIVE: int(negative.sum()),
        }
    )
    return numbers[is_finite & ~negative]


@hookimpl
def register_checks() -> list[type[Check]]:
    """The service_health check."""
    return [ServiceHealth]


@hookimpl
def register_collectors() -> list[type[Collector]]:
    """The collector that the check needs."""
    return [ServiceCollector]
