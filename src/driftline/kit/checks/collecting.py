"""The parts that a check's own collector is made from: batches, hashes, exact sums and packing."""

from driftline.profiles.batch import Batch
from driftline.profiles.counting import BoundedCounter
from driftline.profiles.exact import ExactSum
from driftline.profiles.log_histogram import LogHistogram
from driftline.profiles.packing import narrow, pack, unpack, widen
from driftline.profiles.rowhash import NO_TEXT, hash_numbers, hash_strings
from driftline.types.arrays import Hashes

__all__ = [
    "NO_TEXT",
    "Batch",
    "BoundedCounter",
    "ExactSum",
    "Hashes",
    "LogHistogram",
    "hash_numbers",
    "hash_strings",
    "narrow",
    "pack",
    "unpack",
    "widen",
]
