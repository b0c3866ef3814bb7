"""Acting by HTTP: an API for programs, and pages that ask before they act for people who follow a
link.

Refuses to change anything for a GET, whoever sends it: chat programs and mail scanners open links
by themselves. A link is good for one incident or run, one act and a week; its page acts when its
form is sent, and never by being opened.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.alerting.acts import Kind
from driftline.alerting.links import OPEN, signature
from driftline.incidents.desk import Desk, Refused
from driftline.types.action_request import Request
from driftline.types.scalars import parse_duration
from driftline.types.secret import Secret
from driftline.web.doors import Doors
from driftline.web.incident_pages import AWAITS, too_old
from driftline.web.pages import page, said
from driftline.web.status import StatusSource

LARGEST = 65_536
"""Bytes of a request that are read."""
KINDS = {"ack": Kind.ACKNOWLEDGE, "snooze": Kind.SNOOZE, "accept": Kind.ACCEPT}
DECISIONS = {"approve": True, "reject": False}
ASKING = {
    "ack": (
        "Acknowledge",
        "You look after it: more columns are no news then, more severity and the end are.",
    ),
    "snooze": (
        "Snooze",
        "Nobody hears of it for a time but its end; if it is still open then, people are told.",
    ),
    "accept": (
        "Accept as the new normal",
        "The windows since the change become what later windows are compared with.",
    ),
    "approve": ("Approve", "The agent sends what stands below, once, within half a minute."),
    "reject": ("Reject", "Nothing is sent."),
}
SNOOZES = ("1h", "4h", "12h", "1d", "7d")
STANDS_BY = "this agent stands by: ask the one that leads"


@dataclass(frozen=True)
class _Asked:
    """What a request says of itself."""

    author: str
    reason: str
    lasting: timedelta | None
    matchers: str


def routes(agent: StatusSource, doors: Doors, token: Secret) -> list[Route]:
    """The API and the pages; `token` is what programs show and links are signed with."""

    def answer(work: Callable[[Desk], Any], refused: int = 409) -> Response:
        desk = agent.desk
        if desk is None:
            return JSONResponse({"error": STANDS_BY}, 503)
        try:
            return JSONResponse(work(desk))
        except Refused as error:
            return JSONResponse({"error": str(error)}, refused)

    def listed(request: HttpRequest) -> Response:
        every = request.query_params.get("all", "") not in ("", "0", "false")
        return (
            answer(lambda desk: desk.listed(every=every))
            if doors.acts(request)
            else _unauthorised()
        )

    def shown(request: HttpRequest) -> Response:
        if not doors.acts(request):
            return _unauthorised()
        return answer(lambda desk: desk.incident(request.path_params["id"]), 404)

    def actions(request: HttpRequest) -> Response:
        about = request.query_params.get("incident")
        return (
            answer(lambda desk: desk.actions(incident=about))
            if doors.acts(request)
            else _unauthorised()
        )

    def action(request: HttpRequest) -> Response:
        if not doors.acts(request):
            return _unauthorised()
        return answer(lambda desk: desk.action(request.path_params["id"]), 404)

    async def asked(known: Collection[str], request: HttpRequest) -> Response:
        if not doors.acts(request):
            return _unauthorised()
        try:
            given = _read(json.loads(await _body(request) or b"{}"))
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 400)
        name, act = request.path_params["id"], request.path_params["act"]
        if act not in known:
            return JSONResponse({"error": f"there are {', '.join(known)}"}, 404)
        return await run_in_threadpool(answer, lambda desk: _do(desk, act, name, given))

    def form(known: Collection[str], request: HttpRequest) -> Response:
        name, act = request.path_params["id"], request.path_params["act"]
        until = doors.linked(request, name, act) if act in known else None
        if until is None:
            return too_old(
                f"driftline explain {name}" if known is KINDS else "driftline actions list"
            )
        if agent.desk is None:
            return said("Not now", "This agent stands by; try again in a minute.", 503)
        try:
            about = _about(agent.desk, act, name)
        except Refused as error:
            return said("There is nothing to do", str(error), 404)
        title, text = ASKING[act]
        names = {"title": title, "text": text, "about": about, "act": act, "snoozes": SNOOZES}
        return page(
            "form",
            token=_form_token(token, name, act, until),
            back=_back(doors, about["incident"], until),
            **names,
        )

    async def sent(known: Collection[str], request: HttpRequest) -> Response:
        name, act = request.path_params["id"], request.path_params["act"]
        until = doors.linked(request, name, act) if act in known else None
        if until is None:
            return too_old(
                f"driftline explain {name}" if known is KINDS else "driftline actions list"
            )
        try:
            fields = parse_qs((await _body(request)).decode("utf-8", "replace"), max_num_fields=10)
            given = {key: values[0] for key, values in fields.items()}
        except ValueError:
            return said("This can't be read", "Go back, and send the form again.", 400)
        if not hmac.compare_digest(
            given.pop("token", "").encode(), _form_token(token, name, act, until).encode()
        ):
            return said("Nothing was done", "Open the link, and send its form.", 403)
        return await run_in_threadpool(done, act, name, given, until)

    def done(act: str, name: str, given: Mapping[str, Any], until: int) -> Response:
        desk = agent.desk
        if desk is None:
            return said("Not now", "This agent stands by; try again in a minute.", 503)
        back = ""
        try:
            back = _back(doors, _about(desk, act, name)["incident"], until)
            outcome = _do(desk, act, name, _read(given))["outcome"]
        except (Refused, ValueError) as error:
            return said("Nothing was done", str(error), 409, back=back)
        later = " The agent does it with its next look at the source." if outcome == "waits" else ""
        return said("Noted", f"{ASKING[act][0]}: {name}.{later}", back=back)

    return [
        Route("/api/incidents", listed),
        Route("/api/incidents/{id}", shown),
        Route(
            "/api/incidents/{id}/{act}",
            partial(asked, ("ack", "snooze", "silence", "accept")),
            methods=["POST"],
        ),
        Route("/api/actions", actions),
        Route("/api/actions/{id}", action),
        Route("/api/actions/{id}/{act}", partial(asked, tuple(DECISIONS)), methods=["POST"]),
        Route("/i/{id}/{act}", partial(form, KINDS)),
        Route("/i/{id}/{act}", partial(sent, KINDS), methods=["POST"]),
        Route("/a/{id}/{act}", partial(form, DECISIONS)),
        Route("/a/{id}/{act}", partial(sent, DECISIONS), methods=["POST"]),
    ]


def _do(desk: Desk, act: str, name: str, given: _Asked) -> dict[str, Any]:
    """Do it; raises Refused."""
    if act in DECISIONS:
        run = desk.decide(name, given.author, given.reason, approve=DECISIONS[act])
        return {"action": run["token"], "outcome": "done", "state": run["state"]}
    if act == "silence":
        if given.lasting is None:
            raise Refused("a silence needs its length: for")
        if given.matchers:
            number = desk.silence(given.matchers, given.author, given.reason, lasting=given.lasting)
        else:
            number = desk.silence_incident(name, given.author, given.reason, lasting=given.lasting)
        return {"silence": number, "outcome": "done"}
    found, outcome = desk.ask(KINDS[act], name, given.author, given.reason, lasting=given.lasting)
    return {"incident": found, "outcome": outcome}


def _about(desk: Desk, act: str, name: str) -> dict[str, Any]:
    """What a link is about, for its page. Raises Refused when there is no such thing, or it may not
    be done by a link.
    """
    if act not in DECISIONS:
        found = desk.incident(name)
        over = "" if found["state"] == "firing" else "It is over already."
        return {
            "incident": found["id"],
            "title": found["title"],
            "tone": found["severity"],
            "over": over,
            "request": "",
        }
    run = desk.action(name)
    if run["action"] not in desk.by_link:
        raise Refused(
            f"runs of {run['action']} are not approved by links (actions.{run['action']}.approve_by_link)"
        )
    request = str(Request(**run["request"])) if run["request"] else ""
    over = "" if run["state"] == AWAITS else f"It awaits no approval: {run['state']}."
    title = f"{run['action']} for {run['incident']}: {run['why']}"
    return {
        "incident": run["incident"],
        "title": title,
        "tone": "warning",
        "over": over,
        "request": request,
    }


def _back(doors: Doors, incident: str, until: int) -> str:
    """The address of an incident's page as seen from that of an act."""
    return f"../../i/{quote(incident, safe='')}{doors.query(incident, OPEN, until)}"


def _read(given: Any) -> _Asked:
    """Raises ValueError with what is wrong."""
    if not isinstance(given, Mapping):
        raise ValueError(
            "the body should be an object with author, reason and, for snooze and silence, for"
        )
    texts = {name: given.get(name, "") for name in ("author", "reason", "for", "matchers")}
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    unknown = sorted(set(given) - set(texts))
    if wrong or unknown:
        raise ValueError(
            f"{(wrong or unknown)[0]} should be text"
            if wrong
            else f"{unknown[0]!r} is not known here"
        )
    lasting = parse_duration(texts["for"]) if texts["for"] else None
    return _Asked(texts["author"], texts["reason"], lasting, texts["matchers"])


async def _body(request: HttpRequest) -> bytes:
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > LARGEST:
            raise ValueError("the body is too large")
    return read


def _form_token(token: Secret, name: str, act: str, until: int) -> str:
    """Only who has seen the page of a link can know it."""
    return signature(token.reveal(), name, f"form {act}", until)


def _unauthorised() -> Response:
    return JSONResponse(
        {"error": "show the token: Authorization: Bearer ..."},
        401,
        headers={"WWW-Authenticate": "Bearer"},
    )
