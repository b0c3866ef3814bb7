"""Every file of Azure's data collector among the samples: rows, first and last record, read off the
files by eye.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from driftline_plugins.formats.azureml import AzureML
from run_commands import SAMPLES, configure, run_once

from driftline.ingest.read.decoding import Decoding
from driftline.kit.decoding.split_records import PAIR, side_of
from driftline.types.errors import ObjectGone

COLLECTED = SAMPLES / "azure/modelDataCollector"
BUG_BASH = "model-monitoring-bug-bash/mastloui-cl2/model_inputs/2023/10"
FILES = {
    "data only": (f"{BUG_BASH}/11/20/mdc_data_only.jsonl", "request", 4),
    "data elsewhere": (f"{BUG_BASH}/15/17/mdc_data_dataref_mix.jsonl", "request", 4),
    "one record": (
        "momo-endpoint/momo-deployment/model_inputs/2023/01/01/01/data.jsonl",
        "request",
        75,
    ),
    "questions": (
        "aistudio-townhall-kuxtz/aistudio-townhall-kuxtz-1/model_inputs/2023/10/24/22/"
        "ef484bd292bc4cd4ad462efc33ddbbbe000004.jsonl",
        "request",
        4,
    ),
    "traces": ("pf-tst-0130/brown/tracing_spans/2024/02/05/15/genai_data_only.jsonl", None, 5),
}
IRIS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


def read(name: str, refer=None) -> tuple[list[dict], Decoding, set]:
    path = COLLECTED / FILES[name][0]

    def beside(uri: str):
        # The authors of the sample wrote a path of their own into it; the file lies beside.
        return (path.parent / uri.rpartition("/")[2]).open("rb")

    ctx = Decoding(
        uri=path.as_uri(), fields=None, is_complete=True, parts={}, open_reference=refer or beside
    )
    with path.open("rb") as stream:
        batches = list(AzureML().decode(stream, ctx))
    return (
        [row for batch in batches for row in batch.to_pylist()],
        ctx,
        {side_of(batch) for batch in batches},
    )


def iris(time: str, event: str, *values: float) -> dict:
    return {"event_time": time, "event_id": event} | dict(zip(IRIS, values, strict=True))


@pytest.mark.parametrize("name", FILES)
def test_rows_and_sides(name):
    """As many rows as there are objects in `data`; inputs are halves, traces whole records; nothing
    is rejected.
    """
    rows, ctx, sides = read(name)
    _, side, count = FILES[name]
    assert (len(rows), ctx.rejected, sides) == (count, 0, {side})
    assert ctx.offset == (COLLECTED / FILES[name][0]).stat().st_size


@pytest.mark.parametrize(("name", "place", "values"), [
    ("data only", 0, iris("2023-01-01T00:43:34Z", "7f16d5b1-76f9-4b3e-b82d-fc21d29356a5_0", 1, 2.3, 2, 1.3)),
    ("data only", 2, iris("2023-01-01T00:43:37Z", "f2b524a7-3272-45df-a530-c945004de305_1", 3, 3.4, 3.2, 1.8)),
    ("data only", -1, iris("2023-01-01T00:43:38Z", "95e1afa0-256d-414b-8e4c-fea1baa98225_0", 1.5, 1, 4, 1.6)),
    ("data elsewhere", 0, iris("2023-10-15T17:03:34Z", "7f16d5b1-76f9-4b3e-b82d-fc21d29356a5_0", 1, 2.3, 2, 1.3)),
    ("data elsewhere", 1, iris("2023-10-15T17:13:37Z", "f2b524a7-3272-45df-a530-c945004de305_0", 2, 3.2, 3, 1.5)),
    ("data elsewhere", -1, iris("2023-10-15T17:23:38Z", "95e1afa0-256d-414b-8e4c-fea1baa98225_0", 1.5, 1, 4, 1.6)),
    ("one record", 0, iris("2023-01-01T00:00:00Z", "24930179-bf2a-4433-af0c-95c3f52c7fe8_0", 5.0, 3.0, 1.6, 0.2)),
    ("one record", -1, iris("2023-01-01T00:00:00Z", "24930179-bf2a-4433-af0c-95c3f52c7fe8_74", 5.9, 3.0, 5.1, 1.8)),
    ("questions", 0, {"question": "What brand is for TrailMaster tent? ", "event_time": "2023-10-24T22:25:04Z",
                      "event_id": "d50bfd8c-fa5f-4c20-b3e2-ca7e6d923991_0", "deployment": "aistudio-townhall-kuxtz-1"}),
    ("questions", -1, {"question": "What color does TrailBlaze Hiking Pants come in", "event_time": "2023-10-24T22:25:35Z",
                       "event_id": "0df5592c-c1ed-4eb9-b4d6-3ed127356e62_0", "endpoint": "aistudio-townhall-kuxtz"}),
    ("traces", 0, {"context.span_id": "1", "start_time": "2024-02-05 15:01:00", "attributes.span_type": "llm",
                   "event_id": "0683a146-03f1-4aae-8131-d0d63b2e4187_0", "endpoint": "pf-tst-0130"}),
    ("traces", 1, {"context.span_id": "2", "event_id": "b7fdb4b5-4904-45db-b1a5-ec744a757585_0"}),
    ("traces", -1, {"context.trace_id": "02", "context.span_id": "5", "parent_id": "4", "event_time": "2024-02-05T15:00:22Z",
                    "event_id": "81134217-0100-463c-943e-e739c36c902c_0", "model_version": "brown"}),
])  # fmt: skip
def test_records_as_they_are_in_the_files(name, place, values):
    """Literals, by hand: the second trace has no correlation id but a request id."""
    row = read(name)[0][place]
    assert {key: row[key] for key in values} == values


def test_inputs_pair_by_correlation_id_and_place():
    """The ids under which the outputs of these rows would stand in another file."""
    rows, *_ = read("data only")
    assert [row[PAIR] for row in rows] == [
        "7f16d5b1-76f9-4b3e-b82d-fc21d29356a5:0/1",
        "f2b524a7-3272-45df-a530-c945004de305:0/2",
        "f2b524a7-3272-45df-a530-c945004de305:1/2",
        "95e1afa0-256d-414b-8e4c-fea1baa98225:0/1",
    ]


def test_data_that_is_gone_is_a_reject():
    """Its record is counted with the reason; those around it are read."""

    def gone(uri: str):
        raise ObjectGone(f"{uri}: not there")

    rows, ctx, _ = read("data elsewhere", gone)
    assert (len(rows), ctx.rejected) == (2, 1)
    assert ctx.samples[0][:2] == (
        1,
        "the file in dataref can't be used: not there: copy it with the log "
        '("tests/unit/raw_mdc_data/2023/10/15/17/mdc_dataref_1.json")',
    )


def test_what_records_refer_to_is_no_log_of_its_own():
    """The file beside the records is passed over when it is listed."""
    path = next(Path(COLLECTED).rglob("mdc_dataref_1.json"))
    ctx = Decoding(uri=path.as_uri(), fields=None)
    with path.open("rb") as stream:
        assert (list(AzureML().decode(stream, ctx)), ctx.rejected) == ([], 0)


def test_the_agent_follows_references(tmp_path):
    """With the file where the record says it is, all rows are counted; it is no object of its
    own.
    """
    path = COLLECTED / FILES["data elsewhere"][0]
    folder = tmp_path / "log" / path.relative_to(COLLECTED).parent
    there = folder / "tests/unit/raw_mdc_data/2023/10/15/17"
    there.mkdir(parents=True)
    shutil.copy(path, folder)
    shutil.copy(path.parent / "mdc_dataref_1.json", there)
    source = {"type": "local", "options": {"path": str(tmp_path / "log"), "format": "azureml"}}
    _, found = run_once(configure(tmp_path, {"iris": {"source": source}}))
    model = found["models"]["iris"]
    assert (model["objects"], model["rows"], model["rejected"], model["error"]) == (1, 4, 0, "")
    assert model["unpaired"]["requests"] == 4
