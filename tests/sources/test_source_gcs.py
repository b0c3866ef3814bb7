"""Cloud Storage: what only it has."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driftline_plugins.sources.gcs import Gcs
from faults import FaultProxy, Refuse
from stores import NOW, START, GcsStore

from driftline import DiscoverContext, ObjectChanged, SourceError

pytestmark = pytest.mark.system


@pytest.fixture
def store(gcs_server):
    return GcsStore(gcs_server)


@pytest.fixture
def proxy(gcs_server):
    made = FaultProxy(gcs_server)
    yield made
    made.close()


def started(source):
    source._sleep = lambda seconds: None
    source.start(START)
    return source


def test_the_generation_is_asked_for(store, proxy):
    """Each range is asked for with the generation that was listed, and a server that says it
    changed is believed.
    """
    store.put("k", b"content")
    source = started(store.source(proxy.url))
    [obj] = source.discover(DiscoverContext(now=NOW))
    assert source.open(obj).read() == b"content"
    assert f"ifGenerationMatch={obj.version}" in proxy.asked[-1].target
    proxy.fault = lambda asked: Refuse(412)
    with pytest.raises(ObjectChanged):
        source.open(obj).read()


def test_a_service_account(store, proxy, tmp_path):
    """A key file beside the configuration lets in, and the probe says as whom."""
    proxy.fault = store.token
    settings = store.credentials(tmp_path, proxy.url) | {"credentials_file": "key.json"}
    source = store.source(proxy.url, **settings)
    source.start(replace(START, config_folder=tmp_path))
    assert source.probe() == f"{proxy.url}, reader@test.example: no object under this prefix yet"
    assert any(asked.headers.get("authorization") == "Bearer t" for asked in proxy.asked)


def test_credentials_that_can_not_be_renewed(store, proxy, tmp_path):
    """A service account that is no more is told as such, without a word of its key."""
    source = started(store.source(proxy.url, **store.credentials(tmp_path, proxy.url)))
    proxy.fault = lambda asked: Refuse(
        400, {"Content-Type": "application/json"}, b'{"error": "invalid_grant"}'
    )
    with pytest.raises(SourceError, match="could not be renewed") as caught:
        source.probe()
    assert "PRIVATE" not in str(caught.value)
    proxy.fault = store.token
    assert "no object" in source.probe()


def test_missing_credentials(monkeypatch, tmp_path):
    """No credentials anywhere is no mystery; a key file that is not there is named."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "STORAGE_EMULATOR_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(SourceError, match="no Google Cloud credentials were found"):
        started(Gcs(bucket="logs"))
    with pytest.raises(SourceError, match=r"none\.json"):
        started(Gcs(bucket="logs", credentials_file="none.json"))


def test_a_bucket_that_is_not_public(store, proxy):
    """A bucket that asks for credentials says so to an anonymous reader."""
    proxy.fault = lambda asked: Refuse(401)
    with pytest.raises(SourceError, match="leave anonymous out"):
        started(store.source(proxy.url)).probe()


def test_who_pays(store, proxy):
    """The project that pays is named in each request."""
    store.put("k", b"content")
    source = started(store.source(proxy.url, billing_project="payer"))
    [obj] = source.discover(DiscoverContext(now=NOW))
    source.open(obj).read()
    assert all("userProject=payer" in asked.target for asked in proxy.asked)
    assert any("payer" in right for right in source.permissions())
