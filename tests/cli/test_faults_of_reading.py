"""Ten faults of reading, and the one sentence about each in `doctor` and in `status`."""

from __future__ import annotations

import json
from email.utils import format_datetime
from pathlib import Path

import pytest
from faults import FaultProxy, Refuse
from run_commands import configure
from stores import NOW

from driftline.cli.main import main

pytestmark = pytest.mark.system

CSV = {"type": "local", "path": "log", "format": "csv"}
SCHEMA = {"timestamp": "timestamp", "features": {"amount": "numeric", "country": "categorical"}}
HEADER = "timestamp,amount,country\n"
ROWS = "".join(f"2026-05-01T{n % 24:02d}:00:00Z,{n}.5,DE\n" for n in range(120))
DATE = format_datetime(NOW, usegmt=True)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; gives exit code and standard output, or error output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")

    def run(*args: str, err: bool = False) -> tuple[int, str]:
        with pytest.raises(SystemExit) as left:
            main(list(args))
        text = capsys.readouterr()
        return left.value.code, text.err if err else text.out

    return run


def watch_files(content: bytes, *, schema: dict = SCHEMA, form: str = "csv") -> None:
    Path("log").mkdir()
    Path("log/a.csv").write_bytes(content)
    source = {"type": "local", "options": {"path": "log/*.csv", "format": form}}
    configure(Path(), {"m": {"source": source, "schema": schema}})


def watch_bucket(url: str) -> None:
    options = {"bucket": "logs", "endpoint_url": url.removesuffix("/x"), "region": "us-east-1",
               "addressing_style": "path", "format": "csv"}  # fmt: skip
    configure(Path(), {"m": {"source": {"type": "s3", "options": options}, "schema": SCHEMA}})


def look(call) -> tuple[str, str]:
    """What doctor finds wrong, and the reason of the incident after one run, in status."""
    code, out = call("doctor", "--json", "--no-send")
    assert code == 3
    [fault] = [finding["text"] for finding in json.loads(out)["findings"] if not finding["ok"]]
    call("run", "--once", "--json")
    code, out = call("status", "--json")
    assert code == 1
    [incident] = json.loads(out)["models"]["m"]["incidents"]
    [reason] = incident["reasons"]
    assert " ".join(reason.split()) in " ".join(call("status")[1].split())
    return fault, reason


