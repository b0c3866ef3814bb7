"""The HTTP API for programs: list incidents and action runs, act on them, and bring numbers.

Only POST requests with the bearer token change anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.alerting.acts import ActKind
from driftline.incidents.incident_service import ActRefused, IncidentService
from driftline.types.scalars import parse_duration
from driftline.web.access import Access
from driftline.web.inbox import Inbox, inbox_route
from driftline.web.pages import STANDBY
from driftline.web.query_api import query_routes
from driftline.web.record_api import record_routes
from driftline.web.request_body import read_body
from driftline.web.status import StatusSource

KINDS = {"ack": ActKind.ACKNOWLEDGE, "snooze": ActKind.SNOOZE, "accept": ActKind.ACCEPT}
DECISIONS = {"approve": True, "reject": False}
INCIDENT_ACTS = ("ack", "snooze", "silence", "accept")


@dataclass(frozen=True)
class ActRequest:
    """The fields of a request that acts."""

    author: str
    reason: str
    length: timedelta | None
    """How long a snooze or a silence lasts."""
    matchers: str


def api_routes(agent: StatusSource, access: Access, inbox: Inbox | None = None) -> list[Route]:
    """The routes of the API."""

    def answer(work: Callable[[IncidentService], Any], error_status: int = 409) -> Response:
        service = agent.incident_service
        if service is None:
            return JSONResponse({"error": STANDBY}, 503)
        try:
            return JSONResponse(work(service))
        except ActRefused as error:
            return JSONResponse({"error": str(error)}, error_status)

    def list_incidents(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return _deny_access()
        every = request.query_params.get("all", "") not in ("", "0", "false")
        return answer(lambda service: service.list_incidents(every=every))

    def show_incident(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return _deny_access()
        return answer(lambda service: service.incident(request.path_params["id"]), 404)

    def list_actions(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return _deny_access()
        incident = request.query_params.get("incident")
        return answer(lambda service: service.actions(incident=incident))

    def show_action(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return _deny_access()
        return answer(lambda service: service.action(request.path_params["id"]), 404)

    async def act_on(acts: Collection[str], request: HttpRequest) -> Response:
        if not access.can_act(request):
            return _deny_access()
        try:
            fields = read_act_request(json.loads(await read_body(request) or b"{}"))
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 400)
        name, act = request.path_params["id"], request.path_params["act"]
        if act not in acts:
            return JSONResponse({"error": f"there are {', '.join(acts)}"}, 404)
        return await run_in_threadpool(
            answer, lambda service: perform_act(service, act, name, fields)
        )

    return [
        Route("/api/incidents", list_incidents),
        Route("/api/incidents/{id}", show_incident),
        Route("/api/incidents/{id}/{act}", partial(act_on, INCIDENT_ACTS), methods=["POST"]),
        Route("/api/actions", list_actions),
        Route("/api/actions/{id}", show_action),
        Route("/api/actions/{id}/{act}", partial(act_on, tuple(DECISIONS)), methods=["POST"]),
        inbox_route(inbox, access.can_act, _deny_access),
        *record_routes(agent, access, _deny_access),
        *query_routes(agent, access, _deny_access, access.clock),
    ]


def perform_act(
    service: IncidentService, act: str, name: str, fields: ActRequest
) -> dict[str, Any]:
    """Do `act` on the incident or run `name`, and return the outcome. Raises ActRefused."""
    author, reason, length = fields.author, fields.reason, fields.length
    if act in DECISIONS:
        run = service.decide(name, author, reason, approve=DECISIONS[act])
        return {"action": run["token"], "outcome": "done", "state": run["state"]}
    if act == "silence":
        if length is None:
            raise ActRefused("a silence needs its length: for")
        if fields.matchers:
            number = service.silence(fields.matchers, author, reason, length=length)
        else:
            number = service.silence_incident(name, author, reason, length=length)
        return {"silence": number, "outcome": "done"}
    incident, outcome = service.request_act(KINDS[act], name, author, reason, length=length)
    return {"incident": incident, "outcome": outcome}


def read_act_request(content: Any) -> ActRequest:
    """Read the fields of a request. Raises ValueError with the mistake."""
    if not isinstance(content, Mapping):
        raise ValueError(
            "the body should be an object with author, reason and, for snooze and silence, for"
        )
    texts = {name: content.get(name, "") for name in ("author", "reason", "for", "matchers")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{name} should be text")
    unknown = sorted(set(content) - set(texts))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a known field")
    length = parse_duration(texts["for"]) if texts["for"] else None
    return ActRequest(texts["author"], texts["reason"], length, texts["matchers"])


def _deny_access() -> Response:
    return JSONResponse(
        {"error": "show the token: Authorization: Bearer ..."},
        401,
        headers={"WWW-Authenticate": "Bearer"},
    )
