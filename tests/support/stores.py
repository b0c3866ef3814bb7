"""The three stores as a test sees them: seeded past or through their own SDKs, read by the source
that ships.
"""

from __future__ import annotations

import io
import json
import random
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from driftline_plugins.sources.azure_blob import AzureBlob
from driftline_plugins.sources.gcs import Gcs
from driftline_plugins.sources.s3 import S3
from faults import Asked, Refuse

from driftline import Secret, Source, StartContext
from driftline.testing.fakes import FakeLog

NOW = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)
START = StartContext(name="logs", log=FakeLog(), clock=lambda: NOW)
MANY = [f"p/{i // 100:03d}/{i:05d}.jsonl" for i in range(5001)]
"""Names for a bucket of more objects than a page holds anywhere."""
GCS_MANY = "many"
"""The bucket of Cloud Storage that has them from its start: its server takes long to take them."""
AZURE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The emulator's, the same everywhere and published."""


class S3Store:
    """A bucket of moto's."""

    begins = True
    refused: tuple[str, ...] = ("\n",)
    """What no name may hold here."""
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

    @classmethod
    def full(cls, url: str) -> S3Store:
        """A bucket of `MANY` objects, put in another order than that of names."""
        store = cls(url)
        store.seed(random.Random(7).sample(MANY, len(MANY)), b"{}\n")
        return store

    def source(self, url: str, **settings: Any) -> Source:
        keys = {
            "access_key_id": Secret("${env:KEY}", "AKIDEXAMPLE"),
            "secret_access_key": Secret("${env:SECRET}", "secret"),
        }
        return S3(
            bucket=self.name,
            endpoint_url=url,
            region="us-east-1",
            addressing_style="path",
            **(keys | settings),
        )

    def key(self, uri: str) -> str:
        return uri.removeprefix(f"s3://{self.name}/")

    def put(self, key: str, data: bytes, encoding: str = "") -> None:
        self._client.put_object(
            Bucket=self.name,
            Key=key,
            Body=data,
            **({"ContentEncoding": encoding} if encoding else {}),
        )

    def listing(self) -> bytes:
        """The document of a listing, as the server sends it."""
        pages: list[bytes] = []
        self._client.meta.events.register(
            "before-parse.s3.ListObjectsV2",
            lambda response_dict, **_: pages.append(response_dict["body"]),
        )
        self._client.list_objects_v2(Bucket=self.name)
        return pages[0]

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    def seed(self, keys: Iterable[str], data: bytes) -> None:
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.s3.models import s3_backends

        for key in keys:
            s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(self.name, key, data)

    def credentials(self, folder: Path, url: str) -> dict[str, Any]:
        """Settings of credentials that may expire."""
        return {}

    def token(self, asked: Asked) -> Refuse | None:
        """The answer to a request for new credentials."""
        return None

    def without_hint(self, target: str) -> str:
        return "&".join(part for part in target.split("&") if not part.startswith("start-after="))

    def refusal(self, what: str, after: str = "") -> Refuse:
        status, code = {"throttled": (503, "SlowDown"), "busy": (429, "TooManyRequests"), "expired": (400, "ExpiredToken"),
                        "denied": (403, "AccessDenied")}[what]  # fmt: skip
        return Refuse(
            status,
            _after(after),
            f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode(),
        )


