"""One agent, a model in each cloud: a cloud that goes away costs only its own model."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from faults import FaultProxy, Refuse
from station import DIARY, Clock
from stores import AZURE_KEY, AzureStore, GcsStore, S3Store

from driftline.agent import composition_root
from driftline.agent.composition_root import open_agent, read_config
from driftline.cli.main import _run
from driftline.telemetry.logs import make_log

pytestmark = pytest.mark.system

START = datetime(2026, 5, 1, tzinfo=UTC)
ROWS = 120
CONFIG = """
version: 1
agent: {{state: sqlite:///state.db, http: null, workers: 2}}
plugins: {{paths: [plugs]}}
models:
  amazon:
    source:
      type: s3
      options:
        {{bucket: {s3.name}, prefix: capture/, layout: sagemaker, endpoint_url: "{urls[s3]}", region: us-east-1,
         addressing_style: path, access_key_id: "${{env:CLOUD_KEY}}", secret_access_key: "${{env:CLOUD_KEY}}",
         format: {{type: sagemaker, options: {{headers: [amount, age], output_headers: [score]}}}}}}
    schema: {{timestamp: event_time, id: event_id, version: variant, features: {{amount: numeric, age: numeric}},
             prediction: {{kind: binary, score: score}}}}
    reference: {{type: local, options: {{path: reference.csv}}}}
    windows: {{length: 1h, lateness: 15m}}
  google:
    source:
      type: gcs
      options: {{bucket: {gcs.name}, prefix: log/, layout: firehose, endpoint_url: "{urls[gcs]}", anonymous: true,
                format: vertex_logging}}
    schema: {{timestamp: event_time, id: event_id, version: deployed_model_id, features: {{amount: numeric, age: numeric}},
             prediction: {{kind: binary, score: score}}}}
    reference: {{type: local, options: {{path: reference.csv}}}}
    windows: {{length: 1h, lateness: 15m}}
  microsoft:
    source:
      type: azure_blob
      options: {{container: {azure.name}, prefix: modelDataCollector/, layout: azureml, account_url: "{urls[azure]}",
                account_key: "${{env:AZURE_KEY}}", format: azureml}}
    schema: {{timestamp: event_time, id: event_id, version: deployment, features: {{amount: numeric, age: numeric}},
             prediction: {{kind: binary, score: score}}}}
    reference: {{type: local, options: {{path: reference.csv}}}}
    windows: {{length: 1h, lateness: 15m}}
sinks:
  diary: {{type: diary, options: {{path: "{folder}/diary.jsonl"}}}}
"""


def row(hour: int, place: int, more: float = 0.0) -> tuple[str, float, int, float]:
    at = START + timedelta(hours=hour, seconds=3600 * place // ROWS)
    return (
        f"{at:%Y-%m-%dT%H:%M:%SZ}",
        50 + (place * 37 % 100) / 10 + more,
        20 + place % 40,
        (place * 13 % 100) / 100,
    )


class Clouds:
    """The three stores behind proxies, the agent, and its clock."""

    def __init__(self, folder, servers, monkeypatch) -> None:
        self.folder, self.clock = folder, Clock(START)
        self.stores = {
            "s3": S3Store(servers["s3"]),
            "gcs": GcsStore(servers["gcs"]),
            "azure": AzureStore(servers["azure"]),
        }
        self.proxies = {name: FaultProxy(url) for name, url in servers.items()}
        monkeypatch.setenv("CLOUD_KEY", "an-example-key")
        monkeypatch.setenv("AZURE_KEY", AZURE_KEY)
        (folder / "plugs").mkdir()
        (folder / "plugs/diary.py").write_text(DIARY)
        lines = [
            "amount,age,score",
            *(
                f"{50 + (n * 37 % 100) / 10},{20 + n % 40},{(n * 13 % 100) / 100}"
                for n in range(2000)
            ),
        ]
        (folder / "reference.csv").write_text("\n".join(lines) + "\n")
        urls = {name: proxy.url for name, proxy in self.proxies.items()}
        (folder / "driftline.yaml").write_text(
            CONFIG.format(urls=urls, folder=folder, **self.stores)
        )

    def hour(self, number: int, more: float = 0.0) -> None:
        """An hour of each endpoint's log, as its cloud writes it."""
        at = START + timedelta(hours=number)
        rows = [row(number, place, more) for place in range(ROWS)]
        capture, table, inputs, outputs = [], [], [], []
        for place, (time, amount, age, score) in enumerate(rows):
            name = f"{number}-{place}"
            capture.append(
                {
                    "captureData": {
                        "endpointInput": {
                            "mode": "INPUT",
                            "data": f"{amount},{age}",
                            "encoding": "CSV",
                        },
                        "endpointOutput": {"mode": "OUTPUT", "data": str(score), "encoding": "CSV"},
                    },
                    "eventMetadata": {"eventId": name, "inferenceTime": time},
                    "eventVersion": "0",
                }
            )
            table.append(
                {
                    "endpoint": "projects/1/locations/l/endpoints/2", "deployed_model_id": "7", "logging_time": time,
                    "request_id": str(number * 1000 + place), "request_payload": [json.dumps({"amount": amount, "age": age})],
                    "response_payload": [json.dumps({"score": score})],
                }
            )  # fmt: skip
            common = {
                "specversion": "1.0",
                "time": time,
                "correlationid": name,
                "xrequestid": name,
                "collectdatatype": "p",
            }
            inputs.append(common | {"id": f"i{name}", "data": [{"amount": amount, "age": age}]})
            outputs.append(common | {"id": f"o{name}", "data": [{"score": score}]})
        self.stores["s3"].put(
            f"capture/ep/blue/{at:%Y/%m/%d/%H}/00-00-000-{number}.jsonl", _lines(capture)
        )
        self.stores["gcs"].put(f"log/{at:%Y/%m/%d/%H}/rows.jsonl", _lines(table))
        for side, records in (("model_inputs", inputs), ("model_outputs", outputs)):
            key = f"modelDataCollector/ep/blue/{side}/{at:%Y/%m/%d/%H}/a000001.jsonl"
            self.stores["azure"].create_growing(key)
            self.stores["azure"].append(key, _lines(records))

    @contextmanager
    def agent(self):
        log = make_log(io.StringIO(), human=False)
        config = read_config(self.folder / "driftline.yaml")
        with open_agent(
            config, clock=self.clock, log=log, console=io.StringIO(), once=True
        ) as agent:
            for watch in agent.watches.values():
                watch.settings.config.source._sleep = lambda seconds: None
            yield agent

    def tick(self, agent):
        reports = {name: agent.tick(name) for name in agent.watches}
        for worker in agent.workers:
            worker.deliver_due(self.clock())
        return reports

    def windows(self, agent) -> dict[str, list[int]]:
        """The rows of the judged windows of each model, in the order of time."""
        found: dict[str, list[int]] = {}
        with agent.store.read() as connection:
            query = "SELECT model, rows FROM windows WHERE revision > 0 AND segment = '' ORDER BY model, start"
            for model, count in connection.exec_driver_sql(query):
                found.setdefault(model, []).append(count)
        return found

    def told(self) -> list[dict]:
        path = self.folder / "diary.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _lines(records) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


@pytest.fixture
def clouds(tmp_path, s3_server, gcs_server, azure_server, monkeypatch):
    made = Clouds(
        tmp_path, {"s3": s3_server, "gcs": gcs_server, "azure": azure_server}, monkeypatch
    )
    yield made
    for proxy in made.proxies.values():
        proxy.close()


@pytest.mark.parametrize(
    ("cloud", "model"), [("s3", "amazon"), ("gcs", "google"), ("azure", "microsoft")]
)
def test_a_cloud_that_goes_away_costs_only_its_own_model(clouds, cloud, model):
    """While one store refuses everything, the other models' windows are judged on time; its own
    trouble is told, and when it is back its windows are caught up, every record counted once.
    """
    with clouds.agent() as agent:
        for number in range(5):
            clouds.hour(number)
            clouds.clock.now = START + timedelta(hours=number + 1, minutes=20)
            proxy = clouds.proxies[cloud]
            proxy.fault = (
                (lambda asked: Refuse(503, {"Retry-After": "0"}))
                if number in (2, 3)
                else lambda asked: None
            )
            reports = clouds.tick(agent)
            judged = clouds.windows(agent)
            away = number in (2, 3)
            for name in ("amazon", "google", "microsoft"):
                assert bool(reports[name].error) == (away and name == model), reports[name].error
                on_time = 2 if away and name == model else number + 1
                assert judged[name] == [ROWS] * on_time, (name, number)
        troubles = [note for note in clouds.told() if note["cause"] == "monitoring"]
        assert {note["model"] for note in troubles} == {model}
        assert [note["event"] for note in troubles] == ["opened", "resolved"]


def test_what_was_told_is_computed_again_from_each_store(clouds, monkeypatch, capsys):
    """With versions that only folders name, and where requests and responses lie apart."""
    monkeypatch.setattr(composition_root, "system_clock", clouds.clock)
    with clouds.agent() as agent:
        for number in range(4):
            clouds.hour(number, 300.0 if number >= 2 else 0.0)
        clouds.clock.now = START + timedelta(hours=4, minutes=20)
        clouds.tick(agent)
    said = {}
    for note in clouds.told():
        code = _run(
            ["reproduce", note["incident"], "--json", "-c", str(clouds.folder / "driftline.yaml")]
        )
        said[note["model"]] = code, capsys.readouterr()
    assert {model: code for model, (code, _) in said.items()} == {
        "amazon": 0,
        "google": 0,
        "microsoft": 0,
    }
    for model, version in (("amazon", "blue"), ("google", "7")):
        told = json.loads(said[model][1].out)
        assert {number["version"] for number in told["numbers"]} == {version}
        assert [(each["rows"], each["rows_now"]) for each in told["objects"]] == [(ROWS, ROWS)]
