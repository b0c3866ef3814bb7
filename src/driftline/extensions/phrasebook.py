"""How alerts read in sentences, with the words that the checks declare.

The composition root creates one phrasebook and passes it on. An alert of a check that is no longer
installed gets the default wording: its name, its number and the earlier number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from driftline.contracts.check import Check
from driftline.contracts.wording import Wording
from driftline.extensions.advice import EXTENT_BY_KIND, default_advice, upstream_advice
from driftline.extensions.registry import Registry
from driftline.types.family import Family
from driftline.types.notification import AlertFact, Notification
from driftline.types.phrasing import (
    clean,
    find_movement,
    group_by_subject,
    interval,
    is_share,
    number,
    quoted,
    share,
    shown_interval,
    subject,
)
from driftline.types.plain_words import describe_extent, describe_move

PLAIN = Wording()
UNSURE = Wording(noun="too little data")
"""The agent's own measurement: a check can't tell for lack of data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The findings about one subject, for one line of a message."""

    subject: str
    """The column; empty for the model as a whole."""
    parts: tuple[str, ...]
    """How the values moved, then each figure."""
    statistics: tuple[str, ...] = ()
    """What the rules say: what is usual, the evidence, what such data shows. Not in messages."""
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


class Phrasebook:
    """The wordings of the installed checks."""

    def __init__(
        self,
        types: Iterable[type[Check]] = (),
        names: Mapping[str, type[Check]] | None = None,
        outputs: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        """Take the wordings of `types`; `names` gives the types of checks by configured name.

        `outputs` gives the columns of predictions and scores by model.
        """
        self._outputs = dict(outputs or {})
        self._by_measurement: dict[str, Wording] = {}
        self._by_check: dict[tuple[str, str], Wording] = {}
        self._estimates: dict[str, Mapping[str, str]] = {}
        for type_ in types:
            self._estimates[type_.type] = type_.estimates
            for measurement, wording in type_.wordings.items():
                self._by_measurement.setdefault(measurement, wording)
                self._by_check[type_.type, measurement] = wording
        for name, type_ in (names or {}).items():
            self._estimates[name] = type_.estimates
            for measurement, wording in type_.wordings.items():
                self._by_check[name, measurement] = wording

    def wording(self, alert: AlertFact) -> Wording:
        """Return the wording of the alert's check, else of any check with this measurement."""
        if alert.cause == "monitoring" and alert.measurement == "unsure":
            return UNSURE
        own = self._by_check.get((alert.check, alert.measurement))
        return own or self._by_measurement.get(alert.measurement, PLAIN)

    def noun(self, alert: AlertFact) -> str:
        """Return what people call the number: `PSI`, `missing`, `accuracy`."""
        return self.wording(alert).noun or clean(alert.measurement.replace("_", " "), 60)

    def figure(self, alert: AlertFact) -> str:
        """Format the number of an alert with what it is compared with: `PSI 6.1 (limit 0.25)`.

        A resolved alert has no limit, and is `back to normal` where its check says nothing of it.
        """
        noun = self.noun(alert)
        if alert.value is None:
            # Without a number the text names the check, since several may fail at once.
            check = "" if subject(alert) or alert.check == alert.measurement else f"{alert.check}: "
            return clean(f"{check}{noun}: {alert.reason or 'no value'}", 240)
        wording = self.wording(alert)
        if sentence := _call(wording.sentence, alert):
            return sentence
        is_resolved = alert.state == "resolved"
        if is_resolved and wording.sentence is not None:
            return "back to normal"
        if is_share(alert):
            if alert.was is None or not 0 <= alert.was <= 1:
                return f"{noun} {share(alert.value)}"
            if is_resolved:
                return f"{noun} {share(alert.value)} now (usually {share(alert.was)})"
            return f"{noun} {share(alert.was)} → {share(alert.value)}"
        now = f"{number(alert.value)}{_unit(alert)}"
        if alert.was is not None:
            if is_resolved:
                return f"{noun} {now} now (usually {number(alert.was)})"
            return f"{noun} {number(alert.was)} → {now}"
        limit = None if alert.bound is None or is_resolved else alert.bound.value
        return f"{noun} {now} (limit {number(limit)})" if limit is not None else f"{noun} {now}"

    def headline(self, group: Sequence[AlertFact]) -> str:
        """Return what is wrong with one subject, for a title, without its name.

        That is what its check says in plain words, or how its values moved where a check of drift
        knows it, else its first number, with the usual one in the same unit.
        """
        first = group[0]
        wording = self.wording(first)
        if text := _call(wording.headline, first):
            return text
        if first.value is None or _call(wording.sentence, first):
            return self.figure(first)
        if first.cause == Family.DRIFT:
            movement = next((move for move in map(find_movement, group) if move), None)
            if movement is not None:
                return movement.sentence
            is_column = "column" in first.labels
            return f"{'values changed: ' if is_column else ''}{self.figure(first)}"
        return self._move(first)

    def _move(self, alert: AlertFact) -> str:
        """The number of an alert and what it is compared with, as a sentence."""
        noun, value, usual = self.noun(alert), alert.value, alert.was
        if value is None:
            return self.figure(alert)
        as_share = is_share(alert) and (usual is None or 0 <= usual <= 1)
        form = share if as_share else number
        after = f"{form(value)}{'' if as_share else _unit(alert)}"
        if usual is not None:
            return describe_move(noun, form(usual), after, rises=value > usual)
        if alert.bound is not None:
            return f"{noun} is {after}, {alert.bound.side} the limit of {form(alert.bound.value)}"
        return f"{noun} is {after}"

    def _extent(self, alert: AlertFact) -> str:
        """How much one alert affects; the check decides it where it declares the words."""
        declared = self.wording(alert).extent
        return describe_extent(alert) if declared is None else _call(declared, alert)

    def extent(self, notification: Notification) -> str:
        """Return how much the first alert affects that can say it in plain words; may be empty.

        Labels know more than an estimate, so they count first.
        """
        firing = [alert for alert in notification.alerts if alert.state != "resolved"]
        if not firing:
            return ""
        first = firing[0]
        firing.sort(key=lambda alert: self._estimated(alert) is not None)
        if first.cause == Family.MONITORING:
            return EXTENT_BY_KIND.get(first.measurement, "")
        shown, text = next(
            ((alert, text) for alert in firing if (text := self._extent(alert))),
            (first, describe_extent(first)),
        )
        others = len(group_by_subject(firing)) - 1
        name = subject(shown)
        if not others or not text:
            return text
        more = f"and {others} more finding{'' if others == 1 else 's'}"
        return f"{f'{quoted(name)}: ' if name else ''}{text}; {more}"

    def past_finding(self, group: Sequence[AlertFact]) -> str:
        """Return what was wrong with one subject, for the end: `it was missing in 36% of rows`.

        `group` are its alerts as they were while they fired.
        """
        alert = group[0]
        if past := _call(self.wording(alert).past, alert):
            return past
        movement = next((move for move in map(find_movement, group) if move), None)
        if alert.cause == Family.DRIFT and movement is not None:
            return movement.past_sentence
        if alert.value is None:
            return clean(alert.reason, 90)
        now = share(alert.value) if is_share(alert) else f"{number(alert.value)}{_unit(alert)}"
        return f"{self.noun(alert)} was {now}"

    def interval(self, alert: AlertFact) -> str:
        """Format the interval of the number that is shown: `95%: 0.72 to 0.76`; may be empty."""
        wording = self.wording(alert)
        # Without its sentence the text shows the value after all.
        is_hidden = wording.hides_value and bool(_call(wording.sentence, alert))
        return shown_interval(alert) if is_hidden else interval(alert)

    def advice(self, notification: Notification) -> str:
        """Return what to do first, in one short sentence of plain text; empty at the end.

        An alert that recommends a decision knows more than others, so its advice counts, and labels
        know more than an estimate. Where labels show the loss that was estimated, it says so.
        """
        firing = [alert for alert in notification.alerts if alert.state == "firing"]
        firing.sort(key=lambda alert: (alert.decision is None, self._estimated(alert) is not None))
        if advice := upstream_advice(notification):
            return advice
        own = _call(self.wording(firing[0]).advice, firing[0]) if firing else ""
        advice = own or default_advice(
            notification, self._outputs.get(notification.model, frozenset())
        )
        by_labels = {alert.measurement for alert in firing if self._estimated(alert) is None}
        if advice and any(self._estimated(alert) in by_labels for alert in firing):
            return f"Labels confirm the estimated loss: {advice[0].lower()}{advice[1:]}"
        return advice

    def _estimated(self, alert: AlertFact) -> str | None:
        """Return the measurement by labels that an alert estimates; None where it is by labels."""
        return self._estimates.get(alert.check, {}).get(alert.measurement)

    def smallest_visible(self, alert: AlertFact) -> str:
        """Format the smallest change that so many rows can show: `shows from 0.4 on`.

        Empty if the rule's reason says it, or if it is not known.
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
        size = share(short) if is_share(alert) and 0 <= short <= 1 else number(short)
        if self.wording(alert).hides_value:
            size = f"{alert.measurement.replace('_', ' ')} {size}"
        usual = alert.detail.get("usual", alert.was)
        # A change is beyond the smallest one; a number that is no change lies on either side.
        is_above = smallest >= usual if isinstance(usual, (int, float)) else alert.value >= smallest
        return f"shows from {size} {'on' if is_above else 'down'}"

    def lines(self, alerts: Iterable[AlertFact]) -> list[Line]:
        """Return one line a subject: five measurements of a column read as one finding."""
        return [self._line(group) for group in group_by_subject(alerts)]

    def _statistics(self, alert: AlertFact) -> list[str]:
        """What the rule says of an alert that fires, beyond its figure."""
        if alert.state == "resolved" or alert.value is None:
            return []
        reason = alert.reason if "odds" in alert.detail else ""
        return [clean(text) for text in (reason, self.smallest_visible(alert)) if text]

    def _line(self, group: list[AlertFact]) -> Line:
        is_calm = all(alert.state == "resolved" for alert in group)
        moves = dict.fromkeys(move for alert in group if (move := find_movement(alert)))
        # A movement that another one contains is left out: `(×60)` beside `(×60, +195 sd)`.
        parts = {
            move.calm_text if is_calm else move.text: None
            for move in moves
            if not any(other.contains(move) for other in moves)
        }
        for alert in group:
            sure = "" if alert.state == "resolved" else self.interval(alert)
            parts[self.figure(alert) + (f" [{sure}]" if sure else "")] = None
        worst = max(group, key=lambda alert: (alert.state == "firing", alert.severity.rank))
        return Line(
            subject=subject(group[0]),
            parts=tuple(parts),
            statistics=tuple(
                dict.fromkeys(text for alert in group for text in self._statistics(alert))
            ),
            state=worst.state,
            severity=worst.severity.value,
            since=min(alert.since for alert in group),
            rows=max(alert.rows for alert in group),
        )


def _call(text: Callable[[AlertFact], str] | None, alert: AlertFact) -> str:
    """Return a text that a check declares; empty where it declares none or raises."""
    if text is None:
        return ""
    try:
        return clean(text(alert), 400)
    except Exception:
        # A message must go out whatever a plugin's sentence does.
        return ""


def _unit(alert: AlertFact) -> str:
    unit = alert.unit or ""
    return unit if unit in ("", "%") else f" {clean(unit, 20)}"


@lru_cache(maxsize=1)
def installed_phrasebook() -> Phrasebook:
    """Return the phrasebook of the installed plugins, for use without a configuration."""
    return Phrasebook(Registry.load().checks())
