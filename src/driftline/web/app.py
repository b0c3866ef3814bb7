"""The web application: health, metrics, the first page, incidents, the API and forms.

Every route defined here is a GET. `/healthz` and the short answer of `/readyz` are open to all, for
supervisors without a token; all other routes ask for the token when one is set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from urllib.parse import parse_qs

from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftline.contracts.context import Logger
from driftline.types.errors import DriftlineError
from driftline.types.phrasing import clean
from driftline.types.secret import Secret
from driftline.web.access import Access, deny_reading
from driftline.web.api import api_routes
from driftline.web.entity_tag import EntityTags
from driftline.web.forms import form_routes
from driftline.web.inbox import Inbox
from driftline.web.incident_pages import incident_routes, list_open_incidents
from driftline.web.known_hosts import KnownHosts
from driftline.web.model_pages import OVERVIEW_WINDOWS, model_routes, overview_rows
from driftline.web.operation_pages import operation_routes
from driftline.web.pages import render_message, render_page
from driftline.web.query import refresh_values
from driftline.web.static_files import static_routes
from driftline.web.status import StatusSource
from driftline.web.trusted_proxy import TrustedProxy
from driftline.web.wrong_tokens import WrongTokens

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _SafeHeaders:
    """Adds the safe headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
                if "refresh" in parse_qs(scope["query_string"].decode("latin-1")):
                    # The browser asks again soon, and may keep the page to compare.
                    headers["Cache-Control"] = "private, no-cache"
            await send(message)

        await self.app(scope, receive, send_safely)


def create_app(
    status: StatusSource,
    http_token: Secret | None = None,
    token: Secret | None = None,
    *,
    clock: Callable[[], datetime],
    inbox: Inbox | None = None,
    hosts: Collection[str] = (),
    proxy: TrustedProxy | None = None,
    log: Logger | None = None,
) -> Starlette:
    """The application for one running agent.

    With `http_token`, only requests with that token see more than health; with `proxy` also those
    in which it names a reader. With `token`, requests
    with that token and signed links may act on incidents, and programs may bring points for
    `inbox`. Without `http_token`, requests have to name this machine, an IP address or one of
    `hosts`.
    """
    access = Access(
        http_token=http_token,
        token=token,
        clock=clock,
        proxy=proxy,
        find_link_keys=lambda: status.link_keys,
    )

    async def favicon(request: Request) -> Response:
        return Response(ICON, media_type="image/svg+xml", headers={"Cache-Control": ICON_FOR})

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(request: Request) -> Response:
        ready, loops = status.ready()
        body: dict[str, object] = {"ready": ready}
        reasons = [loop.reason for loop in loops if loop.stuck]
        if status.is_standby:
            body["standby"] = True
        if access.can_read(request):
            body |= {"leader": status.leader} if status.leader else {}
            body |= {"reasons": reasons} if reasons else {}
            body["loops"] = [
                {
                    "name": loop.name,
                    "last_beat": loop.beat.isoformat() if loop.beat else None,
                    "stuck": loop.stuck,
                }
                for loop in loops
            ]
        return JSONResponse(body, 200 if ready else 503)

    def metrics(request: Request) -> Response:
        if not access.can_read(request):
            return deny_reading(access)
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(status.registry), headers={"Content-Type": kind})

    def index(request: Request) -> Response:
        if not access.can_read(request) and not access.can_see_incidents(request):
            return deny_reading(access)
        ready, loops = status.ready()
        stuck = [loop.name for loop in loops if loop.stuck]
        service = status.incident_service if access.can_see_incidents(request) else None
        views = status.model_views
        rows = (
            None
            if service is None
            else list_open_incidents(service, access, acts=access.can_act(request))
        )
        query = request.query_params.get("q", "")
        only_open = request.query_params.get("state", "") == "open"
        summaries = [] if service is None or views is None else views.summaries(OVERVIEW_WINDOWS)
        return render_page(
            "index",
            ready=ready,
            stuck=stuck,
            reasons=list(dict.fromkeys(loop.reason for loop in loops if loop.stuck)),
            is_standby=status.is_standby,
            leader=status.leader,
            links=LINKS,
            incidents=rows,
            total=len(summaries),
            query=query,
            only_open=only_open,
            models=overview_rows(
                [
                    summary
                    for summary in summaries
                    if query.lower() in summary.name.lower()
                    and not (only_open and not summary.open_incidents)
                ]
            ),
            **refresh_values(request),
        )

    routes = [
        Route("/", index),
        Route("/favicon.ico", favicon),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *incident_routes(status, access),
        *model_routes(status, access),
        *operation_routes(status, access),
        *static_routes(),
    ]
    if token is not None:
        routes += [*api_routes(status, access, inbox), *form_routes(status, access, token)]
    app = Starlette(
        routes=routes,
        exception_handlers={
            404: partial(_say_no_page, has_token=token is not None),
            SQLAlchemyError: _say_state_fails,
            DriftlineError: _say_state_fails,
        },
    )
    app.add_middleware(EntityTags)
    if http_token is None or proxy is not None:
        # With a token another site learns nothing: its page does not have it.
        app.add_middleware(KnownHosts, names=hosts)
    tokens = [secret for secret in (http_token, token) if secret is not None]
    app.add_middleware(WrongTokens, tokens=tokens, clock=clock, log=log)
    app.add_middleware(_SafeHeaders)
    return app


def _say_no_page(request: Request, error: Exception, *, has_token: bool) -> Response:
    """The answer to an address without a page; without `agent.token` some are missing."""
    text = "There is no page at this address."
    if not has_token:
        text += " Forms that act, and the API of incidents, need agent.token: it is not set."
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": text}, 404)
    return render_message("No such page", text, 404)


def _say_state_fails(request: Request, error: Exception) -> Response:
    """The answer where the state can't be read now."""
    text = clean(str(error).partition("\n")[0], 300)
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": f"the state can't be read now: {text}"}, 503)
    return render_message(
        "The state can't be read now",
        f"{text} The agent goes on trying; its loops stand on the page of health.",
        503,
    )


ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" '
    'rx="3" fill="#175cd3"/><path d="M2 10h4l2-5 2 8 2-5h2" fill="none" stroke="#fff"/></svg>'
)
ICON_FOR = "max-age=86400"
LINKS = {
    "readyz": "every loop, its last beat, and whether it is stuck",
    "metrics": "metrics for Prometheus",
    "healthz": "whether the process is alive",
}
