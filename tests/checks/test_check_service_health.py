"""The service_health check: latency, errors, throughput, cost and burn rates of objectives."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from driftline_plugins.checks.service_health import ServiceCollector, ServiceHealth
from pydantic import ValidationError
from station import MODEL, Station
from station import START as FIRST

from driftline.contracts.check import PastValue
from driftline.ingest.columns.canonical import to_categorical, to_numeric
from driftline.profiles.batch import Batch
from driftline.profiles.log_histogram import LogHistogram
from driftline.profiles.spec import ProfileSpec
from driftline.testing import assert_collector_contract, assert_plugin_contract
from driftline.testing.windows import START, context, window_of
from driftline.types.model import Field, Kind, Schema, ServiceColumns, Severity, Verdict
from driftline.types.notification import AlertFact

LATENCY = Field("#latency", "ms", Kind.NUMERIC)
STATUS = Field("#status", "code", Kind.CATEGORICAL)
ERROR = Field("#error", "error", Kind.CATEGORICAL)
COST = Field("#cost", "usd", Kind.NUMERIC)
ALL = Schema(service=ServiceColumns(latency=LATENCY, status=STATUS, cost=COST))
WITH_ERROR = Schema(service=ServiceColumns(error=ERROR))
MINUTES = timedelta(minutes=1)
UNMEASURED = tuple(sorted(ServiceHealth.wordings.keys() - {"latency_p95", "throughput"}))


def measure(schema=ALL, length=60 * MINUTES, history=None, check=None, reference=None, **columns):
    """The measurements of one window, by name, or by name and label where it has one."""
    check = check or ServiceHealth()

    def make(columns):
        lists = {f"#{name}": list(values) for name, values in columns.items()}
        return window_of(lists, schema=schema, check=check, end=START + length)

    ctx = context(
        make(columns),
        None if reference is None else make(reference),
        schema=schema,
        history=history,
    )
    return {(m.name, *m.labels.values()) if m.labels else m.name: m for m in check.evaluate(ctx)}


def alert(measurement):
    """The alert of a measurement, as a sentence sees it."""
    return AlertFact(
        check="service", measurement=measurement.name, labels=dict(measurement.labels),
        state="firing", severity=Severity.WARNING, value=measurement.value, was=measurement.was,
        unit=measurement.unit, since=START, detail=dict(measurement.detail),
    )  # fmt: skip


def past(length, shares, calls=1000):
    """The history of windows that end where the current one starts, oldest first."""

    def history(name, labels=None, limit=100):
        rows = [
            PastValue(START - length * (len(shares) - place), share, calls, "ok")
            for place, share in enumerate(shares)
        ]
        return rows[-limit:]

    return history


def test_latency_quantiles_are_within_one_percent_with_the_interval_of_ranks():
    """Against the sorted values of a long-tailed sample; the ranks of p95 are n q -+ 1.96 sd."""
    values = np.random.default_rng(1).lognormal(5, 0.8, 4000)
    found = measure(latency=values)
    ordered = np.sort(values)
    for name, q in (("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99)):
        exact = ordered[math.ceil(q * 4000) - 1]
        assert found[name].value == pytest.approx(exact, rel=0.0101)
        half = 1.959963984540054 * math.sqrt(4000 * q * (1 - q))
        low, high = (math.floor(4000 * q - half), math.ceil(4000 * q + half))
        assert found[name].interval == pytest.approx(
            (ordered[low - 1], ordered[high - 1]), rel=0.0101
        )
        assert (found[name].unit, found[name].rows) == ("ms", 4000)


def test_the_interval_of_a_quantile_covers():
    """Of 400 samples of 300 calls, the interval of p95 holds the true one in about 95%."""
    rng, true = np.random.default_rng(7), math.exp(1.6448536269514722)
    hits = 0
    for _ in range(400):
        histogram = LogHistogram()
        histogram.add(rng.lognormal(0, 1, 300))
        low, high = histogram.quantile_interval(0.95)
        hits += low <= true <= high
    assert 0.92 <= hits / 400 <= 0.99


def test_errors_and_timeouts_are_shares_of_the_calls_whose_status_is_known():
    """500 to 599 are errors, 504 and 408 time-outs as well; 404 is an answer, 999 is unknown."""
    codes = [200] * 80 + [404] * 6 + [500] * 4 + [503] * 2 + [504] * 3 + [408] + [None] * 3 + [999]
    found = measure(status=codes)
    assert found["error_rate"].value == pytest.approx(10 / 96)
    assert found["timeout_rate"].value == pytest.approx(4 / 96)
    assert found["error_rate"].rows == 96
    assert found["error_rate"].detail["most_frequent_status"] == "500"
    unusable = found["unusable_rate", "code"]
    assert unusable.value == pytest.approx(4 / 100)
    assert unusable.detail == {"missing": 3, "unreadable": 1}


@pytest.mark.parametrize(
    ("statuses", "errors", "timeouts"),
    [
        (["OK", "DEADLINE_EXCEEDED", "UNAVAILABLE", "NOT_FOUND"], 2, 1),
        (["0", "4", "14", "5"], 2, 1),
        (["success", "Failed", "timed out", "ok"], 2, 1),
        ([200.0, 503.0, 504.0, 201.0], 2, 1),
        (["200", "429", "499", "201"], 0, 0),
    ],
)
def test_statuses_of_http_grpc_and_words_are_understood(statuses, errors, timeouts):
    """Numbers and names of both protocols, and plain words."""
    found = measure(status=statuses)
    assert found["error_rate"].value == pytest.approx(errors / 4)
    assert found["timeout_rate"].value == pytest.approx(timeouts / 4)


def test_options_add_statuses():
    """429 is an error and 499 a time-out where the options say so."""
    check = ServiceHealth(errors=[429], timeouts=[499])
    found = measure(check=check, status=["200", "429", "499", "201"])
    assert (found["error_rate"].value, found["timeout_rate"].value) == (0.5, 0.25)


def test_an_error_column_is_empty_where_a_call_went_well():
    """Null, empty text, false and none are no error; a text about a time-out is one."""
    texts = [None, "", "none", "false", "ThrottlingException", "read timeout"]
    found = measure(schema=WITH_ERROR, error=texts)
    assert found["error_rate"].value == pytest.approx(2 / 6)
    assert found["timeout_rate"].value == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("bad", "fault"),
    [(-1, "negative"), (float("nan"), "not_a_number"), (float("inf"), "not_a_number")],
)
def test_a_bad_latency_counts_as_unusable_and_nowhere_else(bad, fault):
    """The quantiles are those of the other calls."""
    found = measure(latency=[100.0] * 90 + [bad] * 10)
    assert found["latency_p99"].value == pytest.approx(100, rel=0.01)
    assert found["latency_p99"].rows == 90
    unusable = found["unusable_rate", "ms"]
    assert (unusable.value, unusable.detail) == (0.1, {fault: 10})


@pytest.mark.parametrize(
    ("bad", "verdict"),
    [(0, (Verdict.OK, None)), (6, (Verdict.CHANGED, Severity.INFO)),
     (30, (Verdict.CHANGED, Severity.WARNING)), (100, (Verdict.CHANGED, Severity.WARNING))],
)  # fmt: skip
def test_bad_values_have_a_verdict(bad, verdict):
    """Up to 5% of calls are fine; above that it is an info, above 20% a warning."""
    found = measure(
        latency=[-1.0] * bad + [90.0] * (100 - bad), status=[None] * bad + [200] * (100 - bad)
    )
    for column in ("ms", "code"):
        assert judge(found["unusable_rate", column]) == verdict


def test_a_latency_that_is_text_is_unreadable():
    """One text among numbers."""
    unusable = measure(latency=["12", "fast", "30", None])["unusable_rate", "ms"]
    assert unusable.detail == {"missing": 1, "unreadable": 1}


def test_without_a_usable_value_there_is_a_reason():
    """Only -1 as latency, only nulls as status."""
    found = measure(latency=[-1.0] * 50, status=[None] * 50)
    assert found["latency_p95"].value is None
    assert found["latency_p95"].reason == "no call has a usable latency: 50 negative"
    assert found["error_rate"].reason == "no call has a usable status: 50 missing"


def test_throughput_and_cost_per_call():
    """Rows per second of the window; the mean cost with Student's interval, and the sum."""
    found = measure(length=MINUTES, cost=[0.01, 0.03, None, -1])
    assert found["throughput"].value == pytest.approx(4 / 60)
    assert found["cost_per_call"].value == pytest.approx(0.02)
    assert found["total_cost"].value == pytest.approx(0.04)
    assert found["cost_per_call"].interval == pytest.approx(
        (0.02 - 12.7062 * 0.01, 0.02 + 12.7062 * 0.01), rel=1e-4
    )


