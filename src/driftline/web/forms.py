"""Pages with a form each: to acknowledge, snooze, silence, accept or approve.

A GET never changes anything: chat programs and mail scanners open links by themselves. A signed
link is for one incident or run and one act, and expires after a week; the act is done when its form
is sent. Readers without a link get the same form with a field for `agent.token`: another site can't
fill it in.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from driftline.incidents.incident_service import ActRefused, IncidentService
from driftline.types.action_request import Request
from driftline.types.notification import OPEN
from driftline.types.secret import Secret
from driftline.web.access import Access
from driftline.web.api import DECISIONS, INCIDENT_ACTS, perform_act, read_act_request
from driftline.web.incident_pages import AWAITING, show_bad_link
from driftline.web.pages import render_message, render_page, render_standby
from driftline.web.request_body import read_body
from driftline.web.status import StatusSource

FORM_TEXTS = {
    "ack": (
        "Acknowledge",
        "You look after this incident. Further columns send no message from now on; a higher "
        "severity and the end of the incident do.",
    ),
    "snooze": (
        "Snooze",
        "For this time only the end of the incident sends a message. If the incident is still "
        "open after it, a message is sent.",
    ),
    "silence": (
        "Silence",
        "For this time incidents of this model with the same families and columns send no message, "
        "this one and later ones.",
    ),
    "accept": (
        "Accept as the new normal",
        "The windows since the change become the reference that later windows are compared with.",
    ),
    "approve": ("Approve", "The agent sends the request below, once, within half a minute."),
    "reject": ("Reject", "Nothing is sent."),
}
"""Title and explanation of each form."""
HOLD_LENGTHS = ("1h", "4h", "12h", "1d", "7d")
"""How long a snooze or a silence may last."""
TIMED_ACTS = ("snooze", "silence")
"""The acts that need their length."""
NOT_FROM_LINK = "Open the link and send the form on its page."
"""The answer to the form of a link with a wrong token."""
WRONG_TOKEN = "Changes need the value of agent.token, or a link of a message."
"""The answer to a reader's form with a wrong token."""


def form_routes(agent: StatusSource, access: Access, token: Secret) -> list[Route]:
    """The routes of the forms; readers without a link show `token`."""

    def show_form(acts: Collection[str], request: HttpRequest) -> Response:
        name, act = request.path_params["id"], request.path_params["act"]
        until = access.check_link(request, name, act) if act in acts else None
        if until is None and not (act in acts and _is_reader(request, access)):
            return show_bad_link(_command(acts, name))
        if agent.incident_service is None:
            return render_standby()
        try:
            subject = _describe_subject(agent.incident_service, act, name)
        except ActRefused as error:
            return render_message("Nothing to do", str(error), 404)
        title, text = FORM_TEXTS[act]
        return render_page(
            "form",
            title=title,
            text=text,
            subject=subject,
            act=act,
            is_timed=act in TIMED_ACTS,
            lengths=HOLD_LENGTHS,
            token="" if until is None else access.sign_form(name, act, until),
            back=_incident_address(access, subject["incident"], until),
        )

    async def receive_form(acts: Collection[str], request: HttpRequest) -> Response:
        name, act = request.path_params["id"], request.path_params["act"]
        until = None
        if act in acts:
            until = await run_in_threadpool(access.check_link, request, name, act)
        if act not in acts or (until is None and "sig" in request.query_params):
            return show_bad_link(_command(acts, name))
        try:
            body = (await read_body(request)).decode("utf-8", "replace")
            fields = {key: values[0] for key, values in parse_qs(body, max_num_fields=10).items()}
        except ValueError:
            return render_message("The form can't be read", "Go back and send the form again.", 400)
        form_token = fields.pop("token", "")
        may_act = (
            hmac.compare_digest(form_token.encode(), token.reveal().encode())
            if until is None
            else await run_in_threadpool(access.is_form_signed, form_token, name, act, until)
        )
        if not may_act:
            return render_message(
                "Nothing was done", WRONG_TOKEN if until is None else NOT_FROM_LINK, 403
            )
        return await run_in_threadpool(perform, act, name, fields, until)

    def perform(act: str, name: str, fields: Mapping[str, Any], until: int | None) -> Response:
        service = agent.incident_service
        if service is None:
            return render_standby()
        back = ""
        try:
            incident = _describe_subject(service, act, name)["incident"]
            back = _incident_address(access, incident, until)
            outcome = perform_act(service, act, name, read_act_request(fields))["outcome"]
        except (ActRefused, ValueError) as error:
            return render_message("Nothing was done", str(error), 409, back=back)
        later = " The agent does it when it next reads the source." if outcome == "waits" else ""
        return render_message("Noted", f"{FORM_TEXTS[act][0]}: {name}.{later}", back=back)

    return [
        Route("/i/{id}/{act}", partial(show_form, INCIDENT_ACTS)),
        Route("/i/{id}/{act}", partial(receive_form, INCIDENT_ACTS), methods=["POST"]),
        Route("/a/{id}/{act}", partial(show_form, DECISIONS)),
        Route("/a/{id}/{act}", partial(receive_form, DECISIONS), methods=["POST"]),
    ]


def _command(acts: Collection[str], name: str) -> str:
    """The command that shows what a link would have shown."""
    return f"driftline explain {name}" if acts is INCIDENT_ACTS else "driftline actions list"


def _describe_subject(service: IncidentService, act: str, name: str) -> dict[str, Any]:
    """The incident or run of a link, for its page.

    Raises ActRefused when there is no such incident or run, or the act is not allowed by a link.
    """
    if act not in DECISIONS:
        incident = service.incident(name)
        return {
            "incident": incident["id"],
            "title": incident["title"],
            "tone": incident["severity"],
            "obstacle": "" if incident["state"] == "firing" else "This incident is over already.",
            "request": "",
        }
    run = service.action(name)
    if run["action"] not in service.link_approved_actions:
        setting = f"actions.{run['action']}.approve_by_link"
        raise ActRefused(f"runs of {run['action']} are not approved by links ({setting})")
    state = run["state"]
    return {
        "incident": run["incident"],
        "title": f"{run['action']} for {run['incident']}: {run['why']}",
        "tone": "warning",
        "obstacle": "" if state == AWAITING else f"This run awaits no approval: {state}.",
        "request": str(Request(**run["request"])) if run["request"] else "",
    }


def _is_reader(request: HttpRequest, access: Access) -> bool:
    """Whether a request without a link may see the form."""
    return "sig" not in request.query_params and access.can_see_incidents(request)


def _incident_address(access: Access, incident: str, until: int | None) -> str:
    """The address of an incident's page, relative to the page of a form."""
    query = "" if until is None else access.sign_query(incident, OPEN, until)
    return f"../../i/{quote(incident, safe='')}{query}"
