"""Looking at incidents: the page of each, and its chart.

Refuses to change anything, and to say whether an incident is there to those who may not see it.
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
from driftline.alerting.fact import MONITORING
from driftline.alerting.links import CHART, OPEN, possible
from driftline.incidents.desk import Desk, Refused
from driftline.types import phrasing
from driftline.web.bearer import challenge
from driftline.web.doors import Doors
from driftline.web.pages import page, said
from driftline.web.status import StatusSource

CHART_FOR = "private, max-age=300"
"""How long a chart may be kept: it changes when more is told of the incident."""
NO_WINDOW = (MONITORING, CAUSE)
"""Families of what was found in no window."""
AWAITS = "awaiting approval"


def routes(agent: StatusSource, doors: Doors) -> list[Route]:
    """The page of an incident and its chart, for readers and by signed links."""

    def shown(request: Request) -> Response:
        name = request.path_params["id"]
        until = doors.linked(request, name, OPEN)
        if until is None and not doors.looks(request):
            return _refused(request, doors)
        if agent.desk is None:
            return said(
                "Not now", "This agent stands by: another one leads. Try again in a minute.", 503
            )
        try:
            return page(
                "incident",
                **_incident(
                    agent.desk, name, doors, until, acts=until is not None or doors.acts(request)
                ),
            )
        except Refused as error:
            return said("There is nothing to see", str(error), 404)

    def drawn(request: Request) -> Response:
        name = request.path_params["id"]
        if doors.linked(request, name, CHART) is None and not doors.looks(request):
            return _refused(request, doors)
        if agent.desk is None:
            return PlainTextResponse("This agent stands by.\n", 503)
        try:
            chart = agent.desk.chart(name)
        except Refused as error:
            return PlainTextResponse(f"{error}\n", 404)
        if chart is None:
            return PlainTextResponse("There is nothing to draw.\n", 404)
        return Response(chart, media_type="image/png", headers={"Cache-Control": CHART_FOR})

    return [Route("/i/{id}", shown), Route("/i/{id}/chart.png", drawn)]


def listed(desk: Desk, doors: Doors, *, acts: bool) -> list[dict[str, Any]]:
    """The open incidents, each with the address of its page as seen from the first page."""
    return [
        {
            **row,
            "href": f"i/{quote(row['id'], safe='')}{doors.query(row['id'], OPEN) if acts else ''}",
        }
        for row in desk.listed()
    ]


def too_old(command: str) -> Response:
    """What is said to a link that is not good, or not any more."""
    text = "A link is good for seven days; this one is older, or was changed on its way. On the agent's machine this shows it:"
    return said("This link is not good", text, 403, command=phrasing.clean(command))


def _refused(request: Request, doors: Doors) -> Response:
    if "sig" not in request.query_params and doors.http_token is not None:
        return challenge()
    return too_old(f"driftline explain {request.path_params['id']}")


def _incident(
    desk: Desk, name: str, doors: Doors, until: int | None, *, acts: bool
) -> dict[str, Any]:
    """What the template of the page is given; addresses are as seen from the page."""
    found, told = desk.incident(name), desk.told(name)
    id, firing = found["id"], found["state"] == "firing"
    place, since = quote(id, safe=""), datetime.fromisoformat(found["since"])
    ended = datetime.fromisoformat(found["resolved_at"]) if found["resolved_at"] else None
    runs = [
        {**run, "acts": _decisions(desk, doors, run, until) if acts else {}}
        for run in found["actions"]
    ]
    mine = {f"action {run['action']}" for run in runs}
    lines = desk.lines(told.alerts)
    return {
        "incident": found,
        "told": told,
        "families": list(
            dict.fromkeys([found["family"], *(alert.cause for alert in told.alerts if alert.cause)])
        ),
        "title": found["title"].removeprefix(f"{phrasing.clean(found['model'], 40)}: "),
        "tone": found["severity"] if firing else "resolved",
        "lasted": phrasing.lasting(since, ended or doors.clock()),
        "lines": lines,
        "left": phrasing.count_hidden(told, len(lines)),
        "sure": phrasing.certainty(told),
        "facts": {
            name: text for name, text in phrasing.plugin_facts(told).items() if name not in mine
        },
        "links": phrasing.links(told),
        "rests_on": phrasing.context(told),
        "chart": f"{place}/chart.png{doors.query(id, CHART, until)}"
        if desk.chart(id) is not None
        else "",
        "acts": {
            label: f"{place}/{act}{doors.query(id, act, until)}"
            for label, act in possible(told).items()
            if acts and firing and not (act == "ack" and found["acknowledged_by"])
        },
        "runs": runs,
        "commands": [
            f"driftline {word} {id}"
            for word in ("explain", *(() if found["family"] in NO_WINDOW else ("reproduce",)))
        ],
    }


def _decisions(
    desk: Desk, doors: Doors, run: Mapping[str, Any], until: int | None
) -> dict[str, str]:
    if run["state"] != AWAITS or run["action"] not in desk.by_link:
        return {}
    place = f"../a/{quote(run['token'], safe='')}"
    return {
        act: f"{place}/{act}{doors.query(run['token'], act, until)}"
        for act in ("approve", "reject")
    }
