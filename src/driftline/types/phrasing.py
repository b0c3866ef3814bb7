"""Numbers, times and alerts in words, the same in every sink and title.

Returns plain text without control characters or markup. Each sink escapes it for its own output.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from driftline.types.notification import AlertFact, Event, Notification

OTHER_CATEGORIES = "all others"
"""The category that stands for all that are not counted by name."""
Scalar = str | float | int | None
INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: object, limit: int = 200) -> str:
    """Return `text` on one line without control characters, cut to `limit` characters."""
    raw = str(text)[: 4 * limit + 64]
    printable = "".join(
        " " if unicodedata.category(char) in INVISIBLE_CATEGORIES else char for char in raw
    )
    line = " ".join(printable.split())
    return (
        line
        if len(line) <= limit and len(raw) == len(str(text))
        else line[: limit - 1].rstrip() + "…"
    )


def value_text(value: str, limit: int = 40) -> str:
    """Return the first `limit` characters of a value of the data, as one can tell it from others.

    A value with spaces around it or with invisible characters has quotation marks, and its
    invisible characters are escapes: “ yes”, “1\\x00”.
    """
    start = value[:limit]
    visible = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in start
    )
    return start if visible == start == start.strip() else f"“{visible}”"


def number(value: float | int | None) -> str:
    """Format `value` for people: `10,790`, `0.314`, `2.1e-06`; `none` for None."""
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


def count(amount: int, noun: str) -> str:
    """Return a number of things: `1 object`, `2,000 objects`; `noun` is for one of them."""
    return f"{amount:,} {noun}{'' if amount == 1 else 's'}"


def share(value: float) -> str:
    """Format a share from 0 to 1 in percent: `31%`, `0.4%`, `<0.1%`."""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "<0.1%"
    return (
        f"{percent:.0f}%"
        if percent >= 10 or percent == 0
        else f"{percent:.1f}".removesuffix(".0") + "%"
    )


def utc(moment: datetime) -> str:
    """Format a time: `2026-11-23 09:00 UTC`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def day_and_time(moment: datetime) -> str:
    """Format a time for a title: `Mon 23 Nov 09:00 UTC`; the year stands in the message."""
    at = moment.astimezone(UTC)
    return f"{at:%a} {at.day} {at:%b %H:%M} UTC"


def quoted(name: str) -> str:
    """Mark the name of a column in plain text: `“plan”`; empty for an empty name."""
    return f"“{name}”" if name else ""


def span(start: datetime, end: datetime) -> str:
    """Format a window: `2026-11-23 09:00 to 10:00 UTC`, with the second date if it differs."""
    first, last = start.astimezone(UTC), end.astimezone(UTC)
    tail = last.strftime("%H:%M" if first.date() == last.date() else "%Y-%m-%d %H:%M")
    return f"{first:%Y-%m-%d %H:%M} to {tail} UTC"


def format_span_length(start: datetime, end: datetime) -> str:
    """Format the time between two moments in its two largest units: `2 h 14 min`."""
    return duration((end - start).total_seconds())


def duration(seconds: float) -> str:
    """Format a length of time in its two largest units: `2 h 14 min`."""
    minutes = max(0, round(seconds / 60))
    days, hours, minutes_left = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [
        f"{days} d" if days else "",
        f"{hours} h" if hours else "",
        f"{minutes_left} min" if minutes_left else "",
    ]
    return " ".join([part for part in parts if part][:2]) or "0 min"


def subject(alert: AlertFact, limit: int = 60) -> str:
    """Return the column of an alert, with its segment; empty for the model as a whole.

    One value of a column is `value gold of plan`, a group of rows `plan = gold`, a pair of columns
    `plan and price`.
    """
    return name_series(alert.labels, limit)


def name_series(labels: Mapping[str, str], limit: int = 60) -> str:
    """Return what the labels of a series name, as `subject` does for an alert."""
    more_labels = {
        name: value
        for name, value in labels.items()
        if name not in ("column", "segment", "version")
    }
    column = clean(labels.get("column", ""), limit)
    parts = [column] if column else []
    if column and "category" in more_labels:
        category = more_labels.pop("category")
        is_rest = category == OTHER_CATEGORIES
        parts = [f"{'other values' if is_rest else f'value {clean(category, limit)}'} of {column}"]
    elif column and "group" in more_labels:
        parts = [f"{column} = {clean(more_labels.pop('group'), limit)}"]
    elif column and "with" in more_labels:
        parts = [f"{column} and {clean(more_labels.pop('with'), limit)}"]
    parts += [f"{clean(name, 20)} {clean(value, limit)}" for name, value in more_labels.items()]
    within = [clean(labels[name], limit) for name in ("segment", "version") if labels.get(name)]
    name = " ".join(parts)
    return f"{name} ({', '.join(within)})".strip() if within else name


def is_share(alert: AlertFact) -> bool:
    """Whether the number is a share of rows from 0 to 1."""
    return alert.unit == "share" and alert.value is not None and 0 <= alert.value <= 1


