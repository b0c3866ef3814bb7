"""The pages of the agent: health for supervisors, metrics for Prometheus, one small page for people.

Refuses to change anything by itself: every route of its own is a GET. `/healthz` and the bare answer of `/readyz` are open
to all, for supervisors that can't hold a token; everything else asks for the token where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from driftline.secret import Secret
from driftline.web.bearer import bears
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


def create_app(status: StatusSource, token: Secret | None = None, acting: Sequence[Route] = ()) -> Starlette:
    """The application for one running agent; with a token, only its bearers see more than health.

    `acting` are the routes of `web.acting`, which ask for a token of their own.
    """

    def allowed(request: Request) -> bool:
        return token is None or bears(request.headers.get("authorization", ""), token.reveal())

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def readyz(request: Request) -> Response:
        ready, loops = status.ready()
        body: dict[str, object] = {"ready": ready}
        if status.leader is not None:
            body["standby"] = True
        if allowed(request):
            body |= {"leader": status.leader} if status.leader else {}
            body["loops"] = [
                {"name": loop.name, "last_beat": loop.beat.isoformat() if loop.beat else None, "stuck": loop.stuck}
                for loop in loops
            ]
        return JSONResponse(body, 200 if ready else 503)

    def metrics(request: Request) -> Response:
        if not allowed(request):
            return _unauthorised()
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(status.registry), headers={"Content-Type": kind})

    def index(request: Request) -> Response:
        if not allowed(request):
            return _unauthorised()
        ready, loops = status.ready()
        return HTMLResponse(_page(ready, [loop.name for loop in loops if loop.stuck], status.leader))

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *acting,
        ]
    )
    app.add_middleware(_SafeHeaders)
    return app


def _unauthorised() -> Response:
    return PlainTextResponse(
        "This needs the token: as a bearer token, or as the password of any user.\n",
        401,
        headers={"WWW-Authenticate": 'Basic realm="driftline", charset="UTF-8"'},
    )


def _page(ready: bool, stuck: list[str], leader: str | None) -> str:
    waiting = None if leader is None else f"standing by; {leader or 'no agent that it can see'} leads"
    state = waiting or "at work" if ready else f"not ready; stuck: {', '.join(stuck) or 'nothing, still starting'}"
    links = "".join(f'<li><a href="{path}">{path}</a>: {what}</li>' for path, what in LINKS.items())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>driftline</title></head>'
        f"<body><h1>driftline</h1><p>The agent is {escape(state)}.</p><ul>{links}</ul></body></html>\n"
    )


LINKS = {
    "/readyz": "every loop, when it last came round, and whether it is stuck",
    "/metrics": "numbers for Prometheus",
    "/healthz": "whether the process lives",
}
