"""Objects of an S3 bucket, or of any store that speaks its language.

Refuses to write, to remember a last key (slow writers fall behind it), and to read another version
than was listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, BinaryIO, Literal
from urllib.parse import urlsplit

from pydantic import PrivateAttr

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
from driftline.kit.stores.listing import in_place, key_of, list_store
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.retry import patiently, pause_of
from driftline.kit.stores.s3_events import drain

BATCH = 10
"""Messages in one request: as many as SQS allows."""
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
WRONG = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId")


class S3(Source):
    """Reads objects by ranges, each pinned to the version that was listed."""

    type = "s3"
    extra = "aws"

    bucket: str
    """The bucket's name, or the ARN of an access point."""
    prefix: str = ""
    """Beginning of the keys to read, such as `churn/`; every key when empty."""
    layout: LayoutPattern | None = None
    """How keys tell the time: `sagemaker`, `firehose`, `hive`, or a pattern such as
    `{endpoint}/%Y/%m/%d/%H/`.

    Then only the newest folders are listed, and everything once a day.
    """
    queue_url: str | None = None
    """An SQS queue that is told of new objects. It is asked instead of listing, and everything is
    listed once an hour.
    """
    endpoint_url: str | None = None
    """Address of a store that speaks S3, such as `http://minio:9000`; Amazon's when absent."""
    region: str | None = None
    """Region of the bucket; the SDK's own setting when absent."""
    profile: str | None = None
    """Profile of the SDK's configuration files."""
    anonymous: bool = False
    """Read a public bucket without any credentials."""
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    """Where the bucket stands in addresses: `path` suits most stores that are not Amazon's."""
    request_payer: bool = False
    """Agree to pay for reading a bucket whose owner asks for it."""
    access_key_id: Secret | None = None
    """A key, where the SDK's own chain (instance role, environment, profile) can't be used."""
    secret_access_key: Secret | None = None
    """The secret that belongs to `access_key_id`."""

    _client: Any = PrivateAttr(default=None)
    _queue: Any = PrivateAttr(default=None)
    _receipts: dict[str, str] = PrivateAttr(default_factory=dict)
    """Messages of the last pass, by their ids: how to delete them."""
    _sleep: Callable[[float], object] = PrivateAttr(default=time.sleep)

    @property
    def whole_every(self) -> timedelta | None:
        """A queue may lose what it was told, and late keys fall into old folders."""
        if self.queue_url:
            return timedelta(hours=1)
        return timedelta(hours=24) if self.layout else None

    def start(self, context: StartContext) -> None:
        """Make the client; nothing is asked of the store yet."""
        super().start(context)
        self._handle()

    def stop(self) -> None:
        """Close the connections."""
        for client in (self._client, self._queue):
            if client is not None:
                client.close()
        self._client = self._queue = None
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """The objects under the prefix: all, those of open partitions, or those that the queue
        names.
        """
        if self.queue_url and ctx.since is not None:
            return in_place(
                replace(ctx, since=None),
                self.layout,
                self.prefix,
                self._announced(self.queue_url, ctx),
            )
        return list_store(ctx, self.layout, self.prefix, self._folders, self._objects)

    def committed(self) -> None:
        """Delete the messages of the last pass."""
        entries = [
            {"Id": name, "ReceiptHandle": receipt} for name, receipt in self._receipts.items()
        ]
        for n in range(0, len(entries), BATCH):
            asked = {"QueueUrl": self.queue_url, "Entries": entries[n : n + BATCH]}
            self._call("delete_message_batch", "sqs:DeleteMessage", **asked)
        self._receipts = {}

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The object from byte `start` on; nothing is read before the first byte is asked for."""
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        key = obj.uri.removeprefix(f"s3://{self.bucket}/")

        def fetch(at: int, end: int) -> Any:
            asked = {
                "Bucket": self.bucket,
                "Key": key,
                "Range": f"bytes={at}-{end - 1}",
                "IfMatch": obj.version,
            }
            return self._call("get_object", "s3:GetObject", **asked, **self._payer())["Body"]

        return read_ranges(
            obj.uri, fetch, start, obj.size, breaks=(BotoCoreError, HTTPError, OSError)
        )

    def refer(self, uri: str) -> BinaryIO:
        """Another object of this bucket: its `s3://` address, or a path under the prefix."""
        return self.open(self._asked(key_of(uri, f"s3://{self.bucket}/", self.prefix)))

    def probe(self) -> str:
        """List one key; say where and as whom."""
        page = next(self._pages(Prefix=self.prefix, MaxKeys=1))
        found = (
            f"first key {page['Contents'][0]['Key']}"
            if page.get("Contents")
            else "no key under this prefix yet"
        )
        return f"{self._handle().meta.endpoint_url}, {self._identity()}: {found}"

    def permissions(self) -> Sequence[str]:
        """What a reader of logs needs, and nothing to write with."""
        return (
            f"s3:ListBucket on arn:aws:s3:::{self.bucket}",
            f"s3:GetObject on arn:aws:s3:::{self.bucket}/{self.prefix}*",
            "kms:Decrypt on the key, where objects are encrypted by one",
            *(
                (f"sqs:ReceiveMessage and sqs:DeleteMessage on {self.queue_url}",)
                if self.queue_url
                else ()
            ),
        )

    def _objects(self, prefix: str, after: str) -> Iterator[tuple[str, LogObject]]:
        for page in self._pages(Prefix=prefix, **({"StartAfter": after} if after else {})):
            for found in page.get("Contents", ()):
                yield found["Key"], self._object(found["Key"], found["Size"], found)

    def _folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            yield from (found["Prefix"] for found in page.get("CommonPrefixes", ()))

    def _pages(self, **asked: Any) -> Iterator[Mapping[str, Any]]:
        asked |= {"Bucket": self.bucket} | self._payer()
        while True:
            page = self._call("list_objects_v2", "s3:ListBucket", **asked)
            yield page
            if not page.get("IsTruncated") or not page.get("NextContinuationToken"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _announced(self, queue: str, ctx: DiscoverContext) -> Iterator[tuple[str, LogObject]]:
        """The objects that messages name and that are still there."""

        def receive() -> Any:
            answer = self._call(
                "receive_message", "sqs:ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=BATCH
            )
            return answer.get("Messages", ())

        keys, self._receipts = drain(
            receive, self.bucket, self.prefix, lambda reason: ctx.skipped(queue, reason)
        )
        for key in keys:
            with suppress(ObjectGone):
                yield key, self._asked(key)

    def _asked(self, key: str) -> LogObject:
        found = self._call(
            "head_object", "s3:GetObject", Bucket=self.bucket, Key=key, **self._payer()
        )
        return self._object(key, found["ContentLength"], found)

    def _object(self, key: str, size: int, found: Mapping[str, Any]) -> LogObject:
        return LogObject(f"s3://{self.bucket}/{key}", found["ETag"], size, found["LastModified"])

    def _make(self, service: str, endpoint: str | None) -> Any:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError:
            raise SourceError("boto3 is not installed: pip install 'driftline[aws]'") from None
        from botocore.exceptions import BotoCoreError

        config = Config(
            # Asking again is this plugin's: the SDK heeds no Retry-After.
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
            signature_version=UNSIGNED if self.anonymous else None,
            s3={"addressing_style": self.addressing_style},
            # Ranges carry no checksum, and stores that are not Amazon's send wrong ones.
            response_checksum_validation="when_required",
        )
        keys = {
            "aws_access_key_id": self.access_key_id.reveal() if self.access_key_id else None,
            "aws_secret_access_key": self.secret_access_key.reveal()
            if self.secret_access_key
            else None,
        }
        try:
            session = boto3.session.Session(
                profile_name=self.profile, region_name=self.region, **keys
            )
            return session.client(service, endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise SourceError(f"{self.type}: {error}") from None

    def _handle(self, queue: str = "") -> Any:
        # Another thread may let go of a client at any time.
        client = self._queue if queue else self._client
        if client is None and queue:
            client = self._queue = self._make(
                "sqs", "{0.scheme}://{0.netloc}".format(urlsplit(queue))
            )
        elif client is None:
            client = self._client = self._make("s3", self.endpoint_url)
        return client

    def _identity(self) -> str:
        credentials = None if self.anonymous else self._handle()._request_signer._credentials
        return f"credentials from {credentials.method}" if credentials is not None else "anonymous"

    def _payer(self) -> dict[str, str]:
        return {"RequestPayer": "requester"} if self.request_payer else {}

    def _call(self, name: str, right: str, **asked: Any) -> Any:
        """What one request gives. Raises what the answer means."""
        return patiently(lambda: self._try(name, right, asked), self._sleep)

    def _try(self, name: str, right: str, asked: dict[str, Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

        queue = asked.get("QueueUrl", "")
        place = queue or f"s3://{self.bucket}/{asked.get('Key', self.prefix)}"
        try:
            return getattr(self._handle(queue), name)(**asked)
        except ClientError as error:
            raise self._meaning(error, right, place, "Key" in asked) from None
        except (HTTPClientError, ConnectionError) as error:
            raise SourceBusy(f"{place}: {error}") from None
        except BotoCoreError as error:
            raise SourceError(
                _NO_CREDENTIALS.get(type(error).__name__, f"{place}: {error}")
            ) from None

    def _meaning(self, error: Any, right: str, place: str, keyed: bool) -> DriftlineError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        says = error.response.get("Error", {}).get("Message", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if code == "NoSuchBucket":
            return SourceError(f"{place}: there is no such bucket")
        if code in ("NoSuchKey", "404") or (keyed and status == 404):
            return ObjectGone(f"{place}: gone since it was listed")
        if code in ("PreconditionFailed", "412") or status == 412 or code == "InvalidRange":
            return ObjectChanged(f"{place}: changed since it was listed")
        if code == "InvalidObjectState":
            kind = error.response["Error"].get("StorageClass", "unknown")
            return Unreadable(f"{place}: archived (storage class {kind}): restore it")
        if code.startswith("KMS."):
            return SourceError(
                f"{place}: its key can't be used ({code}): kms:Decrypt on the key is needed"
            )
        if code in EXPIRED or code in WRONG:
            whose = self._identity()
            # Whoever renews them may have done so: the next request looks for them again.
            self._client = self._queue = None
            trouble = "have expired" if code in EXPIRED else f"are wrong ({code})"
            return SourceError(f"{place}: the credentials {trouble} ({whose}): renew them")
        if status == 403 or code in ("AccessDenied", "AllAccessDisabled"):
            wanted = "kms:Decrypt" if "kms" in says.lower() else right
            also = (
                " and, where objects are encrypted by a key, kms:Decrypt"
                if wanted == "s3:GetObject"
                else ""
            )
            return SourceError(
                f"{place}: access denied ({self._identity()}): {wanted}{also} is needed"
            )
        if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "301"):
            where = headers.get("x-amz-bucket-region", "another region")
            return SourceError(f"{place}: the bucket is in {where}: set region")
        if status >= 500 or status == 429 or code in ("SlowDown", "RequestTimeout"):
            return SourceBusy(
                f"{place}: {code or status}: {says}", pause_of(headers.get("retry-after"))
            )
        return SourceError(f"{place}: {code or status}: {says}")


_NO_CREDENTIALS = {
    "NoCredentialsError": "no AWS credentials were found: give the machine a role, or set profile, or anonymous: true",
    "TokenRetrievalError": "the AWS single sign-on has expired: log in again",
    "SSOTokenLoadError": "the AWS single sign-on has expired: log in again",
    "CredentialRetrievalError": "the AWS credentials could not be fetched",
}


@hookimpl
def register_sources() -> list[type[Source]]:
    """The sources of this file."""
    return [S3]
