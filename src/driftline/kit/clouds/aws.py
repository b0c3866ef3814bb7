"""Calls one operation of an AWS service and translates its errors, for actions.

Does not store a credential: the SDK finds them. Does not repeat a call: the host decides that.
"""

from __future__ import annotations

import json
from typing import Any

from driftline.types.action_request import Request
from driftline.types.errors import (
    TRY_LATER,
    DriftlineError,
    OutcomeUnknown,
    Rejected,
    Retryable,
    Throttled,
)

THROTTLED = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "SlowDown",
    }
)
BUSY = frozenset({"ConflictException", "ResourceLimitExceeded", "ResourceInUse"})


def make_client(service: str, region: str, endpoint_url: str | None = None) -> Any:
    """Make a client that sends each request once. Raises Rejected where boto3 is not installed."""
    try:
        import boto3
        from botocore.config import Config
    except ImportError:
        raise Rejected("boto3 is not installed: pip install 'driftline[aws]'") from None
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20)
    return boto3.client(service, region_name=region, endpoint_url=endpoint_url, config=config)


def service_url(service: str, region: str) -> str:
    """Return the address of a service in a region."""
    return f"https://{service}.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}/"


def operation_request(target: str, url: str, parameters: dict[str, Any]) -> Request:
    """Return the request of an operation, such as `SageMaker.DescribeEndpoint`.

    Its body is exactly the one that the SDK sends.
    """
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1"}
    return Request("POST", url, json.dumps(parameters), headers)


def call_operation(client: Any, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call the operation `name`. Raises Rejected, Throttled, Retryable or OutcomeUnknown."""
    from botocore import exceptions, xform_name
    from botocore.parsers import ResponseParserError

    try:
        answer: dict[str, Any] = getattr(client, xform_name(name))(**parameters)
        return answer
    except exceptions.ClientError as error:
        message = error.response.get("Error", {}).get("Message", error)
        raise translate_response(error.response, f"{name}: {message}") from None
    except exceptions.ConnectionError as error:
        raise Retryable(f"{name}: can't be reached: {type(error).__name__}") from None
    except (exceptions.HTTPClientError, ResponseParserError) as error:
        raise OutcomeUnknown(f"{name}: no usable answer: {type(error).__name__}") from None
    except exceptions.BotoCoreError as error:
        raise Rejected(f"{name}: {error}") from None


def translate_response(response: dict[str, Any], message: str) -> DriftlineError:
    """Return driftline's error for a response that is an error."""
    code = str(response.get("Error", {}).get("Code", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    text = f"{message} ({code or status})"
    if code in THROTTLED or status == 429:
        return Throttled(text)
    if code in BUSY or status in TRY_LATER:
        return Retryable(text)
    return Rejected(text, status) if 400 <= status < 500 else OutcomeUnknown(text)
