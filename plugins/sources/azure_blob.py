"""Reads the blobs of an Azure Storage container: block blobs, and append blobs while they grow.

Does not write, does not decompress, and does not read other content than the listed one: an append
blob is read up to its listed size.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, BinaryIO, ClassVar, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import PrivateAttr, model_validator

from driftline import (
    DiscoverContext,
    DriftlineError,
    LogObject,
    ObjectChanged,
    Secret,
    Source,
    SourceBusy,
    SourceError,
    Unreadable,
    hookimpl,
)
from driftline.kit.stores.answers import foreign_answer, is_page, watch_answers
from driftline.kit.stores.faults import (
    CLOCK_CODES,
    RATE_CODES,
    describe_bad_name,
    describe_clock,
    describe_connection,
    describe_denied,
    describe_expired,
    describe_missing,
)
from driftline.kit.stores.layout import LayoutPattern
from driftline.kit.stores.listing import list_store, resolve_key
from driftline.kit.stores.object_store import ObjectStore, SdkErrors, error_of_status
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.short_uri import shorten_uri

T = TypeVar("T")
PART = 4 << 20
"""Bytes of one request.

The SDK must not split a part: it would pin its further requests to an ETag that a growing blob no
longer has.
"""
PAGE = 5000
"""Blobs in one answer of a listing."""


class AzureBlob(ObjectStore):
    """Reads blobs by ranges; a block blob is pinned to the listed ETag."""

    type = "azure_blob"
    extra = "azure"
    lists_folders: ClassVar = True
    schemes: ClassVar = frozenset({"az", "https"})

    container: str
    """The name of the container."""
    account_url: str | None = None
    """The address of the storage account, such as `https://myaccount.blob.core.windows.net`."""
    prefix: str = ""
    """Only blobs with names that start with this are read; all blobs when empty.

    For example `modelDataCollector/`.
    """
    layout: LayoutPattern | None = None
    """How blob names contain the time: the name of a layout, or a pattern.

    Layouts are `azureml`, `hive` and `hive_daily`; a pattern is for example
    `{endpoint}/%Y/%m/%d/%H/`. With a layout only the newest folders are listed, and everything once
    a day.
    """
    anonymous: bool = False
    """Read a public container without credentials."""
    connection_string: Secret | None = None
    """The connection string, in place of `account_url` and the machine's own identity."""
    account_key: Secret | None = None
    """A key of the account.

    Give it only where the machine's own identity (managed identity, `az login`) can't be used.
    """
    sas: Secret | None = None
    """A shared access signature with the rights to read and list.

    Give it only where the machine's own identity can't be used.
    """

    _credential: Any = PrivateAttr(default=None)

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """The options for an address of one of `schemes`."""
        # az://ACCOUNT/CONTAINER/PREFIX, or the address of the container as the portal shows it.
        scheme, _, place = address.partition("://")
        account, _, path = place.partition("/")
        container, _, prefix = path.partition("/")
        host = account if scheme == "https" else f"{account}.blob.core.windows.net"
        return {
            "account_url": endpoint_url or f"https://{host}",
            "container": container,
            "prefix": prefix,
        }

    @model_validator(mode="after")
    def _has_an_account(self) -> Self:
        if (self.account_url is None) == (self.connection_string is None):
            raise ValueError("give account_url, or connection_string, and not both")
        ways = (self.anonymous, self.connection_string, self.account_key, self.sas)
        if sum(map(bool, ways)) > 1:
            raise ValueError(
                "give one of anonymous, connection_string, account_key and sas, "
                "or none for the machine's identity"
            )
        return self

    @property
    def full_listing_interval(self) -> timedelta | None:
        """Return a day with a layout: late blobs may be written to old folders."""
        return timedelta(hours=24) if self.layout else None

    def stop(self) -> None:
        """Close the connections."""
        credential, self._credential = self._credential, None
        if credential is not None:
            credential.close()
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """List the blobs under the prefix: all, or those in open partitions."""
        # Older services and emulators can't start a listing in the middle.
        return list_store(
            ctx, self.layout, self.prefix, self._folders, self._objects, can_start_after=False
        )

    def list_folders(self) -> Iterator[str]:
        """Yield the names of the folders directly below the prefix."""
        for folder in self._folders(self.prefix):
            yield folder.removeprefix(self.prefix).rstrip("/")

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Return the blob from byte `start` to its listed size; fetch it only when read."""
        name = unquote(obj.uri.removeprefix(self._root()))

        def fetch(at: int, end: int) -> BinaryIO:
            return io.BytesIO(
                self._request(lambda: self._download(name, obj, at, end), "read", name)
            )

        return read_ranges(obj.uri, fetch, start, obj.size, part=PART)

    def open_reference(self, uri: str) -> BinaryIO:
        """Return another blob of this container, by its address or a path in the folder."""
        key = resolve_key(uri, self._root(), self.prefix)
        name = unquote(key) if "://" in uri else key
        blob = self._request(
            lambda: self._connect().get_blob_client(name).get_blob_properties(), "read", name
        )
        return self.open(self._object(blob))

    def probe(self) -> str:
        """List one blob; return the address, the identity and the blob's name."""
        page, _ = self._page("list_blobs", self.prefix, None, results_per_page=1)
        first = f"first blob {page[0].name}" if page else "no blob under this prefix yet"
        return f"{self._root()}, {self._identity()}: {first}"

    def permissions(self) -> Sequence[str]:
        """Return the rights to list and read, and none to write."""
        return (
            f"the role Storage Blob Data Reader on the container {self.container}, "
            "or a SAS with read and list (sp=rl)",
        )

    def _objects(self, prefix: str, after: str) -> Iterator[tuple[str, LogObject]]:
        for page in self._pages("list_blobs", prefix, include=["metadata"], results_per_page=PAGE):
            for blob in page:
                if (blob.metadata or {}).get("hdi_isfolder") != "true":
                    yield blob.name, self._object(blob)

    def _folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages("walk_blobs", prefix, delimiter="/"):
            yield from (item.name for item in page if item.name.endswith("/"))

    def _pages(self, method: str, prefix: str, **parameters: Any) -> Iterator[list[Any]]:
        token: str | None = None
        while True:
            page, token = self._page(method, prefix, token, **parameters)
            yield page
            if not token:
                return

    def _page(
        self, method: str, prefix: str, token: str | None, **parameters: Any
    ) -> tuple[list[Any], str | None]:
        def send() -> tuple[list[Any], str | None]:
            pages = getattr(self._connect(), method)(
                name_starts_with=prefix or None, **parameters
            ).by_page(token)
            return list(next(pages, ())), pages.continuation_token

        return self._request(send, "list", prefix)

    def _object(self, blob: Any) -> LogObject:
        uri = self._root() + quote(blob.name, safe="/")
        grows = str(getattr(blob.blob_type, "value", blob.blob_type)) == "AppendBlob"
        return LogObject(
            uri=uri,
            version=blob.etag.strip('"'),
            size=blob.size,
            modified=blob.last_modified,
            grows=grows,
            lineage=blob.creation_time.isoformat(),
        )

    def _download(self, name: str, obj: LogObject, at: int, end: int) -> bytes:
        from azure.core import MatchConditions
        from azure.core.exceptions import HttpResponseError

        blob = self._connect().get_blob_client(name)
        # An append blob may have grown since. Its creation time and size show that the listed bytes
        # are still its start.
        condition = (
            {}
            if obj.grows
            else {"etag": f'"{obj.version}"', "match_condition": MatchConditions.IfNotModified}
        )
        try:
            answer = blob.download_blob(
                at, end - at, decompress=False, max_concurrency=1, **condition
            )
            data = answer.readall()
        except HttpResponseError as error:
            if error.status_code is None:
                raise ConnectionError(describe_connection(error)) from None
            if error.status_code == 412:
                # Raises 404 where the blob is gone, not replaced.
                blob.get_blob_properties()
            raise
        properties = answer.properties
        if not obj.grows and (properties.etag or "").strip('"') != obj.version:
            raise ObjectChanged(f"{self._place(name)}: changed since it was listed")
        size = int((properties.content_range or "").rpartition("/")[2] or 0)
        creation_time = properties.creation_time.isoformat()
        if obj.grows and (creation_time != obj.lineage or size < obj.size):
            raise ObjectChanged(f"{self._place(name)}: was replaced since it was listed")
        return bytes(data)

    def _make_client(self) -> Any:
        try:
            import requests
            from azure.core.pipeline.transport import RequestsTransport
            from azure.storage.blob import ContainerClient
        except ImportError:
            raise SourceError(
                "azure-storage-blob is not installed: pip install 'driftline[azure]'"
            ) from None
        # The SDK logs each request.
        logging.getLogger("azure").setLevel(logging.WARNING)
        session = requests.Session()
        watch_answers(session, self._check_document)
        settings = {
            # This source repeats requests itself: the SDK ignores Retry-After.
            "retry_total": 0,
            "permit_redirects": False,
            "transport": RequestsTransport(session=session, connection_timeout=10, read_timeout=60),
            "max_single_get_size": PART,
            "max_chunk_get_size": PART,
        }
        try:
            if self.connection_string is not None:
                return ContainerClient.from_connection_string(
                    self.connection_string.reveal(), self.container, **settings
                )
            return ContainerClient(
                self.account_url, self.container, credential=self._load_credential(), **settings
            )
        except ValueError as error:
            raise SourceError(f"{self.type}: {error}") from None

    def _check_document(
        self, status: int, headers: Mapping[str, str], body: bytes | None, url: str
    ) -> None:
        """Raise BadAnswer unless an answer is about a blob, or lists this container."""
        if body is None:
            is_ours = "x-ms-blob-type" in headers
        else:
            match = _LISTING.search(body[:4096])
            is_ours = match is not None and match[1].decode() == self.container
        if not is_ours:
            raise foreign_answer(status, headers)

    def _load_credential(self) -> Any:
        if self.anonymous:
            return None
        for secret in (self.account_key, self.sas):
            if secret is not None:
                return secret.reveal()
        from azure.identity import DefaultAzureCredential

        self._credential = DefaultAzureCredential()
        return self._credential

    def _root(self) -> str:
        address = urlsplit(self._connect().url)
        return f"{address.scheme}://{address.netloc}{address.path}/"

    def _identity(self) -> str:
        ways = ("anonymous", "connection_string", "account_key", "sas")
        return next((way for way in ways if getattr(self, way)), "the machine's identity")

    def _place(self, name: str) -> str:
        return shorten_uri(f"{self._root()}{name}")

    def _sdk_errors(self) -> SdkErrors:
        from azure.core import exceptions

        return (
            exceptions.HttpResponseError,
            exceptions.ServiceRequestError,
            exceptions.ServiceResponseError,
        )

    def _translate(self, error: Any, permission: str, name: str) -> DriftlineError:
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

        place, identity = self._place(name), self._identity()
        if not isinstance(error, HttpResponseError):
            return SourceBusy(f"{place}: {describe_connection(error)}")
        message = str(error).partition("\n")[0]
        if isinstance(error, ClientAuthenticationError) and error.response is None:
            return SourceError(f"no Azure credentials were found: {message[:300]}")
        status, code = error.status_code or 0, getattr(error, "error_code", None) or ""
        code = str(getattr(code, "value", code))
        headers = error.response.headers if error.response is not None else {}
        if is_page(headers):
            fault = SourceBusy if status >= 500 else SourceError
            return fault(f"{place}: {foreign_answer(status, headers)}")
        if code in ("ContainerNotFound", "ContainerBeingDeleted") or (
            status == 404 and permission == "list"
        ):
            return SourceError(f"{place}: {describe_missing('container')}")
        if code == "InvalidResourceName":
            return SourceError(f"{place}: {describe_bad_name('container', self.container)}")
        if code in ("BlobArchived", "BlobBeingRehydrated"):
            return Unreadable(f"{place}: archived: set its tier to hot or cool, which takes hours")
        if code in ("NoAuthenticationInformation", "PublicAccessNotPermitted"):
            return SourceError(f"{place}: the container is not public: leave anonymous out")
        if code in CLOCK_CODES or "date header too old" in str(error):
            return SourceError(f"{place}: {describe_clock(headers.get('Date', ''))}")
        if status == 401 or code in ("AuthenticationFailed", "InvalidAuthenticationInfo"):
            self._forget_client()
            return SourceError(f"{place}: {_describe_failed_sign(str(error), status, identity)}")
        if code == "AuthorizationFailure":
            return SourceError(
                f"{place}: access denied ({identity}): "
                "the account's firewall is closed to this machine, or the key is wrong"
            )
        if status == 403 and code not in RATE_CODES:
            right = f"the right to {permission}, which Storage Blob Data Reader has,"
            return SourceError(f"{place}: {describe_denied(identity, right)}: {message[:200]}")
        return error_of_status(
            status, place, message, code=code, retry_after=headers.get("Retry-After")
        )


def _describe_failed_sign(text: str, status: int, identity: str) -> str:
    """Return the sentence for a signature or a token that the account refused."""
    lowered = text.lower()
    if "is not yet valid" in lowered:
        return describe_clock()
    if "valid in the specified time frame" in lowered or "expired" in lowered or status == 401:
        return describe_expired(identity)
    return (
        f"the credentials have expired or are wrong ({identity}): renew them: "
        + text.partition("\n")[0][:200]
    )


_LISTING = re.compile(rb'<EnumerationResults\b[^>]*\bContainerName="([^"]*)"')


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [AzureBlob]
