"""BigQuery: whole slices through the real client, each row once, whatever comes late or breaks."""

from __future__ import annotations

import json
import pickle
import threading
from datetime import UTC, datetime, timedelta

import pytest
from bigquery_server import BigQueryServer, Refused
from driftline_plugins.formats.vertex_logging import VertexLogging
from driftline_plugins.sources import bigquery as plugin
from driftline_plugins.sources.bigquery import BigQuery
from pydantic import ValidationError

from driftline import DiscoverContext, Field, Kind, ObjectChanged, SourceError, StartContext
from driftline.ingest.read.decoding import Decoding
from driftline.testing.plugin_contract import assert_plugin_contract

pytestmark = pytest.mark.system

NOW = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
TABLE = "demo-project.logs.request_response_logging"
ENDPOINT = "projects/1/locations/us-central1/endpoints/2"
FIRST = 3168270330478093842
"""Beyond 2^53: as a float it would be another one."""


class Log:
    def __init__(self):
        self.told = []

    def info(self, event, **facts):
        self.told.append((event, facts))

    def warning(self, event, **facts): ...


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2024-05-01T{text}+00:00")


def row(id_: int, time: datetime, x: float = 1.0, **other):
    found = {
        "endpoint": ENDPOINT,
        "deployed_model_id": "7",
        "logging_time": time,
        "request_id": FIRST + id_,
        "request_payload": [json.dumps({"x": x})],
        "response_payload": [json.dumps({"value": x * 2})],
    }
    return found | other


@pytest.fixture
def server():
    """A server with an empty log."""
    made = BigQueryServer()
    made.create(TABLE)
    yield made
    made.close()


@pytest.fixture
def started(server):
    """Starts sources and stops them; they note pauses instead of making them."""
    running = []

    def start(**settings):
        source = BigQuery(
            **({"table": TABLE, "endpoint_url": server.url, "anonymous": True} | settings)
        )
        pauses = []
        source._sleep = pauses.append
        source.start(StartContext(name="churn", log=Log(), clock=lambda: NOW))
        running.append(source)
        return source, pauses

    yield start
    for source in running:
        source.stop()
        source.stop()


def listed(source, now=NOW, since=None):
    return list(source.discover(DiscoverContext(now=now, since=since)))


def read(source, obj, *fields):
    """The rows as the host gets them, and what was told beside."""
    ctx = Decoding(uri=obj.uri, fields=fields or None)
    batches = source.batches(obj, ctx)
    if batches is None:
        batches = VertexLogging().decode(source.open(obj), ctx)
    return [found for batch in batches for found in batch.to_pylist()], ctx


def ids(rows):
    return [int(found["event_id"]) - FIRST for found in rows]


def test_slices_that_are_over_are_listed_with_one_query_over_the_times(server, started):
    """A slice is listed once it ended long enough ago, one that holds no row never."""
    server.insert(
        TABLE,
        row(0, at("07:00:00")),
        row(1, at("07:59:59.999999")),
        row(2, at("09:10:00")),
        row(3, at("12:10:00")),
    )
    source, _ = started()
    found = listed(source)
    assert [obj.uri for obj in found] == [
        f"bq://{TABLE}/2024-05-01T07:00Z",
        f"bq://{TABLE}/2024-05-01T09:00Z",
    ]
    assert [obj.partition for obj in found] == [at("07:00:00"), at("09:00:00")]
    assert found[0].modified == at("07:59:59.999999")
    [query] = server.queries
    assert "request_payload" not in query["query"]
    assert listed(source, now=at("13:04:59")) == found
    assert len(listed(source, now=at("13:05:00"))) == 3


def test_a_boundary_belongs_to_one_slice(server, started):
    """The last microsecond before a boundary is read in the slice before, the boundary itself in
    the one after.
    """
    server.insert(
        TABLE, row(0, at("07:59:59.999999")), row(1, at("08:00:00")), row(2, at("08:00:00.000001"))
    )
    source, _ = started()
    assert [ids(read(source, obj)[0]) for obj in listed(source)] == [[0], [1, 2]]


