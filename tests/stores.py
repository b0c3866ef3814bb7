"""The three stores as a test sees them: seeded past or through their own SDKs, read by the source that ships."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote, urlsplit

from driftline_plugins.sources.azure_blob import AzureBlob
from driftline_plugins.sources.gcs import Gcs
from driftline_plugins.sources.s3 import S3
from faults import Asked, Refuse

from driftline import Secret, Source, StartContext
from driftline.testing.fakes import FakeLog

NOW = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
START = StartContext(name="logs", log=FakeLog(), clock=lambda: NOW)
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The emulator's, the same everywhere and published."""


class S3Store:
    """A bucket of moto's."""

    begins = True
    grows = False

    def __init__(self, url: str) -> None:
        import boto3
        from botocore.config import Config

        self.url, self.name = url, f"ml-{uuid.uuid4().hex[:12]}"
        self._client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="k", aws_secret_access_key="s",
            config=Config(s3={"addressing_style": "path"}),
        )  # fmt: skip
        self._client.create_bucket(Bucket=self.name)

    def source(self, url: str, **settings: Any) -> Source:
        keys = {"access_key_id": Secret("${env:KEY}", "AKIDEXAMPLE"), "secret_access_key": Secret("${env:SECRET}", "secret")}
        return S3(bucket=self.name, endpoint_url=url, region="us-east-1", addressing_style="path", **(keys | settings))

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def put(self, key: str, data: bytes, encoding: str = "") -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=data, **({"ContentEncoding": encoding} if encoding else {}))

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    def seed(self, keys: Iterable[str], data: bytes) -> None:
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        for key in keys:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, data)

    def lists(self, asked: Asked) -> bool:
        return "list-type=2" in asked.target

    def without_hint(self, target: str) -> str:
        return "&".join(part for part in target.split("&") if not part.startswith("start-after="))

    def refusal(self, what: str, after: str = "") -> Refuse:
        status, code = {"throttled": (503, "SlowDown"), "busy": (429, "TooManyRequests"), "expired": (400, "ExpiredToken"),
                        "denied": (403, "AccessDenied")}[what]  # fmt: skip
        return Refuse(status, _after(after), f"<Error><Code>{code}</Code><Message>{what}</Message></Error>".encode())


class GcsStore:
    """A bucket of fake-gcs-server's."""

    begins = True
    grows = False

    def __init__(self, url: str) -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        self.url, self.name = url, f"ml-{uuid.uuid4().hex[:12]}"
        client = storage.Client(project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": url})
        self._bucket = client.create_bucket(self.name)

    def source(self, url: str, **settings: Any) -> Source:
        return Gcs(bucket=self.name, endpoint_url=url, **({"anonymous": True} | settings))

    def uri(self, key: str) -> str:
        return f"gs://{self.name}/{key}"

    def put(self, key: str, data: bytes, encoding: str = "") -> None:
        blob = self._bucket.blob(key)
        blob.content_encoding = encoding or None
        blob.upload_from_file(io.BytesIO(data))

    def delete(self, key: str) -> None:
        self._bucket.blob(key).delete()

    def seed(self, keys: Iterable[str], data: bytes) -> None:
        path = f"/upload/storage/v1/b/{self.name}/o?uploadType=media&name="
        _send_each(self.url, "POST", (path + quote(key, safe="") for key in keys), data, {})

    def lists(self, asked: Asked) -> bool:
        return asked.target.partition("?")[0].endswith("/o")

    def without_hint(self, target: str) -> str:
        return "&".join(part for part in target.split("&") if not part.startswith("startOffset="))

    def refusal(self, what: str, after: str = "") -> Refuse:
        status = {"throttled": 503, "busy": 429, "expired": 401, "denied": 403}[what]
        body = f'{{"error": {{"code": {status}, "message": "{what}"}}}}'.encode()
        return Refuse(status, _after(after) | {"Content-Type": "application/json"}, body)


class AzureStore:
    """A container of azurite's."""

    begins = False
    grows = True

    def __init__(self, url: str) -> None:
        from azure.storage.blob import ContainerClient

        self.url, self.name = url, f"ml-{uuid.uuid4().hex[:12]}"
        self._client = ContainerClient(url, self.name, credential=AZURE_KEY)
        self._client.create_container()

    def source(self, url: str, **settings: Any) -> Source:
        key = {"account_key": Secret("${env:KEY}", AZURE_KEY)}
        return AzureBlob(container=self.name, account_url=url, **(key | settings))

    def uri(self, key: str) -> str:
        return f"{self.url}/{self.name}/{quote(key, safe='/')}"

    def put(self, key: str, data: bytes, encoding: str = "") -> None:
        from azure.storage.blob import ContentSettings

        settings = {"content_settings": ContentSettings(content_encoding=encoding)} if encoding else {}
        self._client.upload_blob(key, data, overwrite=True, **settings)

    def put_folder(self, key: str) -> None:
        self._client.upload_blob(key, b"", metadata={"hdi_isfolder": "true"})

    def create_growing(self, key: str) -> None:
        self._client.get_blob_client(key).create_append_blob()

    def append(self, key: str, data: bytes) -> None:
        self._client.get_blob_client(key).append_block(data)

    def archive(self, key: str) -> None:
        self._client.get_blob_client(key).set_standard_blob_tier("Archive")

    def delete(self, key: str) -> None:
        self._client.delete_blob(key)

    def sas(self, lasts: timedelta = timedelta(hours=1), rights: str = "rl") -> str:
        from azure.storage.blob import generate_container_sas

        until = datetime.now(UTC) + lasts
        return generate_container_sas("devstoreaccount1", self.name, account_key=AZURE_KEY, permission=rights, expiry=until)

    def seed(self, keys: Iterable[str], data: bytes) -> None:
        sas = self.sas(rights="w")
        base = f"{urlsplit(self.url).path}/{self.name}/"
        targets = (f"{base}{quote(key, safe='/')}?{sas}" for key in keys)
        _send_each(self.url, "PUT", targets, data, {"x-ms-blob-type": "BlockBlob"})

    def lists(self, asked: Asked) -> bool:
        return "comp=list" in asked.target

    def without_hint(self, target: str) -> str:
        return target

    def refusal(self, what: str, after: str = "") -> Refuse:
        status, code = {"throttled": (503, "ServerBusy"), "busy": (429, "TooManyRequests"),
                        "expired": (403, "AuthenticationFailed"), "denied": (403, "AuthorizationPermissionMismatch")}[what]  # fmt: skip
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{what}</Message></Error>'
        return Refuse(status, _after(after) | {"x-ms-error-code": code, "Content-Type": "application/xml"}, body.encode())


Store = S3Store | GcsStore | AzureStore


def _after(seconds: str) -> dict[str, str]:
    return {"Retry-After": seconds} if seconds else {}


def _send_each(url: str, method: str, targets: Iterable[str], body: bytes, headers: dict[str, str]) -> None:
    connection = HTTPConnection(urlsplit(url).netloc)
    for target in targets:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status < 300, (answer.status, target)
    connection.close()
