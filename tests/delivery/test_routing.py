"""The tree of routes: who is told of which incident, and why."""

from dataclasses import replace

import pytest
from cases import lives

from driftline import Severity
from driftline.config.sections import RouteConfig
from driftline.delivery.routing import Routing, RoutingSubject

EVERY = ("chat", "pager", "mail", "growth")
TREE = {
    "sinks": ["chat"],
    "fallback": ["mail"],
    "routes": [
        {"match": {"severity": "critical"}, "sinks": ["pager"], "continue": True},
        {
            "match": {"tags": {"team": ["growth", "sales"]}},
            "sinks": ["growth"],
            "routes": [
                {"match": {"family": "quality"}, "fallback": []},
                {"match": {"segment": "plan=*", "check": "drift"}, "sinks": ["mail"]},
            ],
        },
        {"match": {"model": ["churn*", "fraud"]}},
    ],
}
DRIFT = RoutingSubject(model="churn-eu", severity=Severity.WARNING, families=frozenset({"drift"}))


def routing(tree=TREE, notify=None) -> Routing:
    return Routing(
        tree=RouteConfig.model_validate(tree), model="churn-eu", tags={}, notify=notify, sinks=EVERY
    )


@pytest.mark.parametrize(
    ("subject", "sinks", "fallback"),
    [
        (DRIFT, {"chat": "routes.routes[2]"}, ("mail",)),
        (replace(DRIFT, model="x"), {"chat": "routes"}, ("mail",)),
        (
            replace(DRIFT, severity=Severity.CRITICAL),
            {"pager": "routes.routes[0]", "chat": "routes.routes[2]"},
            ("mail",),
        ),
        (
            replace(DRIFT, tags={"team": frozenset({"sales"})}),
            {"growth": "routes.routes[1]"},
            ("mail",),
        ),
        (
            replace(DRIFT, tags={"team": frozenset({"sales"})}, families=frozenset({"quality"})),
            {"growth": "routes.routes[1].routes[0]"},
            (),
        ),
        (
            replace(
                DRIFT,
                tags={"team": frozenset({"growth"})},
                segments=frozenset({"plan=a"}),
                checks=frozenset({"drift"}),
            ),
            {"mail": "routes.routes[1].routes[1]"},
            ("mail",),
        ),
        (
            replace(DRIFT, tags={"team": frozenset({"growth"})}, segments=frozenset({"plan=a"})),
            {"growth": "routes.routes[1]"},
            ("mail",),
        ),
    ],
)
def test_the_innermost_route_that_matches_counts(subject, sinks, fallback):
    """In order, the first one that matches and has no `continue`; what it doesn't say comes from
    the route around it.
    """
    way = routing().route(subject)
    assert (dict(way.sinks), way.fallback) == (sinks, fallback)


def test_a_bracket_in_a_pattern_stands_for_itself():
    """Segments of numbers are named by intervals, such as [0, 10)."""
    tree = {"sinks": ["chat"], "routes": [{"match": {"segment": "age=[0, 10)"}, "sinks": ["mail"]}]}
    assert dict(routing(tree).route(replace(DRIFT, segments=frozenset({"age=[0, 10)"}))).sinks) == {
        "mail": "routes.routes[0]"
    }


def test_without_routes_all_are_told():
    """Nothing is lost for want of a route."""
    assert tuple(routing({}).route(DRIFT).sinks) == EVERY


def test_notify_is_a_route_of_its_own():
    """The model's own list is always told, routes add to it, and the sinks of the root are for
    models without a list.
    """
    assert dict(routing({}, ("chat",)).route(DRIFT).sinks) == {"chat": "notify"}
    assert dict(routing({}, ()).route(DRIFT).sinks) == {}
    critical = replace(DRIFT, model="x", severity=Severity.CRITICAL)
    assert dict(routing(TREE, ("growth",)).route(critical).sinks) == {
        "growth": "notify",
        "pager": "routes.routes[0]",
    }


def test_every_route_that_was_tried_says_why():
    """What matched, or what the incident is in place of it."""
    visits = {visit.place: (visit.matches, visit.reason) for visit in routing().route(DRIFT).visits}
    assert visits["routes.routes[0]"] == (False, "severity is warning, not critical")
    assert visits["routes.routes[1]"] == (False, "tag team is none, not growth or sales")
    assert visits["routes.routes[2]"] == (True, "model is churn-eu")


def test_a_notification_is_routed_by_what_fires():
    """Checks and segments of alerts that fire count, of all alerts where none fires any more."""
    told = lives()["several"]
    subject = routing().subject(told)
    assert (subject.severity, subject.families) == (told.severity, {"drift"})
    assert subject.checks == {alert.check for alert in told.alerts}
    assert routing().subject(lives()["resolved"]).checks
