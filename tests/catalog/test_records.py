"""Records of models: each way to write gives the same, and the history says who changed what."""

from __future__ import annotations

import json

import httpx
import pytest
from catalog_scene import NOW, configure, run, run_json, start

from driftline.agent.composition_root import open_agent, read_config
from driftline.catalog import open_catalog
from driftline.catalog.catalog import RecordError
from driftline.telemetry.logs import make_log
from driftline.types.secret import Secret
from driftline.web import create_app, serve

pytestmark = [pytest.mark.postgres, pytest.mark.system]

TOKEN = "a-token-of-24-characters"
VERSION = {
    "created": "2026-04-30T08:00:00Z",
    "params": {"max_depth": 6, "booster": "gbtree", "early": True},
    "metrics": {"train": {"auc": 0.83}, "loss": 1},
    "datasets": ["train-2026"],
    "tags": {"stage": "production"},
    "links": {"model": "s3://models/churn/v3"},
}
EVENT = {"type": "deployment", "at": "2026-05-01T09:00:00Z", "version": "v3", "title": "v3 is out"}
RECORDS = [
    ("model", "", {"owner": "growth", "tags": {"team": "growth"}, "description": "who leaves"}),
    ("dataset", "train-2026", {"uri": "s3://data/train", "rows": 1000, "digest": "abc"}),
    ("version", "v3", VERSION),
    ("alias", "champion", {"version": "v3"}),
    ("event", "", EVENT),
]


def contents(path):
    """Kind, name and fields of each record."""
    return [(row["kind"], row["name"], row["fields"]) for row in run_json(path, "records", "list")]


def write_by_config(folder):
    return configure(
        folder,
        {
            "churn": {
                "owner": "growth",
                "tags": {"team": "growth"},
                "record": {
                    "description": "who leaves",
                    "datasets": {"train-2026": RECORDS[1][2]},
                    "versions": {"v3": VERSION},
                    "aliases": {"champion": "v3"},
                    "events": [EVENT],
                },
            }
        },
    )


def write_by_command(folder):
    path = configure(folder)

    def assignments(fields, before=""):
        for name, value in fields.items():
            if isinstance(value, dict):
                yield from assignments(value, f"{before}{name}.")
            elif isinstance(value, list):
                yield f"{before}{name}={','.join(value)}"
            else:
                yield f"{before}{name}={json.dumps(value) if isinstance(value, bool) else value}"

    for kind, name, fields in RECORDS:
        words = [name] if name else []
        result = run(path, "records", "set", "churn", kind, *words, *assignments(fields))
        assert result.exception is None, result.output
    return path


def write_by_python(folder):
    path = configure(folder)
    with open_catalog(path, clock=lambda: NOW) as catalog:
        for kind, name, fields in RECORDS:
            catalog.write("churn", kind, name, fields)
    return path


def write_by_http(folder):
    path = configure(folder)
    with open_agent(read_config(path), clock=lambda: NOW, log=make_log()) as agent:
        app = create_app(agent, None, Secret("${env:T}", TOKEN), clock=lambda: NOW)
        server = serve(app, "127.0.0.1", 0)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://{server.address}/api/records"
        with httpx.Client(headers=headers, trust_env=False) as client:
            for kind, name, fields in RECORDS:
                body = {"model": "churn", "kind": kind, "name": name, "fields": fields}
                answer = client.post(url, json={**body, "author": "Ada"})
                assert answer.status_code == 200, answer.text
            assert client.post(url, json=body).status_code == 400
            assert "author" in client.post(url, json=body).json()["error"]
            wrong = {**body, "author": "Ada", "fields": {**fields, "tpye": "x"}}
            assert "did you mean 'type'" in client.post(url, json=wrong).json()["error"]
            assert client.get(url, headers={"Authorization": ""}).status_code == 401
            listed = client.get(url, params={"kind": "version"}).json()
            assert [row["name"] for row in listed] == ["v3"]
        server.stop()
    return path


def write_by_import(folder):
    path = configure(folder)
    file = folder / "records.json"
    file.write_text(
        json.dumps(
            [
                {"model": "churn", "kind": kind, "name": name, "fields": fields}
                for kind, name, fields in RECORDS
            ]
        )
    )
    result = run(path, "records", "import", str(file))
    assert result.exception is None, result.output
    return path