def test_rows_come_as_the_format_unpacks_exports(server, started):
    """Ids keep all digits, times their microseconds, payloads become columns."""
    server.insert(TABLE, row(1, at("07:00:00.000001"), x=2.5))
    source, _ = started()
    [obj] = listed(source)
    rows, ctx = read(source, obj)
    assert rows == [
        {
            "x": 2.5,
            "prediction": 5.0,
            "event_time": "2024-05-01T07:00:00.000001Z",
            "event_id": "3168270330478093843",
            "endpoint": ENDPOINT,
            "deployed_model_id": "7",
        }
    ]
    assert ctx.rejected == 0


def test_pages_are_read_to_the_end(server, started, monkeypatch):
    """More rows than a page holds come once each, and an early end of the stream asks for no
    further page.
    """
    monkeypatch.setattr(plugin, "PAGE", 700)
    server.insert(TABLE, *(row(i, at("07:00:00") + timedelta(milliseconds=i)) for i in range(2500)))
    source, _ = started()
    [obj] = listed(source)
    assert ids(read(source, obj)[0]) == list(range(2500))
    assert sum("/queries/" in request for request in server.requests) == 5
    server.requests.clear()
    with source.open(obj) as stream:
        stream.readline()
    assert sum("/queries/" in request for request in server.requests) == 1


def test_late_rows_change_their_slice_only(server, started):
    """A row that comes late into an old slice changes the version of that one, and reading it again
    gives all its rows.
    """
    server.insert(TABLE, *(row(i, at(f"{7 + i:02}:30:00")) for i in range(4)))
    source, _ = started()
    before = {obj.uri: obj.version for obj in listed(source)}
    server.insert(TABLE, row(9, at("08:00:00")))
    after = listed(source, since=at("09:30:00"))
    [changed] = [obj for obj in after if obj.version != before[obj.uri]]
    assert changed.partition == at("08:00:00")
    assert sorted(ids(read(source, changed)[0])) == [1, 9]


def test_the_lookback_bounds_a_narrow_listing(server, started):
    """Between whole listings only slices within `lookback` of the last one are asked for; `begin`
    bounds every listing.
    """
    server.insert(TABLE, row(0, at("02:30:00")), row(1, at("07:30:00")), row(2, at("10:30:00")))
    source, _ = started(lookback="2h")
    assert [obj.partition.hour for obj in listed(source, since=at("12:00:00"))] == [10]
    assert [obj.partition.hour for obj in listed(source, since=at("09:59:00"))] == [7, 10]
    assert [obj.partition.hour for obj in listed(source)] == [2, 7, 10]
    assert source.full_listing_interval == timedelta(hours=24)
    for begin, hours in (
        ("2024-05-01T07:20Z", [7, 10]),
        ("2024-05-01T08:00", [10]),
        ("2024-05-01", [2, 7, 10]),
    ):
        assert [obj.partition.hour for obj in listed(started(begin=begin)[0])] == hours


@pytest.mark.parametrize("change", ["more", "fewer", "moved"])
def test_a_slice_that_changed_after_the_listing_is_not_taken(server, started, change):
    """Rows that came, went or were replaced between listing and reading make the reading fail at
    its end.
    """
    server.insert(TABLE, *(row(i, at(f"07:0{i}:00")) for i in range(3)))
    source, _ = started()
    [obj] = listed(source)
    if change != "more":
        server.delete(
            TABLE,
            "endpoint = endpoint AND logging_time = " + str(int(at("07:01:00").timestamp() * 1e6)),
        )
    if change != "fewer":
        server.insert(TABLE, row(8, at("07:01:30")))
    with pytest.raises(ObjectChanged, match="changed since it was listed"):
        read(source, obj)
    [obj] = listed(source)
    read(source, obj)


