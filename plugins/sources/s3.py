"""Reads the objects of an S3 bucket, or of any store with the same API.

Does not write, and does not read another version than the listed one. Does not continue a listing
after the last key: slow writers add keys before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, BinaryIO, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import PrivateAttr

from driftline import (
    DiscoverContext,
    DriftlineError,
    LogObject,
    ObjectGone,
    Secret,
    Source,
    SourceBusy,
    SourceError,
    Unreadable,
    hookimpl,
)
from driftline.kit.stores.layout import LayoutPattern
from driftline.kit.stores.listing import list_store, resolve_key, select_objects
from driftline.kit.stores.object_store import ObjectStore, SdkErrors, error_of_status
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.retry import parse_retry_after
from driftline.kit.stores.s3_events import receive_keys

BATCH = 10
"""Messages in one request: the most that SQS allows."""
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
WRONG = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId")


class S3(ObjectStore):
    """Reads objects by ranges, each pinned to the listed version."""

    type = "s3"
    extra = "aws"
    schemes: ClassVar = frozenset({"s3"})

    bucket: str
    """The name of the bucket, or the ARN of an access point."""
    prefix: str = ""
    """Only objects whose keys start with this are read, such as `churn/`; all when empty."""
    layout: LayoutPattern | None = None
    """How keys contain the time: the name of a layout, or a pattern.

    Layouts are `sagemaker`, `firehose`, `hive` and `hive_daily`; a pattern is for example
    `{endpoint}/%Y/%m/%d/%H/`. With a layout only the newest folders are listed, and everything once
    a day.
    """
    queue_url: str | None = None
    """The address of an SQS queue that receives the bucket's notifications of new objects.

    With it, driftline reads the queue in place of a listing, and lists everything once an hour.
    """
    endpoint_url: str | None = None
    """The address of a store with the S3 API, such as `http://minio:9000`; Amazon's when absent."""
    region: str | None = None
    """The region of the bucket; the SDK's own setting when absent."""
    profile: str | None = None
    """The profile to use from the SDK's configuration files."""
    anonymous: bool = False
    """Read a public bucket without credentials."""
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    """Where addresses contain the bucket: `path` is right for most stores other than Amazon's."""
    request_payer: bool = False
    """Pay for the requests, for a bucket with "requester pays"."""
    access_key_id: Secret | None = None
    """An access key.

    Give it only where the SDK's own chain (instance role, environment, profile) can't be used.
    """
    secret_access_key: Secret | None = None
    """The secret of `access_key_id`."""

    _queue: Any = PrivateAttr(default=None)
    _receipts: dict[str, str] = PrivateAttr(default_factory=dict)
    """The receipts, by message id, of the last pass: SQS needs them to delete the messages."""

    @classmethod
    def options_for(cls, address: str, endpoint_url: str | None = None) -> dict[str, Any]:
        """The options for an address of one of `schemes`."""
        bucket, _, prefix = address.partition("://")[2].partition("/")
        endpoint = {"endpoint_url": endpoint_url} if endpoint_url else {}
        return {"bucket": bucket, "prefix": prefix} | endpoint

    @property
    def full_listing_interval(self) -> timedelta | None:
        """Return an hour with a queue, which may lose messages; a day with a layout."""
        if self.queue_url:
            return timedelta(hours=1)
        return timedelta(hours=24) if self.layout else None

    def stop(self) -> None:
        """Close the connections."""
        queue, self._queue = self._queue, None
        if queue is not None:
            queue.close()
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """List the objects: all, those in open partitions, or those that the queue names."""
        if self.queue_url and ctx.since is not None:
            entries = self._queued_objects(self.queue_url, ctx)
            return select_objects(replace(ctx, since=None), self.layout, self.prefix, entries)
        return list_store(ctx, self.layout, self.prefix, self._folders, self._objects)

    def confirm_listing(self) -> None:
        """Delete the messages of the last pass."""
        entries = [
            {"Id": name, "ReceiptHandle": receipt} for name, receipt in self._receipts.items()
        ]
        for n in range(0, len(entries), BATCH):
            batch = {"QueueUrl": self.queue_url, "Entries": entries[n : n + BATCH]}
            self._call("delete_message_batch", "sqs:DeleteMessage", **batch)
        self._receipts = {}

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """Return the object from byte `start` on; nothing is fetched before it is read."""
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        key = obj.uri.removeprefix(f"s3://{self.bucket}/")

        def fetch(at: int, end: int) -> Any:
            parameters = {
                "Bucket": self.bucket,
                "Key": key,
                "Range": f"bytes={at}-{end - 1}",
                "IfMatch": obj.version,
            }
            return self._call("get_object", "s3:GetObject", **parameters, **self._payer())["Body"]

        return read_ranges(
            obj.uri, fetch, start, obj.size, breaks=(BotoCoreError, HTTPError, OSError)
        )

    def open_reference(self, uri: str) -> BinaryIO:
        """Return another object of this bucket, by its `s3://` address or a path in the folder."""
        return self.open(self._head(resolve_key(uri, f"s3://{self.bucket}/", self.prefix)))

    def probe(self) -> str:
        """List one key; return the address, the identity and the key."""
        page = next(self._pages(Prefix=self.prefix, MaxKeys=1))
        first = (
            f"first key {page['Contents'][0]['Key']}"
            if page.get("Contents")
            else "no key under this prefix yet"
        )
        return f"{self._connect().meta.endpoint_url}, {self._identity()}: {first}"

    def permissions(self) -> Sequence[str]:
        """Return the rights to list and read, and none to write."""
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
            for entry in page.get("Contents", ()):
                yield entry["Key"], self._object(entry["Key"], entry["Size"], entry)

    def _folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            yield from (entry["Prefix"] for entry in page.get("CommonPrefixes", ()))

    def _pages(self, **parameters: Any) -> Iterator[Mapping[str, Any]]:
        parameters |= {"Bucket": self.bucket} | self._payer()
        while True:
            page = self._call("list_objects_v2", "s3:ListBucket", **parameters)
            yield page
            if not page.get("IsTruncated") or not page.get("NextContinuationToken"):
                return
            parameters["ContinuationToken"] = page["NextContinuationToken"]

    def _queued_objects(self, queue: str, ctx: DiscoverContext) -> Iterator[tuple[str, LogObject]]:
        """Return the objects that the queue names and that still exist, with their keys."""

        def receive() -> Any:
            answer = self._call(
                "receive_message", "sqs:ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=BATCH
            )
            return answer.get("Messages", ())

        keys, self._receipts = receive_keys(
            receive, self.bucket, self.prefix, lambda reason: ctx.skipped(queue, reason)
        )
        for key in keys:
            with suppress(ObjectGone):
                yield key, self._head(key)

    def _head(self, key: str) -> LogObject:
        parameters = {"Bucket": self.bucket, "Key": key, **self._payer()}
        answer = self._call("head_object", "s3:GetObject", **parameters)
        return self._object(key, answer["ContentLength"], answer)

    def _object(self, key: str, size: int, entry: Mapping[str, Any]) -> LogObject:
        return LogObject(
            uri=f"s3://{self.bucket}/{key}",
            version=entry["ETag"],
            size=size,
            modified=entry["LastModified"],
        )

    def _make_client(self) -> Any:
        return self._make("s3", self.endpoint_url)

    def _make(self, service: str, endpoint: str | None) -> Any:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError:
            raise SourceError("boto3 is not installed: pip install 'driftline[aws]'") from None
        from botocore.exceptions import BotoCoreError

        config = Config(
            # This source repeats requests itself: the SDK ignores Retry-After.
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=32,
            signature_version=UNSIGNED if self.anonymous else None,
            s3={"addressing_style": self.addressing_style},
            # Ranges have no checksum, and stores that are not Amazon's send wrong ones.
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

    def _connect_queue(self, url: str) -> Any:
        # Another thread may set the attribute to None at any time.
        client = self._queue
        if client is None:
            address = urlsplit(url)
            client = self._queue = self._make("sqs", f"{address.scheme}://{address.netloc}")
        return client

    def _identity(self) -> str:
        credentials = None if self.anonymous else self._connect()._request_signer._credentials
        return f"credentials from {credentials.method}" if credentials is not None else "anonymous"

    def _payer(self) -> dict[str, str]:
        return {"RequestPayer": "requester"} if self.request_payer else {}

    def _forget_client(self) -> None:
        self._client = self._queue = None

    def _call(self, operation: str, permission: str, **parameters: Any) -> Any:
        """Return the answer of one operation of S3 or, with a `QueueUrl`, of SQS."""
        queue = parameters.get("QueueUrl", "")
        place = queue or f"s3://{self.bucket}/{parameters.get('Key', self.prefix)}"

        def send() -> Any:
            client = self._connect_queue(queue) if queue else self._connect()
            return getattr(client, operation)(**parameters)

        return self._request(send, permission, place)

    def _sdk_errors(self) -> SdkErrors:
        from botocore.exceptions import BotoCoreError, ClientError

        return BotoCoreError, ClientError

    def _translate(self, error: Any, permission: str, name: str) -> DriftlineError:
        from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

        if isinstance(error, (HTTPClientError, ConnectionError)):
            return SourceBusy(f"{name}: {error}")
        if not isinstance(error, ClientError):
            return SourceError(_NO_CREDENTIALS.get(type(error).__name__, f"{name}: {error}"))
        return self._translate_answer(error.response, permission, name)

    def _translate_answer(
        self, answer: Mapping[str, Any], permission: str, place: str
    ) -> DriftlineError:
        code = str(answer.get("Error", {}).get("Code", ""))
        message = answer.get("Error", {}).get("Message", "")
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if code == "NoSuchBucket":
            return SourceError(f"{place}: there is no such bucket")
        if code in ("NoSuchKey", "404") or (status == 404 and permission == "s3:GetObject"):
            return error_of_status(404, place, message)
        if status == 404:
            return SourceError(f"{place}: {code or status}: {message}")
        if code in ("PreconditionFailed", "412", "InvalidRange"):
            return error_of_status(412, place, message)
        if code == "InvalidObjectState":
            kind = answer["Error"].get("StorageClass", "unknown")
            return Unreadable(f"{place}: archived (storage class {kind}): restore it")
        if code.startswith("KMS."):
            return SourceError(
                f"{place}: its key can't be used ({code}): kms:Decrypt on the key is needed"
            )
        if code in EXPIRED or code in WRONG:
            identity = self._identity()
            self._forget_client()
            state = "have expired" if code in EXPIRED else f"are wrong ({code})"
            return SourceError(f"{place}: the credentials {state} ({identity}): renew them")
        if status == 403 or code in ("AccessDenied", "AllAccessDisabled"):
            rights = "kms:Decrypt" if "kms" in message.lower() else permission
            if rights == "s3:GetObject":
                rights += " and, where objects are encrypted by a key, kms:Decrypt"
            return SourceError(f"{place}: access denied ({self._identity()}): {rights} is needed")
        if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "301"):
            region = headers.get("x-amz-bucket-region", "another region")
            return SourceError(f"{place}: the bucket is in {region}: set region")
        retry_after = headers.get("retry-after")
        if code in ("SlowDown", "RequestTimeout"):
            return SourceBusy(f"{place}: {code}: {message}", parse_retry_after(retry_after))
        return error_of_status(status, place, message, code=code, retry_after=retry_after)


_NO_CREDENTIALS = {
    "NoCredentialsError": "no AWS credentials were found: give the machine a role, or set profile, "
    "or anonymous: true",
    "TokenRetrievalError": "the AWS single sign-on has expired: log in again",
    "SSOTokenLoadError": "the AWS single sign-on has expired: log in again",
    "CredentialRetrievalError": "the AWS credentials could not be fetched",
}


@hookimpl
def register_sources() -> list[type[Source]]:
    """Register the source of this file."""
    return [S3]