def test_each_way_to_write_gives_the_same_records(tmp_path):
    """By configuration, commands, Python, HTTP and an import."""
    ways = (write_by_config, write_by_command, write_by_python, write_by_http, write_by_import)
    written = []
    for way in ways:
        (tmp_path / way.__name__).mkdir()
        written.append(contents(way(tmp_path / way.__name__)))
    first = written[0]
    fields = {(kind, name): fields for kind, name, fields in first}
    assert fields["version", "v3"]["metrics"] == {"train.auc": 0.83, "loss": 1.0}
    assert fields["version", "v3"]["params"] == VERSION["params"]
    assert fields["alias", "champion"] == {"version": "v3"}
    assert len(first) == 5
    for other in written[1:]:
        assert other == first


def test_the_history_says_who_changed_what(tmp_path):
    """A write that changes nothing is none; a deletion is one, and what was stays in the history."""
    path = configure(tmp_path)
    run(path, "records", "set", "churn", "version", "v3", "params.depth=6", "--author", "Ada")
    run(path, "records", "set", "churn", "version", "v3", "params.depth=6", "--author", "Bob")
    by_bob = ("--author", "Bob", "--reason", "typo")
    run(path, "records", "set", "churn", "version", "v3", "params.depth=", "tags.a=b", *by_bob)
    run(path, "records", "delete", "churn", "version", "v3", "--author", "Cleo")
    rows = run_json(path, "records", "history", "churn")
    assert [(row["author"], row["revision"], row["is_deleted"]) for row in rows] == [
        ("Cleo", 3, True),
        ("Bob", 2, False),
        ("Ada", 1, False),
    ]
    assert rows[1]["fields"] == {"tags": {"a": "b"}}
    assert rows[1]["reason"] == "typo"
    assert rows[2]["fields"] == {"params": {"depth": 6}}
    assert run_json(path, "records", "list") == []


def test_what_people_change_stays_until_the_configuration_changes(tmp_path):
    """A start with the same file does not undo a change by a person."""
    path = configure(tmp_path, {"churn": {"owner": "growth"}})
    run(path, "records", "set", "churn", "model", "owner=risk", "--author", "Ada")
    start(path)
    assert contents(path) == [("model", "", {"owner": "risk"})]
    configure(tmp_path, {"churn": {"owner": "fraud"}})
    assert contents(path) == [("model", "", {"owner": "fraud"})]
    configure(tmp_path, {"churn": {}})
    assert contents(path) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["verson", "v3"], "no kind 'verson' of records; did you mean 'version'"),
        (["version", "v3", "parms.depth=6"], "unknown field; did you mean 'params'"),
        (["version", "v3", "params=6"], "name an entry"),
        (["version", "v3", "created=soon"], "created"),
        (["version", "v3", "metrics.auc=high"], "metrics.auc: should be a number"),
        (["version", "v3", "metrics.auc=NaN"], "metrics.auc: should be a finite number"),
        (["alias", "champion", "version=v9"], "churn has no version 'v9'"),
        (["event", "type=deploy", "at=2026-05-01"], "did you mean 'deployment'"),
        (["version", "created=2026-05-01"], "a version has a name"),
        (["event", "type=campaign", "at=2026-05-02", "until=2026-05-01"], "not be before at"),
    ],
)
def test_a_mistake_is_named(tmp_path, words, message):
    """With the field, and the word that was probably meant."""
    result = run(configure(tmp_path), "records", "set", "churn", *words)
    assert message in str(result.exception), result.exception


def test_an_unknown_record_is_not_deleted(tmp_path):
    """The nearest name is suggested."""
    path = configure(tmp_path)
    with open_catalog(path) as catalog:
        catalog.write("churn", "version", "v2-final", {})
        with pytest.raises(RecordError, match="did you mean 'v2-final'"):
            catalog.delete("churn", "version", "v2-fnal")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("list", "chrun"), "there is no model 'chrun'; did you mean 'churn'?"),
        (("list", "zzz"), "there is no model 'zzz'; there are: churn"),
        (("history", "chrun"), "did you mean 'churn'?"),
        (("list", "churn", "--kind", "versoin"), "no kind of record 'versoin'; did you mean"),
        (("history", "churn", "alias", "champoin"), "did you mean 'champion'?"),
    ],
)
def test_an_unknown_name_is_not_an_empty_list(tmp_path, words, message):
    """The nearest name is suggested."""
    path = configure(
        tmp_path, {"churn": {"record": {"versions": {"v3": {}}, "aliases": {"champion": "v3"}}}}
    )
    assert message in str(run(path, "records", *words).exception)
    assert run(path, "records", "list", "churn").exception is None