def old_and_new(detail: Mapping[str, Scalar], word: str) -> tuple[float, float] | None:
    """Return the old and new `word` (such as `mean`) among the facts that explain a number.

    Knows the names that checks commonly give to the two.
    """
    names = (
        (f"{word}_was", word),
        (f"was_{word}", word),
        (f"reference_{word}", word),
        (f"{word}_reference", word),
        (f"old_{word}", f"new_{word}"),
        (f"{word}_old", f"{word}_new"),
        (f"{word}_before", f"{word}_after"),
        (f"{word}_was", f"{word}_now"),
        (f"reference_{word}", f"current_{word}"),
    )
    for old, new in names:
        before, after = detail.get(old), detail.get(new)
        if isinstance(before, (int, float)) and isinstance(after, (int, float)):
            return before, after
    return None


LEAST_SHIFT = 0.25
"""Standard deviations that a mean moves at least to be named before shares that moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """How the values of a column moved, in the data's own unit."""

    name: str
    """In a sentence: `mean`, `median`, or the values whose share moved: `the value ‘premium’`."""
    label: str
    """At the start of a line: `mean`, `‘premium’`, `values above 20:`."""
    before: str
    after: str
    factor: str = ""
    """How many times larger or smaller: `×60`; empty if it is near 1 or not defined."""
    deviations: str = ""
    """The shift in standard deviations of the reference; empty if it is not known."""
    is_share: bool = False
    """Whether `before` and `after` are shares of the rows."""
    is_plural: bool = False
    """Whether several values moved."""

    def contains(self, other: Movement) -> bool:
        """Return whether this says all that `other` says, and more."""
        return self != other and self == replace(
            other,
            factor=other.factor or self.factor,
            deviations=other.deviations or self.deviations,
        )

    @property
    def text(self) -> str:
        """Plain text: `mean 180 → 10,790 (×60, +182 sd)`."""
        size = ", ".join(part for part in (self.factor, self.deviations) if part)
        unit = " of rows" if self.is_share else ""
        return f"{self.label} {self.before} → {self.after}{unit}" + (f" ({size})" if size else "")

    @property
    def short_text(self) -> str:
        """Plain text without the size, for a title: `mean 180 → 10,790`."""
        return replace(self, factor="", deviations="").text

    @property
    def calm_text(self) -> str:
        """Plain text for a subject that is back to normal: `mean 181 now (usually 180)`."""
        unit = " of rows" if self.is_share else ""
        return f"{self.label} {self.after}{unit} now (usually {self.before})"

    @property
    def sentence(self) -> str:
        """Plain text for a title: `the mean went from 180 to 10,790 (×60)`."""
        if self.is_share:
            return f"{self.name} went from {self.before} to {self.after} of rows"
        size = f" ({self.factor})" if self.factor else ""
        return f"the {self.name} went from {self.before} to {self.after}{size}"

    @property
    def past_sentence(self) -> str:
        """Plain text for the end of a change: `the mean was 10,790 (usually 180)`."""
        if self.is_share:
            verb = "were" if self.is_plural else "was"
            return f"{self.name} {verb} in {self.after} of rows (usually {self.before})"
        return f"the {self.name} was {self.after} (usually {self.before})"


def find_movement(alert: AlertFact) -> Movement | None:
    """Return how the values moved; None where the alert's detail does not say it.

    A mean that stayed is not named where the detail says which values moved.
    """
    moved_share = _find_moved_share(alert)
    for word in ("mean", "median"):
        change = old_and_new(alert.detail, word)
        shift = alert.detail.get("shift_sd")
        if change is None or (
            moved_share is not None and isinstance(shift, (int, float)) and abs(shift) < LEAST_SHIFT
        ):
            continue
        return Movement(
            name=word,
            label=word,
            before=number(change[0]),
            after=number(change[1]),
            factor="" if _is_near_zero(change, shift) else times(*change),
            deviations=deviations(shift),
        )
    return moved_share


def _is_near_zero(change: tuple[float, float], shift: str | float | None) -> bool:
    """Whether the old value is so near zero, for its spread, that a factor says nothing."""
    if not isinstance(shift, (int, float)) or not shift:
        return False
    sd = abs((change[1] - change[0]) / shift)
    return abs(change[0]) < LEAST_SHIFT * sd


def _find_moved_share(alert: AlertFact) -> Movement | None:
    """The values whose share of the rows moved most, as the check names them."""
    shares = old_and_new(alert.detail, "share")
    moved, category = alert.detail.get("moved"), alert.detail.get("category")
    if shares is None or (moved is None and category is None):
        return None
    is_plural = False
    if moved is not None:
        words, count = clean(moved, 80), alert.detail.get("moved_values")
        is_plural = count != 1
        is_list = isinstance(count, (int, float)) and count > 1
        article = "the value " if count == 1 else "the " if is_list else ""
        name, label = f"{article}{words}", f"{words}:"
    elif category == OTHER_CATEGORIES:
        name, label, is_plural = "the rarer values", "rarer values:", True
    else:
        label = f"‘{clean(category, 40)}’"
        name = f"the value {label}"
    return Movement(
        name=name,
        label=label,
        before=share(shares[0]),
        after=share(shares[1]),
        is_share=True,
        is_plural=is_plural,
    )


