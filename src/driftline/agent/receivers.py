"""The sinks that receive a notification of one model, by the routes of the configuration."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from driftline.config import Config
from driftline.delivery.routing import Routing, RoutingResult
from driftline.state.incident_store import SinkPlan
from driftline.types.notification import Notification

Receivers = Callable[[Notification], Sequence[SinkPlan]]
"""Returns the sinks that receive a notification, and the least severity of each."""


def make_routing(config: Config, model: str) -> Routing:
    """Return the routes of one model."""
    settings = config.models[model]
    return Routing(
        tree=config.routes,
        model=model,
        tags=settings.route_tags,
        check_tags=settings.check_route_tags,
        notify=settings.notify,
        sinks=tuple(config.sinks),
    )


def receivers_of(config: Config, model: str) -> Receivers:
    """Return a function that gives the sinks of a notification of `model`."""
    return _make_receivers(config, model, lambda route: route.sinks)


def fallback_receivers_of(config: Config, model: str) -> Receivers:
    """Return a function that gives the sinks that stand in when those of the route fail."""
    return _make_receivers(config, model, lambda route: route.fallback)


def _make_receivers(
    config: Config, model: str, choose_sinks: Callable[[RoutingResult], Collection[str]]
) -> Receivers:
    routing, plans = make_routing(config, model), _sink_plans(config)

    def receivers(notification: Notification) -> Sequence[SinkPlan]:
        route = routing.route(routing.subject(notification))
        return [plans[name] for name in choose_sinks(route)]

    return receivers


def _sink_plans(config: Config) -> dict[str, SinkPlan]:
    return {
        name: SinkPlan(name, sink.min_severity, sink.plugin.updates)
        for name, sink in config.sinks.items()
    }
