"""Applies a model that an HTTP endpoint serves to rows, to explain it.

Speaks the protocols of TensorFlow Serving, KServe and Vertex AI (`instances`), of Open Inference
(`v2`), and rows of CSV as SageMaker's containers read them. Does not store a credential.
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import numpy as np
from pydantic import Field, PrivateAttr, field_validator

from driftline.kit.checks.model_files import ModelFileError, ModelInputs
from driftline.kit.settings import Settings
from driftline.types.arrays import Floats
from driftline.types.secret import Secret

if TYPE_CHECKING:
    import httpx

TIMEOUT = 30.0
"""Seconds of one request."""
LARGEST = 8 << 20
"""Bytes of an answer."""
Protocol = Literal["instances", "v2", "text/csv"]
Cell = float | str | None


class ModelEndpoint(Settings):
    """An endpoint that answers rows with predictions."""

    url: str = Field(min_length=8)
    """The address of a prediction, such as `https://kserve.example/v1/models/churn:predict`."""
    protocol: Protocol = "instances"
    """How rows are sent: `{"instances": [[...]]}`, a request of Open Inference, or CSV."""
    token: Secret | None = None
    """A token for the header `Authorization: Bearer`, as `${env:NAME}` or `${file:PATH}`."""
    rows_per_request: int = Field(default=1000, ge=1, le=100_000)
    """The rows of one request."""

    # Takes the place of the network, in tests.
    _transport: httpx.BaseTransport | None = PrivateAttr(default=None)

    @field_validator("url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ValueError("should be an address that begins with https:// or http://")
        return url

    @property
    def names(self) -> tuple[str, ...]:
        """Return nothing: an endpoint does not name its inputs."""
        return ()

    def predict(self, rows: Floats, inputs: ModelInputs) -> Floats:
        """Return the outputs, shape (n, C); of two classes that of the positive one.

        Raises ModelFileError where the endpoint gives no usable answer.
        """
        import httpx

        headers = {} if self.token is None else {"authorization": f"Bearer {self.token.reveal()}"}
        parts = []
        with httpx.Client(
            timeout=TIMEOUT, follow_redirects=False, transport=self._transport, headers=headers
        ) as client:
            for start in range(0, len(rows), self.rows_per_request):
                part = _cells(rows[start : start + self.rows_per_request], inputs)
                parts.append(self._ask(client, part, inputs))
        outputs = np.concatenate(parts)
        return outputs[:, 1:] if outputs.shape[1] == 2 else outputs

    def contributions(self, rows: Floats, inputs: ModelInputs) -> Floats | None:
        """Return None: an endpoint has no exact values of its trees."""
        return None

    def _ask(self, client: httpx.Client, rows: list[list[Cell]], inputs: ModelInputs) -> Floats:
        import httpx

        content, kind = _write(self.protocol, rows, inputs)
        try:
            with client.stream(
                "POST", self.url, content=content, headers={"content-type": kind}
            ) as answer:
                body = b""
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > LARGEST:
                        raise ModelFileError(f"{self._place}: an answer of more than 8 MiB")
        except httpx.HTTPError as error:
            raise ModelFileError(f"{self._place}: {type(error).__name__}") from None
        if not answer.is_success:
            raise ModelFileError(f"{self._place}: HTTP {answer.status_code}")
        try:
            outputs = _read(self.protocol, body, len(rows))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise ModelFileError(f"{self._place}: not an answer of {self.protocol}") from None
        if len(outputs) != len(rows):
            raise ModelFileError(
                f"{self._place}: {len(outputs):,} predictions for {len(rows):,} rows"
            )
        return outputs

    @property
    def _place(self) -> str:
        return f"endpoint {urlsplit(self.url).netloc.rpartition('@')[2]}"


def _cells(rows: Floats, inputs: ModelInputs) -> list[list[Cell]]:
    """Return the rows as the log has them: numbers, texts of categories, None for no value."""
    texts = [inputs.categories.get(name) for name in inputs.names]
    return [[_cell(value, words) for value, words in zip(row, texts, strict=True)] for row in rows]


def _cell(value: float, words: tuple[str, ...] | None) -> Cell:
    if math.isnan(value):
        return None
    return float(value) if words is None else words[int(value)]


def _write(protocol: Protocol, rows: list[list[Cell]], inputs: ModelInputs) -> tuple[bytes, str]:
    """Return body and content type of a request."""
    if protocol == "text/csv":
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(rows)
        return lines.getvalue().encode(), "text/csv"
    document: dict[str, Any] = {"instances": rows}
    if protocol == "v2":
        document = {
            "inputs": [
                {
                    "name": name,
                    "shape": [len(rows), 1],
                    "datatype": "BYTES" if name in inputs.categories else "FP64",
                    "data": [row[place] for row in rows],
                }
                for place, name in enumerate(inputs.names)
            ]
        }
    return json.dumps(document).encode(), "application/json"


def _read(protocol: Protocol, body: bytes, rows: int) -> Floats:
    """Return the predictions, shape (n, C). Raises an error of Python for another document."""
    text = body.decode()
    if protocol == "text/csv" and not text.lstrip().startswith(("{", "[")):
        # SageMaker's XGBoost writes one number a line, or all on one line.
        lines = [line for line in csv.reader(io.StringIO(text.strip())) if line]
        if len(lines) == 1 and rows > 1:
            lines = [[cell] for cell in lines[0]]
        return np.array([[float(cell) for cell in line] for line in lines])
    document = json.loads(text)
    if protocol == "v2":
        output = document["outputs"][-1]
        return np.array(output["data"], np.float64).reshape(rows, -1)
    predictions = document["predictions"] if isinstance(document, dict) else document
    if predictions and isinstance(predictions[0], dict):
        # SageMaker's built-in algorithms: {"score": 0.9, "predicted_label": 1}
        predictions = [prediction["score"] for prediction in predictions]
    return np.array(predictions, np.float64).reshape(len(predictions), -1)
