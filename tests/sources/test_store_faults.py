"""Faults of a store, as each cloud reports them, and the one sentence that says what to do."""

from __future__ import annotations

import json
from email.utils import format_datetime

import pytest
from driftline_plugins.sources.azure_blob import AzureBlob
from driftline_plugins.sources.gcs import Gcs
from driftline_plugins.sources.s3 import S3
from faults import FaultProxy, Refuse
from stores import AZURE_KEY, NOW, START

from driftline import DiscoverContext, LogObject, Secret, SourceBusy
from driftline.types.errors import SourceError

KEYS = {
    "access_key_id": Secret("${env:KEY}", "AKIDEXAMPLE"),
    "secret_access_key": Secret("${env:SECRET}", "secret"),
}
DATE = format_datetime(NOW, usegmt=True)
CLOCK = "the clock of this machine differs too much from the store's"
RATE = "the store limits the rate of requests"
EXPIRED = "the credentials have expired"
MISSING = "there is no such"
BAD_NAME = "can't be the name of a"
DENIED = "access denied"


@pytest.fixture
def server():
    made = FaultProxy("http://127.0.0.1:9/devstoreaccount1")
    yield made
    made.close()


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


def make(cloud: str, url: str, name: str = "logs-1"):
    base = url.removesuffix("/devstoreaccount1")
    if cloud == "s3":
        options = {"region": "us-east-1", "addressing_style": "path"}
        return S3(bucket=name, endpoint_url=base, **options, **KEYS)
    if cloud == "gcs":
        return Gcs(bucket=name, endpoint_url=base, anonymous=True)
    return AzureBlob(container=name, account_url=url, account_key=Secret("${env:K}", AZURE_KEY))


def s3(status: int, code: str, message: str = "no", **headers: str) -> Refuse:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Refuse(status, {"Content-Type": "application/xml"} | headers, body.encode())


def gcs(status: int, reason: str, message: str = "no") -> Refuse:
    error = {"code": status, "message": message, "errors": [{"reason": reason}]}
    return Refuse(status, {"Content-Type": "application/json"}, json.dumps({"error": error}).encode())  # fmt: skip


def azure(status: int, code: str, message: str = "no", detail: str = "") -> Refuse:
    detail = f"<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail>" if detail else ""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message>{detail}</Error>"
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    return Refuse(status, headers, f'<?xml version="1.0"?>{body}'.encode())


FAULTS = [
    ("s3", s3(403, "RequestTimeTooSkewed", Date=DATE), f"{CLOCK} ({DATE} there): set the clock"),
    ("gcs", gcs(403, "RequestTimeTooSkewed"), CLOCK),
    ("azure", azure(403, "AuthenticationFailed", detail="Request date header too old: 'x'"), CLOCK),
    ("azure", azure(403, "RequestTimeTooSkewed"), CLOCK),
    ("s3", s3(503, "SlowDown"), RATE),
    ("s3", s3(403, "RequestThrottled"), RATE),
    ("gcs", gcs(403, "userRateLimitExceeded"), f"{RATE} (userRateLimitExceeded)"),
    ("gcs", gcs(403, "rateLimitExceeded"), RATE),
    ("gcs", gcs(429, "rateLimitExceeded"), RATE),
    ("azure", azure(503, "ServerBusy"), RATE),
    ("azure", azure(429, "TooManyRequests"), RATE),
    ("s3", s3(400, "ExpiredToken"), EXPIRED),
    ("azure", azure(401, "InvalidAuthenticationInfo", "The token is expired."), EXPIRED),
    (
        "azure",
        azure(403, "AuthenticationFailed", detail="Signature not valid in the specified time frame"),
        EXPIRED,
    ),
    ("s3", s3(404, "NoSuchBucket"), f"{MISSING} bucket: check the setting bucket"),
    ("gcs", gcs(404, "notFound"), f"{MISSING} bucket: check the setting bucket"),
    ("azure", azure(404, "ContainerNotFound"), f"{MISSING} container: check the setting container"),
    ("s3", s3(400, "InvalidBucketName"), f"'logs-1' {BAD_NAME} bucket: check the setting bucket"),
    ("gcs", gcs(400, "invalid", "Invalid bucket name: 'logs-1'"), f"{BAD_NAME} bucket"),
    ("azure", azure(400, "InvalidResourceName"), f"{BAD_NAME} container: check the setting container"),
    (
        "s3",
        s3(301, "PermanentRedirect", **{"x-amz-bucket-region": "eu-west-1"}),
        "the bucket is in eu-west-1: set region to eu-west-1",
    ),
    ("s3", s3(400, "AuthorizationHeaderMalformed"), "the bucket is in another region: set region"),
    ("s3", s3(403, "AccessDenied"), DENIED),
    ("gcs", gcs(403, "forbidden"), "the bucket is not public: leave anonymous out"),
    ("azure", azure(403, "AuthorizationPermissionMismatch"), DENIED),
]  # fmt: skip


