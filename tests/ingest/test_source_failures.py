"""Exceptions that a source did not foresee: the object waits, whatever they are."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from driftline_plugins.formats.jsonl import JsonLines

from driftline import LogObject, Source
from driftline.ingest.read.job import Job
from driftline.ingest.read.plan import Work
from driftline.ingest.read.read_object import read_object
from driftline.profiles.spec import ProfileSpec
from driftline.types.model import Schema
from driftline.types.records import QUARANTINED, WAITING

NOW = datetime(2026, 5, 1, tzinfo=UTC)
OBJECT = LogObject(uri="x://a.jsonl", version="1", size=9, modified=NOW)


class Torn(io.BytesIO):
    """A stream that fails in the middle."""

    def read(self, size=-1):
        raise KeyError("ETag")


class Failing(Source):
    """A source with a mistake in one method."""

    type = "failing"
    where: str
    """The method that fails."""

    def discover(self, ctx):
        return iter([OBJECT])

    def open(self, obj, start=0):
        if self.where == "open":
            raise AttributeError("no attribute 'headers'")
        return Torn(b'{"a": 1}\n') if self.where == "read" else io.BytesIO(b'{"a": 1}\n')

    def batches(self, obj, ctx):
        if self.where == "batches":
            raise ZeroDivisionError("division by zero")
        return self._fail() if self.where == "iteration" else None

    def _fail(self):
        raise RuntimeError("lost")
        yield


class Broken(JsonLines):
    """A format with a mistake."""

    def decode(self, stream, ctx):
        stream.read()
        raise KeyError("mistake")


def read(source, format_):
    job = Job(
        source=source, formats={"": format_}, schema=Schema(), spec=ProfileSpec(columns={}),
        length=1, latest=1,
    )  # fmt: skip
    return read_object(job, Work(object=OBJECT, start=0, is_complete=True))


@pytest.mark.parametrize(("where", "name"), [
    ("open", "AttributeError"), ("read", "KeyError"), ("batches", "ZeroDivisionError"), ("iteration", "RuntimeError"),
])  # fmt: skip
def test_an_unknown_exception_of_a_source(where, name):
    """The object is tried again, and the sentence names the exception."""
    outcome = read(Failing(where=where), JsonLines())
    assert (outcome.state, outcome.broken) == (WAITING, False)
    assert outcome.error.startswith(f"the source raised {name}: ")


def test_an_unknown_exception_of_a_format():
    """It says that the content can't be decoded: the object is set aside."""
    outcome = read(Failing(where=""), Broken())
    assert (outcome.state, outcome.broken) == (QUARANTINED, True)
