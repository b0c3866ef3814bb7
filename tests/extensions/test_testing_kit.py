"""`driftline.testing` makes what the agent makes, and its contracts catch what breaks them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from types import ModuleType
from typing import Any, ClassVar, get_args

import numpy as np
import pytest
from driftline_plugins.checks.estimated_performance import EstimatedPerformance
from driftline_plugins.checks.fairness import Difference
from driftline_plugins.checks.performance import BASELINES, PERFORMANCE_METRICS, USUAL_METRICS

from driftline import (
    Action,
    Check,
    Format,
    Kind,
    Measurement,
    Notification,
    Request,
    Retryable,
    Secret,
    Sink,
    Source,
    above,
    hookimpl,
)
from driftline.contracts.wording import Wording
from driftline.extensions import Registry
from driftline.kit.checks import Task
from driftline.profiles.collector import Collector
from driftline.testing import (
    FakeClock,
    FakeHttp,
    assert_collector_contract,
    assert_plugin_contract,
    context,
    decode,
    notification,
    window,
)

pytestmark = pytest.mark.system

OPTIONS = {
    "local": {"path": "x"},
    "bigquery": {"table": "demo-project.logs.t"},
    "prometheus": {"url": "http://prometheus.example", "queries": {"up": "up"}},
    "cloudwatch": {
        "region": "eu-west-1",
        "metrics": {"latency": {"namespace": "AWS/SageMaker", "metric": "ModelLatency"}},
    },
    "cloud_monitoring": {
        "project": "demo-project",
        "metrics": {"latency": {"filter": 'metric.type="a.example/latency"'}},
    },
    "azure_monitor": {
        "resource": "/subscriptions/s/resourceGroups/g",
        "metrics": {"latency": {"metric": "RequestLatency_P95"}},
    },
    "s3": {"bucket": "b"},
    "gcs": {"bucket": "b"},
    "azure_blob": {"container": "c", "account_url": "https://a.blob.core.windows.net"},
    "dask": {"scheduler": "tcp://127.0.0.1:8786"},
    "other_tool": {"like": "vertex"},
    "business_value": {"values": {"tp": 5.0}, "expressions": {"double": "number * 2"}},
    "fairness": {"facets": ["word"], "metrics": [*get_args(Difference)]},
    "flip_test": {"facets": ["word"]},
    "rules": {"expressions": {"positive": "number > 0", "known": "word in ['a'] or says is null"}},
    "service_health": {"slo": {"availability": 99.9, "latency": {"below": "1s", "share": 99}}},
    "skew": {"pairs": {"number": "score", "word": "says"}},
    "slack_bot": {"token": Secret("${env:A}", "xoxb-0"), "channel": "C0123456789"},
    "slack": {"webhook_url": Secret("${env:A}", "https://chat.example/x")},
    "teams": {"webhook_url": Secret("${env:A}", "https://flow.example/x?sig=y")},
    "google_chat": {"webhook_url": Secret("${env:A}", "https://chat.example/x?key=y")},
    "discord": {"webhook_url": Secret("${env:A}", "https://discord.example/x")},
    "opsgenie": {"api_key": Secret("${env:A}", "canary-key")},
    "pagerduty": {"routing_key": Secret("${env:B}", "e93facc04764012d7bfb002500d5d1a6")},
    "sagemaker_pipeline": {
        "pipeline": "train",
        "region": "eu-central-1",
        "parameters": {"Model": "{model}"},
    },
    "sagemaker_weights": {
        "endpoint": "churn",
        "region": "eu-central-1",
        "weights": {"blue": 1, "green": 0},
    },
    "vertex_pipeline": {
        "project": "p",
        "location": "europe-west4",
        "template": "https://t.example",
        "output": "gs://b/o",
    },
    "azureml_job": {
        "subscription": "s",
        "resource_group": "g",
        "workspace": "ml-ws",
        "job": {"jobType": "Pipeline"},
    },
    "airflow": {
        "url": "https://airflow.example",
        "dag": "train",
        "token": Secret("${env:D}", "canary-token"),
    },
    "github_dispatch": {"repository": "acme/churn", "token": Secret("${env:E}", "canary-token")},
    "kubernetes_job": {
        "namespace": "ml",
        "job": {"template": {}},
        "token": Secret("${env:F}", "canary-token"),
    },
    "shell": {
        "command": ["/bin/echo", "{model}"],
        "environment": {"KEY": Secret("${env:G}", "canary-token")},
    },
    "webhook": {
        "url": "https://hook.example",
        "secret": Secret("${env:C}", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    },
}
OF_BINARY_MODELS = {
    "correction",
    "estimated_class_share",
    "weighted_accuracy",
    *(f"estimated_{name}" for name in ("accuracy", "precision", "recall", "f1", "roc_auc")),
}
"""What `estimated_performance` measures of the model of the contract."""
UNMEASURED = {
    "attribution": ("attribution_ndcg", "importance", "score_contribution"),
    "completeness": ("received",),
    "constraints": ("baseline_drift", "completeness", "data_type", "domain", "non_negative"),
    "domain": ("nonconforming_rate",),
    "drift": ("cramer_von_mises", "g_test", "tvd"),
    "embedding": ("centroid_cosine", "cluster_psi", "mean_shift", "mmd", "prototype_distance_p95"),
    "estimated_performance": tuple(EstimatedPerformance.wordings.keys() - OF_BINARY_MODELS),
    "label_classes": ("label_mean_shift", "label_psi"),
    "other_tool": ("chi2", "jensen_shannon", "ks", "psi", "wasserstein"),
    "performance": (
        *(PERFORMANCE_METRICS.keys() - set(USUAL_METRICS[Task.BINARY])),
        *(f"{name}_of_baseline" for name in BASELINES.keys() - {"accuracy", "roc_auc"}),
    ),
    "service_health": (
        "cost_per_call",
        "error_rate",
        "latency_p50",
        "latency_p99",
        "slow_rate",
        "timeout_rate",
        "total_cost",
        "unusable_rate",
    ),
    "statistics": ("category_share", "quantile_value"),
    "text": ("repeated_texts", "unknown_words"),
}
"""Measurements that need another model, or other options, than the contract has."""
REGISTRY = Registry.load()
SHIPPED = {key: type_ for key, type_ in REGISTRY.types.items() if key[0] != "collector"}
ELSEWHERE = {("sink", "email"), ("sink", "apprise"), ("sink", "file")}
"""These need a server, or a folder, of their own, which their tests have."""


@pytest.mark.parametrize(("kind", "name"), [one for one in SHIPPED if one not in ELSEWHERE])
def test_what_ships_keeps_the_contract(kind, name):
    """Every built-in plugin passes what is asked of anyone's."""
    unmeasured = UNMEASURED.get(name, ()) if kind == "check" else ()
    options = {} if (kind, name) == ("format", "prometheus") else OPTIONS.get(name, {})
    assert_plugin_contract(SHIPPED[kind, name], unmeasured=unmeasured, **options)


