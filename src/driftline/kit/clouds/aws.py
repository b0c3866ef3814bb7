"""Amazon's services that change something, as far as they are alike: one call, and what its failure
means.

Refuses to hold a credential, and to try again: the SDK's own chain finds the one, and the host
decides the other.
"""

from __future__ import annotations

import json
from typing import Any

from driftline.types.action_request import Request
from driftline.types.errors import DriftlineError, OutcomeUnknown, Rejected, Retryable, Throttled

SLOW = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
BUSY = frozenset({"ConflictException", "ResourceLimitExceeded", "ResourceInUse"})
TRY_LATER = frozenset({408, 425})
"""By these a service says that it did nothing, and may do it later."""


def client(service: str, region: str, endpoint_url: str | None = None) -> Any:
    """A client that asks once. Raises Rejected with the mend where the SDK is not installed, or has
    no credentials.
    """
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise Rejected("boto3 is not installed: pip install 'driftline[aws]'") from None
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return boto3.client(service, region_name=region, endpoint_url=endpoint_url, config=once)


def address(service: str, region: str) -> str:
    """Where a service of a region answers."""
    return f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}/"


def operation(target: str, url: str, parameters: dict[str, Any]) -> Request:
    """The request for an operation, such as `SageMaker.DescribeEndpoint`; its body is what the SDK
    writes, to the byte.
    """
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    return Request("POST", url, json.dumps(parameters), headers)


def call(made: Any, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What the operation `name` gives. Raises Rejected, Throttled, Retryable or OutcomeUnknown."""
    from botocore import exceptions, xform_name
    from botocore.parsers import ResponseParserError

    try:
        found: dict[str, Any] = getattr(made, xform_name(name))(**parameters)
        return found
    except exceptions.ClientError as error:
        raise meaning(
            error.response, f"{name}: {error.response.get('Error', {}).get('Message', error)}"
        ) from None
    except exceptions.ConnectionError as error:
        raise Retryable(f"{name}: can't be reached: {type(error).__name__}") from None
    except (exceptions.HTTPClientError, ResponseParserError) as error:
        raise OutcomeUnknown(f"{name}: no usable answer: {type(error).__name__}") from None
    except exceptions.BotoCoreError as error:
        raise Rejected(f"{name}: {error}") from None


def meaning(answer: dict[str, Any], said: str) -> DriftlineError:
    """What an answer that is an error means."""
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{said} ({code or status})"
    if code in SLOW or status == 429:
        return Throttled(said)
    if code in BUSY or status in TRY_LATER:
        return Retryable(said)
    return Rejected(said, status) if 400 <= status < 500 else OutcomeUnknown(said)