def test_only_named_columns_are_measured():
    """Without status and cost there are no rates and no cost."""
    found = measure(schema=Schema(service=ServiceColumns(latency=LATENCY)), latency=[1.0] * 40)
    assert {key if isinstance(key, str) else key[0] for key in found} == {
        "latency_p50", "latency_p95", "latency_p99", "throughput", "unusable_rate",
    }  # fmt: skip


def test_messages_name_the_latency_and_the_errors_of_before():
    """The reference's, or the median of earlier windows that were not changed."""
    latency, codes = [480.0] * 100, [200] * 90 + [500] * 10
    wordings = ServiceHealth.wordings
    before = {"latency": [210.0] * 50, "status": [200] * 99 + [503]}
    found = measure(reference=before | {"latency": [210.0] * 100}, latency=latency, status=codes)
    sentence = wordings["latency_p95"].sentence(alert(found["latency_p95"]))
    # The histogram is within 1%.
    assert sentence == "p95 latency 211 → 478 ms"
    sentence = wordings["error_rate"].sentence(alert(found["error_rate"]))
    assert sentence == "errors in 10% of calls (usually 1%)"
    found = measure(history=past(60 * MINUTES, [0.02] * 5), status=codes)
    assert found["error_rate"].detail["usual"] == 0.02
    sentence = wordings["error_rate"].sentence(alert(found["error_rate"]))
    assert sentence == "errors in 10% of calls (usually 2%)"