def test_rows_that_were_written_twice_are_read_once(server, started):
    """Of rows with the same endpoint and request id one is read; other endpoints, and rows without
    an id, have their own.
    """
    server.insert(
        TABLE,
        row(0, at("07:00:00")),
        row(0, at("07:00:00")),
        row(0, at("07:00:01"), endpoint="other"),
    )
    server.insert(
        TABLE, row(0, at("07:00:02"), request_id=None), row(0, at("07:00:02"), request_id=None)
    )
    source, _ = started()
    [obj] = listed(source)
    rows, _ = read(source, obj)
    assert sorted(
        (found["endpoint"], found["event_id"]) for found in rows if found["event_id"]
    ) == sorted([(ENDPOINT, str(FIRST)), ("other", str(FIRST))])
    assert len(rows) == 4
    assert source.context.log.told == [
        ("rows that were written twice are read once", {"slice": obj.uri, "copies": 1})
    ]


def test_payloads_that_do_not_pair_are_rejected(server, started):
    """A bad row costs itself only."""
    server.insert(
        TABLE,
        row(0, at("07:00:00")),
        row(1, at("07:00:01"), response_payload=[]),
        row(2, at("07:00:02")),
    )
    source, _ = started()
    rows, ctx = read(source, listed(source)[0])
    assert ids(rows) == [0, 2]
    assert [reason for _, reason, _ in ctx.samples] == [
        "payloads don't pair: 1 instances, 0 predictions"
    ]


def test_split_logs_are_read_by_a_wildcard(server, started):
    """`table_*` reads all tables that begin so, as one."""
    for i, suffix in enumerate(("_001", "_002")):
        server.create(TABLE + suffix)
        server.insert(TABLE + suffix, row(i, at("07:00:00")))
    source, _ = started(table=f"bq://{TABLE}_*")
    [obj] = listed(source)
    assert obj.uri == f"bq://{TABLE}_*/2024-05-01T07:00Z"
    assert sorted(ids(read(source, obj)[0])) == [0, 1]


PLAIN = {
    "created": "TIMESTAMP",
    "plan": "STRING",
    "price": "NUMERIC",
    "n": "INTEGER",
    "ok": "BOOLEAN",
    "of": "{age:FLOAT,tags:STRING[]}",
}


def test_other_tables_give_their_columns(server, started):
    """Without a format a table's columns are the records' own; only those asked for are read, paths
    lead into records.
    """
    server.create("demo-project.d.plain", PLAIN)
    made = {
        "created": at("07:00:00"),
        "plan": "pro",
        "price": "0.10",
        "n": 2**60,
        "ok": True,
        "of": {"age": 3.5, "tags": ["a"]},
    }
    server.insert("demo-project.d.plain", made)
    source, _ = started(table="demo-project.d.plain", time_column="created", format=None)
    [obj] = listed(source)
    assert read(source, obj)[0] == [
        {
            "created": "2024-05-01T07:00:00Z",
            "plan": "pro",
            "price": "0.10",
            "n": 2**60,
            "ok": True,
            "of.age": 3.5,
            "of.tags": '["a"]',
        }
    ]
    fields = (
        Field("time", "created"),
        Field("age", "of.age", Kind.NUMERIC),
        Field("no", "such", Kind.NUMERIC),
    )
    assert read(source, obj, *fields)[0] == [
        {"time": "2024-05-01T07:00:00Z", "age": 3.5, "no": None}
    ]
    assert "`plan`" not in server.queries[-1]["query"]


def test_unique_names_the_rows_of_other_tables(server, started):
    """A table that is no log is deduplicated by the columns that are named."""
    server.create("demo-project.d.plain", {"created": "TIMESTAMP", "id": "STRING"})
    server.insert(
        "demo-project.d.plain", *({"created": at("07:00:00"), "id": id_} for id_ in "aab")
    )
    for unique, expected in (((), "aab"), (("id",), "ab")):
        source, _ = started(
            table="demo-project.d.plain", time_column="created", format=None, unique=unique
        )
        assert (
            "".join(found["i"] for found in read(source, listed(source)[0], Field("i", "id"))[0])
            == expected
        )


def test_queries_are_capped_named_and_carry_values_as_parameters(server, started):
    """Each query has the cap, a job id that names the model, no cache, and times as parameters."""
    server.insert(TABLE, row(0, at("07:00:00")))
    source, _ = started(maximum_bytes_billed="2MB")
    read(source, listed(source)[0])
    configs = [config["query"] for config in server.queries]
    assert {config["maximumBytesBilled"] for config in configs} == {"2000000"}
    assert {config["useQueryCache"] for config in configs} == {False}
    assert all(
        {p["name"] for p in config["queryParameters"]} == {"since", "until", "slice"}
        for config in configs
    )
    assert not any("2024" in config["query"] for config in configs)
    assert all(job.startswith("driftline-churn-") for job in server._jobs)


