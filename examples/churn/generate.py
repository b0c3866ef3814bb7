"""Generates the data of the example: three days of SageMaker records with two faults.

    python examples/churn/generate.py

writes `reference.csv` and `capture/` beside this file, the same every time. The reference rows are
real (see SOURCES.md); they are scored by a model and replayed. The model, the traffic and the
faults are made here. Needs numpy.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import random
import shutil
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
START = datetime(2026, 11, 16, tzinfo=UTC)
HOURS = 72
THRESHOLD = 0.35
"""The least score for which the model predicts that a customer leaves."""

EVE_MISSING = (datetime(2026, 11, 17, 14, tzinfo=UTC), datetime(2026, 11, 17, 16, tzinfo=UTC))
"""Fault 1: in these two hours, 30% of the rows have no `Eve Mins`."""
DAY_IN_SECONDS = datetime(2026, 11, 18, 9, tzinfo=UTC)
"""Fault 2: from this time on, `Day Mins` is in seconds instead of minutes."""


class Model:
    """A logistic regression on ten inputs.

    Inputs and scores are clipped to the range of the training rows, as the scores of trees are.
    """

    INPUTS = (
        "Account Length",
        "VMail Message",
        "Day Mins",
        "Eve Mins",
        "Night Mins",
        "Intl Mins",
        "Intl Calls",
        "CustServ Calls",
        "Int'l Plan_yes",
        "VMail Plan_yes",
    )

    def __init__(self, names: list[str], rows: np.ndarray, labels: np.ndarray) -> None:
        self.columns = [names.index(name) for name in self.INPUTS]
        inputs = rows[:, self.columns]
        self.low, self.high, self.medians = (
            inputs.min(axis=0),
            inputs.max(axis=0),
            np.median(inputs, axis=0),
        )
        terms = self._terms(inputs)
        self.center, self.scale = terms.mean(axis=0), terms.std(axis=0)
        self.weights = self._fit(self._design(terms), labels)
        self.score_range = (0.001, 0.999)
        scores = self.scores(rows)
        self.score_range = (min(scores), max(scores))

    def _terms(self, inputs: np.ndarray) -> np.ndarray:
        day, calls, service = inputs[:, 2], inputs[:, 6], inputs[:, 7]
        intl, mailbox = inputs[:, 8], inputs[:, 9]
        heavy, patient = np.maximum(day - 220, 0), np.maximum(160 - day, 0)
        often = (service >= 4).astype(float)
        extra = [
            heavy,
            heavy * (1 - mailbox),
            often,
            often * patient,
            intl * (calls < 3),
            intl * (inputs[:, 5] > 13),
        ]
        return np.column_stack([inputs, *extra])

    def _design(self, terms: np.ndarray) -> np.ndarray:
        return np.column_stack([np.ones(len(terms)), (terms - self.center) / self.scale])

    @staticmethod
    def _fit(design: np.ndarray, labels: np.ndarray, ridge: float = 1.0) -> np.ndarray:
        weights = np.zeros(design.shape[1])
        penalty = ridge * np.eye(design.shape[1])
        penalty[0, 0] = 0
        for _ in range(25):
            p = 1 / (1 + np.exp(-design @ weights))
            gradient = design.T @ (labels - p) - penalty @ weights
            weights = weights + np.linalg.solve(
                (design.T * (p * (1 - p))) @ design + penalty, gradient
            )
        return weights

    def scores(self, rows: np.ndarray) -> list[float]:
        """Return the probability that a customer leaves, for each row.

        A missing input is replaced by the median.
        """
        inputs = rows[:, self.columns]
        inputs = np.where(np.isnan(inputs), self.medians, np.clip(inputs, self.low, self.high))
        p = 1 / (1 + np.exp(-self._design(self._terms(inputs)) @ self.weights))
        return [round(float(value), 5) for value in np.clip(p, *self.score_range)]


def count_rows(hour: datetime, chance: random.Random) -> int:
    """Return how many customers are scored in an hour: more by day than by night."""
    return round(520 + 80 * math.sin((hour.hour - 8) / 24 * 2 * math.pi) + chance.uniform(-25, 25))


def replay(
    names: list[str], texts: list[list[str]], chance: random.Random
) -> Iterator[tuple[datetime, str, list[str]]]:
    """Yield real rows in a random order, with the two faults.

    Each item is the time of scoring, the label and the features.
    """
    day, eve = names.index("Day Mins"), names.index("Eve Mins")
    for hour in (START + timedelta(hours=h) for h in range(HOURS)):
        for second in sorted(chance.uniform(0, 3600) for _ in range(count_rows(hour, chance))):
            at = hour + timedelta(seconds=int(second))
            label, *features = chance.choice(texts)
            if EVE_MISSING[0] <= at < EVE_MISSING[1] and chance.random() < 0.3:
                features[eve] = ""
            if at >= DAY_IN_SECONDS:
                features[day] = f"{float(features[day]) * 60:.1f}"
            yield at, label, features


def record(
    at: datetime, label: str, features: list[str], answer: str, chance: random.Random
) -> str:
    """Return one line as the merge job of Model Monitor writes it.

    It has the captured request and answer, and the label that came later.
    """
    body = {
        "eventVersion": "0",
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "captureData": {
            "endpointInput": {
                "data": ",".join(features),
                "encoding": "CSV",
                "mode": "INPUT",
                "observedContentType": "text/csv",
            },
            "endpointOutput": {
                "data": answer,
                "encoding": "CSV",
                "mode": "OUTPUT",
                "observedContentType": "text/csv; charset=utf-8",
            },
        },
        "eventMetadata": {
            "eventId": str(uuid.UUID(int=chance.getrandbits(128), version=4)),
            "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        },
    }
    return json.dumps(body, separators=(",", ":"))


def main(target: Path = HERE) -> None:
    """Write `reference.csv` and `capture/` below `target`."""
    with (HERE / "reference.csv").open(newline="") as file:
        head, *lines = csv.reader(file)
    width = head.index("VMail Plan_yes") + 1
    names, texts = head[1:width], [line[:width] for line in lines]
    numbers = np.array(texts, dtype=float)
    model = Model(names, numbers[:, 1:], numbers[:, 0])

    def answers(rows: list[list[str]]) -> list[str]:
        scores = model.scores(np.array([[float(text or "nan") for text in row] for row in rows]))
        return [f"{int(score >= THRESHOLD)},{score}" for score in scores]

    target.mkdir(parents=True, exist_ok=True)
    with (target / "reference.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["label", *names, "churned", "churn_probability"])
        replies = answers([text[1:] for text in texts])
        out.writerows(
            [*text, *reply.split(",")] for text, reply in zip(texts, replies, strict=True)
        )

    chance = random.Random(20261116)
    traffic = list(replay(names, texts, chance))
    files: dict[datetime, list[str]] = {}
    for (at, label, features), answer in zip(
        traffic, answers([row for _, _, row in traffic]), strict=True
    ):
        hour = at.replace(minute=0, second=0)
        files.setdefault(hour, []).append(record(at, label, features, answer, chance))

    shutil.rmtree(target / "capture", ignore_errors=True)
    for hour, records in files.items():
        name = f"part-00000-{uuid.UUID(int=chance.getrandbits(128), version=4)}.c000.jsonl.gz"
        path = target / f"capture/merge/churn/AllTraffic/{hour:%Y/%m/%d/%H}" / name
        path.parent.mkdir(parents=True)
        content = io.BytesIO()
        with gzip.GzipFile(filename="", mode="wb", fileobj=content, mtime=0) as stream:
            stream.write("".join(f"{line}\n" for line in records).encode())
        path.write_bytes(content.getvalue())


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
