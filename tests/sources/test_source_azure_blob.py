"""Azure Blob: what only it has, above all blobs that grow while they are read."""

from __future__ import annotations

from datetime import timedelta

import pytest
from driftline_plugins.sources import azure_blob
from driftline_plugins.sources.azure_blob import AzureBlob
from faults import FaultProxy, Refuse
from stores import AZURE_KEY, NOW, START, AzureStore

from driftline import DiscoverContext, ObjectChanged, Secret, SourceError, Unreadable

pytestmark = pytest.mark.system


@pytest.fixture
def store(azure_server):
    return AzureStore(azure_server)


@pytest.fixture
def started():
    running = []

    def start(source):
        source._sleep = lambda seconds: None
        source.start(START)
        running.append(source)
        return source

    yield start
    for source in running:
        source.stop()


def listed(source):
    return list(source.discover(DiscoverContext(now=NOW)))


def test_an_append_blob_grows_between_and_during_reads(store, started, monkeypatch):
    """It is read as far as it was listed, though it grows meanwhile; the next listing has the rest,
    under one lineage.
    """
    monkeypatch.setattr(azure_blob, "PART", 1000)
    store.create_growing("a.jsonl")
    store.append("a.jsonl", b"a" * 5000)
    source = started(store.source(store.url))
    [before] = listed(source)
    assert before.grows
    raw = source.open(before).detach()
    assert raw.read(10) == b"a" * 10
    store.append("a.jsonl", b"b" * 5000)
    assert raw.read(10_000) + raw.readall() == b"a" * 4990
    [after] = listed(source)
    assert (after.lineage, after.size) == (before.lineage, 10_000)
    assert after.version != before.version
    assert source.open(after, before.size).read() == b"b" * 5000
    assert source.open(before).read() == b"a" * 5000


def test_an_append_blob_that_was_made_again(store, started, azure_server):
    """Another creation time, or less than was listed, is another blob, also when it is an append
    blob again.
    """
    store.create_growing("a.jsonl")
    store.append("a.jsonl", b"a" * 100)
    source = started(store.source(store.url))
    [before] = listed(source)
    store.create_growing("a.jsonl")
    store.append("a.jsonl", b"b" * 50)
    with pytest.raises(ObjectChanged):
        source.open(before).read()


def test_block_blobs_do_not_grow(store, started):
    """A block blob is replaced, never continued."""
    store.put("k", b"x")
    [obj] = listed(started(store.source(store.url)))
    assert not obj.grows


def test_folders_of_a_hierarchical_account_are_no_blobs(store, started):
    """What is listed for a folder is left out."""
    store.put_folder("f")
    store.put("f/a.csv", b"x")
    assert [store.key(obj.uri) for obj in listed(started(store.source(store.url)))] == ["f/a.csv"]


def test_archived_blobs(store, started):
    """A blob that was archived can't be read, and the mend is named."""
    store.put("k", b"x")
    store.archive("k")
    source = started(store.source(store.url))
    [obj] = listed(source)
    with pytest.raises(Unreadable, match="set its tier"):
        source.open(obj).read()


def test_ways_to_be_let_in(store, started):
    """A connection string and a SAS work as the account's key does; no way in shows in addresses or
    texts.
    """
    store.put("a b", b"content")
    host = f"BlobEndpoint={store.url};AccountName=devstoreaccount1;AccountKey={AZURE_KEY}"
    sas = store.sas()
    ways = {
        "connection_string": Secret("${env:A}", f"DefaultEndpointsProtocol=http;{host};"),
        "sas": Secret("${env:B}", sas),
    }
    for name, secret in ways.items():
        url = None if name == "connection_string" else store.url
        source = started(AzureBlob(container=store.name, account_url=url, **{name: secret}))
        [obj] = listed(source)
        assert obj.uri == f"{store.url}/{store.name}/a%20b"
        assert source.open(obj).read() == b"content"
        assert source.probe() == f"{store.url}/{store.name}/, {name}: first blob a b"
        shown = f"{source!r} {source.model_dump_json()} {source.probe()} {obj}"
        assert AZURE_KEY not in shown
        assert "sig=" not in shown


def test_a_sas_that_may_not_list(store, started):
    """A signature without the right to list is told as such, and one that expired otherwise."""
    for sas, words in (
        (store.sas(rights="r"), "the right to list"),
        (store.sas(timedelta(hours=-1)), "firewall is closed"),
    ):
        source = started(
            AzureBlob(container=store.name, account_url=store.url, sas=Secret("${env:S}", sas))
        )
        with pytest.raises(SourceError, match=words):
            source.probe()


@pytest.mark.parametrize(
    ("code", "words"),
    [("AuthorizationFailure", "firewall"), ("PublicAccessNotPermitted", "not public")],
)
def test_refusals_that_only_the_cloud_gives(store, started, azure_server, code, words):
    """A firewall and a container that is not public are named as what they are."""
    proxy = FaultProxy(azure_server)
    proxy.fault = lambda asked: Refuse(409 if "Public" in code else 403, {"x-ms-error-code": code})
    with pytest.raises(SourceError, match=words):
        started(store.source(proxy.url)).probe()
    proxy.close()


def test_missing_credentials(started, monkeypatch):
    """No credentials anywhere is no mystery, and nothing is sent without them."""
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    source = started(
        AzureBlob(container="logs", account_url="https://127.0.0.1:9/devstoreaccount1")
    )
    with pytest.raises(SourceError, match="no Azure credentials"):
        source.probe()


def test_one_account_and_one_way_in():
    """Contradicting settings are mistakes of the configuration."""
    key = Secret("${env:KEY}", AZURE_KEY)
    with pytest.raises(ValueError, match="account_url, or connection_string"):
        AzureBlob(container="c")
    with pytest.raises(ValueError, match="one of anonymous"):
        AzureBlob(
            container="c", account_url="https://a.blob.core.windows.net", account_key=key, sas=key
        )
