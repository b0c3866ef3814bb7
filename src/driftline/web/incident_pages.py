"""The list of incidents, the page of each, and its chart.

Without the right to see incidents the answer does not depend on whether the incident exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from driftline.alerting.digest import CAUSE
from driftline.delivery.links import CHART, possible_acts
from driftline.incidents.incident_service import ActRefused, FoundIncident, IncidentService
from driftline.state.action_runs import State as RunState
from driftline.types import phrasing
from driftline.types.family import Family
from driftline.types.model import Severity
from driftline.types.notification import OPEN
from driftline.web.access import Access, deny_reading
from driftline.web.pages import render_message, render_page, render_standby
from driftline.web.pictures import draw_series, draw_sparkline, mark_change
from driftline.web.query import read_number, refresh_values
from driftline.web.status import StatusSource

CHART_FOR = "private, max-age=300"
"""How long a browser may keep a chart: it changes with each message of the incident."""
NO_WINDOW = (Family.MONITORING, CAUSE)
"""Families of incidents whose numbers come from no window."""
AWAITING = RunState.AWAITING.value
FILTERS = ("state", "model", "severity", "family")
FIRING, ALL = "firing", "all"
PAGE = 50
"""Incidents of a page of the list."""


def incident_routes(agent: StatusSource, access: Access) -> list[Route]:
    """The page of an incident and its chart, for readers and by signed links."""

    def show_incident(request: Request) -> Response:
        name = request.path_params["id"]
        until = access.check_link(request, name, OPEN)
        if until is None and not access.can_see_incidents(request):
            return _deny(request, access)
        if agent.incident_service is None:
            return render_standby()
        is_reader = access.can_see_incidents(request)
        try:
            return render_page(
                "incident",
                is_reader=is_reader,
                has_token=access.token is not None,
                **_incident(
                    agent.incident_service,
                    name,
                    access,
                    until,
                    signs=until is not None or access.can_act(request),
                ),
            )
        except ActRefused as error:
            return render_message("No such incident", str(error), 404)

    def show_chart(request: Request) -> Response:
        name = request.path_params["id"]
        if access.check_link(request, name, CHART) is None and not access.can_see_incidents(
            request
        ):
            return _deny(request, access)
        if agent.incident_service is None:
            return PlainTextResponse("This agent is on standby.\n", 503)
        try:
            chart = agent.incident_service.chart(name)
        except ActRefused as error:
            return PlainTextResponse(f"{error}\n", 404)
        if chart is None:
            return PlainTextResponse("This incident has no chart.\n", 404)
        return Response(chart, media_type="image/png", headers={"Cache-Control": CHART_FOR})

    def list_found(request: Request) -> Response:
        if not access.can_see_incidents(request):
            return deny_reading(access)
        service = agent.incident_service
        if service is None:
            return render_standby()
        chosen = {name: request.query_params.get(name, "") for name in FILTERS}
        chosen["state"] = chosen["state"] or FIRING
        page = read_number(request, "page", 1, most=10_000)
        found = service.search(
            **chosen | {"state": "" if chosen["state"] == ALL else chosen["state"]},
            limit=PAGE + 1,
            offset=(page - 1) * PAGE,
        )
        views = agent.model_views
        return render_page(
            "incidents",
            rows=[_row(item, access, signs=access.can_act(request)) for item in found[:PAGE]],
            chosen=chosen,
            models=[] if views is None else views.names,
            families=service.families(),
            severities=[severity.value for severity in reversed(Severity)],
            newer=f"?{urlencode(chosen | {'page': page - 1})}" if page > 1 else "",
            older=f"?{urlencode(chosen | {'page': page + 1})}" if len(found) > PAGE else "",
            **refresh_values(request),
        )

    return [
        Route("/incidents", list_found),
        Route("/i/{id}", show_incident),
        Route("/i/{id}/chart.png", show_chart),
    ]


def list_open_incidents(
    service: IncidentService, access: Access, *, acts: bool
) -> list[dict[str, Any]]:
    """The open incidents, each with the address of its page, relative to the first page."""
    rows = []
    for row in service.list_incidents():
        query = access.sign_query(row["id"], OPEN) if acts else ""
        rows.append({**row, "href": f"i/{quote(row['id'], safe='')}{query}"})
    return rows


def _row(item: FoundIncident, access: Access, *, signs: bool) -> dict[str, Any]:
    """One incident of the list, with its address relative to the list."""
    facts, id = item.facts, item.facts["id"]
    since = datetime.fromisoformat(facts["since"])
    end = datetime.fromisoformat(facts["resolved_at"]) if facts["resolved_at"] else None
    severity = facts["severity"]
    return {
        **facts,
        "headline": item.headline,
        "href": f"i/{quote(id, safe='')}{access.sign_query(id, OPEN) if signs else ''}",
        "length": phrasing.format_span_length(since, end or access.clock()),
        "spark": draw_sparkline(mark_change(item.values, since, end, severity))
        if item.values
        else "",
    }


def show_bad_link(command: str) -> Response:
    """The page for a link that has expired or was changed; `command` shows the same."""
    text = (
        "A link is valid for seven days. This one is older, or it was changed. "
        "On the agent's machine this command shows the same:"
    )
    return render_message("This link is not valid", text, 403, command=phrasing.clean(command))


def _deny(request: Request, access: Access) -> Response:
    if "sig" not in request.query_params and access.http_token is not None:
        return deny_reading(access)
    return show_bad_link(f"driftline explain {request.path_params['id']}")


def _incident(
    service: IncidentService, name: str, access: Access, until: int | None, *, signs: bool
) -> dict[str, Any]:
    """The values for the template of the page; addresses are relative to the page."""
    incident, notification = service.incident(name), service.newest_message(name)
    id, firing = incident["id"], incident["state"] == "firing"
    place, since = quote(id, safe=""), datetime.fromisoformat(incident["since"])
    end = datetime.fromisoformat(incident["resolved_at"]) if incident["resolved_at"] else None
    runs = [
        {**run, "acts": _decisions(service, access, run, until, signs=signs)}
        for run in incident["actions"]
    ]
    run_facts = {f"action {run['action']}" for run in runs}
    lines, values = service.lines(notification.alerts), service.lead_values(notification)
    return {
        "incident": incident,
        "notification": notification,
        "families": list(
            dict.fromkeys(
                [incident["family"], *(alert.cause for alert in notification.alerts if alert.cause)]
            )
        ),
        "title": service.headline(id),
        "tone": incident["severity"] if firing else "resolved",
        "duration": phrasing.format_span_length(since, end or access.clock()),
        "lines": lines,
        "remaining": phrasing.count_hidden(notification, len(lines)),
        "certainty": phrasing.certainty(notification),
        "facts": {
            name: text
            for name, text in phrasing.plugin_facts(notification).items()
            if name not in run_facts
        },
        "links": phrasing.links(notification),
        "context": phrasing.context(notification),
        "chart": f"{place}/chart.png{access.sign_query(id, CHART, until)}"
        if service.chart(id) is not None
        else "",
        "acts": {
            label: f"{place}/{act}{access.sign_query(id, act, until) if signs else ''}"
            for label, act in {**possible_acts(notification), "silence": "silence"}.items()
            if access.token is not None and firing
        },
        "runs": runs,
        "values": values,
        "series": draw_series(mark_change(values, since, end, incident["severity"]))
        if len(values) > 1
        else "",
        "lead": notification.alerts[0] if notification.alerts else None,
        "commands": [
            f"driftline {word} {id}"
            for word in ("explain", *(() if incident["family"] in NO_WINDOW else ("reproduce",)))
        ],
    }


def _decisions(
    service: IncidentService,
    access: Access,
    run: Mapping[str, Any],
    until: int | None,
    *,
    signs: bool,
) -> dict[str, str]:
    if access.token is None:
        return {}
    if run["state"] != AWAITING or run["action"] not in service.link_approved_actions:
        return {}
    place = f"../a/{quote(run['token'], safe='')}"
    return {
        act: f"{place}/{act}{access.sign_query(run['token'], act, until) if signs else ''}"
        for act in ("approve", "reject")
    }
