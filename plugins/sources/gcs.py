"""Objects of a Google Cloud Storage bucket.

Refuses to write, to unpack (the service would, and then no range fits), and to read another
generation than was listed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, BinaryIO, TypeVar

from pydantic import PrivateAttr

from driftline import (
    DiscoverContext,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Source,
    SourceBusy,
    SourceError,
    StartContext,
    hookimpl,
)
from driftline.kit.clouds import google
from driftline.kit.stores.layout import LayoutPattern
from driftline.kit.stores.listing import key_of, list_store
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.retry import patiently, pause_of

T = TypeVar("T")
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and between two bytes."""
PAGE = 1000
"""Objects asked for in one request of a listing."""
SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"


class Gcs(Source):
    """Reads objects by ranges, each pinned to the generation that was listed."""

    type = "gcs"
    extra = "gcp"

    bucket: str
    """The bucket's name."""
    prefix: str = ""
    """Beginning of the names to read, such as `churn/`; every object when empty."""
    layout: LayoutPattern | None = None
    """How names tell the time: `vertex_batch`, `hive`, `hive_daily`, or a pattern such as
    `{endpoint}/%Y/%m/%d/%H/`.

    Then only the newest folders are listed, and everything once a day.
    """
    endpoint_url: str | None = None
    """Address of a server that speaks the same language, such as `http://127.0.0.1:4443`; Google's
    when absent.
    """
    credentials_file: str | None = None
    """The key file of a service account, where the machine's own identity (workload identity,
    `gcloud auth`) can't be used.

    A relative path starts at the folder of the configuration.
    """
    anonymous: bool = False
    """Read a public bucket without any credentials."""
    billing_project: str | None = None
    """The project that pays for reading a bucket whose owner asks for it."""

    _client: Any = PrivateAttr(default=None)
    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

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
        client, self._client = self._client, None
        if client is not None:
            client.close()
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """The objects under the prefix: all, or those of open partitions."""
        return list_store(ctx, self.layout, self.prefix, self._folders, self._objects)

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The object from byte `start` on; nothing is read before the first byte is asked for."""
        name, generation = obj.uri.removeprefix(self._root), int(obj.version)

        def fetch(at: int, end: int) -> BinaryIO:
            body = io.BytesIO()
            self._call(
                "storage.objects.get", name, lambda: self._download(name, generation, at, end, body)
            )
            body.seek(0)
            return body

        return read_ranges(obj.uri, fetch, start, obj.size)

    def refer(self, uri: str) -> BinaryIO:
        """Another object of this bucket: its `gs://` address, or a path beside the records."""
        name = key_of(uri, self._root, self.prefix)
        found = self._call(
            "storage.objects.get",
            name,
            lambda: self._bucket().get_blob(name, retry=None, timeout=TIMEOUT),
        )
        if found is None:
            raise ObjectGone(f"{self._root}{name}: is not there")
        return self.open(self._object(found))

    def probe(self) -> str:
        """List one name; say where and as whom."""
        page, _, _ = self._page(self.prefix, page_size=1)
        found = f"first object {page[0].name}" if page else "no object under this prefix yet"
        return f"{self._handle()._connection.API_BASE_URL}, {self._identity()}: {found}"

    def permissions(self) -> Sequence[str]:
        """What a reader of logs needs, and nothing to write with."""
        return (
            f"storage.objects.list and storage.objects.get on the bucket {self.bucket}: the role Storage Object Viewer",
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
            yield from ((found.name, self._object(found)) for found in page)

    def _folders(self, prefix: str) -> Iterator[str]:
        for _, folders in self._pages(prefix, delimiter="/"):
            yield from folders

    def _pages(self, prefix: str, **asked: Any) -> Iterator[tuple[list[Any], list[str]]]:
        token: str | None = ""
        while token is not None:
            page, folders, token = self._page(
                prefix, page_token=token or None, page_size=PAGE, **asked
            )
            yield page, folders

    def _page(self, prefix: str, **asked: Any) -> tuple[list[Any], list[str], str | None]:
        def ask() -> tuple[list[Any], list[str], str | None]:
            fields = "items(name,generation,size,updated),prefixes,nextPageToken"
            found = self._handle().list_blobs(
                self._bucket(),
                prefix=prefix or None,
                fields=fields,
                retry=None,
                timeout=TIMEOUT,
                **asked,
            )
            page = list(next(found.pages, ()))
            return page, sorted(found.prefixes), found.next_page_token

        return self._call("storage.objects.list", prefix, ask)

    def _object(self, found: Any) -> LogObject:
        return LogObject(
            f"{self._root}{found.name}", str(found.generation), found.size, found.updated
        )

    def _download(self, name: str, generation: int, at: int, end: int, body: BinaryIO) -> None:
        """Fetch `[at, end)` into `body`: perhaps only its beginning, where the connection
        breaks.
        """
        from urllib3.exceptions import HTTPError

        blob = self._bucket().blob(name)
        asked = {
            "start": at,
            "end": end - 1,
            "if_generation_match": generation,
            "raw_download": True,
            "checksum": None,
        }
        try:
            blob.download_to_file(body, retry=None, timeout=TIMEOUT, **asked)
        except HTTPError:
            return
        # Some servers heed no condition; all say what they gave.
        if blob.generation is not None and int(blob.generation) != generation:
            raise ObjectChanged(f"{self._root}{name}: changed since it was listed")

    def _bucket(self) -> Any:
        return self._handle().bucket(self.bucket, user_project=self.billing_project)

    def _handle(self) -> Any:
        # Another thread may let go of the client at any time.
        client = self._client
        if client is None:
            client = self._client = self._make()
        return client

    def _make(self) -> Any:
        storage = google.sdk("storage")
        file = self.context.base / self.credentials_file if self.credentials_file else None
        options = {"api_endpoint": self.endpoint_url} if self.endpoint_url else None
        credentials = google.credentials(SCOPE, file, anonymous=self.anonymous)
        client = storage.Client(project="none", credentials=credentials, client_options=options)
        # It would ask for the bucket itself, a right that a reader of objects need not have.
        client._bucket_metadata_cache = None
        return client

    def _identity(self) -> str:
        return google.identity(self._handle()._credentials)

    def _call(self, right: str, name: str, ask: Callable[[], T]) -> T:
        """What one request gives. Raises what the answer means."""
        return patiently(lambda: self._try(right, f"{self._root}{name}", ask), self._sleep)

    def _try(self, right: str, place: str, ask: Callable[[], T]) -> T:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
        from requests.exceptions import RequestException

        try:
            return ask()
        except GoogleAPICallError as error:
            raise self._meaning(error, right, place) from None
        except (RequestException, TransportError) as error:
            raise SourceBusy(f"{place}: {type(error).__name__}: {error}") from None
        except DefaultCredentialsError:
            # An anonymous reader is asked for credentials that it doesn't have.
            raise SourceError(
                f"{place}: {_PRIVATE}" if self.anonymous else google.UNKNOWN
            ) from None
        except GoogleAuthError as error:
            self._client = None
            raise SourceError(f"{place}: the credentials could not be renewed: {error}") from None

    def _meaning(self, error: Any, right: str, place: str) -> SourceError:
        status, says, whose = error.code, error.message, self._identity()
        if status == 404 and right == "storage.objects.list":
            return SourceError(f"{place}: there is no such bucket")
        if status == 404:
            return ObjectGone(f"{place}: gone since it was listed")
        if status in (412, 416):
            return ObjectChanged(f"{place}: changed since it was listed")
        if self.anonymous and status in (401, 403):
            return SourceError(f"{place}: {_PRIVATE}")
        if status == 401:
            # Whoever renews them may have done so: the next request looks for them again.
            self._client = None
            return SourceError(
                f"{place}: the credentials have expired or are wrong ({whose}): renew them"
            )
        if status == 403:
            return SourceError(
                f"{place}: access denied ({whose}): {right} is needed, which Storage Object Viewer has: {says}"
            )
        if status == 429 or status >= 500:
            headers = error.response.headers if error.response is not None else {}
            return SourceBusy(f"{place}: {status}: {says}", pause_of(headers.get("Retry-After")))
        return SourceError(f"{place}: {status}: {says}")


_PRIVATE = "the bucket is not public: leave anonymous out"


@hookimpl
def register_sources() -> list[type[Source]]:
    """The sources of this file."""
    return [Gcs]
