"""Reads the objects of a Google Cloud Storage bucket.

Does not write, and does not read another generation than the listed one. The service does not
decompress objects on the way: the ranges would not fit.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, BinaryIO, ClassVar, TypeVar

from driftline import (
    DiscoverContext,
    DriftlineError,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Source,
    SourceBusy,
    SourceError,
    hookimpl,
)
from driftline.kit.clouds import google
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
    describe_rate,
)
from driftline.kit.stores.layout import LayoutPattern
from driftline.kit.stores.listing import list_store, resolve_key
from driftline.kit.stores.object_store import ObjectStore, SdkErrors, error_of_status
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.retry import parse_retry_after
from driftline.kit.stores.short_uri import shorten_uri

T = TypeVar("T")
TIMEOUT = (10.0, 60.0)
"""Seconds: to connect, and between two bytes."""
PAGE = 1000
"""Objects in one answer of a listing."""
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


class Gcs(ObjectStore):
    """Reads objects by ranges, each pinned to the listed generation."""

    type = "gcs"
    extra = "gcp"
    lists_folders: ClassVar = True
    schemes: ClassVar = frozenset({"gs", "gcs"})

    bucket: str
    """The name of the bucket."""
    prefix: str = ""
    """Only objects whose names start with this are read, such as `churn/`; all when empty."""
    layout: LayoutPattern | None = None
    """How object names contain the time: the name of a layout, or a pattern.

    Layouts are `vertex_batch`, `hive` and `hive_daily`; a pattern is for example
    `{endpoint}/%Y/%m/%d/%H/`. With a layout only the newest folders are listed, and everything once
    a day.
    """
    endpoint_url: str | None = None
    """The address of another server with the same API; Google's when absent.

    For example `http://127.0.0.1:4443`.
    """
    credentials_file: str | None = None
    """The key file of a service account.

    Give it only where the machine's own identity (workload identity, `gcloud auth`) can't be used.

    A relative path starts at the folder of the configuration file.
    """
    anonymous: bool = False
    """Read a public bucket without credentials."""
    billing_project: str | None = None
    """The project that pays for the requests, for a bucket with "requester pays"."""

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """The options for an address of one of `schemes`."""
        bucket, _, prefix = address.partition("://")[2].partition("/")
        endpoint = {"endpoint_url": endpoint_url} if endpoint_url else {}
        return {"bucket": bucket, "prefix": prefix} | endpoint

    @property
    def full_listing_interval(self) -> timedelta | None:
        """Return a day with a layout: late objects may be written to old folders."""
        return timedelta(hours=24) if self.layout else None

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """List the objects under the prefix: all, or those in open partitions."""
        return list_store(ctx, self.layout, self.prefix, self._folders, self._objects)

    def list_folders(self) -> Iterator[str]:
        """Yield the names of the folders directly below the prefix."""
        for folder in self._folders(self.prefix):
            yield folder.removeprefix(self.prefix).rstrip("/")

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Return the object from byte `start` on; nothing is fetched before it is read."""
        name, generation = obj.uri.removeprefix(self._root), int(obj.version)

        def fetch(at: int, end: int) -> BinaryIO:
            body = io.BytesIO()
            self._request(
                lambda: self._download(name, generation, at, end, body), "storage.objects.get", name
            )
            body.seek(0)
            return body

        return read_ranges(obj.uri, fetch, start, obj.size)

    def open_reference(self, uri: str) -> BinaryIO:
        """Return another object of this bucket, by its `gs://` address or a path in the folder."""
        name = resolve_key(uri, self._root, self.prefix)
        blob = self._request(
            lambda: self._bucket().get_blob(name, retry=None, timeout=TIMEOUT),
            "storage.objects.get",
            name,
        )
        if blob is None:
            raise ObjectGone(f"{self._place(name)}: is not there")
        return self.open(self._object(blob))

    def probe(self) -> str:
        """List one object; return the address, the identity and the object's name."""
        page, _, _ = self._page(self.prefix, page_size=1)
        first = f"first object {page[0].name}" if page else "no object under this prefix yet"
        return f"{self._connect()._connection.API_BASE_URL}, {self._identity()}: {first}"

    def permissions(self) -> Sequence[str]:
        """Return the rights to list and read, and none to write."""
        return (
            f"storage.objects.list and storage.objects.get on the bucket {self.bucket}: "
            "the role Storage Object Viewer",
            *(
                (f"serviceusage.services.use on the project {self.billing_project}",)
                if self.billing_project
                else ()
            ),
        )

    @property
    def _root(self) -> str:
        return f"gs://{self.bucket}/"

    def _objects(self, prefix: str, after: str) -> Iterator[tuple[str, LogObject]]:
        for page, _ in self._pages(prefix, start_offset=after or None):
            yield from ((blob.name, self._object(blob)) for blob in page)

    def _folders(self, prefix: str) -> Iterator[str]:
        for _, folders in self._pages(prefix, delimiter="/"):
            yield from folders

    def _pages(self, prefix: str, **parameters: Any) -> Iterator[tuple[list[Any], list[str]]]:
        token: str | None = ""
        while token is not None:
            page, folders, token = self._page(
                prefix, page_token=token or None, page_size=PAGE, **parameters
            )
            yield page, folders

    def _page(self, prefix: str, **parameters: Any) -> tuple[list[Any], list[str], str | None]:
        def send() -> tuple[list[Any], list[str], str | None]:
            fields = "kind,items(name,bucket,generation,size,updated),prefixes,nextPageToken"
            listing = self._connect().list_blobs(
                self._bucket(),
                prefix=prefix or None,
                fields=fields,
                retry=None,
                timeout=TIMEOUT,
                **parameters,
            )
            page = list(next(listing.pages, ()))
            return page, sorted(listing.prefixes), listing.next_page_token

        return self._request(send, "storage.objects.list", prefix)

    def _object(self, blob: Any) -> LogObject:
        return LogObject(
            uri=f"{self._root}{blob.name}",
            version=str(blob.generation),
            size=blob.size,
            modified=blob.updated,
        )

    def _download(self, name: str, generation: int, at: int, end: int, body: BinaryIO) -> None:
        """Write `[at, end)` to `body`, or only the start of it where the connection breaks."""
        from urllib3.exceptions import HTTPError

        blob = self._bucket().blob(name)
        condition = {
            "start": at,
            "end": end - 1,
            "if_generation_match": generation,
            "raw_download": True,
            "checksum": None,
        }
        try:
            blob.download_to_file(body, retry=None, timeout=TIMEOUT, **condition)
        except HTTPError:
            return
        # Some servers ignore the condition, but all name the generation that they sent.
        if blob.generation is not None and int(blob.generation) != generation:
            raise ObjectChanged(f"{self._place(name)}: changed since it was listed")

    def _bucket(self) -> Any:
        try:
            return self._connect().bucket(self.bucket, user_project=self.billing_project)
        except ValueError:
            raise SourceError(
                f"gs://{self.bucket}: {describe_bad_name('bucket', self.bucket)}"
            ) from None

    def _make_client(self) -> Any:
        storage = google.import_sdk("storage")
        file = self.context.config_folder / self.credentials_file if self.credentials_file else None
        options = {"api_endpoint": self.endpoint_url} if self.endpoint_url else None
        credentials = google.load_credentials(SCOPE, file, anonymous=self.anonymous)
        client = storage.Client(project="none", credentials=credentials, client_options=options)
        # With the cache it would also request the bucket, a right that readers may not have.
        client._bucket_metadata_cache = None
        watch_answers(client._http, self._check_document)
        return client

    def _check_document(
        self, status: int, headers: Mapping[str, str], body: bytes | None, url: str
    ) -> None:
        """Raise BadAnswer unless an answer describes an object or lists those of this bucket."""
        try:
            document = json.loads(body or b"")
            kind, items = document["kind"], document.get("items", ())
            is_ours = kind in ("storage#objects", "storage#object") and all(
                item.get("bucket", self.bucket) == self.bucket for item in items
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            is_ours = False
        if not is_ours:
            raise foreign_answer(status, headers)

    def _place(self, name: str) -> str:
        return shorten_uri(f"{self._root}{name}")

    def _identity(self) -> str:
        return google.identity(self._connect()._credentials)

    def _sdk_errors(self) -> SdkErrors:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        return GoogleAPICallError, GoogleAuthError, RequestException

    def _translate(self, error: Any, permission: str, name: str) -> DriftlineError:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import DefaultCredentialsError, TransportError
        from requests.exceptions import RequestException

        place = self._place(name)
        if isinstance(error, (RequestException, TransportError)):
            return SourceBusy(f"{place}: {describe_connection(error)}")
        if isinstance(error, DefaultCredentialsError):
            # The service requests credentials that an anonymous reader doesn't have.
            return SourceError(f"{place}: {_PRIVATE}" if self.anonymous else google.NO_CREDENTIALS)
        if not isinstance(error, GoogleAPICallError):
            identity = self._identity()
            self._forget_client()
            return SourceError(f"{place}: {_describe_refresh(str(error), identity)}")
        status, message, identity = int(error.code or 0), error.message, self._identity()
        headers = error.response.headers if error.response is not None else {}
        code = _reason(error)
        if error.response is not None and is_page(headers, error.response.content):
            fault = SourceBusy if status >= 500 else SourceError
            return fault(f"{place}: {foreign_answer(status, headers)}")
        if code in CLOCK_CODES:
            return SourceError(f"{place}: {describe_clock(headers.get('Date', ''))}")
        if code in RATE_CODES:
            return SourceBusy(
                f"{place}: {describe_rate(code)}", parse_retry_after(headers.get("Retry-After"))
            )
        if status == 404 and permission == "storage.objects.list":
            return SourceError(f"{place}: {describe_missing('bucket')}")
        if status == 400 and "bucket name" in message.lower():
            return SourceError(f"{place}: {describe_bad_name('bucket', self.bucket)}")
        if self.anonymous and status in (401, 403):
            return SourceError(f"{place}: {_PRIVATE}")
        if status == 401:
            self._forget_client()
            return SourceError(f"{place}: {describe_expired(identity)}")
        if status == 403:
            right = f"{permission}, which Storage Object Viewer has,"
            return SourceError(f"{place}: {describe_denied(identity, right)}: {message[:200]}")
        return error_of_status(
            status, place, message, code=code, retry_after=headers.get("Retry-After")
        )


def _reason(error: Any) -> str:
    """Return the service's own code of an error, such as `userRateLimitExceeded`; or nothing."""
    try:
        document = error.response.json()["error"]
        return str(document["errors"][0]["reason"])
    except (AttributeError, ValueError, LookupError, TypeError):
        match = re.search(r"<Code>(\w+)</Code>", getattr(error.response, "text", "") or "")
        return match[1] if match else ""


def _describe_refresh(message: str, identity: str) -> str:
    """Return the sentence for a token that the service did not renew."""
    if "reasonable timeframe" in message or "used too early" in message:
        return describe_clock()
    if "expired" in message.lower() or "reauthentication" in message.lower():
        return describe_expired(identity)
    return f"the credentials could not be renewed ({identity}): {message[:200]}"


_PRIVATE = "the bucket is not public: leave anonymous out"


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [Gcs]
