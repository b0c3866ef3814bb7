"""Numbers, times and alerts in words, the same in every sink and title.

Refuses markup: what is returned is plain text without control characters; each sink escapes it for
its own output.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from driftline.types.model import EPOCH
from driftline.types.notification import AlertFact, Event, Notification

NAMES = {
    "unsure": "too little data",
    "psi": "PSI",
    "ks": "KS",
    "js": "Jensen-Shannon",
    "jensen_shannon": "Jensen-Shannon",
    "wasserstein": "Wasserstein",
    "chi_square": "chi-square",
    "chi2": "chi-square",
    "g_test": "G",
    "tvd": "share of rows moved",
    "cramer_von_mises": "Cramér-von Mises",
    "l_infinity": "largest share change",
    "linf": "largest share change",
    "roc_auc": "ROC AUC",
    "auc": "ROC AUC",
    "f1": "F1",
    "mae": "MAE",
    "rmse": "RMSE",
    "r2": "R²",
    "domain_auc": "domain classifier AUC",
    "mmd2": "MMD²",
    "mmd": "MMD²",
    "centroid_cosine": "cosine distance of the means",
    "cluster_psi": "PSI of the clusters",
    "prototype_distance_p95": "95th percentile of the prototype distance",
    "attribution_ndcg": "attribution NDCG",
}
BOUND = re.compile(r"\b(above|below) (-?[0-9][0-9.,]*(?:e[+-]?[0-9]+)?)")
WHY, IN_ALL = "why", "alerts in all"
"""The two facts that every notification may have of its own."""
INDIRECT = frozenset({"missing_increase", "outside_excess", "drop", "rows_ratio", "staleness"})
"""Told by other numbers than their value, which its interval would not fit."""
Scalar = str | float | int | None
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: object, limit: int = 200) -> str:
    """`text` on one line, without control, format and surrogate characters, at most `limit`
    characters.
    """
    raw = str(text)[: 4 * limit + 64]
    shown = "".join(" " if unicodedata.category(char) in UNSEEN else char for char in raw)
    joined = " ".join(shown.split())
    return (
        joined
        if len(joined) <= limit and len(raw) == len(str(text))
        else joined[: limit - 1].rstrip() + "…"
    )


def number(value: float | int | None) -> str:
    """`value` as people read it: `10,790`, `0.314`, `2.1e-06`; `none` for None."""
    if value is None:
        return "none"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        return f"{value:.2g}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if size >= 10 else f"{value:.3g}"


def share(value: float) -> str:
    """A share from 0 to 1 in percent: `31%`, `0.4%`, `<0.1%`."""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "<0.1%"
    return (
        f"{percent:.0f}%"
        if percent >= 10 or percent == 0
        else f"{percent:.1f}".removesuffix(".0") + "%"
    )


def utc(moment: datetime) -> str:
    """`2026-11-23 09:00 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(start: datetime, end: datetime) -> str:
    """`2026-11-23 09:00 to 10:00 UTC`, with the second date where it differs."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    tail = last.strftime("%H:%M" if first.date() == last.date() else "%Y-%m-%d %H:%M")
    return f"{first:%Y-%m-%d %H:%M} to {tail} UTC"


def lasting(start: datetime, end: datetime) -> str:
    """A length of time in its two largest units: `2 h 14 min`."""
    minutes = max(0, round((end - start).total_seconds() / 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [
        f"{days} d" if days else "",
        f"{hours} h" if hours else "",
        f"{rest} min" if rest else "",
    ]
    return " ".join([part for part in parts if part][:2]) or "0 min"


def subject(alert: AlertFact, limit: int = 60) -> str:
    """What an alert is about: its column, with the segment where there is one; empty for the model
    as a whole.
    """
    rest = {
        name: value
        for name, value in alert.labels.items()
        if name not in ("column", "segment", "version")
    }
    named = [clean(alert.labels["column"], limit)] if alert.labels.get("column") else []
    named += [f"{clean(name, 20)}={clean(value, limit)}" for name, value in rest.items()]
    within = [
        clean(alert.labels[name], limit)
        for name in ("segment", "version")
        if alert.labels.get(name)
    ]
    about = " ".join(named)
    return f"{about} ({', '.join(within)})".strip() if within else about


def measured(alert: AlertFact) -> str:
    """What was measured, as people call it: `PSI`, `missing`, `accuracy`."""
    return NAMES.get(alert.measurement) or clean(alert.measurement.replace("_", " "), 60)


def bound(alert: AlertFact) -> float | None:
    """The bound that was crossed, where the reason names one."""
    found = BOUND.search(alert.reason)
    try:
        return float(found.group(2).rstrip(".,").replace(",", "")) if found else None
    except ValueError:
        return None


def is_share(alert: AlertFact) -> bool:
    """Whether the number is a share of rows from 0 to 1."""
    return alert.unit == "share" and alert.value is not None and 0 <= alert.value <= 1


def pair(detail: Mapping[str, Scalar], word: str) -> tuple[float, float] | None:
    """The old and new `word` (such as `mean`) among the facts that explain a number, however the
    check calls them.
    """
    names = (
        (f"{word}_was", word), (f"was_{word}", word), (f"reference_{word}", word), (f"{word}_reference", word),
        (f"old_{word}", f"new_{word}"), (f"{word}_old", f"{word}_new"), (f"{word}_before", f"{word}_after"),
        (f"{word}_was", f"{word}_now"), (f"reference_{word}", f"current_{word}"),
    )  # fmt: skip
    for old, new in names:
        before, after = detail.get(old), detail.get(new)
        if isinstance(before, (int, float)) and isinstance(after, (int, float)):
            return before, after
    return None


def moved(alert: AlertFact) -> str:
    """How the values themselves moved, in the data's own unit: `mean 180 → 10,790 (×60)`; empty
    where nothing tells.
    """
    for word in ("mean", "median"):
        found = pair(alert.detail, word)
        if found is not None:
            size = [times(*found), deviations(alert.detail.get("shift_sd"))]
            by = ", ".join(part for part in size if part)
            return f"{word} {number(found[0])} → {number(found[1])}" + (f" ({by})" if by else "")
    category, shares = alert.detail.get("category"), pair(alert.detail, "share")
    if category is not None and shares is not None:
        return f"‘{clean(category, 40)}’ {share(shares[0])} → {share(shares[1])}"
    return ""


def times(before: float, after: float) -> str:
    """How many times larger or smaller, where that says something: `×60`, `÷4`."""
    if before == 0 or after == 0 or (before > 0) != (after > 0):
        return ""
    factor = after / before
    if factor >= 1.5:
        return f"×{number(round(factor, 1))}"
    return f"÷{number(round(1 / factor, 1))}" if factor <= 1 / 1.5 else ""


def deviations(shift: str | float | None) -> str:
    """A shift in standard deviations of the reference: `+182 sd`."""
    return (
        f"{'+' if shift > 0 else ''}{number(float(f'{shift:.3g}'))} sd"
        if isinstance(shift, (int, float)) and shift
        else ""
    )


def _of_rows(what: str, now: Scalar, was: Scalar = None) -> str:
    if not isinstance(now, (int, float)) or not 0 <= now <= 1:
        return ""
    before = f" (was {share(was)})" if isinstance(was, (int, float)) and 0 <= was <= 1 else ""
    return f"{what} in {share(now)} of rows{before}"


def _special(alert: AlertFact) -> str:
    """A sentence for the measurements whose number alone says little; empty for all others."""
    detail = alert.detail
    if isinstance(asked := detail.get("asked"), str) and alert.value is not None:
        # A bound that this number alone has: with enough digits to be told from it.
        shown = f"{100 * alert.value:.6g}%" if is_share(alert) else number(alert.value)
        before = (
            f" (was {100 * alert.was:.6g}%)" if is_share(alert) and alert.was is not None else ""
        )
        return f"{measured(alert)} {shown}{before}, {clean(asked, 40)} asked"
    match alert.measurement:
        case "missing_column":
            return "no value at all" if alert.value else ""
        case "missing_rate":
            return _of_rows("missing", alert.value, alert.was)
        case "missing_increase":
            return _of_rows("missing", detail.get("missing"), detail.get("missing_was"))
        case "invalid_rate":
            return _of_rows("wrong type", alert.value, alert.was)
        case "type_changed" if alert.value:
            kinds = [clean(detail[word], 30) for word in ("type", "type_was") if detail.get(word)]
            return f"{kinds[0]} where {kinds[1]} were" if len(kinds) == 2 else ""
        case "new_column":
            return "has values now" if alert.value else ""
        case "stale" if alert.value:
            return (
                f"the same counts as in the {number(alert.value)} windows before"
                if alert.value > 1
                else "stands still"
            )
        case "constant":
            return "only one value" if alert.value == 1 else ""
        case "unit_change" if isinstance(looks := detail.get("looks"), str):
            return clean(looks, 80)
        case "vanished_categories":
            names = f": {clean(detail['categories'], 60)}" if detail.get("categories") else ""
            return (
                f"gone: values that {share(alert.value)} of rows had{names}"
                if is_share(alert) and alert.value
                else ""
            )
        case "outside_rate" | "outside_excess":
            low, high = detail.get("low"), detail.get("high")
            ends = [number(end) if isinstance(end, (int, float)) else "any" for end in (low, high)]
            return _of_rows(f"outside {ends[0]} to {ends[1]}", alert.value)
        case "new_categories":
            names = f": {clean(detail['categories'], 60)}" if detail.get("categories") else ""
            said = _of_rows("unseen values", alert.value)
            return said + names if said else ""
        case "drop" if isinstance(metric := detail.get("metric"), str):
            now, was = detail.get(metric), detail.get(f"{metric}_was")
            name = NAMES.get(metric) or clean(metric.replace("_", " "), 60)
            if isinstance(now, (int, float)) and isinstance(was, (int, float)):
                return f"{name} {number(now)} (was {number(was)})"
            return ""
        case "rows" | "rows_ratio":
            rows = alert.value if alert.measurement == "rows" else detail.get("rows")
            expected = alert.was if alert.measurement == "rows" else detail.get("rows_expected")
            if not isinstance(rows, (int, float)):
                return ""
            usual = (
                f" ({number(round(expected))} expected)"
                if isinstance(expected, (int, float)) and expected
                else ""
            )
            return f"{number(rows) if rows else 'no'} rows{usual}"
        case "staleness" | "age_seconds":
            age = detail.get("age_seconds") if alert.measurement == "staleness" else alert.value
            return (
                f"newest record {lasting(EPOCH, EPOCH + timedelta(seconds=age))} old"
                if isinstance(age, (int, float))
                else ""
            )
    return ""


def figure(alert: AlertFact) -> str:
    """The number of one alert with what it is compared with: `PSI 6.1 (limit 0.25)`, `accuracy 0.71
    (was 0.84)`.
    """
    if alert.value is None:
        # Of what has no number the check is named, since several may be broken at once.
        check = "" if subject(alert) or alert.check == alert.measurement else f"{alert.check}: "
        return clean(f"{check}{measured(alert)}: {alert.reason or 'no value'}", 240)
    said = _special(alert)
    if said:
        return said
    if is_share(alert):
        text = f"{measured(alert)} {share(alert.value)}"
        return text + (
            f" (was {share(alert.was)})" if alert.was is not None and 0 <= alert.was <= 1 else ""
        )
    unit = (
        "" if not alert.unit else alert.unit if alert.unit == "%" else f" {clean(alert.unit, 20)}"
    )
    text = f"{measured(alert)} {number(alert.value)}{unit}"
    limit = bound(alert)
    if alert.was is not None:
        return f"{text} (was {number(alert.was)}{unit})"
    return f"{text} (limit {number(limit)})" if limit is not None else text


def interval(alert: AlertFact) -> str:
    """`95%: 0.68 to 0.74`; empty without an interval."""
    if alert.interval is None:
        return ""
    low, high = (
        share(end) if is_share(alert) and end >= 0 else number(end) for end in alert.interval
    )
    return f"95%: {low} to {high}"


def seen(alert: AlertFact) -> str:
    """The smallest change that would have been told with as many rows: `0.4 or more would be seen`;
    empty where that is said otherwise, or not known.
    """
    smallest = alert.detail.get("smallest_seen")
    if (
        alert.state != "firing"
        or "odds" in alert.detail
        or alert.value is None
        or not isinstance(smallest, (int, float))
    ):
        return ""
    short = float(f"{smallest:.2g}")
    told = share(short) if is_share(alert) and 0 <= short <= 1 else number(short)
    if alert.measurement in INDIRECT:
        return f"{measured(alert)} {told} would be seen"
    return f"{told} or {'more' if alert.value >= smallest else 'less'} would be seen"


@dataclass(frozen=True, slots=True)
class Line:
    """All that is known of one subject, for one line of a message."""

    subject: str
    """The column; empty for the model as a whole."""
    parts: tuple[str, ...]
    """How the values moved, then each figure."""
    state: str
    """`firing` when any of its alerts is."""
    severity: str
    since: datetime
    """Start of the first window of the change."""
    rows: int

    @property
    def text(self) -> str:
        """Plain text: `Day Mins: mean 180 → 10,790 (×60) · PSI 6.1 (limit 0.25)`."""
        return ": ".join(part for part in (self.subject, " · ".join(self.parts)) if part)


def lines(alerts: Iterable[AlertFact]) -> list[Line]:
    """One line a subject, in the order of its first alert, so that five measurements of a column
    read as one finding.
    """
    groups: dict[tuple[str, ...], list[AlertFact]] = {}
    for alert in alerts:
        about = subject(alert)
        groups.setdefault((about,) if about else ("", alert.check, alert.measurement), []).append(
            alert
        )
    return [_line(about[0], group) for about, group in groups.items()]


def _line(about: str, group: list[AlertFact]) -> Line:
    moves = dict.fromkeys(said for alert in group if (said := moved(alert)))
    # One that says the same and less is left out: `(×60)` beside `(×60, +195 sd)`.
    parts = {
        said: None
        for said in moves
        if not any(other != said and other.startswith(said.removesuffix(")")) for other in moves)
    }
    for alert in group:
        extra = [interval(alert) if alert.measurement not in INDIRECT else "", seen(alert)]
        said = "; ".join(part for part in extra if part)
        parts[figure(alert) + (f" [{said}]" if said else "")] = None
        if "odds" in alert.detail:
            # What is usual, how sure it is, and what would have been seen: the rule says it in one
            # sentence.
            parts[clean(alert.reason)] = None
    worst = max(group, key=lambda alert: (alert.state == "firing", alert.severity.rank))
    since = min(alert.since for alert in group)
    return Line(
        about,
        tuple(parts),
        worst.state,
        worst.severity.value,
        since,
        max(alert.rows for alert in group),
    )


def certainty(notification: Notification) -> str:
    """How sure the most telling alert is: its odds against chance, or that its 95% interval lies
    beyond the bound; or empty.
    """
    if notification.event in (Event.RESOLVED, Event.TEST) or not notification.alerts:
        return ""
    first = notification.alerts[0]
    odds = first.detail.get("odds")
    if isinstance(odds, (int, float)) and odds > 0:
        return f"odds about 1:{number(float(f'{odds:.2g}')) if odds < 1e9 else 'a billion or more'} against chance"
    return "95% confidence" if first.interval is not None and first.state == "firing" else ""


def families(notification: Notification) -> str:
    """What kinds of trouble its alerts are, the first first: `quality, drift`."""
    found = dict.fromkeys(
        [
            notification.cause,
            *(alert.cause for alert in notification.alerts if alert.state != "resolved"),
        ]
    )
    return ", ".join(clean(one, 40) for one in found if one)


def others(notification: Notification, shown: int) -> int:
    """How many findings a message that lists `shown` of them leaves out."""
    total = notification.facts.get(IN_ALL, "")
    beyond = int(total) - len(notification.alerts) if total.isdigit() else 0
    return max(0, len(lines(notification.alerts)) - shown) + max(0, beyond)


def added(notification: Notification) -> dict[str, str]:
    """The facts that plugins added, cleaned."""
    return {
        clean(name, 60): clean(fact)
        for name, fact in notification.facts.items()
        if name not in (WHY, IN_ALL)
    }


def links(notification: Notification) -> dict[str, str]:
    """The links that lead to the web, by cleaned name; all other schemes are left out."""
    kept = {
        name: url
        for name, url in notification.links.items()
        if url.startswith(("https://", "http://")) and url.isprintable()
    }
    return {clean(name, 70) or "link": url for name, url in kept.items() if len(url) <= 2000}


def context(notification: Notification) -> str:
    """What the numbers rest on: window, rows, reference, version, incident."""
    parts = []
    if notification.window is not None:
        start, end = notification.window
        parts.append(f"window {span(start, end)}" if start != end else utc(start))
    if notification.rows:
        parts.append(f"{notification.rows:,} rows")
    if notification.reference:
        parts.append(f"compared with {clean(notification.reference, 80)}")
    if notification.model_version:
        parts.append(f"version {clean(notification.model_version, 60)}")
    parts.append(clean(notification.incident, 80))
    return " · ".join(parts)