def test_the_cap_refuses_dear_queries(server, started):
    """A query beyond the cap is an error that says what to do; `probe` says it before."""
    server.insert(TABLE, *(row(i, at("07:00:00")) for i in range(100)))
    source, _ = started(maximum_bytes_billed="0.0007MB")
    with pytest.raises(
        SourceError,
        match=r"limit for bytes billed: 700\. 800 or higher .*raise maximum_bytes_billed",
    ):
        listed(source)
    with pytest.raises(
        SourceError, match=r"a look for new rows scans 0\.0 MB: raise maximum_bytes_billed"
    ):
        source.probe()
    source, _ = started(maximum_bytes_billed="0.001MB")
    [obj] = listed(source)
    with pytest.raises(SourceError, match="bytes billed"):
        read(source, obj)


def test_the_probe_tells_the_cost(server, started):
    """It runs no query, and tells what a poll and a slice would scan."""
    server.insert(TABLE, *(row(i, at("07:00:00")) for i in range(1000)))
    source, _ = started()
    assert (
        source.probe()
        == f"{TABLE}, anonymous: a look for new rows scans 0.0 MB, reading a slice scans 2.0 MB"
    )
    assert server.queries == []
    assert [right.split()[0] for right in source.permissions()] == [
        "bigquery.jobs.create",
        "bigquery.tables.getData",
    ]


@pytest.mark.parametrize(
    ("denied", "words"),
    [
        ("bigquery.jobs.create", r"bigquery\.jobs\.create on demo-project is needed"),
        ("bigquery.tables.getData", r"bigquery\.tables\.getData on it is needed"),
    ],
)
def test_missing_rights_are_named(server, started, denied, words):
    """Whether queries may not be made or the table may not be read is told apart."""
    server.denied.add(denied)
    source, _ = started()
    for ask in (source.probe, lambda: listed(source)):
        with pytest.raises(SourceError, match=rf"{TABLE}: access denied \(anonymous\): {words}"):
            ask()


def test_a_missing_table_and_a_missing_column_are_told(server, started):
    """The table's name, or the column's with what to set."""
    source, _ = started(table="demo-project.logs.nothing")
    with pytest.raises(SourceError, match="there is no such table, or it is in another location"):
        listed(source)
    source, _ = started(time_column="stamp")
    with pytest.raises(
        SourceError, match=r"Unrecognized name: stamp.*set time_column, or format to null"
    ):
        listed(source)


def test_a_busy_service_is_asked_again_after_the_pause_it_names(server, started):
    """503 and 429 cost pauses, which Retry-After may name; the rows come once."""
    server.insert(TABLE, row(0, at("07:00:00")), row(1, at("07:00:01")))
    server.page = 1
    source, pauses = started()
    server.faults += [
        ("POST .*/jobs$", Refused(503, "try later", headers={"Retry-After": "7"})),
        ("/queries/", Refused(429, "slow down", "rateLimitExceeded", {"Retry-After": "3"})),
    ]
    [obj] = listed(source)
    server.faults += [
        ("/queries/", 1000),
        ("/queries/", Refused(503, "try later")),
        ("/queries/", 20),
    ]
    assert ids(read(source, obj)[0]) == [0, 1]
    assert pauses == [7, 3, 0.5, 1.0]
    server.faults += [("POST", Refused(503, "down", headers={"Retry-After": "3600"}))]
    with pytest.raises(SourceError, match="503: down"):
        listed(source)


def test_a_cut_connection_is_asked_again(server, started):
    """Answers that end early, whichever they are, cost another request and no row."""
    server.insert(TABLE, *(row(i, at("07:00:00")) for i in range(100)))
    server.page = 30
    source, pauses = started()
    server.faults += [("POST", 10), ("/queries/", 50)]
    [obj] = listed(source)
    server.faults += [("/queries/", 5000), ("/queries/", 0), ("/queries/", 100)]
    assert sorted(ids(read(source, obj)[0])) == list(range(100))
    assert len(pauses) == 5
    assert len(server.queries) == 2