@pytest.mark.parametrize("name", list(REGISTRY.collectors()))
def test_built_in_collectors_keep_their_laws(name):
    """Merging in any order gives the same bytes."""
    assert_collector_contract(REGISTRY.collectors()[name])


def test_windows_from_lists():
    """A window of lists has the counts, kinds and moments of its values, nulls and nonsense
    counted.
    """
    found = window(
        age=[31, None, float("nan"), 57], plan=["gold", "free", "gold", None], odd=[1, "x", 3, None]
    )
    age, plan, odd = (found.columns[name] for name in ("age", "plan", "odd"))
    assert (found.rows, age.kind, age.nulls, age.nans, age.mean) == (4, Kind.NUMERIC, 1, 1, 44.0)
    assert (plan.kind, dict(plan.counts), plan.missing) == (
        Kind.CATEGORICAL,
        {"gold": 2, "free": 1},
        1,
    )
    assert odd.kind is Kind.CATEGORICAL
    assert found.end - found.start == timedelta(hours=1)
    with pytest.raises(ValueError, match="lengths"):
        window(a=[1], b=[1, 2])


def test_a_window_lies_on_the_grid_of_its_reference():
    """Counted on the edges of the reference, so that the two can be compared."""
    reference = window(age=range(100))
    now = window(reference, age=[5.5, 200.0, None])
    assert np.array_equal(now.columns["age"].edges, reference.columns["age"].edges)
    assert now.columns["age"].binned(reference.columns["age"].edges[[50]]).tolist() == [1, 1]


def test_a_context_has_a_history():
    """Earlier values are given oldest first, and end where the window begins."""
    ctx = context(window(a=[1]), history={"rows": [10, 20, 30]})
    assert [past.value for past in ctx.history("rows", limit=2)] == [20, 30]
    assert ctx.history("rows")[-1].start == ctx.current.start - timedelta(hours=1)
    assert ctx.history("other") == []
    assert list(ctx.schema.features) == ["a"]


def test_the_clock_moves_when_told():
    """Time stands still otherwise."""
    clock = FakeClock()
    before = clock()
    assert clock() == before
    assert clock.advance(5) - before == timedelta(seconds=5) == clock.now() - before