def test_a_burn_rate_says_when_the_budget_is_used_up():
    """3.2% errors at a budget of 0.1% use up 30 days in 22 hours; a resolved one makes no threat."""
    found = burning(0.032, [0.032] * 863)
    sentence = ServiceHealth.wordings["burn_rate_1h"].sentence
    assert sentence(alert(found["1h"])) == (
        "errors in 3.2% of calls in 1 h; the budget of 30 days is used up in 22 hours at this rate"
    )
    resolved = alert(found["1h"]).model_copy(update={"state": "resolved"})
    assert sentence(resolved) == "errors in 3.2% of calls in 1 h"


SLO = ServiceHealth(slo={"availability": 99.9, "latency": {"below": "300ms", "share": 99}})


def judge(measurement):
    """The verdict and the severity of the default rule."""
    rule = SLO.default_rules[measurement.name]
    judgement = rule.judge(measurement, measurement.rows, SLO.min_rows)
    return judgement.verdict, judgement.severity if judgement.verdict is Verdict.CHANGED else None


def burning(share, shares, length=5 * MINUTES):
    """The burn rates of the availability after `shares` of errors in 1,000 calls a window."""
    failed = round(1000 * share)
    found = measure(
        check=SLO, length=length, history=past(length, shares),
        status=[200] * (1000 - failed) + [500] * failed, latency=[100.0] * 1000,
    )  # fmt: skip
    return {name: found[f"burn_rate_{name}", "availability"] for name in ("1h", "6h", "3d")}


