"""Acting on incidents by HTTP: an API for programs, and pages that ask before they act for people who follow a link.

Refuses to change anything for a GET, whoever sends it: chat programs and mail scanners open links by themselves. A link is
good for one incident, one act and a week; its page acts when its form is sent, and never by being opened.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from driftline.alerting.acts import Kind
from driftline.alerting.links import good, signature
from driftline.runtime.desk import Desk, Refused
from driftline.scalars import duration
from driftline.secret import Secret
from driftline.web.bearer import bears

LARGEST = 65_536
"""Bytes of a request that are read."""
KINDS = {"ack": Kind.ACKNOWLEDGE, "snooze": Kind.SNOOZE, "accept": Kind.ACCEPT}
ASKING = {
    "ack": ("Acknowledge", "You look after it: more columns are no news then, more severity and the end are."),
    "snooze": ("Snooze", "Nobody hears of it for a time but its end; if it is still open then, people are told."),
    "accept": ("Accept as the new normal", "The windows since the change become what later windows are compared with."),
}
SNOOZES = ("1h", "4h", "12h", "1d", "7d")
FORM_ONLY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


class Acting(Protocol):
    """The running agent, as acts find it."""

    @property
    def desk(self) -> Desk | None:
        """Where acts are left; None while this agent stands by."""
        ...


@dataclass(frozen=True)
class _Asked:
    """What a request says of itself."""

    author: str
    reason: str
    lasting: timedelta | None
    matchers: str


def routes(agent: Acting, token: Secret, clock: Callable[[], datetime]) -> list[Route]:
    """The API and the pages; `token` is what programs show and links are signed with."""

    def answer(work: Callable[[Desk], Any], refused: int = 409) -> Response:
        desk = agent.desk
        if desk is None:
            return JSONResponse({"error": "this agent stands by: ask the one that leads"}, 503)
        try:
            return JSONResponse(work(desk))
        except Refused as error:
            return JSONResponse({"error": str(error)}, refused)

    def allowed(request: Request) -> bool:
        # Not as a password: browsers send those along with forms of other sites.
        header = request.headers.get("authorization", "")
        return header[:7].lower() == "bearer " and bears(header, token.reveal())

    def listed(request: Request) -> Response:
        every = request.query_params.get("all", "") not in ("", "0", "false")
        return answer(lambda desk: desk.listed(every=every)) if allowed(request) else _unauthorised()

    def shown(request: Request) -> Response:
        if not allowed(request):
            return _unauthorised()
        return answer(lambda desk: desk.incident(request.path_params["id"]), 404)

    async def asked(request: Request) -> Response:
        if not allowed(request):
            return _unauthorised()
        try:
            given = _read(json.loads(await _body(request) or b"{}"))
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 400)
        name, act = request.path_params["id"], request.path_params["act"]
        if act not in (*KINDS, "silence"):
            return JSONResponse({"error": "there are ack, snooze, silence and accept"}, 404)
        return await run_in_threadpool(answer, lambda desk: _do(desk, act, name, given))

    def page(request: Request) -> Response:
        if not _signed(request, token, clock()):
            return _page("This link is not good", "It is too old, or was changed on its way.", status=403)
        name, act = request.path_params["id"], request.path_params["act"]
        desk = agent.desk
        if desk is None:
            return _page("Not now", "This agent stands by; try again in a minute.", status=503)
        try:
            return _form(desk.incident(name), act, _form_token(token, request))
        except Refused as error:
            return _page("There is nothing to do", str(error), status=404)

    async def sent(request: Request) -> Response:
        if not _signed(request, token, clock()):
            return _page("This link is not good", "It is too old, or was changed on its way.", status=403)
        try:
            fields = parse_qs((await _body(request)).decode("utf-8", "replace"), max_num_fields=10)
            form = {key: values[0] for key, values in fields.items()}
        except ValueError:
            return _page("This can't be read", "Go back, and send the form again.", status=400)
        if not hmac.compare_digest(form.pop("token", "").encode(), _form_token(token, request).encode()):
            return _page("Nothing was done", "Open the link, and send its form.", status=403)
        name, act = request.path_params["id"], request.path_params["act"]
        return await run_in_threadpool(_act, agent, act, name, form)

    return [
        Route("/api/incidents", listed, methods=["GET"]),
        Route("/api/incidents/{id}", shown, methods=["GET"]),
        Route("/api/incidents/{id}/{act}", asked, methods=["POST"]),
        Route("/i/{id}/{act}", page, methods=["GET"]),
        Route("/i/{id}/{act}", sent, methods=["POST"]),
    ]


def _act(agent: Acting, act: str, name: str, form: Mapping[str, Any]) -> Response:
    desk = agent.desk
    if desk is None:
        return _page("Not now", "This agent stands by; try again in a minute.", status=503)
    try:
        done = _do(desk, act, name, _read(form))
    except (Refused, ValueError) as error:
        return _page("Nothing was done", str(error), status=409)
    later = "" if done["outcome"] == "done" else " The agent does it with its next look at the source."
    return _page("Noted", f"{ASKING[act][0]}: {name}.{later}")


def _do(desk: Desk, act: str, name: str, given: _Asked) -> dict[str, Any]:
    """Do it; raises Refused."""
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


def _read(given: Any) -> _Asked:
    """Raises ValueError with what is wrong."""
    if not isinstance(given, Mapping):
        raise ValueError("the body should be an object with author, reason and, for snooze and silence, for")
    texts = {name: given.get(name, "") for name in ("author", "reason", "for", "matchers")}
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    unknown = sorted(set(given) - set(texts))
    if wrong or unknown:
        raise ValueError(f"{(wrong or unknown)[0]} should be text" if wrong else f"{unknown[0]!r} is not known here")
    lasting = duration(texts["for"]) if texts["for"] else None
    return _Asked(texts["author"], texts["reason"], lasting, texts["matchers"])


async def _body(request: Request) -> bytes:
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > LARGEST:
            raise ValueError("the body is too large")
    return read


def _signed(request: Request, token: Secret, now: datetime) -> bool:
    asked, path = request.query_params, request.path_params
    return path["act"] in KINDS and good(
        token.reveal(), path["id"], path["act"], asked.get("exp", ""), asked.get("sig", ""), now
    )


def _form_token(token: Secret, request: Request) -> str:
    """Only who has seen the page of a link can know it."""
    path = request.path_params
    return signature(token.reveal(), path["id"], f"form {path['act']}", int(request.query_params["exp"]))


def _unauthorised() -> Response:
    return JSONResponse({"error": "show the token: Authorization: Bearer ..."}, 401, headers={"WWW-Authenticate": "Bearer"})


def _form(incident: Mapping[str, Any], act: str, token: str) -> Response:
    title, about = ASKING[act]
    lengths = "".join(f"<option>{length}</option>" for length in SNOOZES)
    length = f"<p><label>For <select name=for>{lengths}</select></label></p>" if act == "snooze" else ""
    fields = (
        f'<form method=post><input type=hidden name=token value="{escape(token)}">'
        "<p><label>Who you are <input name=author required maxlength=200 autocomplete=name></label></p>"
        f"<p><label>Why <input name=reason maxlength=500></label></p>{length}<p><button>{escape(title)}</button></p></form>"
    )
    over = "" if incident["state"] == "firing" else "<p>It is over already.</p>"
    text = f"<p><strong>{escape(str(incident['title']))}</strong></p><p>{escape(about)}</p>{over or fields}"
    return _html(title, text, 200)


def _page(title: str, text: str, status: int = 200) -> Response:
    return _html(title, f"<p>{escape(text)}</p>", status)


def _html(title: str, body: str, status: int) -> Response:
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )
    return HTMLResponse(page, status, headers={"Content-Security-Policy": FORM_ONLY})
