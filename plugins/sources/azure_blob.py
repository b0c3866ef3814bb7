"""Blobs of an Azure Storage container: block blobs, and append blobs while they grow.

Refuses to write, to unpack, and to read another content than was listed: an append blob is read as
far as it was then.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import PrivateAttr, model_validator

from driftline import (
    DiscoverContext,
    DriftlineError,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Secret,
    Source,
    SourceBusy,
    SourceError,
    StartContext,
    Unreadable,
    hookimpl,
)
from driftline.kit.stores.layout import LayoutPattern
from driftline.kit.stores.listing import key_of, list_store
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.retry import patiently, pause_of

T = TypeVar("T")
PART = 4 << 20
"""Bytes asked for at a time. One request each: the SDK pins further ones to a version that a
growing blob has left.
"""

PAGE = 5000
"""Blobs asked for in one request of a listing."""


class AzureBlob(Source):
    """Reads blobs by ranges, block blobs pinned to the ETag that was listed."""

    type = "azure_blob"
    extra = "azure"

    container: str
    """The container's name."""
    account_url: str | None = None
    """Address of the storage account, such as `https://myaccount.blob.core.windows.net`."""
    prefix: str = ""
    """Beginning of the names to read, such as `modelDataCollector/`; every blob when empty."""
    layout: LayoutPattern | None = None
    """How names tell the time: `azureml`, `hive`, `hive_daily`, or a pattern such as
    `{endpoint}/%Y/%m/%d/%H/`.

    Then only the newest folders are listed, and everything once a day.
    """
    anonymous: bool = False
    """Read a public container without any credentials."""
    connection_string: Secret | None = None
    """The account's connection string, instead of `account_url` and the machine's own identity."""
    account_key: Secret | None = None
    """One of the account's keys, where the machine's own identity (managed identity, `az login`)
    can't be used.
    """
    sas: Secret | None = None
    """A shared access signature with the rights to read and list, where the machine's own identity
    can't be used.
    """

    _client: Any = PrivateAttr(default=None)
    _credential: Any = PrivateAttr(default=None)
    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

    @model_validator(mode="after")
    def _has_an_account(self) -> Self:
        if (self.account_url is None) == (self.connection_string is None):
            raise ValueError("give account_url, or connection_string, and not both")
        if (
            sum(
                bool(way)
                for way in (self.anonymous, self.connection_string, self.account_key, self.sas)
            )
            > 1
        ):
            raise ValueError(
                "give one of anonymous, connection_string, account_key and sas, or none for the machine's identity"
            )
        return self

    @property
    def whole_every(self) -> timedelta | None:
        """Late names fall into old folders."""
        return timedelta(hours=24) if self.layout else None

    def start(self, context: StartContext) -> None:
        """Make the client; nothing is asked of the store yet."""
        super().start(context)
        self._handle()

    def stop(self) -> None:
        """Close the connections."""
        for each in (self._client, self._credential):
            if each is not None:
                each.close()
        self._client = self._credential = None
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """The blobs under the prefix: all, or those of open partitions."""
        # Older services and emulators can't begin a listing in the middle.
        return list_store(ctx, self.layout, self.prefix, self._folders, self._objects, begins=False)

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The blob from byte `start` to the size that was listed; nothing is read before the first
        byte is asked for.
        """
        name = unquote(obj.uri.removeprefix(self._root()))

        def fetch(at: int, end: int) -> BinaryIO:
            return io.BytesIO(self._call("read", name, lambda: self._download(name, obj, at, end)))

        return read_ranges(obj.uri, fetch, start, obj.size, part=PART)

    def refer(self, uri: str) -> BinaryIO:
        """Another blob of this container: its `https://` address, or a path beside the records."""
        found = key_of(uri, self._root(), self.prefix)
        name = unquote(found) if "://" in uri else found
        blob = self._call(
            "read", name, lambda: self._handle().get_blob_client(name).get_blob_properties()
        )
        return self.open(self._object(blob))

    def probe(self) -> str:
        """List one name; say where and as whom."""
        page, _ = self._page("list_blobs", self.prefix, None, results_per_page=1)
        found = f"first blob {page[0].name}" if page else "no blob under this prefix yet"
        return f"{self._root()}, {self._identity()}: {found}"

    def permissions(self) -> Sequence[str]:
        """What a reader of logs needs, and nothing to write with."""
        return (
            f"the role Storage Blob Data Reader on the container {self.container}, or a SAS with read and list (sp=rl)",
        )

    def _objects(self, prefix: str, after: str) -> Iterator[tuple[str, LogObject]]:
        for page in self._pages("list_blobs", prefix, include=["metadata"], results_per_page=PAGE):
            for blob in page:
                if (blob.metadata or {}).get("hdi_isfolder") != "true":
                    yield blob.name, self._object(blob)

    def _folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages("walk_blobs", prefix, delimiter="/"):
            yield from (found.name for found in page if found.name.endswith("/"))

    def _pages(self, method: str, prefix: str, **asked: Any) -> Iterator[list[Any]]:
        token: str | None = None
        while True:
            page, token = self._page(method, prefix, token, **asked)
            yield page
            if not token:
                return

    def _page(
        self, method: str, prefix: str, token: str | None, **asked: Any
    ) -> tuple[list[Any], str | None]:
        def ask() -> tuple[list[Any], str | None]:
            pages = getattr(self._handle(), method)(
                name_starts_with=prefix or None, **asked
            ).by_page(token)
            return list(next(pages, ())), pages.continuation_token

        return self._call("list", prefix, ask)

    def _object(self, blob: Any) -> LogObject:
        uri = self._root() + quote(blob.name, safe="/")
        grows = str(getattr(blob.blob_type, "value", blob.blob_type)) == "AppendBlob"
        return LogObject(
            uri,
            blob.etag.strip('"'),
            blob.size,
            blob.last_modified,
            grows,
            blob.creation_time.isoformat(),
        )

    def _download(self, name: str, obj: LogObject, at: int, end: int) -> bytes:
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError

        blob = self._handle().get_blob_client(name)
        # An append blob may have grown, and still begins with what was listed: its creation and
        # size show that.
        pinned = (
            {}
            if obj.grows
            else {"etag": f'"{obj.version}"', "match_condition": MatchConditions.IfNotModified}
        )
        try:
            answer = blob.download_blob(at, end - at, decompress=False, max_concurrency=1, **pinned)
            data = answer.readall()
        except HttpResponseError as error:
            if error.status_code is None:
                raise ConnectionError(str(error)) from None
            if error.status_code == 412:
                # Is it another one, or none at all?
                blob.get_blob_properties()
            raise
        now = answer.properties
        size = int((now.content_range or "").rpartition("/")[2] or 0)
        if obj.grows and (now.creation_time.isoformat() != obj.lineage or size < obj.size):
            raise ObjectChanged(f"{obj.uri}: was replaced since it was listed")
        return bytes(data)

    def _handle(self) -> Any:
        # Another thread may let go of the client at any time.
        client = self._client
        if client is None:
            client = self._client = self._make()
        return client

    def _make(self) -> Any:
        try:
            from azure.storage.blob import ContainerClient
        except ImportError:
            raise SourceError(
                "azure-storage-blob is not installed: pip install 'driftline[azure]'"
            ) from None
        # It tells of every request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        settings = {
            # Asking again is this plugin's: the SDK heeds no Retry-After.
            "retry_total": 0,
            "connection_timeout": 10,
            "read_timeout": 60,
            "max_single_get_size": PART,
            "max_chunk_get_size": PART,
        }
        try:
            if self.connection_string is not None:
                return ContainerClient.from_connection_string(
                    self.connection_string.reveal(), self.container, **settings
                )
            return ContainerClient(
                self.account_url, self.container, credential=self._who(), **settings
            )
        except ValueError as error:
            raise SourceError(f"{self.type}: {error}") from None

    def _who(self) -> Any:
        if self.anonymous:
            return None
        for secret in (self.account_key, self.sas):
            if secret is not None:
                return secret.reveal()
        from azure.identity import DefaultAzureCredential

        self._credential = DefaultAzureCredential()
        return self._credential

    def _root(self) -> str:
        address = urlsplit(self._handle().url)
        return f"{address.scheme}://{address.netloc}{address.path}/"

    def _identity(self) -> str:
        ways = ("anonymous", "connection_string", "account_key", "sas")
        return next((way for way in ways if getattr(self, way)), "the machine's identity")

    def _call(self, right: str, name: str, ask: Callable[[], T]) -> T:
        """What one request gives. Raises what the answer means."""
        return patiently(lambda: self._try(right, name, ask), self._sleep)

    def _try(self, right: str, name: str, ask: Callable[[], T]) -> T:
        from azure.core.exceptions import (
            ClientAuthenticationError,
            HttpResponseError,
            ServiceRequestError,
            ServiceResponseError,
        )

        try:
            return ask()
        except (ServiceRequestError, ServiceResponseError) as error:
            raise SourceBusy(f"{self._root()}{name}: {error}") from None
        except ClientAuthenticationError as error:
            if error.response is None:
                raise SourceError(f"no Azure credentials could be had: {_line(error)}") from None
            raise self._meaning(error, right, name) from None
        except HttpResponseError as error:
            raise self._meaning(error, right, name) from None

    def _meaning(self, error: Any, right: str, name: str) -> DriftlineError:
        place, whose = f"{self._root()}{name}", self._identity()
        status, code = error.status_code or 0, getattr(error, "error_code", None) or ""
        code = str(getattr(code, "value", code))
        says = _line(error)
        if code in ("ContainerNotFound", "ContainerBeingDeleted") or (
            status == 404 and right == "list"
        ):
            return SourceError(f"{place}: there is no such container")
        if status == 404:
            return ObjectGone(f"{place}: gone since it was listed")
        if status in (412, 416):
            return ObjectChanged(f"{place}: changed since it was listed")
        if code in ("BlobArchived", "BlobBeingRehydrated"):
            return Unreadable(f"{place}: archived: set its tier to hot or cool, which takes hours")
        if code in ("NoAuthenticationInformation", "PublicAccessNotPermitted"):
            return SourceError(f"{place}: the container is not public: leave anonymous out")
        if status == 401 or code in ("AuthenticationFailed", "InvalidAuthenticationInfo"):
            # Whoever renews them may have done so: the next request looks for them again.
            self._client = None
            return SourceError(
                f"{place}: the credentials have expired or are wrong ({whose}): renew them: {says}"
            )
        if code == "AuthorizationFailure":
            return SourceError(
                f"{place}: refused ({whose}): the account's firewall is closed to this machine, or the key is wrong"
            )
        if status == 403:
            return SourceError(
                f"{place}: access denied ({whose}): the right to {right} is needed, which Storage Blob Data Reader has: {says}"
            )
        if status == 429 or status >= 500:
            headers = error.response.headers if error.response is not None else {}
            return SourceBusy(
                f"{place}: {code or status}: {says}", pause_of(headers.get("Retry-After"))
            )
        return SourceError(f"{place}: {code or status}: {says}")


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


@hookimpl
def register_sources() -> list[type[Source]]:
    """The sources of this file."""
    return [AzureBlob]