THREE_DAYS = 3 * 24 * 12


@pytest.mark.parametrize(
    ("share", "bad_windows", "expected"),
    [
        (0.015, 12, {"1h": Severity.CRITICAL, "6h": None, "3d": None}),
        (0.014, 12, {"1h": None, "6h": None, "3d": None}),
        (0.007, 72, {"1h": None, "6h": Severity.CRITICAL, "3d": None}),
        (0.006, 72, {"1h": None, "6h": None, "3d": None}),
        (0.002, 863, {"1h": None, "6h": None, "3d": Severity.WARNING}),
        (0.001, 863, {"1h": None, "6h": None, "3d": None}),
    ],
)
def test_burn_rates_follow_the_published_table(share, bad_windows, expected):
    """With a budget of 0.1%: each row alerts above its factor over its long and short span."""
    shares = [0.0] * (THREE_DAYS - bad_windows) + [share] * (bad_windows - 1)
    found = burning(share, shares)
    for name, severity in expected.items():
        verdict = (Verdict.OK if severity is None else Verdict.CHANGED, severity)
        assert judge(found[name]) == verdict, (name, found[name].value)
    assert found["1h"].value == pytest.approx(share / 0.001)


def test_the_short_span_ends_an_alert():
    """An hour of errors is over: the long span still burns, the newest 5 minutes do not."""
    found = burning(0.0, [0.0] * 860 + [0.05] * 11)
    assert found["1h"].detail["long_burn_rate"] > 14.4
    assert (found["1h"].value, judge(found["1h"])) == (0.0, (Verdict.OK, None))
    assert judge(found["6h"])[0] is Verdict.CHANGED


def test_the_time_before_the_first_window_has_no_errors():
    """One window of 5 minutes: an outage pages at once, a few errors do not."""
    assert judge(burning(1.0, [])["1h"]) == (Verdict.CHANGED, Severity.CRITICAL)
    few = burning(0.02, [])
    assert few["1h"].value == pytest.approx(20 / 12)
    assert few["1h"].detail["known_span"] == "5 min"
    assert few["1h"].detail["failed"] == pytest.approx(0.02 / 12)
    assert {judge(m)[0] for m in few.values()} == {Verdict.OK}


def test_a_window_longer_than_a_span_stands_for_it():
    """Windows of a day: the rate of the newest day decides the first two rows."""
    day = 24 * 60 * MINUTES
    found = burning(0.02, [0.0] * 5, length=day)
    assert found["1h"].value == pytest.approx(20)
    assert found["3d"].value == pytest.approx(20 / 3)
    assert found["1h"].detail["span"] == "1 d"


def test_the_latency_objective_counts_slow_calls_exactly():
    """300 ms is still good, 301 is not; the log may have seconds."""
    values = [100.0] * 900 + [300.0] * 50 + [301.0] * 50
    found = measure(check=SLO, latency=values, status=[200] * 1000)
    assert found["slow_rate", "300 ms"].value == 0.05
    assert found["burn_rate_1h", "latency"].value == pytest.approx(5)
    seconds = ServiceHealth(latency_unit="s", slo={"latency": {"below": "300ms", "share": 99}})
    found = measure(check=seconds, latency=[value / 1000 for value in values])
    assert found["slow_rate", "0.3 s"].value == 0.05


def test_few_calls_are_unsure():
    """One error in ten calls of an hour is no page."""
    found = measure(check=SLO, status=[200] * 9 + [500])
    assert judge(found["burn_rate_1h", "availability"])[0] is Verdict.UNSURE


