"""How alerts read in sentences, with the words that the checks declare.

The composition root creates one phrasebook and passes it on. An alert of a check that is no longer
installed gets the default wording: its name, its number and the earlier number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from driftline.contracts.check import Check
from driftline.contracts.wording import Wording
from driftline.extensions.registry import Registry
from driftline.types.notification import AlertFact
from driftline.types.phrasing import (
    clean,
    find_movement,
    group_by_subject,
    interval,
    is_share,
    number,
    share,
    subject,
)

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
        self, types: Iterable[type[Check]] = (), names: Mapping[str, type[Check]] | None = None
    ) -> None:
        """Take the wordings of `types`; `names` gives the types of checks by configured name."""
        self._by_measurement: dict[str, Wording] = {}
        self._by_check: dict[tuple[str, str], Wording] = {}
        for type_ in types:
            for measurement, wording in type_.wordings.items():
                self._by_measurement.setdefault(measurement, wording)
                self._by_check[type_.type, measurement] = wording
        for name, type_ in (names or {}).items():
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
        """Format the number of an alert with what it is compared with: `PSI 6.1 (limit 0.25)`."""
        noun = self.noun(alert)
        if alert.value is None:
            # Without a number the text names the check, since several may fail at once.
            check = "" if subject(alert) or alert.check == alert.measurement else f"{alert.check}: "
            return clean(f"{check}{noun}: {alert.reason or 'no value'}", 240)
        if sentence := self._sentence(alert):
            return sentence
        if is_share(alert):
            text = f"{noun} {share(alert.value)}"
            if alert.was is None or not 0 <= alert.was <= 1:
                return text
            return f"{text} (was {share(alert.was)})"
        unit = "" if not alert.unit else alert.unit
        unit = unit if unit in ("", "%") else f" {clean(unit, 20)}"
        text = f"{noun} {number(alert.value)}{unit}"
        limit = None if alert.bound is None else alert.bound.value
        if alert.was is not None:
            return f"{text} (was {number(alert.was)}{unit})"
        return f"{text} (limit {number(limit)})" if limit is not None else text

    def _sentence(self, alert: AlertFact) -> str:
        sentence = self.wording(alert).sentence
        if sentence is None:
            return ""
        try:
            return clean(sentence(alert), 400)
        except Exception:
            # A message must go out whatever a plugin's sentence does.
            return ""

    def smallest_visible(self, alert: AlertFact) -> str:
        """Format the smallest change that so many rows can show: `0.4 or more would be seen`.

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
            return f"{self.noun(alert)} {size} would be seen"
        return f"{size} or {'more' if alert.value >= smallest else 'less'} would be seen"

    def lines(self, alerts: Iterable[AlertFact]) -> list[Line]:
        """Return one line a subject: five measurements of a column read as one finding."""
        return [self._line(group) for group in group_by_subject(alerts)]

    def _line(self, group: list[AlertFact]) -> Line:
        moves = dict.fromkeys(move for alert in group if (move := find_movement(alert)))
        # A movement that another one contains is left out: `(×60)` beside `(×60, +195 sd)`.
        parts = {
            move.text: None for move in moves if not any(other.contains(move) for other in moves)
        }
        for alert in group:
            extra = [
                "" if self.wording(alert).hides_value else interval(alert),
                self.smallest_visible(alert),
            ]
            bracket = "; ".join(part for part in extra if part)
            parts[self.figure(alert) + (f" [{bracket}]" if bracket else "")] = None
            if "odds" in alert.detail:
                # The rule's reason says what is usual, how sure it is and what would be visible.
                parts[clean(alert.reason)] = None
        worst = max(group, key=lambda alert: (alert.state == "firing", alert.severity.rank))
        return Line(
            subject=subject(group[0]),
            parts=tuple(parts),
            state=worst.state,
            severity=worst.severity.value,
            since=min(alert.since for alert in group),
            rows=max(alert.rows for alert in group),
        )


@lru_cache(maxsize=1)
def installed_phrasebook() -> Phrasebook:
    """Return the phrasebook of the installed plugins, for use without a configuration."""
    return Phrasebook(Registry.load().checks())
