"""Objects of an S3 bucket, or of any store that speaks its language.

Refuses to write, to remember a last key (slow writers fall behind it), and to read another version than was listed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Literal, cast

from pydantic import PrivateAttr

from driftline import (
    DiscoverContext,
    DriftlineError,
    LogObject,
    ObjectChanged,
    ObjectGone,
    Secret,
    Source,
    SourceError,
    StartContext,
    Unreadable,
    hookimpl,
)

PART = 8 << 20
"""Bytes asked for at a time."""
CUTS = 4
"""Connections that may break in a row without a byte between."""
NO_DATA = ("_SUCCESS", ".crc", ".tmp", "_temporary/", "_$folder$")


class S3(Source):
    """Reads objects by ranges, each pinned to the version that was listed."""

    type = "s3"
    extra = "aws"

    bucket: str
    """The bucket's name, or the ARN of an access point."""
    prefix: str = ""
    """Beginning of the keys to read, such as `churn/`; every key when empty."""
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

    def start(self, context: StartContext) -> None:
        """Make the client; nothing is asked of the store yet."""
        super().start(context)
        self._client = self._make()

    def stop(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        super().stop()

    def discover(self, ctx: DiscoverContext) -> Iterator[LogObject]:
        """Every object under the prefix, in the order of keys."""
        asked = {"Bucket": self.bucket, "Prefix": self.prefix} | self._payer()
        while True:
            page = self._call("list_objects_v2", "s3:ListBucket", **asked)
            for found in page.get("Contents", ()):
                key, size = found["Key"], found["Size"]
                uri = f"s3://{self.bucket}/{key}"
                if key.endswith("/") and not size:
                    continue
                if key.endswith(NO_DATA) or "/_temporary/" in f"/{key}" or key.rpartition("/")[2].startswith("."):
                    ctx.skipped(uri, "a marker, a checksum or a temporary file")
                    continue
                yield LogObject(uri, found["ETag"], size, found["LastModified"])
            if not page.get("IsTruncated") or not page.get("NextContinuationToken"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def open(self, obj: LogObject, start: int = 0) -> BinaryIO:
        """The object from byte `start` on; nothing is read before the first byte is asked for."""
        raw = _Ranges(self, obj.uri.removeprefix(f"s3://{self.bucket}/"), obj.version, start, obj.size)
        return cast(BinaryIO, io.BufferedReader(raw, 1 << 20))

    def probe(self) -> str:
        """List one key; say where and as whom."""
        page = self._call(
            "list_objects_v2", "s3:ListBucket", Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1, **self._payer()
        )
        found = f"first key {page['Contents'][0]['Key']}" if page.get("Contents") else "no key under this prefix yet"
        return f"{self._handle().meta.endpoint_url}, {self._identity()}: {found}"

    def permissions(self) -> Sequence[str]:
        """What a reader of logs needs, and nothing to write with."""
        return (
            f"s3:ListBucket on arn:aws:s3:::{self.bucket}",
            f"s3:GetObject on arn:aws:s3:::{self.bucket}/{self.prefix}*",
            "kms:Decrypt on the key, where objects are encrypted by one",
        )

    def _make(self) -> Any:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError:
            raise SourceError("boto3 is not installed: pip install 'driftline[aws]'") from None
        from botocore.exceptions import BotoCoreError

        config = Config(
            retries={"mode": "standard", "max_attempts": 5},
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
            "aws_secret_access_key": self.secret_access_key.reveal() if self.secret_access_key else None,
        }
        try:
            session = boto3.session.Session(profile_name=self.profile, region_name=self.region, **keys)
            return session.client("s3", endpoint_url=self.endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise SourceError(f"{self.type}: {error}") from None

    def _handle(self) -> Any:
        if self._client is None:
            self._client = self._make()
        return self._client

    def _identity(self) -> str:
        credentials = None if self.anonymous else self._handle()._request_signer._credentials
        return f"credentials from {credentials.method}" if credentials is not None else "anonymous"

    def _payer(self) -> dict[str, str]:
        return {"RequestPayer": "requester"} if self.request_payer else {}

    def _call(self, name: str, right: str, **asked: Any) -> Any:
        """One request. Raises what the answer means."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._handle(), name)(**asked)
        except ClientError as error:
            raise self._meaning(error, right, asked.get("Key")) from None
        except BotoCoreError as error:
            raise SourceError(_NO_CREDENTIALS.get(type(error).__name__, f"{self._place(asked.get('Key'))}: {error}")) from None

    def _meaning(self, error: Any, right: str, key: str | None) -> DriftlineError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        says = error.response.get("Error", {}).get("Message", "")
        place = self._place(key)
        if code == "NoSuchBucket":
            return SourceError(f"{place}: there is no such bucket")
        if code in ("NoSuchKey", "404") or (key is not None and status == 404):
            return ObjectGone(f"{place}: gone since it was listed")
        if code in ("PreconditionFailed", "412") or status == 412 or code == "InvalidRange":
            return ObjectChanged(f"{place}: changed since it was listed")
        if code == "InvalidObjectState":
            return Unreadable(
                f"{place}: archived (storage class {error.response['Error'].get('StorageClass', 'unknown')}): restore it"
            )
        if code.startswith("KMS."):
            return SourceError(f"{place}: its key can't be used ({code}): kms:Decrypt on the key is needed")
        if code in ("ExpiredToken", "ExpiredTokenException", "RequestExpired"):
            return SourceError(f"{place}: the credentials have expired ({self._identity()})")
        if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken"):
            return SourceError(f"{place}: the credentials are wrong ({code}, {self._identity()})")
        if status == 403 or code in ("AccessDenied", "AllAccessDisabled"):
            wanted = "kms:Decrypt" if "kms" in says.lower() else right
            also = " and, where objects are encrypted by a key, kms:Decrypt" if wanted == "s3:GetObject" else ""
            return SourceError(f"{place}: access denied ({self._identity()}): {wanted}{also} is needed")
        if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "301"):
            where = (
                error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "another region")
            )
            return SourceError(f"{place}: the bucket is in {where}: set region")
        return SourceError(f"{place}: {code or status}: {says}")

    def _place(self, key: str | None) -> str:
        return f"s3://{self.bucket}/{self.prefix if key is None else key}"


_NO_CREDENTIALS = {
    "NoCredentialsError": "no AWS credentials were found: give the machine a role, or set profile, or anonymous: true",
    "TokenRetrievalError": "the AWS single sign-on has expired: log in again",
    "SSOTokenLoadError": "the AWS single sign-on has expired: log in again",
    "CredentialRetrievalError": "the AWS credentials could not be fetched",
}


class _Ranges(io.RawIOBase):
    """One version of an object, fetched part by part; a cut connection is taken up where it broke."""

    def __init__(self, source: S3, key: str, etag: str, start: int, end: int) -> None:
        self._source, self._key, self._etag = source, key, etag
        self._start, self._at, self._end = start, start, max(end, start)
        self._body: Any = None
        self._part_end = 0
        self._cuts = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        view = memoryview(buffer)
        wanted = min(len(view), self._end - self._at)
        while wanted > 0:
            try:
                if self._body is None:
                    self._begin(wanted)
                data = self._body.read(min(wanted, self._part_end - self._at))
                broken = "" if data else "the connection ended early"
            except (BotoCoreError, HTTPError, OSError) as error:
                data, broken = b"", f"{type(error).__name__}: {error}"
            if data:
                view[: len(data)] = data
                self._at += len(data)
                self._cuts = 0
                if self._at >= self._part_end:
                    self._drop()
                return len(data)
            self._drop()
            self._cuts += 1
            if self._cuts > CUTS:
                raise SourceError(f"s3://{self._source.bucket}/{self._key}: the connection broke {self._cuts} times: {broken}")
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self._start, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        at = max(base + offset, self._start)
        if at != self._at:
            self._drop()
            self._at = at
        return at - self._start

    def tell(self) -> int:
        return self._at - self._start

    def close(self) -> None:
        self._drop()
        super().close()

    def _begin(self, wanted: int) -> None:
        self._part_end = min(self._at + max(wanted, PART), self._end)
        answer = self._source._call(
            "get_object",
            "s3:GetObject",
            Bucket=self._source.bucket,
            Key=self._key,
            Range=f"bytes={self._at}-{self._part_end - 1}",
            IfMatch=self._etag,
            **self._source._payer(),
        )
        self._body = answer["Body"]

    def _drop(self) -> None:
        body, self._body = self._body, None
        if body is not None:
            body.close()


@hookimpl
def register_sources() -> list[type[Source]]:
    """The sources of this file."""
    return [S3]