@pytest.mark.parametrize(("failed", "verdict"), [(1, Verdict.UNSURE), (2, Verdict.CHANGED)])
def test_one_failed_call_is_no_page(failed, verdict):
    """Of 50 calls one is 20 times the budget of 0.1%; two are a page."""
    found = measure(check=SLO, status=[200] * (50 - failed) + [500] * failed)
    assert judge(found["burn_rate_1h", "availability"])[0] is verdict


def test_an_objective_without_its_column_says_so():
    """A latency objective, and no latency in the schema."""
    found = measure(schema=WITH_ERROR, check=SLO, error=[None] * 40)
    reason = found["burn_rate_1h", "latency"].reason
    assert reason == "schema.service names no latency"


@pytest.mark.parametrize(
    "slo",
    [{}, {"availability": 100}, {"latency": {"below": "fast", "share": 99}},
     {"latency": {"below": "0s", "share": 99}}, {"availability": 99, "days": 0}],
)  # fmt: skip
def test_a_mistake_in_an_objective_is_an_error(slo):
    """No objective, no budget, no time, no days."""
    with pytest.raises(ValidationError):
        ServiceHealth(slo=slo)


def test_it_keeps_the_contract_of_plugins_and_its_collector_the_laws():
    """On any window there may be, it measures a finite number or says why there is none."""
    assert_plugin_contract(ServiceHealth, unmeasured=UNMEASURED)
    assert_collector_contract(ServiceCollector)


def test_merged_windows_have_the_same_bytes_in_any_order():
    """Three parts of calls with latencies, statuses and costs."""
    check, parts = SLO, []
    rng = np.random.default_rng(3)
    spec = ProfileSpec(columns={}, options=dict(check.collector_options()))
    for size in (5, 400, 33):
        part = ServiceCollector.zero(spec)
        columns = {
            "#latency": to_numeric(pa.array(rng.lognormal(5, 1, size)))[0],
            "#status": to_categorical(pa.array(rng.choice([200, 404, 503, 504], size)))[0],
            "#cost": to_numeric(pa.array(rng.random(size)))[0],
        }
        part.update(Batch(rows=size, columns=columns))
        parts.append(part.to_bytes())
    answers = set()
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        whole = ServiceCollector.zero(spec)
        for place in order:
            whole.merge(ServiceCollector.from_bytes(parts[place], spec))
        answers.add(whole.to_bytes())
    assert len(answers) == 1


@pytest.mark.system
def test_an_outage_is_reported_with_the_time_until_the_budget_is_used_up(tmp_path):
    """Hours with 0.05% errors, then 5% of calls fail and all are slow: one incident of the
    service, and no drift of latency.
    """
    model = MODEL.replace(
        "features: {{amount: numeric, plan: categorical}}",
        "features: {{amount: numeric, plan: categorical}}\n"
        "      service: {{latency: ms, status: code}}",
    )
    model = model[: model.index("    checks:")] + (
        "    checks:\n      drift: {{type: drift}}\n      service:\n"
        "        type: service_health\n"
        "        options: {{slo: {{availability: 99.9, latency: {{below: 300ms, share: 99}}}}}}\n"
    )
    station = Station(tmp_path, model)
    for number in range(30):
        is_bad = number >= 28
        station.hour(
            number, 600,
            ms=lambda row, slow=(2.5 if is_bad else 1.0): station.rng.gauss(150, 10) * slow,
            code=lambda row, share=(0.05 if is_bad else 0.0):
                503 if station.rng.random() < share else 200,
        )  # fmt: skip
    station.clock.now = FIRST + timedelta(hours=30, minutes=20)
    with station.open():
        station.tick()
        messages = station.told()
        names = {row[0] for row in station.sql("select distinct labels from measurements")}
    [opening] = [note for note in messages if note["event"] == "opened"]
    assert opening["cause"] == "service"
    assert opening["severity"] == "critical"
    assert opening["since"].startswith("2026-05-02T04")
    assert "is used up in" in opening["title"]
    assert not any("latency" in name and "column" in name for name in names)
