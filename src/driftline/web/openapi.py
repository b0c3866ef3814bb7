"""The OpenAPI document of the HTTP API, made of the routes that the application has.

A route without an entry here has its path, its methods and the parameters of its path.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.routing import BaseRoute, Route

from driftline import __version__
from driftline.catalog.tables import OutputForm
from driftline.types.record_fields import KINDS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
ERROR: Schema = {
    "type": "object",
    "properties": {"error": TEXT, "place": {"type": "array", "items": {"type": "integer"}}},
    "required": ["error"],
}
OBJECT: Schema = {"type": "object"}
OBJECTS: Schema = {"type": "array", "items": OBJECT}
ACT: Schema = {
    "type": "object",
    "properties": dict.fromkeys(("author", "reason", "for", "matchers"), TEXT),
    "additionalProperties": False,
}
RECORD: Schema = {
    "type": "object",
    "properties": {
        **dict.fromkeys(("model", "name", "author", "reason"), TEXT),
        "kind": {"type": "string", "enum": list(KINDS)},
        "fields": OBJECT,
        "merge": {"type": "boolean"},
        "delete": {"type": "boolean"},
    },
    "required": ["model", "kind", "author"],
    "additionalProperties": False,
}
POINTS: Schema = {
    "type": "object",
    "properties": {"model": TEXT, "id": TEXT, "points": OBJECTS},
    "required": ["model", "id", "points"],
    "additionalProperties": False,
}
QUERY_FORMS = [form.value for form in (OutputForm.JSON, OutputForm.CSV, OutputForm.PARQUET)]
PLACE = ("model", "kind", "name")
QUESTION = ("model", "metric", "where", "by", "since", "until")

Description = tuple[str, Iterable[str], Schema | None, Schema]
OPERATIONS: Mapping[tuple[str, str], Description] = {
    ("GET", "/api/incidents"): (
        "List incidents, open ones alone without `all`.",
        ("all",),
        None,
        OBJECTS,
    ),
    ("GET", "/api/incidents/{id}"): ("Show one incident.", (), None, OBJECT),
    ("POST", "/api/incidents/{id}/{act}"): (
        "Act on an incident: ack, snooze, silence, accept.",
        (),
        ACT,
        OBJECT,
    ),
    ("GET", "/api/actions"): ("List runs of actions.", ("incident",), None, OBJECTS),
    ("GET", "/api/actions/{id}"): ("Show one run of an action.", (), None, OBJECT),
    ("POST", "/api/actions/{id}/{act}"): ("Approve or reject a run.", (), ACT, OBJECT),
    ("GET", "/api/models"): ("List the models.", (), None, {}),
    ("GET", "/api/models/{model}"): ("Show one model.", (), None, {}),
    ("POST", "/api/measurements"): ("Bring numbers from outside.", (), POINTS, OBJECT),
    ("GET", "/api/records"): ("List records of models.", PLACE, None, OBJECTS),
    ("POST", "/api/records"): ("Write or delete a record.", (), RECORD, OBJECT),
    ("GET", "/api/records/history"): (
        "List changes of records, the newest first.",
        (*PLACE, "limit"),
        None,
        OBJECTS,
    ),
    ("GET", "/api/audit"): (
        "List what people changed, the newest first.",
        ("model", "author", "kind", "since", "limit"),
        None,
        OBJECTS,
    ),
    ("GET", "/api/search/models"): (
        "Search versions of models by an expression.",
        ("where",),
        None,
        OBJECTS,
    ),
    ("GET", "/api/query"): ("Ask for stored measurements.", QUESTION, None, OBJECTS),
    ("GET", "/api/openapi.json"): ("This document.", (), None, OBJECT),
}
"""Of each operation: what it does, its query parameters, the schema of its body, of its answer."""
REQUIRED = {("/api/query", "model"), ("/api/query", "metric")}
ERRORS = {
    "400": "the request has a mistake",
    "401": "the token is missing",
    "404": "there is no such thing",
    "409": "it can't be done now",
    "413": "the body is too large",
    "503": "another agent leads, or the state can't be read now",
}


def make_document(routes: Iterable[BaseRoute]) -> Schema:
    """Return the document of the routes below `/api`."""
    paths: dict[str, Schema] = {}
    for route in routes:
        if isinstance(route, Route) and route.path.startswith("/api/"):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                operation = _operation(method, route.path)
                paths.setdefault(route.path, {})[method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "driftline", "version": __version__},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": ERROR},
        },
        "security": [{"token": []}],
    }


def _operation(method: str, path: str) -> Schema:
    default: Description = (f"{method} {path}", (), None, {})
    summary, names, body, answer = OPERATIONS.get((method, path), default)
    parameters = [
        {"name": name[1:-1], "in": "path", "required": True, "schema": TEXT}
        for name in path.split("/")
        if name.startswith("{")
    ]
    parameters += [
        {"name": name, "in": "query", "required": (path, name) in REQUIRED, "schema": TEXT}
        for name in names
    ]
    content: Schema = {"application/json": {"schema": answer}}
    if path == "/api/query":
        schema = {"type": "string", "enum": QUERY_FORMS}
        parameters.append({"name": "format", "in": "query", "required": False, "schema": schema})
        content |= {"text/csv": {"schema": TEXT}, "application/vnd.apache.parquet": {}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    result: Schema = {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "the answer", "content": content},
            **{code: {"description": text, "content": error} for code, text in ERRORS.items()},
        },
    }
    if body is not None:
        result["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    return result
