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
    ObjectChanged,
    ObjectGone,
    Secret,
    Source,
    SourceBusy,
    SourceError,
    Unreadable,
    hookimpl,
)
from driftline.kit.stores.answers import BadAnswer, check_range, foreign_answer, is_page
from driftline.kit.stores.faults import (
    CLOCK_CODES,
    RATE_CODES,
    describe_bad_name,
    describe_clock,
    describe_connection,
    describe_denied,
    describe_expired,
    describe_missing,
    describe_redirect,
    describe_region,
    describe_wrong_credentials,
)
from driftline.kit.stores.layout import LayoutPattern
from driftline.kit.stores.listing import list_store, resolve_key, select_objects
from driftline.kit.stores.object_store import ObjectStore, SdkErrors, error_of_status
from driftline.kit.stores.range_reader import read_ranges
from driftline.kit.stores.retry import parse_retry_after
from driftline.kit.stores.s3_events import receive_keys
from driftline.kit.stores.short_uri import shorten_uri

BATCH = 10
"""Messages in one request: the most that SQS allows."""
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired")
WRONG_REGION = (
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
)
WRONG = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidClientTokenId")


class S3(ObjectStore):
    """Reads objects by ranges, each pinned to the listed version."""

    type = "s3"
    extra = "aws"
    lists_folders: ClassVar = True
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

    def list_folders(self) -> Iterator[str]:
        """Yield the names of the folders directly below the prefix."""
        for folder in self._folders(self.prefix):
            yield folder.removeprefix(self.prefix).rstrip("/")

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
            answer = self._call("get_object", "s3:GetObject", **parameters, **self._payer())
            try:
                _check_part(self._place(obj.uri), answer, obj, at, end)
            except SourceError:
                answer["Body"].close()
                raise
            return answer["Body"]

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
            # An access point answers with a name of its own.
            if page.get("Name") != self.bucket and not _is_access_point(self.bucket):
                raise self._foreign_answer(self.prefix, page)
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
        if "ETag" not in answer or is_page(answer["ResponseMetadata"]["HTTPHeaders"]):
            raise self._foreign_answer(key, answer)
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
            from botocore import UNSIGNED, handlers
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
            client = session.client(service, endpoint_url=endpoint, config=config)
        except (BotoCoreError, ValueError) as error:
            raise SourceError(f"{self.type}: {error}") from None
        # The SDK's own check reports every page of a proxy as an internal error of the store.
        own_check = getattr(handlers, "_handle_200_error", None)
        client.meta.events.unregister("before-parse.s3.*", own_check)
        client.meta.events.register("before-parse.s3.*", _check_listing)
        client.meta.events.register("before-call.s3.HeadBucket", _ask_region_once)
        return client

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
        place = queue or parameters.get("Key", self.prefix)

        def send() -> Any:
            client = self._connect_queue(queue) if queue else self._connect()
            return getattr(client, operation)(**parameters)

        return self._request(send, permission, place)

    def _sdk_errors(self) -> SdkErrors:
        from botocore.exceptions import BotoCoreError, ClientError

        return BotoCoreError, ClientError

    def _foreign_answer(self, name: str, answer: Mapping[str, Any]) -> SourceError:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return SourceError(f"{self._place(name)}: {foreign_answer(200, headers)}")

    def _place(self, name: str) -> str:
        return shorten_uri(name if "://" in name else f"s3://{self.bucket}/{name}")

    def _translate(self, error: Any, permission: str, name: str) -> DriftlineError:
        from botocore.exceptions import (
            ClientError,
            ConnectionError,
            HTTPClientError,
            ParamValidationError,
        )

        place = self._place(name)
        if isinstance(error, (HTTPClientError, ConnectionError)):
            return SourceBusy(f"{place}: {describe_connection(error)}")
        if isinstance(error, ParamValidationError) and "bucket name" in str(error).lower():
            return SourceError(f"{place}: {describe_bad_name('bucket', self.bucket)}")
        if not isinstance(error, ClientError):
            return SourceError(
                _NO_CREDENTIALS.get(type(error).__name__, f"{place}: {str(error)[:300]}")
            )
        http = error.response.get("ResponseMetadata", {})
        status, headers = http.get("HTTPStatusCode", 0), http.get("HTTPHeaders", {})
        # The answer to a HEAD has no body, whatever type it claims.
        if status >= 400 and error.operation_name != "HeadObject" and is_page(headers):
            fault = SourceBusy if status >= 500 else SourceError
            return fault(f"{place}: {foreign_answer(status, headers)}")
        return self._translate_answer(error.response, permission, place)

    def _translate_answer(
        self, answer: Mapping[str, Any], permission: str, place: str
    ) -> DriftlineError:
        code = str(answer.get("Error", {}).get("Code", ""))
        message = answer.get("Error", {}).get("Message", "")
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        if code in WRONG_REGION or (status == 301 and "x-amz-bucket-region" in headers):
            region = headers.get("x-amz-bucket-region") or answer["Error"].get("Region", "")
            return SourceError(f"{place}: {describe_region(region)}")
        if 300 <= status < 400:
            host = urlsplit(headers.get("location", "")).netloc
            return SourceError(f"{place}: {describe_redirect(status, host)}")
        if code == "NoSuchBucket":
            return SourceError(f"{place}: {describe_missing('bucket')}")
        if code == "InvalidBucketName":
            return SourceError(f"{place}: {describe_bad_name('bucket', self.bucket)}")
        if code in ("NoSuchKey", "404") or (status == 404 and permission == "s3:GetObject"):
            return error_of_status(404, place, message)
        if status == 404:
            return SourceError(f"{place}: {code or status}: {message[:200]}")
        if code in ("PreconditionFailed", "412", "InvalidRange"):
            return error_of_status(412, place, message)
        if code == "InvalidObjectState":
            kind = answer["Error"].get("StorageClass", "unknown")
            return Unreadable(f"{place}: archived (storage class {kind}): restore it")
        if code.startswith("KMS."):
            return SourceError(
                f"{place}: its key can't be used ({code}): kms:Decrypt on the key is needed"
            )
        if code in CLOCK_CODES:
            return SourceError(f"{place}: {describe_clock(headers.get('date', ''))}")
        if code in EXPIRED or code in WRONG:
            identity = self._identity()
            self._forget_client()
            state = (
                describe_expired(identity)
                if code in EXPIRED
                else describe_wrong_credentials(identity, code)
            )
            return SourceError(f"{place}: {state}")
        if (status == 403 and code not in RATE_CODES) or code in (
            "AccessDenied",
            "AllAccessDisabled",
        ):
            rights = "kms:Decrypt" if "kms" in message.lower() else permission
            if rights == "s3:GetObject":
                rights += " and, where objects are encrypted by a key, kms:Decrypt"
            return SourceError(f"{place}: {describe_denied(self._identity(), rights)}")
        retry_after = headers.get("retry-after")
        if code == "RequestTimeout":
            return SourceBusy(f"{place}: {code}: {message[:200]}", parse_retry_after(retry_after))
        return error_of_status(status, place, message, code=code, retry_after=retry_after)


