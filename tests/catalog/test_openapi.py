"""The OpenAPI document is of all of the API, and the API answers as it says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from question_scene import START
from starlette.testclient import TestClient

from driftline.agent.composition_root import open_agent, read_config
from driftline.telemetry.logs import make_log
from driftline.types.secret import Secret
from driftline.web import create_app

pytestmark = pytest.mark.system

TOKEN = "a-token-of-24-characters"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
NOW = START + timedelta(hours=7)


@pytest.fixture(scope="module")
def app(scene):
    with open_agent(read_config(scene), clock=lambda: NOW, log=make_log()) as agent:
        yield create_app(
            agent, None, Secret("${env:T}", TOKEN), clock=lambda: NOW, hosts=("testserver",)
        )


def test_each_route_of_the_api_is_in_the_document(app):
    """With its methods and the parameters of its path."""
    document = TestClient(app).get("/api/openapi.json", headers=HEADERS).json()
    routes = {
        (route.path, method.lower())
        for route in app.routes
        if route.path.startswith("/api/")
        for method in route.methods - {"HEAD"}
    }
    described = {(path, method) for path, item in document["paths"].items() for method in item}
    assert described == routes
    assert len(routes) >= 13


def test_the_document_needs_the_token(app):
    """As all of the API does."""
    assert TestClient(app).get("/api/openapi.json").status_code == 401


@pytest.mark.parametrize(
    ("where", "status", "key"),
    [("alias = 'champion'", 200, None), ("alais = 'champion'", 400, "place")],
)
def test_the_api_and_the_command_have_the_same_words(app, where, status, key):
    """A mistake has its place."""
    answer = TestClient(app).get("/api/search/models", params={"where": where}, headers=HEADERS)
    assert answer.status_code == status
    if key is None:
        assert [row["version"] for row in answer.json()] == ["v4", "v1"]
    else:
        assert answer.json()[key] == [0, 5]


def test_the_api_gives_the_numbers_of_the_command(app, scene):
    """The same rows, value by value."""
    import json

    from catalog_scene import run

    words = ("query", "churn", "psi", "--where", "column = 'tenure'", "--format", "json")
    params = {"model": "churn", "metric": "psi", "where": "column = 'tenure'"}
    answer = TestClient(app).get("/api/query", params=params, headers=HEADERS)
    assert answer.json() == json.loads(run(scene, *words).stdout)
    assert len(answer.json()) == 6


@pytest.mark.slow
def test_the_api_answers_as_the_document_says(app):
    """Schemathesis makes requests of the document, good ones and bad ones."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=HEADERS)
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=40,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            response = case.call(headers=HEADERS)
            case.validate_response(response, checks=checks)

        check()
        count += 1
    assert count >= 13
