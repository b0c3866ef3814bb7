"""What `init` finds out about the files themselves: settings of formats, layouts, the folders of
several models, and objects that have no record to read.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from driftline_plugins.sources.local import Local

from driftline.cli.main import main
from driftline.contracts.context import StartContext
from driftline.extensions.registry import Registry
from driftline.kit.decoding.csv_settings import find_csv_settings
from driftline.onboarding.inspect_logs import (
    LogInspection,
    inspect_logs,
)
from driftline.onboarding.inspect_reference import inspect_reference
from driftline.onboarding.recognise import recognise_layout
from driftline.telemetry.logs import make_log
from driftline.types.errors import SourceError

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
START = datetime(2026, 11, 1, 10, tzinfo=UTC)
NUMBERS = [f"{n},{20 + n % 9},{n * 1.7:.1f}" for n in range(200)]

SETTINGS = {
    "numbers from the first line on": ("\n".join(NUMBERS), {"header": False}),
    "a time in the first line": (
        "\n".join(f"2026-11-01T10:00:{n % 60:02},a{n % 3}" for n in range(50)),
        {"header": False},
    ),
    "categories in the first line": ("gold,DE\n" + "free,FR\ngold,DE\n" * 20, {"header": False}),
    "a header over numbers": ("a,b,c\n" + "\n".join(NUMBERS), {}),
    "a header over text": ("plan,country\n" + "free,FR\ngold,DE\n" * 20, {}),
    "the numbers that pandas gives to columns": ("0,1,2\n" + "\n".join(NUMBERS), {}),
    "an index of pandas without a name": (",a,b\n" + "\n".join(NUMBERS), {}),
    "decimal commas": ("a;b\n" + "1,5;2,25\n" * 30, {"decimal": ","}),
    "decimal commas from the first line on": (
        "1,5;2,25;3,75\n" * 30,
        {"delimiter": ";", "header": False, "decimal": ","},
    ),
    "three decimals each, one below one": (
        "a;b\n" + "49,762;0,134\n51,183;0,009\n" * 30,
        {"decimal": ","},
    ),
    "three decimals each, below zero": ("a;b\n" + "-0,134;x\n1,234;y\n" * 30, {"decimal": ","}),
    "three digits after each comma": ("a;b\n" + "1,234;x\n" * 30, {"thousands": ","}),
    "points between thousands": (
        "a;b\n" + "1.234,5;2,25\n" * 30,
        {"decimal": ",", "thousands": "."},
    ),
    "commas between thousands": ("a,b\n" + '"1,234.5",x\n' * 30, {"thousands": ","}),
    "backslashes before quotes": ("a,b\n" + '"say \\"hi\\", you",1\n' * 30, {"escape": "\\"}),
    "one column": ("a\n" + "1\n2\n" * 30, {}),
    "an Excel line": ("sep=;\r\na;b\r\n" + "1;x\r\n" * 30, {}),
    "a quoted Excel line": ('"sep=;"\n"a";"b"\n' + "1;x\n" * 30, {}),
    "lines of an old Mac": ("a;b\r" + "1,5;x\r" * 30, {"decimal": ","}),
    "lines of an old Mac without header": ("2.5;x\r" * 30, {"header": False}),
    "missing numbers": ("a,b\n" + "NA,1\n2.5,NA\n" * 30, {}),
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_beginning_of_a_csv_file_shows_its_settings(kind):
    text, expected = SETTINGS[kind]
    assert find_csv_settings(text.encode()) == expected


def test_an_encoding_that_is_not_utf_8_is_found_and_a_cut_character_is_none():
    """The head of a file may end within a character."""
    text = "name,n\n" + "Zoë,1\n" * 30
    assert find_csv_settings(text.encode("cp1252")) == {"encoding": "cp1252"}
    assert find_csv_settings(text.encode()[: len(b"name,n\nZo") + 1]) == {}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["a,b\n" + "1.5,x\n" * 30, "a,b\n1.5,Łódź\n2,ab"])
def test_utf_16_without_a_mark_is_found(encoding, text):
    """Every second byte is zero, also where the head ends within a character."""
    assert find_csv_settings(text.encode(encoding)) == {"encoding": encoding}
    assert find_csv_settings(text.encode(encoding)[:-1]) == {"encoding": encoding}


def local(path: Path) -> Local:
    source = Local(path=str(path))
    source.start(
        StartContext(name="m", log=make_log(), clock=lambda: NOW, config_folder=path.parent)
    )
    return source


def look(path: Path) -> LogInspection:
    return inspect_logs(local(path), Registry.load(), NOW)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("train.csv", "a;b\n" + "1,5;2,25\n" * 30, {"decimal": ","}),
        ("train.csv", "\n".join(NUMBERS), {"header": False}),
        ("train.csv", "a,b,c\n" + "\n".join(NUMBERS), None),
    ],
)
def test_a_reference_has_the_settings_of_its_own_format(tmp_path, name, text, expected):
    """It may be written by another tool than the log; defaults are not written out."""
    (tmp_path / name).write_text(text)
    found = inspect_reference(local(tmp_path / name), Registry.load(), NOW)
    assert found.options == ({"format": {"type": "csv", "options": expected}} if expected else {})
    assert found.batches[0].num_rows >= 30


def test_a_reference_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        inspect_reference(local(tmp_path / "train.csv"), Registry.load(), NOW)


def collected(place: int, collection: str, data: object, **more: object) -> str:
    source = "/subscriptions/0/onlineEndpoints/ep-a/deployments/blue"
    record = {
        "specversion": "1.0",
        "id": f"{collection}{place}",
        "source": source,
        "type": f"azureml.inference.{collection}",
        "time": f"{START + timedelta(minutes=place):%Y-%m-%dT%H:%M:%SZ}",
        "data": data,
        "modelversion": "default",
        "contentrange": "bytes 0-10/11",
        "correlationid": f"c{place}",
    }
    return json.dumps(record | more)


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("side", ["model_outputs", "model_inputs"])
def test_one_side_of_a_collector_is_read_alone(tmp_path, side):
    """Without its partner a collection is whole records, so the format names it."""
    rows = [collected(n, side, [{"reply": ["yes", "no"][n % 2]}]) for n in range(40)]
    write(tmp_path / f"ep-a/blue/{side}/2026/11/01/10/a.jsonl", rows)
    found = look(tmp_path)
    assert found.format_options == {"collections": [side]}
    assert (found.layout, list(found.inference.schema.features)) == ("azureml", ["reply"])


def test_bodies_beside_frames_are_not_read_twice(tmp_path):
    """An endpoint that logs its requests as well has each call once."""
    for side in ("model_inputs", "model_outputs", "request"):
        rows = [collected(n, side, [{"x": 0.5 * n}]) for n in range(40)]
        write(tmp_path / f"ep-a/blue/{side}/2026/11/01/10/a.jsonl", rows)
    assert look(tmp_path).format_options == {"collections": ["model_inputs", "model_outputs"]}


def test_below_an_endpoint_the_layout_has_the_folders_that_are_left(tmp_path):
    """The endpoint is in the record; no folder stands for it."""
    rows = [collected(n, "model_inputs", [{"x": 0.5 * n}]) for n in range(40)]
    write(tmp_path / "ep-a/blue/model_inputs/2026/11/01/10/a.jsonl", rows)
    found = look(tmp_path / "ep-a")
    assert found.layout == "{deployment}/{collection}/%Y/%m/%d/%H/"
    assert set(found.batches[0].column("endpoint").to_pylist()) == {"ep-a"}
    assert look(tmp_path / "ep-a/blue").layout == "{collection}/%Y/%m/%d/%H/"


def test_folders_before_those_of_the_service_get_numbers():
    keys = ["team/ep-a/blue/model_inputs/2026/11/01/10/a.jsonl"]
    folders = ("endpoint", "deployment", "collection")
    expected = "{folder1}/{endpoint}/{deployment}/{collection}/%Y/%m/%d/%H/"
    assert recognise_layout(keys, folders) == expected


def test_older_objects_are_read_where_the_newest_have_no_record(tmp_path):
    """Rejected records are counted with their reasons; if there are no others, these are the
    error.
    """
    good = [collected(n, "model_inputs", [{"x": 0.5 * n}]) for n in range(40)]
    bad = [collected(n, "model_inputs", None, dataref=f"elsewhere/{n}.json") for n in range(3)]
    write(tmp_path / "ep-a/blue/model_inputs/2026/11/01/10/a.jsonl", good)
    write(tmp_path / "ep-a/blue/model_inputs/2026/11/02/10/b.jsonl", bad)
    found = look(tmp_path)
    assert (found.rejected.total, len(found.batches[0])) == (3, 40)
    with pytest.raises(SourceError, match=r"3 records rejected: .*there is no such file"):
        look(tmp_path / "ep-a/blue/model_inputs/2026/11/02")


def captured(place: int, values: str) -> str:
    side = {"observedContentType": "text/csv", "encoding": "CSV"}
    data = {
        "endpointInput": {**side, "mode": "INPUT", "data": values},
        "endpointOutput": {**side, "mode": "OUTPUT", "data": str(place % 7 / 10)},
    }
    time = f"{START + timedelta(minutes=place):%Y-%m-%dT%H:%M:%SZ}"
    meta = {"eventId": f"{place:08x}-0000-4000-8000-000000000000", "inferenceTime": time}
    return json.dumps({"captureData": data, "eventMetadata": meta, "eventVersion": "0"})


MODELS = {
    "two endpoints": (
        {
            "ep-a/AllTraffic/2026/11/01/10/a.jsonl": [
                captured(n, f"{n % 7},{n % 5}") for n in range(30)
            ],
            "ep-b/AllTraffic/2026/11/01/10/a.jsonl": [
                captured(n, f"{n % 7},{n % 5},{n % 3}") for n in range(30)
            ],
        },
        ("ep-a", "ep-b"),
    ),
    "two variants of one endpoint": (
        {
            "blue/2026/11/01/10/a.jsonl": [captured(n, f"{n % 7},{n % 5}") for n in range(30)],
            "green/2026/11/01/10/a.jsonl": [captured(n, f"{n % 7},{n % 5}") for n in range(30)],
        },
        (),
    ),
    "folders with other columns": (
        {
            "churn/a.jsonl": [json.dumps({"tenure": n, "plan": "a"}) for n in range(30)],
            "fraud/a.jsonl": [json.dumps({"amount": n, "shop": "b"}) for n in range(30)],
        },
        ("churn", "fraud"),
    ),
    "folders with the same columns": (
        {
            "berlin/a.jsonl": [json.dumps({"tenure": n, "plan": "a"}) for n in range(30)],
            "paris/a.jsonl": [json.dumps({"tenure": n, "plan": "b"}) for n in range(30)],
        },
        (),
    ),
    "days": (
        {
            "2026-11-01/a.jsonl": [json.dumps({"tenure": n}) for n in range(30)],
            "2026-11-02/a.jsonl": [json.dumps({"age": n}) for n in range(30)],
        },
        (),
    ),
}


@pytest.mark.parametrize("kind", MODELS)
def test_folders_of_several_models_are_told_apart(tmp_path, kind):
    files, expected = MODELS[kind]
    for name, lines in files.items():
        write(tmp_path / name, lines)
    assert look(tmp_path).folders == {name: name for name in expected}


@pytest.mark.system
def test_init_writes_one_model_for_each_endpoint_and_paths_from_the_configuration(
    tmp_path, monkeypatch
):
    """`-o` names a file in another folder: its paths begin there, so `validate` and `run` work."""
    from driftline.config import load_config

    for name, lines in MODELS["two endpoints"][0].items():
        write(tmp_path / "capture" / name, lines)
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["init", "capture", "-o", "conf/driftline.yaml"])
    assert not left.value.code
    models = load_config(Path("conf/driftline.yaml")).models
    assert list(models) == ["ep-a", "ep-b"]
    source = models["ep-b"].source
    assert isinstance(source, Local)
    assert (source.path, source.layout) == ("../capture/ep-b", "{variant}/%Y/%m/%d/%H/")
    features = [list(model.schema_.features) for model in models.values() if model.schema_]
    assert features == [["_c0", "_c1"], ["_c0", "_c1", "_c2"]]


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.csv.out", "{n}.5,1,0.7\n"),
        ("a.jsonl.out", '{{"features":[{n},2],"SageMakerOutput":{{"score":0.5}}}}\n'),
        ("a.parquet.out", "1,0.{n}\n"),
    ],
)
def test_outputs_of_a_transform_job(tmp_path, name, line, manifest):
    """They are recognised, with the manifest of the job beside them and without it."""
    (tmp_path / name).write_text("".join(line.format(n=n) for n in range(10, 60)))
    if manifest:
        (tmp_path / "manifest.json").write_text('[{"prefix": "s3://in/"}, "a"]')
    found = look(tmp_path)
    assert (found.format, len(found.batches[0]), found.rejected.total) == ("sagemaker", 50, 0)