def test_the_network_takes_notes():
    """Requests can be read afterwards; what can't be sent is refused."""
    http = FakeHttp()
    http.post("https://a.example", json={"a": 1}, headers={"x": "y"})
    assert (http.posts[0].url, http.posts[0].json, http.posts[0].headers) == (
        "https://a.example",
        {"a": 1},
        {"x": "y"},
    )
    with pytest.raises(ValueError, match="not JSON compliant"):
        http.post("https://a.example", json={"a": float("nan")})


def test_decode_gives_rows_and_rejects():
    """Rows are dicts; a record that can't be read has its place and reason."""
    rows, rejects = decode(SHIPPED["format", "jsonl"](), b'{"a": 1}\nnonsense\n{"a": 2}\n')
    assert [row["a"] for row in rows] == [1, 2]
    assert [place for place, _, _ in rejects] == [1]


class Good(Check):
    """Counts."""

    type = "good"

    def evaluate(self, ctx: Any) -> Iterator[Measurement]:
        yield Measurement(ctx.current.rows)


def broken(base: type, **body: Any) -> Any:
    """A plugin in a module of its own, offered as it should be."""
    module = ModuleType(f"made_{len(sys.modules)}")
    sys.modules[module.__name__] = module
    about = {"__doc__": "Something.", "__module__": module.__name__, "type": "made"}
    made = type("Made", (base,), about | body)
    module.Made = made
    module.made_by = "a test"
    kind = {
        Action: "actions",
        Check: "checks",
        Format: "formats",
        Sink: "sinks",
        Source: "sources",
    }[next(one for one in made.__mro__ if one.__module__.startswith("driftline.contracts."))]
    setattr(module, f"register_{kind}", hookimpl(lambda: [made]))
    return made


def measuring(*items: Any) -> dict[str, Any]:
    return {"evaluate": lambda self, ctx: iter(items)}


class Counter:
    calls = 0


def another_each_time(self: Any, ctx: Any) -> Iterator[Measurement]:
    Counter.calls += 1
    yield Measurement(float(Counter.calls))


def dividing(self: Any, ctx: Any) -> Iterator[Measurement]:
    yield Measurement(1 / ctx.current.columns["number"].variance)


def reading(act: Any) -> dict[str, Any]:
    return {"decode": lambda self, stream, ctx: act(stream, ctx)}


def asking(made: Any) -> dict[str, Any]:
    return {"request": lambda self, order: made(order), "perform": lambda self, request: ""}


def swallow(self: Any, told: Notification) -> None:
    with suppress(Retryable):
        self.context.http.post("https://a.example", json={})


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Good, "register_checks"),
        (lambda: broken(Check, **measuring(Measurement(float("nan")))), "value is nan"),
        (lambda: broken(Check, **measuring(0.5)), "yielded float"),
        (lambda: broken(Check, **measuring(Measurement(1.0), Measurement(1.0))), "one name and the same labels"),
        (lambda: broken(Check, evaluate=dividing), "on one row"),
        (lambda: broken(Check, evaluate=another_each_time), "something else the second time"),
        (lambda: broken(Check, **measuring(), cause="weather"), "cause is one of"),
        (lambda: broken(Check, **measuring(), type="Two Words"), "small letters"),
        (lambda: broken(Check, **measuring(Measurement(1.0)), default_rules={"mode": above(warning=1)}), "default_rules names 'mode', .* evaluate yields made"),
        (lambda: broken(Check, **measuring(Measurement(1.0, {}, name="size")), wordings={"sizes": Wording(noun="size")}), "wordings names 'sizes', .* evaluate yields size"),
        (lambda: broken(Check, **measuring(), __doc__=" "), "needs a docstring"),
        (lambda: broken(Check, **measuring(), __annotations__={"bare": int}, bare=1), "bare: needs a sentence"),
        (lambda: broken(Check, **measuring(), stop=lambda self: 1 / 0), "division by zero"),
        (lambda: broken(Format, **reading(lambda stream, ctx: iter([stream.read().decode()]))), "no RecordBatch"),
        (lambda: broken(Format, **reading(lambda stream, ctx: iter([][0]))), "IndexError"),
        (lambda: broken(Format, **reading(lambda stream, ctx: ctx.report_progress(10**9) or iter(()))), "more than there is"),
        (lambda: broken(Action, **asking(lambda order: "POST")), "request gives str"),
        (lambda: broken(Action, **asking(lambda order: Request("POST", str(time.time_ns())))), "two requests"),
        (lambda: broken(Action, **asking(lambda order: Request("run", order.notification.title))), "control characters"),
        (lambda: broken(Sink, send=swallow), "hides that the receiver did not take it"),
        (lambda: broken(Sink, send=lambda self, told: told.alerts[0].check), "IndexError"),
        (lambda: broken(Sink, send=lambda self, told: 7), "a reference or None"),
        (lambda: broken(Source, discover=lambda self, ctx: iter(()), __reduce__=lambda self: 1 / 0), "division by zero"),
        (lambda: Check, "lacks evaluate"),
        (lambda: dict, "is none of"),
    ],
)  # fmt: skip
def test_the_contract_catches(monkeypatch, make, word):
    """A plugin that breaks one sentence of the contract fails with words that say which."""
    monkeypatch.setattr(
        "driftline.testing.plugin_contract._assert_loads_no_sdk", lambda type_: None
    )
    with pytest.raises((AssertionError, ZeroDivisionError), match=word):
        assert_plugin_contract(make())