FILES = {
    "time column": (
        (HEADER + ROWS).encode(), {"schema": SCHEMA | {"timestamp": "country"}},
        "120 of 120 rows have no usable time: the time in country can't be read: "
        'check schema.timestamp, or set its format (first at row 1: "DE")',
        '120 of 120 rows held back in a.csv: the time in country can\'t be read: '
        'check schema.timestamp, or set its format (first at row 1: "DE")',
    ),
    "renamed time column": (
        (HEADER + ROWS).encode(), {"schema": SCHEMA | {"timestamp": "ts"}},
        "the records have no column ts, they have timestamp, amount, country: correct schema",
        "120 of 120 rows held back in a.csv: no time: the column ts is missing or empty: "
        "set schema.timestamp (first at row 1)",
    ),
    "format": (
        (HEADER + ROWS).encode(), {"form": "parquet"},
        "a.csv: not a whole Parquet file, or a file of another format: check source.options.format",
        "the reference has no row that can be read: 1 object of the reference can't be decoded: "
        "a.csv: not a whole Parquet file, or a file of another format: check its format",
    ),
    "encoding": (
        (HEADER + ROWS).replace("DE", "Österreich").encode("cp1252"), {},
        "120 of 120 records are rejected: not UTF-8: set the format's encoding, such as cp1252 "
        "(first at record 1): check source.options.format",
        "120 of 120 records left out of the reference in a.csv: not UTF-8: set the format's encoding, such as cp1252",
    ),
    "header": (
        ROWS.encode(), {},
        "the first line of the file looks like a record (2026-05-01T00:00:00Z, 0.5, DE), not like "
        "names: set header: false and names in source.options.format",
        "119 of 119 rows held back in a.csv: no time: the first line looks like a record: "
        "set header: false and names",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_fault_of_the_files(call, name):
    """The sentence says what is wrong and which setting corrects it."""
    content, settings, in_doctor, in_status = FILES[name]
    watch_files(content, **settings)
    fault, reason = look(call)
    assert in_doctor in fault
    assert in_status in reason


def answer(status: int, code: str, **headers: str) -> Refuse:
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
    return Refuse(status, {"Content-Type": "application/xml"} | headers, body)


STORES = {
    "region": (
        answer(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-1"}),
        "s3://logs/: the bucket is in eu-west-1: set region to eu-west-1",
    ),
    "permission": (
        answer(403, "AccessDenied"),
        "s3://logs/: access denied (credentials from env): s3:ListBucket is needed",
    ),
    "token": (
        answer(400, "ExpiredToken"),
        "s3://logs/: the credentials have expired (credentials from env): renew them",
    ),
    "redirect": (
        Refuse(302, {"Location": "http://login.example/x", "Content-Type": "text/html"}),
        "s3://logs/: the answer is a redirect to login.example (HTTP 302), which is not followed: "
        "set the store's own address, or let the proxy pass requests to the store",
    ),
    "clock": (
        answer(403, "RequestTimeTooSkewed", Date=DATE),
        "s3://logs/: the clock of this machine differs too much from the store's "
        f"({DATE} there): set the clock, for example with NTP",
    ),
    "bucket": (
        answer(404, "NoSuchBucket"),
        "s3://logs/: there is no such bucket: check the setting bucket",
    ),
}  # fmt: skip


def test_the_title_has_room_for_a_long_reason(call):
    """The reason stands alone there, so that its end is not cut off."""
    watch_files((HEADER + ROWS).replace("DE", "Österreich").encode("cp1252"))
    look(call)
    [incident] = json.loads(call("status", "--json")[1])["models"]["m"]["incidents"]
    assert "in a.csv: not UTF-8" in incident["title"]


@pytest.fixture
def server():
    made = FaultProxy("http://127.0.0.1:9/x")
    yield made
    made.close()


@pytest.mark.parametrize(
    "name", [name if name == "clock" else pytest.param(name, marks=pytest.mark.slow) for name in STORES]
)  # fmt: skip
def test_a_fault_of_the_store(call, server, name):
    """The same sentence in both; an open incident has that of the newest fault."""
    fault, sentence = STORES[name]
    server.fault = lambda asked: fault
    watch_bucket(server.url)
    in_doctor, in_status = look(call)
    assert in_doctor.startswith(sentence)
    assert in_status == sentence

    server.fault = lambda asked: answer(404, "NoSuchBucket")
    call("run", "--once", "--json")
    [incident] = json.loads(call("status", "--json")[1])["models"]["m"]["incidents"]
    assert incident["reasons"] == [STORES["bucket"][1]]
    assert STORES["bucket"][1] in incident["title"]


def test_what_doctor_says_of_sound_rows(call):
    """Rows, times and columns; and whether the state can be used."""
    watch_files((HEADER + ROWS).encode())
    code, out = call("doctor", "--json", "--no-send")
    texts = {finding["part"]: finding["text"] for finding in json.loads(out)["findings"]}
    assert code == 0
    assert texts["models.m.rows"] == (
        "120 rows in 1 object from 2026-05-01 00:00 to 2026-05-01 23:00 UTC; 3 columns: "
        "timestamp, amount, country"
    )
    assert "no state yet" in texts["state"]
    call("run", "--once", "--json")
    assert "1 objects are known" in call("doctor", "--no-send")[1]


def test_a_column_that_is_there_twice(call):
    """`doctor` and `init` say which one is read; `init` shows values as they are counted."""
    import pyarrow as pa
    from pyarrow import parquet

    Path("log").mkdir()
    times = [f"2026-05-01T{n % 24:02d}:00:00Z" for n in range(120)]
    numbers = [float(n % 7) + 0.1 for n in range(120)]
    country = pa.array([b"DE", b"FR"] * 60)
    table = pa.table(
        [pa.array(times), pa.array(numbers, pa.float32()), pa.array(numbers), country],
        names=["timestamp", "amount", "amount", "country"],
    )
    parquet.write_table(table, "log/a.parquet")
    source = {"type": "local", "options": {"path": "log", "format": "parquet"}}
    configure(Path(), {"m": {"source": source, "schema": SCHEMA}})
    code, out = call("doctor", "--json", "--no-send")
    texts = {finding["part"]: finding["text"] for finding in json.loads(out)["findings"]}
    assert code == 0
    assert texts["models.m.rows"].endswith("in the file more than once, the first is read: amount")
    code, out = call("init", "log", "-o", "new.yaml")
    said = "the file has the column amount more than once: the first one is read"
    assert f"# CHECK: {said}" in Path("new.yaml").read_text()
    shown = call("init", "log", "-o", "other.yaml", err=True)[1]
    assert said in shown
    assert "1.1     FR" in shown
    assert "b'DE'" not in shown
    assert "1.10000" not in shown


@pytest.mark.parametrize("content", ["", HEADER, "\ufeff", "\n\n"])
def test_a_file_without_a_record(call, content):
    """`doctor`, `init` and `status` say that the file is empty or has a header line only."""
    watch_files(content.encode())
    code, out = call("doctor", "--json", "--no-send")
    texts = {finding["part"]: finding["text"] for finding in json.loads(out)["findings"]}
    said = "empty, or a header line only"
    assert code == 0
    assert texts["models.m.rows"] == f"no record in 1 object yet: {said}"
    call("run", "--once", "--json")
    [incident] = json.loads(call("status", "--json")[1])["models"]["m"]["incidents"]
    assert incident["reasons"] == [f"the reference has no row that can be read: a.csv: {said}"]
    assert call("init", "log", "-o", "new.yaml")[0] == 3


def test_doctor_names_a_damaged_state(call):
    """The sentence names the file."""
    watch_files((HEADER + ROWS).encode())
    call("run", "--once", "--json")
    [path] = Path().glob("*.db")
    path.write_bytes(b"not a database" * 1000)
    code, out = call("doctor", "--no-send")
    assert code == 3
    assert "fail  state: " in out
    assert path.name in out
