"""How the measurements of calls read in messages."""

from __future__ import annotations

from collections.abc import Mapping

from driftline import AlertFact
from driftline.kit.checks import Wording, phrasing, plain_words
from driftline.kit.checks.burn_rates import TABLE
from driftline.kit.checks.service_calls import FAULTS

SLOWEST = {
    "latency_p50": "half",
    "latency_p95": "the slowest 5%",
    "latency_p99": "the slowest 1%",
}
"""The calls that a quantile of latency is about."""


def _describe_latency(alert: AlertFact) -> str:
    """Return `p95 latency 210 → 480 ms`."""
    if not isinstance(alert.value, (int, float)):
        return ""
    before = _before(alert)
    was = "" if before is None else f"{phrasing.number(_short(before))} → "
    name = alert.measurement.removeprefix("latency_")
    return f"{name} latency {was}{phrasing.number(_short(alert.value))} {alert.unit}".rstrip()


def _latency_headline(alert: AlertFact) -> str:
    """Return `the slowest 5% of calls take 480 ms or more, usually 210 ms`."""
    part = SLOWEST.get(alert.measurement)
    if not isinstance(alert.value, (int, float)) or part is None:
        return ""
    before = _before(alert)
    usual = "" if before is None else f", usually {phrasing.number(_short(before))} {alert.unit}"
    now = f"{phrasing.number(_short(alert.value))} {alert.unit}"
    return f"{part} of calls take {now} or more{usual}".rstrip()


def _before(alert: AlertFact) -> float | None:
    """Return the value of the reference, or the usual one where the reference has none."""
    usual = alert.detail.get("usual") if alert.was is None else alert.was
    return float(usual) if isinstance(usual, (int, float)) else None


def _short(value: float) -> float:
    """Return a value with the three digits that an error of 1% leaves."""
    return float(f"{value:.3g}")


def _word_rate(noun: str) -> Wording:
    def text(alert: AlertFact) -> str:
        return phrasing.share_of_rows(noun, alert.value, _before(alert)).replace(
            "of rows", "of calls"
        )

    return Wording(
        noun=f"share of {noun}",
        sentence=text,
        extent=lambda alert: plain_words.count_rows(
            alert.value, alert.rows, _before(alert), "call"
        ),
        advice=lambda alert: "Look at these calls in the log of the service.",
    )


def _describe_burn_rate(alert: AlertFact) -> str:
    """Return the share of bad calls, and when the budget is used up."""
    share, days, rate = (alert.detail.get(name) for name in ("failed", "days", "long_burn_rate"))
    if not all(isinstance(fact, (int, float)) for fact in (share, days, rate)):
        return ""
    share, days, rate = float(share or 0), float(days or 0), float(rate or 0)
    fault = f"errors in {phrasing.share(share)} of calls"
    if alert.labels.get("objective") == "latency":
        fault = f"{phrasing.share(share)} of calls slower than {alert.detail.get('below')}"
    text = f"{fault} in {alert.detail.get('span')}"
    if alert.state == "resolved" or not rate:
        return text
    time_left = _rough_duration(days / rate * 86_400)
    return f"{text}; the budget of {days:g} days is used up in {time_left} at this rate"


def _rough_duration(seconds: float) -> str:
    for size, noun in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        count = round(seconds / size)
        if count >= 2 or (size == 60 and count == 1):
            return f"{count} {noun}{'' if count == 1 else 's'}"
    return "less than a minute"


def _describe_unusable(alert: AlertFact) -> str:
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


WORDINGS: Mapping[str, Wording] = {
    **{
        name: Wording(
            noun=f"{name[-3:]} latency",
            sentence=_describe_latency,
            headline=_latency_headline,
            extent=lambda alert: plain_words.compare_size(alert.value, _before(alert)),
            advice=lambda alert: "Check the load and the newest deployment of the service.",
        )
        for name in ("latency_p50", "latency_p95", "latency_p99")
    },
    "error_rate": _word_rate("errors"),
    "timeout_rate": _word_rate("time-outs"),
    "slow_rate": _word_rate("slow answers"),
    "throughput": Wording(noun="throughput"),
    "cost_per_call": Wording(noun="cost per call"),
    "total_cost": Wording(noun="total cost"),
    "unusable_rate": Wording(noun="share of unusable values", sentence=_describe_unusable),
    **{
        f"burn_rate_{row.name}": Wording(
            noun="burn rate of the error budget",
            sentence=_describe_burn_rate,
            hides_value=True,
            advice=lambda alert: "Look at the failed or slow calls; roll back the last change.",
        )
        for row in TABLE
    },
}
"""The wording of each measurement."""
