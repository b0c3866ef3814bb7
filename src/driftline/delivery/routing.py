"""Who is told of an incident, and why: one walk over the tree of routes.

Refuses to lose an incident: where no route says otherwise, every sink is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from driftline.config.sections import MatchConfig, RouteConfig
from driftline.types.matchers import like
from driftline.types.model import Severity
from driftline.types.notification import Notification

ROOT = "routes"
NOTIFY = "notify"
"""The route that a model's own `notify` is."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is routed."""

    model: str
    severity: Severity
    families: frozenset[str]
    segments: frozenset[str] = frozenset()
    checks: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Visit:
    """One route that was tried."""

    place: str
    """Such as `routes.routes[1]`; `notify` for the model's own list."""
    taken: bool
    why: str
    """What matched, or what did not."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where an incident goes."""

    sinks: Mapping[str, str]
    """Who is told, each with the place of the route that says so."""
    fallback: tuple[str, ...]
    """Who is told instead of one that takes nothing."""
    visits: tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class Routing:
    """The routes of one model."""

    tree: RouteConfig
    model: str
    tags: Mapping[str, str]
    notify: tuple[str, ...] | None
    """The model's own sinks: they are always told."""
    every: tuple[str, ...]
    """All sinks there are."""

    def subject(self, told: Notification) -> Subject:
        """What routes see of a notification: its firing alerts, or all of them when none fires."""
        firing = [alert for alert in told.alerts if alert.state != "resolved"] or told.alerts
        segments = frozenset(
            alert.labels["segment"] for alert in firing if "segment" in alert.labels
        )
        checks = frozenset(alert.check for alert in firing)
        families = frozenset(alert.cause for alert in firing) or frozenset({told.cause})
        return Subject(self.model, told.severity, families, segments, checks, self.tags)

    def way(self, subject: Subject) -> Way:
        """Where an incident of this model goes."""
        visits: list[Visit] = []
        sinks: dict[str, str] = {}
        fallback: dict[str, None] = {}
        if self.notify is not None:
            visits.append(Visit(NOTIFY, True, "the model's own list"))
            sinks |= dict.fromkeys(self.notify, NOTIFY)
        leaves = self._leaves(self.tree, ROOT, None, None, subject, visits)
        for place, ends, instead in leaves or [(ROOT, self.tree.sinks, self.tree.fallback)]:
            fallback |= dict.fromkeys(instead or ())
            # What only the root says is for models that have no list of their own.
            if place == ROOT and self.notify is not None:
                continue
            for name in self.every if ends is None else ends:
                sinks.setdefault(name, place)
        return Way(sinks, tuple(fallback), tuple(visits))

    def _leaves(
        self,
        route: RouteConfig,
        place: str,
        sinks: tuple[str, ...] | None,
        fallback: tuple[str, ...] | None,
        subject: Subject,
        visits: list[Visit],
    ) -> list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]]:
        """The innermost routes that `subject` takes, each with the sinks and fallback that hold
        there; none if not this one.
        """
        taken, why = matches(route.match, subject)
        visits.append(Visit(place, taken, why))
        if not taken:
            return []
        sinks = sinks if route.sinks is None else route.sinks
        fallback = fallback if route.fallback is None else route.fallback
        found: list[tuple[str, tuple[str, ...] | None, tuple[str, ...] | None]] = []
        for number, inner in enumerate(route.routes):
            below = self._leaves(
                inner, f"{place}.routes[{number}]", sinks, fallback, subject, visits
            )
            found += below
            if below and not inner.continue_:
                break
        return found or [(place, sinks, fallback)]


def matches(match: MatchConfig, subject: Subject) -> tuple[bool, str]:
    """Whether `subject` is what `match` asks for, and by what."""
    asked: list[tuple[str, Sequence[str], frozenset[str]]] = [
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
    for name, wanted in match.tags.items():
        asked.append(
            (f"tag {name}", wanted, frozenset({subject.tags[name]} if name in subject.tags else ()))
        )
    said = []
    for what, patterns, values in asked:
        if not patterns:
            continue
        hit = next(
            (value for value in sorted(values) for pattern in patterns if like(value, pattern)),
            None,
        )
        if hit is None:
            has = ", ".join(sorted(values)) or "none"
            return False, f"{what} is {has}, not {' or '.join(patterns)}"
        said.append(f"{what} is {hit}")
    return True, "; ".join(said) or "takes everything"
