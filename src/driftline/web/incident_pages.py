"""The page of each incident, and its chart.

Without the right to see incidents the answer does not depend on whether the incident exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from driftline.alerting.digest import CAUSE
from driftline.delivery.links import CHART, possible_acts
from driftline.incidents.incident_service import ActRefused, IncidentService
from driftline.state.action_runs import State
from driftline.types import phrasing
from driftline.types.family import Family
from driftline.types.notification import OPEN
from driftline.web.access import Access, ask_password
from driftline.web.pages import render_message, render_page
from driftline.web.status import StatusSource

CHART_FOR = "private, max-age=300"
"""How long a browser may keep a chart: it changes with each message of the incident."""
NO_WINDOW = (Family.MONITORING, CAUSE)
"""Families of incidents whose numbers come from no window."""
AWAITING = State.AWAITING.value


def incident_routes(agent: StatusSource, access: Access) -> list[Route]:
    """The page of an incident and its chart, for readers and by signed links."""

    def show_incident(request: Request) -> Response:
        name = request.path_params["id"]
        until = access.check_link(request, name, OPEN)
        if until is None and not access.can_see_incidents(request):
            return _deny(request, access)
        if agent.incident_service is None:
            return render_message(
                "Not now",
                "This agent is on standby: another one leads. Try again in a minute.",
                503,
            )
        try:
            return render_page(
                "incident",
                **_incident(
                    agent.incident_service,
                    name,
                    access,
                    until,
                    acts=until is not None or access.can_act(request),
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

    return [Route("/i/{id}", show_incident), Route("/i/{id}/chart.png", show_chart)]


def list_open_incidents(
    service: IncidentService, access: Access, *, acts: bool
) -> list[dict[str, Any]]:
    """The open incidents, each with the address of its page, relative to the first page."""
    rows = []
    for row in service.list_incidents():
        query = access.sign_query(row["id"], OPEN) if acts else ""
        rows.append({**row, "href": f"i/{quote(row['id'], safe='')}{query}"})
    return rows


def show_bad_link(command: str) -> Response:
    """The page for a link that has expired or was changed; `command` shows the same."""
    text = (
        "A link is valid for seven days. This one is older, or it was changed. "
        "On the agent's machine this command shows the same:"
    )
    return render_message("This link is not valid", text, 403, command=phrasing.clean(command))


def _deny(request: Request, access: Access) -> Response:
    if "sig" not in request.query_params and access.http_token is not None:
        return ask_password()
    return show_bad_link(f"driftline explain {request.path_params['id']}")


def _incident(
    service: IncidentService, name: str, access: Access, until: int | None, *, acts: bool
) -> dict[str, Any]:
    """The values for the template of the page; addresses are relative to the page."""
    incident, notification = service.incident(name), service.newest_message(name)
    id, firing = incident["id"], incident["state"] == "firing"
    place, since = quote(id, safe=""), datetime.fromisoformat(incident["since"])
    end = datetime.fromisoformat(incident["resolved_at"]) if incident["resolved_at"] else None
    runs = [
        {**run, "acts": _decisions(service, access, run, until) if acts else {}}
        for run in incident["actions"]
    ]
    run_facts = {f"action {run['action']}" for run in runs}
    lines = service.lines(notification.alerts)
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
            label: f"{place}/{act}{access.sign_query(id, act, until)}"
            for label, act in possible_acts(notification).items()
            if acts and firing and not (act == "ack" and incident["acknowledged_by"])
        },
        "runs": runs,
        "commands": [
            f"driftline {word} {id}"
            for word in ("explain", *(() if incident["family"] in NO_WINDOW else ("reproduce",)))
        ],
    }


def _decisions(
    service: IncidentService, access: Access, run: Mapping[str, Any], until: int | None
) -> dict[str, str]:
    if run["state"] != AWAITING or run["action"] not in service.link_approved_actions:
        return {}
    place = f"../a/{quote(run['token'], safe='')}"
    return {
        act: f"{place}/{act}{access.sign_query(run['token'], act, until)}"
        for act in ("approve", "reject")
    }