def _ask_region_once(context: dict[str, Any], **_event: object) -> None:
    """Keep the SDK, which asks for the region after a redirect, from asking about that redirect."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _check_listing(response_dict: dict[str, Any], operation_model: Any, **_event: Any) -> None:
    """Raise BadAnswer where the answer to a listing is another document than a listing."""
    status = response_dict["status_code"]
    if operation_model.name != "ListObjectsV2" or status >= 300:
        return
    start = response_dict["body"][:1024]
    if b"<Error" in start:
        response_dict["status_code"] = 500  # S3 may fail after it has sent the status
    elif b"<ListBucketResult" not in start:
        raise foreign_answer(status, response_dict["headers"])


def _check_part(
    place: str, answer: Mapping[str, Any], obj: LogObject, start: int, end: int
) -> None:
    """Raise SourceError unless `answer` holds bytes of `obj` between `start` and `end`."""
    http = answer["ResponseMetadata"]
    try:
        check_range(http["HTTPStatusCode"], http["HTTPHeaders"], start, end)
    except BadAnswer as error:
        raise SourceError(f"{place}: {error}") from None
    if answer.get("ETag") != obj.version:
        raise ObjectChanged(f"{place}: changed since it was listed")


def _is_access_point(bucket: str) -> bool:
    return bucket.startswith("arn:") or bucket.endswith("-s3alias")


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
