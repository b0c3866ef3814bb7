"""A prefix that is the key of an object stands for that object, not for its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from driftline.contracts.source import DiscoverContext
from driftline.kit.stores.listing import list_store
from driftline.types.model import LogObject

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEYS = ["b/train.csv", "b/train.csv.bak", "b/train.csv/part-0", "b/train.csv2"]


def listed(keys: list[str], prefix: str) -> list[str]:
    def objects(start: str, after: str) -> Iterator[tuple[str, LogObject]]:
        for key in sorted(keys):
            if key.startswith(start) and key > after:
                uri = f"s3://bucket/{key}"
                yield key, LogObject(uri=uri, version="1", size=9, modified=NOW)

    found = list_store(DiscoverContext(now=NOW), None, prefix, lambda start: (), objects)
    return [obj.uri.removeprefix("s3://bucket/") for obj in found]


@pytest.mark.parametrize(
    ("keys", "prefix", "expected"),
    [
        (KEYS, "b/train.csv", ["b/train.csv"]),
        (KEYS[1:], "b/train.csv", sorted(KEYS[1:])),
        (KEYS, "b/train", sorted(KEYS)),
        (KEYS, "", sorted(KEYS)),
    ],
)
def test_an_object_with_the_key_of_the_prefix_is_alone(keys, prefix, expected):
    assert listed(keys, prefix) == expected
