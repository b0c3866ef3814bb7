"""SHAP values of the sample, computed by asking the endpoint that serves the model."""

from __future__ import annotations

import numpy as np
import pytest
from driftline_plugins.checks.attribution import Attribution
from driftline_plugins.checks.attribution.computed import compute_attributions
from model_server import model_server
from pydantic import ValidationError

from driftline import Field, Kind, Schema, Secret
from driftline.kit.checks.model_endpoint import ModelEndpoint
from driftline.kit.checks.model_files import ModelInputs
from driftline.testing import context
from driftline.testing.windows import window_of

pytestmark = pytest.mark.system

NAMES = ("age", "income", "tenure", "noise")
SCHEMA = Schema(features={name: Field(name, name, Kind.NUMERIC) for name in NAMES})


def draw(seed, rows=300):
    return np.random.default_rng(seed).normal([40, 3, 5, 0], [10, 1, 2, 1], (rows, 4))


def probabilities(rows):
    """A model with an interaction, as the probabilities of two classes."""
    score = 0.1 * (rows[:, 0] - 40) + (rows[:, 1] - 3) * (rows[:, 2] > 5)
    positive = 1 / (1 + np.exp(-score))
    return np.column_stack([1 - positive, positive])


@pytest.fixture
def server():
    with model_server(probabilities) as running:
        yield running


def window(table, reference=None):
    columns = {name: table[:, place].tolist() for place, name in enumerate(NAMES)}
    return window_of(columns, reference, schema=SCHEMA)


def measured(check, now, before):
    reference = window(before)
    return list(check.evaluate(context(window(now, reference), reference, schema=SCHEMA)))


@pytest.mark.parametrize(
    ("protocol", "path"), [("instances", "/"), ("v2", "/v2"), ("text/csv", "/")]
)
def test_each_protocol_gives_the_outputs_of_the_model(server, protocol, path):
    """In requests of at most so many rows, with the token in a header."""
    endpoint = ModelEndpoint(
        url=server.url + path,
        protocol=protocol,
        token=Secret("${env:TOKEN}", "t0p"),
        rows_per_request=100,
    )
    rows = draw(1, 250)
    outputs = endpoint.predict(rows, ModelInputs(NAMES))
    assert outputs == pytest.approx(probabilities(rows)[:, 1:])
    assert server.sizes == [100, 100, 50]
    assert server.headers[0]["authorization"] == "Bearer t0p"


def test_the_values_are_those_of_shap(server):
    """Of all coalitions of four features, against the same 20 rows of the reference."""
    import shap

    reference = window(draw(1))
    ctx = context(window(draw(2), reference), reference, schema=SCHEMA)
    found = compute_attributions(
        ctx,
        ModelEndpoint(url=server.url),
        names=NAMES,
        categories={},
        rows=200,
        allow_pickle=False,
    )
    assert found.reason == ""
    before, now = (
        np.array([side.summaries["sample"][name][:50] for name in NAMES]).T
        for side in (reference, ctx.current)
    )
    explainer = shap.KernelExplainer(lambda rows: probabilities(rows)[:, 1], before[:20])
    expected = explainer.shap_values(now, silent=True)
    assert found.current[:, :, 0] == pytest.approx(expected, abs=1e-6)


def test_a_swap_of_features_is_named(server):
    """Two columns that were swapped upstream are the first ones of the detail."""
    swapped = draw(3)
    swapped[:, [0, 3]] = swapped[:, [3, 0]]
    check = Attribution(endpoint=ModelEndpoint(url=server.url))
    found = measured(check, swapped, draw(4))
    [share] = [m for m in found if m.name == "attribution_moved"]
    assert share.detail["moved"].split()[0] == "age"
    assert share.interval[0] > 0.1


def test_the_reference_is_explained_once_until_the_model_changes(server):
    """The second window costs the predictions of one side, and one look at the reference."""
    check, before = Attribution(endpoint=ModelEndpoint(url=server.url)), draw(5)
    measured(check, draw(6), before)
    first = sum(server.sizes)
    server.sizes.clear()
    measured(check, draw(7), before)
    assert sum(server.sizes) == (first - 20) // 2 + 20


def test_an_endpoint_that_fails_gives_no_value_with_the_reason(server):
    """A server error, an answer of another kind, nobody there."""
    server.status = 503
    check = Attribution(endpoint=ModelEndpoint(url=server.url))
    assert "HTTP 503" in measured(check, draw(8), draw(9))[0].reason
    server.status = 200
    other = Attribution(endpoint=ModelEndpoint(url=server.url, protocol="v2"))
    assert measured(other, draw(8), draw(9))[0].value is None
    absent = Attribution(endpoint=ModelEndpoint(url="http://127.0.0.1:9/"))
    assert "ConnectError" in measured(absent, draw(8), draw(9))[0].reason


def test_settings_with_a_mistake_are_named():
    """`validate` finds them without a request."""
    with pytest.raises(ValidationError, match="begins with https"):
        ModelEndpoint(url="file:///etc/passwd")
    with pytest.raises(ValidationError, match="not several"):
        Attribution(prefix="shap_", endpoint=ModelEndpoint(url="https://model.example"))
