"""The HTTP API of records: what is known of models, and who changed it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from driftline.catalog.catalog import Catalog, RecordError
from driftline.config.mistakes import unknown_name
from driftline.state.audit import KINDS as AUDIT_KINDS
from driftline.state.audit import ChangeFilter, load_changes
from driftline.web.access import Access
from driftline.web.pages import STANDBY
from driftline.web.query import read_number
from driftline.web.query_api import read_time
from driftline.web.request_body import read_body
from driftline.web.status import StatusSource

FIELDS = {"model", "kind", "name", "fields", "author", "reason", "merge", "delete"}
MOST_CHANGES = 10_000


def record_routes(agent: StatusSource, access: Access, deny: Callable[[], Response]) -> list[Route]:
    """The routes of records."""

    def answer(work: Callable[[Catalog], Any]) -> Response:
        catalog = agent.catalog
        if catalog is None:
            return JSONResponse({"error": STANDBY}, 503)
        try:
            return JSONResponse(work(catalog))
        except RecordError as error:
            return JSONResponse({"error": str(error)}, 400)

    def list_records(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return deny()
        return answer(
            lambda catalog: [row.as_json() for row in catalog.records(*_selection(request))]
        )

    def list_changes(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return deny()
        limit = read_number(request, "limit", 100, most=MOST_CHANGES)
        return answer(
            lambda catalog: [
                row.as_json() for row in catalog.history(*_selection(request), limit=limit)
            ]
        )

    def list_audit(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return deny()
        query = request.query_params
        limit = read_number(request, "limit", 100, most=MOST_CHANGES)
        try:
            since = read_time("since", query.get("since"), access.clock())
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        names = {name: query.get(name, "") for name in ("model", "author", "kind")}
        if names["kind"] and names["kind"] not in AUDIT_KINDS:
            text = unknown_name(names["kind"], AUDIT_KINDS, "kind is unknown")
            return JSONResponse({"error": text}, 400)

        def load(catalog: Catalog) -> list[dict[str, Any]]:
            with catalog.store.read() as connection:
                changes = load_changes(connection, ChangeFilter(**names, since=since), limit)
            return [change.as_json() for change in changes]

        return answer(load)

    async def write_record(request: HttpRequest) -> Response:
        if not access.can_act(request):
            return deny()
        try:
            content = read_change(json.loads(await read_body(request) or b"{}"))
        except (ValueError, RecursionError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return await run_in_threadpool(answer, lambda catalog: apply_change(catalog, content))

    return [
        Route("/api/records", list_records, methods=["GET"]),
        Route("/api/records", write_record, methods=["POST"]),
        Route("/api/records/history", list_changes),
        Route("/api/audit", list_audit),
    ]


def read_change(content: Any) -> dict[str, Any]:
    """Read the body of a change. Raises ValueError with the mistake."""
    if not isinstance(content, Mapping):
        raise ValueError("the body should be an object with model, kind, name, fields and author")
    unknown = sorted(set(content) - FIELDS)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a known field")
    texts = {name: content.get(name, "") for name in ("model", "kind", "name", "author", "reason")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"{name} should be text")
    if not texts["author"].strip():
        raise ValueError("author should name who changes it")
    flags = {name: content.get(name, False) for name in ("merge", "delete")}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise ValueError(f"{name} should be true or false")
    fields = content.get("fields", {})
    if not isinstance(fields, Mapping):
        raise ValueError("fields should be an object")
    return {**texts, **flags, "fields": dict(fields)}


def apply_change(catalog: Catalog, change: Mapping[str, Any]) -> dict[str, Any]:
    """Write or delete the record that a change names. Raises RecordError."""
    place = change["model"], change["kind"], change["name"]
    by = {"author": change["author"], "reason": change["reason"]}
    if change["delete"]:
        catalog.delete(*place, **by)
        return {"outcome": "deleted"}
    record = catalog.write(*place, change["fields"], merge=change["merge"], **by)
    return record.as_json()


def _selection(request: HttpRequest) -> tuple[str | None, str | None, str | None]:
    query = request.query_params
    return query.get("model"), query.get("kind"), query.get("name")