def times(before: float, after: float) -> str:
    """Format how many times larger or smaller, if it is 1.5 or more: `×60`, `÷4`."""
    if before == 0 or after == 0 or (before > 0) != (after > 0):
        return ""
    factor = after / before
    if factor >= 1.5:
        return f"×{number(round(factor, 1))}"
    return f"÷{number(round(1 / factor, 1))}" if factor <= 1 / 1.5 else ""


def deviations(shift: str | float | None) -> str:
    """Format a shift in standard deviations of the reference: `+182 sd`."""
    return (
        f"{'+' if shift > 0 else ''}{number(float(f'{shift:.3g}'))} sd"
        if isinstance(shift, (int, float)) and shift
        else ""
    )


def interval(alert: AlertFact) -> str:
    """Format the interval of an alert: `95% sure: 0.68 to 0.74`; empty if it has none."""
    if alert.interval is None:
        return ""
    low, high = (
        share(end) if is_share(alert) and end >= 0 else number(end) for end in alert.interval
    )
    return f"95% sure: {low} to {high}"


def shown_interval(alert: AlertFact) -> str:
    """Format the interval of the number that a sentence shows in place of the value.

    It stands in the alert's detail as `shown_low` and `shown_high`; empty without them.
    """
    low, high = alert.detail.get("shown_low"), alert.detail.get("shown_high")
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return ""
    return f"95% sure: {number(low)} to {number(high)}"


def share_of_rows(noun: str, now: Scalar, previous: Scalar = None) -> str:
    """Format `missing in 31% of rows (usually 0%)`; empty if `now` is no share from 0 to 1."""
    if not isinstance(now, (int, float)) or not 0 <= now <= 1:
        return ""
    before = (
        f" (usually {share(previous)})"
        if isinstance(previous, (int, float)) and 0 <= previous <= 1
        else ""
    )
    return f"{noun} in {share(now)} of rows{before}"


def group_by_subject(alerts: Iterable[AlertFact], limit: int = 60) -> list[list[AlertFact]]:
    """Group alerts by subject, in the order of the first alert of each group.

    Alerts about the model as a whole are grouped by check and measurement.
    """
    groups: dict[tuple[str, ...], list[AlertFact]] = {}
    for alert in alerts:
        name = subject(alert, limit)
        key = (name,) if name else ("", alert.check, alert.measurement)
        groups.setdefault(key, []).append(alert)
    return list(groups.values())


def certainty(notification: Notification) -> str:
    """Return how sure the strongest alert is: its evidence, or the interval of its number.

    Empty if neither is known.
    """
    if notification.event in (Event.RESOLVED, Event.TEST, Event.REPORT) or not notification.alerts:
        return ""
    first = notification.alerts[0]
    odds = first.detail.get("odds")
    if isinstance(odds, (int, float)) and odds > 0:
        return f"evidence {odds_text(odds)} for a change"
    return interval(first) if first.state == "firing" else ""


def odds_text(odds: float) -> str:
    """Format the evidence for a change: `12,000:1`."""
    return f"{number(float(f'{odds:.2g}'))}:1" if odds < 1e9 else "a billion to 1 or more"


def families(notification: Notification) -> str:
    """Return the families of its alerts, the incident's own first: `quality, drift`."""
    names = dict.fromkeys(
        [
            notification.cause,
            *(alert.cause for alert in notification.alerts if alert.state != "resolved"),
        ]
    )
    return ", ".join(clean(name, 40) for name in names if name)


def count_hidden(notification: Notification, line_count: int) -> int:
    """Return how many findings a message leaves out that lists `line_count` of them."""
    beyond = max(0, notification.alert_count - len(notification.alerts))
    return max(0, len(group_by_subject(notification.alerts)) - line_count) + beyond


def plugin_facts(notification: Notification) -> dict[str, str]:
    """Return the facts that plugins added and what changed before, cleaned.

    A message that is sent late says when it was written.
    """
    written_at = notification.written_at if notification.is_late else None
    late = {} if written_at is None else {"sent late": f"written {utc(written_at)}"}
    return late | {
        clean(name, 60): clean(fact)
        for name, fact in notification.facts.items()
        if name not in notification.own_facts
    }


def links(notification: Notification) -> dict[str, str]:
    """Return the http and https links by cleaned name; other schemes are left out."""
    web_links = {
        name: url
        for name, url in notification.links.items()
        if url.startswith(("https://", "http://")) and url.isprintable()
    }
    return {clean(name, 70) or "link": url for name, url in web_links.items() if len(url) <= 2000}


def context(notification: Notification) -> str:
    """Return what the numbers rest on: window, rows, reference, version, incident."""
    parts = []
    if notification.window is not None:
        start, end = notification.window
        parts.append(f"window {span(start, end)}" if start != end else utc(start))
    if notification.rows:
        parts.append(count(notification.rows, "row"))
    if notification.reference:
        parts.append(f"compared with {clean(notification.reference, 80)}")
    if notification.model_version:
        parts.append(f"version {clean(notification.model_version, 60)}")
    parts.append(clean(notification.incident, 80))
    return " · ".join(parts)
