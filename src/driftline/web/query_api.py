"""The HTTP API of questions: models by what is recorded of them, and stored measurements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.catalog.catalog import Catalog
from driftline.catalog.measurement_query import QueryError, Question, ask
from driftline.catalog.search import search_models
from driftline.catalog.tables import WRITERS, OutputForm
from driftline.profiles.language import ExpressionError
from driftline.types.scalars import parse_duration
from driftline.types.times import as_utc
from driftline.web.access import Access
from driftline.web.openapi import make_document
from driftline.web.pages import STANDBY
from driftline.web.status import StatusSource

MEDIA_TYPES = {
    OutputForm.JSON: "application/json",
    OutputForm.CSV: "text/csv; charset=utf-8",
    OutputForm.PARQUET: "application/vnd.apache.parquet",
}
"""The formats of an answer over HTTP."""


def query_routes(
    agent: StatusSource,
    access: Access,
    deny: Callable[[], Response],
    clock: Callable[[], datetime],
) -> list[Route]:
    """The routes of questions."""

    def answer(request: HttpRequest, work: Callable[[Catalog], Response]) -> Response:
        if not access.can_act(request):
            return deny()
        catalog = agent.catalog
        if catalog is None:
            return JSONResponse({"error": STANDBY}, 503)
        try:
            return work(catalog)
        except ExpressionError as error:
            return JSONResponse({"error": str(error), "place": list(error.place)}, 400)
        except (QueryError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)

    def search(request: HttpRequest) -> Response:
        where = request.query_params.get("where", "")
        return answer(
            request,
            lambda catalog: JSONResponse(
                [item.as_json() for item in search_models(catalog, where)]
            ),
        )

    def query(request: HttpRequest) -> Response:
        return answer(request, lambda catalog: _query(request, catalog, clock()))

    def describe(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return deny()
        return JSONResponse(make_document(request.app.routes))

    return [
        Route("/api/search/models", search),
        Route("/api/query", query),
        Route("/api/openapi.json", describe),
    ]


def _query(request: HttpRequest, catalog: Catalog, now: datetime) -> Response:
    parameters = request.query_params
    text = parameters.get("format", OutputForm.JSON.value)
    form = next((form for form in MEDIA_TYPES if form.value == text), None)
    if form is None:
        raise ValueError(f"format should be one of {', '.join(MEDIA_TYPES)}")
    for name in ("model", "metric"):
        if not parameters.get(name):
            raise ValueError(f"the parameter {name} is missing")
    question = Question(
        model=parameters["model"],
        metric=parameters["metric"],
        where=parameters.get("where", ""),
        by=parameters.get("by", ""),
        since=read_time("since", parameters.get("since"), now),
        until=read_time("until", parameters.get("until"), now),
    )
    content = WRITERS[form](ask(catalog.store, question))
    return Response(content, media_type=MEDIA_TYPES[form])


def read_time(name: str, text: str | None, now: datetime) -> datetime | None:
    """Read a time, or how far back from `now`, such as `30d`. Raises ValueError."""
    if not text:
        return None
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise ValueError(f"{name} should be a time, or how far back, such as 30d") from None
