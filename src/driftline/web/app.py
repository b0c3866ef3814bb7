"""The pages of the agent: health for supervisors, metrics for Prometheus, a first page for people;
incidents, and acts on them.

Refuses to change anything by itself: every route of its own is a GET. `/healthz` and the bare
answer of `/readyz` are open to all, for supervisors that can't hold a token; everything else asks
for the token where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftline.types.secret import Secret
from driftline.web import incident_pages
from driftline.web.bearer import challenge
from driftline.web.doors import Doors
from driftline.web.pages import page
from driftline.web.status import StatusSource

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _SafeHeaders:
    """Puts the headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_safely)


def create_app(
    status: StatusSource,
    http_token: Secret | None = None,
    token: Secret | None = None,
    *,
    clock: Callable[[], datetime],
) -> Starlette:
    """The application for one running agent.

    With `http_token` only its bearers see more than health; with `token` its bearers and signed
    links may act on incidents.
    """
    doors = Doors(http_token, token, clock)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(request: Request) -> Response:
        ready, loops = status.ready()
        body: dict[str, object] = {"ready": ready}
        if status.leader is not None:
            body["standby"] = True
        if doors.reads(request):
            body |= {"leader": status.leader} if status.leader else {}
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
        if not doors.reads(request):
            return challenge()
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(status.registry), headers={"Content-Type": kind})

    def index(request: Request) -> Response:
        if not doors.reads(request) and not doors.looks(request):
            return challenge()
        ready, loops = status.ready()
        stuck = [loop.name for loop in loops if loop.stuck]
        desk = status.desk if doors.looks(request) else None
        rows = (
            None if desk is None else incident_pages.listed(desk, doors, acts=doors.acts(request))
        )
        return page(
            "index", ready=ready, stuck=stuck, leader=status.leader, links=LINKS, incidents=rows
        )

    routes = [
        Route("/", index),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *incident_pages.routes(status, doors),
    ]
    if token is not None:
        from driftline.web import acting

        routes += acting.routes(status, doors, token)
    app = Starlette(routes=routes)
    app.add_middleware(_SafeHeaders)
    return app


LINKS = {
    "readyz": "every loop, when it last came round, and whether it is stuck",
    "metrics": "numbers for Prometheus",
    "healthz": "whether the process lives",
}
