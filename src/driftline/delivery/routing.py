"""Finds the sinks of an incident in the tree of routes, with the reasons.

Without a route that says otherwise, an incident goes to every sink.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from driftline.config.sections import MatchConfig, RouteConfig
from driftline.types.matchers import matches_pattern
from driftline.types.model import Severity
from driftline.types.notification import Notification

ROOT = "routes"
NOTIFY = "notify"
"""The place of the model's own list of sinks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSubject:
    """The facts of an incident that routes match."""

    model: str
    severity: Severity
    families: frozenset[str]
    segments: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    tags: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """The values of each tag: those of the model, and of the checks whose alerts are firing."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One route that was compared with the incident."""

    place: str
    """Such as `routes.routes[1]`; `notify` for the model's own list."""
    matches: bool
    reason: str
    """What matched, or what did not."""


@dataclass(frozen=True, slots=True)
class RoutingResult:
    """The sinks of an incident."""

    sinks: Mapping[str, str]
    """The names of the sinks, each with the place of its route."""
    fallback: tuple[str, ...]
    """The sinks that get the messages of a sink that fails."""
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The routes of one model."""

    tree: RouteConfig
    model: str
    tags: Mapping[str, str]
    """The tags of the model."""
    check_tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The tags of each check, those of the model among them."""
    notify: tuple[str, ...] | None
    """The model's own sinks: they always get the incident."""
    sinks: tuple[str, ...]
    """The names of all sinks."""

    def subject(self, notification: Notification) -> RoutingSubject:
        """The subject of a notification: its firing alerts, or all when none fires."""
        firing = [alert for alert in notification.alerts if alert.state != "resolved"]
        firing = firing or list(notification.alerts)
        segments = frozenset(
            alert.labels["segment"] for alert in firing if "segment" in alert.labels
        )
        checks = frozenset(alert.check for alert in firing)
        families = frozenset(alert.cause for alert in firing) or frozenset({notification.cause})
        return RoutingSubject(
            model=self.model,
            severity=notification.severity,
            families=families,
            segments=segments,
            checks=checks,
            tags=self.tags_of(checks),
        )

    def tags_of(self, checks: Iterable[str]) -> dict[str, frozenset[str]]:
        """The values of each tag over some checks; without any, the tags of the model."""
        values: dict[str, set[str]] = {}
        for tags in [self.check_tags.get(check, self.tags) for check in checks] or [self.tags]:
            for name, value in tags.items():
                values.setdefault(name, set()).add(value)
        return {name: frozenset(found_values) for name, found_values in values.items()}

    def route(self, subject: RoutingSubject) -> RoutingResult:
        """Find the sinks of an incident of this model."""
        visits: list[Visit] = []
        sinks: dict[str, str] = {}
        fallback: dict[str, None] = {}
        if self.notify is not None:
            visits.append(Visit(NOTIFY, True, "the model's own list"))
            sinks |= dict.fromkeys(self.notify, NOTIFY)
        leaves = self._find_leaves(
            self.tree, place=ROOT, sinks=None, fallback=None, subject=subject, visits=visits
        )
        for place, names, fallback_names in leaves or [(ROOT, self.tree.sinks, self.tree.fallback)]:
            fallback |= dict.fromkeys(fallback_names or ())
            # The sinks of the root are for models without a list of their own.
            if place == ROOT and self.notify is not None:
                continue
            for name in self.sinks if names is None else names:
                sinks.setdefault(name, place)
        return RoutingResult(sinks, tuple(fallback), tuple(visits))

    def _find_leaves(
        self,
        route: RouteConfig,
        place: str,
        sinks: tuple[str, ...] | None,
        fallback: tuple[str, ...] | None,
        subject: RoutingSubject,
        visits: list[Visit],
    ) -> list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]]:
        """Find the innermost routes that match, each with its place, sinks and fallback.

        Routes inherit sinks and fallback from the route around them. The list is empty when `route`
        itself does not match.
        """
        is_match, reason = match_route(route.match, subject)
        visits.append(Visit(place, is_match, reason))
        if not is_match:
            return []
        sinks = sinks if route.sinks is None else route.sinks
        fallback = fallback if route.fallback is None else route.fallback
        leaves: list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]] = []
        for number, inner in enumerate(route.routes):
            below = self._find_leaves(
                inner,
                place=f"{place}.routes[{number}]",
                sinks=sinks,
                fallback=fallback,
                subject=subject,
                visits=visits,
            )
            leaves += below
            if below and not inner.continue_:
                break
        return leaves or [(place, sinks, fallback)]


def match_route(match: MatchConfig, subject: RoutingSubject) -> tuple[bool, str]:
    """Whether `subject` has what `match` asks for, and the reason as text for people."""
    conditions: list[tuple[str, Sequence[str], frozenset[str]]] = [
        ("model", match.model, frozenset({subject.model})),
        (
            "severity",
            [severity.value for severity in match.severity],
            frozenset({subject.severity.value}),
        ),
        ("family", match.family, subject.families),
        ("segment", match.segment, subject.segments),
        ("check", match.check, subject.checks),
    ]
    for name, tag_patterns in match.tags.items():
        conditions.append(
            (
                f"tag {name}",
                tag_patterns,
                subject.tags.get(name, frozenset()),
            )
        )
    reasons = []
    for label, patterns, values in conditions:
        if not patterns:
            continue
        hit = next(
            (
                value
                for value in sorted(values)
                for pattern in patterns
                if matches_pattern(value, pattern)
            ),
            None,
        )
        if hit is None:
            present = ", ".join(sorted(values)) or "none"
            return False, f"{label} is {present}, not {' or '.join(patterns)}"
        reasons.append(f"{label} is {hit}")
    return True, "; ".join(reasons) or "takes everything"