def test_a_server_that_is_away_is_the_sources_trouble(started):
    """No connection is an error that may pass."""
    source, pauses = started(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(SourceError, match="ConnectionError"):
        listed(source)
    assert pauses == [0.5, 1.0, 2.0]


def test_queries_that_run_are_cancelled_at_stop(server, started):
    """Stopping cancels what runs, and whoever waits for it is told."""
    source, _ = started()
    server.held = True
    caught = []

    def wait():
        try:
            listed(source)
        except SourceError as error:
            caught.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not source._jobs:
        threading.Event().wait(0.01)
    [job] = source._jobs
    source.stop()
    waiting.join(10)
    assert server.cancelled == [job]
    assert "cancelled" in caught[0]


@pytest.fixture
def key_file(server, tmp_path):
    """The key of a service account whose tokens this server gives."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    told = {
        "type": "service_account",
        "project_id": "demo-project",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "agent@demo-project.iam.gserviceaccount.com",
        "token_uri": f"{server.url}/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(told))
    return path


def test_credentials_are_renewed_when_they_expire(server, started, key_file):
    """A token that expired in the middle is renewed; where that is refused it is told, and works
    again once it is granted.
    """
    server.insert(TABLE, row(0, at("07:00:00")))
    server.tokens = {"first"}
    source, _ = started(anonymous=False, credentials_file=str(key_file))
    assert "agent@demo-project" in source.probe()
    server.tokens, server.grant = (
        {"second"},
        {"access_token": "second", "expires_in": 3600, "token_type": "Bearer"},
    )
    [obj] = listed(source)
    server.tokens, server.grant = (
        {"third"},
        Refused(400, "Token has been revoked.", "invalid_grant"),
    )
    with pytest.raises(
        SourceError,
        match=r"the credentials could not be renewed \(agent@demo-project.*Token has been revoked",
    ):
        read(source, obj)
    server.grant = {"access_token": "wrong", "expires_in": 3600, "token_type": "Bearer"}
    with pytest.raises(SourceError, match="the credentials have expired or are wrong"):
        read(source, obj)
    server.grant = {"access_token": "third", "expires_in": 3600, "token_type": "Bearer"}
    assert ids(read(source, obj)[0]) == [0]


def test_missing_credentials_are_told(started, monkeypatch, tmp_path):
    """No credentials anywhere, or no such file, is no mystery."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(SourceError, match="no Google Cloud credentials were found"):
        started(anonymous=False)[0].probe()
    with pytest.raises(SourceError, match=r"other\.json"):
        started(anonymous=False, credentials_file=str(tmp_path / "other.json"))[0].probe()


@pytest.mark.parametrize(
    "settings",
    [
        {"table": "logs.table"},
        {"table": "demo-project.logs.t; DROP"},
        {"table": "demo-project.logs.t`x"},
        {"table": "demo-project.lo-gs.t"},
        {"table": "demo-project.*"},
        {"table": "demo-project.logs.t*"},
        {"time_column": "a b"},
        {"unique": ["a`"]},
        {"slice": "7m"},
        {"slice": "30s"},
        {"maximum_bytes_billed": "0MB"},
        {"maximum_bytes_billed": 1000},
    ],
)
def test_settings_that_could_become_sql_are_refused(settings):
    """Names are checked strictly, since they can't be parameters."""
    with pytest.raises(ValidationError):
        BigQuery(**({"table": TABLE} | settings))


def test_it_travels(server, started):
    """A pickled source carries settings only, and reads elsewhere."""
    server.insert(TABLE, row(0, at("07:00:00")))
    source, _ = started()
    copy = pickle.loads(pickle.dumps(source))
    assert copy._client is None
    assert copy.slice == timedelta(hours=1)
    assert listed(copy) == listed(source)
    copy.stop()
    assert_plugin_contract(BigQuery, table=TABLE)