def test_an_sdk_at_import_is_caught(tmp_path, monkeypatch):
    """A module that imports a cloud's SDK at its top fails the contract."""
    (tmp_path / "heavy_check.py").write_text(
        "import botocore\nfrom driftline import check, hookimpl\n\n@check()\ndef heavy(window, reference):\n"
        "    '''Heavy.'''\n    return 1.0\n\n@hookimpl\ndef register_checks():\n    return [heavy]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import heavy_check

    with pytest.raises(AssertionError, match="importing it loads botocore"):
        assert_plugin_contract(heavy_check.heavy)


class LastOne(Collector):
    """Breaks the law: what came last wins."""

    name: ClassVar[str] = "last"

    def __init__(self) -> None:
        self.last = -1

    @classmethod
    def zero(cls, spec):
        return cls()

    def update(self, batch):
        self.last = int(batch.events[-1])

    def merge(self, other):
        self.last = other.last

    def summary(self):
        return self.last

    def to_bytes(self):
        return str(self.last).encode()

    @classmethod
    def from_bytes(cls, data, spec):
        made = cls()
        made.last = int(data)
        return made


def test_a_collector_that_minds_the_order_is_caught():
    """The order of merging must not show."""
    with pytest.raises(AssertionError, match="order of merging"):
        assert_collector_contract(LastOne)


class Sum(Collector):
    """Adds the rows up. The tests below break one law at a time."""

    name: ClassVar[str] = "sum"

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    @classmethod
    def zero(cls, spec):
        return cls()

    def update(self, batch):
        for name in batch.columns:
            self.rows[name] = self.rows.get(name, 0) + len(batch.columns[name])

    def merge(self, other):
        for name in sorted(other.rows):
            self.rows[name] = self.rows.get(name, 0) + other.rows[name]

    def summary(self):
        return self.rows

    def to_bytes(self):
        return json.dumps([1, self.rows], sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data, spec):
        content = json.loads(data)
        if not (isinstance(content, list) and content[:1] == [1]):
            raise ValueError("another version")
        made = cls()
        made.rows = content[1]
        return made


class Overwriting(Sum):
    """Keeps the last batch only."""

    def update(self, batch):
        self.rows = {name: len(values) for name, values in batch.columns.items()}


class Unsorted(Sum):
    """Writes the columns in the order in which they came."""

    def to_bytes(self):
        return json.dumps([1, self.rows]).encode()

    def merge(self, other):
        super().merge(other)
        self.rows = dict(sorted(self.rows.items()))


class Unversioned(Sum):
    """Reads whatever has two parts, and fails otherwise."""

    @classmethod
    def from_bytes(cls, data, spec):
        made = cls()
        made.rows = json.loads(data)[1]
        return made


def test_a_collector_that_adds_up_passes():
    """The broken ones below differ from this one in one method."""
    assert_collector_contract(Sum)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Overwriting, "update adds one batch and is called many times"),
        (Unsorted, "the order of columns shows"),
        (Unversioned, "from_bytes raises .*; it raises ValueError for bytes of another version"),
    ],
)
def test_a_collector_that_breaks_a_law_is_caught(kind, words):
    """Each law fails with words that say which."""
    with pytest.raises(AssertionError, match=words):
        assert_collector_contract(kind)


def test_a_summary_that_is_absent_says_what_to_pass():
    """A check with a collector of its own is measured on a window that was made for it."""
    with pytest.raises(KeyError, match=r"no summary of the collector 'sum'; .*check=check"):
        window(age=[1]).summaries["sum"]


def test_the_sample_message_is_one_of_each_event():
    """A sink's test gets messages as the agent sends them."""
    assert notification().event == "opened"
    assert notification(title="x").title == "x"