class GcsStore:
    """A bucket of fake-gcs-server's."""

    begins = True
    refused: tuple[str, ...] = ()
    """What no name may hold here."""
    grows = False

    def __init__(self, url: str, name: str = "") -> None:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        self.url, self.name = url, name or f"ml-{uuid.uuid4().hex[:12]}"
        client = storage.Client(
            project="test", credentials=AnonymousCredentials(), client_options={"api_endpoint": url}
        )
        self._bucket = client.bucket(name) if name else client.create_bucket(self.name)

    @classmethod
    def full(cls, url: str) -> GcsStore:
        """The bucket of `MANY` objects."""
        return cls(url, GCS_MANY)

    def source(self, url: str, **settings: Any) -> Source:
        return Gcs(bucket=self.name, endpoint_url=url, **({"anonymous": True} | settings))

    def key(self, uri: str) -> str:
        return uri.removeprefix(f"gs://{self.name}/")

    def put(self, key: str, data: bytes, encoding: str = "") -> None:
        blob = self._bucket.blob(key)
        blob.content_encoding = encoding or None
        blob.upload_from_file(io.BytesIO(data))

    def listing(self) -> bytes:
        """The document of a listing, as the server sends it."""
        connection = HTTPConnection(urlsplit(self.url).netloc)
        connection.request("GET", f"/storage/v1/b/{self.name}/o")
        document = connection.getresponse().read()
        connection.close()
        return document

    def delete(self, key: str) -> None:
        self._bucket.blob(key).delete()

    def seed(self, keys: Iterable[str], data: bytes) -> None:
        path = f"/upload/storage/v1/b/{self.name}/o?uploadType=media&name="
        _send_each(self.url, "POST", (path + quote(key, safe="") for key in keys), data, {})

    def credentials(self, folder: Path, url: str) -> dict[str, Any]:
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        account = {"type": "service_account", "client_email": "reader@test.example", "token_uri": f"{url}/token",
                   "private_key": pem, "private_key_id": "1", "client_id": "1", "project_id": "test"}  # fmt: skip
        (folder / "key.json").write_text(json.dumps(account))
        return {"anonymous": False, "credentials_file": str(folder / "key.json")}

    def token(self, asked: Asked) -> Refuse | None:
        body = {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
        return Refuse(200, {}, json.dumps(body).encode()) if asked.target == "/token" else None

    def without_hint(self, target: str) -> str:
        return "&".join(part for part in target.split("&") if not part.startswith("startOffset="))

    def refusal(self, what: str, after: str = "") -> Refuse:
        status = {"throttled": 503, "busy": 429, "expired": 401, "denied": 403}[what]
        body = f'{{"error": {{"code": {status}, "message": "no"}}}}'.encode()
        return Refuse(status, _after(after) | {"Content-Type": "application/json"}, body)


class AzureStore:
    """A container of azurite's."""

    begins = False
    refused: tuple[str, ...] = ("../", "./", "\\")
    """What no name may hold here."""
    grows = True

    def __init__(self, url: str) -> None:
        from azure.storage.blob import ContainerClient

        self.url, self.name = url, f"ml-{uuid.uuid4().hex[:12]}"
        self._client = ContainerClient(url, self.name, credential=AZURE_KEY)
        self._client.create_container()

    @classmethod
    def full(cls, url: str) -> AzureStore:
        """A bucket of `MANY` objects, put in another order than that of names."""
        store = cls(url)
        store.seed(random.Random(7).sample(MANY, len(MANY)), b"{}\n")
        return store

    def source(self, url: str, **settings: Any) -> Source:
        key = {"account_key": Secret("${env:KEY}", AZURE_KEY)}
        return AzureBlob(container=self.name, account_url=url, **(key | settings))

    def key(self, uri: str) -> str:
        return unquote(uri.partition(f"/{self.name}/")[2])

    def put(self, key: str, data: bytes, encoding: str = "") -> None:
        from azure.storage.blob import ContentSettings

        settings = (
            {"content_settings": ContentSettings(content_encoding=encoding)} if encoding else {}
        )
        self._client.upload_blob(key, data, overwrite=True, **settings)

    def put_folder(self, key: str) -> None:
        self._client.upload_blob(key, b"", metadata={"hdi_isfolder": "true"})

    def create_growing(self, key: str) -> None:
        self._client.get_blob_client(key).create_append_blob()

    def append(self, key: str, data: bytes) -> None:
        self._client.get_blob_client(key).append_block(data)

    def archive(self, key: str) -> None:
        self._client.get_blob_client(key).set_standard_blob_tier("Archive")

    def listing(self) -> bytes:
        """The document of a listing, as the server sends it."""
        pages: list[bytes] = []
        list(
            self._client.list_blobs(
                raw_response_hook=lambda answer: pages.append(answer.http_response.body())
            )
        )
        return pages[0]

    def delete(self, key: str) -> None:
        self._client.delete_blob(key)

    def sas(self, lasts: timedelta = timedelta(hours=1), rights: str = "rl") -> str:
        from azure.storage.blob import generate_container_sas

        until = datetime.now(UTC) + lasts
        return generate_container_sas(
            "devstoreaccount1", self.name, account_key=AZURE_KEY, permission=rights, expiry=until
        )

    def seed(self, keys: Iterable[str], data: bytes) -> None:
        sas = self.sas(rights="w")
        base = f"{urlsplit(self.url).path}/{self.name}/"
        targets = (f"{base}{quote(key, safe='/')}?{sas}" for key in keys)
        _send_each(self.url, "PUT", targets, data, {"x-ms-blob-type": "BlockBlob"})

    def credentials(self, folder: Path, url: str) -> dict[str, Any]:
        return {}

    def token(self, asked: Asked) -> Refuse | None:
        return None

    def without_hint(self, target: str) -> str:
        return target

    def refusal(self, what: str, after: str = "") -> Refuse:
        status, code = {"throttled": (503, "ServerBusy"), "busy": (429, "TooManyRequests"),
                        "expired": (403, "AuthenticationFailed"), "denied": (403, "AuthorizationPermissionMismatch"),
                        }[what]  # fmt: skip
        body = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>no</Message></Error>'
        return Refuse(
            status,
            _after(after) | {"x-ms-error-code": code, "Content-Type": "application/xml"},
            body.encode(),
        )


Store = S3Store | GcsStore | AzureStore


def _after(seconds: str) -> dict[str, str]:
    return {"Retry-After": seconds} if seconds else {}


def _send_each(
    url: str, method: str, targets: Iterable[str], body: bytes, headers: dict[str, str]
) -> None:
    left = iter(list(targets))

    def send() -> None:
        connection = HTTPConnection(urlsplit(url).netloc)
        for target in left:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, (answer.status, target)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(send) for _ in range(4)]:
            done.result()
