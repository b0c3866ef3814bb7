"""Asks an MLflow server over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from driftline.catalog.catalog import RecordError
from driftline.catalog.imports.mlflow import Get

SECONDS = 30.0
LARGEST = 50_000_000
"""Bytes of an answer that are read."""


def make_get(origin: str, token: str = "") -> Get:
    """Return what asks the server at `origin`; it raises RecordError.

    `token` is shown as a bearer token.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(path: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        url = f"{origin}/api/2.0/mlflow/{path}?{urlencode(parameters)}"
        try:
            with urlopen(Request(url, headers=headers), timeout=SECONDS) as answer:
                value = json.loads(answer.read(LARGEST))
        except HTTPError as error:
            raise RecordError(f"{origin}: {path}: {_reason(error)}") from None
        except (URLError, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise RecordError(f"{origin}: {path}: can't be read: {reason}") from None
        if not isinstance(value, Mapping):
            raise RecordError(f"{origin}: {path}: is no answer of MLflow")
        return value

    return get


def _reason(error: HTTPError) -> str:
    try:
        return f"{error.code}: {json.loads(error.read(10_000))['message']}"
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.code)