@pytest.mark.parametrize(("cloud", "answer", "sentence"), FAULTS)
def test_a_fault_in_a_listing(server, started, cloud, answer, sentence):
    """It has its own sentence, behind a short address."""
    server.fault = lambda asked: answer
    with pytest.raises(SourceError) as caught:
        list(started(make(cloud, server.url)).discover(DiscoverContext(now=NOW)))
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 300
    assert isinstance(caught.value, SourceBusy) == (RATE in sentence)


@pytest.mark.parametrize(("cloud", "answer", "sentence"), [f for f in FAULTS if MISSING not in f[2] and BAD_NAME not in f[2]])  # fmt: skip
def test_a_fault_in_a_read(server, started, cloud, answer, sentence):
    """The same sentence, and a key of a thousand characters doesn't hide it."""
    server.fault = lambda asked: answer
    source = started(make(cloud, server.url))
    uri = f"{source._place('')}{'k' * 1000}.jsonl"
    obj = LogObject(uri=uri, version="1", size=9, modified=NOW)
    with pytest.raises(SourceError) as caught:
        source.open(obj).read()
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 350


@pytest.mark.parametrize("cloud", ["s3", "gcs", "azure"])
def test_a_name_that_no_bucket_can_have(server, started, cloud):
    """The SDK itself may refuse it; the sentence names the setting."""
    server.fault = lambda asked: azure(400, "InvalidResourceName")
    name = "-My Bucket-"
    with pytest.raises(SourceError, match=f"'{name}' {BAD_NAME}"):
        list(started(make(cloud, server.url, name)).discover(DiscoverContext(now=NOW)))


@pytest.mark.parametrize("cloud", ["s3", "gcs", "azure"])
def test_a_store_that_can_not_be_reached(started, cloud):
    """The sentence is short, though the SDKs repeat their requests in theirs."""
    source = started(make(cloud, "http://127.0.0.1:9/devstoreaccount1"))
    with pytest.raises(SourceBusy, match="the connection was refused: check the address") as caught:
        list(source.discover(DiscoverContext(now=NOW)))
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("cloud", ["s3", "gcs", "azure"])
def test_a_name_that_can_not_be_resolved(started, cloud):
    """The sentence names the DNS."""
    source = started(make(cloud, "http://devstoreaccount1.blob.core.invalid"))
    with pytest.raises(SourceBusy, match="can't be resolved: check the address and the DNS"):
        list(source.discover(DiscoverContext(now=NOW)))


@pytest.mark.parametrize(("text", "sentence"), [
    ("('invalid_grant: Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
     "reasonable timeframe. Check your iat and exp values', {})", CLOCK),
    ("('invalid_grant: Token has been expired or revoked.', {})", EXPIRED),
    ("('invalid_grant: account not found', {})", "could not be renewed"),
])  # fmt: skip
def test_a_token_that_google_does_not_renew(server, started, text, sentence):
    """A wrong clock and an expired login are told apart."""
    from google.auth.exceptions import RefreshError

    source = started(make("gcs", server.url))
    assert sentence in str(source._translate(RefreshError(text), "storage.objects.list", "a"))
